import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from meterweave.lake.errors import JournalError, JournalFull
from meterweave.lake.journal import Journal, JournalReader, Parcel, decode
from meterweave.lake.kind import Kind
from meterweave.lake.settings import LakeSettings
from meterweave.lake.writer import JournalWriter
from meterweave.metering.batch import SCHEMA
from tests.lake.rows import as_rows, batch, curve, frames


class GatedJournal(Journal):
    """A real journal whose disk is as slow as the test wants."""

    def __init__(self, path: Path, *, octets_max: int = 1 << 26) -> None:
        super().__init__(path, octets_max=octets_max)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def append(self, *parcels: Parcel) -> int:
        self.entered.set()
        assert self.gate.wait(30)
        return super().append(*parcels)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[GatedJournal]:
    made = GatedJournal(tmp_path / "main.journal")
    yield made
    made.gate.set()
    made.close()


def stored(journal: Journal, kind: Kind = Kind.READINGS) -> list[tuple[int, pa.Table]]:
    reader = JournalReader(journal.path)
    try:
        return [(seq, decode(octets)) for seq, octets in reader.octets(kind, [0, 1 << 62])]
    finally:
        reader.close()


async def took(writer: JournalWriter) -> bool:
    try:
        await writer.append(curve(range(20)))
    except JournalFull:
        return False
    return True


async def until(true) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.001)


def test_an_acknowledged_batch_is_on_disk(journal: GatedJournal) -> None:
    writer = JournalWriter(journal)

    async def run() -> None:
        seq = await writer.append(curve(range(3)))
        assert [(number, as_rows(rows)) for number, rows in stored(journal)] == [(seq, as_rows(curve(range(3))))]

    asyncio.run(run())
    writer.close()


def test_callers_who_wait_together_share_one_commit(journal: GatedJournal) -> None:
    writer = JournalWriter(journal)

    async def run() -> list[int]:
        journal.gate.clear()
        first = asyncio.create_task(writer.append(curve(range(1))))
        await until(journal.entered.is_set)
        rest = [asyncio.create_task(writer.append(curve(range(n, n + 1)))) for n in range(1, 500)]
        await until(lambda: writer.status().rows_waiting == 499 * 4)
        journal.gate.set()
        return [await first, *(await asyncio.gather(*rest))]

    first, *rest = asyncio.run(run())
    assert rest == [first + 1] * 499
    assert writer.status().groups == 2
    assert writer.status().rows == 2000
    assert [rows.num_rows for _, rows in stored(journal)] == [4, 1996]
    writer.close()


def test_a_group_is_bounded_and_callers_keep_their_order(journal: GatedJournal) -> None:
    writer = JournalWriter(journal, LakeSettings(group_rows_max=20))

    async def run() -> list[int]:
        return await asyncio.gather(*(writer.append(curve(range(n, n + 1))) for n in range(200)))

    seqs = asyncio.run(run())
    assert seqs == sorted(seqs)
    assert [one[0] for _, rows in stored(journal) for one in as_rows(rows)] == sorted([*range(200)] * 4)
    assert max(rows.num_rows for _, rows in stored(journal)) <= 20
    writer.close()


@pytest.mark.parametrize("bounds", [{"queue_rows_max": 8}, {"queue_callers_max": 2}])
def test_past_the_bound_a_caller_is_refused_and_later_taken(journal: GatedJournal, bounds: dict[str, int]) -> None:
    writer = JournalWriter(journal, LakeSettings(**bounds))  # type: ignore[arg-type]

    async def run() -> None:
        journal.gate.clear()
        waiting = [asyncio.create_task(writer.append(curve(range(1))))]
        await until(journal.entered.is_set)
        waiting += [asyncio.create_task(writer.append(curve(range(1)))) for _ in range(2)]
        await until(lambda: writer.status().callers_waiting == 2)
        with pytest.raises(JournalFull, match="2 callers wait with 8 rows and 0 octets of events and frames; 4 rows"):
            await writer.append(curve(range(1)))
        journal.gate.set()
        await asyncio.gather(*waiting)
        await writer.append(curve(range(1)))

    asyncio.run(run())
    assert writer.status().refused == 1
    assert writer.status().rows == 16
    writer.close()


def test_long_frames_fill_the_queue_as_many_rows_do(journal: GatedJournal) -> None:
    writer = JournalWriter(journal, LakeSettings(queue_octets_max=2500))
    wire = frames(range(1), octets=bytes(1000))

    async def run() -> None:
        journal.gate.clear()
        waiting = [asyncio.create_task(writer.append(frames=wire))]
        await until(journal.entered.is_set)
        waiting += [asyncio.create_task(writer.append(frames=wire)) for _ in range(2)]
        await until(lambda: writer.status().callers_waiting == 2)
        with pytest.raises(JournalFull, match=rf"with 2 rows and {2 * wire.nbytes} octets .* 1 rows and {wire.nbytes}"):
            await writer.append(frames=wire)
        readings = asyncio.create_task(writer.append(curve(range(1))))
        await until(lambda: writer.status().callers_waiting == 3)
        journal.gate.set()
        await asyncio.gather(*waiting, readings)
        await writer.append(frames=wire)

    asyncio.run(run())
    assert writer.status().refused == 1
    writer.close()


def test_a_batch_larger_than_the_queue_is_taken_when_alone(journal: GatedJournal) -> None:
    writer = JournalWriter(journal, LakeSettings(queue_rows_max=8))
    writer.append_blocking(curve(range(100)))
    assert [rows.num_rows for _, rows in stored(journal)] == [400]
    writer.close()


def test_a_full_disk_bound_refuses_until_trimmed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "main.journal", octets_max=20_000)
    writer = JournalWriter(journal)

    async def run() -> int:
        kept = 0
        while await took(writer):
            kept += 1
        writer.trim(stored(journal)[-1][0])
        await until(lambda: writer.status().rows_held == 0)
        await writer.append(curve(range(20)))
        return kept

    assert asyncio.run(run()) > 1
    assert [rows.num_rows for _, rows in stored(journal)] == [80]
    writer.close()


def test_an_error_reaches_exactly_those_whose_rows_were_not_kept(tmp_path: Path) -> None:
    """Some batches fit under the bound and some do not; what was acknowledged is what is there."""
    journal = Journal(tmp_path / "main.journal", octets_max=30_000)
    writer = JournalWriter(journal, LakeSettings(group_rows_max=200, group_interval_s=0.0001))

    async def run() -> list[int | BaseException]:
        tasks = [writer.append(curve(range(n, n + 10), value=n * 1000)) for n in range(400)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes = asyncio.run(run())
    kept = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, int)]
    assert 0 < len(kept) < 400
    assert all(isinstance(outcome, int | JournalFull) for outcome in outcomes)
    wanted = sorted(one for n in kept for one in as_rows(curve(range(n, n + 10), value=n * 1000)))
    assert sorted(one for _, rows in stored(journal) for one in as_rows(rows)) == wanted
    writer.close()


def test_a_bad_batch_harms_only_its_caller(journal: GatedJournal) -> None:
    writer = JournalWriter(journal)
    good = curve(range(2))
    null = pa.RecordBatch.from_arrays([pa.array([None] * 8, pa.int64()), *good.columns[1:]], schema=SCHEMA)

    async def run() -> list[int | BaseException]:
        return await asyncio.gather(*(writer.append(one) for one in (good, null, good)), return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert first == third
    assert isinstance(first, int)
    assert isinstance(second, ValueError)
    with pytest.raises(ValueError, match="must have the columns"):
        writer.append_blocking(good.select(["meter"]))
    with pytest.raises(ValueError, match="a null"):
        writer.append_blocking(null)
    assert sum(rows.num_rows for _, rows in stored(journal)) == 16
    writer.close()


def test_a_cancelled_caller_does_not_disturb_the_others(journal: GatedJournal) -> None:
    writer = JournalWriter(journal)

    async def run() -> int:
        journal.gate.clear()
        gone = asyncio.create_task(writer.append(curve(range(1))))
        stays = asyncio.create_task(writer.append(curve(range(1, 2))))
        await until(journal.entered.is_set)
        gone.cancel()
        journal.gate.set()
        return await stays

    seq = asyncio.run(run())
    assert seq == stored(journal)[-1][0]
    writer.close()


def test_threads_and_loops_may_share_a_writer(journal: GatedJournal) -> None:
    writer = JournalWriter(journal, LakeSettings(group_rows_max=64))

    async def loop(first: int) -> None:
        await asyncio.gather(*(writer.append(curve(range(n, n + 1))) for n in range(first, first + 50)))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: asyncio.run(loop(n * 50)), range(3)))
        list(pool.map(lambda n: writer.append_blocking(curve(range(n, n + 1))), range(150, 200)))
    found = sorted(one for _, rows in stored(journal) for one in as_rows(rows))
    assert [one[0] for one in found] == sorted(list(range(200)) * 4)
    writer.close()


def test_closing_keeps_what_waits_and_refuses_what_comes(journal: GatedJournal) -> None:
    writer = JournalWriter(journal)

    async def run() -> int:
        task = asyncio.create_task(writer.append(curve(range(1))))
        await until(lambda: task.done() or writer.status().rows_waiting)
        await asyncio.to_thread(writer.close)
        with pytest.raises(JournalError, match="closed"):
            await writer.append(curve(range(1)))
        return await task

    asyncio.run(run())
    assert [rows.num_rows for _, rows in stored(journal)] == [4]


def test_an_empty_batch_is_kept_like_any_other(journal: GatedJournal) -> None:
    writer = JournalWriter(journal)
    assert writer.append_blocking(batch([])) > 0
    writer.close()


class Panic(BaseException):
    """What a library raises that nobody catches."""


def test_whatever_the_disk_raises_nobody_is_left_waiting_and_the_next_is_kept(
    journal: GatedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(journal)
    append = journal.append
    raised: list[bool] = []

    def panic_once(*parcels: Parcel) -> int:
        if not raised:
            raised.append(True)
            raise Panic("out of handles")
        return append(*parcels)

    monkeypatch.setattr(journal, "append", panic_once)
    with pytest.raises(JournalError, match="out of handles"):
        writer.append_blocking(curve(range(1)))
    writer.append_blocking(curve(range(2)))
    assert writer.failed() is None
    assert writer.status().refused == 1
    writer.close()
    assert [rows.num_rows for _, rows in stored(journal)] == [8]


def test_a_refused_caller_does_not_hide_the_failure_from_the_others_of_its_group(journal: GatedJournal) -> None:
    """One has a null where none may be and is told so before the disk fails for the rest."""
    writer = JournalWriter(journal)
    broken = pa.RecordBatch.from_arrays(
        [pa.nulls(4, SCHEMA.field(0).type), *curve(range(1)).columns[1:]], schema=SCHEMA
    )
    with ThreadPoolExecutor(3) as pool:
        journal.gate.clear()
        first = pool.submit(writer.append_blocking, curve(range(1)))
        assert journal.entered.wait(30)
        rest = [pool.submit(writer.append_blocking, rows) for rows in (broken, curve(range(1)))]
        asyncio.run(until(lambda: writer.status().callers_waiting == 2))
        journal.octets_max = 0
        journal.gate.set()
        with pytest.raises(JournalError):
            first.result(30)
        with pytest.raises(ValueError, match="a null"):
            rest[0].result(30)
        with pytest.raises(JournalError):
            rest[1].result(30)
    writer.close()


def test_a_dead_writer_refuses_rather_than_let_callers_wait(
    journal: GatedJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = JournalWriter(journal)

    def die(error: BaseException) -> None:
        raise error

    def panic(*_: Parcel) -> int:
        raise Panic

    monkeypatch.setattr(writer._worker, "_survive", die)
    monkeypatch.setattr(journal, "append", panic)
    with pytest.raises(JournalError):
        writer.append_blocking(curve(range(1)))
    writer._worker.join()
    with pytest.raises(JournalError, match=r"the thread journal-writer has ended: Panic\(\)"):
        writer.append_blocking(curve(range(1)))
    writer.close()
