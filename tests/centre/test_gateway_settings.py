"""The settings for gateways: in the file, in the environment, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterweave.centre import load
from meterweave.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "centre.toml"
    path.write_text(f"[gateways]\n{text}", encoding="utf-8")
    return path


def test_nobody_may_call_until_a_port_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().gateways.port is None
    found = load(written(tmp_path, 'port = 9175\ncertificate = "a"\nkey = "b"\nallow = ["10.0.0.0/8"]\n')).gateways
    assert (found.port, found.host, found.certificate, found.allow) == (9175, "127.0.0.1", Path("a"), ("10.0.0.0/8",))
    monkeypatch.setenv("METERWEAVE_GATEWAYS__PORT", "0")
    assert load().gateways.port == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "prot"),
        ("port = 70000", "port of gateways"),
        ("port = 'x'", "port"),
        ("silence_s = 0", "silence_s must be positive"),
        ("certificate = 'a'", "belong together"),
        ("key = 'a'", "belong together"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(written(tmp_path, text))
