"""Meters that come and go: history and readings in one act, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from meterweave.metering.quantities import obis_code
from meterweave.registry import HistoryError, Registry, RegistryError, UnknownRecord
from meterweave.registry.entered import Act, Book, Done, Entry, Point, entered, exchange, put_in, take_out
from meterweave.registry.entered.roll import facts_of
from meterweave.registry.errors import ReadingError
from meterweave.registry.installation import history_of, install
from meterweave.registry.vocabulary import Purpose, Utility
from tests.registry.conftest import dump
from tests.registry.records import add_meter, add_usage_point, day

POWER, EXPORT = obis_code("1-0:1.8.0"), obis_code("1-0:2.8.0")
AT = day(100)
ACT = Act(AT, "clerk", AT + timedelta(hours=3), reader="Wang", photo="IMG_9.jpg", note="burnt")


@pytest.fixture
def ids(registry: Registry) -> dict[str, int]:
    """An old meter on P1 since day 0, a new one nowhere, a water meter on P1, and the usage points P1 and P2."""
    with registry.writing() as session:
        old, new = add_meter(session, "1"), add_meter(session, "2")
        old.register_digits, old.register_decimals = 6, 2
        water = add_meter(session, "3", protocol="cjt188", utility=Utility.WATER)
        point, other = add_usage_point(session, "P1"), add_usage_point(session, "P2")
        for meter in (old, water):
            install(session, meter.id, point.id, day(0))
        return {"old": old.id, "new": new.id, "water": water.id, "P1": point.id, "P2": other.id}


def do(registry: Registry, act: Callable[..., Done], *words: Any, **more: Any) -> Done:
    with registry.writing() as session:
        return act(session, *words, **more)


def enter(registry: Registry, meter: int, value: int, at: datetime, quantity: int = POWER) -> None:
    entry = Entry(meter, quantity, at, value)
    with registry.writing() as session:
        book = Book(session, facts_of(session, [meter]), at)
        book.write(book.judge([entry], now=at), entered_by="clerk", now=at)


def spans(registry: Registry, point: int) -> list[tuple[int, datetime, datetime | None]]:
    with registry.reading() as session:
        return [(one.meter_id, one.installed_at, one.removed_at) for one in history_of(session, usage_point_id=point)]


def test_an_exchange_is_history_and_two_readings(registry: Registry, ids: dict[str, int]) -> None:
    done = do(registry, exchange, ids["old"], ids["new"], ACT, out={POWER: 1_230_000}, into={POWER: 20_000, EXPORT: 1})
    assert (done.usage_point, done.notes, done.again) == ("P1", [], False)
    assert sorted(spans(registry, ids["P1"]), key=lambda one: one[:2]) == sorted(
        [(ids["old"], day(0), AT), (ids["new"], AT, None), (ids["water"], day(0), None)], key=lambda one: one[:2]
    )
    with registry.reading() as session:
        found = [one.kept.entry for one in entered(session, limit=9)][::-1]
    assert found == [
        Entry(ids["old"], POWER, AT, 1_230_000, False, Purpose.FINAL, "Wang", "IMG_9.jpg", "burnt"),
        Entry(ids["new"], POWER, AT, 20_000, False, Purpose.INITIAL, "Wang", "IMG_9.jpg", "burnt"),
        Entry(ids["new"], EXPORT, AT, 1, False, Purpose.INITIAL, "Wang", "IMG_9.jpg", "burnt"),
    ]


def test_the_same_again_changes_nothing_and_says_so(registry: Registry, ids: dict[str, int]) -> None:
    more: dict[str, Any] = {"out": {POWER: 1_230_000}, "into": {POWER: 20_000}}
    first = do(registry, exchange, ids["old"], ids["new"], ACT, **more)
    before = dump(registry)
    again = do(registry, exchange, ids["old"], ids["new"], ACT._replace(now=ACT.now + timedelta(days=1)), **more)
    assert (again.again, again.usage_point) == (True, "P1")
    assert [one.entry for one in again.kept] == [one.entry for one in first.kept]
    assert dump(registry) == before
    with pytest.raises(ReadingError) as caught:
        do(registry, exchange, ids["old"], ids["new"], ACT, out={POWER: 5}, into={})
    assert caught.value.code == "reading.other_value"
    assert "(meterweave reading add ... --correct)" in caught.value.text.en
    assert "请使用meterweave reading add ... --correct" in caught.value.text.zh
    assert dump(registry) == before


def test_out_and_in_apart(registry: Registry, ids: dict[str, int]) -> None:
    for turn in (False, True):
        assert do(registry, take_out, ids["old"], ACT, out={POWER: 7}).again is turn
    later = ACT._replace(at=AT + timedelta(hours=1))
    for turn in (False, True):
        assert do(registry, put_in, ids["new"], "P1", later, into={POWER: 3}).again is turn
    assert (ids["old"], day(0), AT) in spans(registry, ids["P1"])
    assert (ids["new"], later.at, None) in spans(registry, ids["P1"])


def test_one_meter_may_go_and_come_at_one_instant(registry: Registry, ids: dict[str, int]) -> None:
    do(registry, take_out, ids["old"], ACT, out={POWER: 7})
    with pytest.raises(ReadingError, match=r"0.0007 kWh Wang IMG_9.jpg burnt was entered for"):
        do(registry, put_in, ids["old"], "P2", ACT, into={POWER: 8})
    done = do(registry, put_in, ids["old"], "P2", ACT, into={POWER: 7})
    assert [one.entry.purpose for one in done.kept] == [Purpose.FINAL]


def test_who_could_not_read_it_says_so_with_nothing(registry: Registry, ids: dict[str, int]) -> None:
    done = do(registry, exchange, ids["old"], ids["new"], ACT, out={}, into={POWER: 0})
    assert [one.entry.meter for one in done.kept] == [ids["new"]]


def test_a_register_may_have_rolled_over_before_it_was_taken_out(registry: Registry, ids: dict[str, int]) -> None:
    enter(registry, ids["old"], 99_900_000, day(90))
    done = do(registry, take_out, ids["old"], ACT, out={POWER: 100_000})
    assert [one.code for one in done.notes] == ["reading.rolled_over"]


@pytest.mark.parametrize(
    ("more", "error", "code", "words"),
    [
        ({"out": {POWER: 99}}, ReadingError, "reading.below_last", "dlt645 000000000001: 0.0099 kWh is less than"),
        ({"into": {POWER: 49}}, ReadingError, "reading.above_next", "0.0049 kWh is more than 0.0048 kWh later"),
        ({"out": {POWER: 10**8}}, ReadingError, "reading.beyond_register", "shows 9999.99 kWh at most"),
        ({"at": AT + timedelta(hours=4)}, ReadingError, "reading.in_future", "still to come"),
        ({"new": "water"}, HistoryError, "history.other_utility", "measures water"),
        ({"new": "old"}, HistoryError, "history.meter_elsewhere", "its own place"),
        ({"old": "new", "new": "old"}, HistoryError, "history.not_installed", "is on no usage point"),
        ({"at": day(0)}, HistoryError, "history.removed_before_installed", "cannot be removed"),
        ({"new": 4711}, UnknownRecord, None, "there is no meter with id 4711"),
    ],
)
def test_what_cannot_be_is_refused_whole(
    registry: Registry, ids: dict[str, int], more: dict[str, Any], error: type[RegistryError], code: str, words: str
) -> None:
    enter(registry, ids["old"], 100, day(90))
    before = dump(registry)
    old, new = (ids.get(more.get(name, name), more.get(name, name)) for name in ("old", "new"))
    others = {(ids["new"], POWER): [Point(AT + timedelta(hours=1), 48)]}
    out, into = more.get("out", {POWER: 110}), more.get("into", {POWER: 20})
    with pytest.raises(error, match=words) as caught:
        do(registry, exchange, old, new, ACT._replace(at=more.get("at", AT)), out=out, into=into, others=others)
    assert getattr(caught.value, "code", None) == code
    assert caught.value.text.zh
    assert dump(registry) == before


def test_a_meter_is_put_where_there_is_room(registry: Registry, ids: dict[str, int]) -> None:
    with pytest.raises(UnknownRecord, match="no usage point is called 'P9'"):
        do(registry, put_in, ids["new"], "P9", ACT, into={})
    with pytest.raises(HistoryError, match="dlt645 000000000001 was on usage point P1"):
        do(registry, put_in, ids["new"], "P1", ACT, into={})
