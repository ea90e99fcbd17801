"""Frames from the wild, and what must be seen in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
REMARKS = frozenset({"also_acceptable", "partial_note"})
"""Keys of a `decoded` that speak of the vector, not of its octets."""


OURS = {
    "acrel-4g": "prepaid-4g",
    "acrel_4g": "prepaid_4g",
    "Acrel DDSY/DTSY status block": "DDSY/DTSY status block",
}
"""What we call by what it does and the finders called by its maker."""


def load(name: str) -> list[dict[str, Any]]:
    """The vectors of one file of `tests/data/vectors`, in our words."""
    vectors = json.loads((DATA / "vectors" / f"{name}.json").read_text(encoding="utf-8"))
    return [one | {"decoded": _in_our_words(one["decoded"])} for one in vectors]


def _in_our_words(said: dict[str, Any]) -> dict[str, Any]:
    return {key: OURS.get(value, value) if isinstance(value, str) else value for key, value in said.items()}


def differences(wanted: Any, found: Any, path: str = "$") -> list[str]:
    """Every place where `found` lacks something of `wanted` or has it otherwise; more keys are welcome."""
    if isinstance(wanted, dict):
        if not isinstance(found, dict):
            return [f"{path}: wanted an object, found {found!r}"]
        return [
            line
            for key, value in wanted.items()
            if key not in REMARKS
            for line in (
                differences(value, found[key], f"{path}.{key}") if key in found else [f"{path}.{key}: missing"]
            )
        ]
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return [f"{path}: wanted {wanted!r}, found {found!r}"]
        return [
            line
            for index, (one, other) in enumerate(zip(wanted, found, strict=True))
            for line in differences(one, other, f"{path}[{index}]")
        ]
    same = wanted == found and isinstance(wanted, bool) == isinstance(found, bool)
    return [] if same else [f"{path}: wanted {wanted!r}, found {found!r}"]
