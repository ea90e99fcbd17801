"""The plain types of the standard: numbers, bit-strings, intervals, addresses, identifiers.

None of them holds a `Data`; those that do are in `selection`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.frame import EXTENDED
from meterweave.protocols.dlt698.given import integer, member, octets_of, sized
from meterweave.protocols.dlt698.objects import attribute, method, objects
from meterweave.protocols.dlt698.tables import ADDRESS_TYPES, BAUD, FLOW_CONTROL, PARITY, TI_UNITS, UNITS
from meterweave.protocols.dlt698.times import Date, DateTime, DateTimeS, Time
from meterweave.protocols.dlt698.wire import Boolean, Fixed, Hex, Many, Members, Octets, Plain, VisibleString
from meterweave.text import Text


class Number(Plain[int]):
    """An integer as `struct` knows it."""

    def __init__(self, code: str) -> None:
        self.struct = struct.Struct(f">{code}")
        self._size = self.struct.size
        self._unpack = self.struct.unpack_from
        bits = 8 * self._size
        self.low, self.high = (0, (1 << bits) - 1) if code.isupper() else (-(1 << bits - 1), (1 << bits - 1) - 1)

    def read(self, reader: Reader) -> int:
        at = reader.at
        end = at + self._size
        if end > reader.end:
            raise reader.truncated(self._size)
        reader.at = end
        value: int = self._unpack(reader.octets, at)[0]
        return value

    def write(self, writer: Writer, value: int) -> None:
        writer.octets += self.struct.pack(integer(value, self.low, self.high))

    def to_json(self, value: int) -> Any:
        return value

    def from_json(self, found: Any) -> int:
        return integer(found, self.low, self.high)

    def words(self, value: int) -> tuple[str, Text | None]:
        return str(value), None


class Float(Plain[float | bytes]):
    """An IEEE 754 number; a NaN is kept as its octets, in JSON ``{"raw": hex}``, as infinities are there."""

    def __init__(self, code: str) -> None:
        self.struct = struct.Struct(f">{code}")

    def read(self, reader: Reader) -> float | bytes:
        octets = reader.take(self.struct.size)
        value: float = self.struct.unpack(octets)[0]
        return octets if math.isnan(value) else value

    def write(self, writer: Writer, value: float | bytes) -> None:
        writer.octets += self._octets(value)

    def _octets(self, value: object) -> bytes:
        if isinstance(value, bytes):
            octets = sized(value, self.struct.size)
            if not math.isnan(self.struct.unpack(octets)[0]):
                raise EncodeError(f"{octets.hex()} is no NaN: give the number")
            return octets
        if not isinstance(value, float):
            raise EncodeError(f"{value!r} is no float")
        try:
            octets = self.struct.pack(value)
        except OverflowError:
            raise EncodeError(f"{value!r} is too large") from None
        if self.struct.unpack(octets)[0] != value:
            raise EncodeError(f"{value!r} does not fit {self.struct.size} octets exactly")
        return octets

    def to_json(self, value: float | bytes) -> Any:
        if isinstance(value, float) and math.isfinite(value):
            return value
        return {"raw": self._octets(value).hex().upper()}

    def from_json(self, found: Any) -> float | bytes:
        if isinstance(found, Mapping):
            return self.read(Reader(octets_of(member(found, "raw"), self.struct.size)))
        if isinstance(found, int) and not isinstance(found, bool):
            found = float(integer(found, -(2**53), 2**53))
        self._octets(found)
        return float(found)

    def words(self, value: float | bytes) -> tuple[str, Text | None]:
        return ("NaN" if isinstance(value, bytes) else repr(value)), None


class Null(Plain[None]):
    """NULL: no octets at all."""

    def read(self, reader: Reader) -> None:
        return None

    def write(self, writer: Writer, value: None) -> None:
        if value is not None:
            raise EncodeError(f"{value!r} where null stands for itself")

    def to_json(self, value: None) -> Any:
        return None

    def from_json(self, found: Any) -> None:
        if found is not None:
            raise EncodeError(f"{found!r} is not null")

    def words(self, value: None) -> tuple[str, Text | None]:
        return "", Text("no value", "空")


class BitString(NamedTuple):
    """Bits; bit 0 is the most significant of the first octet. Unused bits of the last octet are as received."""

    bits: int
    octets: bytes

    @property
    def ones(self) -> list[int]:
        """The numbers of the bits that are one."""
        return [bit for bit in range(self.bits) if self.octets[bit >> 3] << (bit & 7) & 0x80]


class BitStrings(Plain[BitString]):
    """bit-string: the number of bits, then the octets that hold them."""

    def read(self, reader: Reader) -> BitString:
        bits = reader.length()
        return BitString(bits, reader.take(bits + 7 >> 3))

    def write(self, writer: Writer, value: BitString) -> None:
        writer.length(integer(value.bits, 0, 0xFFFFFFFF))
        writer.octets += sized(value.octets, value.bits + 7 >> 3)

    def to_json(self, value: BitString) -> Any:
        return {"bits": value.bits, "hex": value.octets.hex().upper(), "set": value.ones}

    def from_json(self, found: Any) -> BitString:
        bits = integer(member(found, "bits"), 0, 0xFFFFFFFF)
        if "hex" in found:
            return BitString(bits, octets_of(found["hex"], bits + 7 >> 3))
        octets = bytearray(bits + 7 >> 3)
        for bit in member(found, "set"):
            octets[integer(bit, 0, bits - 1) >> 3] |= 0x80 >> (bit & 7)
        return BitString(bits, bytes(octets))

    def words(self, value: BitString) -> tuple[str, Text | None]:
        ones = ", ".join(map(str, value.ones))
        return value.octets.hex(" ").upper(), Text(f"bits set: {ones or 'none'}", f"置1的位：{ones or '无'}")


class TimeInterval(NamedTuple):
    """TI: `value` seconds, minutes, …; 0 means no interval."""

    unit: int
    value: int


class TimeIntervals(Plain[TimeInterval]):
    """TI: the unit, then two octets."""

    def read(self, reader: Reader) -> TimeInterval:
        octets = reader.take(3)
        return TimeInterval(octets[0], octets[1] << 8 | octets[2])

    def write(self, writer: Writer, value: TimeInterval) -> None:
        writer.unsigned(value.unit, 1)
        writer.unsigned(value.value, 2)

    def to_json(self, value: TimeInterval) -> Any:
        unit = TI_UNITS.get(value.unit)
        return {"unit": unit.en if unit else value.unit, "value": value.value}

    def from_json(self, found: Any) -> TimeInterval:
        unit = code_of(TI_UNITS, member(found, "unit"))
        return TimeInterval(unit, integer(member(found, "value"), 0, 0xFFFF))

    def words(self, value: TimeInterval) -> tuple[str, Text | None]:
        return str(value.value), TI_UNITS.get(value.unit, Text(f"unit {value.unit}", f"单位{value.unit}"))


def code_of(table: Mapping[int, Text], found: object) -> int:
    """The code whose English word is `found`, or the code itself."""
    if isinstance(found, str):
        codes = [code for code, text in table.items() if text.en == found]
        if not codes:
            raise EncodeError(f"{found!r} is none of {', '.join(text.en for text in table.values())}")
        return codes[0]
    return integer(found, 0, 0xFF)


class ScalerUnit(NamedTuple):
    """Scaler_Unit: a value times 10**exponent is in the unit with this code."""

    exponent: int
    unit: int


class ScalerUnits(Plain[ScalerUnit]):
    """Scaler_Unit: two octets."""

    def read(self, reader: Reader) -> ScalerUnit:
        return ScalerUnit(*struct.unpack(">bB", reader.take(2)))

    def write(self, writer: Writer, value: ScalerUnit) -> None:
        writer.octets += struct.pack(">b", integer(value.exponent, -128, 127))
        writer.unsigned(value.unit, 1)

    def to_json(self, value: ScalerUnit) -> Any:
        unit = UNITS.get(value.unit)
        return {"scale": value.exponent, "unit": unit.en if unit else value.unit, "unit_code": value.unit}

    def from_json(self, found: Any) -> ScalerUnit:
        unit = code_of(UNITS, found["unit_code"] if "unit_code" in found else member(found, "unit"))
        return ScalerUnit(integer(member(found, "scale"), -128, 127), unit)

    def words(self, value: ScalerUnit) -> tuple[str, Text | None]:
        return f"10^{value.exponent}", UNITS.get(value.unit, Text(f"unit {value.unit}", f"单位{value.unit}"))


class Tsas(Octets):
    """TSA: a length, then octets laid out as AF, then the address, high octet first (unlike the link's SA)."""

    def to_json(self, value: bytes) -> Any:
        if not value:
            return {"len": 0, "address": ""}
        extended = bool(value[0] & EXTENDED) and len(value) > 1
        return {
            "len": len(value),
            "af": value[0],
            "type": ADDRESS_TYPES[value[0] >> 6].en,
            "logical": value[1] if extended else value[0] >> 4 & 1,
            "address": value[2 if extended else 1 :].hex().upper(),
        }

    def from_json(self, found: Any) -> bytes:
        address = octets_of(member(found, "address"))
        if "af" not in found and not address:
            return b""
        af = integer(found["af"], 0, 0xFF) if "af" in found else len(address) - 1 & 0x0F
        if af & EXTENDED and found.get("len") != 1:
            address = bytes([integer(member(found, "logical"), 0, 0xFF)]) + address
        return bytes([af]) + address

    def words(self, value: bytes) -> tuple[str, Text | None]:
        if not value:
            return "", Text("no address", "空地址")
        return value[1:].hex().upper(), ADDRESS_TYPES[value[0] >> 6]


def tsa(address: str) -> bytes:
    """The TSA of a single address of an even number of digits, most significant first."""
    octets = octets_of(address)
    return bytes([len(octets) - 1]) + octets


class Comdcbs(Fixed):
    """COMDCB, the settings of a port: baud, parity, data bits, stop bits, flow control, an octet each."""

    def __init__(self) -> None:
        super().__init__(5)

    def to_json(self, value: bytes) -> Any:
        baud, parity, data_bits, stop_bits, flow_control = value
        rate = "auto" if baud == 0xFF else BAUD.get(baud)
        known = rate is not None and parity in PARITY and flow_control in FLOW_CONTROL
        return {
            "baud": rate,
            "parity": _word(PARITY, parity),
            "data_bits": data_bits,
            "stop_bits": stop_bits,
            "flow_control": _word(FLOW_CONTROL, flow_control),
            **({} if known else {"raw": value.hex().upper()}),
        }

    def from_json(self, found: Any) -> bytes:
        if "raw" in found:
            return octets_of(found["raw"], 5)
        bauds: dict[object, int] = {rate: code for code, rate in BAUD.items()}
        bauds["auto"] = 0xFF
        if member(found, "baud") not in list(bauds):
            raise EncodeError(f"baud: {found['baud']!r} is none of {', '.join(map(str, bauds))}")
        return bytes(
            (
                bauds[found["baud"]],
                code_of(PARITY, member(found, "parity")),
                integer(member(found, "data_bits"), 0, 0xFF),
                integer(member(found, "stop_bits"), 0, 0xFF),
                code_of(FLOW_CONTROL, member(found, "flow_control")),
            )
        )

    def words(self, value: bytes) -> tuple[str, Text | None]:
        baud, parity, data_bits, stop_bits, flow_control = value
        rate = "auto" if baud == 0xFF else BAUD.get(baud, f"code {baud}")
        parity_text, flow = PARITY.get(parity), FLOW_CONTROL.get(flow_control)
        return f"{rate} {data_bits}{parity_text.en[0].upper() if parity_text else '?'}{stop_bits}", flow


def _word(table: Mapping[int, Text], code: int) -> str | None:
    return table[code].en if code in table else None


class Utf8String(Octets):
    """UTF8-string; octets that are not printable UTF-8 are ``{"raw": hex}`` in JSON."""

    def to_json(self, value: bytes) -> Any:
        text = value.decode("utf-8", "replace")
        return text if text.isprintable() and text.encode() == value else {"raw": value.hex().upper()}

    def from_json(self, found: Any) -> bytes:
        if not isinstance(found, str):
            return octets_of(member(found, "raw"))
        try:
            return found.encode()
        except UnicodeEncodeError:
            raise EncodeError(f"{found!r} is no Unicode text") from None

    def words(self, value: bytes) -> tuple[str, Text | None]:
        return value.decode("utf-8", "backslashreplace"), None


class ObjectIdentifier(Hex):
    """OI: two octets, the first digit of which is the family."""

    def words(self, value: int) -> tuple[str, Text | None]:
        found = objects().get(value)
        return f"{self.to_json(value)}H", found.meaning if found else None


class AttributeDescriptor(Hex):
    """OAD: OI, attribute number with feature bits, index of the element or 0."""

    def words(self, value: int) -> tuple[str, Text | None]:
        found = attribute(value)
        return f"{self.to_json(value)}H", found.meaning if found else None


class MethodDescriptor(Hex):
    """OMD: OI, method number, operation mode."""

    def words(self, value: int) -> tuple[str, Text | None]:
        found = method(value)
        return f"{self.to_json(value)}H", found.meaning if found else None


NULL = Null()
OCTETS = Octets()
VISIBLE_STRING = VisibleString()
UTF8_STRING = Utf8String()
BOOLEAN = Boolean()
BIT_STRING = BitStrings()
U8, U16, U32, U64 = Number("B"), Number("H"), Number("I"), Number("Q")
I8, I16, I32, I64 = Number("b"), Number("h"), Number("i"), Number("q")
FLOAT32, FLOAT64 = Float("f"), Float("d")
DATE_TIME, DATE, TIME, DATE_TIME_S = DateTime(), Date(), Time(), DateTimeS()
OI, OAD, OMD = ObjectIdentifier(2), AttributeDescriptor(4), MethodDescriptor(4)
OADS = Many(OAD, Text("OAD", "对象属性描述符OAD"))
TI = TimeIntervals()
TSA = Tsas()
SCALER_UNIT = ScalerUnits()
COMDCB = Comdcbs()


class Sid(NamedTuple):
    """SID: what the key server needs to find the key."""

    id: Annotated[bytes, Fixed(4)]
    attached: Annotated[bytes, OCTETS]


SID = Members(Sid)


class SidMac(NamedTuple):
    """SID_MAC: an identifier and the authentication code."""

    sid: Annotated[Sid, SID]
    mac: Annotated[bytes, OCTETS]


SID_MAC = Members(SidMac)
