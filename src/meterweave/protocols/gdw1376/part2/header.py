"""What stands before the data unit: the control octet, the information field R and the address field A.

R and A differ with the direction: down, R names the rate and the number of answer octets, A may hold relays; up, R
tells phase and signal quality, and A holds no relays, whatever relay level R names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from meterweave.errors import EncodeError
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part2 import layout, scalars, words
from meterweave.protocols.gdw1376.part2.groups import Bit, Bits
from meterweave.protocols.gdw1376.part2.layout import wanted_int
from meterweave.protocols.gdw1376.part2.scalars import digit_octets
from meterweave.text import Text

UPLINK = 0x80  # DIR, a bit of the control octet
PRM = 0x40  # the frame starts an exchange
COMM_MODE_MASK = 0x3F

MODULE_FLAG = 0x04  # of the first octet of R: the frame is to or from a node, so the address field is there
INFO_SIZE = 6
ADDRESS_SIZE = 6

HPLC = 3
"""The usual kind of module, see `words.COMM_MODE`."""

BROADCAST = "999999999999"
"""The target of a broadcast."""

CONTROL = Bits(
    "",
    "control",
    "控制域",
    1,
    (
        Bit("dir", "direction", "传输方向", 7, words=words.DIRECTION),
        Bit("prm", "this side", "启动标志", 6, words=words.PRM),
        Bit("comm_mode", "communication", "通信方式", 0, 6, words=words.COMM_MODE),
    ),
)

_ROUTING = Bit("routing_bypass", "bypasses the module's routing", "路由标识", 0, words=words.YES_NO)
_MODULE = Bit("module_flag", "to or from a node (with address field)", "通信模块标识", 2, words=words.YES_NO)
_RELAYS = Bit("relay_level", "relay level", "中继级别", 4, 4)
_CHANNEL = Bit("channel", "channel", "信道标识", 8, 4)
_SEQUENCE = Bit("sequence", "sequence number", "报文序列号", 40, 8)

INFO_DOWN = Bits(
    "",
    "information field",
    "信息域",
    INFO_SIZE,
    (
        _ROUTING,
        Bit("sub_node_flag", "names attached nodes", "附属节点标识", 1, words=words.YES_NO),
        _MODULE,
        Bit("collision_detect", "detects collisions", "冲突检测", 3, words=words.YES_NO),
        _RELAYS,
        _CHANNEL,
        Bit("coding", "error coding", "纠错编码标识", 12, 4, words=words.CODING),
        Bit("expected_reply_bytes", "octets of the expected answer", "预计应答字节数", 16, 8, unit="octets"),
        Bit("rate", "rate; 0 is the default", "通信速率，0为默认速率", 24, 15),
        Bit("rate_unit", "unit of the rate", "速率单位标识", 39, coded=("bit/s", "kbit/s")),
        _SEQUENCE,
    ),
    reserved=True,
)
INFO_UP = Bits(
    "",
    "information field",
    "信息域",
    INFO_SIZE,
    (
        _ROUTING,
        _MODULE,
        _RELAYS,
        _CHANNEL,
        Bit("phase", "measured phase", "实测相线标识", 16, 4, words=words.PHASE),
        Bit("meter_channel_feature", "channel feature of the meter", "电表通道特征", 20, 4),
        Bit("last_command_quality", "quality of the last command", "末级命令信号品质", 24, 4, words=words.QUALITY),
        Bit("last_reply_quality", "quality of the last answer", "末级应答信号品质", 28, 4, words=words.QUALITY),
        Bit("event_flag", "event flag", "事件标志", 32, words=words.EVENT_FLAG),
        _SEQUENCE,
    ),
    reserved=True,
)


@dataclass(frozen=True, slots=True)
class _Node(scalars.Address):
    """One address of the address field."""

    def shown(self, octets: bytes, value: Any) -> Field:
        meaning = Text("all nodes", "广播地址") if value == BROADCAST else None
        return Field(self.text, octets, value.upper(), meaning=meaning)


def address_layout(control: bytes, info: bytes) -> layout.Layout:
    """The layout of A after C and R0; empty where R0 says that there is none, or where C or R0 are missing."""
    if not control or not info or not info[0] & MODULE_FLAG:
        return ()
    relays = (
        _Node(f"relay{index}", f"relay A2.{index}", f"中继地址A2.{index}")
        for index in range(1, relay_count(control[0], info) + 1)
    )
    return (
        _Node("source", "source A1", "源地址A1"),
        *relays,
        _Node("destination", "destination A3", "目的地址A3"),
    )


class Address(NamedTuple):
    """The address field: who speaks, over whom, to whom; 12 digits each, most significant first."""

    source: str
    destination: str
    relays: tuple[str, ...] = ()  # only downlink

    def back(self) -> Address:
        """The address field of the answer."""
        return Address(self.destination, self.source)


def control_octet(values: Mapping[str, Any], *, uplink: bool) -> int:
    """C of ``prm`` (by default 1 down and 0 up) and ``comm_mode`` (by default `HPLC`).

    Raises
    ------
    EncodeError
        If one of them does not fit.
    """
    prm = wanted_int(values.get("prm", int(not uplink)), 1, "prm")
    mode = wanted_int(values.get("comm_mode", HPLC), COMM_MODE_MASK, "comm_mode")
    return mode | (UPLINK if uplink else 0) | (PRM if prm else 0)


def info_octets(values: object, address: Address | None, *, uplink: bool) -> bytes:
    """R of its fields by name; those left out are 0, or what the address says.

    Raises
    ------
    EncodeError
        If a field is unknown or does not fit.
    """
    if not isinstance(values, Mapping):
        raise EncodeError(f"info is {values!r}, wanted an object")
    told = {"module_flag": int(address is not None), "relay_level": len(address.relays) if address else 0}
    return layout.write(info_layout(uplink=uplink), {**told, **values}, "info")


def info_layout(*, uplink: bool) -> layout.Layout:
    """The layout of R."""
    return (INFO_UP,) if uplink else (INFO_DOWN,)


def relay_count(control: int, info: bytes) -> int:
    """How many relay addresses the address field holds: the relay level, but none in an uplink frame."""
    return 0 if control & UPLINK else info[0] >> 4


def decode_address(octets: bytes) -> Address:
    """A1, A2 of every relay, A3: two or more times 6 octets."""
    source, *relays, destination = (
        octets[at : at + ADDRESS_SIZE][::-1].hex() for at in range(0, len(octets), ADDRESS_SIZE)
    )
    return Address(source, destination, tuple(relays))


def encode_address(address: Address) -> bytes:
    """`decode_address` undone.

    Raises
    ------
    EncodeError
        If an address has not 12 digits.
    """
    parts: Sequence[tuple[str, str]] = (
        ("address.source", address.source),
        *((f"address.relays[{index}]", relay) for index, relay in enumerate(address.relays)),
        ("address.destination", address.destination),
    )
    return b"".join(digit_octets(digits, ADDRESS_SIZE, path) for path, digits in parts)
