"""Commands from the database to simulated meters and back: real archives, real sockets, both protocols."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from meterweave.headend import HeadEndSettings
from meterweave.headend.dispatch import ControlSettings, Dispatcher
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.command_orders import Order, give
from meterweave.registry.commands import METER_KINDS, CommandCard, CommandKind, CommandState, list_commands
from meterweave.registry.importing import import_file
from meterweave.simulator import Address, Concentrator, Habits, Plan, Protocol, TownClock, archives, build, terminals_of
from meterweave.simulator import run as run_town
from meterweave.simulator.town import DAY_S, LOCAL_S, Utility
from tests.headend.centre import Centre, centre, run, until
from tests.headend.dispatching import ended, now

K, S = CommandKind, CommandState


@dataclass
class Wire:
    """The line between the town and the centre; while it is deaf, nothing of what terminals say arrives."""

    centre: Address
    deaf: bool = False
    cut: bool = False

    async def open(self) -> Address:
        server = await asyncio.start_server(self._link, "127.0.0.1", 0)
        return Address(*server.sockets[0].getsockname()[:2])

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up, down = await asyncio.open_connection(*self.centre)
        await asyncio.gather(self._pass(reader, down, hears=True), self._pass(up, writer, hears=False))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, hears: bool) -> None:
        with suppress(OSError):
            while octets := await reader.read(65_536):
                if not (hears and self.deaf):
                    writer.write(octets)
                elif self.cut:
                    break
        writer.close()


@dataclass
class Town:
    """A small town that is online, and a centre that commands it."""

    centre: Centre
    sites: tuple[Concentrator, ...]
    wires: dict[Protocol, Wire]

    @property
    def registry(self) -> Registry:
        return self.centre.registry

    def id_of(self, address: str, table: type[Meter] | type[Terminal]) -> int:
        with self.registry.reading() as session:
            return session.scalars(select(table.id).where(table.address == address)).one()

    async def does(self, kind: CommandKind, address: str, **given: Any) -> CommandCard:
        """Give a command and wait for what comes of it."""
        order = Order("wang", f"{kind}-{time.time_ns()}", kind, now() + timedelta(minutes=5), reason="test", **given)
        if kind in METER_KINDS:
            order = order._replace(meter=self.id_of(address, Meter))
        else:
            order = order._replace(terminal=self.id_of(address, Terminal))
        stored = give(self.registry, order, now=now()).command
        return await ended(self.registry, stored)


@asynccontextmanager
async def living(folder: Path) -> AsyncIterator[Town]:
    """A town of one concentrator of each protocol that dials in over wires of ours."""
    first_s = (int(time.time()) + LOCAL_S) // DAY_S * DAY_S - LOCAL_S - DAY_S
    sites = build(Plan(terminals=2, meters=8, others=3, first_s=first_s, days=1))
    registry = Registry.open(folder / "registry.sqlite")
    for written in archives.write(sites, folder / "town.csv"):
        assert import_file(registry, written).applied
    registry.close()
    settings = HeadEndSettings(answer_s=1.0, forwarded_answer_s=1.0)
    async with centre(folder, settings) as found:
        wires = {one: Wire(Address("127.0.0.1", found.ports[one.value])) for one in Protocol}
        doors = {one: await wire.open() for one, wire in wires.items()}
        fleet = terminals_of(
            sites, first_s, seed=1, faults=Plan(first_s=first_s).faults, habits=Habits(), report_from_s=int(time.time())
        )
        control = ControlSettings(look_every_s=0.02, tidy_every_s=0.1, look_after_s=(0.1, 0.2, 0.5, 1.0, 2.0))
        works = [
            asyncio.create_task(run_town(fleet, doors, TownClock.beginning(), 1)),
            asyncio.create_task(Dispatcher(found.registry, found.head_end, control).run()),
        ]
        try:
            await until(lambda: found.head_end.counters.terminals_online == len(sites))
            yield Town(found, sites, wires)
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)


def in_town(folder: Path, protocol: Protocol, work: Callable[[Town, Concentrator], Awaitable[None]]) -> None:
    async def lived() -> None:
        async with living(folder) as town:
            await work(town, next(site for site in town.sites if site.protocol is protocol))

    run(lived)


def electricity(site: Concentrator, speaks: str | None = None) -> Any:
    return next(one for one in site.meters if one.utility is Utility.ELECTRICITY and speaks in (None, one.speaks))


def list_of(town: Town) -> list[CommandCard]:
    with town.registry.reading() as session:
        return list_commands(session)


PROTOCOLS = pytest.mark.parametrize("protocol", list(Protocol))


@PROTOCOLS
def test_a_meter_is_switched_and_says_so(tmp_path: Path, protocol: Protocol) -> None:
    async def work(town: Town, site: Concentrator) -> None:
        for speaks in sorted({one.speaks for one in site.meters if one.utility is Utility.ELECTRICITY}):
            meter = electricity(site, speaks)
            assert (await town.does(K.READ_RELAY, meter.address)).facts == {"closed": True, "kept": False}
            trip = await town.does(K.TRIP, meter.address)
            assert (trip.state, meter.condition.closed) == (S.CONFIRMED, False), trip
            found = await town.does(K.READ_RELAY, meter.address)
            assert found.facts is not None
            assert found.facts["closed"] is False
            close = await town.does(K.CLOSE, meter.address)
            assert (close.state, meter.condition.closed) == (S.CONFIRMED, True), close
            keep = await town.does(K.KEEP, meter.address)
            assert (keep.state, meter.condition.kept) == (S.CONFIRMED, True), keep
            refused = await town.does(K.TRIP, meter.address)
            assert (refused.state, meter.condition.closed) == (S.REFUSED, True), refused
            assert refused.outcome is not None
            release = await town.does(K.RELEASE, meter.address)
            assert (release.state, meter.condition.kept) == (S.CONFIRMED, False), release

    in_town(tmp_path, protocol, work)


@PROTOCOLS
def test_a_lost_answer_is_found_out_and_nothing_switches_twice(tmp_path: Path, protocol: Protocol) -> None:
    async def work(town: Town, site: Concentrator) -> None:
        meter, wire = electricity(site), town.wires[protocol]
        orders: list[bool] = []
        switch = meter.condition.trip

        def noted(at_s: int) -> bool:
            orders.append(True)
            return bool(switch(at_s))

        meter.condition.trip = noted
        wire.deaf = True
        trip = asyncio.create_task(town.does(K.TRIP, meter.address))
        await until(lambda: not meter.condition.closed)
        await until(lambda: [one.state for one in list_of(town)] == [S.UNKNOWN])
        wire.deaf = False
        found = await trip
        assert found.state is S.CONFIRMED
        assert found.outcome is not None
        assert "found by reading the relay" in found.outcome.en
        assert orders == [True]

        wire.deaf = wire.cut = True  # now the connection is lost, too, and the terminal has to dial again
        close = asyncio.create_task(town.does(K.CLOSE, meter.address))
        await until(lambda: meter.condition.closed)
        wire.deaf = wire.cut = False
        assert (await close).state is S.CONFIRMED

    in_town(tmp_path, protocol, work)


@PROTOCOLS
def test_an_order_that_takes_its_time_is_not_given_up(tmp_path: Path, protocol: Protocol) -> None:
    async def work(town: Town, site: Concentrator) -> None:
        meter, wire = electricity(site), town.wires[protocol]
        orders: list[int] = []
        switch = meter.condition.trip

        def on_its_way(at_s: int) -> bool:
            orders.append(at_s)
            return True

        meter.condition.trip = on_its_way
        wire.deaf = wire.cut = True
        trip = asyncio.create_task(town.does(K.TRIP, meter.address))
        await until(lambda: orders)
        wire.deaf = wire.cut = False
        # The relay was read over a new connection, and is still closed.
        await until(lambda: [one.facts for one in list_of(town)] == [{"closed": True, "kept": False}])
        assert [one.state for one in list_of(town)] == [S.UNKNOWN]
        switch(orders[0])
        assert (await trip).state is S.CONFIRMED
        assert len(orders) == 1

    in_town(tmp_path, protocol, work)


@PROTOCOLS
def test_events_are_read_and_kept(tmp_path: Path, protocol: Protocol) -> None:
    async def work(town: Town, site: Concentrator) -> None:
        meter = electricity(site)
        assert (await town.does(K.TRIP, meter.address)).state is S.CONFIRMED
        found = await town.does(K.EVENTS, site.address)
        assert found.state is S.CONFIRMED, found
        assert found.facts is not None
        assert found.facts["events"] >= 1
        kept = town.centre.lake.query(
            f"SELECT count(*) AS count FROM events WHERE terminal = {found.terminal_id} AND source <> 1"
        )
        assert kept.to_pylist()[0]["count"] >= 1
        before = await town.does(K.EVENTS, site.address, arguments={"from_us": 1, "to_us": 2})
        assert (before.state, before.facts) == (S.CONFIRMED, {"events": 0})

    in_town(tmp_path, protocol, work)


@PROTOCOLS
def test_values_are_read_and_kept(tmp_path: Path, protocol: Protocol) -> None:
    async def work(town: Town, site: Concentrator) -> None:
        for meter in {one.speaks: one for one in site.meters}.values():
            address = f"00{meter.address}" if meter.speaks == "cjt188" else meter.address
            found = await town.does(K.READ, address)
            assert found.state is S.CONFIRMED, found
            rows = town.centre.readings("meter, quantity, value, profile")
            mine = [row for row in rows if row[0] == town.id_of(address, Meter)]
            assert any(row[2] is not None for row in mine), (found, rows)

    in_town(tmp_path, protocol, work)


@PROTOCOLS
def test_terminals_do_as_they_are_told(tmp_path: Path, protocol: Protocol) -> None:
    async def work(town: Town, site: Concentrator) -> None:
        clock = await town.does(K.READ_CLOCK, site.address)
        assert clock.state is S.CONFIRMED, clock
        assert clock.facts is not None
        assert isinstance(clock.facts["offset_s"], int)
        for kind in (K.CLOCK, K.SYNC, K.PARAMETERS):
            found = await town.does(kind, site.address)
            assert found.state is S.CONFIRMED, found
        assert found.facts

    in_town(tmp_path, protocol, work)
