"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what is to stand at `path`; it is put there when all is written, and forgotten on any exception.

    A device or a pipe is written to directly.

    Raises
    ------
    OSError
        If it cannot be written there.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch()
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
