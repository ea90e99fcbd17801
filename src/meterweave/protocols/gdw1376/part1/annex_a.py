"""The formats by the names that `layouts.csv` calls them: A.1 to A.27 of annex A and the plain types beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meterweave.protocols.gdw1376.part1.formats import (
    Address,
    Binary,
    Bits,
    Characters,
    Decimal,
    Digits,
    Energy,
    Format,
    Power,
    Split,
    Timeout,
)
from meterweave.protocols.gdw1376.part1.moments import Clock, Moment
from meterweave.protocols.gdw1376.part1.records import Confirmation, Counted, Designation, Events, Forwarded

TARIFF_MAX = 63  # six bits of the tariff count in AFN 04H F10
POINTS_OF_HOUR: Mapping[int, int] = {0: 0, 1: 4, 2: 2, 3: 1, 254: 12, 255: 60}
"""Points that an hourly freeze holds, by the density of Td_h."""


@dataclass(frozen=True, slots=True)
class HourDensity(Binary):
    """The density octet of Td_h, from which the number of points of the hour follows."""

    size: int = 1
    counts: bool = True

    def count(self, octets: bytes) -> int | None:
        return POINTS_OF_HOUR.get(octets[0])


@dataclass(frozen=True, slots=True)
class Hour(Decimal):
    """The hour octet of Td_h: BCD in the low six bits, the two high bits reserved."""

    size: int = 1

    def number(self, octets: bytes) -> int | None:
        return Decimal.number(self, bytes((octets[0] & 0x3F,)))


FORMATS: Mapping[str, Format] = {
    "A1": Clock(),
    "A2": Power(),
    "A3": Energy(),
    "A4": Decimal(1, signed=True),
    "A5": Decimal(2, exponent=-1, signed=True),
    "A6": Decimal(2, exponent=-2, signed=True),
    "A7": Decimal(2, exponent=-1),
    "A8": Decimal(2),
    "A9": Decimal(3, exponent=-4, signed=True),
    "A10": Decimal(3),
    "A11": Decimal(4, exponent=-2),
    "A12": Digits(6),
    "A13": Decimal(4, exponent=-4),
    "A14": Decimal(5, exponent=-4),
    "A15": Moment(5, order="mhDMY", template="20{Y}-{M}-{D}T{h}:{m}"),
    "A16": Moment(4, order="smhD", template="{D}T{h}:{m}:{s}"),
    "A17": Moment(4, order="mhDM", template="{M}-{D}T{h}:{m}"),
    "A18": Moment(3, order="mhD", template="{D}T{h}:{m}"),
    "A19": Moment(2, order="mh", template="{h}:{m}"),
    "A20": Moment(3, order="DMY", template="20{Y}-{M}-{D}"),
    "A21": Moment(2, order="MY", template="20{Y}-{M}"),
    "A22": Decimal(1, exponent=-1),
    "A23": Decimal(3, exponent=-4),
    "A24": Moment(2, order="Dh", template="{D}T{h}"),
    "A25": Decimal(3, exponent=-3, signed=True),
    "A26": Decimal(2, exponent=-3),
    "A27": Decimal(4),
    "BIN1": Binary(1),
    "BIN2": Binary(2),
    "BIN4": Binary(4),
    "BIN2EE": Binary(2, lacks=True),
    "BIN1x10": Binary(1, factor=10),
    "BIN1x20": Binary(1, factor=20),
    "HALFHOUR": Binary(1, factor=5, exponent=-1),
    "COUNT1": Binary(1, counts=True),
    "COUNT2": Binary(2, counts=True),
    "TARIFFS": Binary(1, counts=True, highest=TARIFF_MAX),
    "HOUR": Hour(),
    "HOURDENSITY": HourDensity(),
    "BITS1": Bits(1),
    "BITS2": Bits(2),
    "BITS3": Bits(3),
    "BITS4": Bits(4),
    "BITS8": Bits(8),
    "HEX2": Format(2),
    "HEX31": Format(31),
    "DIGITS6": Digits(6),
    "DIGITS8": Digits(8),
    "ASCII4": Characters(4),
    "ASCII8": Characters(8),
    "ASCII11": Characters(11),
    "ASCII16": Characters(16),
    "ASCII32": Characters(32),
    "IP": Address(),
    "VISIBLE": Counted(),
    "GBK": Counted(encoding="gbk"),
    "CONTENT": Counted(encoding="", width=2),
    "TIMEOUT": Timeout(),
    "DADT": Designation(),
    "CONFIRM": Confirmation(),
    "EVENTS": Events(),
    "FORWARDED": Forwarded(),
}


def split_format(text: str) -> tuple[Split, tuple[str, ...]]:
    """The format of ``<name:bits,name:bits>`` and the names in it, high bits first."""
    parts = tuple((name, int(width)) for name, _, width in (part.partition(":") for part in text[1:-1].split(",")))
    return Split(numbers=parts), tuple(name for name, _ in parts)
