"""Readings entered into archives and lake: both have them, whatever happens in between."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from meterweave.lake import JournalError, Lake, LakeSettings
from meterweave.lake.maintenance import Maintenance
from meterweave.mdm import consumption_of, desk, local_days, local_months
from meterweave.mdm.desk import JOURNAL, Desk, about, deliver
from meterweave.mdm.estate import last_readings
from meterweave.metering.batch import Profile, Quality, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import quantities
from meterweave.registry import HistoryError, Meter, Registry, UnknownRecord
from meterweave.registry.changes import ArchiveSession
from meterweave.registry.entered import (
    Act,
    Book,
    Done,
    Entry,
    Kept,
    Point,
    Terms,
    Withdrawn,
    entered,
    exchange,
    last_entered,
    withdraw,
)
from meterweave.registry.entered.roll import facts_of
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Utility
from tests.mdm.desk_writer import POINTS
from tests.mdm.rows import HOUR_US, Row, table
from tests.registry.records import add_meter, add_usage_point, day

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
WATER = quantities()["8-0:1.0.0"]
SHEET = "meter,value,time,estimated\n" + "".join(
    f"w-{number},{number}.5,2026-0{month}-01,{'yes' if month == 3 else ''}\n"
    for number in range(1, 6)
    for month in (2, 3, 4)
)


@pytest.fixture
def at_the_desk(registry: Registry, tmp_path: Path) -> Desk:
    with registry.writing() as session:
        for number in range(1, 6):
            add_meter(session, f"w-{number}", protocol="manual", utility=Utility.WATER)
    return Desk(registry, tmp_path / "lake", LakeSettings())


def bring(at: Desk, text: str = SHEET, *, now: datetime = NOW, **terms: Any) -> int:
    report = at.import_octets(text.encode(), "r.csv", Terms("clerk", now, **terms))
    assert report.ok, list(report.lines("en"))
    return len(report.kept)


def in_lake(folder: Path, view: str = "raw_readings") -> list[tuple[Any, ...]]:
    with Lake.open(folder, write=False) as lake:
        found = lake.query(f"SELECT meter, quantity, profile, ts, value, quality, source, received FROM {view}")
    return sorted(tuple(row.values()) for row in found.to_pylist())


def in_archives(registry: Registry, *, history: bool = True) -> list[tuple[Any, ...]]:
    with registry.reading() as session:
        kept = [one.kept for one in entered(session, limit=1000, history=history)]
    return sorted(
        (one.entry.meter, one.entry.quantity, 0, one.entry.ts, one.entry.value, 0,
         Source.ESTIMATED if one.entry.estimated else Source.ENTERED, one.entered_at)
        for one in kept
    )  # fmt: skip


def test_the_lake_has_what_the_archives_have(at_the_desk: Desk) -> None:
    assert bring(at_the_desk) == 15
    assert in_lake(at_the_desk.folder) == in_archives(at_the_desk.registry)
    before = in_lake(at_the_desk.folder)
    assert bring(at_the_desk, now=NOW + timedelta(days=1)) == 15
    assert in_lake(at_the_desk.folder) == before


def test_a_check_makes_no_lake(at_the_desk: Desk) -> None:
    at_the_desk.import_octets(SHEET.encode(), "r.csv", Terms("clerk", NOW, check=True))
    assert not at_the_desk.folder.exists()


def test_a_correction_counts_and_the_old_value_stays(at_the_desk: Desk) -> None:
    bring(at_the_desk)
    changed = SHEET.replace("w-2,2.5", "w-2,2.25").replace("yes", "")
    bring(at_the_desk, changed, correct=True)  # estimates that were read after all, and one other value
    assert len(in_lake(at_the_desk.folder)) == 15 + 5 + 2
    assert in_lake(at_the_desk.folder) == in_archives(at_the_desk.registry)
    assert in_lake(at_the_desk.folder, "readings") == in_archives(at_the_desk.registry, history=False)


def test_it_works_beside_a_running_centre(at_the_desk: Desk) -> None:
    settings = LakeSettings(commit_interval_s=0.05)
    with Lake.open(at_the_desk.folder, settings) as centre:
        own = [Row(99, int(day(40).timestamp()) * 10**6 + number, number, quantity=WATER.code) for number in range(9)]
        for batch in table(own).to_batches():
            centre.append_blocking(batch)
        bring(at_the_desk)
        assert centre.query("SELECT count(*) AS n FROM readings").column("n").to_pylist() == [9 + 15]
    assert len(in_lake(at_the_desk.folder)) == 9 + 15


def test_two_who_enter_take_turns(at_the_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = SHEET.splitlines(keepends=True)[:2], SHEET.splitlines(keepends=True)[2:4]
    at_work, counts = threading.Event(), []

    def enter_slowly() -> None:
        with at_the_desk.lake():
            at_work.set()
            time.sleep(0.3)

    slow = threading.Thread(target=enter_slowly)
    slow.start()
    assert at_work.wait(60)
    counts.append(bring(at_the_desk, "".join(first)))
    slow.join()
    monkeypatch.setattr(desk, "WAIT_S", 0.05)
    with at_the_desk.lake(), pytest.raises(JournalError, match="has another writer"):
        bring(at_the_desk, SHEET.splitlines(keepends=True)[0] + "".join(second))
    assert counts == [1]
    assert len(in_archives(at_the_desk.registry)) == 1  # nothing was entered that could not be kept


@pytest.mark.parametrize("point", POINTS)
def test_whoever_is_killed_in_between_enters_the_same_again(tmp_path: Path, point: str) -> None:
    registry = Registry.open(tmp_path / "registry.sqlite")
    with registry.writing() as session:
        for number in range(1, 6):
            add_meter(session, f"w-{number}", protocol="manual", utility=Utility.WATER)
    file = tmp_path / "readings.csv"
    file.write_text(SHEET, encoding="utf-8")

    def run(where: str) -> int:
        words = [sys.executable, "-m", "tests.mdm.desk_writer", str(tmp_path), str(file), where]
        return subprocess.run(words, cwd=ROOT, timeout=120, check=False, stdout=subprocess.DEVNULL).returncode

    assert run(point) == -9
    there = len(in_archives(registry))
    assert there == (0 if "not committed" in point else 15)
    assert len(in_lake(tmp_path / "lake")) == (15 if point == "journal written" else 0)
    assert run("never") == 0
    assert in_lake(tmp_path / "lake") == in_archives(registry)
    assert len(in_archives(registry)) == 15
    registry.close()


def test_what_the_lake_lacks_is_found_by_asking_it(at_the_desk: Desk) -> None:
    bring(at_the_desk)
    with at_the_desk.registry.reading() as session:
        kept = [one.kept for one in entered(session, limit=100)]
    with at_the_desk.lake() as lake:
        assert deliver(lake, []) == 0
        assert deliver(lake, kept) == 0
        late = kept[0]._replace(entered_at=kept[0].entered_at + timedelta(microseconds=1))
        assert deliver(lake, [late, *kept[1:]]) == 1
        assert deliver(lake, [late]) == 0


def test_the_neighbours_of_an_instant_come_from_what_devices_said(at_the_desk: Desk) -> None:
    at = day(100)
    at_us = int(at.timestamp()) * 10**6
    told = [(-30, 5), (-20, 7), (-10, 9), (0, 11), (10, 13), (20, 15)]
    rows = [Row(1, at_us + hours * HOUR_US, value, quantity=WATER.code) for hours, value in told]
    rows.append(Row(1, at_us - 5 * HOUR_US, 99, source=Source.ENTERED, quantity=WATER.code))
    rows.append(Row(1, at_us - 4 * HOUR_US, 99, quality=Quality.TIME_INVALID, quantity=WATER.code))
    rows.append(Row(1, at_us - 3 * HOUR_US, None, quality=Quality.NO_VALUE, quantity=WATER.code))
    with at_the_desk.lake() as lake:
        for batch in table(rows).to_batches():
            lake.append_blocking(batch)
        hour = timedelta(hours=1)
        found = about(lake, [(1, WATER.code, at), (2, WATER.code, at), (1, WATER.code, at - 25 * hour)])
        assert found == {(1, WATER.code): [Point(at + hours * hour, value) for hours, value in told if hours != 20]}
        assert about(lake, [(1, WATER.code, at + timedelta(days=90))]) == {}
        assert about(lake, [(1, WATER.code, at + timedelta(days=90))], at) == {
            (1, WATER.code): [Point(at + 20 * hour, 15)]
        }
        assert about(lake, []) == {}


def test_consumption_is_continuous_over_an_exchange_and_a_roll_over(at_the_desk: Desk) -> None:
    """R2 - R1 with X and Y: 99,990 to 99,998 and on to 4 m³, then 7 to 30 m³."""
    registry = at_the_desk.registry
    midnight = [datetime(2026, month, 1, tzinfo=SHANGHAI) for month in range(1, 5)]
    with registry.writing() as session:
        old = add_meter(session, "old", protocol="manual", utility=Utility.WATER)
        new = add_meter(session, "new", protocol="manual", utility=Utility.WATER)
        old.register_digits, old.register_decimals = 6, 1
        point = add_usage_point(session, "P1")
        install(session, old.id, point.id, midnight[0])
        old_id, new_id, point_id = old.id, new.id, point.id
    bring(at_the_desk, "meter,value,time\nold,99990,2026-01-01\nold,99998,2026-02-01\n")
    act = Act(datetime(2026, 2, 20, 14, tzinfo=SHANGHAI), "clerk", NOW)

    def write(session: ArchiveSession, lake: Lake) -> tuple[Done, Sequence[Kept]]:
        done = exchange(session, old_id, new_id, act, out={WATER.code: 4_000_000}, into={WATER.code: 7_000_000})
        return done, done.kept

    for turn in (False, True):
        assert at_the_desk.enter(write).again is turn
    bring(at_the_desk, "meter,value,time\nnew,20,2026-03-01\nnew,30,2026-04-01\n")
    months = local_months(midnight[0].date(), midnight[2].date(), SHANGHAI)
    with Lake.open(at_the_desk.folder, write=False) as lake:
        found = consumption_of(lake, registry, WATER, months, usage_points=[point_id])
        whole = consumption_of(lake, registry, WATER, months[[0, -1]], usage_points=[point_id])
    assert found.column("value").to_pylist() == [8_000_000, 6_000_000 + 13_000_000, 10_000_000]
    assert whole.column("value").to_pylist() == [37_000_000]
    assert int(np.sum(found.column("value").to_numpy())) == 37_000_000


def test_an_act_that_cannot_be_leaves_archives_and_lake_as_they_were(at_the_desk: Desk) -> None:
    with at_the_desk.registry.reading() as session:
        old, new, *_ = session.scalars(select(Meter.id))

    def write(session: ArchiveSession, lake: Lake) -> tuple[Done, Sequence[Kept]]:
        done = exchange(session, old, new, Act(day(1), "clerk", NOW), out={}, into={})
        return done, done.kept

    with pytest.raises(HistoryError, match="is on no usage point"):
        at_the_desk.enter(write)
    assert in_lake(at_the_desk.folder) == []
    assert (at_the_desk.folder / "journal" / f"{JOURNAL}.journal").exists()


def test_what_is_taken_back_stays_and_counts_for_nothing(at_the_desk: Desk) -> None:
    registry = at_the_desk.registry
    bring(at_the_desk, "meter,value,time\nw-1,10,2026-02-01\nw-1,90,2026-02-10\nw-1,12,2026-03-01\n")
    with registry.reading() as session:
        wrong = next(one.kept for one in entered(session, limit=9) if one.kept.entry.value == 90_000_000)

    def write(session: ArchiveSession, lake: Lake) -> tuple[Withdrawn, Sequence[Kept]]:
        done = withdraw(session, wrong.id, note="of the neighbour", entered_by="chief", now=NOW)
        return done, [done.kept]

    assert [at_the_desk.enter(write).again for _ in range(2)] == [False, True]
    months = local_months(date(2026, 2, 1), date(2026, 2, 1), SHANGHAI)
    with Lake.open(at_the_desk.folder, write=False) as lake:
        february = consumption_of(lake, registry, WATER, months, meters=[wrong.entry.meter])
        last = last_readings(lake, [(wrong.entry.meter, WATER.code)], day(0), day(50))
        assert lake.query("SELECT count(*) AS n FROM raw_readings").column("n").to_pylist() == [4]
    assert february.column("value").to_pylist() == [2_000_000]
    assert [one.value for one in last.values()] == [10_000_000]
    with registry.reading() as session:
        listed = entered(session, limit=9, history=True)
        assert last_entered(session, [wrong.entry.meter], [WATER.code])[wrong.entry.meter].entry.value == 12_000_000
    taken = next(one for one in listed if one.kept.withdrawn)
    assert (taken.kept.entered_by, taken.kept.entry.note, taken.kept.revision) == ("chief", "of the neighbour", 1)
    again = "meter,value,time\nw-1,90,2026-02-10\n"
    report = at_the_desk.import_octets(again.encode(), "r.csv", Terms("clerk", NOW))
    assert [one.code for one in report.findings] == ["reading.withdrawn"]
    assert bring(at_the_desk, again.replace("90", "11"), correct=True) == 1
    with Lake.open(at_the_desk.folder, write=False) as lake:
        days = consumption_of(
            lake, registry, WATER, local_days(date(2026, 2, 1), date(2026, 2, 9), SHANGHAI)[[0, -1]],
            meters=[wrong.entry.meter],
        )  # fmt: skip
    assert days.column("value").to_pylist() == [1_000_000]


def w_1(at: Desk) -> int:
    with at.registry.reading() as session:
        return session.scalars(select(func.min(Meter.id))).one()


def take_back(at: Desk, number: int) -> Withdrawn:
    def write(session: ArchiveSession, lake: Lake) -> tuple[Withdrawn, Sequence[Kept]]:
        done = withdraw(session, number, note=None, entered_by="chief", now=NOW)
        return done, [done.kept]

    return at.enter(write)


def said_itself(at: Desk, rows: Sequence[Row]) -> None:
    with at.lake() as lake:
        for batch in table(rows).to_batches():
            lake.append_blocking(batch)


def last_number(registry: Registry) -> int:
    with registry.reading() as session:
        return entered(session, limit=1)[0].kept.id


@pytest.mark.parametrize("closed", [False, True])
def test_what_is_taken_back_hides_nothing_that_the_meter_said(at_the_desk: Desk, closed: bool) -> None:
    """In whatever order the rows come and days are closed."""
    at_us = int(datetime(2026, 2, 1, tzinfo=SHANGHAI).timestamp()) * 10**6
    rows = [
        Row(w_1(at_the_desk), at_us, 10_000_000, quantity=WATER.code, profile=Profile.SPOT, received=at_us),
        Row(w_1(at_the_desk), at_us + 24 * HOUR_US, 12_000_000, quantity=WATER.code, received=at_us + 24 * HOUR_US),
    ]
    said_itself(at_the_desk, rows)
    report = at_the_desk.import_octets(b"meter,value,time\nw-1,55,2026-02-01\n", "r.csv", Terms("clerk", NOW))
    assert [one.code for one in report.findings] == ["reading.device_differs", "reading.above_next"]
    assert "the meter itself said 10 m³ at 2026-02-01" in report.findings[0].text.en
    if closed:
        assert Maintenance(at_the_desk.folder).run_once(NOW).days_settled == 2
    number = last_number(at_the_desk.registry)
    assert [take_back(at_the_desk, number).again for _ in range(2)] == [False, True]
    with Lake.open(at_the_desk.folder, write=False) as lake:
        (seen,) = lake.query(
            f"SELECT value, source, quality FROM readings WHERE ts = make_timestamptz({at_us})"
        ).to_pylist()
        days = local_days(date(2026, 2, 1), date(2026, 2, 1), SHANGHAI)
        used = consumption_of(lake, at_the_desk.registry, WATER, days, meters=[w_1(at_the_desk)])
    assert seen == {"value": 10_000_000, "source": Source.PUSHED, "quality": Quality.GOOD}
    assert used.column("value").to_pylist() == [2_000_000]


def test_what_was_taken_back_says_so_in_the_lake(at_the_desk: Desk) -> None:
    bring(at_the_desk, "meter,value,time\nw-1,10,2026-02-01\n")
    take_back(at_the_desk, last_number(at_the_desk.registry))
    assert [row[4:6] for row in in_lake(at_the_desk.folder, "readings")] == [(10_000_000, Quality.WITHDRAWN)]
    bring(at_the_desk, "meter,value,time,estimated\nw-1,8,2026-02-01,yes\n", correct=True)
    assert [row[4:7] for row in in_lake(at_the_desk.folder, "readings")] == [(8_000_000, 0, Source.ESTIMATED)]


def test_a_check_of_a_file_compares_with_what_the_meter_said(at_the_desk: Desk) -> None:
    at_us = int(datetime(2026, 2, 1, tzinfo=SHANGHAI).timestamp()) * 10**6
    said_itself(at_the_desk, [Row(w_1(at_the_desk), at_us, 10_000_000, quantity=WATER.code)])
    rows = b"meter,value,time\nw-1,9,2026-02-01\nw-1,10,2026-02-02\n"
    report = at_the_desk.import_octets(rows, "r.csv", Terms("clerk", NOW, check=True))
    assert [one.code for one in report.findings if one.row == 2] == ["reading.device_differs"]
    assert report.ok


def hang(registry: Registry) -> None:
    with registry.writing() as session:
        install(
            session,
            session.scalars(select(func.min(Meter.id))).one(),
            add_usage_point(session, "P1").id,
            datetime(2024, 1, 1, tzinfo=UTC),
        )


def exchanges(at: Desk, out: str, time: str = "2026-05-01", **terms: Any) -> list[str]:
    rows = f"old,new,time,out,in\nw-1,w-2,{time},{out},0\n"
    report = at.exchange_octets(rows.encode(), "x.csv", Terms("clerk", NOW, **terms))
    return [one.code for one in report.findings]


@pytest.mark.parametrize("check", [False, True])
def test_an_exchange_must_fit_what_the_meter_said_however_long_ago(at_the_desk: Desk, check: bool) -> None:
    hang(at_the_desk.registry)
    long_ago = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp()) * 10**6
    said_itself(at_the_desk, [Row(w_1(at_the_desk), long_ago, 90_000_000, quantity=WATER.code)])
    assert exchanges(at_the_desk, "50", check=check) == ["reading.below_last"]
    assert exchanges(at_the_desk, "95", check=check) == []


def test_an_exchange_must_fit_what_was_entered_however_long_ago(at_the_desk: Desk) -> None:
    hang(at_the_desk.registry)
    bring(at_the_desk, "meter,value,time\nw-1,90,2024-02-01\nw-1,99,2024-03-01\n")
    assert exchanges(at_the_desk, "95") == ["reading.below_last"]
    take_back(at_the_desk, last_number(at_the_desk.registry))
    assert exchanges(at_the_desk, "95") == []


def test_an_exchange_must_fit_what_the_meter_said_at_that_very_instant(at_the_desk: Desk) -> None:
    hang(at_the_desk.registry)
    at_us = int(datetime(2026, 5, 1, tzinfo=SHANGHAI).timestamp()) * 10**6
    rows = [Row(w_1(at_the_desk), at_us - 24 * HOUR_US, 49_000_000, quantity=WATER.code)]
    said_itself(at_the_desk, [*rows, Row(w_1(at_the_desk), at_us, 100_000_000, quantity=WATER.code)])
    assert exchanges(at_the_desk, "50") == ["reading.device_differs"]
    assert exchanges(at_the_desk, "100") == []


def test_whatever_is_entered_next_completes_what_was_interrupted(at_the_desk: Desk) -> None:
    entry = Entry(w_1(at_the_desk), WATER.code, NOW - timedelta(hours=1), 7_000_000)
    with at_the_desk.registry.writing() as session:  # as far as one came who was killed then
        book = Book(session, facts_of(session, [entry.meter]), entry.ts)
        book.write(book.judge([entry], now=NOW), entered_by="clerk", now=NOW)
    assert not at_the_desk.folder.exists()
    bring(at_the_desk, "meter,value,time\nw-2,10,2026-02-01\n", now=NOW + timedelta(minutes=5))
    assert in_lake(at_the_desk.folder) == in_archives(at_the_desk.registry)
    assert len(in_archives(at_the_desk.registry)) == 2


def test_what_is_not_there_cannot_be_taken_back(at_the_desk: Desk) -> None:
    with (
        at_the_desk.registry.writing() as session,
        pytest.raises(UnknownRecord, match="has the number 4711"),
    ):
        withdraw(session, 4711, note=None, entered_by="chief", now=NOW)
