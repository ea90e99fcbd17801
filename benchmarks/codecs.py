"""Speed of the codecs on one core, checksums verified, beside the peers that can be installed.

Run: ``python -m benchmarks.codecs [--quick] [--json FILE]``. Every figure is the best of several runs over distinct
seeded frames; "stream → columns" feeds 64 KiB pieces to the `FrameDecoder` and its frames to `decode_batch`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import frames, peers
from meterweave.protocols.codec import Codec
from meterweave.protocols.registry import registry

_PIECE = 1 << 16  # octets; about what one read of a busy socket delivers


class Case(NamedTuple):
    """What is measured, over how many frames and values."""

    name: str
    codec: str
    frames: list[bytes]
    values: int  # a frame
    wanted: float  # a second, from the issue that set the goal
    unit: str  # what is counted: "frames" or "values"


class Result(NamedTuple):
    """One row of the table."""

    name: str
    per_second: float
    unit: str
    wanted: float | None
    microseconds_per_frame: float


def cases(count: int) -> list[Case]:
    """The layouts that fill a head-end's day."""
    return [
        Case("698.45 report, 1 row x 5 values", "dlt698", frames.dlt698_reports(count), 5, 300_000, "frames"),
        Case(
            "698.45 record, 20 rows x 5 values", "dlt698", frames.dlt698_records(count // 8), 100, 10_000_000, "values"
        ),
        Case("645 read reply, 1 value", "dlt645", frames.dlt645_reads(count), 1, 300_000, "frames"),
        Case("1376.1 AFN0D curve, 96 points", "gdw1376-1", frames.gdw1376_curves(count // 4), 96, 5_000_000, "values"),
        Case("188 water reply, 2 volumes", "cjt188", frames.cjt188_reads(count), 2, 300_000, "frames"),
    ]


def best_seconds(run: Callable[[], object], repeats: int) -> float:
    """The shortest of `repeats` runs, in seconds of processor time: what else the machine does counts little."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


def stream_to_columns(codec: Codec, octets: bytes) -> int:
    """Split and decode a stream; the number of readings."""
    decoder = codec.decoder()
    found = []
    for at in range(0, len(octets), _PIECE):
        found += decoder.feed(octets[at : at + _PIECE])
    return len(codec.decode_batch([frame for frame in found if isinstance(frame, bytes)]))


def measure(case: Case, repeats: int) -> list[Result]:
    """The bulk path and the complete decoder on the same frames."""
    codec = registry()[case.codec]
    octets = b"".join(case.frames)
    readings = stream_to_columns(codec, octets)
    if readings != case.values * len(case.frames):
        raise AssertionError(f"{case.name}: {readings} readings from {len(case.frames)} frames")
    bulk = best_seconds(lambda: stream_to_columns(codec, octets), repeats)
    some = case.frames[:5_000]
    complete = best_seconds(lambda: deque(map(codec.decode, some), maxlen=0), repeats)
    factor = case.values if case.unit == "values" else 1
    return [
        Result(
            f"{case.name}: stream → columns",
            factor * len(case.frames) / bulk,
            case.unit,
            case.wanted,
            bulk / len(case.frames) * 1e6,
        ),
        Result(f"{case.name}: complete decoder", len(some) / complete, "frames", 20_000, complete / len(some) * 1e6),
    ]


def measure_peers(repeats: int) -> list[Result]:
    """The same number of values out of the peers' own frames."""
    found = []
    for peer in peers.available():
        seconds = best_seconds(peer.run, repeats) / peer.frames
        found.append(Result(f"{peer.name}: {peer.what}", 1 / seconds, "frames", None, seconds * 1e6))
    return found


def show(results: Sequence[Result]) -> None:
    """The table on standard output."""
    table = Table(box=None, header_style="bold")
    for name in ("case", "a second", "of", "wanted", "µs a frame"):
        table.add_column(name, justify="left" if name in ("case", "of") else "right")
    for one in results:
        wanted = "" if one.wanted is None else f"{one.wanted:,.0f}"
        style = "red" if one.wanted and one.per_second < one.wanted else ""
        table.add_row(
            one.name, f"{one.per_second:,.0f}", one.unit, wanted, f"{one.microseconds_per_frame:,.2f}", style=style
        )
    Console(width=120).print(table)


def main() -> None:
    """Measure, print, and write JSON when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few frames, one run: does it work at all")
    parser.add_argument("--json", type=Path, help="write the figures there")
    options = parser.parse_args()
    count, repeats = (2_000, 1) if options.quick else (100_000, 5)
    results = [result for case in cases(count) for result in measure(case, repeats)]
    results += measure_peers(repeats)
    show(results)
    if options.json:
        options.json.write_text(json.dumps([result._asdict() for result in results], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
