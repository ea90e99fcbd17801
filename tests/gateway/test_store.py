"""A gateway's folder: what is kept is kept, what lasts is known after a restart, what is broken is put aside."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterweave.gateway import store as a_store
from meterweave.gateway.store import JOURNAL, STATE, Contact, Store, StoreError, look
from meterweave.lake.errors import JournalError, JournalFull
from meterweave.lake.journal import Packed, decode
from meterweave.lake.kind import Kind
from meterweave.metering.events import ENDED, event_codes
from tests.gateway.rows import OVERLOAD, events, readings

FAULT = event_codes()["device_fault"]


def everything(store: Store) -> list[Packed]:
    return store.after(0, count_max=1000, octets_max=1 << 30)


def test_rows_come_back_in_order_until_they_are_forgotten(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        first = store.append(readings([1, 2]), events(10, [1]))
        last = store.append(readings([3]), None)
    with Store(tmp_path) as store:
        blobs = everything(store)
        assert [(blob.kind, decode(blob.octets).num_rows) for blob in blobs] == [
            (Kind.READINGS, 2),
            (Kind.EVENTS, 1),
            (Kind.READINGS, 1),
        ]
        assert (blobs[1].seq, blobs[2].seq) == (first, last)
        assert store.rows_held == 4
        assert [blob.seq for blob in store.after(first, count_max=9, octets_max=1)] == [last]
        assert len(store.after(0, count_max=2, octets_max=1 << 20)) == 2
        assert len(store.after(0, count_max=9, octets_max=1)) == 1  # one at least
        store.forget(first)
        assert [blob.seq for blob in everything(store)] == [last]
        assert store.append(readings([1]), None) > last


def test_many_rows_are_several_blobs(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(readings(range(1, a_store.ROWS_MAX + 2)), None)
        assert [decode(blob.octets).num_rows for blob in everything(store)] == [a_store.ROWS_MAX, 1]


def test_small_blobs_become_large_ones_and_no_row_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a_store, "ROWS_MAX", 100)
    with Store(tmp_path) as store:
        for number in range(210):
            store.append(readings([1, 2], value=10 * number), events(10, [1]) if number == 100 else None)
        before = everything(store)
        oldest, octets = look(tmp_path).held.oldest_us, store.octets_held
        assert store.merge() == 4 * 49  # four of a hundred rows, and the rest is too little
        after = everything(store)
        assert len(after) == 4 + 10 + 1
        assert (store.rows_held, look(tmp_path).held.oldest_us) == (421, oldest)
        assert store.octets_held < octets / 5
        assert _values(after) == _values(before)
        assert {blob.seq for blob in after} < {blob.seq for blob in before}
        assert store.merge() == 0
    with Store(tmp_path) as store:
        for number in range(64):
            store.append(readings([1], value=-number), None)
        assert store.merge() == 73
        assert _values(everything(store)) == _values(before) | {-number for number in range(64)}
        store.forget(everything(store)[-1].seq)
        assert (store.rows_held, everything(store)) == (0, [])


def _values(blobs: list[Packed]) -> set[int]:
    found = [decode(blob.octets).column("value").to_pylist() for blob in blobs if blob.kind is Kind.READINGS]
    return {value for values in found for value in values}


def test_a_broken_blob_is_left_as_it_is(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(80):
            store.append(readings([1], value=number), None)
        db = sqlite3.connect(tmp_path / JOURNAL, isolation_level=None)
        db.execute("UPDATE blob SET octets = zeroblob(100) WHERE seq = (SELECT MIN(seq) FROM blob)")
        db.close()
        assert store.merge() == 0
        assert len(everything(store)) == 80


def test_a_full_journal_keeps_what_it_has_and_says_so(tmp_path: Path) -> None:
    with Store(tmp_path, journal_octets_max=4000) as store:
        seq = store.append(readings([1]), None)
        large = readings(range(1, 1000))
        with pytest.raises(JournalFull, match="at most 4000"):
            store.append(large, None)
        assert everything(store)[0].seq == seq
        store.forget(everything(store)[-1].seq)
        store.append(readings([3]), None)


def test_what_lasts_is_known_after_a_restart_also_when_its_event_is_gone(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.append(None, events(10, [1, 2]))
        store.append(None, events(10, [1], FAULT))
    with Store(tmp_path) as store:  # from the events that still wait
        assert store.lasting == {1: {OVERLOAD, FAULT}, 2: {OVERLOAD}}
        store.append(None, events(10, [1], FAULT + ENDED))
        store.forget(everything(store)[-1].seq)
        assert everything(store) == []
    with Store(tmp_path) as store:  # from what was written down before they went
        assert store.lasting == {1: {OVERLOAD}, 2: {OVERLOAD}}
        store.append(None, events(10, [2], OVERLOAD + ENDED))
    with Store(tmp_path) as store:  # from both
        assert store.lasting == {1: {OVERLOAD}, 2: set()}


def test_what_is_refused_is_set_aside_and_the_oldest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(a_store, "REFUSED_OCTETS_MAX", 250)
    with Store(tmp_path) as store:
        for number in range(4):
            store.set_aside(Packed(number, Kind.READINGS, bytes(100)), f"reason {number}")
        found = look(tmp_path).refused
        assert (found.blobs, found.octets, found.last_reason) == (2, 200, "reason 3")


def test_plan_and_contact_outlast_a_restart(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert store.plan() is None
        assert look(tmp_path).contact is None
        store.set_plan({"lines": ["线"]})
        store.set_contact(Contact(7, False, "too slow"))
    with Store(tmp_path) as store:
        assert store.plan() == {"lines": ["线"]}
        assert store.latest_us() == 7
        seen = look(tmp_path)  # while another process has it
        assert seen.contact == Contact(7, False, "too slow")
        assert seen.plan == {"lines": ["线"]}
        store.append(readings([1]), None)
        assert store.latest_us() > 7
        assert look(tmp_path).held.rows == 1


def test_a_folder_has_one_gateway(tmp_path: Path) -> None:
    with Store(tmp_path), pytest.raises(JournalError, match="another writer"):
        Store(tmp_path)
    assert not list(tmp_path.glob("*.broken-*"))


@pytest.mark.parametrize("name", [JOURNAL, STATE])
def test_a_file_that_cannot_be_read_is_put_aside_and_the_gateway_goes_on(tmp_path: Path, name: str) -> None:
    with Store(tmp_path) as store:
        store.set_plan({"a": 1})
        for number in range(200):
            store.append(readings(range(1, 50), value=number * 1000), events(10, [1]))
    path = tmp_path / name
    octets = bytearray(path.read_bytes())
    middle = len(octets) // 2
    octets[8192:middle] = b"\xa5" * (middle - 8192)
    if name == STATE:
        octets[:100] = b"\x00" * 100
    path.write_bytes(octets)
    with Store(tmp_path) as store:
        assert len(list(tmp_path.glob(f"{name}.broken-*"))) == 1
        store.append(readings([9]), None)
        assert decode(everything(store)[-1].octets).column("meter").to_pylist() == [9]
        assert (store.plan() is None) == (name == STATE)


def test_broken_files_do_not_fill_the_disk(tmp_path: Path) -> None:
    for _ in range(a_store.BROKEN_MAX + 2):
        (tmp_path / STATE).write_bytes(b"no database" * 100)
        Store(tmp_path).close()
    assert len(list(tmp_path.glob("*.broken-*"))) == a_store.BROKEN_MAX


def test_a_disk_that_only_fails_just_now_is_no_reason_to_begin_anew(tmp_path: Path) -> None:
    Store(tmp_path).close()
    (tmp_path / STATE).unlink()
    (tmp_path / STATE).mkdir()
    with pytest.raises(StoreError):
        Store(tmp_path)
    assert not list(tmp_path.glob("*.broken-*"))


def cut(folder: Path, into: Path, octets: int) -> Path:
    """The folder as a power cut leaves it that spared only so many octets of the journal's log."""
    shutil.copytree(folder, into)
    (into / f"{JOURNAL}-shm").unlink(missing_ok=True)
    log = into / f"{JOURNAL}-wal"
    log.write_bytes(log.read_bytes()[:octets])
    return into


def test_after_a_power_cut_all_that_was_kept_before_the_cut_is_there_and_nothing_half(tmp_path: Path) -> None:
    ends: list[tuple[int, int]] = []
    live = tmp_path / "live"
    with Store(live) as store:
        for number in range(20):
            store.append(readings([1, 2, 3], value=number), events(10, [1]) if number % 5 == 0 else None)
            ends.append((len((live / f"{JOURNAL}-wal").read_bytes()), number + 1))
        whole = [blob.octets for blob in everything(store)]
        for size in range(0, ends[-1][0] + 1, 3001):
            kept = max((count for end, count in ends if end <= size), default=0)
            with Store(cut(live, tmp_path / f"cut-{size}", size)) as found:
                octets = [blob.octets for blob in everything(found)]
                assert octets == whole[: len(octets)]
                batches = sum(blob.kind is Kind.READINGS for blob in everything(found))
                assert kept <= batches <= kept + 1
                found.append(readings([9]), None)


def test_a_folder_that_is_none_cannot_be_looked_into(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        look(tmp_path)
    with Store(tmp_path):
        pass
    (tmp_path / STATE).unlink()
    with pytest.raises(StoreError):
        look(tmp_path)


def test_the_state_is_whole_or_as_before(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.set_plan({"a": 1})
        db = sqlite3.connect(tmp_path / STATE, isolation_level=None)
        db.execute("DROP TABLE fact")
        with pytest.raises(StoreError):
            store.set_plan({"a": 2})
        db.close()


def test_the_journal_takes_no_more_than_the_disk_has_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))  # type: ignore[attr-defined]
    with Store(tmp_path) as store, pytest.raises(JournalFull):
        store.append(readings([1]), None)
    monkeypatch.undo()
    with Store(tmp_path) as store:
        store.append(readings([1]), None)


# What a worn card does ------------------------------------------------------------------------------------------------


def changed(folder: Path, name: str, sql: str, *values: object) -> None:
    db = sqlite3.connect(folder / name, isolation_level=None)
    assert db.execute(sql, values).rowcount > 0
    db.close()


def unreadable(octets: bytes) -> Iterator[bytes]:
    """The octets with one bit flipped, one for each kind of error that comes of it."""
    met: set[str] = set()
    for bit in range(len(octets) * 8):
        flipped = bytearray(octets)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            decode(bytes(flipped))
        except Exception as error:
            if type(error).__name__ not in met:
                met.add(type(error).__name__)
                yield bytes(flipped)
    assert "OSError" in met


def test_a_flipped_bit_in_a_blob_costs_that_blob(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(80):
            store.append(readings([1], value=number), None)
        told = store.append(None, events(10, [1])), store.append(None, events(10, [2]))
        blobs = {blob.seq: blob.octets for blob in everything(store)}
    first = min(blobs)
    for one, other in zip(unreadable(blobs[first]), unreadable(blobs[told[0]]), strict=False):
        for seq, octets in ((first, one), (told[0], other)):
            changed(tmp_path, JOURNAL, "UPDATE blob SET octets = ? WHERE seq = ?", octets, seq)
        with Store(tmp_path) as store:
            assert store.lasting[2] == {OVERLOAD}
            assert store.merge() == 0
            assert len(everything(store)) == 82


def test_a_blob_of_no_kind_is_set_aside_also_while_the_gateway_runs(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for number in range(3):
            store.append(readings([1], value=number), None)
    flip = "UPDATE blob SET kind = 'readingr' WHERE seq = (SELECT MIN(seq) FROM blob)"
    changed(tmp_path, JOURNAL, flip)
    with Store(tmp_path) as store:
        assert _values(everything(store)) == {1, 2}
        changed(tmp_path, JOURNAL, flip)
        assert _values(everything(store)) == {2}
        assert store.rows_held == 1
        refused = look(tmp_path).refused
        assert (refused.blobs, "readingr" in refused.last_reason) == (2, True)


@pytest.mark.parametrize("text", ['{"at_us": 7', "[1]", "7", "{}", '{"at_us": "x", "online": true, "reason": ""}', "["])
def test_what_cannot_be_read_of_the_state_is_as_if_it_was_never_there(tmp_path: Path, text: str) -> None:
    with Store(tmp_path) as store:
        store.set_plan({"a": 1})
        store.set_contact(Contact(7, True, ""))
    changed(tmp_path, STATE, "UPDATE fact SET value = ?", text)
    with Store(tmp_path) as store:
        assert store.latest_us() == 0
        assert not store.plan() or text.startswith('{"at_us": "x"')  # what is no plan is its reader's to say
        assert look(tmp_path).contact is None
        store.set_plan({"a": 2})
        assert store.plan() == {"a": 2}


def test_a_new_journal_tells_what_lasts_also_with_a_clock_that_went_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path) as store:
        store.forget(store.append(None, events(10, [2])))
    (tmp_path / JOURNAL).write_bytes(b"garbage" * 5000)
    with monkeypatch.context() as patched:
        patched.setattr(time, "time_ns", lambda: 1_000_000_000)
        with Store(tmp_path) as store:
            store.append(None, events(10, [1]))
    with Store(tmp_path) as store:
        assert store.lasting == {1: {OVERLOAD}, 2: {OVERLOAD}}


def test_a_full_disk_does_not_keep_the_journal_from_being_cleared(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.set_plan({"a": 1})
        store._state.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = store._state.execute("PRAGMA page_count").fetchone()
        store._state.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own word for a full disk
        with pytest.raises(StoreError, match="full"):
            store.set_aside(Packed(1, Kind.READINGS, bytes(100_000)), "x")
        store.set_plan({"a": 1})  # unchanged, so nothing is written
        seq = store.append(None, events(10, range(1, 2000)))
        store.forget(seq)
        assert store.rows_held == 0
        store._state.execute("PRAGMA max_page_count = 100000")
        store.forget(seq)
    with Store(tmp_path) as store:
        assert len(store.lasting) == 1999


def test_a_plan_that_is_as_before_is_not_written_anew(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.set_plan({"a": 1})
        size = (tmp_path / f"{STATE}-wal").stat().st_size
        store.set_plan({"a": 1})
        assert (tmp_path / f"{STATE}-wal").stat().st_size == size
        store.set_plan({"a": 2})
        assert (tmp_path / f"{STATE}-wal").stat().st_size > size
