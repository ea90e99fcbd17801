"""A gateway's settings file: as it is written, and what is refused in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterweave.errors import ConfigError
from meterweave.gateway.settings import invitation, load, readable_by_others
from meterweave.gateway.trust import Trust

GOOD = invitation(host="centre.example", port=9175, name="mill", key='k"\\', certificate="-----X-----\nAA\n")


def written(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_invitation_is_a_settings_file(tmp_path: Path) -> None:
    found = load(written(tmp_path, GOOD + "tick_s = 5\ndtu_port = 9645\n"))
    assert (found.host, found.port, found.name, found.key) == ("centre.example", 9175, "mill", 'k"\\')
    assert (found.certificate.strip(), found.tick_s, found.dtu_port) == ("-----X-----\nAA", 5, 9645)
    assert 'k"' not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host = ", "cannot be read"),
        ("host = 'a'", "port, name, key, certificate missing"),
        (GOOD + "tick = 1\n", "unknown: tick"),
        (GOOD + "tick_s = 0\n", "tick_s must be positive"),
        (GOOD + "tick_s = '1'\n", "tick_s has to be a number"),
        (GOOD + "window_blobs = 1.5\n", "window_blobs has to be a whole number"),
        (GOOD + "waiting_max = true\n", "waiting_max"),
        (GOOD + "dtu_port = 70000\n", "65535"),
        (GOOD.replace("9175", "0"), "port must be positive"),
        (GOOD.replace('"mill"', '""'), "name has to be a text"),
        (GOOD.replace('"mill"', "5"), "name has to be a text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_who_may_read_the_key_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    path.chmod(0o644)
    assert readable_by_others(path)
    path.chmod(0o600)
    assert not readable_by_others(path)


@pytest.mark.parametrize("pem", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"])
def test_a_certificate_that_is_none_is_refused(pem: str) -> None:
    with pytest.raises(ConfigError, match="certificate"):
        Trust(pem)
