"""The old fixed data structure (CI 73H): two counters with their units (EN 1434-3)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from struct import Struct
from types import MappingProxyType
from typing import NamedTuple

from meterweave.errors import EncodeError
from meterweave.protocols.bcd import decode_address, decode_bcd
from meterweave.protocols.mbus.header import encode_id
from meterweave.text import Text

SIZE = 16  # [octets]
SAME_AS_FIRST = 0x3E  # unit code: the unit of counter 1, but a historic value

_LAYOUT = Struct("<4sBBBB4s4s")

MEDIA: tuple[Text, ...] = (
    Text("other", "其他"),
    Text("oil", "油"),
    Text("electricity", "电"),
    Text("gas", "燃气"),
    Text("heat", "热"),
    Text("steam", "蒸汽"),
    Text("hot water", "热水"),
    Text("water", "水"),
    Text("heat cost allocator", "热分配表"),
    Text("reserved", "保留"),
    Text("gas (mode 2)", "燃气（模式2）"),
    Text("heat (mode 2)", "热（模式2）"),
    Text("hot water (mode 2)", "热水（模式2）"),
    Text("water (mode 2)", "水（模式2）"),
    Text("heat cost allocator (mode 2)", "热分配表（模式2）"),
    Text("reserved", "保留"),
)


class FixedUnit(NamedTuple):
    """What a unit code of the fixed structure means."""

    name: str  # the quantity; empty where the unit alone tells nothing
    unit: str
    exponent: int


NO_UNIT = FixedUnit("", "", 0)


@dataclass(frozen=True, slots=True)
class FixedData:
    """The fixed structure; medium and units share two octets."""

    identification: str  # 8 digits
    access_number: int
    status: int  # bit 0: counters are binary; bit 1: they are of the due date; the rest as in the long header
    unit1: int  # six bits
    unit2: int
    medium: int  # four bits, see `MEDIA`
    counter1: bytes  # four octets, least significant first
    counter2: bytes
    rest: bytes = b""  # octets behind the structure

    @property
    def binary(self) -> bool:
        """Whether the counters are binary numbers, not BCD."""
        return bool(self.status & 1)

    @property
    def stored(self) -> bool:
        """Whether the counters are those of the due date, not the actual ones."""
        return bool(self.status & 2)

    @property
    def numbers(self) -> tuple[int | None, int | None]:
        """Both counters, as the numbers sent; None where a nibble is no digit."""
        return self._number(self.counter1), self._number(self.counter2)

    @property
    def units(self) -> tuple[FixedUnit, FixedUnit]:
        """The units of both counters."""
        first = fixed_units().get(self.unit1, NO_UNIT)
        return first, first if self.unit2 == SAME_AS_FIRST else fixed_units().get(self.unit2, NO_UNIT)

    def _number(self, octets: bytes) -> int | None:
        return int.from_bytes(octets, "little") if self.binary else decode_bcd(octets)


@cache
def fixed_units() -> Mapping[int, FixedUnit]:
    """The unit codes of `fixed_units.csv`: families of neighbouring codes, each ten times the one before."""
    table: dict[int, FixedUnit] = {}
    with files("meterweave.protocols.mbus").joinpath("fixed_units.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            first, last = int(row["first"], 16), int(row["last"], 16)
            for step in range(last - first + 1):
                table[first + step] = FixedUnit(row["name"], row["unit"], int(row["exponent"]) + step)
    return MappingProxyType(table)


def decode_fixed(octets: bytes, *, msb: bool = False) -> FixedData:
    """The structure in `octets`, at least `SIZE` of them; `msb`: numbers come most significant octet first."""
    identification, access, status, units1, units2, counter1, counter2 = _LAYOUT.unpack_from(octets)
    return FixedData(
        identification=identification.hex() if msb else decode_address(identification),
        access_number=access,
        status=status,
        unit1=units1 & 0x3F,
        unit2=units2 & 0x3F,
        medium=units1 >> 6 | (units2 >> 6) << 2,
        counter1=counter1[::-1] if msb else counter1,
        counter2=counter2[::-1] if msb else counter2,
        rest=octets[SIZE:],
    )


def encode_fixed(fixed: FixedData, *, msb: bool = False) -> bytes:
    """`decode_fixed` undone; raises `EncodeError`."""
    limits = {"access_number": 0xFF, "status": 0xFF, "unit1": 0x3F, "unit2": 0x3F, "medium": 0x0F}
    for name, limit in limits.items():
        if not 0 <= getattr(fixed, name) <= limit:
            raise EncodeError(f"{name} is {getattr(fixed, name)}, wanted 0 to {limit}")
    for name in ("counter1", "counter2"):
        if len(getattr(fixed, name)) != 4:
            raise EncodeError(f"{name} is {len(getattr(fixed, name))} octets, wanted 4")
    order = -1 if msb else 1
    octets = _LAYOUT.pack(
        encode_id(fixed.identification)[::order],
        fixed.access_number,
        fixed.status,
        fixed.unit1 | (fixed.medium & 3) << 6,
        fixed.unit2 | (fixed.medium >> 2) << 6,
        fixed.counter1[::order],
        fixed.counter2[::order],
    )
    return octets + fixed.rest
