"""Simulated devices on one line, as a serial server carries it: octets in, octets out, and a TCP port for them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from meterweave.errors import DecodeError
from meterweave.field.ports import CHUNK
from meterweave.profiles import Device
from meterweave.profiles.modbus_tcp import Unwrapper, wrap

CONNECTIONS_MAX = 64
SILENCE_S = 0.2
"""After so long without an octet what was begun is no frame any more."""
APART_S = 997
"""By how much each device is ahead of the one before it, so that no two registers of a line are alike."""


def running_s() -> Callable[[], int]:
    """A clock of devices: seconds since this call."""
    begun_s = time.monotonic()
    return lambda: int(time.monotonic() - begun_s)


class Bus:
    """Devices on one line, as one connection hears them.

    Parameters
    ----------
    now_s : callable
        The time of the devices, by which their registers climb. [s]
    """

    def __init__(self, devices: Sequence[Device], now_s: Callable[[], int], *, modbus_tcp: bool = False) -> None:
        self._lines = [device.line() for device in devices]
        self._unwrapper = Unwrapper() if modbus_tcp else None
        self._now_s = now_s

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
        now_s = self._now_s()
        return b"".join(line.feed(octets, now_s + index * APART_S) for index, line in enumerate(self._lines))


async def serve(
    devices: Sequence[Device],
    host: str,
    port: int,
    now_s: Callable[[], int] | None = None,
    *,
    modbus_tcp: bool = False,
) -> asyncio.Server:
    """Open a TCP port behind which the devices hang.

    Raises
    ------
    OSError
        If the port cannot be opened.
    """
    clock, open_count = now_s or running_s(), 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_count
        open_count += 1
        try:
            if open_count <= CONNECTIONS_MAX:
                await _converse(Bus(devices, clock, modbus_tcp=modbus_tcp), reader, writer)
        finally:
            open_count -= 1
            writer.close()

    return await asyncio.start_server(talk, host, port)


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
