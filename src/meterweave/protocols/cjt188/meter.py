"""The meter type T of CJ/T 188-2004 and -2018: what a meter counts."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from meterweave.text import Text

WILDCARD_TYPE = 0xAA
"""T of a request to any type of meter; one maker answers with it."""


class Medium(IntEnum):
    """What flows, as OBIS value group A writes it (IEC 62056-61)."""

    UNKNOWN = 0
    COOLING = 5
    HEAT = 6
    GAS = 7
    COLD_WATER = 8
    HOT_WATER = 9


class MeterKind(NamedTuple):
    """One or more meter types."""

    name: str  # in JSON
    medium: Medium
    meaning: Text


_SINGLE: dict[int, MeterKind] = {
    0x10: MeterKind("cold_water", Medium.COLD_WATER, Text("cold water meter", "冷水水表")),
    0x11: MeterKind("hot_water", Medium.HOT_WATER, Text("domestic hot water meter", "生活热水水表")),
    0x12: MeterKind("drinking_water", Medium.COLD_WATER, Text("drinking water meter", "直饮水水表")),
    0x13: MeterKind("reclaimed_water", Medium.COLD_WATER, Text("reclaimed water meter", "中水水表")),
    0x20: MeterKind("heat", Medium.HEAT, Text("heat meter, counts heat", "热量表（计热量）")),
    0x21: MeterKind("cooling", Medium.COOLING, Text("heat meter, counts cold", "热量表（计冷量）")),
    0x22: MeterKind("heat_cooling", Medium.HEAT, Text("heat meter, counts heat and cold", "热量表（计热量和冷量）")),
    0x30: MeterKind("gas", Medium.GAS, Text("gas meter", "燃气表")),
    WILDCARD_TYPE: MeterKind("wildcard", Medium.UNKNOWN, Text("any type of meter", "任意表类型")),
}
_TENS: dict[int, MeterKind] = {
    0x1: MeterKind("water", Medium.COLD_WATER, Text("other water meter", "其他水表")),
    0x2: MeterKind("heat", Medium.HEAT, Text("maker's heat meter", "厂家自定义热量表")),
    0x3: MeterKind("gas", Medium.GAS, Text("other gas meter", "其他燃气表")),
    0x4: MeterKind("other", Medium.UNKNOWN, Text("other meter, such as electricity", "自定义仪表（如电能表）")),
}
_UNKNOWN = MeterKind("unknown", Medium.UNKNOWN, Text("unknown type of meter", "未知表类型"))


def meter_kind(meter_type: int) -> MeterKind:
    """What a meter of type T is; types the standard leaves to makers belong to the family of their tens."""
    return _SINGLE.get(meter_type) or _TENS.get(meter_type >> 4, _UNKNOWN)
