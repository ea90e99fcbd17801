from __future__ import annotations

from meterweave.metering.events import ENDED, event_codes
from meterweave.profiles import changes

OVERLOAD, BATTERY = event_codes()["overload"], event_codes()["battery_low"]


def test_what_lasts_at_the_first_look_begins_there() -> None:
    (event,) = changes({}, {OVERLOAD: True, BATTERY: False}, meter=7, at=1000)
    assert (event.code, event.key, event.ts, event.ended) == (OVERLOAD, 7, 1000, None)


def test_ends_are_events_of_their_own() -> None:
    (event,) = changes({OVERLOAD: True, BATTERY: True}, {OVERLOAD: False, BATTERY: True}, meter=7, at=2000)
    assert event.code == OVERLOAD + ENDED


def test_what_is_not_told_is_unchanged() -> None:
    assert changes({OVERLOAD: True}, {}, meter=7, at=3000) == []
    assert changes({OVERLOAD: True}, {OVERLOAD: True}, meter=7, at=3000) == []
