"""Readings, events and frames side by side: kept together, committed once each, found again."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.lake import EVENTS_SCHEMA, FRAMES_SCHEMA, CommitError, JournalFull, Lake, LakeSettings
from meterweave.lake.journal import JournalReader
from meterweave.lake.kind import Kind
from meterweave.lake.lake import journal_folder, table_path
from meterweave.lake.maintenance import Maintenance
from tests.lake.rows import (
    DAY_US,
    NOON_US,
    Event,
    as_rows,
    batch,
    curve,
    event,
    events,
    frames,
    outage,
    plain_rows,
)

SLOW = LakeSettings(commit_interval_s=3600)
NOON = datetime.fromtimestamp(NOON_US / 1e6, UTC)


def opened(folder: Path, rules: LakeSettings = SLOW) -> Lake:
    return Lake.open(folder, rules, maintain=False)


def stored(lake: Lake, view: str, schema: pa.Schema) -> list[tuple[object, ...]]:
    return plain_rows(lake.query(f"SELECT * FROM {view}"), schema)


def in_journal(lake: Lake) -> list[Kind]:
    reader = JournalReader(journal_folder(lake.folder) / "main.journal")
    try:
        return [blob.kind for blob in reader.index()]
    finally:
        reader.close()


def test_what_one_caller_brings_is_one_transaction_and_stays_the_same_all_the_way(tmp_path: Path) -> None:
    readings, happened, wire = curve(range(3)), outage(range(2)), frames(range(4))
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(readings, events=happened, frames=wire)
        assert lake.status().writer.groups == 1
        assert in_journal(lake) == [Kind.READINGS, Kind.EVENTS, Kind.FRAMES]
        for step in (
            lambda: None,
            lake.commit,
            lambda: Maintenance(lake.folder, LakeSettings(frames_days=9999)).run_once(datetime.now(UTC)),
        ):
            step()
            assert as_rows(lake.query("SELECT * FROM readings")) == as_rows(readings)
            assert stored(lake, "events", EVENTS_SCHEMA) == plain_rows(happened, EVENTS_SCHEMA)
            assert stored(lake, "frames", FRAMES_SCHEMA) == plain_rows(wire, FRAMES_SCHEMA)
        assert lake.query("SELECT * FROM events").schema.names == ["month", *EVENTS_SCHEMA.names]
        assert lake.query("SELECT * FROM frames").schema.names == ["day", *FRAMES_SCHEMA.names]


def test_any_of_the_three_may_be_missing(tmp_path: Path) -> None:
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(events=outage(range(2)))
        lake.append_blocking(frames=frames(range(3)))
        assert in_journal(lake) == [Kind.EVENTS, Kind.FRAMES]
        assert lake.query("SELECT * FROM events").num_rows == 2
        assert lake.query("SELECT * FROM frames").num_rows == 3
        assert lake.query("SELECT * FROM readings").num_rows == 0


def test_all_of_a_caller_is_kept_or_nothing(tmp_path: Path) -> None:
    holed = outage(range(2)).set_column(0, EVENTS_SCHEMA.field(0), pa.array([1, None], pa.int64()))
    small = LakeSettings(commit_interval_s=3600, journal_octets_max=20_000)
    with opened(tmp_path / "lake", small) as lake:
        with pytest.raises(ValueError, match="a null"):
            lake.append_blocking(curve(range(1)), events=holed)
        with pytest.raises(ValueError, match="frames must have"):
            lake.append_blocking(curve(range(1)), frames=outage(range(1)))
        with pytest.raises(JournalFull, match="of at most 20000"):
            lake.append_blocking(curve(range(1)), frames=frames(range(1), octets=Random(1).randbytes(20_000)))
        assert in_journal(lake) == []
        assert lake.status().writer.refused == 2


def test_nobody_waits_for_a_caller_whose_rows_are_wrong(tmp_path: Path) -> None:
    holed = frames(range(1)).set_column(0, FRAMES_SCHEMA.field(0), pa.array([None], pa.int64()))
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(curve(range(1)), frames=frames(range(1)))
        with pytest.raises(ValueError, match="a null"):
            lake.append_blocking(frames=holed)
        lake.append_blocking(frames=frames(range(1, 2)))
        assert lake.query("SELECT terminal FROM frames ORDER BY 1").column(0).to_pylist() == [0, 1]


@pytest.mark.parametrize("away", [Kind.READINGS, Kind.EVENTS, Kind.FRAMES])
def test_a_commit_that_reached_some_tables_is_completed_in_the_others(tmp_path: Path, away: Kind) -> None:
    """As after a kill between two tables."""
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(curve(range(1)), events=outage(range(1)), frames=frames(range(1)))
        lake.commit()
        lake.append_blocking(curve(range(1, 3)), events=outage(range(1, 3)), frames=frames(range(1, 3)))
        # A file in place of the next partition's folder stops one table, whatever the others do.
        stop = table_path(lake.folder, away) / _partition(away)
        lake.append_blocking(
            curve(range(3, 4), first_us=NOON_US + 60 * DAY_US),
            events=outage(range(3, 4), began_us=NOON_US + 60 * DAY_US),
            frames=frames(range(3, 4), received_us=NOON_US + 60 * DAY_US),
        )
        stop.write_text("in the way")
        with pytest.raises(CommitError):
            lake.commit()
        for _ in range(2):
            assert sorted(lake.query("SELECT meter FROM raw_readings")["meter"].to_pylist()) == sorted([0, 1, 2, 3] * 4)
            assert sorted(lake.query("SELECT terminal FROM events")["terminal"].to_pylist()) == [0, 1, 2, 3]
            assert sorted(lake.query("SELECT terminal FROM frames")["terminal"].to_pylist()) == [0, 1, 2, 3]
            if stop.is_file():
                stop.unlink()
            lake.commit()
    for kind, rows in ((Kind.READINGS, 16), (Kind.EVENTS, 4), (Kind.FRAMES, 4)):
        assert DeltaTable(table_path(tmp_path / "lake", kind)).to_pyarrow_table().num_rows == rows
    with opened(tmp_path / "lake") as lake:
        assert lake.status().writer.rows_held == 0


def _partition(kind: Kind) -> str:
    return "month=2026-07-01" if kind is Kind.EVENTS else "day=2026-07-31"


def test_frames_are_dropped_where_none_are_wanted(tmp_path: Path) -> None:
    none = LakeSettings(commit_interval_s=3600, frames_days=0)
    with opened(tmp_path / "lake", none) as lake:
        lake.append_blocking(curve(range(1)), frames=frames(range(3)))
        lake.append_blocking(frames=frames(range(3)))
        assert lake.query("SELECT * FROM frames").num_rows == 0
        assert Kind.FRAMES not in in_journal(lake)


def test_long_frames_fill_the_queue_and_the_commit_as_many_rows_do(tmp_path: Path) -> None:
    bounds = LakeSettings(commit_interval_s=3600, commit_octets_max=3000, group_octets_max=2000)
    with opened(tmp_path / "lake", bounds) as lake:
        for number in range(5):
            lake.append_blocking(frames=frames(range(number, number + 1), octets=Random(number).randbytes(1000)))
        lake.commit()
        # Two a commit, whether it is made here or, at the bound, by itself.
        assert lake.status().committer.commits >= 3
        assert lake.query("SELECT * FROM frames").num_rows == 5


def test_a_reading_is_traced_to_its_frames(tmp_path: Path) -> None:
    moments = [NOON_US + number * 5_000 for number in range(20)]
    with opened(tmp_path / "lake") as lake:
        for number, moment in enumerate(moments):
            lake.append_blocking(
                curve(range(5), value=number, received_us=moment),
                frames=frames(range(5), received_us=moment, octets=bytes([number])),
            )
            if number % 4 == 0:
                lake.commit()
            if number == 15:
                Maintenance(lake.folder, LakeSettings(merge_files_min=2, frames_days=9999)).run_once(NOON)
        for number in (0, 7, 19):
            found = lake.frames_of(3, datetime.fromtimestamp(moments[number] / 1e6, UTC))
            assert found.to_pylist() == [{"direction": 0, "protocol": "dlt698", "octets": bytes([number])}]
        joined = lake.query(
            "SELECT octets FROM readings r JOIN m ON m.id = r.meter "
            "JOIN frames f ON f.terminal = m.terminal AND f.received = r.received WHERE r.meter = 900",
            tables={"m": pa.table({"id": [900], "terminal": [2]})},
        )
        assert joined.num_rows == 0
        lake.append_blocking(curve(range(900, 901), points=1, received_us=moments[4]))
        again = lake.query(
            "SELECT octets FROM readings r JOIN m ON m.id = r.meter "
            "JOIN frames f ON f.terminal = m.terminal AND f.received = r.received WHERE r.meter = 900",
            tables={"m": pa.table({"id": [900], "terminal": [2]})},
        )
        assert again.column(0).to_pylist() == [bytes([4])]
        assert lake.frames_of(99, NOON).num_rows == 0


def test_frames_are_merged_and_forgotten_after_their_days(tmp_path: Path) -> None:
    rules = LakeSettings(commit_interval_s=3600, frames_days=7, merge_files_min=3)
    with opened(tmp_path / "lake", rules) as lake:
        for number in range(6):
            lake.append_blocking(frames=frames(range(4), received_us=NOON_US + number))
            lake.commit()
        lake.append_blocking(frames=frames(range(1), received_us=NOON_US + 3 * DAY_US))
        lake.commit()
        keeper = Maintenance(lake.folder, rules)
        assert keeper.run_once(NOON).merges == 1
        assert len(DeltaTable(table_path(lake.folder, Kind.FRAMES)).file_uris()) == 2
        assert lake.query("SELECT * FROM frames").num_rows == 25
        assert keeper.run_once(NOON + timedelta(days=7)).files_forgotten == 0
        assert keeper.run_once(NOON + timedelta(days=8)).files_forgotten == 1
        assert lake.query("SELECT received FROM frames").num_rows == 1


def test_frames_that_unpack_large_are_not_merged(tmp_path: Path) -> None:
    """What matters is what they take in memory, not on disk."""
    rules = LakeSettings(commit_interval_s=3600, merge_files_min=2, rewrite_octets_max=100_000)
    with opened(tmp_path / "lake", rules) as lake:
        for number in range(4):
            lake.append_blocking(frames=frames(range(1), received_us=NOON_US + number, octets=bytes(60_000)))
            lake.commit()
        assert Maintenance(lake.folder, rules).run_once(NOON).merges == 0
        assert lake.query("SELECT * FROM frames").num_rows == 4


def best(reports: list[Event]) -> list[Event]:
    """One row an event, as the rule says: one with its end before one without, then the later received."""
    found: dict[tuple[object, ...], Event] = {}
    for one in reports:
        before = found.get(one[:4])
        found[one[:4]] = one if before is None or _rank(one) > _rank(before) else before
    return sorted(found.values(), key=repr)


def _rank(one: Event) -> tuple[object, ...]:
    ended, number, detail, source, received = one[4:]
    return (
        ended is not None,
        received,
        -source,
        ended or 0,
        (number is not None, number or 0),
        (detail is not None, detail or ""),
    )


@settings(max_examples=12, deadline=None)
@given(st.lists(st.lists(event, min_size=1, max_size=8), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_reports_of_an_event_end_alike_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Event]], chance: Random
) -> None:
    wanted = best([one for part in batches for one in part])
    parts = batches + [part for part in batches if chance.random() < 0.5]
    chance.shuffle(parts)
    rules = LakeSettings(commit_interval_s=3600, merge_files_min=2)
    with opened(tmp_path_factory.mktemp("any") / "lake", rules) as lake:
        for part in parts:
            lake.append_blocking(events=events(part))
            if chance.random() < 0.6:
                lake.commit()
            if chance.random() < 0.4 and table_path(lake.folder).exists():
                Maintenance(lake.folder, rules).run_once(NOON if chance.random() < 0.5 else NOON + timedelta(days=90))
        assert stored(lake, "events", EVENTS_SCHEMA) == wanted
        lake.commit()
        Maintenance(lake.folder, rules).run_once(NOON + timedelta(days=90))
        assert stored(lake, "events", EVENTS_SCHEMA) == wanted


def test_an_end_is_not_undone_and_a_repeated_report_is_one_row(tmp_path: Path) -> None:
    rules = LakeSettings(commit_interval_s=3600, merge_files_min=2)
    with opened(tmp_path / "lake", rules) as lake:
        for ended, received in ((None, 1), (NOON_US + 9, 2), (None, 3)):
            lake.append_blocking(events=outage(range(1), ended_us=ended, received_us=NOON_US + received))
            lake.commit()
        assert [one[4] for one in stored(lake, "events", EVENTS_SCHEMA)] == [NOON_US + 9]
        Maintenance(lake.folder, rules).run_once(NOON)
        table = DeltaTable(table_path(lake.folder, Kind.EVENTS)).to_pyarrow_table()
        assert [one[4] for one in plain_rows(table, EVENTS_SCHEMA)] == [NOON_US + 9]


def test_events_stand_in_local_months_and_are_asked_for_by_days(tmp_path: Path) -> None:
    month_end = int(datetime(2026, 6, 30, 23, 59, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()) * 1_000_000
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(events=outage(range(1), began_us=month_end))
        lake.append_blocking(events=outage(range(1), began_us=month_end + 120_000_000))
        for _ in range(2):
            months = lake.query("SELECT month FROM events ORDER BY ts").column(0).to_pylist()
            assert months == [date(2026, 6, 1), date(2026, 7, 1)]
            for first, last, count in ((30, 30, 1), (29, 29, 0), (1, 30, 1)):
                days = (date(2026, 6, first), date(2026, 6, last))
                assert lake.query("SELECT * FROM events", days=days).num_rows == count
            assert lake.query("SELECT * FROM events", days=(date(2026, 6, 30), date(2026, 7, 1))).num_rows == 2
            lake.commit()


@pytest.mark.parametrize(("kind", "schema"), [(Kind.EVENTS, EVENTS_SCHEMA), (Kind.FRAMES, FRAMES_SCHEMA)])
def test_other_readers_see_the_columns_as_documented(tmp_path: Path, kind: Kind, schema: pa.Schema) -> None:
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(events=outage(range(2)), frames=frames(range(2)))
        lake.commit()
        table = DeltaTable(table_path(lake.folder, kind))
        found = table.to_pyarrow_table()
    assert found.num_rows == 2
    period = "month" if kind is Kind.EVENTS else "day"
    assert found.schema.names == [*schema.names, period]
    assert table.metadata().partition_columns == [period]
    for field in schema:
        stored_type = found.schema.field(field.name).type
        same = stored_type == field.type or str(stored_type).removeprefix("large_") == str(field.type)
        assert same, (field.name, stored_type)


def test_no_events_are_no_trouble(tmp_path: Path) -> None:
    with opened(tmp_path / "lake") as lake:
        lake.append_blocking(batch([]), events=events([]))
        lake.commit()
        assert lake.query("SELECT * FROM events").num_rows == 0
