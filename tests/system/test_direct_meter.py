"""A DL/T 698.45 meter with a module of its own: dials in over TCP, is enrolled, reports, is read and switched."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from meterweave.headend.operations import Authority, Done, ReadNow, ReadRelay, Relay, RelayAction
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, shipped
from meterweave.registry.meter_entries import meters_on
from tests.headend import frames
from tests.headend.centre import Centre, centre, run, until
from tests.headend.messages.messages import meters, terminals

ADDRESS = 123456789012
ENERGY, VOLTAGE = obis_code("1-0:1.8.0"), obis_code("1-0:32.7.0")


async def meter(here: Centre, device: Device) -> None:
    """Log in, report a day, and answer what is asked, as the module of the meter does."""
    line = await here.dial()
    await line.ask(frames.link_request(ADDRESS))
    await line.ask(frames.report(ADDRESS, [ADDRESS], 3, 123_456))
    assert await line.ask(frames.link_request(ADDRESS, frames.HEARTBEAT))
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            line.writer.write(device.feed(await line.frame(), 1_767_225_600))


def test_a_meter_that_dials_in_is_enrolled_read_and_switched(tmp_path: Path) -> None:
    device = Device(shipped("dlt698-meter"), str(ADDRESS))

    async def work() -> None:
        async with centre(tmp_path, enrol=True) as here:
            dialled = asyncio.create_task(meter(here, device))
            await until(lambda: here.head_end.counters.heartbeats == 1)
            assert [one[:2] for one in terminals(here.registry)] == [("dlt698", str(ADDRESS))]
            assert [one[:3] for one in meters(here.registry)] == [("dlt698", str(ADDRESS), "electricity")]
            assert here.readings("value") == [(12_345_600,)]  # 1,234.56 kWh
            with here.registry.reading() as session:
                ((terminal, (entry,)),) = meters_on(session, range(100)).items()
            read = await here.head_end.call(terminal, ReadNow((entry,), (ENERGY, VOLTAGE)))
            assert isinstance(read, Done)
            quantities = {row[0] for row in here.readings("DISTINCT quantity")}
            assert {ENERGY, VOLTAGE} <= quantities  # an attribute tells all tariffs and phases at once
            for action, closed in ((RelayAction.TRIP, False), (RelayAction.CLOSE, True)):
                done = await here.head_end.call(terminal, Relay(entry, action, Authority(2, bytes(3), bytes(4))))
                assert isinstance(done, Done)
                assert device.closed is closed
                told = await here.head_end.call(terminal, ReadRelay(entry))
                assert isinstance(told, Done)
                assert told.facts["closed"] is closed
            dialled.cancel()
            await asyncio.gather(dialled, return_exceptions=True)

    run(work)
