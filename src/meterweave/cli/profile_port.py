"""The lines on which ``meterweave profile`` speaks: a serial port, a TCP serial server, Modbus TCP; reading waits."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, urlsplit

import serial

from meterweave.errors import ConfigError
from meterweave.field.ports import CHUNK, PARITIES
from meterweave.profiles import Settings
from meterweave.profiles.modbus_tcp import Unwrapper, wrap
from meterweave.protocols.modbus import CODEC as MODBUS_CODEC
from meterweave.registry.port import OPTIONS

SERIAL, TCP, MODBUS_TCP = "serial", "tcp", "modbus-tcp"
SERIAL_OPTIONS = ("baud", "parity", "stop_bits")
CONNECT_S = 5.0
_WANTED = "wanted serial:/dev/ttyUSB0?baud=2400, tcp://host:port or modbus-tcp://host:port"


class Place(NamedTuple):
    """Where a line is."""

    kind: str
    path: str = ""  # of a serial port
    host: str = ""
    port: int = 0
    settings: Mapping[str, Any] = MappingProxyType({})
    """Those of `SERIAL_OPTIONS` that are given, read."""


def place(text: str, *, listening: bool = False) -> Place:
    """What ``--port`` says.

    Raises
    ------
    ConfigError
        If that is no port; 0 is one where the system may choose it, to listen on.
    """
    kind, _, rest = text.partition(":")
    if kind == SERIAL:
        path, _, query = rest.partition("?")
        if not path:
            raise ConfigError(f"port {text!r}: no device; {_WANTED}")
        return Place(SERIAL, path=path, settings=_settings(text, query))
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host, port = None, None
    if kind not in (TCP, MODBUS_TCP) or not host or port is None or (port == 0 and not listening):
        raise ConfigError(f"{text!r} is no port; {_WANTED}")
    return Place(kind, host=host, port=port)


def _settings(text: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in SERIAL_OPTIONS:
            raise ConfigError(f"port {text!r}: no option {name}; {_WANTED}")
        found[name] = OPTIONS[name].read(value)
        if found[name] is None:
            raise ConfigError(f"port {text!r}: {name} is {value!r}; wanted {OPTIONS[name].form.en}")
    return found


class Port(Protocol):
    """A line that is open."""

    def send(self, octets: bytes) -> None:
        """Send a whole frame; what came before it and was not read is forgotten."""
        ...

    def receive(self, until: float) -> bytes:
        """The next octets of the line; none: nothing came until then. [`time.monotonic`, s]"""
        ...


@contextlib.contextmanager
def opened(where: Place, settings: Settings, protocol: str) -> Iterator[Port]:
    """The open line; `settings` are a serial port's, unless the place says otherwise.

    Raises
    ------
    ConfigError
        If the place does not go with the protocol.
    OSError
        If it cannot be opened.
    """
    if where.kind == MODBUS_TCP and protocol != MODBUS_CODEC.name:
        raise ConfigError(f"modbus-tcp carries Modbus only; the profile speaks {protocol}")
    if where.kind == SERIAL:
        with open_serial(where, settings) as port:
            yield _Serial(port)
        return
    with socket.create_connection((where.host, where.port), CONNECT_S) as link:
        yield _ModbusTcp(link) if where.kind == MODBUS_TCP else _Tcp(link)


def open_serial(where: Place, settings: Settings) -> serial.Serial:
    """The serial port at a place; raises as `opened`."""
    baud, parity, stop_bits = (where.settings.get(name, getattr(settings, name)) for name in SERIAL_OPTIONS)
    return serial.Serial(where.path, baud, parity=PARITIES[parity], stopbits=stop_bits, timeout=0, exclusive=True)


class _Serial:
    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def send(self, octets: bytes) -> None:
        self._port.reset_input_buffer()
        self._port.write(octets)
        self._port.flush()

    def receive(self, until: float) -> bytes:
        self._port.timeout = max(0.0, until - time.monotonic())
        first: bytes = self._port.read(1)
        return first + self._port.read(self._port.in_waiting) if first else b""


class _Tcp:
    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def send(self, octets: bytes) -> None:
        self._link.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self._link.recv(CHUNK):
                pass
        self._link.settimeout(CONNECT_S)
        self._link.sendall(octets)

    def receive(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0:
            return b""
        self._link.settimeout(left)
        try:
            octets = self._link.recv(CHUNK)
        except TimeoutError:
            return b""
        if not octets:
            raise ConnectionResetError(104, "the other side closed the connection")
        return octets


class _ModbusTcp(_Tcp):
    def __init__(self, link: socket.socket) -> None:
        super().__init__(link)
        self._transaction = 0
        self._unwrapper = Unwrapper()

    def send(self, octets: bytes) -> None:
        self._transaction += 1
        self._unwrapper = Unwrapper()
        super().send(wrap(octets, self._transaction))

    def receive(self, until: float) -> bytes:
        while octets := super().receive(until):
            frames = [one.frame for one in self._unwrapper.feed(octets) if one.transaction == self._transaction]
            if frames:
                return b"".join(frames)
        return b""
