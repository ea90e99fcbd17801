"""The archives at size: importing them, holding them in the head-end's memory, and asking them for meters.

Run: ``python -m benchmarks.registry [--meters N] [--where PATH_OR_URL] [--json FILE]``. The database at ``--where``
must be empty; by default it is an SQLite file that is thrown away. Half the terminals speak DL/T 698.45, half
Q/GDW 1376.1; 500 meters hang on each.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert, select

from meterweave.registry import Directory, Meter, Registry, Terminal
from meterweave.registry.address import GDW1376, point_key, read_address
from meterweave.registry.changes import touch
from meterweave.registry.importing import import_octets
from meterweave.registry.vocabulary import TerminalState, Utility

_METERS_A_TERMINAL = 500
_ROWS_AT_ONCE = 50_000
_BATCH = 5_000  # rows looked up at once: what a busy head-end decodes in a tenth of a second
_FILE_ROWS = 50_000


class Result(NamedTuple):
    """One row of the table."""

    name: str
    value: float
    unit: str


def _address(number: int) -> tuple[str, str]:
    """Protocol and address of a terminal; a region of 1376.1 has 65,534 of them."""
    if number % 2:
        return "dlt698", str(number)
    return GDW1376, f"{0x3301 + number // 60_000:04x}-{number % 60_000 + 1}"


def fill(registry: Registry, meters: int) -> None:
    """Terminals and meters by bulk statements."""
    with registry.writing() as session:
        for number in range(1, -(-meters // _METERS_A_TERMINAL) + 1):
            protocol, text = _address(number)
            address = read_address(protocol, text)
            session.add(
                Terminal(
                    id=number,
                    protocol=protocol,
                    address=address.text,
                    address_key=address.key,
                    state=TerminalState.ACTIVE,
                )
            )
        session.flush()
        keys = {row.id: (row.protocol, row.address_key) for row in session.scalars(select(Terminal))}
        session.expunge_all()
        for first in range(0, meters, _ROWS_AT_ONCE):
            session.connection().execute(
                insert(Meter),
                [_meter(number, keys) for number in range(first, min(first + _ROWS_AT_ONCE, meters))],
            )
        touch(session, [None])


def _meter(number: int, terminals: dict[int, tuple[str, int]]) -> dict[str, object]:
    terminal, point = divmod(number, _METERS_A_TERMINAL)
    protocol, key = terminals[terminal + 1]
    address = read_address("dlt645", str(number + 1))
    return {
        "utility": Utility.ELECTRICITY,
        "protocol": "dlt645",
        "address": address.text,
        "address_key": address.key,
        "terminal_id": terminal + 1,
        "point_number": point + 1,
        "wire_key": point_key(key, point + 1) if protocol == GDW1376 else address.key,
    }


def best_seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """The shortest of several runs. [s]"""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def measure(registry: Registry, meters: int) -> Iterator[Result]:
    """All figures, in the order of the table."""
    start = time.perf_counter()
    fill(registry, meters)
    yield Result("rows written in bulk", meters / (time.perf_counter() - start), "meters/s")

    start = time.perf_counter()
    directory = Directory(registry)
    yield Result("directory read anew", time.perf_counter() - start, "s")
    seen = directory.snapshot
    yield Result("memory, keys of stored data", seen.by_wire.octets / meters, "octets/meter")
    yield Result("memory, all columns", seen.octets / meters, "octets/meter")

    random = np.random.default_rng(1)
    held = seen.by_wire.entries()
    rows = random.integers(0, len(held.key), _BATCH)
    terminals, keys, wanted = held.terminal[rows], held.key[rows], held.meter[rows]
    assert np.array_equal(seen.meters_of_many(terminals, keys), wanted)
    spent = best_seconds(lambda: seen.meters_of_many(terminals, keys))
    yield Result(f"ids of {_BATCH} rows of many terminals", 1e9 * spent / _BATCH, "ns/row")
    one = int(terminals[0])
    own = random.permutation(held.key[held.terminal == one])
    spent = best_seconds(lambda: seen.meters(one, own))
    yield Result(f"ids of {len(own)} rows of one terminal", 1e9 * spent / len(own), "ns/row")
    spent = best_seconds(lambda: seen.meters(one, own[:1]), 200)
    yield Result("id of one row of one terminal", 1e6 * spent, "us")
    entry = seen.terminals.by_id(one)
    assert entry is not None
    spent = best_seconds(lambda: seen.terminal(entry.protocol, entry.address_key), 200)
    yield Result("terminal by address", 1e6 * spent, "us")

    spent = best_seconds(directory.refresh, 50)
    yield Result("refresh, nothing changed", 1e3 * spent, "ms")

    def change() -> float:
        with registry.writing() as session:
            found = session.get_one(Terminal, one)
            found.heartbeat_s = 1500 - found.heartbeat_s
        start = time.perf_counter()
        directory.refresh()
        return time.perf_counter() - start

    yield Result("refresh, one terminal changed", 1e3 * min(change() for _ in range(5)), "ms")
    count = min(_FILE_ROWS, meters)
    text = "\n".join(
        ["protocol,address,model", *(f"dlt645,{number + 1},DDZY-{number % 9}" for number in range(count))]
    ).encode()
    for name in ("changing every row", "changing nothing"):
        start = time.perf_counter()
        assert import_octets(registry, text, "meters.csv").applied
        yield Result(f"import of {count} rows, {name}", count / (time.perf_counter() - start), "rows/s")


@contextmanager
def _open(where: str | None) -> Iterator[Registry]:
    with tempfile.TemporaryDirectory() as folder:
        registry = Registry.open(where or Path(folder) / "registry.sqlite")
        try:
            yield registry
        finally:
            registry.close()


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=1_000_000)
    parser.add_argument("--where", help="path or URL of an empty database")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with _open(arguments.where) as registry:
        engine = registry.engine.dialect.name
        results = list(measure(registry, arguments.meters))
    table = Table(title=f"registry, {arguments.meters:,} meters, {engine}")
    for heading in ("what", "value", "unit"):
        table.add_column(heading, justify="right" if heading == "value" else "left")
    for result in results:
        table.add_row(
            result.name, f"{result.value:,.4g}" if result.value < 1000 else f"{result.value:,.0f}", result.unit
        )
    Console().print(table)
    if arguments.json:
        found = {"meters": arguments.meters, "engine": engine, "results": [result._asdict() for result in results]}
        arguments.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
