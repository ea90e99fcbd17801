"""Addresses as people write them, as the archives keep them, and as the integer keys under which frames carry them.

Within a protocol an address text in its kept form and its key stand for each other one to one, so the directory can
hold keys alone. The keys are those the codecs make (``docs/decisions/0004-wire-keys.md``). Names are the exception:
their key is a digest, see `name_key`, which cannot be turned back.

=========== ================================== ========================================================================
protocol    kept form                          key
=========== ================================== ========================================================================
dlt645      12 digits                          the digits as one hexadecimal number
dlt645-1997 12 digits                          the same
dlt698      12, 14 or 16 hexadecimal digits    the same; at most 63 bits
cjt188      14 digits                          the digits as one hexadecimal number
gdw1376-1   region 4 + terminal 4 hex. digits  the same; with a measuring point ``key << 16 | pn``
mbus        ``KAM-12345678-01-04``             manufacturer << 48 | version << 40 | medium << 32 | identification
mbus        ``0`` … ``250`` (local)            the primary address
modbus      up to 15 digits of the serial no.  the digits as one hexadecimal number
modbus      ``u1`` … ``u247`` (local)          the unit
bus         a name: a line with meters on it   `name_key`
n5          a name: a gateway at a site        `name_key`
mqtt, udp   a name: a device that calls        `name_key`
json        a name, as the device gives it     `name_key`
manual      a name: a meter that people read   `name_key`
=========== ================================== ========================================================================

A *local* address names a device on its own bus only. Lines, gateways and devices that call are terminals and never
meters; meters of json and manual are never terminals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple

from meterweave.registry.errors import AddressError
from meterweave.text import Text

KEY_MAX = (1 << 63) - 1
POINT_MAX = 65535  # measuring points of 1376.1 end at 2040, configuration numbers of 698.45 at 65535
GDW_POINT_MAX = 2040  # DA of Q/GDW 1376.1 clause 5.3.4.2: 255 groups of 8

NAME_MAX = 64  # characters: a UUID has 36

DLT698, GDW1376 = "dlt698", "gdw1376-1"
BUS, N5, MQTT, UDP = "bus", "n5", "mqtt", "udp"
JSON, MANUAL = "json", "manual"
MODBUS, DLT645_1997 = "modbus", "dlt645-1997"


class Address(NamedTuple):
    """One address of one protocol."""

    text: str  # the kept form
    key: int
    local: bool  # unique on its own bus only


class _Rule(NamedTuple):
    names: tuple[str, ...]
    form: Text
    read: Callable[[str], Address | None]
    write: Callable[[int], str]


def _decimal(text: str, size: int) -> Address | None:
    if not re.fullmatch(rf"[0-9]{{1,{size}}}", text):
        return None
    kept = text.zfill(size)
    return None if kept == "9" * size else Address(kept, int(kept, 16), False)  # all nines is the broadcast address


def _read_dlt698(text: str) -> Address | None:
    if not re.fullmatch(r"[0-9a-f]{1,12}|[0-9a-f]{14}|[0-9a-f]{16}", text):
        return None
    key = int(text, 16)
    return Address(_write_dlt698(key), key, False) if key <= KEY_MAX and "a" not in text else None  # A is a wildcard


def _write_dlt698(key: int) -> str:
    text = f"{key:012x}"
    return text.zfill(len(text) + len(text) % 2)


def _read_gdw1376(text: str) -> Address | None:
    dashed = re.fullmatch(r"([0-9a-f]{4})-([0-9]{1,5})", text)
    if dashed:
        region, terminal = int(dashed[1], 16), int(dashed[2])
    elif re.fullmatch(r"[0-9a-f]{8}", text):
        region, terminal = int(text[:4], 16), int(text[4:], 16)
    else:
        return None
    key = region << 16 | terminal
    return Address(f"{key:08x}", key, False) if 0 < terminal < 0xFFFF else None  # FFFFH is the broadcast address


def _read_mbus(text: str) -> Address | None:
    if re.fullmatch(r"[0-9]{1,3}", text):
        return Address(str(int(text)), int(text), True) if int(text) <= 250 else None
    spelt = re.fullmatch(r"([a-z]{3})-([0-9a-f]{8})-([0-9a-f]{2})-([0-9a-f]{2})", text)
    packed = re.fullmatch(r"([0-9a-f]{8})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", text)
    if spelt:
        first, second, third = (ord(letter) - 96 for letter in spelt[1])
        word, identification, version, medium = first << 10 | second << 5 | third, spelt[2], spelt[3], spelt[4]
    elif packed:  # as bus tools print a secondary address: the manufacturer's low octet comes first
        word, identification, version, medium = int(packed[3] + packed[2], 16), packed[1], packed[4], packed[5]
    else:
        return None
    key = (word & 0x7FFF) << 48 | int(version, 16) << 40 | int(medium, 16) << 32 | int(identification, 16)
    lettered = all(1 <= word >> shift & 31 <= 26 for shift in (10, 5, 0))
    return Address(_write_mbus(key), key, False) if lettered else None


def _write_mbus(key: int) -> str:
    if key <= 250:
        return str(key)
    letters = "".join(chr(64 + (key >> shift & 31)) for shift in (58, 53, 48))
    return f"{letters}-{key & 0xFFFFFFFF:08x}-{key >> 40 & 255:02x}-{key >> 32 & 255:02x}"


def _read_modbus(text: str) -> Address | None:
    unit = re.fullmatch(r"u([0-9]{1,3})", text)
    if unit:
        number = int(unit[1])
        return Address(f"u{number}", number, True) if 1 <= number <= 247 else None
    if not re.fullmatch(r"[0-9]{1,15}", text):
        return None
    kept = text.lstrip("0")
    return Address(kept, int(kept, 16), False) if kept else None


def name_key(text: str) -> int:
    """The key of a name in its kept form: the first 63 bits of its BLAKE2b-64 digest.

    >>> hex(name_key("cellar"))
    '0x5e5073a6e2a2478a'
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) >> 1


def _read_name(text: str) -> Address | None:
    fits = re.fullmatch(rf"[a-z0-9][a-z0-9._:-]{{0,{NAME_MAX - 1}}}", text)
    return Address(text, name_key(text), False) if fits else None


def _named(*names: str) -> _Rule:
    """The rule of a protocol whose addresses are names; `names` are further ones of the protocol."""
    form = Text(
        f"a name of up to {NAME_MAX} characters: letters, digits, . _ : and -, a letter or digit first",
        f"不超过{NAME_MAX}个字符的名称：字母、数字、.、_、:和-，以字母或数字开头",
    )
    return _Rule(names, form, _read_name, lambda key: f"#{key:016x}")


_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        DLT698: _Rule(
            ("dl/t698.45", "dl/t698", "698", "698.45"),
            Text(
                "12, 14 or 16 hexadecimal digits without A; fewer than 12 are filled with zeros on the left",
                "12、14或16位十六进制数字（不含A）；不足12位左补零",
            ),
            _read_dlt698,
            _write_dlt698,
        ),
        GDW1376: _Rule(
            ("gdw1376", "q/gdw1376.1", "q/gdw376.1", "1376.1", "376.1", "1376"),
            Text(
                "region and terminal as 8 hexadecimal digits, or region-terminal with the terminal decimal: 3301-00012",
                "行政区划码加终端地址共8位十六进制数字，或“区划码-十进制终端地址”，如3301-00012",
            ),
            _read_gdw1376,
            lambda key: f"{key:08x}",
        ),
        "dlt645": _Rule(
            ("dl/t645", "dl/t645-2007", "645", "645-2007", "dlt645-2007"),
            Text(
                "up to 12 decimal digits, not all nines; fewer are filled with zeros on the left",
                "不超过12位十进制数字（不能全为9）；不足左补零",
            ),
            lambda text: _decimal(text, 12),
            lambda key: f"{key:012x}",
        ),
        DLT645_1997: _Rule(
            ("dl/t645-1997", "645-1997", "645-97", "dlt645-97"),
            Text(
                "up to 12 decimal digits, not all nines; fewer are filled with zeros on the left",
                "不超过12位十进制数字（不能全为9）；不足左补零",
            ),
            lambda text: _decimal(text, 12),
            lambda key: f"{key:012x}",
        ),
        "cjt188": _Rule(
            ("cj/t188", "cj/t188-2018", "188"),
            Text(
                "up to 14 decimal digits, not all nines; fewer are filled with zeros on the left",
                "不超过14位十进制数字（不能全为9）；不足左补零",
            ),
            lambda text: _decimal(text, 14),
            lambda key: f"{key:014x}",
        ),
        "mbus": _Rule(
            ("m-bus",),
            Text(
                "KAM-12345678-01-04 (maker, identification, version, medium), 16 hexadecimal digits, or 0 to 250",
                "KAM-12345678-01-04（厂商、识别号、版本、介质）、16位十六进制数字，或0至250",
            ),
            _read_mbus,
            _write_mbus,
        ),
        MODBUS: _Rule(
            ("modbus-rtu", "modbusrtu", "modbus-tcp", "modbustcp"),
            Text(
                "the last digits of the serial number, up to 15, or u1 to u247 for a unit on its bus",
                "序列号的末尾数字（不超过15位），或总线单元u1至u247",
            ),
            _read_modbus,
            lambda key: f"{key:x}",
        ),
        BUS: _named("line", "rs485", "rs-485", "总线", "线路"),
        N5: _named("collector", "gateway", "采集器", "网关", "采集网关"),
        MQTT: _named("mqtts"),
        UDP: _named("nb-iot", "nbiot"),
        JSON: _named("messages", "报文"),
        MANUAL: _named("mechanical", "byhand", "人工", "人工抄表", "机械表", "手抄"),
    }
)

PROTOCOLS: tuple[str, ...] = tuple(_RULES)
"""The protocols of the archives: those with a codec by its name, and those whose addresses are names."""

TERMINAL_PROTOCOLS: tuple[str, ...] = tuple(name for name in PROTOCOLS if name not in (JSON, MANUAL, DLT645_1997))
METER_PROTOCOLS: tuple[str, ...] = tuple(name for name in PROTOCOLS if name not in (BUS, N5, MQTT, UDP))
NAMED: frozenset[str] = frozenset({BUS, N5, MQTT, UDP, JSON, MANUAL})
"""The protocols whose addresses are names."""


def read_protocol(text: str) -> str | None:
    """The protocol that `text` means: its name or how the standard is written; None if there is none."""
    wanted = text.strip().lower().replace(" ", "").replace("—", "-")
    for name, rule in _RULES.items():
        if wanted == name or wanted in rule.names:
            return name
    return None


def read_address(protocol: str, text: str) -> Address:
    """`text` as an address of `protocol`.

    Raises
    ------
    AddressError
        If it is none, or the protocol is not one of `PROTOCOLS`.
    """
    rule = _RULES.get(protocol)
    if rule is None:
        known = ", ".join(PROTOCOLS)
        raise AddressError(
            Text(f"no protocol is called {protocol!r}; there are: {known}", f"没有规约{protocol}；可用：{known}")
        )
    found = rule.read(text.strip().lower())
    if found is None:
        raise AddressError(
            Text(
                f"{text!r} is no address of {protocol}; wanted {rule.form.en}",
                f"“{text}”不是{protocol}地址；应为{rule.form.zh}",
            )
        )
    return found


def address_text(protocol: str, key: int) -> str:
    """The kept form of the address of `protocol` whose key is `key`, which is not of a Modbus unit.

    Of a protocol of names the key itself as ``#`` and 16 hexadecimal digits: names cannot be had from keys.
    """
    return _RULES[protocol].write(key)


def point_key(terminal_key: int, point_number: int) -> int:
    """The wire key of a measuring point of a Q/GDW 1376.1 terminal.

    >>> hex(point_key(0x33010001, 5))
    '0x3301000100005'
    """
    return terminal_key << 16 | point_number
