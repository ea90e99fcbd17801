import ast
import inspect
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from meterweave.errors import ConfigError
from meterweave.lake import CommitError, JournalError, JournalFull, Lake, LakeError, LakeSettings
from meterweave.lake import settings as settings_module
from meterweave.lake.lake import table_path
from tests.lake.rows import NOON_US, as_rows, curve

SLOW = LakeSettings(commit_interval_s=3600, journal_octets_max=40_000)


def until(true: Callable[[], bool]) -> None:
    patience = time.monotonic() + 60
    while not true():
        assert time.monotonic() < patience
        time.sleep(0.005)


def took(lake: Lake, hour: int) -> bool:
    try:
        lake.append_blocking(curve(range(10), first_us=NOON_US + hour * 3_600_000_000))
    except JournalFull:
        return False
    return True


def test_without_its_table_a_lake_takes_rows_up_to_the_bound_and_catches_up(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", SLOW, maintain=False) as lake:
        lake.append_blocking(curve(range(1)))
        lake.commit()
        away = table_path(lake.folder).rename(tmp_path / "unmounted")
        kept = 0
        while took(lake, kept):
            kept += 1
        assert kept > 2
        with pytest.raises(JournalFull, match="of at most 40000"):
            lake.append_blocking(curve(range(10)))
        with pytest.raises(CommitError):
            lake.commit()
        status = lake.status()
        assert status.writer.rows_held == kept * 40
        assert status.writer.refused == 2
        assert status.committer.failing_since is not None
        away.rename(table_path(lake.folder))
        assert lake.commit() == kept * 40
        until(lambda: lake.status().writer.rows_held == 0)
        assert took(lake, kept)
        assert lake.query("SELECT * FROM readings").num_rows == kept * 40 + 40
        assert lake.status().committer.failing_since is None


def test_what_was_not_committed_is_committed_at_the_next_start(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", SLOW) as lake:
        lake.append_blocking(curve(range(3)))
    with Lake.open(tmp_path / "lake", SLOW) as lake:
        assert lake.status().writer.rows_held == 12
        assert lake.commit() == 12
        assert as_rows(lake.query("SELECT * FROM readings")) == as_rows(curve(range(3)))


def test_many_rows_are_committed_before_their_time(tmp_path: Path) -> None:
    hasty = LakeSettings(commit_interval_s=3600, commit_rows_max=100)
    with Lake.open(tmp_path / "lake", hasty, maintain=False) as lake:
        lake.append_blocking(curve(range(50)))
        until(lambda: lake.status().committer.commits > 0)
        assert lake.status().committer.rows == 200


def test_two_processes_write_with_a_journal_each(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", SLOW, journal="a") as one, Lake.open(tmp_path / "lake", SLOW, journal="b") as two:
        one.append_blocking(curve(range(3)))
        two.append_blocking(curve(range(3, 6)))
        one.commit()
        for lake in (one, two):
            assert lake.query("SELECT * FROM readings").num_rows == 24
        with pytest.raises(JournalError, match="another writer"):
            Lake.open(tmp_path / "lake", SLOW, journal="a")


def test_a_lake_keeps_its_zone(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", SLOW, maintain=False) as lake:
        lake.append_blocking(curve(range(1)))
        lake.commit()
    elsewhere = LakeSettings(commit_interval_s=3600, zone=ZoneInfo("Europe/Berlin"))
    with Lake.open(tmp_path / "lake", elsewhere, maintain=False) as lake:
        with pytest.raises(LakeError, match="Asia/Shanghai"):
            lake.commit()
        with pytest.raises(LakeError, match="Asia/Shanghai"):
            lake.query("SELECT 1 FROM readings")


def test_bounds_must_be_positive() -> None:
    with pytest.raises(ConfigError, match="queue_rows_max must be positive, not 0"):
        LakeSettings(queue_rows_max=0)


def test_every_setting_says_what_it_is() -> None:
    (body,) = (
        node.body for node in ast.parse(inspect.getsource(settings_module)).body if isinstance(node, ast.ClassDef)
    )
    for field, words in pairwise(body):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(words, ast.Expr), ast.unparse(field)


def test_a_dead_thread_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Lake.open(tmp_path / "lake", SLOW) as lake:
        assert lake.failed() is None
        assert lake._committer is not None
        worker = lake._committer._worker

        def die(error: BaseException) -> None:
            raise error

        monkeypatch.setattr(worker, "_survive", die)
        lake._committer._journal.close()
        lake._committer.hurry()
        worker.join()
        assert (lake.failed() or "").startswith("the thread lake-committer has ended: JournalError(")
    with Lake.open(tmp_path / "lake", SLOW) as lake:
        pass
    assert lake.failed() is None
    with Lake.open(tmp_path / "lake", write=False) as reading:
        assert reading.failed() is None
