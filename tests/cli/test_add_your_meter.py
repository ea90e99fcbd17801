"""*Add your meter in ten minutes* works word for word: its commands print what the page says."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterweave.metering.decimal import from_text
from meterweave.profiles import Device, load
from tests.cli.conftest import Call

PAGE = (Path(__file__).parents[2] / "docs/how-to/add-your-meter.md").read_text(encoding="utf-8")
PROFILES = re.findall(r"^```yaml\n(name:.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
INDENTED = re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)


def printed(begin: str) -> list[str]:
    """The block of the page with what a terminal shows that begins so."""
    blocks = [re.sub("^    ", "", block, flags=re.MULTILINE) for block in INDENTED]
    (found,) = [block for block in blocks if block.startswith(begin)]
    return found.splitlines()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in zip(("my-meter.yaml", "my-socket.yaml"), PROFILES, strict=True):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_profile_is_good(call: Call, folder: Path) -> None:
    command, line = printed("$ meterweave profile check my-meter")
    assert call(*command.split()[2:]).out.splitlines() == [line]


def test_the_mistakes_are_told_so(call: Call, folder: Path) -> None:
    wrong = PROFILES[0].replace("000CH", "000BH").replace("active_power,", "active_powr,")
    before, voltage, after = wrong.partition("voltage_l1, register: 000BH, type: u16, ")
    (folder / "wrong.yaml").write_text(before + voltage + after.replace("scale", "scal", 1), encoding="utf-8")
    command, *lines = printed("$ meterweave profile check wrong")
    said = call(*command.split()[2:])
    assert said.code == 1
    assert said.out.splitlines() == lines


@pytest.fixture
def meter(folder: Path) -> Iterator[str]:
    """The meter of the page on a TCP serial server; gives its port."""
    shown = {line.split()[0]: line.split() for line in printed("quantity ")[1:]}
    profile = load(folder / "my-meter.yaml")
    values = {
        one.quantity.code: from_text(shown[one.quantity.name][-2], one.quantity.exponent) for one in profile.points
    }
    device = Device(profile, "3", values)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            link, _ = listening.accept()
            with link:
                while octets := link.recv(4096):
                    link.sendall(device.feed(octets))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(20)


def test_the_meter_shows_what_the_page_shows(call: Call, folder: Path, meter: str) -> None:
    (command,) = printed("meterweave profile try")
    words = [meter if word.startswith("serial:") else word for word in command.split()[1:]]
    said = call(*words)
    assert said.code == 0, said
    assert [line.rstrip() for line in said.out.splitlines()] == printed("quantity ")


def test_the_message_means_what_the_page_says(call: Call, folder: Path) -> None:
    payload = re.search(r"`tele/socket-7/SENSOR` \| `(.*?)`", PAGE)
    assert payload is not None
    (folder / "payload.json").write_text(payload[1], encoding="utf-8")
    command, *lines = printed("$ meterweave profile try my-socket")
    said = call(*command.split()[2:])
    assert said.code == 0, said
    assert [line.rstrip() for line in said.out.splitlines()] == lines


def test_birth_and_will_are_those_of_the_page(call: Call, folder: Path) -> None:
    for word, said in (("Online", "the device is online"), ("Offline", "the device is offline")):
        (folder / "payload").write_text(word, encoding="utf-8")
        words = ("--message", "payload", "--topic", "tele/socket-7/LWT")
        assert said in call("profile", "try", "my-socket.yaml", *words).out
