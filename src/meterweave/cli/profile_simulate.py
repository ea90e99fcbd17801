"""Simulated devices on a line: a TCP port that takes connections, or a serial port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence

from meterweave.cli.profile_port import MODBUS_TCP, SERIAL, Place, open_serial
from meterweave.profiles import Device
from meterweave.simulator.bus import SILENCE_S, Bus, running_s, serve


async def run(devices: Sequence[Device], where: Place, say: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM."""
    task = asyncio.current_task()
    assert task is not None  # a coroutine runs in one
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await (_serial(devices, where, say) if where.kind == SERIAL else _tcp(devices, where, say))


async def _tcp(devices: Sequence[Device], where: Place, say: Callable[[str], None]) -> None:
    server = await serve(devices, where.host, where.port, modbus_tcp=where.kind == MODBUS_TCP)
    host, port = server.sockets[0].getsockname()[:2]
    say(f"{where.kind}://{host}:{port}")
    async with server:
        await server.serve_forever()


async def _serial(devices: Sequence[Device], where: Place, say: Callable[[str], None]) -> None:
    bus = Bus(devices, running_s())
    with open_serial(where, devices[0].settings) as port:
        port.timeout = SILENCE_S
        say(f"{SERIAL}:{where.path}")
        while True:
            # Reading blocks a thread, for at most the time of silence, so that a signal is heard in between.
            first = await asyncio.to_thread(port.read, 1)
            answer = bus.feed(first + port.read(port.in_waiting)) if first else bus.silence()
            if answer:
                await asyncio.to_thread(port.write, answer)
