import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meterweave.lake.errors import JournalError, JournalFull
from meterweave.lake.journal import Journal, JournalReader, Parcel, decode, encode
from meterweave.lake.kind import Kind
from tests.lake.rows import as_rows, batch, curve

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal"


def parcel(octets: bytes, row_count: int) -> Parcel:
    return Parcel(Kind.READINGS, row_count, 42 * row_count, octets)


def kept(path: Path) -> list[tuple[int, bytes]]:
    reader = JournalReader(path)
    try:
        return reader.octets(Kind.READINGS, [blob.seq for blob in reader.index()])
    finally:
        reader.close()


def test_a_blob_comes_back_as_it_was() -> None:
    rows = batch([(1, 2, 3, 4, None, 1, 0, 7), (-(2**63), 2**31 - 1, 127, -(2**62), 2**63 - 1, 15, 4, 2**62)])
    assert as_rows(decode(encode(Kind.READINGS, rows).octets)) == sorted(as_rows(rows))


def test_blobs_are_there_after_closing_and_numbers_climb_for_good(path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        name = journal.journal_id
        first = journal.append(parcel(b"one", 1))
        assert journal.append(parcel(b"two", 2)) == first + 1
        journal.trim(first + 1)
        assert (journal.rows_held, journal.octets_held) == (0, 0)
    with Journal(path, octets_max=MIB) as journal:
        assert journal.journal_id == name
        third = journal.append(parcel(b"three", 3))
        assert third > first + 1
    assert kept(path) == [(third, b"three")]


def test_a_journal_restored_from_an_older_copy_gives_no_number_again(path: Path, tmp_path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        journal.append(parcel(b"old", 1))
    shutil.copy(path, tmp_path / "copy")
    with Journal(path, octets_max=MIB) as journal:
        given = [journal.append(parcel(b"later", 1)) for _ in range(5)]
    shutil.copy(tmp_path / "copy", path)
    with Journal(path, octets_max=MIB) as journal:
        assert journal.append(parcel(b"new", 1)) > max(given)


def test_numbers_go_on_where_the_clock_was_set_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(path, octets_max=MIB) as journal:
        last = journal.append(parcel(b"one", 1))
        journal.trim(last)
    monkeypatch.setattr("time.time_ns", lambda: 0)
    with Journal(path, octets_max=MIB) as journal:
        assert journal.append(parcel(b"two", 1)) == last + 1
    with Journal(path, octets_max=MIB) as journal:
        assert journal.append(parcel(b"three", 1)) == last + 2


def test_parcels_are_kept_together_and_found_by_kind(path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        last = journal.append(parcel(b"r", 1), Parcel(Kind.EVENTS, 2, 9, b"e"), Parcel(Kind.FRAMES, 3, 9, b"f"))
        assert (journal.rows_held, journal.octets_held) == (6, 3)
    reader = JournalReader(path)
    assert [(blob.seq, blob.kind, blob.row_count) for blob in reader.index()] == [
        (last - 2, Kind.READINGS, 1),
        (last - 1, Kind.EVENTS, 2),
        (last, Kind.FRAMES, 3),
    ]
    assert reader.octets(Kind.EVENTS, [last - 2, last]) == [(last - 1, b"e")]
    reader.close()


def test_a_full_journal_refuses_and_accepts_again_once_trimmed(path: Path) -> None:
    with Journal(path, octets_max=10) as journal:
        first = journal.append(parcel(b"12345678", 1))
        with pytest.raises(JournalFull, match="holds 8 octets of at most 10; 3 more"):
            journal.append(parcel(b"abc", 1))
        journal.append(parcel(b"ab", 1))
        journal.trim(first)
        journal.append(parcel(b"abcdefgh", 1))
    assert kept(path) == [(first + 1, b"ab"), (first + 2, b"abcdefgh")]


def test_the_bound_counts_what_an_earlier_run_left(path: Path) -> None:
    with Journal(path, octets_max=10) as journal:
        journal.append(parcel(b"12345678", 5))
    with Journal(path, octets_max=10) as journal:
        assert (journal.rows_held, journal.octets_held) == (5, 8)
        with pytest.raises(JournalFull):
            journal.append(parcel(b"abc", 1))


def test_a_second_writer_is_refused(path: Path) -> None:
    with Journal(path, octets_max=MIB), pytest.raises(JournalError, match="another writer"):
        Journal(path, octets_max=MIB)
    Journal(path, octets_max=MIB).close()


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal(path, octets_max=MIB)
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(parcel(b"x", 1))


def test_what_is_no_journal_is_refused(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(JournalError, match="cannot open"):
        Journal(path, octets_max=MIB)
    with pytest.raises(JournalError, match="cannot read"):
        JournalReader(path)
    with pytest.raises(JournalError):
        JournalReader(path.with_name("absent.journal"))


@pytest.mark.parametrize("seed", range(12))
def test_a_torn_tail_costs_only_what_follows_it(path: Path, tmp_path: Path, seed: int) -> None:
    """Cut or spoil the WAL's end, as a power cut may: what is left is the beginning of what was written, whole."""
    chance = random.Random(seed)
    blobs = [chance.randbytes(chance.randrange(1, 30_000)) for _ in range(20)]
    sizes = []
    with Journal(path, octets_max=64 * MIB) as journal:
        for blob in blobs:
            journal.append(parcel(blob, 1))
            sizes.append(Path(f"{path}-wal").stat().st_size)
        copy = tmp_path / "copy.journal"
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    wal = Path(f"{copy}-wal")
    octets = bytearray(wal.read_bytes())
    at = chance.randrange(sizes[4], len(octets))
    if seed % 2:
        octets[at:] = b""
    else:
        octets[at:] = chance.randbytes(len(octets) - at)
    wal.write_bytes(octets)
    found = kept(copy)
    assert [octets for _, octets in found] == blobs[: len(found)]
    assert len(found) >= sum(size <= at for size in sizes) >= 5
    with Journal(copy, octets_max=64 * MIB) as journal:
        journal.append(parcel(b"next", 1))
    assert [octets for _, octets in kept(copy)] == [*blobs[: len(found)], b"next"]


def test_a_disk_that_takes_no_more_keeps_what_was_acknowledged(path: Path) -> None:
    """A process whose files may not grow past a size, which SQLite sees as it sees a full disk."""
    child = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    acknowledged, refused, later = map(int, child.stdout.split())
    assert acknowledged > 0
    assert refused > 0
    assert later == 1
    found = [octets for _, octets in kept(path)]
    assert len(found) == acknowledged + later
    assert found[-1] == b"room again"


_FULL_DISK = f"""
import resource, signal, sys
from pathlib import Path
from meterweave.lake.errors import JournalError
from meterweave.lake.journal import Journal, Parcel
from meterweave.lake.kind import Kind
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]), octets_max={MIB * 64})
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, hard))
acknowledged = refused = 0
for number in range(60):
    try:
        journal.append(Parcel(Kind.READINGS, 1, 42, bytes(50_000)))
        acknowledged += 1
    except JournalError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.append(Parcel(Kind.READINGS, 1, 42, b"room again"))
print(acknowledged, refused, 1)
"""


def test_many_blobs_in_few_pages_after_trimming(path: Path) -> None:
    """The file does not grow for good: trimmed pages are used again."""
    with Journal(path, octets_max=8 * MIB) as journal:
        for _ in range(40):
            journal.append(parcel(os.urandom(200_000), 1))
            seq = journal.append(parcel(os.urandom(200_000), 1))
            journal.trim(seq)
    assert path.stat().st_size < 2 * MIB


def test_a_batch_of_many_rows_is_a_few_octets_a_row() -> None:
    rows = curve(range(1000), points=96)
    assert len(encode(Kind.READINGS, rows).octets) / rows.num_rows < 12


def test_what_follows_a_number_comes_within_bounds_and_one_at_least(path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        seqs = [journal.append(parcel(bytes(100), 1)) for _ in range(5)]
        reader = JournalReader(path)
        assert [blob.seq for blob in reader.after(0, count_max=9, octets_max=MIB)] == seqs
        assert [blob.seq for blob in reader.after(seqs[1], count_max=2, octets_max=MIB)] == seqs[2:4]
        assert [blob.seq for blob in reader.after(seqs[0], count_max=9, octets_max=250)] == seqs[1:3]
        assert [blob.seq for blob in reader.after(seqs[0], count_max=9, octets_max=1)] == seqs[1:2]
        assert reader.after(seqs[-1], count_max=9, octets_max=MIB) == []
        reader.close()


def test_what_is_held_is_told_with_its_times(path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        reader = JournalReader(path)
        assert reader.held() == (0, 0, 0, None, None)
        journal.append(parcel(b"abc", 2), parcel(b"de", 3))
        held = reader.held()
        assert held[:3] == (2, 5, 5)
        assert held.oldest_us is not None
        assert held.oldest_us == held.newest_us
        reader.close()


def test_merged_blobs_are_one_with_the_number_of_the_last(path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        seqs = [journal.append(parcel(bytes([number]) * 50, 1)) for number in range(4)]
        event = journal.append(Parcel(Kind.EVENTS, 1, 10, b"e"))
        last = journal.append(parcel(b"last", 1))
        journal.merge([*seqs[1:], last], parcel(b"merged", 4))
        assert kept(path) == [(seqs[0], bytes(50)), (last, b"merged")]
        assert (journal.rows_held, journal.octets_held) == (1 + 4 + 1, 50 + 6 + 1)
        assert [blob.seq for blob in JournalReader(path).index(seqs[0])] == [event, last]
        journal.trim(last)
        assert journal.rows_held == 0
