from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import socket
import threading
import tty
from collections.abc import Awaitable, Callable, Coroutine, Sequence

import pytest
import structlog

from meterweave.errors import ConfigError, MeterweaveError
from meterweave.field.collector import BusyError, Collector, CollectorSettings
from meterweave.field.dtu import DtuListener
from meterweave.field.line import End
from meterweave.field.plan import Bus as BusKind
from meterweave.field.plan import DevicePlan, LinePlan
from meterweave.field.poller import CALLS_MAX, Told
from meterweave.field.ports import (
    BURST_MAX,
    CHUNK,
    OCTETS_S_MAX,
    FloodError,
    Flow,
    Link,
    ModbusTcpPort,
    Port,
    SerialPort,
    TcpPort,
)
from meterweave.metering.batch import ReadingBatch, Source
from meterweave.metering.events import Event, event_codes
from meterweave.profiles import Device, shipped
from meterweave.profiles.modbus_tcp import Unwrapper, wrap
from tests.field.wire import Bus, SerialServer

MODBUS = shipped("prepaid-modbus-single-phase")
QUICK = CollectorSettings(tick_s=0.02, keep_again_s=0.02, open_again_s=0.02, open_again_max_s=0.05)
PATIENCE_S = 60.0


def line_of(
    name: str,
    meters: Sequence[int],
    *,
    kind: BusKind = BusKind.RS485,
    period_s: float = 900,
    latency_s: float = 0.0,
) -> LinePlan:
    devices = tuple(
        DevicePlan(meter=meter, profile=MODBUS, address=str(number), period_s=period_s)
        for number, meter in enumerate(meters, 1)
    )
    return LinePlan(name=name, devices=devices, bus=kind, latency_s=latency_s)


def bus_of(plan: LinePlan) -> Bus:
    return Bus([Device(MODBUS, device.address) for device in plan.devices])


class Kept:
    """Keeps readings in memory, or fails so many times before it does."""

    def __init__(self, fails: int = 0) -> None:
        self.batches: list[ReadingBatch] = []
        self.events: list[Event] = []
        self.fails = fails

    async def __call__(self, batch: ReadingBatch, events: Sequence[Event]) -> None:
        if self.fails:
            self.fails -= 1
            raise MeterweaveError("disk full")
        self.batches.append(batch)
        self.events += events

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Meter and quantity of every reading."""
        return [
            pair for batch in self.batches for pair in zip(batch.meter.tolist(), batch.quantity.tolist(), strict=True)
        ]


def whole(*plans: LinePlan) -> set[tuple[int, int]]:
    """What one reading of all devices brings."""
    return {(device.meter, one.quantity.code) for plan in plans for device in plan.devices for one in MODBUS.points}


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not seen():
            await asyncio.sleep(0.01)


async def running(collector: Collector, work: Awaitable[None]) -> None:
    """Do `work` while the collector runs, and end it orderly."""
    task = asyncio.create_task(collector.run())
    try:
        await work
    finally:
        task.cancel()
        await asyncio.wait((task,))
    assert task.cancelled(), task.exception()


def run(test: Coroutine[None, None, None]) -> None:
    asyncio.run(test)


def test_the_readings_of_all_lines_come_in_batches_of_one_moment() -> None:
    async def test() -> None:
        meters = {"a": [101, 102], "b": [201], "c": [301, 302, 303]}
        plans = [line_of(name, some, latency_s=PATIENCE_S / 20) for name, some in meters.items()]
        kept = Kept()
        servers = [SerialServer(bus_of(plan)) for plan in plans]
        async with servers[0], servers[1], servers[2]:
            ports = [TcpPort("127.0.0.1", one.port) for one in servers]
            collector = Collector(list(zip(plans, ports, strict=True)), kept, QUICK)
            await running(collector, until(lambda: set(kept.pairs) == whole(*plans)))
        assert len(kept.pairs) == len(whole(*plans))
        for batch in kept.batches:
            assert len(set(batch.received.tolist())) == 1
            assert (batch.ts <= batch.received).all()
            assert set(batch.source.tolist()) == {int(Source.READ)}
        assert collector.readings_kept == len(kept.pairs)
        assert [lane.counters.timeouts for lane in collector.lanes.values()] == [0, 0, 0]

    run(test())


def test_what_lasts_is_an_event_once_and_its_end_another() -> None:
    async def test() -> None:
        plan = line_of("a", [7], period_s=1)
        bus, kept = bus_of(plan), Kept()
        overload = event_codes()["overload"]
        bus.devices[0][0].lasting = {overload}
        async with SerialServer(bus) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)

            async def work() -> None:
                await until(lambda: collector.lanes["a"].devices[7].polls >= 2)
                bus.devices[0][0].lasting = set()
                await until(lambda: len(kept.events) == 2)

            await running(collector, work())
        assert [(one.key, one.code) for one in kept.events] == [(7, overload), (7, overload + 5)]

    run(test())


def test_a_serial_server_that_vanishes_and_comes_back_is_read_on() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1, 2], period_s=1), Kept()
        server = SerialServer(bus_of(plan))
        await server.start()
        collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)
        lane = collector.lanes["a"]

        async def work() -> None:
            await until(lambda: all(own.polls for own in lane.devices.values()))
            await server.stop()
            await until(lambda: lane.is_lost)
            before = [own.polls for own in lane.devices.values()]
            await asyncio.sleep(0.2)
            assert [own.polls for own in lane.devices.values()] == before
            await server.start()
            await until(lambda: all(own.polls > 1 for own in lane.devices.values()))

        await running(collector, work())
        await server.stop()
        assert not lane.is_lost
        assert (lane.counters.lost, lane.counters.opened) == (2, 2)  # the second loss is the orderly end
        assert all(own.polls_failed == 0 for own in lane.devices.values())

    run(test())


def test_a_server_that_is_not_there_yet_is_dialled_until_it_is() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1]), Kept()
        server = SerialServer(bus_of(plan))
        await server.start()
        await server.stop()
        collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)

        async def work() -> None:
            await until(lambda: collector.lanes["a"].is_lost)
            await server.start()
            await until(lambda: set(kept.pairs) == whole(plan))

        await running(collector, work())
        await server.stop()

    run(test())


def test_what_could_not_be_kept_is_handed_on_again_and_nothing_twice() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1, 2, 3]), Kept(fails=3)
        async with SerialServer(bus_of(plan)) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)
            await running(collector, until(lambda: len(kept.pairs) >= len(whole(plan))))
        assert sorted(kept.pairs) == sorted(whole(plan))
        assert (collector.keeps_failed, collector.waiting) == (3, 0)

    run(test())


def test_with_too_much_waiting_nobody_is_asked_until_there_is_room() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1, 2, 3]), Kept(fails=1_000_000)
        settings = CollectorSettings(tick_s=0.02, keep_again_s=0.02, waiting_max=5)
        async with SerialServer(bus_of(plan)) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, settings)

            async def work() -> None:
                await until(lambda: collector.keeps_failed > 10)
                assert [own.polls for own in collector.lanes["a"].devices.values()] == [1, 0, 0]
                assert collector.waiting == len(MODBUS.points)
                kept.fails = 0
                await until(lambda: set(kept.pairs) == whole(plan))

            await running(collector, work())

    run(test())


def test_an_orderly_end_keeps_what_was_read_also_while_keeping_is_slow() -> None:
    async def test() -> None:
        plan, kept, begun = line_of("a", [1, 2]), Kept(), asyncio.Event()

        async def slowly(batch: ReadingBatch, events: Sequence[Event]) -> None:
            begun.set()
            await asyncio.sleep(0.1)
            await kept(batch, events)

        async with SerialServer(bus_of(plan)) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], slowly, QUICK)

            async def work() -> None:
                await begun.wait()
                await until(lambda: collector.lanes["a"].devices[2].polls == 1)

            await running(collector, work())
        assert sorted(kept.pairs) == sorted(whole(plan))
        assert collector.waiting == 0

    run(test())


def test_a_dtu_that_dials_is_known_by_its_packet_and_may_dial_again() -> None:
    async def test() -> None:
        plans, kept = [line_of("a", [1], period_s=1), line_of("b", [2], period_s=1)], Kept()
        listener = DtuListener(register_s=0.2)
        ports = [listener.port(b"dtu-a", heartbeat=b"\x00\x00"), listener.port(b"dtu-b")]
        where = await listener.start("127.0.0.1", 0)
        collector = Collector(list(zip(plans, ports, strict=True)), kept, QUICK)

        async def dial(packet: bytes, plan: LinePlan) -> asyncio.StreamReader:
            reader, writer = await asyncio.open_connection(*where)
            writer.write(packet[:2])
            await writer.drain()
            await asyncio.sleep(0.01)
            writer.write(packet[2:])
            lines.append(asyncio.create_task(SerialServer(bus_of(plan)).carry(reader, writer)))
            writers.append(writer)
            return reader

        lines: list[asyncio.Task[None]] = []
        writers: list[asyncio.StreamWriter] = []

        async def work() -> None:
            old = await dial(b"dtu-a", plans[0])
            await dial(b"dtu-b", plans[1])
            await until(lambda: set(kept.pairs) == whole(*plans))
            writers[0].write(b"\x00\x00")
            await dial(b"dtu-a", plans[0])  # the first connection is dead, and nobody was told
            await until(old.at_eof)
            before = collector.lanes["a"].devices[1].polls
            await until(lambda: collector.lanes["a"].devices[1].polls > before)

        await running(collector, work())
        listener.stop()
        for line in lines:
            line.cancel()
        assert collector.lanes["a"].counters.garbage_octets == 0
        assert collector.lanes["b"].counters.lost == 1

    run(test())


@pytest.mark.parametrize("said", [b"dtu-x", b"GET / HTTP/1.1\r\n", b"dtu", b""])
def test_strangers_are_closed_in_time(said: bytes) -> None:
    async def test() -> None:
        listener = DtuListener(register_s=0.1)
        listener.port(b"dtu-a")
        reader, writer = await asyncio.open_connection(*await listener.start("127.0.0.1", 0))
        writer.write(said)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        assert listener.refused == 1
        writer.close()
        listener.stop()

    run(test())


def test_too_many_strangers_are_closed_as_they_come() -> None:
    async def test() -> None:
        listener = DtuListener(register_s=PATIENCE_S, strangers_max=2)
        listener.port(b"dtu-a")
        where = await listener.start("127.0.0.1", 0)
        waiting = [await asyncio.open_connection(*where) for _ in range(2)]
        reader, writer = await asyncio.open_connection(*where)
        async with asyncio.timeout(PATIENCE_S):
            assert await reader.read() == b""
        assert listener.refused == 1
        for one in (writer, *(other for _, other in waiting)):
            one.close()
        listener.stop()

    run(test())


@pytest.mark.parametrize("packet", [b"", b"x" * 129, b"dtu", b"dtu-a1"])
def test_packets_that_cannot_be_told_apart_are_refused(packet: bytes) -> None:
    listener = DtuListener()
    listener.port(b"dtu-a")
    with pytest.raises(ConfigError, match="registration packet"):
        listener.port(packet)


def test_modbus_tcp_is_read_and_a_late_answer_dropped_by_its_transaction() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1, 2], kind=BusKind.MODBUS_TCP), Kept()
        bus = bus_of(plan)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            unwrapper = Unwrapper()
            while octets := await reader.read(4096):
                for transaction, frame in unwrapper.feed(octets):
                    answer = bus.feed(frame)
                    writer.write(wrap(answer, transaction - 1) + wrap(answer, transaction))

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        collector = Collector([(plan, ModbusTcpPort("127.0.0.1", port))], kept, QUICK)
        await running(collector, until(lambda: set(kept.pairs) == whole(plan)))
        server.close()
        assert collector.lanes["a"].counters.answers_doubled == 0
        assert collector.lanes["a"].counters.frames_foreign == 0

    run(test())


def test_a_peer_that_does_not_speak_modbus_tcp_is_left_and_dialled_again() -> None:
    async def test() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")

        connections: list[asyncio.StreamWriter] = []
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        plan = line_of("a", [1], kind=BusKind.MODBUS_TCP)
        port = ModbusTcpPort("127.0.0.1", server.sockets[0].getsockname()[1])
        await running(Collector([(plan, port)], Kept(), QUICK), until(lambda: len(connections) > 2))
        server.close()

    run(test())


def test_a_serial_port_is_read_and_may_vanish() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1, 2], period_s=1), Kept()
        bus = bus_of(plan)
        master, slave = pty.openpty()
        tty.setraw(slave)
        loop = asyncio.get_running_loop()

        def answer() -> None:
            os.write(master, bus.feed(os.read(master, 4096)))

        loop.add_reader(master, answer)
        collector = Collector([(plan, SerialPort(os.ttyname(slave), baud=9600))], kept, QUICK)

        async def work() -> None:
            await until(lambda: set(kept.pairs) == whole(plan))
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)
            await until(lambda: collector.lanes["a"].is_lost)

        await running(collector, work())
        assert collector.lanes["a"].counters.bad_frames == 0

    run(test())


@pytest.mark.parametrize("how", [{"baud": 0}, {"baud": 9600, "parity": "mark"}, {"baud": 9600, "stop_bits": 3}])
def test_a_serial_port_that_cannot_be_is_refused(how: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="serial port"):
        SerialPort("/dev/ttyS0", **how)  # type: ignore[arg-type]


def test_a_plan_that_cannot_be_starts_nothing() -> None:
    class Never(Port):
        name = "never"

        async def open(self) -> Link:
            raise AssertionError("opened")

    with pytest.raises(ConfigError, match="cannot keep its plan"):
        Collector([(line_of("a", list(range(32)), period_s=2), Never())], Kept())
    with pytest.raises(ConfigError, match="tick_s"):
        CollectorSettings(tick_s=0)


def test_a_dead_meter_is_told_of_in_its_lane() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1, 2]), Kept()
        bus = bus_of(plan)
        bus.dead = {"2"}
        async with SerialServer(bus) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)
            lane = collector.lanes["a"]
            await running(collector, until(lambda: lane.known(2) is Told.SILENT))
        assert lane.devices[2].timeouts == 3
        assert lane.known(1) is None

    run(test())


def test_an_order_is_carried_out_and_its_outcome_told() -> None:
    async def test() -> None:
        plan = line_of("a", [1, 2])
        bus = bus_of(plan)
        async with SerialServer(bus) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], Kept(), QUICK)

            async def work() -> None:
                called = await collector.ask(2, [MODBUS.trip("2")])
                assert (called.end, called.answers[0].problem) == (End.ANSWERED, None)
                with pytest.raises(ConfigError, match="no line"):
                    await collector.ask(3, [MODBUS.trip("3")])

            await running(collector, work())
        assert [one.name for one in bus.devices[1][0].given] == ["trip"]

    run(test())


def test_a_call_that_nobody_waits_for_any_more_sends_nothing() -> None:
    async def test() -> None:
        plan = line_of("a", [1])
        collector = Collector([(plan, DtuListener().port(b"never"))], Kept(), QUICK)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await collector.ask(1, [MODBUS.trip("1")])
        calls = [asyncio.create_task(collector.ask(1, [MODBUS.trip("1")])) for _ in range(CALLS_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="line a"):
            await collector.ask(1, [MODBUS.trip("1")])
        for call in calls:
            call.cancel()

    run(test())


@pytest.mark.parametrize("said", [b"\x01", wrap(b"\x01\x03\x02\x00\x00\x44\x44", 9)])
def test_a_peer_that_sends_without_end_is_left_and_holds_up_nobody(said: bytes) -> None:
    async def test() -> None:
        class Peer(threading.Thread):
            """Sends as fast as it can, in a thread so that only the socket is between it and us."""

            def run(self) -> None:
                with contextlib.suppress(OSError):
                    connection, _ = listening.accept()
                    while True:
                        connection.sendall(said * (65536 // len(said)))

        kind = BusKind.MODBUS_TCP if len(said) > 1 else BusKind.RS485
        with socket.create_server(("127.0.0.1", 0)) as listening:
            peer, where = Peer(daemon=True), listening.getsockname()
            peer.start()
            port = ModbusTcpPort(*where) if kind is BusKind.MODBUS_TCP else TcpPort(*where)
            collector = Collector([(line_of("a", [1], kind=kind), port)], Kept(), CollectorSettings(tick_s=0.02))
            lane, rounds = collector.lanes["a"], 0

            async def work() -> None:
                nonlocal rounds
                while not lane.is_lost:
                    await asyncio.sleep(0)
                    rounds += 1

            async with asyncio.timeout(PATIENCE_S):
                await running(collector, work())
        assert lane.counters.lost == 1
        assert rounds > BURST_MAX // CHUNK  # others had their turn after each piece
        peer.join(PATIENCE_S)
        assert not peer.is_alive()

    run(test())


def test_what_a_line_carries_is_no_flood() -> None:
    flow = Flow(0.0)
    flow.heard(BURST_MAX, 0.0)
    for second in range(1, 100):
        flow.heard(OCTETS_S_MAX, float(second))
    with pytest.raises(FloodError):
        flow.heard(1, 99.0)


def test_strangers_of_one_address_are_told_of_once_in_a_while() -> None:
    async def test() -> None:
        listener = DtuListener(register_s=PATIENCE_S)
        listener.port(b"dtu-a")
        where = await listener.start("127.0.0.1", 0)
        with structlog.testing.capture_logs() as lines:
            for _ in range(5):
                reader, writer = await asyncio.open_connection(*where)
                writer.write(b"stranger")
                async with asyncio.timeout(PATIENCE_S):
                    assert await reader.read() == b""
                writer.close()
        assert listener.refused == 5
        assert [one["event"] for one in lines] == ["dtu refused"]
        listener.stop()

    run(test())
