from __future__ import annotations

from zoneinfo import ZoneInfo

from meterweave.headend.driver import Push
from meterweave.headend.messages import MessageSource
from meterweave.headend.messages.source import Told
from meterweave.profiles import shipped
from meterweave.profiles.message import Message

UTC = ZoneInfo("UTC")


def test_a_message_that_makes_no_rows_costs_the_others_nothing() -> None:
    profile = shipped("json-meter")
    assert profile.messages is not None
    source = MessageSource(profile.protocol, profile.messages, UTC)
    payload = b'{"time": 1767225600, "voltage": 228.5}'
    (good,) = source.hear([Message("meters/a/up", payload)], [1])
    assert isinstance(good, Told)
    bad = good._replace(readings=tuple(one._replace(value=1 << 70) for one in good.readings))
    pushes = [Push(1, payload, b"", message=one) for one in (bad, good, bad)]
    readings, events = source.content(pushes, received=1, zone=UTC)
    assert readings.frame.tolist() == [1]
    assert not events.events
