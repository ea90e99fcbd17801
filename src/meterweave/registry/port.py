"""How a line is reached, as one text: the URL in the archives' column `port`.

======================================= ===============================================================
``tcp://192.0.2.7:8899``                a serial server that we dial
``modbus-tcp://192.0.2.8`` (``:502``)   a device or gateway that speaks Modbus TCP
``serial:/dev/ttyS1``                   a serial port of the machine that masters the line
``dtu:4d57303031``                      a DTU that dials us and says these octets first
======================================= ===============================================================

Options follow as in ``?baud=2400&parity=even``; see `OPTIONS`. What is not given is None, and the device profiles or
the collector's defaults hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from meterweave.registry.errors import AddressError
from meterweave.text import Text

TEXT_MAX = 200
"""Longest port. [characters]"""
PACKET_MAX = 64
"""Longest registration packet or heartbeat of a DTU. [octets]"""
MODBUS_TCP_PORT = 502

TCP, MODBUS_TCP, SERIAL, DTU = "tcp", "modbus-tcp", "serial", "dtu"
KINDS = (TCP, MODBUS_TCP, SERIAL, DTU)
BUSES = ("rs485", "mbus")
PARITIES = ("none", "even", "odd")


class PortSpec(NamedTuple):
    """A port as it was read; None where the text says nothing."""

    kind: str  # one of KINDS
    host: str | None = None  # of tcp and modbus-tcp
    port: int | None = None
    path: str | None = None  # of serial
    packet: bytes | None = None  # of dtu: what it says first
    heartbeat: bytes | None = None  # of dtu: what it says now and then
    bus: str | None = None  # one of BUSES
    baud: int | None = None
    parity: str | None = None  # one of PARITIES
    stop_bits: int | None = None
    latency_ms: int | None = None  # what the way to the line adds to every answer
    turnaround_ms: int | None = None  # what a device usually takes before it answers
    attempts: int | None = None  # how often one request is sent
    period_s: int | None = None  # from one reading of a device to the next
    back_off_s: int | None = None  # longest pause before a silent device is tried again

    @property
    def text(self) -> str:
        """The port in its kept form; `read_port` gives the same back."""
        given = [(name, getattr(self, name)) for name in OPTIONS]
        said = "&".join(
            f"{name}={value.hex() if isinstance(value, bytes) else value}" for name, value in given if value is not None
        )
        return f"{self.place}?{said}" if said else self.place

    @property
    def place(self) -> str:
        """Where it is, without options."""
        return self.far_end if self.host is None else f"{self.kind}://{self.far_end}"

    @property
    def far_end(self) -> str:
        """What it leads to, however that is spoken to: two lines to one end would be in each other's way."""
        if self.kind == SERIAL:
            return f"{SERIAL}:{self.path}"
        if self.kind == DTU:
            return f"{DTU}:{(self.packet or b'').hex()}"
        host = f"[{self.host}]" if ":" in (self.host or "") else self.host
        return f"{host}:{self.port}"


class Option(NamedTuple):
    """One option: its meaning, and how a value is read; None: the value is none."""

    form: Text
    read: Callable[[str], Any]


def _whole(low: int, high: int, unit: str = "") -> Option:
    def read(text: str) -> int | None:
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high else None

    return Option(Text(f"a whole number from {low} to {high}{unit}", f"{low}至{high}{unit}的整数"), read)


def _choice(words: tuple[str, ...]) -> Option:
    return Option(
        Text(f"one of {', '.join(words)}", f"{'、'.join(words)}之一"),
        lambda text: text.lower() if text.lower() in words else None,
    )


def _octets(text: str) -> bytes | None:
    fits = re.fullmatch(rf"(?:[0-9a-fA-F]{{2}}){{1,{PACKET_MAX}}}", text)
    return bytes.fromhex(text) if fits else None


_HEX = Text(f"1 to {PACKET_MAX} octets in hexadecimal digits", f"1至{PACKET_MAX}字节的十六进制数字")

OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "bus": _choice(BUSES),
        "baud": _whole(300, 1_000_000, " Bd"),
        "parity": _choice(PARITIES),
        "stop_bits": _whole(1, 2),
        "latency_ms": _whole(0, 60_000, " ms"),
        "turnaround_ms": _whole(0, 60_000, " ms"),
        "attempts": _whole(1, 10),
        "period_s": _whole(1, 86_400, " s"),
        "back_off_s": _whole(1, 86_400, " s"),
        "heartbeat": Option(_HEX, _octets),
    }
)
"""What may follow the ``?``; in this order in the kept form."""

_FOR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"heartbeat": (DTU,), "parity": (SERIAL,), "stop_bits": (SERIAL,), "bus": (TCP, SERIAL, DTU)}
)
"""The options that only some kinds have."""


def read_port(text: str) -> PortSpec:
    """`text` as a port.

    Raises
    ------
    AddressError
        If it is none; the message says what is amiss with it.
    """
    text = text.strip()
    if len(text) > TEXT_MAX or not re.fullmatch(r"[!-~]+", text):
        raise _refused(
            text[:TEXT_MAX],
            f"wanted up to {TEXT_MAX} printable ASCII characters without blanks",
            f"应为不超过{TEXT_MAX}个可见ASCII字符，无空格",
        )
    place, mark, query = text.partition("?")
    kind, colon, rest = place.partition(":")
    kind = kind.lower()
    if kind not in KINDS or not colon:
        raise _refused(
            text,
            "wanted tcp://host:port, modbus-tcp://host, serial:/dev/ttyS1 or dtu:HEXPACKET",
            "应为tcp://主机:端口、modbus-tcp://主机、serial:/dev/ttyS1或dtu:十六进制注册包",
        )
    options = _options(text, kind, query) if mark else {}
    found = PortSpec(kind=kind, **_place(text, kind, rest), **options)
    if len(found.text) > TEXT_MAX:  # the port that Modbus TCP has by itself was added
        raise _refused(text, f"wanted up to {TEXT_MAX} characters", f"应不超过{TEXT_MAX}个字符")
    return found


def _place(text: str, kind: str, rest: str) -> dict[str, Any]:
    if kind == SERIAL:
        if not re.fullmatch(r"[A-Za-z0-9/._:+@-]+", rest) or rest.startswith("//"):
            raise _refused(
                text, "wanted the name of a serial port after serial:, such as /dev/ttyS1", "serial:后应为串口名"
            )
        return {"path": rest}
    if kind == DTU:
        packet = _octets(rest)
        if packet is None:
            raise _refused(
                text, f"after dtu: wanted the registration packet, {_HEX.en}", f"dtu:后应为注册包，{_HEX.zh}"
            )
        return {"packet": packet}
    return _network(text, kind, rest)


def _network(text: str, kind: str, rest: str) -> dict[str, Any]:
    try:
        url = urlsplit(f"{kind}:{rest}")
        host, port = url.hostname, url.port
    except ValueError:
        host = port = None
        url = SplitResult("", "", "", "", "")
    port = MODBUS_TCP_PORT if port is None and kind == MODBUS_TCP and not url.netloc.endswith(":") else port
    if not host or not port or "@" in url.netloc or url.path not in ("", "/") or url.fragment or not _is_host(host):
        wanted = f"{kind}://host:port" if kind == TCP else f"{kind}://host or {kind}://host:port"
        raise _refused(text, f"wanted {wanted}, the port from 1 to 65535", f"应为{kind}://主机:端口，端口1至65535")
    return {"host": host, "port": port}


def _is_host(host: str) -> bool:
    return bool(re.fullmatch(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9.])?|[0-9a-f:.]*:[0-9a-f:.]*(?:%[a-z0-9._-]+)?", host))


def _options(text: str, kind: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        option = OPTIONS.get(name)
        if option is None:
            known = ", ".join(OPTIONS)
            raise _refused(text, f"there is no option {name!r}; there are: {known}", f"没有选项“{name}”；可用：{known}")
        if name in found:
            raise _refused(text, f"the option {name} is given twice", f"选项{name}重复")
        if kind not in _FOR.get(name, KINDS):
            raise _refused(text, f"{kind} has no option {name}", f"{kind}没有选项{name}")
        read = option.read(value)
        if read is None:
            raise _refused(
                text, f"{name} is {value!r}; wanted {option.form.en}", f"{name}为“{value}”；应为{option.form.zh}"
            )
        found[name] = read
    return found


def _refused(text: str, en: str, zh: str) -> AddressError:
    return AddressError(Text(f"{text!r} is no port: {en}", f"“{text}”不是端口：{zh}"))
