"""Lines that come, change and go while a collector runs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from meterweave.errors import MeterweaveError
from meterweave.field.collector import Collector
from meterweave.field.dtu import DtuListener
from meterweave.field.line import End
from meterweave.field.order import Happened, Outcome, Wish, carry_out
from meterweave.field.ports import TcpPort
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import Event, event_codes
from meterweave.profiles import Device
from tests.field.test_collector import MODBUS, QUICK, Kept, bus_of, line_of, run, running, until, whole
from tests.field.wire import SerialServer


def test_lines_come_and_go_and_the_others_are_undisturbed() -> None:
    async def test() -> None:
        one, two, three = line_of("a", [1], period_s=1), line_of("b", [2], period_s=1), line_of("b", [2, 3], period_s=1)
        kept = Kept()
        async with SerialServer(bus_of(one)) as first, SerialServer(bus_of(three)) as second:
            ports = [TcpPort("127.0.0.1", server.port) for server in (first, second)]
            collector = Collector([(one, ports[0])], kept, QUICK)

            async def work() -> None:
                await until(lambda: set(kept.pairs) == whole(one))
                lane = collector.lanes["a"]
                collector.set_lines([(line_of("a", [1], period_s=1), ports[0]), (two, ports[1])])
                await until(lambda: set(kept.pairs) == whole(one, two))
                collector.set_lines([(one, ports[0]), (three, ports[1])])
                await until(lambda: set(kept.pairs) == whole(one, three))
                assert collector.lanes["a"] is lane
                gone = collector.lanes["b"]
                collector.set_lines([(one, ports[0])])
                await until(lambda: not gone.is_open)
                polls = gone.devices[2].polls
                before = lane.devices[1].polls
                await until(lambda: lane.devices[1].polls > before + 1)
                assert gone.devices[2].polls == polls
                assert lane.counters.opened == 1

            await running(collector, work())
        assert (first.connections, second.connections) == (1, 1)  # a line whose plan changes goes on over its link

    run(test())


def test_what_is_not_kept_yet_when_a_line_goes_is_kept_all_the_same() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [1]), Kept(fails=1_000_000)
        async with SerialServer(bus_of(plan)) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)

            async def work() -> None:
                await until(lambda: collector.waiting == len(whole(plan)))
                collector.set_lines([])
                await until(lambda: collector.keeps_failed > 2)
                kept.fails = 0
                await until(lambda: set(kept.pairs) == whole(plan))

            await running(collector, work())

    run(test())


def test_a_line_that_cannot_be_is_refused_with_the_arithmetic_and_the_others_go_on() -> None:
    async def test() -> None:
        good, busy = line_of("a", [1]), line_of("b", list(range(100, 132)), period_s=2)
        twice, same = line_of("c", [1]), line_of("d", [4])
        kept = Kept()
        async with SerialServer(bus_of(good)) as server:
            port = TcpPort("127.0.0.1", server.port)
            collector = Collector([], kept, QUICK)
            collector.set_lines([(good, port), (busy, TcpPort("h", 1)), (twice, TcpPort("h", 2)), (same, port)])
            assert set(collector.lanes) == {"a"}
            assert "32 × prepaid-modbus-single-phase every 2 s" in collector.refused["b"].en
            assert "meter 1 is on line a" in collector.refused["c"].en
            assert "表计1已在线路a上" in collector.refused["c"].zh
            assert "that of line a" in collector.refused["d"].en
            await running(collector, until(lambda: set(kept.pairs) == whole(good)))
            collector.set_lines([(good, port)])
            assert collector.refused == {}

    run(test())


def test_a_call_that_waits_for_a_line_that_goes_is_told_that_nothing_was_sent() -> None:
    async def test() -> None:
        plan = line_of("a", [1])
        collector = Collector([(plan, DtuListener().port(b"never"))], Kept(), QUICK)

        async def work() -> None:
            call = asyncio.create_task(collector.ask(1, [MODBUS.trip("1")]))
            await asyncio.sleep(0.05)
            collector.set_lines([])
            async with asyncio.timeout(20):
                assert await call == ((), End.LOST, 0)

        await running(collector, work())

    run(test())


def test_what_lasted_before_the_start_is_no_event_and_its_end_is_one() -> None:
    async def test() -> None:
        plan, kept = line_of("a", [7], period_s=1), Kept()
        bus = bus_of(plan)
        overload, fault = event_codes()["overload"], event_codes()["device_fault"]
        bus.devices[0][0].lasting = {overload}
        async with SerialServer(bus) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)
            collector.set_conditions(7, [overload, fault])
            await running(collector, until(lambda: bool(kept.events) and collector.lanes["a"].devices[7].polls > 1))
        assert [(one.key, one.code) for one in kept.events] == [(7, fault + 5)]

    run(test())


def test_what_a_call_reads_is_kept_before_who_waits_for_it_goes_on() -> None:
    async def test() -> None:
        plan, may, kept = line_of("a", [1], period_s=900), asyncio.Event(), Kept()

        async def when_allowed(batch: ReadingBatch, events: Sequence[Event]) -> None:
            if not may.is_set():
                raise MeterweaveError("disk full")
            await kept(batch, events)

        async with SerialServer(bus_of(plan)) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], when_allowed, QUICK)

            async def work() -> None:
                await until(lambda: collector.lanes["a"].devices[1].polls == 1)
                called = await collector.ask(1, MODBUS.requests("1"))
                assert called.end is End.ANSWERED
                waiting = asyncio.create_task(collector.kept())
                failed = collector.keeps_failed
                await until(lambda: collector.keeps_failed > failed + 1)
                assert not waiting.done()
                may.set()
                await waiting
                assert sorted(kept.pairs) == sorted([*whole(plan), *whole(plan)])
                await collector.kept()  # nothing waits

            await running(collector, work())

    run(test())


def test_a_call_whose_turn_does_not_come_in_time_sends_nothing() -> None:
    async def test() -> None:
        collector = Collector([(line_of("a", [1]), DtuListener().port(b"never"))], Kept(), QUICK)
        assert await collector.ask(1, [MODBUS.trip("1")], begin_s=0.01) == ((), End.LOST, 0)
        with pytest.raises(MeterweaveError, match="no line"):
            await collector.ask(2, [MODBUS.trip("2")], begin_s=0.01)

    run(test())


class SlowBus:
    """A serial server on a real socket: what the one meter says goes to whoever is connected then.

    Attributes
    ----------
    swallowed : set of bytes
        Requests that get lost on the way to the meter.
    """

    def __init__(self, device: Device, *, takes_s: float) -> None:
        self.device, self.takes_s = device, takes_s
        self.swallowed: set[bytes] = set()
        self.asked: list[bytes] = []
        self._writer: asyncio.StreamWriter | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        while octets := await reader.read(4096):
            self.asked.append(octets)
            if octets not in self.swallowed:
                self._answering.add(asyncio.create_task(self._answer(octets)))

    async def _answer(self, octets: bytes) -> None:
        said = self.device.feed(octets)
        await asyncio.sleep(self.takes_s)
        if said and self._writer is not None:
            self._writer.write(said)


def test_a_late_answer_to_the_order_of_the_plan_before_is_not_that_to_the_next_order() -> None:
    async def test() -> None:
        before, after = line_of("a", [1], latency_s=1.0), line_of("a", [1, 2], latency_s=1.0)
        bus = SlowBus(Device(MODBUS, "1"), takes_s=0.3)
        trip, close = MODBUS.trip("1").octets, MODBUS.close("1").octets
        bus.swallowed = {close, *(one.octets for one in MODBUS.requests("2"))}
        server = await asyncio.start_server(bus.carry, "127.0.0.1", 0)
        port = TcpPort("127.0.0.1", server.sockets[0].getsockname()[1])
        collector = Collector([(before, port)], Kept(), QUICK)

        async def work() -> None:
            await until(lambda: collector.lanes["a"].devices[1].polls == 1)
            first = asyncio.create_task(carry_out(collector, Wish(meter=1, action="trip")))
            await until(lambda: trip in bus.asked)
            collector.set_lines([(after, port)])
            assert (await first).result is Outcome.UNKNOWN
            assert (await carry_out(collector, Wish(meter=1, action="close"))).result is Outcome.UNKNOWN
            assert (bus.asked.count(trip), bus.asked.count(close)) == (1, 1)
            assert collector.lanes["a"].counters.frames_foreign == 1

        await running(collector, work())
        server.close()

    run(test())


def test_an_order_that_waits_for_the_line_when_its_plan_changes_was_not_sent() -> None:
    async def test() -> None:
        before, after = line_of("a", [1], latency_s=2.0), line_of("a", [1, 2], latency_s=2.0)
        bus = bus_of(after)
        async with SerialServer(bus) as server:
            port = TcpPort("127.0.0.1", server.port)
            collector = Collector([(before, port)], Kept(), QUICK)

            async def work() -> None:
                lane = collector.lanes["a"]
                await until(lambda: lane.is_open)
                order = asyncio.create_task(carry_out(collector, Wish(meter=1, action="trip")))
                await asyncio.sleep(0)
                lane.poller.step(asyncio.get_running_loop().time())  # its turn begins, in the hush after the opening
                assert lane.poller.line.busy
                collector.set_lines([(after, port)])
                happened: Happened = await order
                assert happened.result is Outcome.NOT_SENT
                assert MODBUS.trip("1").octets not in bus.asked

            await running(collector, work())

    run(test())


def test_a_dtu_whose_line_changes_keeps_its_connection() -> None:
    async def test() -> None:
        before, after, kept = line_of("a", [1]), line_of("a", [1, 2]), Kept()
        listener = DtuListener()
        port = listener.port(b"dtu-a")
        reader, writer = await asyncio.open_connection(*await listener.start("127.0.0.1", 0))
        writer.write(b"dtu-a")
        carrying = asyncio.create_task(SerialServer(bus_of(after)).carry(reader, writer))
        collector = Collector([(before, port)], kept, QUICK)

        async def work() -> None:
            await until(lambda: set(kept.pairs) == whole(before))
            collector.set_lines([(after, port)])
            await until(lambda: set(kept.pairs) == whole(after))
            assert not reader.at_eof()
            collector.set_lines([])
            await until(reader.at_eof)

        await running(collector, work())
        carrying.cancel()
        listener.stop()

    run(test())


def test_many_readings_that_could_not_be_kept_are_handed_on_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meterweave.field.collector.HANDED_MAX", 5)

    async def test() -> None:
        plan, kept = line_of("a", [1, 2, 3]), Kept(fails=1_000_000)
        async with SerialServer(bus_of(plan)) as server:
            collector = Collector([(plan, TcpPort("127.0.0.1", server.port))], kept, QUICK)

            async def work() -> None:
                await until(lambda: collector.waiting == len(whole(plan)))
                kept.fails = 0
                await collector.kept()

            await running(collector, work())
        assert sorted(kept.pairs) == sorted(whole(plan))
        assert max(map(len, kept.batches)) == 5

    run(test())
