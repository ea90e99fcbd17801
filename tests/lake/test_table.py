import shutil
import threading
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from meterweave.lake.errors import CommitError, LakeError
from meterweave.lake.layout import KEPT, NEW
from meterweave.lake.table import LakeTable, is_there
from meterweave.metering.clock import SHANGHAI
from tests.lake.rows import NOON_US, as_rows, batch, curve


@pytest.fixture
def table(tmp_path: Path) -> LakeTable:
    return LakeTable.create(tmp_path / "raw_readings", SHANGHAI)


def rows_of(table: LakeTable) -> pa.Table:
    """As any Delta reader sees them."""
    return pa.table(DeltaTable(table.path).to_pyarrow_table())


def as_table(some: pa.RecordBatch) -> pa.Table:
    return pa.Table.from_batches([some])


def test_a_commit_is_made_once(table: LakeTable) -> None:
    rows = as_table(curve(range(5)))
    assert table.append(rows, application="j", version=7)
    assert not table.append(rows, application="j", version=7)
    assert not table.append(rows, application="j", version=3)
    assert LakeTable(table.path, SHANGHAI).transaction_version("j") == 7
    assert as_rows(rows_of(table)) == as_rows(rows)


def test_a_lake_that_goes_away_in_the_middle_of_a_commit_has_not_taken_it(
    table: LakeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """delta-rs makes the folders it misses, so the commit succeeds, in what is under the mount point."""
    away, rows = table.path.with_name("unmounted"), as_table(curve(range(5)))
    assert table.append(rows, application="j", version=1)
    write = table._write

    def unmount(part: Any, group_rows: int, *, data_change: bool) -> Any:
        found = write(part, group_rows, data_change=data_change)
        if not away.exists():
            table.path.rename(away)
        return found

    more = as_table(curve(range(5), first_us=NOON_US + 86_400_000_000, points=4))
    with monkeypatch.context() as during:
        during.setattr(table, "_write", unmount)
        with pytest.raises(CommitError):
            table.append(more, application="j", version=2)
    shutil.rmtree(table.path, ignore_errors=True)
    away.rename(table.path)
    assert table.append(more, application="j", version=2)
    assert as_rows(rows_of(table)) == as_rows(pa.concat_tables([rows, more]))


def test_two_committers_of_one_journal_cannot_both_win(table: LakeTable) -> None:
    """The second reads the table before the first commits: Delta's own check of transactions catches it."""
    rows = as_table(curve(range(5)))
    other = LakeTable(table.path, SHANGHAI)
    other.refresh = lambda: None  # type: ignore[method-assign]  # it was refreshed before the first one committed
    assert table.append(rows, application="j", version=1)
    with pytest.raises(CommitError, match="came between"):
        other.append(rows, application="j", version=1)
    assert as_rows(rows_of(table)) == as_rows(rows)


def test_days_are_local_and_sizes_and_ranges_are_known(table: LakeTable) -> None:
    table.append(as_table(curve(range(3, 9), points=96)), application="j", version=1)
    files = sorted(table.snapshot().files, key=lambda file: file.day)
    assert [(file.day, file.layer, file.rows, file.owners) for file in files] == [
        (date(2026, 6, 1), NEW, 6 * 48, (3, 8)),
        (date(2026, 6, 2), NEW, 6 * 48, (3, 8)),
    ]
    assert all((table.path / file.path).stat().st_size == file.octets for file in files)


def test_strange_times_and_values_are_kept(table: LakeTable) -> None:
    strange = [
        (-(2**63), -1, -128, ts, value, 15, 4, ts) for ts in (-(2**63), 0, 2**63 - 1) for value in (None, 2**63 - 1)
    ]
    table.append(as_table(batch(strange)), application="j", version=1)
    found = [
        row
        for file in table.snapshot().files
        for row in as_rows(pq.read_table(table.path / file.path, partitioning=None))
    ]
    assert sorted(map(str, found)) == sorted(map(str, strange))


def test_a_rewrite_goes_through_while_rows_come_in(table: LakeTable) -> None:
    """An append between reading a day and rewriting it, and one from a stale view after it: neither fails."""
    table.append(as_table(curve(range(5))), application="j", version=1)
    keeper, stale = LakeTable(table.path, SHANGHAI), LakeTable(table.path, SHANGHAI)
    files = list(keeper.snapshot().files)
    table.append(as_table(curve(range(5, 9))), application="j", version=2)
    keeper.rewrite(files, [(KEPT, as_table(curve(range(5))))], 1000)
    stale.refresh = lambda: None  # type: ignore[method-assign]
    stale.append(as_table(curve(range(9, 12))), application="other", version=1)
    assert as_rows(rows_of(table)) == sorted(
        as_rows(curve(range(5))) + as_rows(curve(range(5, 9))) + as_rows(curve(range(9, 12)))
    )


def test_two_maintainers_cannot_both_rewrite(table: LakeTable) -> None:
    table.append(as_table(curve(range(5))), application="j", version=1)
    one, other = LakeTable(table.path, SHANGHAI), LakeTable(table.path, SHANGHAI)
    files = list(one.snapshot().files)
    one.rewrite(files, [(KEPT, as_table(curve(range(5))))], 1000)
    other.refresh = lambda: None  # type: ignore[method-assign]
    with pytest.raises(CommitError, match="came between"):
        other.rewrite(files, [(KEPT, as_table(curve(range(5))))], 1000)
    assert as_rows(rows_of(table)) == as_rows(curve(range(5)))


def test_many_writers_and_a_rewriter_lose_nothing(table: LakeTable) -> None:
    path, errors = table.path, []

    def write(number: int) -> None:
        mine = LakeTable(path, SHANGHAI)
        for version in range(1, 9):
            first = number * 100 + version * 10
            mine.append(as_table(curve(range(first, first + 2))), application=f"j{number}", version=version)

    def rewrite() -> None:
        mine = LakeTable(path, SHANGHAI)
        for _ in range(6):
            mine.refresh()
            files = mine.snapshot().of_day(date(2026, 6, 1), NEW)
            if files:
                parts = [pq.read_table(path / file.path, partitioning=None) for file in files]
                mine.rewrite(files, [(KEPT, pa.concat_tables(parts))], 1000)

    def run(job) -> None:  # type: ignore[no-untyped-def]
        try:
            job()
        except Exception as error:  # whatever it is, the test shows it
            errors.append(error)

    jobs = [*(lambda n=n: write(n) for n in range(3)), rewrite]
    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted({one[0] for one in as_rows(rows_of(table))}) == sorted(
        n * 100 + v * 10 + m for n in range(3) for v in range(1, 9) for m in range(2)
    )
    assert rows_of(table).num_rows == 3 * 8 * 2 * 4


def test_files_have_only_encodings_that_every_reader_knows(table: LakeTable) -> None:
    table.append(as_table(curve(range(50), points=96)), application="j", version=1)
    for file in table.snapshot().files:
        metadata = pq.read_metadata(table.path / file.path)
        columns = [metadata.row_group(0).column(index) for index in range(metadata.num_columns)]
        assert {one for column in columns for one in column.encodings} <= {
            "PLAIN",
            "RLE",
            "RLE_DICTIONARY",
            "DELTA_BINARY_PACKED",
        }
        assert {column.compression for column in columns} == {"ZSTD"}


def test_another_zone_is_refused(table: LakeTable) -> None:
    with pytest.raises(LakeError, match="Asia/Shanghai, not in Europe/Berlin"):
        LakeTable(table.path, ZoneInfo("Europe/Berlin"))


def test_where_there_is_no_table_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(CommitError, match="no lake"):
        LakeTable(tmp_path / "absent", SHANGHAI)
    assert not (tmp_path / "absent").exists()


def test_vacuum_deletes_what_belongs_to_nothing(table: LakeTable) -> None:
    import os

    table.append(as_table(curve(range(5))), application="j", version=1)
    files = list(table.snapshot().files)
    old, young = (
        (table.path / files[0].path).with_name("a.parquet"),
        (table.path / files[0].path).with_name("b.parquet"),
    )
    for stray in (old, young, table.path / files[0].path):
        stray.exists() or stray.write_bytes(b"left by a killed process")
    for aged in (old, table.path / files[0].path):
        os.utime(aged, (1e9, 1e9))
    table.rewrite(files, [(KEPT, as_table(curve(range(5))))], 1000)
    assert table.vacuum(after_h=24) == 1
    assert not old.exists()
    assert young.exists()
    assert (table.path / files[0].path).exists(), "a question that began before the rewrite may still read it"


def test_a_table_that_could_not_be_made_is_none_and_is_made_later(tmp_path: Path) -> None:
    """As a full disk leaves it: a log without an entry, and the beginning of one."""
    log = tmp_path / "raw_readings" / "_delta_log"
    log.mkdir(parents=True)
    (log / "_commit_1.json.tmp").write_text("{")
    assert not is_there(log.parent)
    with pytest.raises(CommitError, match="no lake"):
        LakeTable(log.parent, SHANGHAI)
    LakeTable.create(log.parent, SHANGHAI).append(as_table(curve(range(1))), application="j", version=1)
    assert is_there(log.parent)
    assert rows_of(LakeTable(log.parent, SHANGHAI)).num_rows == 4


def test_an_error_is_said_in_one_plain_line(table: LakeTable) -> None:
    table.path.rename(table.path.with_name("away"))
    table.path.write_text("no folder")
    with pytest.raises(CommitError) as caught:
        table.append(as_table(curve(range(1))), application="j", version=1)
    assert str(caught.value).isprintable()


def test_a_view_finds_the_newest_version_where_the_log_was_cleaned_up_behind_it(table: LakeTable) -> None:
    """Its own entry and those after it are gone; a checkpoint stands for them."""
    writer = LakeTable(table.path, SHANGHAI)
    for version in range(1, 5):
        writer.append(as_table(curve(range(version, version + 1))), application="j", version=version)
    DeltaTable(table.path).create_checkpoint()
    for number in range(4):
        (table.path / "_delta_log" / f"{number:020}.json").unlink()
    table.refresh()
    assert table.transaction_version("j") == 4
    assert sum(file.rows for file in table.snapshot().files) == 16
    writer.append(as_table(curve(range(5, 6))), application="j", version=5)
    table.refresh()
    assert table.transaction_version("j") == 5
