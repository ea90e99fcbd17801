"""Readings taken back, on both engines: a row more, and none changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from meterweave.registry import EnteredReading, Registry, UnknownRecord
from meterweave.registry.entered import Terms, Withdrawn, entered, import_readings, last_entered, withdraw
from meterweave.registry.vocabulary import Purpose, Utility
from tests.registry.records import add_meter

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ROWS = "meter,value,time,reader\nm-1,5,2026-02-01,Wang\nm-1,7,2026-03-01,Wang\n"


@pytest.fixture
def meter(registry: Registry) -> int:
    with registry.writing() as session:
        found = add_meter(session, "m-1", protocol="manual", utility=Utility.WATER).id
    assert import_readings(registry, ROWS.encode(), "r.csv", Terms("clerk", NOW)).ok
    return found


def take_back(registry: Registry, number: int, note: str | None = None) -> Withdrawn:
    with registry.writing() as session:
        return withdraw(session, number, note=note, entered_by="chief", now=NOW - timedelta(days=1))


def test_it_is_one_more_row_and_counts_for_nothing(registry: Registry, meter: int) -> None:
    with registry.reading() as session:
        newest = entered(session, limit=1)[0].kept
    first, again = take_back(registry, newest.id, "the neighbour's"), take_back(registry, newest.id, "twice")
    assert (first.again, again.again) == (False, True)
    assert again.kept == first.kept
    assert first.kept.entered_at == NOW + timedelta(microseconds=1)  # the clock was set back
    with registry.reading() as session:
        rows = session.scalars(select(EnteredReading).order_by(EnteredReading.id)).all()
        assert [(one.value, one.revision, one.withdrawn, one.note) for one in rows] == [
            (5_000_000, 0, False, ""),
            (7_000_000, 0, False, ""),
            (7_000_000, 1, True, "the neighbour's"),
        ]
        assert [one.kept.withdrawn for one in entered(session, limit=9)] == [True, False]
        last = last_entered(session, [meter], [newest.entry.quantity])
    assert last[meter].entry.value == 5_000_000


def test_nothing_is_compared_with_it(registry: Registry, meter: int) -> None:
    with registry.reading() as session:
        newest = entered(session, limit=1)[0].kept
    take_back(registry, newest.id)
    lower = import_readings(registry, b"meter,value,time\nm-1,6,2026-04-01\n", "r.csv", Terms("clerk", NOW))
    assert (lower.ok, lower.findings) == (True, ())


def test_the_same_again_is_a_correction(registry: Registry, meter: int) -> None:
    with registry.reading() as session:
        newest = entered(session, limit=1)[0].kept
    take_back(registry, newest.id)
    refused = import_readings(registry, ROWS.encode(), "r.csv", Terms("clerk", NOW))
    assert [(one.code, one.row) for one in refused.findings] == [("reading.withdrawn", 3)]
    assert "taken back by chief" in refused.findings[0].text.en
    report = import_readings(registry, ROWS.encode(), "r.csv", Terms("clerk", NOW, correct=True))
    assert [(one.revision, one.withdrawn) for one in report.kept] == [(0, False), (2, False)]


def test_what_was_said_of_it_is_not_said_of_what_follows(registry: Registry, meter: int) -> None:
    with registry.reading() as session:
        newest = entered(session, limit=1)[0].kept
    take_back(registry, newest.id, "the neighbour's")
    rows = b"meter,value,time\nm-1,6,2026-03-01\n"
    (kept,) = import_readings(registry, rows, "r.csv", Terms("clerk", NOW, correct=True)).kept
    assert (kept.entry.note, kept.entry.reader, kept.entry.photo) == (None, None, None)
    assert kept.entry.purpose is Purpose.ROUTINE


def test_an_estimate_may_follow_it(registry: Registry, meter: int) -> None:
    with registry.reading() as session:
        newest = entered(session, limit=1)[0].kept
    take_back(registry, newest.id)
    rows = b"meter,value,time,estimated\nm-1,6,2026-03-01,yes\n"
    refused = import_readings(registry, rows, "r.csv", Terms("clerk", NOW))
    assert [one.code for one in refused.findings] == ["reading.withdrawn"]
    (kept,) = import_readings(registry, rows, "r.csv", Terms("clerk", NOW, correct=True)).kept
    assert (kept.entry.value, kept.entry.estimated, kept.withdrawn) == (6_000_000, True, False)


def test_what_is_not_there_is_told(registry: Registry, meter: int) -> None:
    with pytest.raises(UnknownRecord) as caught:
        take_back(registry, 4711)
    assert caught.value.text.zh
