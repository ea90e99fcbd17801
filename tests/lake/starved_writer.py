"""A process that writes to a lake while it has no file handle left, and then has some again.

Run: ``python -m tests.lake.starved_writer FOLDER {cold,warm}``. Cold: the handles are gone before the first commit, the
first log line and the first traceback; warm: after some. Its last line says how that ended.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from meterweave.lake import Lake, LakeError, LakeSettings
from tests.lake.rows import NOON_US, curve

# The thread commits when there is a row, and only then, until a commit fails.
SETTINGS = LakeSettings(commit_interval_s=3600, commit_rows_max=1, retry_max_s=0.02)
HANDLES = 128
PATIENCE_S = 60
HOUR_US = 3_600_000_000


def until(true: Callable[[], bool]) -> bool:
    patience = time.monotonic() + PATIENCE_S
    while not (done := true()) and time.monotonic() < patience:
        time.sleep(0.005)
    return done


def take_all() -> list[int]:
    held = []
    with suppress(OSError):
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    return held


class Run:
    """Appends to one lake and commits, and counts what it was acknowledged."""

    def __init__(self, lake: Lake) -> None:
        self.lake, self.batches = lake, 0

    def keep(self) -> None:
        with suppress(LakeError):
            self.lake.append_blocking(curve(range(1), first_us=NOON_US + self.batches * HOUR_US))
            self.batches += 1

    def commit(self) -> None:
        with suppress(LakeError):
            self.lake.commit()

    def recovered(self) -> bool:
        status = self.lake.status()
        return status.writer.rows_held == 0 and status.committer.failing_since is None

    def starve(self) -> bool:
        """Without a handle, then with one more after the other, so that what needs several fails midway."""
        held, before = take_all(), self.batches
        self.keep()
        refused = self.batches == before
        starved = refused or until(lambda: self.lake.status().committer.failing_since is not None)
        for _ in range(12):
            os.close(held.pop())
            for _ in range(3):
                self.keep()
                self.commit()
        for handle in held:
            os.close(handle)
        return starved


def main(folder: str, *, warm: bool) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (HANDLES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    curve(range(1))  # whatever Arrow and NumPy load for it is not what is tested
    # Without maintenance: DuckDB, with which it asks, has been seen to abort a process without handles.
    with Lake.open(folder, SETTINGS, maintain=False) as lake:
        run = Run(lake)
        if warm:
            run.keep()
            until(lambda: lake.status().committer.commits == 1)
        starved = run.starve()
        run.keep()  # from here on the threads are on their own
        recovered = until(run.recovered)
        in_tables = lake.query("SELECT * FROM raw_readings WHERE layer <> 'journal'").num_rows
        said = {"starved": starved, "recovered": recovered, "kept": run.batches * 4, "in_tables": in_tables}
        print(json.dumps(said | {"failed": lake.failed()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], warm=sys.argv[2] == "warm")
