"""Which rows, which columns, which meters: RSD, CSD, MS and the Region they use (clause 7.3.4).

In a service these stand without tag; inside `Data` they have one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.datum import DATA, Data
from meterweave.protocols.dlt698.given import mapping, naming
from meterweave.protocols.dlt698.names import field_name
from meterweave.protocols.dlt698.tables import REGION_BOUNDS
from meterweave.protocols.dlt698.values import DATE_TIME_S, OAD, OADS, TI, TSA, U8, U16, TimeInterval
from meterweave.protocols.dlt698.wire import Choice, Many, Members, Wire
from meterweave.protocols.explain import Field
from meterweave.text import Text


class Region(NamedTuple):
    """Values from `start` to `end`; `unit` says which ends belong to it."""

    unit: Annotated[int, U8]
    start: Annotated[Data, DATA]
    end: Annotated[Data, DATA]


class Regions(Members[Region]):
    """Region: the unit, then two Data."""

    def __init__(self) -> None:
        super().__init__(Region)

    def to_json(self, value: Region) -> Any:
        bounds = REGION_BOUNDS.get(value.unit)
        return {**super().to_json(value), "bounds": bounds.en if bounds else None}


REGION = Regions()


# Columns ---------------------------------------------------------------------------------------------------------


class Road(NamedTuple):
    """ROAD: a record object and the attributes that are columns of it."""

    road: Annotated[int, OAD]
    oads: Annotated[tuple[int, ...], OADS]


ROAD = Members(Road)

Column = int | Road
"""A CSD: an OAD, or a ROAD."""


class Columns(Wire[Column]):
    """CSD: 0 and an OAD, or 1 and a ROAD."""

    def read(self, reader: Reader) -> Column:
        choice = reader.octet()
        if choice == 0:
            return OAD.read(reader)
        if choice == 1:
            return ROAD.read(reader)
        raise reader.fault("bad_choice", f"no column selection has number {choice}", reader.at - 1)

    def write(self, writer: Writer, value: Column) -> None:
        writer.octets.append(isinstance(value, Road))
        if isinstance(value, Road):
            ROAD.write(writer, value)
        else:
            OAD.write(writer, value)

    def to_json(self, value: Column) -> Any:
        return ROAD.to_json(value) if isinstance(value, Road) else {"oad": OAD.to_json(value)}

    def from_json(self, found: Any) -> Column:
        if "road" in mapping(found):
            return ROAD.from_json(found)
        with naming("oad"):
            return OAD.from_json(found.get("oad"))

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        start = reader.at
        choice = reader.octet()
        if choice > 1:
            raise reader.fault("bad_choice", f"no column selection has number {choice}", start)
        meaning = Text("ROAD", "ROAD") if choice else Text("OAD", "OAD")
        fields.append(Field(name, reader.octets[start : reader.at], str(choice), meaning=meaning))
        if choice:
            ROAD.explain_members(reader, fields)
        else:
            OAD.explain(reader, field_name("oad"), fields)


REMEMBERED_MAX = 64  # columns of a list that is worth remembering


class ColumnLists(Many[Column]):
    """RCSD: a count and that many CSD; 0 stands for all columns.

    The same columns come again and again, so lists of plain OADs are remembered by their octets.
    """

    def read(self, reader: Reader) -> tuple[Column, ...]:
        count = reader.count()
        end = reader.at + 5 * count
        if count <= REMEMBERED_MAX and end <= reader.end:
            columns = _plain_columns(reader.octets[reader.at : end])
            if columns is not None:
                reader.at = end
                return columns
        return tuple([self.one.read(reader) for _ in range(count)])


@lru_cache(4096)
def _plain_columns(octets: bytes) -> tuple[int, ...] | None:
    """The OADs of a list of CSD that are all OADs; None where one is a ROAD or wrong."""
    if any(octets[::5]):
        return None
    return tuple([int.from_bytes(octets[at + 1 : at + 5], "big") for at in range(0, len(octets), 5)])


CSD = Columns()
RCSD = ColumnLists(CSD, Text("column", "列"))


# Meters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoMeter:
    """No meter."""


@dataclass(frozen=True, slots=True)
class AllMeters:
    """All meters."""


@dataclass(frozen=True, slots=True)
class MetersOfTypes:
    """The meters of these user types."""

    items: Annotated[tuple[int, ...], Many(U8, Text("user type", "用户类型"))]


@dataclass(frozen=True, slots=True)
class MetersAt:
    """The meters with these addresses (TSA)."""

    items: Annotated[tuple[bytes, ...], Many(TSA, Text("address", "地址"))]


@dataclass(frozen=True, slots=True)
class MetersNumbered:
    """The meters with these configuration numbers."""

    items: Annotated[tuple[int, ...], Many(U16, Text("configuration number", "配置序号"))]


@dataclass(frozen=True, slots=True)
class MetersOfTypeRegions:
    """The meters of user types in these regions."""

    items: Annotated[tuple[Region, ...], Many(REGION, Text("region", "区间"))]


@dataclass(frozen=True, slots=True)
class MetersInRegions:
    """The meters with addresses in these regions."""

    items: Annotated[tuple[Region, ...], Many(REGION, Text("region", "区间"))]


@dataclass(frozen=True, slots=True)
class MetersNumberedInRegions:
    """The meters with configuration numbers in these regions."""

    items: Annotated[tuple[Region, ...], Many(REGION, Text("region", "区间"))]


MeterSet = (
    NoMeter
    | AllMeters
    | MetersOfTypes
    | MetersAt
    | MetersNumbered
    | MetersOfTypeRegions
    | MetersInRegions
    | MetersNumberedInRegions
)

MS = Choice(
    "choice",
    {
        0: (Text("none", "无电能表"), NoMeter),
        1: (Text("all", "全部用户地址"), AllMeters),
        2: (Text("user_types", "一组用户类型"), MetersOfTypes),
        3: (Text("addresses", "一组用户地址"), MetersAt),
        4: (Text("config_numbers", "一组配置序号"), MetersNumbered),
        5: (Text("user_type_regions", "一组用户类型区间"), MetersOfTypeRegions),
        6: (Text("address_regions", "一组用户地址区间"), MetersInRegions),
        7: (Text("config_number_regions", "一组配置序号区间"), MetersNumberedInRegions),
    },
)


# Rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AllRows:
    """Selector 0: no selection."""


@dataclass(frozen=True, slots=True)
class RowsEqual:
    """Selector 1: rows whose column `oad` has this value."""

    oad: Annotated[int, OAD]
    value: Annotated[Data, DATA]


@dataclass(frozen=True, slots=True)
class RowsBetween:
    """Selector 2: rows whose column `oad` is at or above `from_` and below `to`, `step` apart (NULL: all of them)."""

    oad: Annotated[int, OAD]
    from_: Annotated[Data, DATA]
    to: Annotated[Data, DATA]
    step: Annotated[Data, DATA]


@dataclass(frozen=True, slots=True)
class RowsWithAll:
    """Selector 3: rows for which all of the selections hold."""

    items: Annotated[tuple[RowsBetween, ...], Many(Members(RowsBetween), Text("selection", "选择"))]


@dataclass(frozen=True, slots=True)
class _RowsAt:
    time: Annotated[bytes, DATE_TIME_S]
    meters: Annotated[MeterSet, MS]


@dataclass(frozen=True, slots=True)
class RowsStartedAt(_RowsAt):
    """Selector 4: rows whose collection started at `time`."""


@dataclass(frozen=True, slots=True)
class RowsStoredAt(_RowsAt):
    """Selector 5: rows stored at `time`."""


@dataclass(frozen=True, slots=True)
class _RowsDuring:
    from_: Annotated[bytes, DATE_TIME_S]
    to: Annotated[bytes, DATE_TIME_S]
    interval: Annotated[TimeInterval, TI]
    meters: Annotated[MeterSet, MS]


@dataclass(frozen=True, slots=True)
class RowsStartedDuring(_RowsDuring):
    """Selector 6: rows whose collection started in a time."""


@dataclass(frozen=True, slots=True)
class RowsStoredDuring(_RowsDuring):
    """Selector 7: rows stored in a time."""


@dataclass(frozen=True, slots=True)
class RowsCollectedDuring(_RowsDuring):
    """Selector 8: rows collected with success in a time."""


@dataclass(frozen=True, slots=True)
class NthLastRow:
    """Selector 9: the n-th last row."""

    nth_last: Annotated[int, U8]


@dataclass(frozen=True, slots=True)
class LastRows:
    """Selector 10: the last n rows of each meter."""

    last_n: Annotated[int, U8]
    meters: Annotated[MeterSet, MS]


RowSelection = (
    AllRows
    | RowsEqual
    | RowsBetween
    | RowsWithAll
    | RowsStartedAt
    | RowsStoredAt
    | RowsStartedDuring
    | RowsStoredDuring
    | RowsCollectedDuring
    | NthLastRow
    | LastRows
)

RSD = Choice(
    "selector",
    {
        0: (Text("all rows", "不选择"), AllRows),
        1: (Text("rows equal to a value", "指定对象指定值"), RowsEqual),
        2: (Text("rows in a range", "指定对象区间内连续间隔值"), RowsBetween),
        3: (Text("rows in several ranges", "多个选择方法2的组合"), RowsWithAll),
        4: (Text("collection start time", "指定电能表集合、指定采集启动时间"), RowsStartedAt),
        5: (Text("storage time", "指定电能表集合、指定采集存储时间"), RowsStoredAt),
        6: (Text("collection start time in a range", "指定电能表集合、采集启动时间区间"), RowsStartedDuring),
        7: (Text("storage time in a range", "指定电能表集合、采集存储时间区间"), RowsStoredDuring),
        8: (Text("collection success time in a range", "指定电能表集合、采集成功时间区间"), RowsCollectedDuring),
        9: (Text("n-th last row", "上第n次记录"), NthLastRow),
        10: (Text("last n rows of each meter", "上n条记录、指定电能表集合"), LastRows),
    },
    named=False,
)


def selected(columns: tuple[Column, ...]) -> list[int | tuple[int, ...]]:
    """The OADs of the columns: one of a plain column, those inside of a ROAD."""
    return [column.oads if isinstance(column, Road) else column for column in columns]
