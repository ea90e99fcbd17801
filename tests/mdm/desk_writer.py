"""A process that enters a file of readings and kills itself at some point of it.

Run: ``python -m tests.mdm.desk_writer FOLDER FILE POINT``; the points are those of `POINTS`, or ``never``.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from meterweave.lake import Lake, LakeSettings
from meterweave.mdm import desk
from meterweave.mdm.desk import Desk
from meterweave.registry import Registry
from meterweave.registry.entered import Book, Terms

POINTS: dict[str, tuple[Any, str]] = {
    "archives written, not committed": (Book, "write"),
    "archives committed": (desk, "deliver"),
    "lake asked, not written": (Lake, "append_blocking"),
    "journal written": (Lake, "commit"),
}


def deadly(call: Callable[..., Any], *, first: bool) -> Callable[..., Any]:
    def run(*words: Any, **more: Any) -> Any:
        if first:
            call(*words, **more)
        os.kill(os.getpid(), signal.SIGKILL)

    return run


def main(folder: Path, file: Path, point: str) -> None:
    if point in POINTS:
        owner, name = POINTS[point]
        setattr(owner, name, deadly(getattr(owner, name), first=name == "write"))
    registry = Registry.open(folder / "registry.sqlite")
    found = Desk(registry, folder / "lake", LakeSettings())
    report = found.import_octets(file.read_bytes(), file.name, Terms("clerk", datetime.now(UTC)))
    print(report.ok, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
