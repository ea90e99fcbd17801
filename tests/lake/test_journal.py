import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meterweave.lake.errors import JournalError, JournalFull
from meterweave.lake.journal import Journal, JournalReader, decode, encode
from tests.lake.rows import as_rows, batch, curve

MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "main.journal"


def kept(path: Path) -> list[tuple[int, bytes]]:
    reader = JournalReader(path)
    try:
        blobs = reader.index()
        return reader.octets(blobs[0].seq, blobs[-1].seq) if blobs else []
    finally:
        reader.close()


def test_a_blob_comes_back_as_it_was() -> None:
    rows = batch([(1, 2, 3, 4, None, 1, 0, 7), (-(2**63), 2**31 - 1, 127, -(2**62), 2**63 - 1, 15, 4, 2**62)])
    assert as_rows(decode(encode(rows))) == sorted(as_rows(rows))


def test_blobs_are_there_after_closing_and_numbers_climb_for_good(path: Path) -> None:
    with Journal(path, octets_max=MIB) as journal:
        name = journal.journal_id
        assert [journal.append(b"one", 1), journal.append(b"two", 2)] == [1, 2]
        journal.trim(2)
        assert (journal.rows_held, journal.octets_held) == (0, 0)
    with Journal(path, octets_max=MIB) as journal:
        assert journal.journal_id == name
        assert journal.append(b"three", 3) == 3
    assert kept(path) == [(3, b"three")]


def test_a_full_journal_refuses_and_accepts_again_once_trimmed(path: Path) -> None:
    with Journal(path, octets_max=10) as journal:
        journal.append(b"12345678", 1)
        with pytest.raises(JournalFull, match="holds 8 octets of at most 10; 3 more"):
            journal.append(b"abc", 1)
        journal.append(b"ab", 1)
        journal.trim(1)
        journal.append(b"abcdefgh", 1)
    assert kept(path) == [(2, b"ab"), (3, b"abcdefgh")]


def test_the_bound_counts_what_an_earlier_run_left(path: Path) -> None:
    with Journal(path, octets_max=10) as journal:
        journal.append(b"12345678", 5)
    with Journal(path, octets_max=10) as journal:
        assert (journal.rows_held, journal.octets_held) == (5, 8)
        with pytest.raises(JournalFull):
            journal.append(b"abc", 1)


def test_a_second_writer_is_refused(path: Path) -> None:
    with Journal(path, octets_max=MIB), pytest.raises(JournalError, match="another writer"):
        Journal(path, octets_max=MIB)
    Journal(path, octets_max=MIB).close()


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal(path, octets_max=MIB)
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append(b"x", 1)


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
            journal.append(blob, 1)
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
        assert journal.append(b"next", 1) == len(found) + 1


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
from meterweave.lake.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal(Path(sys.argv[1]), octets_max={MIB * 64})
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, ({MIB}, hard))
acknowledged = refused = 0
for number in range(60):
    try:
        journal.append(bytes(50_000), 1)
        acknowledged += 1
    except JournalError:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
journal.append(b"room again", 1)
print(acknowledged, refused, 1)
"""


def test_many_blobs_in_few_pages_after_trimming(path: Path) -> None:
    """The file does not grow for good: trimmed pages are used again."""
    with Journal(path, octets_max=8 * MIB) as journal:
        for _ in range(40):
            journal.append(os.urandom(200_000), 1)
            seq = journal.append(os.urandom(200_000), 1)
            journal.trim(seq)
    assert path.stat().st_size < 2 * MIB


def test_a_batch_of_many_rows_is_a_few_octets_a_row() -> None:
    rows = curve(range(1000), points=96)
    assert len(encode(rows)) / rows.num_rows < 12
