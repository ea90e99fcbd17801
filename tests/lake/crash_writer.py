"""A process that writes to a lake until it is killed, and says on its output what it was acknowledged.

Run: ``python -m tests.lake.crash_writer FOLDER FIRST_METER``. One octet line for each acknowledgement: meter, value and
the moment of receipt, written with one system call, so that a line is either there or not.
"""

import asyncio
import itertools
import os
import sys

from meterweave.lake import JournalError, Lake, LakeSettings
from tests.lake.rows import NOON_US, curve, frames, outage

SETTINGS = LakeSettings(
    commit_interval_s=0.05,
    maintenance_interval_s=0.05,
    settle_after_s=1,
    late_wait_s=0.001,
    merge_files_min=2,
    group_interval_s=0.001,
    retry_max_s=0.2,
    frames_days=100_000,
)
CALLERS = 8


async def caller(lake: Lake, number: int, first: int) -> None:
    for turn in itertools.count():
        meter, value, received = first + number, turn * 1000, NOON_US + turn
        # Every other batch repeats the key of the one before with a later value, as a re-read does.
        rows = curve(
            range(meter, meter + 1), first_us=NOON_US + turn // 2 * 3_600_000_000, value=value, received_us=received
        )
        # An outage is reported when it begins and, with its end, by the turn after; each turn has its frame.
        ended = NOON_US + turn if turn % 2 else None
        reported = outage(range(meter, meter + 1), began_us=NOON_US + turn // 2, ended_us=ended, received_us=received)
        wire = frames(range(meter, meter + 1), received_us=received, octets=str(turn).encode())
        try:
            await lake.append(rows, events=reported, frames=wire)
        except JournalError:
            os.write(1, b"refused\n")
            await asyncio.sleep(0.01)
            continue
        os.write(1, f"{meter} {turn} {value}\n".encode())


async def main(folder: str, first: int) -> None:
    with Lake.open(folder, SETTINGS) as lake:
        await asyncio.gather(*(caller(lake, number, first) for number in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
