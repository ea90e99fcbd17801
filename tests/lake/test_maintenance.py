import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.lake.errors import CommitError
from meterweave.lake.layout import KEPT, NEW, SUPERSEDED
from meterweave.lake.maintenance import Maintenance
from meterweave.lake.precedence import settle
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import LakeTable
from meterweave.metering.clock import SHANGHAI
from tests.lake.rows import NOON_US, Row, as_rows, batch, curve, row
from tests.lake.test_table import rows_of

NOON = datetime.fromtimestamp(NOON_US / 1e6, UTC)
LATER = NOON + timedelta(days=400)
DAY = date(2026, 6, 1)


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return LakeTable.create(tmp_path / "raw_readings", SHANGHAI)


def put(table: LakeTable, some: pa.RecordBatch) -> None:
    table.append(pa.Table.from_batches([some]), application="j", version=table.transaction_version("j") + 1)


def layer(table: LakeTable, name: str) -> list[Row]:
    found = rows_of(table)
    return as_rows(found.filter(pa.array([one == name for one in found.column("layer").to_pylist()], pa.bool_())))


def test_a_day_is_settled_once_it_is_over_and_not_before(table: LakeTable) -> None:
    put(table, curve(range(4)))
    put(table, curve(range(4), value=100, received_us=NOON_US))
    keeper = Maintenance(table.path.parent)
    midnight = datetime(2026, 6, 2, tzinfo=SHANGHAI)
    for moment, settled in ((midnight + timedelta(hours=1), 0), (midnight + timedelta(hours=3), 1), (LATER, 0)):
        assert keeper.run_once(moment).days_settled == settled
    assert layer(table, KEPT) == as_rows(curve(range(4)))
    assert layer(table, SUPERSEDED) == as_rows(curve(range(4), value=100, received_us=NOON_US))
    assert layer(table, NEW) == []


def test_late_rows_wait_for_company_and_touch_only_files_of_their_meters(table: LakeTable) -> None:
    put(table, curve(range(1000)))
    rules = LakeSettings(rewrite_rows_max=1000)
    Maintenance(table.path.parent, rules).run_once(LATER)
    table.refresh()
    before = {file.path: file for file in table.snapshot().of_day(DAY, KEPT)}
    assert len(before) == 4
    assert all(file.rows == 1000 for file in before.values())
    put(table, curve(range(600, 601), value=7, received_us=NOON_US * 2))
    now = datetime.now(UTC)
    late = LakeSettings(rewrite_rows_max=1000, late_wait_s=600)
    assert Maintenance(table.path.parent, late).run_once(now).days_settled == 0
    assert Maintenance(table.path.parent, late).run_once(now + timedelta(minutes=11)).days_settled == 1
    table.refresh()
    after = {file.path: file for file in table.snapshot().of_day(DAY, KEPT)}
    assert len(before.keys() & after.keys()) == 3
    assert len(layer(table, KEPT)) == 4000
    assert [one for one in layer(table, KEPT) if one[0] == 600] == as_rows(
        curve(range(600, 601), value=7, received_us=NOON_US * 2)
    )
    assert len(layer(table, SUPERSEDED)) == 4


def test_small_files_of_an_open_day_are_merged(table: LakeTable) -> None:
    for number in range(20):
        put(table, curve(range(number, number + 1)))
    work = Maintenance(table.path.parent, LakeSettings(merge_files_min=8)).run_once(NOON)
    assert (work.days_settled, work.merges, work.files_removed) == (0, 1, 20)
    table.refresh()
    assert len(table.snapshot().files) == 1
    assert [one[0] for one in layer(table, NEW)] == sorted([*range(20)] * 4)


def test_old_days_are_forgotten(table: LakeTable) -> None:
    put(table, curve(range(2)))
    put(table, curve(range(2), received_us=NOON_US))
    put(table, curve(range(2), first_us=NOON_US + 20 * 86_400_000_000))
    keep = LakeSettings(retention_days=30, superseded_retention_days=5)
    Maintenance(table.path.parent, keep).run_once(NOON + timedelta(days=3))
    assert len(layer(table, KEPT)) == len(layer(table, SUPERSEDED)) == 8
    assert Maintenance(table.path.parent, keep).run_once(NOON + timedelta(days=7)).files_forgotten == 1
    assert len(layer(table, SUPERSEDED)) == 0
    assert Maintenance(table.path.parent, keep).run_once(NOON + timedelta(days=32)).files_forgotten == 1
    assert {one[3] // 86_400_000_000 for one in as_rows(rows_of(table))} == {NOON_US // 86_400_000_000 + 20}


def test_a_day_ahead_of_the_calendar_waits_for_it(table: LakeTable) -> None:
    put(table, curve(range(2), first_us=NOON_US + 3 * 86_400_000_000))
    assert Maintenance(table.path.parent).run_once(NOON).days_settled == 0
    assert Maintenance(table.path.parent).run_once(NOON + timedelta(days=5)).days_settled == 1


def test_two_maintainers_and_a_writer_end_well(table: LakeTable) -> None:
    """One of two maintainers may have to plan anew; nothing is lost and nothing is there twice."""
    errors: list[Exception] = []
    stop = threading.Event()
    rules = LakeSettings(merge_files_min=2, late_wait_s=1e-6)

    def keep() -> None:
        while not stop.is_set():
            try:
                Maintenance(table.path.parent, rules).run_once(LATER)
            except CommitError:
                continue
            except Exception as error:
                errors.append(error)

    keepers = [threading.Thread(target=keep) for _ in range(2)]
    for keeper in keepers:
        keeper.start()
    for number in range(12):
        put(table, curve(range(number * 10, number * 10 + 20), value=number, received_us=NOON_US + number))
    stop.set()
    for keeper in keepers:
        keeper.join()
    Maintenance(table.path.parent, rules).run_once(datetime.now(UTC) + timedelta(days=400))
    assert errors == []
    assert len(layer(table, KEPT)) == 130 * 4
    assert rows_of(table).num_rows == 12 * 80


rows = st.lists(st.lists(row, min_size=1, max_size=12), min_size=1, max_size=4)


@settings(max_examples=12, deadline=None)
@given(rows, st.randoms(use_true_random=False))
def test_any_order_split_and_repetition_of_a_day_ends_alike(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Row]], chance: Random
) -> None:
    """Through the real table, with maintenance striking anywhere: the readings depend on what came, not on how."""
    wanted = as_rows(settle(pa.Table.from_batches([batch([one for part in batches for one in part])])).kept)
    again = [part for part in batches if chance.random() < 0.5]
    pieces = []
    for part in batches + again:
        cut = chance.randrange(len(part) + 1)
        pieces += [piece for piece in (part[:cut], part[cut:]) if piece]
    chance.shuffle(pieces)
    table = LakeTable.create(tmp_path_factory.mktemp("any") / "raw_readings", SHANGHAI)
    rules = LakeSettings(late_wait_s=1e-6, merge_files_min=2, rewrite_rows_max=8, band_rows=4)
    now = datetime.now(UTC) + timedelta(days=400)
    for number, piece in enumerate(pieces):
        put(table, batch(piece))
        if chance.random() < 0.3 and number < len(pieces) - 1:
            Maintenance(table.path.parent, rules).run_once(now if chance.random() < 0.5 else NOON)
    Maintenance(table.path.parent, rules).run_once(now)
    assert layer(table, KEPT) == wanted
    assert rows_of(table).num_rows == sum(map(len, pieces))


def test_the_thread_survives_what_nobody_thought_of_and_says_so_once(
    table: LakeTable, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Panic(BaseException):
        pass

    keeper = Maintenance(table.path.parent, LakeSettings(maintenance_interval_s=0.001))
    left, settled, run_once = [Panic("one"), Panic("two")], threading.Event(), keeper.run_once

    def panic_first(now: datetime) -> object:
        if left:
            raise left.pop()
        done = run_once(now)
        settled.set()
        return done

    put(table, curve(range(2)))
    monkeypatch.setattr(keeper, "run_once", panic_first)
    keeper.start()
    assert settled.wait(30)
    assert keeper.failed() is None
    keeper.close()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert len(layer(table, KEPT)) == 8
