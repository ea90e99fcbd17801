from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.batch import Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import Event, event_codes
from meterweave.protocols.dlt645 import items
from meterweave.protocols.dlt645.events import codes, events
from meterweave.protocols.dlt645.frame import Frame
from tests.protocols.dlt645.strategies import OCTETS, patient


def us(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=SHANGHAI).timestamp()) * 1_000_000


def told(data: str, control: int = 0x91) -> list[Event]:
    return events(Frame("000000000161", control, bytes.fromhex(data)), index=2, source=Source.FORWARDED)


def test_a_power_failure() -> None:
    assert told("01001103" + "001203050224" + "301203050224") == [
        Event(
            frame=2,
            key=0x161,
            own=False,
            code=event_codes()["power_outage"],
            ts=us(2024, 2, 5, 3, 12),
            ended=us(2024, 2, 5, 3, 12, 30),
            number=None,
            detail=None,
            source=Source.FORWARDED,
        )
    ]


def test_a_power_failure_that_goes_on() -> None:
    (event,) = told("01001103" + "001203050224" + "000000000000")
    assert event.ended is None


@pytest.mark.parametrize("data", ["01001103" + "00" * 12, "01001103" + "ff" * 12, "01001103", "00001103000005", ""])
def test_no_record_is_no_event(data: str) -> None:
    assert told(data) == []


def test_only_replies_tell_events() -> None:
    assert told("01001103" + "001203050224" * 2, control=0x11) == []


def test_an_operation_with_what_was_done() -> None:
    (event,) = told("02043003" + "78563412" + "001203050224" + "301203050224")
    assert (event.code, event.ts) == (event_codes()["clock_set"], us(2024, 2, 5, 3, 12, 30))
    (cleared,) = told("01033003" + "001203050224" + "78563412" + "ffffffff")
    assert (cleared.code, cleared.ts, cleared.ended) == (event_codes()["events_cleared"], us(2024, 2, 5, 3, 12), None)
    assert cleared.detail is not None
    assert [(one["name"], one["value"]) for one in json.loads(cleared.detail)["values"]] == [("operator", "12345678")]


def test_a_phase_and_what_was_measured() -> None:
    increments = "".join(f"{number:02d}000000" for number in range(16))
    (event,) = told("01030e03" + "001203050224" + "001303050224" + increments)
    assert event.code == event_codes()["power_reversal_l3"]
    assert event.detail is not None
    values = json.loads(event.detail)["values"]
    assert len(values) == 16
    assert {one["unit"] for one in values} == {"kWh", "kvarh"}
    assert values[3]["value"] == "0.03"


def test_every_identifier_is_one_of_the_table() -> None:
    for di in codes():
        item = items.find(f"{di}01")
        assert item is not None, di
        assert item.elements[0].name.startswith("event."), di


@patient
@given(st.sampled_from(sorted(codes())), st.integers(0, 255), OCTETS)
def test_any_octets(di: str, number: int, octets: bytes) -> None:
    data = bytes((number,)) + bytes.fromhex(di)[::-1] + octets
    for event in events(Frame("000000000161", 0x91, data)):
        assert 1 <= number <= 10
        assert event.detail is None or json.loads(event.detail)["values"]
