import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meterweave.lake.commit import Committer
from meterweave.lake.errors import CommitError, JournalError, LakeError
from meterweave.lake.journal import Journal, JournalReader, Parcel, encode
from meterweave.lake.kind import Kind
from meterweave.lake.settings import LakeSettings
from meterweave.lake.table import LakeTable
from meterweave.metering.clock import SHANGHAI
from tests.lake.rows import as_rows, curve
from tests.lake.test_table import rows_of


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal" / "main.journal", octets_max=1 << 26) as made:
        yield made


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "raw_readings"


def put(journal: Journal, first: int) -> int:
    return journal.append(encode(Kind.READINGS, curve(range(first, first + 3))))


def committer(
    journal: Journal, lake: Path, settings: LakeSettings | None = None, trim: Callable[[int], None] | None = None
) -> Committer:
    return Committer(JournalReader(journal.path), lake.parent, settings or LakeSettings(), trim or journal.trim)


def stored_meters(lake: Path) -> list[int]:
    return [one[0] for one in as_rows(rows_of(LakeTable(lake, SHANGHAI)))]


def test_rows_move_from_the_journal_to_the_lake(journal: Journal, lake: Path) -> None:
    last = [put(journal, first) for first in (0, 3, 6)][-1]
    one = committer(journal, lake, LakeSettings(commit_rows_max=24))
    assert one.commit() == 36
    assert one.commit() == 0
    assert (one.status.commits, one.status.rows, one.status.last_seq) == (2, 36, last)
    assert journal.rows_held == 0
    assert stored_meters(lake) == sorted([*range(9)] * 4)
    one.close()


def test_a_commit_whose_trim_was_lost_is_not_made_again(journal: Journal, lake: Path) -> None:
    """As after a kill between the two."""
    put(journal, 0)
    forgetful = committer(journal, lake, trim=lambda _: None)
    assert forgetful.commit() == 12
    forgetful.close()
    assert journal.rows_held == 12
    put(journal, 3)
    again = committer(journal, lake)
    assert again.commit() == 12
    again.close()
    assert journal.rows_held == 0
    assert stored_meters(lake) == sorted([*range(6)] * 4)


def test_two_journals_share_a_lake(journal: Journal, lake: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "journal" / "other.journal", octets_max=1 << 20) as other:
        put(journal, 0)
        put(other, 3)
        for one in (committer(journal, lake), committer(other, lake)):
            one.commit()
            one.close()
    assert stored_meters(lake) == sorted([*range(6)] * 4)


def test_a_lake_that_went_away_is_waited_for_and_not_made_anew(
    journal: Journal, lake: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = committer(journal, lake)
    put(journal, 0)
    one.commit()
    away = lake.rename(lake.with_name("unmounted"))
    put(journal, 3)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with pytest.raises(CommitError):
                one.commit()
        assert not lake.exists()
        assert one.status.failing_since is not None
        assert journal.rows_held == 12
        away.rename(lake)
        put(journal, 6)
        assert one.commit() == 24
    assert one.status.failing_since is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    assert stored_meters(lake) == sorted([*range(9)] * 4)
    one.close()


def test_an_empty_folder_in_its_place_is_not_taken_for_the_lake(journal: Journal, lake: Path) -> None:
    one = committer(journal, lake)
    put(journal, 0)
    one.commit()
    one.close()
    lake.rename(lake.with_name("unmounted"))
    lake.mkdir()
    put(journal, 3)
    again = committer(journal, lake)
    with pytest.raises(CommitError):
        again.commit()
    LakeTable.create(lake, SHANGHAI)
    with pytest.raises(LakeError, match="belongs to lake"):
        again.commit()
    assert journal.rows_held == 12
    again.close()


def test_a_restored_older_copy_is_noticed(journal: Journal, lake: Path, caplog: pytest.LogCaptureFixture) -> None:
    import shutil

    one = committer(journal, lake)
    before = put(journal, 0)
    one.commit()
    shutil.copytree(lake, lake.with_name("backup"))
    put(journal, 3)
    one.commit()
    one.close()
    # All of the lake is put back as it was, events and frames too.
    shutil.rmtree(lake)
    lake.with_name("backup").rename(lake)
    put(journal, 6)
    again = committer(journal, lake)
    again.commit()
    again.close()
    assert f"ends at blob {before}, and the journal gave it all up to {before + 1}" in caplog.text


def test_the_thread_commits_by_itself(journal: Journal, lake: Path) -> None:
    one = committer(journal, lake, LakeSettings(commit_interval_s=0.02))
    one.start()
    put(journal, 0)
    patience = time.monotonic() + 30
    while journal.rows_held and time.monotonic() < patience:
        time.sleep(0.01)
    one.close()
    assert stored_meters(lake) == sorted([*range(3)] * 4)


def test_a_spoiled_blob_is_named_and_nothing_behind_it_is_lost(
    journal: Journal, lake: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(journal, 0)
    spoiled = journal.append(Parcel(Kind.READINGS, 1, 42, b"spoiled"))
    put(journal, 3)
    one = committer(journal, lake, LakeSettings(commit_rows_max=12))
    with pytest.raises(JournalError, match=f"blob {spoiled} of the journal is spoiled"):
        one.commit()
    one.close()
    assert stored_meters(lake) == sorted([*range(3)] * 4)
    assert journal.rows_held == 13
    assert f"blob {spoiled}" in caplog.text


class Panic(BaseException):
    """What a library raises that nobody catches."""


def test_the_thread_survives_what_nobody_thought_of_and_a_log_that_fails(
    journal: Journal, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [Panic("one"), SystemExit(1)]
    seen: list[str] = []

    def trim(seq: int) -> None:
        if left:
            raise left.pop()
        seen.append(one.status.error)
        journal.trim(seq)

    def no_log(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(logging.Logger, "handle", no_log)
    one = committer(journal, lake, LakeSettings(commit_interval_s=0.02, retry_max_s=0.02), trim)
    put(journal, 0)
    one.start()
    patience = time.monotonic() + 30
    while (journal.rows_held or one.status.failing_since) and time.monotonic() < patience:
        time.sleep(0.01)
    assert seen[0] == "Panic('one')"
    assert one.failed() is None
    assert one.status.failing_since is None
    one.close()
    assert stored_meters(lake) == sorted([*range(3)] * 4)


def test_a_table_whose_use_panicked_is_opened_anew(journal: Journal, lake: Path) -> None:
    """delta-rs refuses an object for ever that panicked in use; here it is one that answers nothing."""
    table = LakeTable.create(lake, SHANGHAI)
    sound = table._delta

    class Poisoned:
        def __getattr__(self, name: str) -> object:
            raise type("PanicException", (BaseException,), {})(name)

    table._delta = Poisoned()  # type: ignore[assignment]
    with pytest.raises(CommitError, match="cannot be read"):
        table.transaction_version("j")
    table.refresh()
    assert table.transaction_version("j") == 0
    assert table._delta is not sound
