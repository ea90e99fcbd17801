"""Archives to list: two counties, one terminal each, and meters of every sort."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from meterweave.manager.identity import Identity, Scope, at_the_machine
from meterweave.manager.listing import Page, page, read_question, table_named
from meterweave.registry import Installation, Meter, Registry, Terminal, UsagePoint
from meterweave.registry.address import read_address
from meterweave.registry.collection import CollectionGap, CollectionPlan, GapState, Series
from meterweave.registry.commands import Command, CommandKind, CommandState
from meterweave.registry.vocabulary import Utility
from tests.manager.people import network
from tests.registry.records import add_terminal, day

ALL = at_the_machine("tests")


def of_county(organisation: int) -> Identity:
    """Somebody who sees what is at one organisation."""
    return Identity(
        user=1,
        name="county",
        permissions=ALL.permissions,
        scope=Scope(organisations=frozenset({organisation})),
        means="password",
    )


def build(registry: Registry, meters: int = 12) -> dict[str, int]:
    """A network of `people.network` with terminals T1 and T2 in its districts; ids by names."""
    with registry.writing() as session:
        ids = network(session)
        for name, number in (("T1", "100"), ("T2", "200")):
            terminal = add_terminal(session, number)
            terminal.district_id, terminal.name = ids["D1" if name == "T1" else "D2"], name
            session.flush()
            ids[name] = terminal.id
        line = Terminal(protocol="bus", address="cellar", address_key=7, kind="module", state="active")
        session.add(line)
        session.flush()
        ids["line"] = line.id
        session.connection().execute(insert(Meter), [_meter(number, ids) for number in range(1, meters + 1)])
        session.add_all(
            UsagePoint(
                id=number,
                code=f"YH{number:03d}",
                name="幸福小区" if number % 3 else "",
                district_id=ids["D2" if number == 5 else "D1"],
            )
            for number in range(1, 6)
        )
        session.flush()
        session.add_all(
            Installation(
                meter_id=number,
                usage_point_id=number,
                utility=_utility(number),
                installed_at=day(number),
                removed_at=day(number + 9) if number == 2 else None,
            )
            for number in range(1, 6)
        )
        _collection(session, ids)
        for number in range(1, 9):
            session.add(_command(number, ids["T1" if number % 2 == 0 else "T2"], number if number < 5 else None))
    return ids


def _utility(number: int) -> Utility:
    return Utility.WATER if number % 4 == 0 else Utility.ELECTRICITY


def _meter(number: int, ids: dict[str, int]) -> dict[str, Any]:
    address = read_address("dlt645", str(number * 7919 % 1009))
    where = (ids["T1"], ids["T2"], ids["line"], None)[number % 4 if number > 4 else number % 2]
    return {
        "id": number,
        "utility": _utility(number),
        "protocol": "manual" if where is None and number % 8 == 3 else "dlt645",
        "address": address.text,
        "address_key": address.key,
        "asset_number": None if number % 3 == 0 else f"ZC{number % 5}",
        "model": f"M-{number % 2}",
        "terminal_id": where,
        "wire_key": None if where is None else address.key,
        "phase": (None, "A", "B")[number % 3],
    }


def _collection(session: Session, ids: dict[str, int]) -> None:
    for number, (district, owner) in enumerate(((None, None), (ids["D1"], None), (None, ids["K2"]))):
        plan = CollectionPlan(
            name=f"plan {number}",
            utility=Utility.ELECTRICITY,
            district_id=district,
            organisation_id=owner,
            series=Series.CURVE,
            period_s=900,
            quantities="1-0:1.8.0",
            deadline_s=900,
            memory_days=7,
            enabled=number != 1,
        )
        session.add(plan)
        session.flush()
        session.add_all(
            CollectionGap(
                terminal_id=ids[terminal],
                plan_id=plan.id,
                day=date(2026, 1, at),
                missing=at * 10,
                meters=at,
                oldest_at=day(at),
                attempts=at,
                next_try_at=day(at),
                state=GapState.OPEN if at % 2 else GapState.GIVEN_UP,
                reason_en="no answer",
                reason_zh="无应答",
            )
            for terminal in ("T1", "T2")
            for at in range(1, 5)
        )


def _command(number: int, terminal: int, meter: int | None) -> Command:
    return Command(
        operator=f"op{number % 2}",
        caller_id=str(number),
        kind=CommandKind.READ,
        terminal_id=terminal,
        meter_id=meter,
        arguments={},
        reason="=1+1",
        created_at=day(number),
        not_after=day(number + 1),
        state=CommandState.CONFIRMED if number % 2 else CommandState.UNKNOWN,
        state_at=day(number),
    )


def ask(
    registry: Registry,
    table: str,
    *filters: tuple[str, str],
    identity: Identity = ALL,
    sort: str | None = None,
    text: str = "",
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """A page of a table."""
    question = read_question(table_named(table), filters, sort=sort, text=text)
    with registry.reading() as session:
        return page(session, identity, question, limit=limit, cursor=cursor)


def column(found: Page, name: str) -> list[Any]:
    """The cells of one column."""
    at = [one.name for one in found.question.table.columns].index(name)
    return [row.cells[at] for row in found.rows]
