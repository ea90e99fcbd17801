"""Gateways of a centre: from meters at a site to the lake, plans and orders the other way, over real TLS."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from meterweave.centre.certificate import own_identity
from meterweave.centre.gateways import FOLLOW_S, Gateways
from meterweave.errors import ConfigError
from meterweave.field.order import Happened, Outcome, Wish
from meterweave.gateway import store as a_store
from meterweave.gateway.gateway import Gateway
from meterweave.gateway.settings import GatewaySettings
from meterweave.gateway.status import LineStatus, SiteStatus
from meterweave.gateway.store import Store, look
from meterweave.gateway.uplink import Session
from meterweave.gateway.wire import (
    FROM_CENTRE,
    Again,
    Answered,
    Asked,
    Bad,
    Decoder,
    Hello,
    Kept,
    Refusal,
    Rows,
    Status,
)
from meterweave.lake import LakeError
from meterweave.lake.journal import Packed
from meterweave.lake.journal import encode as pack
from meterweave.lake.kind import Kind
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import event_codes
from meterweave.profiles import texts
from meterweave.registry import Registry, Terminal
from meterweave.registry.commands import CommandKind, CommandState
from meterweave.registry.vocabulary import TerminalState
from tests.centre.buses import QUICK, Hung, Running, add_line, bus_of, hang, meters_of, run, until, whole
from tests.centre.test_router import commanded
from tests.field.wire import SerialServer
from tests.gateway.rows import OVERLOAD, events, now_us, readings, spread
from tests.gateway.site import LISTENING, Peer, add_gateway, centre, gateways, settings_of, site

ByHand = Callable[[Running, Peer, int, int], Coroutine[None, None, None]]
PREPAID = [Hung(f"u{number}", "prepaid-modbus-single-phase") for number in (1, 2, 3)]


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry.open(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


def tcp(server: SerialServer, more: str = "") -> str:
    return f"tcp://127.0.0.1:{server.port}?{QUICK}{more}"


def test_what_a_gateway_reads_is_in_the_lake_and_its_line_is_online(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with SerialServer(bus_of(PREPAID[0])) as server:
            line = add_line(archives, "cellar", tcp(server), PREPAID[0], collector=gateway)
            (meter,) = meters_of(archives, "cellar").values()
            async with centre(tmp_path, archives) as here:
                assert not gateways(here).online(line)
                async with site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)) as box:
                    await until(lambda: [here.read(meter)] == whole(PREPAID[0]))
                    await until(lambda: gateways(here).online(line))
                    await until(lambda: box.rows_held == 0)
                    assert gateways(here).masters(line)
                    assert here.centre.lines.collector.lanes == {}
                await until(lambda: not gateways(here).online(line))
        with archives.reading() as session:
            for terminal in (session.get(Terminal, gateway), session.get(Terminal, line)):
                assert terminal is not None
                assert (terminal.state, terminal.last_seen_at is not None) == (TerminalState.ACTIVE, True)

    run(test)


def test_the_plan_follows_the_archives_and_outlasts_the_centre(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        one, two, three = PREPAID
        gateway, key = add_gateway(archives, "mill")
        async with SerialServer(bus_of(one, two, three)) as first, SerialServer(bus_of(one)) as second:
            line = add_line(archives, "cellar", tcp(first, "&period_s=1"), one, collector=gateway)
            async with centre(tmp_path, archives) as here:
                settings = settings_of(here, tmp_path, "mill", key)
                async with site(tmp_path / "site", settings) as box:
                    meters = meters_of(archives, "cellar")
                    await until(lambda: [here.read(meters["u1"])] == whole(one))
                    undisturbed = box.collector.lanes["cellar"]
                    other = add_line(archives, "roof", tcp(second), one, collector=gateway)
                    await until(lambda: set(box.collector.lanes) == {"cellar", "roof"})
                    assert box.collector.lanes["cellar"] is undisturbed
                    with archives.writing() as session:
                        terminal = session.get(Terminal, line)
                        assert terminal is not None
                        new = hang(session, terminal, two)
                        nameless = hang(session, terminal, three, model="nothing-of-the-kind")
                    await until(lambda: [here.read(new)] == whole(two))
                    await until(lambda: nameless in box.status().devices)
                    await until(lambda: "nothing-of-the-kind" in _status(here, gateway).devices[nameless])
                    with archives.writing() as session:
                        terminal = session.get(Terminal, other)
                        assert terminal is not None
                        terminal.state = TerminalState.SUSPENDED
                    await until(lambda: set(box.collector.lanes) == {"cellar"})
            # The centre is gone, and the gateway starts anew: it goes on by the plan on its disk.
            async with site(tmp_path / "site", settings) as box:
                await until(lambda: box.collector.readings_kept > 0)
                assert box.rows_held > 0
                assert not box.uplink.online
                assert set(box.collector.lanes) == {"cellar"}
            with archives.reading() as session:
                heard = session.get(Terminal, line)
                assert heard is not None
                assert heard.last_seen_at is not None

    run(test)


def _status(here: Running, gateway: int) -> SiteStatus:
    return gateways(here).status(gateway) or SiteStatus("")


def test_a_profile_of_the_centre_is_pushed_as_its_file_changes(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        folder = tmp_path / "profiles"
        folder.mkdir()
        path = folder / "our-meter.yaml"
        path.write_text("name: our-meter\nprotocol: modbuss\n", encoding="utf-8")
        gateway, key = add_gateway(archives, "mill")
        async with SerialServer(bus_of(PREPAID[0])) as server:
            line = add_line(archives, "cellar", tcp(server), collector=gateway)
            with archives.writing() as session:
                terminal = session.get(Terminal, line)
                assert terminal is not None
                meter = hang(session, terminal, PREPAID[0], model="our-meter")
            async with (
                centre(tmp_path, archives) as here,
                site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)) as box,
            ):
                await until(lambda: "our-meter:2:11" in box.status().devices.get(meter, ""))
                path.write_text(texts()["prepaid-modbus-single-phase"], encoding="utf-8")
                await until(lambda: [here.read(meter)] == whole(PREPAID[0]))

    run(test)


def test_what_was_read_while_the_centre_was_away_comes_once_and_in_order(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        line = add_line(archives, "cellar", "tcp://127.0.0.1:1", *PREPAID[:2], collector=gateway)
        one, two = meters_of(archives, "cellar").values()
        start = now_us() - 2000 * 1_000_000
        with Store(tmp_path / "site") as store:  # as an outage leaves it
            for number in range(1000):
                at = start + number * 1_000_000
                told = events(line, [one], ts=at) if number % 100 == 0 else None
                store.append(readings([one, two], ts=at, value=number), told)
        kept: list[int] = []
        async with centre(tmp_path, archives) as here:
            here.centre.head_end.intake.on_kept.append(lambda batch: kept.extend(batch.ts.tolist()))
            async with site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)) as box:
                await until(lambda: box.rows_held == 0 and box.uplink.online)
                found = here.lake.query("SELECT value FROM readings WHERE meter = " + str(one) + " ORDER BY ts")
                assert found["value"].to_pylist() == list(range(1000))
                assert here.events(one) == [OVERLOAD] * 10
                assert box.uplink.counters.blobs_sent == box.uplink.counters.blobs_kept == 1010
        assert kept == sorted(kept)
        assert len(kept) == 2000

    run(test)


def test_small_blobs_of_an_outage_are_made_large_ones_before_they_are_sent(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        with Store(tmp_path / "site") as store:
            for number in range(500):
                store.append(readings([meter], value=number), None)
        async with centre(tmp_path, archives) as here:
            settings = settings_of(here, tmp_path, "mill", key, merge_s=0.01)
            async with site(tmp_path / "site", replace(settings, port=1)):
                await until(lambda: look(tmp_path / "site").held.blobs == 1)
            async with site(tmp_path / "site", settings) as box:
                await until(lambda: box.rows_held == 0)
                assert box.uplink.counters.blobs_sent == 1
            assert here.count(meter) == 500

    run(test)


class Cutting:
    """A way to the centre that breaks after so many octets, and is there again at once."""

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.cuts, self._chance = port, 0, random.Random(seed)

    @asynccontextmanager
    async def way(self) -> AsyncIterator[int]:
        """Where it begins."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()[1]
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._left = self._chance.randrange(3000, 40_000)
        works = (self._pump(reader, there_writer), self._pump(there_reader, writer))
        tasks = [asyncio.create_task(work) for work in works]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in (writer, there_writer):
            one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(1 << 14):
            writer.write(octets[: self._left])
            self._left -= len(octets)
            if self._left <= 0:
                self.cuts += 1
                return


@pytest.mark.parametrize("seed", [1, 2])
def test_a_link_that_breaks_again_and_again_loses_nothing_and_doubles_nothing(
    tmp_path: Path, archives: Registry, seed: int
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        line = add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        with Store(tmp_path / "site") as store:
            for number in range(100):
                store.append(readings([meter], value=number), events(line, [meter]) if number % 25 == 0 else None)
        async with centre(tmp_path, archives) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            cutting = Cutting(settings.port, seed)
            async with cutting.way() as port, site(tmp_path / "site", replace(settings, port=port)) as box:
                await until(lambda: box.rows_held == 0)
            assert cutting.cuts > 0
            here.lake.commit()
            found = here.lake.query("SELECT value FROM readings ORDER BY ts")["value"].to_pylist()
            assert found == list(range(100))
            assert here.events(meter) == [OVERLOAD] * 4

    run(test)


@asynccontextmanager
async def slow_way(port: int, octets_per_s: float) -> AsyncIterator[int]:
    """A way to the centre on which what goes up takes its time; where it begins."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause_s: float) -> None:
        while octets := await reader.read(1024):
            writer.write(octets)
            await asyncio.sleep(len(octets) * pause_s)
        writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        works = (pump(reader, there_writer, 1 / octets_per_s), pump(there_reader, writer, 0.0))
        await asyncio.gather(*works, return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=4096)
    yield server.sockets[0].getsockname()[1]
    server.close()


def test_a_link_on_which_one_blob_takes_longer_than_silence_may_last_brings_them_all(
    tmp_path: Path, archives: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        chance = random.Random(1)
        monkeypatch.setattr(a_store, "ROWS_MAX", 10_000)
        with Store(tmp_path / "site") as journal:
            rows = spread(10_000, meter=meter, ts=now_us() - 36_000_000_000)
            values = pa.array([chance.getrandbits(60) for _ in range(10_000)])
            journal.append(rows.set_column(rows.schema.get_field_index("value"), "value", values), None)
            octets = journal.octets_held
        listening = replace(LISTENING, silence_s=2.0)
        async with centre(tmp_path, archives, gateways=listening) as here:
            settings = settings_of(here, tmp_path, "mill", key, silence_s=2.0, ping_s=0.25)
            async with (
                slow_way(settings.port, octets / 4) as port,
                site(tmp_path / "site", replace(settings, port=port)) as box,
            ):
                await until(lambda: box.rows_held == 0)
            assert here.count(meter) == 10_000

    run(test)


def test_rows_behind_one_that_is_too_long_are_not_passed_over_where_the_centre_wants_an_earlier_one_again(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        settings = GatewaySettings(
            host="127.0.0.1", port=1, name="mill", key="k", certificate=own_identity(tmp_path).pem()
        )
        with Store(tmp_path / "site") as store:
            box = Gateway(settings, store)
            session = Session(box.uplink, asyncio.StreamReader(), None, Decoder(FROM_CENTRE))  # type: ignore[arg-type]
            session._sent, session._sent_octets, session._cursor = {7: 1}, 1, 7
            skipped = asyncio.create_task(session._skip(Packed(8, Kind.READINGS, b"long")))
            await asyncio.sleep(0)
            session._send_again(7)
            await skipped
            assert (session._cursor, session._forget_to) == (6, 0)
            box._disk.close()

    run(test)


def test_a_full_journal_stops_reading_and_what_is_in_it_arrives(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with SerialServer(bus_of(*PREPAID)) as server:
            add_line(archives, "cellar", tcp(server, "&period_s=1"), *PREPAID, collector=gateway)
            async with centre(tmp_path, archives) as here:
                small = {"journal_octets_max": 6000, "waiting_max": 40}
                settings = settings_of(here, tmp_path, "mill", key, **small)
                async with site(tmp_path / "site", settings) as box:  # for the plan
                    await until(lambda: "cellar" in box.collector.lanes and box.rows_held == 0)
            async with site(tmp_path / "site", settings) as box:
                await until(lambda: "cellar" in box.collector.lanes)
                lane = box.collector.lanes["cellar"]
                await until(lambda: lane.poller.held)
                assert box.collector.keeps_failed > 0
                kept = box.rows_held
                assert kept > 0
                listening = replace(LISTENING, port=settings.port)
                async with centre(tmp_path, archives, gateways=listening) as here:
                    await until(lambda: not lane.poller.held)
                    read = box.collector.readings_kept
                    await until(lambda: box.collector.readings_kept > read + kept and box.rows_held == 0)
                    counted = here.centre.head_end.counters.readings
                    assert counted >= kept

    run(test)


def packed(rows: pa.RecordBatch, seq: int, kind: Kind = Kind.READINGS) -> Rows:
    return Rows(seq, kind.value, pack(kind, rows).octets)


def raw_count(here: Running) -> int:
    """Rows that were written, also those that say the same once more."""
    return here.centre.head_end.counters.readings


def test_a_blob_sent_again_after_its_answer_was_lost_is_there_once(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        line = add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        rows = packed(readings([meter]), 50), packed(events(line, [meter]), 51, Kind.EVENTS)
        for _ in range(2):  # also by a centre started anew
            async with centre(tmp_path, archives) as here:
                settings = settings_of(here, tmp_path, "mill", key)
                for _ in range(2):
                    peer = await Peer.let_in(settings)
                    peer.say(*rows)
                    assert [await peer.heard(), await peer.heard()] == [Kept(50), Kept(51)]
                    peer.close()
                assert raw_count(here) == 2
                assert here.count(meter) == 1
                assert here.events(meter) == [OVERLOAD]
                here.lake.commit()
                assert here.count(meter) == 1
                assert here.events(meter) == [OVERLOAD]

    run(test)


def test_rows_of_a_meter_of_another_gateway_are_refused_and_set_aside(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        mill, key = add_gateway(archives, "mill")
        farm, _ = add_gateway(archives, "farm")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=mill)
        foreign = add_line(archives, "barn", "tcp://127.0.0.1:1", PREPAID[1], collector=farm)
        (own,), (other,) = meters_of(archives, "cellar").values(), meters_of(archives, "barn").values()
        with Store(tmp_path / "site") as store:
            store.append(readings([other, own]), events(foreign, [other]))
            store.append(readings([own]), None)
        async with (
            centre(tmp_path, archives) as here,
            site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)) as box,
        ):
            await until(lambda: box.rows_held == 0 and box.uplink.online)
            assert (here.count(own), here.count(other), here.events(other)) == (2, 0, [])
            refused = look(tmp_path / "site").refused
            assert refused.blobs == 2
            assert "on no line of this gateway" in refused.last_reason
            assert gateways(here).counters.blobs_refused == 2

    run(test)


def test_a_bad_blob_does_not_stand_in_the_way_of_the_others(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        async with centre(tmp_path, archives) as here:
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            peer.say(Rows(1, "readings", b"garbage"), packed(readings([meter]), 2), Rows(3, "events", b""))
            first, second, third = [await peer.heard() for _ in range(3)]
            assert isinstance(first, Bad)
            assert "no Arrow stream" in first.reason
            assert (second, type(third)) == (Kept(2), Bad)
            assert here.count(meter) == 1
            peer.close()

    run(test)


def test_what_cannot_be_kept_just_now_is_sent_again_and_nothing_after_it_is_taken_before(
    tmp_path: Path, archives: Registry
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        async with centre(tmp_path, archives) as here:
            keep = gateways(here).keep
            gateways(here).keep = full
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            peer.say(packed(readings([meter]), 5))
            assert await peer.heard() == Again(5)
            gateways(here).keep = keep
            peer.say(packed(readings([meter]), 6), packed(readings([meter]), 5), packed(readings([meter]), 6))
            assert [await peer.heard(), await peer.heard()] == [Kept(5), Kept(6)]
            assert raw_count(here) == 2
            peer.close()

    run(test)


async def full(readings: ReadingBatch, events: pa.RecordBatch | None) -> None:
    raise LakeError("the disk is full")


def test_a_gateway_sends_again_what_the_centre_could_not_keep(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        with Store(tmp_path / "site") as store:
            for number in range(300):
                store.append(readings([meter], value=number), None)
        async with centre(tmp_path, archives) as here:
            keep = gateways(here).keep
            gateways(here).keep = full
            async with site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)) as box:
                await until(lambda: gateways(here).counters.blobs_postponed > 0)
                assert box.rows_held == 300
                gateways(here).keep = keep
                await until(lambda: box.rows_held == 0)
                assert here.count(meter) == 300
                assert box.uplink.counters.connections == 1

    run(test)


def test_begun_once_is_an_event_once_over_restarts_of_the_gateway(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        overload = event_codes()["overload"]
        bus = bus_of(PREPAID[0])
        device = bus.devices[0][0]
        gateway, key = add_gateway(archives, "mill")
        async with SerialServer(bus) as server:
            add_line(archives, "cellar", tcp(server, "&period_s=1"), PREPAID[0], collector=gateway)
            (meter,) = meters_of(archives, "cellar").values()
            device.lasting = {overload}
            async with centre(tmp_path, archives) as here:
                settings = settings_of(here, tmp_path, "mill", key)
                for turn in range(3):
                    async with site(tmp_path / "site", settings) as box:
                        await until(lambda: "cellar" in box.collector.lanes)
                        lane = box.collector.lanes["cellar"]
                        await until(lambda: lane.devices[meter].polls > 1)  # noqa: B023
                        await box.collector.kept()
                        await until(lambda: here.events(meter))
                        await until(lambda: turn == 1 or box.rows_held == 0)  # noqa: B023
                assert here.events(meter) == [overload]
                device.lasting = set()
                async with site(tmp_path / "site", settings):
                    await until(lambda: here.events(meter) == [overload, overload + 5])

    run(test)


# Orders ---------------------------------------------------------------------------------------------------------------


def test_orders_go_through_a_gateway(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        bus = bus_of(PREPAID[0])
        gateway, key = add_gateway(archives, "mill")
        async with SerialServer(bus) as server:
            add_line(archives, "cellar", tcp(server), PREPAID[0], collector=gateway)
            (meter,) = meters_of(archives, "cellar").values()
            async with (
                centre(tmp_path, archives) as here,
                site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)),
            ):
                tripped = await commanded(here, CommandKind.TRIP, meter)
                assert (tripped.state, bus.devices[0][0].closed) == (CommandState.CONFIRMED, False)
                seen = await commanded(here, CommandKind.READ_RELAY, meter)
                assert (seen.state, seen.facts) == (CommandState.CONFIRMED, {"closed": False})
                closed = await commanded(here, CommandKind.CLOSE, meter)
                assert (closed.state, bus.devices[0][0].closed) == (CommandState.CONFIRMED, True)
                read = await commanded(here, CommandKind.READ, meter)
                assert read.state is CommandState.CONFIRMED
        assert [one.name for one in bus.devices[0][0].given] == ["trip", "close"]

    run(test)


async def with_peer(tmp_path: Path, archives: Registry, test: ByHand) -> None:
    """A gateway by hand, whose line is open."""
    gateway, key = add_gateway(archives, "mill")
    line = add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID[0], collector=gateway)
    (meter,) = meters_of(archives, "cellar").values()
    async with centre(tmp_path, archives) as here:
        peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
        peer.say(Status(SiteStatus("r", {line: LineStatus(True, True, None, "")}).to_json()))
        await until(lambda: gateways(here).online(line))
        await test(here, peer, line, meter)
        peer.close()


def test_an_order_that_was_sent_and_whose_link_was_lost_is_unknown(tmp_path: Path, archives: Registry) -> None:
    async def lose(here: Running, peer: Peer, line: int, meter: int) -> None:
        asked = asyncio.create_task(gateways(here).call_line(line, Wish(meter=meter, action="trip")))
        assert isinstance(await peer.heard(), Asked)
        peer.close()
        happened = await asked
        assert happened.result is Outcome.UNKNOWN
        await until(lambda: not gateways(here).online(line))
        again = await gateways(here).call_line(line, Wish(meter=meter, action="trip"))
        assert again.result is Outcome.NOT_SENT

    run(lambda: with_peer(tmp_path, archives, lose))


def test_an_order_on_a_link_that_is_being_closed_is_not_sent(tmp_path: Path, archives: Registry) -> None:
    async def close(here: Running, peer: Peer, line: int, meter: int) -> None:
        (link,) = gateways(here)._links.values()
        link._writer.close()
        happened = await link.ask(Wish(meter=meter, action="trip"), 1.0)
        assert happened.result is Outcome.NOT_SENT

    run(lambda: with_peer(tmp_path, archives, close))


def test_an_order_that_is_not_answered_in_time_is_unknown_and_a_late_answer_is_nobodys(
    tmp_path: Path, archives: Registry
) -> None:
    async def late(here: Running, peer: Peer, line: int, meter: int) -> None:
        gateways(here).settings = replace(LISTENING, answer_s=0.05)
        happened = await gateways(here).call_line(line, Wish(meter=meter, action="trip"), begin_s=0.0)
        assert happened.result is Outcome.UNKNOWN
        asked = await peer.heard()
        assert isinstance(asked, Asked)
        assert asked.wish == Wish(meter=meter, action="trip")
        gateways(here).settings = replace(LISTENING, answer_s=60.0)
        second = asyncio.create_task(gateways(here).call_line(line, Wish(meter=meter, action="state")))
        other = await peer.heard()
        assert isinstance(other, Asked)
        peer.say(Answered(asked.id, Happened(Outcome.REFUSED)), Answered(other.id, Happened(Outcome.DONE, closed=True)))
        assert await second == Happened(Outcome.DONE, closed=True)

    run(lambda: with_peer(tmp_path, archives, late))


def test_too_many_wishes_and_too_long_ones_are_not_sent(tmp_path: Path, archives: Registry) -> None:
    async def many(here: Running, peer: Peer, line: int, meter: int) -> None:
        long = Wish(meter=meter, action="price", values={f"v{one}": "汉" * 8000 for one in range(16)})
        assert (await gateways(here).call_line(line, long)).result is Outcome.NOT_SENT
        gateways(here).settings = replace(LISTENING, wishes_max=1)
        first = asyncio.create_task(gateways(here).call_line(line, Wish(meter=meter, action="read")))
        asked = await peer.heard()
        assert isinstance(asked, Asked)
        assert (await gateways(here).call_line(line, Wish(meter=meter, action="read"))).result is Outcome.NOT_SENT
        peer.say(Answered(asked.id, Happened(Outcome.DONE)))
        assert (await first).result is Outcome.DONE

    run(lambda: with_peer(tmp_path, archives, many))


def test_a_suspended_gateway_and_one_with_a_new_key_are_sent_away(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            peer = await Peer.let_in(settings)
            with archives.writing() as session:
                terminal = session.get(Terminal, gateway)
                assert terminal is not None
                terminal.state = TerminalState.SUSPENDED
            assert await peer.heard() == Refusal("the gateway is not let in any more")
            assert await peer.closed()
            refused = await Peer.connect(settings)
            refused.say(Hello(1, "mill", key, "j"))
            assert isinstance(await refused.heard(), Refusal)
            with archives.writing() as session:
                terminal = session.get(Terminal, gateway)
                assert terminal is not None
                terminal.state = TerminalState.ACTIVE
            again = await Peer.let_in(settings)
            add_gateway(archives, "mill")  # a new key
            assert isinstance(await again.heard(), Refusal)
            assert await again.closed()

    run(test)


def test_what_changes_while_a_gateway_is_let_in_is_not_missed(
    tmp_path: Path, archives: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            there, look_up = gateways(here), Gateways._look_up

            def slow(self: Gateways, hello: Hello) -> object:
                found = look_up(self, hello)
                with archives.writing() as session:
                    terminal = session.get(Terminal, gateway)
                    assert terminal is not None
                    terminal.state = TerminalState.SUSPENDED
                while there._directory.snapshot.terminals.by_id(gateway).may_log_in:  # type: ignore[union-attr]
                    time.sleep(0.05)
                time.sleep(3 * FOLLOW_S)  # so that the centre has followed the archives before this one is in
                return found

            monkeypatch.setattr(Gateways, "_look_up", slow)
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            assert await peer.heard() == Refusal("the gateway is not let in any more")
            assert await peer.closed()

    run(test)


def test_a_gateway_that_logs_in_twice_has_the_newer_connection(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            older = await Peer.let_in(settings)
            newer = await Peer.let_in(settings)
            assert await older.heard() == Refusal("the gateway logged in again")
            assert await older.closed()
            assert gateways(here).online(gateway)
            assert gateways(here).counters.online == 1
            newer.close()
            await until(lambda: not gateways(here).online(gateway))

    run(test)


def test_a_port_that_is_taken_is_named(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        async with centre(tmp_path, archives) as here:
            port = next(port for protocol, _, port in here.centre.ports if protocol == "n5")
            settings = type(gateways(here).settings)(port=port)
            with pytest.raises(ConfigError, match="cannot be opened for gateways"):
                async with centre(tmp_path / "other", archives, gateways=settings):
                    pass

    run(test)
