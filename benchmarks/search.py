"""Finding and listing among a million meters: how long people wait, on SQLite and on PostgreSQL.

Run: ``python -m benchmarks.search [--meters N] [--postgresql URL] [--exports] [--json FILE]``. The archives are made
up, with as many usage points and installations as meters, and thrown away. ``--postgresql`` names a server on which a
database may be made, ``postgresql://postgres@127.0.0.1:5432``; without it SQLite alone is measured. The county that
sees only its own is one of a hundred.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from meterweave.manager.finding import find
from meterweave.manager.identity import Identity, Scope, at_the_machine
from meterweave.manager.listing import page, read_question, table_named
from meterweave.manager.listing.export import export_csv, export_workbook
from meterweave.registry import Installation, Meter, Organisation, Registry, Terminal, TransformerDistrict, UsagePoint
from meterweave.registry.address import read_address
from meterweave.registry.collection import CollectionGap, CollectionPlan
from meterweave.registry.commands import Command

_METERS_A_TERMINAL = 500
_COUNTIES, _CITIES = 100, 10
_ROWS_AT_ONCE = 50_000
_REPEATS = 20
_START = datetime(2026, 1, 1, tzinfo=UTC)
_PLACES = ("幸福", "阳光", "翠湖", "东风", "和平", "建设", "李家", "河西")
_ESTATES = ("小区", "花园", "家园", "苑", "里")


class Result(NamedTuple):
    """One row of the table."""

    name: str
    p50: float
    p95: float
    unit: str


def rows(meters: int) -> Iterator[tuple[Any, Iterable[dict[str, Any]]]]:
    """The archives, table by table."""
    terminals = -(-meters // _METERS_A_TERMINAL)
    counties = 1 + _CITIES
    yield Organisation, (_organisation(number) for number in range(1, 1 + counties + _COUNTIES))
    yield (
        TransformerDistrict,
        (
            {
                "id": number,
                "code": f"TQ{number:06d}",
                "name": f"{_PLACES[number % 8]}路{number}号台区",
                "organisation_id": counties + 1 + number % _COUNTIES,
                "ct_primary_a": 1,
                "ct_secondary_a": 1,
            }
            for number in range(1, terminals + 1)
        ),
    )
    yield Terminal, (_terminal(number) for number in range(1, terminals + 1))
    yield UsagePoint, (_usage_point(number) for number in range(1, meters + 1))
    yield Meter, (_meter(number) for number in range(1, meters + 1))
    yield (
        Installation,
        (
            {
                "id": number,
                "meter_id": number,
                "usage_point_id": number,
                "utility": _utility(number),
                "installed_at": _START + timedelta(minutes=number),
                "removed_at": None,
            }
            for number in range(1, meters + 1)
        ),
    )
    yield Command, (_command(number) for number in range(1, meters // 10 + 1))
    yield CollectionGap, (_gap(number, terminals) for number in range(min(meters // 10, 60 * terminals)))


def _organisation(number: int) -> dict[str, Any]:
    above = None if number == 1 else 1 if number <= 1 + _CITIES else 2 + number % _CITIES
    return {"id": number, "code": f"ORG{number:03d}", "name": f"第{number}供电单位", "parent_id": above}


def _terminal(number: int) -> dict[str, Any]:
    address = read_address("dlt698", str(number * 7))
    return {
        "id": number,
        "protocol": "dlt698",
        "address": address.text,
        "address_key": address.key,
        "kind": "concentrator",
        "state": "active",
        "enrolled_by": "imported",
        "name": f"{_PLACES[number % 8]}集中器{number}",
        "heartbeat_s": 900,
        "district_id": number,
        "channel": "cellular",
        "commission_tries": 0,
        "last_seen_at": _START + timedelta(seconds=number * 37 % 86_400),
    }


def _usage_point(number: int) -> dict[str, Any]:
    name = f"{_PLACES[number % 8]}{_ESTATES[number % 5]}{number % 97}号楼{number % 31}单元{number % 2003}室"
    return {
        "id": number,
        "code": f"YH{number * 7919 % 1_000_003:09d}{number % 10}{number}",
        "name": "王小明" if number == 4711 else name,
        "district_id": 1 + (number - 1) // _METERS_A_TERMINAL,
    }


def _utility(number: int) -> str:
    return (
        "heat" if number % 1000 == 0 else "gas" if number % 20 == 0 else "water" if number % 4 == 0 else "electricity"
    )


def _meter(number: int) -> dict[str, Any]:
    address = read_address("dlt645", f"{33_0000_000000 + number * 7919 % 10_000_019:012d}")
    terminal, point = divmod(number - 1, _METERS_A_TERMINAL)
    return {
        "id": number,
        "utility": _utility(number),
        "protocol": "dlt645",
        "address": address.text,
        "address_key": address.key,
        "local_address": False,
        "asset_number": None if number % 10 == 0 else f"ZC{number * 104_729 % 100_000_007:010d}",
        "model": f"DDZY-{number % 37}",
        "terminal_id": terminal + 1,
        "point_number": point + 1,
        "wire_key": address.key,
        "ct_primary": 1,
        "ct_secondary": 1,
        "pt_primary": 1,
        "pt_secondary": 1,
    }


def _command(number: int) -> dict[str, Any]:
    at = _START + timedelta(seconds=number)
    return {
        "id": number,
        "operator": f"op{number % 7}",
        "caller_id": str(number),
        "kind": ("read", "clock", "trip")[number % 3],
        "terminal_id": 1 + (number - 1) // _METERS_A_TERMINAL,
        "meter_id": number,
        "arguments": {},
        "reason": "inspection",
        "created_at": at,
        "not_after": at + timedelta(hours=1),
        "state": "unknown" if number % 500 == 0 else "confirmed",
        "state_at": at,
        "tries": 0,
    }


def _gap(number: int, terminals: int) -> dict[str, Any]:
    day, terminal = divmod(number, terminals)
    return {
        "terminal_id": terminal + 1,
        "plan_id": 1,
        "day": date(2026, 1, 1) + timedelta(days=day),
        "missing": number % 500,
        "meters": number % 40,
        "oldest_at": _START,
        "attempts": number % 5,
        "next_try_at": _START,
        "state": "given_up" if number % 50 == 0 else "open",
        "reason_en": "no answer",
        "reason_zh": "无应答",
    }


def fill(registry: Registry, meters: int) -> dict[str, float]:
    """Make the archives, by COPY on PostgreSQL; how long each table took. [s]"""
    spent: dict[str, float] = {}
    with registry.writing() as session:
        connection = session.connection()
        assert session.get(CollectionPlan, 1) is not None
        for model, made in rows(meters):
            start = time.perf_counter()
            if registry.engine.dialect.name == "postgresql":
                _copy(connection.connection.driver_connection, model, made)
            else:
                for some in _chunks(made):
                    connection.execute(insert(model.__table__), some)
            spent[model.__tablename__] = time.perf_counter() - start
    if registry.engine.dialect.name == "postgresql":
        with registry.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return spent


def _copy(driver: Any, model: Any, made: Iterable[dict[str, Any]]) -> None:
    held = iter(made)
    first = next(held)
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {model.__tablename__} ({', '.join(first)}) FROM STDIN") as copy,
    ):
        for row in chain((first,), held):
            copy.write_row([json.dumps(one) if isinstance(one, dict) else one for one in row.values()])


def _chunks(made: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    held = iter(made)
    while some := list(islice(held, _ROWS_AT_ONCE)):
        yield some


def waits(run: Callable[[int], object], repeats: int = _REPEATS) -> tuple[float, float]:
    """Median and 95th percentile of how long `run` takes, called with 0, 1, 2 … [ms]"""
    spent = []
    for number in range(repeats):
        start = time.perf_counter()
        run(number)
        spent.append(1e3 * (time.perf_counter() - start))
    return float(np.percentile(spent, 50)), float(np.percentile(spent, 95))


def _county() -> Identity:
    return replace(at_the_machine("county"), scope=Scope(organisations=frozenset({2 + _CITIES})))


def _texts(meters: int) -> dict[str, Callable[[int], str]]:
    def number(at: int) -> int:
        return 1 + at * 7_654_321 % meters

    return {
        "a whole address": lambda at: str(_meter(number(at))["address"]),
        "its last 6 digits": lambda at: str(_meter(number(at))["address"])[-6:],
        "its last 4 digits": lambda at: str(_meter(number(at))["address"])[-4:],
        "3 digits, in many": lambda at: f"{(at * 37) % 1000:03d}",
        "2 digits, in most": lambda at: f"{(at * 7) % 100:02d}",
        "an asset number's 5 digits": lambda at: f"{number(at) * 104_729 % 100_000_007:010d}"[-5:],
        "a usage point's code": lambda at: str(_usage_point(number(at))["code"]),
        "a name of 2 characters, once": lambda at: "小明",
        "a name of 2 characters, in many": lambda at: _ESTATES[at % 4],
        "a street and a number": lambda at: f"{_PLACES[at % 8]}{_ESTATES[at % 5]}{at % 97}号",
        "nothing that is there": lambda at: f"qx{at}zz",
    }


_LISTS: tuple[tuple[str, str, Sequence[tuple[str, str]], str | None], ...] = (
    ("meters, by address", "meters", (), "address"),
    ("meters, by asset number", "meters", (), "-asset_number"),
    ("meters, by model", "meters", (), "model"),
    ("meters, by utility", "meters", (), "utility"),
    ("meters: electricity, by address", "meters", (("utility", "electricity"),), "address"),
    ("meters: heat, by address", "meters", (("utility", "heat"),), "address"),
    ("meters: a model, by address", "meters", (("model", "DDZY-7"),), "address"),
    ("meters: an organisation, by model", "meters", (("organisation", "ORG042"),), "model"),
    ("meters: a district, by address", "meters", (("district", "TQ000042"),), "address"),
    ("meters: a terminal", "meters", (("terminal", "000000000070"),), None),
    ("meters: behind concentrators", "meters", (("how", "concentrator"),), None),
    ("meters: not collected", "meters", (("how", "none"),), None),
    ("meters: no asset number", "meters", (("asset_number.empty", "true"),), "address"),
    ("meters: address has 1234", "meters", (("address.contains", "1234"),), "address"),
    ("meters: address has 33", "meters", (("address.contains", "33"),), "address"),
    ("usage points, by name", "usage_points", (), "name"),
    ("usage points: name has 翠湖", "usage_points", (("name.contains", "翠湖"),), "-code"),
    ("installations, newest first", "installations", (), None),
    ("installations: water", "installations", (("utility", "water"),), None),
    ("commands, newest first", "commands", (), None),
    ("commands: unknown", "commands", (("state", "unknown"),), None),
    ("gaps, newest first", "gaps", (), None),
    ("gaps: given up", "gaps", (("state", "given_up"),), "-missing"),
    ("terminals, by when last seen", "terminals", (), "-last_seen"),
)


def measure(registry: Registry, meters: int) -> Iterator[Result]:
    """All waits, in the order of the table."""
    everybody, county = at_the_machine("all"), _county()
    for who, identity in (("", everybody), (", a county's", county)):
        for name, text in _texts(meters).items():

            def search(at: int, text: Callable[[int], str] = text, identity: Identity = identity) -> None:
                with registry.reading() as session:
                    find(session, identity, text(at))

            yield Result(f"find {name}{who}", *waits(search), "ms")
    for who, identity in (("", everybody), (", a county's", county)):
        for name, table, filters, sort in _LISTS:
            yield Result(f"{name}{who}", *waits(_pages(registry, identity, table, filters, sort)), "ms")


def _pages(
    registry: Registry, identity: Identity, table: str, filters: Sequence[tuple[str, str]], sort: str | None
) -> Callable[[int], None]:
    """Page after page, from the first again behind the last."""
    question = read_question(table_named(table), filters, sort=sort)
    cursor: str | None = None

    def turn(_: int) -> None:
        nonlocal cursor
        with registry.reading() as session:
            cursor = page(session, identity, question, cursor=cursor).after

    return turn


def measure_exports(registry: Registry, meters: int, folder: Path) -> Iterator[Result]:
    """All meters to files, each written by a process of its own, so that its memory can be told."""
    for name, write in (("CSV", _to_csv), ("Excel", _to_workbook)):
        seconds, mebibytes = _apart(write, registry.engine.url.render_as_string(hide_password=False), folder)
        yield Result(f"{meters:,} meters to {name}", seconds, seconds, "s")
        yield Result(f"its memory, {name}", mebibytes, mebibytes, "MiB")


def _to_csv(registry: Registry, folder: Path) -> None:
    question = read_question(table_named("meters"))
    with registry.reading() as session, (folder / "meters.csv").open("w", encoding="utf-8", newline="") as file:
        file.writelines(export_csv(session, at_the_machine("all"), question, language="en", zone=UTC))


def _to_workbook(registry: Registry, folder: Path) -> None:
    question = read_question(table_named("meters"))
    with registry.reading() as session:
        export_workbook(session, at_the_machine("all"), question, folder / "meters.xlsx", language="en", zone=UTC)


def _apart(write: Callable[[Registry, Path], None], where: str, folder: Path) -> tuple[float, float]:
    """Seconds, and mebibytes above what the program itself takes."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        registry = Registry.open(where)
        start = time.perf_counter()
        write(registry, folder)
        spent = time.perf_counter() - start
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        os.write(outlet, json.dumps([spent, grown / 1024]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(outlet)
    with os.fdopen(inlet) as told:
        seconds, mebibytes = json.load(told)
    return seconds, mebibytes


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"meterweave_search_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _run(where: str, meters: int, folder: Path, *, exports: bool) -> list[Result]:
    registry = Registry.open(where)
    try:
        spent = fill(registry, meters)
        found = [Result(f"filling {name}", seconds, seconds, "s") for name, seconds in spent.items()]
        found.append(Result("filling, all", sum(spent.values()), sum(spent.values()), "s"))
        found += measure(registry, meters)
        if exports:
            registry.engine.dispose()
            found += measure_exports(registry, meters, folder)
        return found
    finally:
        registry.close()


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=1_000_000)
    parser.add_argument("--postgresql", help="a server on which a database may be made and dropped")
    parser.add_argument("--exports", action="store_true", help="write all meters to files, too")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    engines: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        engines["SQLite"] = _run(str(folder / "r.sqlite"), arguments.meters, folder, exports=arguments.exports)
        if arguments.postgresql:
            with _database(arguments.postgresql) as where:
                engines["PostgreSQL"] = _run(where, arguments.meters, folder, exports=arguments.exports)
    table = Table(title=f"finding and listing, {arguments.meters:,} meters")
    table.add_column("what")
    for engine in engines:
        table.add_column(f"{engine} p50", justify="right")
        table.add_column("p95", justify="right")
    table.add_column("unit")
    for results in zip(*engines.values(), strict=True):
        cells = [f"{one:,.3g}" if one < 1000 else f"{one:,.0f}" for result in results for one in result[1:3]]
        table.add_row(results[0].name, *cells, results[0].unit)
    Console(width=140).print(table)
    if arguments.json:
        told = {engine: [result._asdict() for result in results] for engine, results in engines.items()}
        arguments.json.write_text(json.dumps({"meters": arguments.meters, "results": told}, indent=2))


if __name__ == "__main__":
    main()
