"""Topics, births and wills."""

from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.profiles import Device, Heard, parse, shipped

HEAD = "name: x\nutility: electricity\nprotocol: json\nreadings: [{quantity: voltage_l1, path: u, unit: V}]\n"
WORD = parse(
    f"{HEAD}messages: {{topic: 'm/{{address}}/up', state: {{topic: 'm/{{address}}/lwt', offline: Offline}}}}\n"
)
PATH = parse(f"{HEAD}messages: {{address: id, state: {{topic: 's/{{address}}', path: a.on, online: 1, offline: 0}}}}\n")


@pytest.mark.parametrize(("payload", "online"), [(b"online", True), (b"Offline", False), (b" online\n", True)])
def test_birth_and_will(payload: bytes, online: bool) -> None:
    assert WORD.understand("m/A1/lwt", payload, received=0) == Heard("a1", online=online)


@pytest.mark.parametrize("payload", [b"offline", b"\xff", b"x" * 10_000, b"\x00"])
def test_another_word_is_told(payload: bytes) -> None:
    found = WORD.understand("m/a1/lwt", payload, received=0)
    assert (found.address, found.online) == ("a1", None)
    assert found.problem is not None
    assert "neither 'online' nor 'Offline'" in found.problem.en


def test_a_retained_word_that_is_taken_away_says_nothing() -> None:
    assert WORD.understand("m/a1/lwt", b"", received=0) == Heard("a1")


@pytest.mark.parametrize(
    ("payload", "online"),
    [
        (b'{"a":{"on":1}}', True),
        (b'{"a":{"on":1.0}}', True),
        (b'{"a":{"on":"0"}}', False),
        (b'{"a":{"on":null}}', None),
        (b'{"a":{"on":[1]}}', None),
        (b"{}", None),
        (b"{", None),
    ],
)
def test_the_word_may_stand_in_json(payload: bytes, online: bool | None) -> None:
    found = PATH.understand("s/a1", payload, received=0)
    assert found.online is online
    assert (found.problem is None) == (online is not None)


@pytest.mark.parametrize(
    ("payload", "en", "zh"),
    [
        (b"{}", "nothing stands at a.on", "a.on处没有内容"),
        (b'{"a":{"on":{}}}', "an object is neither '1' nor '0'", "对象既不是'1'也不是'0'"),
        (b"{", "no JSON: ", "不是JSON：第1行第2列有误"),
    ],
)
def test_what_is_no_word_is_told_in_both_languages(payload: bytes, en: str, zh: str) -> None:
    problem = PATH.understand("s/a1", payload, received=0).problem
    assert problem is not None
    assert problem.en.startswith(en)
    assert problem.zh == zh


def test_a_simulated_device_says_so_too() -> None:
    for profile in (WORD, PATH):
        for online in (True, False):
            message = Device(profile, "a1").presence(online=online)
            assert message is not None
            assert profile.understand(*message, received=0) == Heard("a1", online=online)


def test_what_there_is_to_subscribe_to() -> None:
    assert WORD.messages is not None
    assert WORD.messages.filters == ("m/+/up", "m/+/lwt")
    assert PATH.messages is not None
    assert PATH.messages.filters == ("s/+",)


def test_a_profile_whose_devices_only_answer_understands_no_messages() -> None:
    profile = shipped("mbus-water")
    with pytest.raises(ConfigError, match="only answer"):
        profile.understand(None, b"", received=0)
    with pytest.raises(ConfigError, match="only answer"):
        Device(profile, "5").message(0)


def test_a_device_that_speaks_json_is_not_asked() -> None:
    assert WORD.requests("a1") == []
    device = Device(WORD, "A1")
    assert device.address == "a1"
    assert device.feed(b"\x68\x01") == b""
    with pytest.raises(ConfigError, match="is no name"):
        WORD.requests("no name")
    with pytest.raises(ConfigError, match="no order"):
        WORD.trip("a1")


def test_a_state_topic_within_the_data_topic_is_state() -> None:
    profile = parse(
        f"{HEAD}messages: {{topic: 'm/{{address}}/#', state: {{topic: 'm/{{address}}/lwt', offline: Offline}}}}\n"
    )
    assert profile.understand("m/a1/lwt", b"Offline", received=0) == Heard("a1", online=False)
    assert profile.understand("m/a1/up", b'{"u": 230}', received=0).readings
