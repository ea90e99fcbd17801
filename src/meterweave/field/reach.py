"""From how a line is reached, as plain data, to its port and its plan; one listener for all DTUs.

The archives say it as a port URL (``meterweave.registry.port``), whose parts are the attributes of `Way`; this package
knows no archives, and takes whatever has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from meterweave.errors import ConfigError
from meterweave.field.dtu import DtuListener
from meterweave.field.plan import Bus, DevicePlan, LinePlan, PlanError
from meterweave.field.ports import ModbusTcpPort, Port, SerialPort, TcpPort
from meterweave.profiles import Settings

TCP, MODBUS_TCP, SERIAL, DTU = "tcp", "modbus-tcp", "serial", "dtu"
MODBUS_TCP_PORT = 502


class Way(Protocol):
    """How a line is reached and how fast it is; None, or no octets, where that is not told."""

    @property
    def kind(self) -> str:
        """``tcp``, ``modbus-tcp``, ``serial`` or ``dtu``."""

    @property
    def host(self) -> str | None:
        """Of the serial server or gateway that we dial."""

    @property
    def port(self) -> int | None:
        """Its port."""

    @property
    def path(self) -> str | None:
        """Of the serial port."""

    @property
    def packet(self) -> bytes | None:
        """With which the DTU registers."""

    @property
    def heartbeat(self) -> bytes | None:
        """What it sends to keep its connection alive."""

    @property
    def bus(self) -> str | None:
        """``rs485``, ``mbus`` or ``modbus-tcp``."""

    @property
    def baud(self) -> int | None:
        """[Bd]"""

    @property
    def parity(self) -> str | None:
        """``none``, ``even`` or ``odd``."""

    @property
    def stop_bits(self) -> int | None:
        """1 or 2."""

    @property
    def latency_ms(self) -> int | None:
        """What the way adds to every answer. [ms]"""

    @property
    def turnaround_ms(self) -> int | None:
        """What a device usually takes before it answers. [ms]"""

    @property
    def attempts(self) -> int | None:
        """How often a request is sent."""

    @property
    def period_s(self) -> int | None:
        """From one reading of each device to the next. [s]"""

    @property
    def back_off_s(self) -> int | None:
        """Longest pause before a silent device is tried again. [s]"""


def plan_of(name: str, way: Way, devices: Sequence[DevicePlan]) -> LinePlan:
    """The plan of a line; what the way does not tell is as `LinePlan` has it, or as the profiles say."""
    told = {
        "baud": way.baud,
        "latency_s": None if way.latency_ms is None else way.latency_ms / 1000,
        "turnaround_s": None if way.turnaround_ms is None else way.turnaround_ms / 1000,
        "attempts_max": way.attempts,
        "back_off_max_s": way.back_off_s,
    }
    given = {field: value for field, value in told.items() if value is not None}
    bus = Bus(way.bus) if way.bus else Bus.MODBUS_TCP if way.kind == MODBUS_TCP else Bus.RS485
    return LinePlan(name=name, devices=tuple(devices), bus=bus, **given)  # type: ignore[arg-type]


class _Key(NamedTuple):
    """What tells one port from another."""

    kind: str
    host: str = ""
    port: int = 0
    path: str = ""
    baud: int = 0
    parity: str = ""
    stop_bits: int = 0
    packet: bytes = b""
    heartbeat: bytes = b""


class Reach:
    """Makes ports, the same one for the same way, so that a line whose way did not change goes on undisturbed.

    Parameters
    ----------
    listener : DtuListener, optional
        Where DTUs dial; without it a line behind one cannot be.
    """

    def __init__(self, listener: DtuListener | None = None) -> None:
        self._listener = listener
        self._ports: dict[_Key, Port] = {}

    def ports(self, wanted: Sequence[tuple[Way, Settings]]) -> list[Port | ConfigError]:
        """The port of each way; what cannot be is an error in its place.

        All other ports are forgotten: no line uses them any more, and a DTU of theirs is a stranger from now on.

        Parameters
        ----------
        wanted : sequence of (Way, Settings)
            Settings are those of the profile of the line's devices, for what the way to a serial port does not tell.
        """
        keys = [_key(way, settings) for way, settings in wanted]
        for key in self._ports.keys() - set(keys):
            del self._ports[key]
            if self._listener is not None and key.kind == DTU:
                self._listener.forget(key.packet)
        return [self._port(key) for key in keys]

    def _port(self, key: _Key | ConfigError) -> Port | ConfigError:
        if isinstance(key, ConfigError):
            return key
        try:
            if key not in self._ports:
                self._ports[key] = self._made(key)
            return self._ports[key]
        except ConfigError as error:
            return error

    def _made(self, key: _Key) -> Port:
        if key.kind == TCP:
            return TcpPort(key.host, key.port)
        if key.kind == MODBUS_TCP:
            return ModbusTcpPort(key.host, key.port)
        if key.kind == SERIAL:
            return SerialPort(key.path, baud=key.baud, parity=key.parity, stop_bits=key.stop_bits)
        if self._listener is None:
            raise PlanError(
                "no port is open to which DTUs dial: set dtu_port under [lines]",
                "未开放供DTU拨入的端口：请在[lines]下设置dtu_port",
            )
        return self._listener.port(key.packet, key.heartbeat)


def _key(way: Way, settings: Settings) -> _Key | ConfigError:
    if way.kind == TCP and way.host and way.port:
        return _Key(TCP, way.host, way.port)
    if way.kind == MODBUS_TCP and way.host:
        return _Key(MODBUS_TCP, way.host, way.port or MODBUS_TCP_PORT)
    if way.kind == SERIAL and way.path:
        return _Key(
            SERIAL,
            path=way.path,
            baud=way.baud or settings.baud,
            parity=way.parity or settings.parity,
            stop_bits=way.stop_bits or settings.stop_bits,
        )
    if way.kind == DTU and way.packet:
        return _Key(DTU, packet=way.packet, heartbeat=way.heartbeat or b"")
    return PlanError("the port says too little to be reached", "端口信息不足，无法连接")
