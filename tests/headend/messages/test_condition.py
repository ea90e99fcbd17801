from __future__ import annotations

from meterweave.headend.messages.condition import Conditions, Tentative
from meterweave.headend.messages.source import Told
from meterweave.metering.events import ENDED, event_codes
from meterweave.profiles.message import Look

OPENED = event_codes()["cover_opened"]


def told(at: int, lasts: bool) -> Told:
    return Told("known", b"", looks=(Look(at, {OPENED: lasts}),))


def test_messages_on_their_way_follow_one_another() -> None:
    conditions = Conditions()
    tentative = Tentative(conditions)
    first, opened = tentative.watch(told(1, True), 7, 0, 1)
    second, closed = tentative.watch(told(2, False), 7, 0, 2)
    assert [one.code for one in (*first.events, *second.events)] == [OPENED, OPENED + ENDED]
    assert conditions.lasting(7) == frozenset()
    assert opened is not None
    assert closed is not None
    tentative.kept(7, opened)
    assert conditions.lasting(7) == {OPENED}
    tentative.kept(7, closed)
    assert conditions.lasting(7) == frozenset()


def test_what_was_not_kept_is_told_again() -> None:
    tentative = Tentative(Conditions())
    tentative.watch(told(1, True), 7, 0, 1)
    assert tentative.watch(told(1, True), 7, 0, 1)[0].events == ()
    tentative.dropped(7)
    assert [one.code for one in tentative.watch(told(1, True), 7, 0, 1)[0].events] == [OPENED]
