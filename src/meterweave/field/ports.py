"""Ways to a line: a serial port, a serial server that we dial, Modbus TCP.

A `Port` is opened as often as it was lost; a `Link` is the open way. A serial port is read through the event loop's own
watch over its file descriptor: no thread for each line, no package beside pyserial, which sets it up.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

import serial

from meterweave.errors import ConfigError
from meterweave.profiles.modbus_tcp import Unwrapper, wrap

CHUNK = 4096
"""Most octets taken at once; a link that is not read holds no more than a few of these."""
HELD_MAX = 4 * CHUNK
"""Octets of a serial port that nobody took; more are lost, as they would be in the port itself."""
OCTETS_S_MAX = 32 * 1024
"""Most octets a second that a peer may go on sending, many times what a line carries; with more the link is lost."""
BURST_MAX = 256 * 1024
"""Octets that may come at once nevertheless."""
CONNECT_S = 10.0
WRITE_OCTETS_MAX = 4096
"""Octets to a peer that takes none; with more the link is given up."""
UNACKNOWLEDGED_MS = 20_000
"""After so long without a sign that the peer's machine lives the link is given up."""
PARITIES: Mapping[str, str] = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}


class FloodError(ConnectionError):
    """The other side sends more than any line carries."""


class Link(ABC):
    """An open way to a line. What goes wrong with it is an `OSError`, or a `DecodeError` of its own envelope."""

    @abstractmethod
    def send(self, octets: bytes) -> None:
        """Send a whole frame."""

    @abstractmethod
    async def receive(self, until: float) -> bytes:
        """The next octets of the line; none: nothing came until then. [s, time of the event loop]"""

    @abstractmethod
    def close(self) -> None:
        """Let go of it."""


class Port(ABC):
    """A way to a line that can be opened."""

    name: str
    """For people."""

    @abstractmethod
    async def open(self) -> Link:
        """Open it; raises `OSError` where that fails."""


async def in_time(until: float, read: Callable[[], Awaitable[bytes]]) -> bytes:
    """What `read` gives; nothing where that does not come until then. [s, time of the event loop]"""
    timer = asyncio.timeout_at(until)
    try:
        async with timer:
            return await read()
    except TimeoutError:
        if timer.expired():
            return b""
        raise  # the link's own: the peer's machine is gone


class StreamLink(Link):
    """A TCP connection that carries the octets of a line as they are.

    Parameters
    ----------
    first : bytes
        Octets that were read already.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b"") -> None:
        self._reader, self._writer, self._first = reader, writer, first
        self._flow = Flow(time.monotonic())
        watch_over(writer.get_extra_info("socket"))

    def send(self, octets: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() > WRITE_OCTETS_MAX:
            raise ConnectionAbortedError("the other side takes no octets")
        self._writer.write(octets)

    async def receive(self, until: float) -> bytes:
        if self._first:
            octets, self._first = self._first, b""
            return octets
        return await in_time(until, self._read)

    async def _read(self) -> bytes:
        octets = await self._reader.read(CHUNK)
        if not octets:
            raise ConnectionResetError("the other side closed the connection")
        self._flow.heard(len(octets), time.monotonic())
        if len(octets) == CHUNK:  # more is there already, and reading it would not give way to others
            await asyncio.sleep(0)
        return octets

    def close(self) -> None:
        self._writer.close()


class Flow:
    """How much a peer sends: `BURST_MAX` octets at once, `OCTETS_S_MAX` a second in the long run."""

    def __init__(self, now: float) -> None:
        self._since, self._octets = now, 0.0

    def heard(self, count: int, now: float) -> None:
        """So many octets came; raises `FloodError` where they are too many."""
        self._octets = max(0.0, self._octets - (now - self._since) * OCTETS_S_MAX) + count
        self._since = now
        if self._octets > BURST_MAX:
            raise FloodError("the other side sends more octets than any line carries")


def watch_over(link: socket.socket) -> None:
    """Let the system find out when the peer's machine is gone without a word."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, UNACKNOWLEDGED_MS // 1000)


class TcpPort(Port):
    """A serial server that takes connections."""

    def __init__(self, host: str, port: int) -> None:
        self.name, self._host, self._port = f"tcp://{host}:{port}", host, port

    async def open(self) -> Link:
        return StreamLink(*await _dialled(self._host, self._port))


class ModbusTcpPort(Port):
    """A device or gateway that speaks Modbus TCP."""

    def __init__(self, host: str, port: int = 502) -> None:
        self.name, self._host, self._port = f"modbus-tcp://{host}:{port}", host, port

    async def open(self) -> Link:
        return ModbusTcpLink(StreamLink(*await _dialled(self._host, self._port)))


async def _dialled(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_S):
        return await asyncio.open_connection(host, port, limit=CHUNK)


class ModbusTcpLink(Link):
    """RTU frames to and fro, under a transaction each; an answer to an earlier one is dropped."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._unwrapper = Unwrapper()
        self._transaction = 0

    def send(self, octets: bytes) -> None:
        self._transaction = (self._transaction + 1) % (1 << 16)
        self._link.send(wrap(octets, self._transaction))

    async def receive(self, until: float) -> bytes:
        while octets := await self._link.receive(until):
            carried = self._unwrapper.feed(octets)
            frames = [one.frame for one in carried if one.transaction == self._transaction]
            if frames:
                return b"".join(frames)
        return b""

    def close(self) -> None:
        self._link.close()


class SerialPort(Port):
    """A serial port of this machine, on systems where ports are files."""

    def __init__(self, path: str, *, baud: int, parity: str = "none", stop_bits: int = 1) -> None:
        if parity not in PARITIES or stop_bits not in (1, 2) or baud <= 0:
            raise ConfigError(
                f"serial port {path}: baud {baud}, parity {parity}, stop_bits {stop_bits}; "
                f"wanted a positive number, one of {', '.join(PARITIES)}, and 1 or 2"
            )
        self.name, self._path, self._baud = f"serial:{path}", path, baud
        self._parity, self._stop_bits = parity, stop_bits

    async def open(self) -> Link:
        return SerialLink(await asyncio.to_thread(self._set_up))

    def _set_up(self) -> serial.Serial:
        try:
            return serial.Serial(
                self._path,
                self._baud,
                parity=PARITIES[self._parity],
                stopbits=self._stop_bits,
                timeout=0,
                exclusive=True,  # two masters on one line would spoil each other's frames
            )
        except ValueError as error:  # a speed that this port does not have
            raise OSError(f"{self._path}: {error}") from error


class SerialLink(Link):
    """An open serial port."""

    def __init__(self, port: serial.Serial) -> None:
        self._port, self._fd = port, port.fileno()
        self._loop = asyncio.get_running_loop()
        self._held = bytearray()
        self._error: OSError | None = None
        self._ready = asyncio.Event()
        self._loop.add_reader(self._fd, self._readable)

    def send(self, octets: bytes) -> None:
        if os.write(self._fd, octets) < len(octets):
            raise OSError(f"{self._port.port} takes no more octets")

    async def receive(self, until: float) -> bytes:
        return await in_time(until, self._read)

    async def _read(self) -> bytes:
        await self._ready.wait()
        if not self._held and self._error is not None:
            raise self._error
        self._ready.clear()
        octets = bytes(self._held)
        self._held.clear()
        if self._error is not None:
            self._ready.set()
        return octets

    def _readable(self) -> None:
        # A port without octets reads as empty, and so does one that is gone: only here, where the system says that
        # there is something, does empty mean gone.
        try:
            octets = os.read(self._fd, CHUNK)
            if not octets:
                raise OSError(f"{self._port.port} is gone")
            self._held += octets[: HELD_MAX - len(self._held)]
        except OSError as error:
            self._error = error
            self._loop.remove_reader(self._fd)
        self._ready.set()

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        self._port.close()
