"""Pages: every row once, in order, whatever is sorted and filtered, written meanwhile, and out of sight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from sqlalchemy import insert

from meterweave.manager.errors import NotAllowed
from meterweave.manager.identity import Scope
from meterweave.manager.listing import TABLES, Operator, Page, ServerTable
from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.value import write_value
from meterweave.registry import Meter, Registry, Terminal
from tests.manager.listing.estate import ALL, ask, build, column, of_county
from tests.registry.conftest import empty


@pytest.fixture(params=["gathered", "walked"])
def found_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The two ways to a page, of which the number of rows decides."""
    if request.param == "walked":
        monkeypatch.setattr("meterweave.manager.listing.paging.GATHERED_MAX", 0)
    return str(request.param)


class Estate(NamedTuple):
    """Archives that no test changes, made once a module for each engine."""

    registry: Registry
    ids: dict[str, int]


@pytest.fixture(scope="module")
def estate(_shared: Registry) -> Estate:
    empty(_shared)
    return Estate(_shared, build(_shared, meters=24))


def pages(
    registry: Registry, table: str, *filters: tuple[str, str], cursor: str | None = None, **more: Any
) -> Iterator[Page]:
    while True:
        found = ask(registry, table, *filters, cursor=cursor, **more)
        yield found
        cursor = found.after
        if cursor is None:
            return


def everything(
    registry: Registry, table: str, *filters: tuple[str, str], cursor: str | None = None, **more: Any
) -> list[Any]:
    return [row for found in pages(registry, table, *filters, cursor=cursor, **more) for row in found.rows]


def in_order(one: ServerTable, rows: list[Any], sort: str) -> list[Any]:
    """What the order must be, worked out from the cells."""
    at = [column.name for column in one.columns].index(sort.removeprefix("-"))
    down = sort.startswith("-")
    full = sorted(
        (row for row in rows if row.cells[at] is not None), key=lambda row: (row.cells[at], row.key), reverse=down
    )
    return full + sorted((row for row in rows if row.cells[at] is None), key=lambda row: row.key, reverse=down)


SORTS = [(name, one.name) for name, table in TABLES.items() for one in table.columns if one.sortable]


@pytest.mark.parametrize(("name", "sort"), SORTS)
def test_every_row_comes_once_and_in_order(estate: Estate, found_by: str, name: str, sort: str) -> None:
    for wanted in (sort, f"-{sort}"):
        rows = everything(estate.registry, name, sort=wanted, limit=500)
        assert len(rows) > 2
        assert rows == in_order(TABLES[name], rows, wanted)
        for filters in ((), _all_of(TABLES[name])):
            assert everything(estate.registry, name, *filters, sort=wanted, limit=5) == rows


def _all_of(table: ServerTable) -> tuple[tuple[str, str], ...]:
    """A filter that every row meets."""
    return (("id.from", "0"),) if table.columns[0].name == "id" else (("missing.from", "0"),)


@pytest.mark.parametrize("sort", ["asset_number", "-asset_number", "address", "-model", "id"])
def test_pages_lead_back_too(estate: Estate, found_by: str, sort: str) -> None:
    registry = estate.registry
    for filters in ((), (("id.from", "2"),)):
        there = list(pages(registry, "meters", *filters, sort=sort, limit=3))
        assert there[0].before is None
        back, cursor = [there[-1]], there[-1].before
        while cursor is not None:
            back.append(ask(registry, "meters", *filters, sort=sort, limit=3, cursor=cursor))
            cursor = back[-1].before
        assert [row for one in reversed(back) for row in one.rows] == [row for one in there for row in one.rows]
        assert all(one.after for one in back[1:])


def values(column: Column, rows: list[Any], at: int) -> list[str]:
    """Some texts to filter a column by: of what is there, and of what is not."""
    there = [row.cells[at] for row in rows if row.cells[at] is not None][:2]
    other = {
        Kind.TEXT: "nobody", Kind.INTEGER: "7", Kind.INSTANT: "2026-01-03", Kind.DAY: "2026-01-03", Kind.FLAG: "true",
        Kind.WORD: next(iter(column.words)) if column.words else "",
    }[column.kind]  # fmt: skip
    return [other, *(str(write_value(one)) for one in there)]


def meets(cell: Any, operator: Operator, wanted: Any) -> bool:
    if operator is Operator.EMPTY:
        return (cell is None) == wanted[0]
    if cell is None:
        return False
    first = wanted[0]
    return {
        Operator.IS: lambda: cell == first,
        Operator.ONE_OF: lambda: cell in wanted,
        Operator.CONTAINS: lambda: first.lower() in cell.lower(),
        Operator.FROM: lambda: cell >= first,
        Operator.TO: lambda: cell <= first,
        Operator.BEFORE: lambda: cell < first,
    }[operator]()


@pytest.mark.parametrize("name", TABLES)
def test_every_filter_keeps_just_the_rows_that_meet_it(estate: Estate, found_by: str, name: str) -> None:
    registry = estate.registry
    table = TABLES[name]
    rows = everything(registry, name)
    kept = 0
    for at, one in enumerate(table.columns):
        for operator in one.operators:
            for value in ("true", "false") if operator is Operator.EMPTY else values(one, rows, at):
                found = ask(registry, name, (f"{one.name}.{operator}", value), limit=500)
                wanted = found.question.filters[0].values
                expected = [row for row in rows if meets(row.cells[at], operator, wanted)]
                assert list(found.rows) == expected, (one.name, operator, value)
                if found_by == "gathered":
                    assert (found.total.rows, found.total.exact) == (len(expected), True)
                kept += bool(expected)
    assert kept >= len(table.columns) // 2


def test_filters_hold_together_and_with_text(estate: Estate, found_by: str) -> None:
    registry = estate.registry
    found = ask(registry, "meters", ("utility", "electricity"), ("model", "M-1"), ("asset_number.one_of", "ZC1,ZC2"))
    assert found.rows
    assert set(column(found, "utility")) == {"electricity"}
    assert set(column(found, "asset_number")) <= {"ZC1", "ZC2"}
    assert set(column(ask(registry, "meters", text="zc1"), "asset_number")) == {"ZC1"}
    assert column(ask(registry, "usage_points", text="福小"), "code") == ["YH001", "YH002", "YH004", "YH005"]
    assert ask(registry, "commands", text="op").rows == ()


SCOPED: dict[str, tuple[str, set[Any]]] = {
    "organisations": ("code", {"S1"}),
    "districts": ("code", {"D1"}),
    "terminals": ("name", {"T1"}),
    "meters": ("district", {"D1"}),
    "usage_points": ("district", {"D1"}),
    "commands": ("terminal", {"000000000100"}),
    "gaps": ("terminal", {"000000000100"}),
    "collection_plans": ("name", {"plan 0", "plan 1"}),
}


@pytest.mark.parametrize("name", SCOPED)
def test_a_county_sees_its_own_and_no_more(estate: Estate, found_by: str, name: str) -> None:
    registry, ids = estate
    own, (shown, expected) = of_county(ids["S1"]), SCOPED[name]
    rows = everything(registry, name, identity=own, limit=2)
    at = [one.name for one in TABLES[name].columns].index(shown)
    assert {row.cells[at] for row in rows} == expected
    whole = everything(registry, name)
    assert {row.key for row in rows} < {row.key for row in whole}
    if found_by == "gathered":
        assert ask(registry, name, identity=own).total.rows == len(rows)
    nobody = replace(own, scope=Scope())
    assert {row.key for row in everything(registry, name, identity=nobody)} <= {
        row.key for row in whole if name == "collection_plans"
    }


def test_installations_are_seen_with_their_meters(estate: Estate, found_by: str) -> None:
    registry, ids = estate
    everybody = column(ask(registry, "installations"), "id")
    own = column(ask(registry, "installations", identity=of_county(ids["S1"])), "id")
    other = column(ask(registry, "installations", identity=of_county(ids["S2"])), "id")
    assert own
    assert other
    assert sorted(own + other) == sorted(everybody)


@pytest.mark.parametrize("name", TABLES)
def test_nobody_without_the_permission_sees_a_table(estate: Estate, name: str) -> None:
    without = replace(ALL, permissions=ALL.permissions - {TABLES[name].permission})
    with pytest.raises(NotAllowed, match=TABLES[name].permission):
        ask(estate.registry, name, identity=without)


def test_rows_that_come_and_go_move_no_others(registry: Registry, found_by: str) -> None:
    build(registry, meters=30)
    whole = everything(registry, "meters", sort="asset_number")
    first = ask(registry, "meters", sort="asset_number", limit=14)
    with registry.writing() as session:
        session.execute(
            insert(Meter),
            [
                {"id": 100 + number, "utility": "water", "protocol": "manual", "address": f"m{number}",
                 "address_key": number, "asset_number": "ZC0", "model": ""}
                for number in range(9)
            ],
        )  # fmt: skip
        session.delete(session.get_one(Meter, first.rows[-1].key[0]))  # the very row that the mark names
    rest = [row for row in everything(registry, "meters", sort="asset_number", cursor=first.after) if row.key[0] < 100]
    assert rest == whole[14:]


def test_how_meters_are_collected(registry: Registry) -> None:
    ids = build(registry)
    with registry.writing() as session:
        session.get_one(Terminal, ids["T2"]).protocol = "mqtt"
        session.get_one(Meter, 8).protocol = "manual"
    told = dict(zip(column(ask(registry, "meters"), "id"), column(ask(registry, "meters"), "how"), strict=True))
    assert set(told.values()) == {"concentrator", "direct", "bus", "none", "hand"}
    assert told[8] == "hand"
    for how in set(told.values()):
        assert set(column(ask(registry, "meters", ("how", how)), "id")) == {one for one in told if told[one] == how}


def test_a_count_of_many_is_about_right(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    build(registry, meters=1000)
    monkeypatch.setattr("meterweave.manager.listing.paging.GATHERED_MAX", 100)
    found = ask(registry, "meters", ("utility", "water"))
    assert not found.total.exact
    assert 200 <= found.total.rows <= 300
    assert found.total.text.en == f"about {found.total.rows:,}"
    assert found.total.text.zh.startswith("约")
    whole = ask(registry, "meters")
    assert whole.total.rows == 1000
    few = ask(registry, "meters", ("utility", "water"), ("id.to", "80"))
    assert few.total == (20, True)


def test_a_page_is_bounded_and_prints_as_json(registry: Registry) -> None:
    build(registry, meters=600)
    assert len(ask(registry, "meters", limit=10_000).rows) == 500
    assert len(ask(registry, "meters", limit=0).rows) == 1
    told = ask(registry, "gaps", limit=1).to_json()
    assert told["rows"][0]["day"] == "2026-01-04"
    assert told["rows"][0]["oldest"] == "2026-01-05T00:00:00+00:00"
    assert told["rows"][0]["state"] == "given_up"
    assert told["after"]
    assert told["exact"]
    assert told["total"] == 24
