"""The head-end's view follows the archives and answers as the database would."""

from __future__ import annotations

import asyncio
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from meterweave.registry import Directory, Meter, Refresh, Registry, Snapshot, Terminal
from meterweave.registry.key_table import UNKNOWN
from meterweave.registry.vocabulary import TerminalState
from tests.registry.conftest import empty
from tests.registry.records import add_meter, add_terminal


def _keys(*keys: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(keys, np.int64)


def test_terminals_and_meters_are_found(registry: Registry) -> None:
    with registry.writing() as session:
        modern, older = add_terminal(session, "1"), add_terminal(session, "3301-7", "gdw1376-1")
        first, second = add_meter(session, "11", modern), add_meter(session, "12", modern)
        third = add_meter(session, "11", older, protocol="cjt188", point_number=5)
        one, two, ids = modern.id, older.id, [first.id, second.id, third.id]
    seen = Directory(registry).snapshot
    entry = seen.terminal("gdw1376-1", 0x33010007)
    assert entry is not None
    assert (entry.id, entry.address, entry.may_log_in, entry.heartbeat_s) == (two, "33010007", True, 900)
    assert seen.terminal("dlt698", 0x33010007) is None
    assert seen.terminal("mbus", 1) is None
    assert seen.terminals.by_id(one) == seen.terminal("dlt698", 1)
    assert seen.terminals.by_id(4711) is None
    assert seen.meters(one, _keys(0x12, 0x11, 0x13)).tolist() == [ids[1], ids[0], UNKNOWN]
    point = 0x3301_0007_0005
    assert seen.meters(two, _keys(point, 0x11)).tolist() == [ids[2], UNKNOWN]
    assert seen.forwarded_meters(two, _keys(0x11, 0x12)).tolist() == [ids[2], UNKNOWN]
    assert seen.forwarded_meters(one, _keys(0x11)).tolist() == [ids[0]]
    terminals = _keys(two, one, one, 99)
    assert seen.meters_of_many(terminals, _keys(point, 0x11, point, 0x11)).tolist() == [ids[2], ids[0], -1, -1]
    assert seen.forwarded_meters_of_many(terminals, _keys(0x11, 0x11, 0x12, 1)).tolist() == [ids[2], *ids[:2], -1]


def test_a_protocol_as_a_whole_knows_only_keys_that_one_terminal_has(registry: Registry) -> None:
    with registry.writing() as session:
        one, two = add_terminal(session, "1"), add_terminal(session, "2")
        alone = add_meter(session, "11", one).id
        add_meter(session, "5", one, protocol="mbus")
        add_meter(session, "5", two, protocol="mbus")
    seen = Directory(registry).snapshot
    assert seen.meters_of_protocol("dlt698", _keys(0x11, 5, 6)).tolist() == [alone, UNKNOWN, UNKNOWN]
    assert seen.meters_of_protocol("modbus", _keys(0x11)).tolist() == [UNKNOWN]


def _expected(registry: Registry) -> tuple[dict[int, TerminalState], dict[tuple[int, int], int]]:
    with registry.reading() as session:
        terminals = {row.id: row.state for row in session.scalars(select(Terminal))}
        rows = session.execute(select(Meter.terminal_id, Meter.wire_key, Meter.id).where(Meter.wire_key.is_not(None)))
        return terminals, {(int(terminal or 0), int(key or 0)): meter for terminal, key, meter in rows}


def _shown(seen: Snapshot) -> tuple[dict[int, TerminalState], dict[tuple[int, int], int]]:
    held = seen.by_wire.entries()
    ids = [int(one) for protocol in ("dlt698", "gdw1376-1") for one in seen.terminals.ids(protocol)]
    entries = [seen.terminals.by_id(one) for one in ids]
    return (
        {entry.id: entry.state for entry in entries if entry is not None},
        {(int(a), int(b)): int(c) for a, b, c in zip(held.terminal, held.key, held.meter, strict=True)},
    )


_STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "move", "drop", "state", "terminal"]), st.integers(0, 5), st.integers(0, 5)),
    max_size=12,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_STEPS, max_size=3))
def test_following_step_by_step_ends_where_reading_anew_does(
    registry: Registry, transactions: list[list[tuple[str, int, int]]]
) -> None:
    empty(registry)
    directory = Directory(registry)
    for steps in transactions:
        with registry.writing() as session:
            for name, number, other in steps:
                terminals = session.scalars(select(Terminal).order_by(Terminal.id)).all()
                meters = session.scalars(select(Meter).order_by(Meter.id)).all()
                if name == "terminal":
                    protocol = ("dlt698", "gdw1376-1")[other % 2]
                    add_terminal(session, f"3301000{number + 1}", protocol)
                elif name == "add" and not any(meter.address.endswith(f"{number}{other}") for meter in meters):
                    where = terminals[number % len(terminals)] if terminals else None
                    add_meter(session, f"1{number}{other}", where, point_number=number * 6 + other + 1)
                elif name == "move" and meters and terminals:
                    meters[number % len(meters)].terminal_id = terminals[other % len(terminals)].id
                elif name == "drop" and meters:
                    session.delete(meters[number % len(meters)])
                elif name == "state" and terminals:
                    terminals[number % len(terminals)].state = list(TerminalState)[other % 4]
                session.flush()
        before = directory.snapshot
        refresh = directory.refresh()
        assert refresh.snapshot is directory.snapshot
        assert (refresh.snapshot is before) == (refresh.changed == frozenset())
        assert _shown(directory.snapshot) == _expected(registry)
        assert _shown(Directory(registry).snapshot) == _expected(registry)


def test_a_small_change_is_followed_without_reading_everything(registry: Registry) -> None:
    with registry.writing() as session:
        terminals = [add_terminal(session, str(number + 1)) for number in range(300)]
        for number, terminal in enumerate(terminals):
            add_meter(session, str(number + 1), terminal)
        moved = terminals[7].id
    directory = Directory(registry)
    before = directory.snapshot
    with registry.writing() as session:
        added = add_meter(session, "9999", session.get_one(Terminal, moved)).id
    assert directory.refresh().changed == {moved}
    assert directory.snapshot.by_wire.key is before.by_wire.key  # the columns are shared, the change is in the tail
    assert directory.snapshot.meters(moved, _keys(0x9999, 8)).tolist() == [added, before.meters(moved, _keys(8))[0]]
    assert before.meters(moved, _keys(0x9999)).tolist() == [UNKNOWN]
    assert _shown(directory.snapshot) == _expected(registry)
    with registry.writing() as session:
        for terminal in session.scalars(select(Terminal)):
            terminal.state = TerminalState.SUSPENDED
    directory.refresh()
    assert _shown(directory.snapshot) == _expected(registry)
    assert directory.snapshot.octets < 200_000


def test_following_in_the_loop_goes_on_when_the_database_comes_back(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Directory(registry)
    table = "registry_clock"

    def rename(old: str, new: str) -> None:
        with registry.engine.connect().execution_options(meterweave_writing=True) as connection, connection.begin():
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    async def scenario() -> None:
        seen: asyncio.Queue[Refresh] = asyncio.Queue()
        following = asyncio.create_task(directory.follow(seen.put_nowait, poll_s=0.01))
        with registry.writing() as session:
            one = add_terminal(session, "1").id
        assert (await asyncio.wait_for(seen.get(), 30)).changed == {one}
        rename(table, "away")
        while not caplog.records:
            await asyncio.sleep(0.01)
        assert directory.snapshot.terminal("dlt698", 1) is not None  # the last view stays in use
        rename("away", table)
        with registry.writing() as session:
            two = add_terminal(session, "2").id
        assert (await asyncio.wait_for(seen.get(), 30)).changed == {two}
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following

    with caplog.at_level(logging.WARNING, logger="meterweave.registry.directory"):
        asyncio.run(scenario())
    said = [record.message for record in caplog.records]
    assert [line.split(",")[0] for line in said] == [
        "the archives cannot be read",
        "the archives can be read again",
    ]
