from __future__ import annotations

from datetime import datetime

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1.annex_a import FORMATS
from meterweave.protocols.gdw1376.part1.moments import decode_a15, decode_a20, decode_a21
from meterweave.protocols.gdw1376.part1.values import Entries, Named


def test_moments_of_the_calendar():
    assert decode_a15(bytes.fromhex("5923290224")) == datetime(2024, 2, 29, 23, 59)
    assert decode_a20(bytes.fromhex("290224")) == datetime(2024, 2, 29)
    assert decode_a21(bytes.fromhex("1299")) == datetime(2099, 12, 1)


def test_moments_of_no_calendar():
    for octets in ("5924290224", "6000290224", "0000290223", "0000000000", "eeeeeeeeee", "0a00010124"):
        assert decode_a15(bytes.fromhex(octets)) is None
    assert decode_a20(bytes.fromhex("300224")) is None
    assert decode_a21(bytes.fromhex("1324")) is None


def test_impossible_times_are_still_printed():
    assert FORMATS["A15"].text(bytes(5)) == "2000-00-00T00:00"
    assert FORMATS["A1"].text(bytes(6)) == "2000-00-00T00:00:00"


def test_the_weekday_has_its_own_entry():
    clock = FORMATS["A1"]
    octets = bytes.fromhex("494811155215")
    entries = clock.entries("clock", "local time", octets)
    assert [entry["value"] for entry in entries] == ["2015-12-15T11:48:49", "2"]
    assert clock.build("clock", Entries(entries)) == octets
    assert clock.meaning(octets).en == "Tuesday"
    assert clock.meaning(bytes(6)) is None
    assert clock.build("clock", Named({"clock": "2015-12-15T11:48:49"})).hex() == "494811151215"
    with pytest.raises(EncodeError, match="weekday"):
        clock.build("clock", Named({"clock": "2015-12-15T11:48:49", "clock.weekday": 8}))


def test_a_clock_that_is_missing_has_no_weekday():
    clock = FORMATS["A1"]
    entries = clock.entries("clock", "local time", b"\xee" * 6)
    assert [entry["value"] for entry in entries] == [None, None]
    odd = clock.entries("clock", "local time", b"\xee" * 5 + b"\0")
    assert clock.build("clock", Entries(odd)) == b"\xee" * 5 + b"\0"
