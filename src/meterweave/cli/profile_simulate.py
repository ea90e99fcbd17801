"""Simulated devices on a line: a TCP port that takes connections, or a serial port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Sequence

from meterweave.cli.profile_port import CHUNK, MODBUS_TCP, SERIAL, Place, open_serial
from meterweave.errors import DecodeError
from meterweave.profiles import Device
from meterweave.profiles.modbus_tcp import Unwrapper, wrap

CONNECTIONS_MAX = 64
SILENCE_S = 0.2
"""After so long without an octet what was begun is no frame any more."""


class Bus:
    """Devices on one line, as one connection hears them."""

    def __init__(self, devices: Sequence[Device], *, modbus_tcp: bool) -> None:
        self._lines = [device.line() for device in devices]
        self._unwrapper = Unwrapper() if modbus_tcp else None
        self._begun_s = time.monotonic()

    def feed(self, octets: bytes) -> bytes:
        """What the devices answer; raises `DecodeError` where a peer does not speak Modbus TCP."""
        if self._unwrapper is None:
            return self._heard(octets)
        said = [(one.transaction, self._heard(one.frame)) for one in self._unwrapper.feed(octets)]
        return b"".join(wrap(frame, transaction) for transaction, frame in said if frame)

    def silence(self) -> bytes:
        """Nothing came for a while."""
        return b"" if self._unwrapper else b"".join(line.silence() for line in self._lines)

    def _heard(self, octets: bytes) -> bytes:
        now_s = int(time.monotonic() - self._begun_s)
        return b"".join(line.feed(octets, now_s) for line in self._lines)


async def run(devices: Sequence[Device], where: Place, say: Callable[[str], None]) -> None:
    """Answer until SIGINT or SIGTERM."""
    task = asyncio.current_task()
    assert task is not None  # a coroutine runs in one
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await (_serial(devices, where, say) if where.kind == SERIAL else _tcp(devices, where, say))


async def _tcp(devices: Sequence[Device], where: Place, say: Callable[[str], None]) -> None:
    open_count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_count
        open_count += 1
        try:
            if open_count <= CONNECTIONS_MAX:
                await _converse(Bus(devices, modbus_tcp=where.kind == MODBUS_TCP), reader, writer)
        finally:
            open_count -= 1
            writer.close()

    server = await asyncio.start_server(talk, where.host, where.port)
    host, port = server.sockets[0].getsockname()[:2]
    say(f"{where.kind}://{host}:{port}")
    async with server:
        await server.serve_forever()


async def _converse(bus: Bus, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(DecodeError, ConnectionError):
        while True:
            try:
                octets = await asyncio.wait_for(reader.read(CHUNK), SILENCE_S)
                answer = bus.feed(octets)
                if not octets:
                    return
            except TimeoutError:
                answer = bus.silence()
            if answer:
                writer.write(answer)
                await writer.drain()


async def _serial(devices: Sequence[Device], where: Place, say: Callable[[str], None]) -> None:
    bus = Bus(devices, modbus_tcp=False)
    with open_serial(where, devices[0].settings) as port:
        port.timeout = SILENCE_S
        say(f"{SERIAL}:{where.path}")
        while True:
            # Reading blocks a thread, for at most the time of silence, so that a signal is heard in between.
            first = await asyncio.to_thread(port.read, 1)
            answer = bus.feed(first + port.read(port.in_waiting)) if first else bus.silence()
            if answer:
                await asyncio.to_thread(port.write, answer)
