"""No make has code of its own: their names stand in device profiles, and nowhere else in the package."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

PACKAGE = Path(str(files("meterweave")))
MAKERS = (
    "acrel",
    "安科瑞",
    "acurev",
    "accuenergy",
    "holley",
    "hexing",
    "wasion",
    "linyang",
    "chint",
    "landis",
    "itron",
)
MAKER = re.compile(r"^maker:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)


def _texts() -> dict[Path, str]:
    found = (path for path in PACKAGE.rglob("*") if path.suffix in (".py", ".csv", ".yaml", ".json", ".log"))
    return {path.relative_to(PACKAGE): path.read_text(encoding="utf-8") for path in found}


def test_makers_stand_in_profiles_only() -> None:
    texts = _texts()
    profiles = {path: text for path, text in texts.items() if path.parts[0] == "profiles"}
    makers = {*MAKERS, *(name.lower() for text in profiles.values() for name in MAKER.findall(text))}
    assert len(profiles) > 10
    assert "acrel" in "".join(profiles.values()).lower()  # what is looked for can be found
    named = {
        (str(path), maker)
        for path, text in texts.items()
        if path not in profiles
        for maker in makers
        if re.search(rf"\b{re.escape(maker)}\b" if maker.isascii() else maker, text.lower())
    }
    assert named == set()
