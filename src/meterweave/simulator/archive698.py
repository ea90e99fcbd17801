"""What a DL/T 698.45 terminal is told to do: whose meters it reads (6000), by which schemes and tasks (6012 to 601C).

All of it is kept as the `Data` in which it came, so that reading gives back what was set. A terminal is delivered as
if the utility's people had been there before, or bare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meterweave.metering.batch import Profile
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import Row
from meterweave.protocols.dlt698.selection import AllMeters, Column, LastRows, MeterSet, Road, RowsBetween, RowSelection
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import TimeInterval, tsa
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Series, series_of
from meterweave.simulator.records698 import REGISTER, TASKS, columns_of, freeze_of
from meterweave.simulator.select698 import USER_TYPES, Listed, belongs, meters_of
from meterweave.simulator.town import Concentrator, Meter, Utility

ARCHIVE, UNIT = 0x6000, 0x6001
TASK, SCHEME, EVENT_SCHEME, REPORT_SCHEME = 0x6012, 0x6014, 0x6016, 0x601C
TABLES = (TASK, SCHEME, EVENT_SCHEME, REPORT_SCHEME)
"""Tables of members that begin with their number, all with the methods 127 add, 128 delete and 129 clear."""
UNITS_MAX, MEMBERS_MAX = 2040, 255
DONE, DENIED, ABSENT, MISMATCH, OUT_OF_RANGE = 0, 3, 6, 7, 8
NULL: Data = (Tag.NULL, None)
BY_REPORT, RUNS = 4, 1  # of a task: scheme type and state
_BY_RECORD = 1  # content type of a report scheme
_PROTOCOLS = {"dlt645": 2, "dlt698": 3, "cjt188": 4}
_SERIAL, _CARRIER = 0xF201_0201, 0xF209_0201
_CHANNEL = 0x4500_0200


def struct(*members: Data) -> Data:
    """A structure."""
    return (Tag.STRUCTURE, members)


def array(*members: Data) -> Data:
    """An array."""
    return (Tag.ARRAY, members)


@dataclass(frozen=True, slots=True)
class Unit:
    """One meter of the archive (6001)."""

    number: int
    basic: Data
    extended: Data
    annex: Data

    @property
    def address(self) -> bytes:
        """The TSA."""
        address: bytes = self.basic[1][0][1]
        return address

    @property
    def user_type(self) -> int:
        """The user type, by which schemes choose; -1 where it is none."""
        members = self.basic[1]
        return members[6][1] if len(members) > 6 and members[6][0] == Tag.UNSIGNED else -1

    def data(self) -> Data:
        """As it is read."""
        return struct((Tag.LONG_UNSIGNED, self.number), self.basic, self.extended, self.annex)


class Archive698:
    """Archive, schemes and tasks of one terminal.

    Parameters
    ----------
    bare : bool
        Whether nobody has told the terminal anything yet.
    """

    def __init__(self, site: Concentrator, first_s: int, *, bare: bool = False) -> None:
        self._by_tsa = {tsa(meter.address): meter for meter in site.meters}
        self.units: dict[int, Unit] = {}
        self.version = 0
        """Counts the orders that may have changed something."""
        self.tables: Mapping[int, dict[int, Data]] = {oi: {} for oi in TABLES}
        if not bare:
            self.units = {meter.point: unit_of(meter) for meter in site.meters}
            self._commission(series_of(site.meters), first_s)
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        self.listed: dict[Meter, Listed] = {}
        """The meters on the line that are in the archive."""
        for unit in self.units.values():
            meter = self._by_tsa.get(unit.address)
            if meter is not None:
                self.listed[meter] = Listed(unit.number, unit.user_type)
        self.series = series_of(tuple(self.listed))

    def meter(self, address: bytes) -> Meter | None:
        """The meter of the archive with this TSA, if there is one on the line."""
        found = self._by_tsa.get(address)
        return found if found in self.listed else None

    def _commission(self, series: Sequence[Series], first_s: int) -> None:
        for number, one in enumerate(series, 1):
            columns = columns_of(one)
            self.tables[SCHEME][number] = _scheme(number, columns)
            self.tables[REPORT_SCHEME][number] = report_scheme(number, columns)
            for place, kind in enumerate((1, BY_REPORT)):
                task = 2 * number - 1 + place
                self.tables[TASK][task] = _task(task, kind, number, one, first_s)

    # Reports ---------------------------------------------------------------------------------------------------------

    def reported(self) -> tuple[Series, ...]:
        """The series that are reported, with the meters whose tasks say so."""
        found = []
        for one in self.series:
            plan = self._plan(one)
            if plan:
                wanted = belongs(plan[1], self.listed)
                meters = tuple(meter for meter in one.meters if wanted(meter))
                if meters:
                    found.append(Series(one.utility, one.three_phase, one.solar, one.profile, one.period_s, meters))
        return tuple(found)

    def columns(self, series: Series) -> tuple[Column, ...]:
        """The columns in which a series is reported."""
        plan = self._plan(series)
        return plan[0] if plan else columns_of(series)

    def _plan(self, series: Series) -> tuple[tuple[Column, ...], MeterSet] | None:
        """Of the running report tasks about this freeze the one that says most of what these meters have."""
        best: tuple[int, int, tuple[Column, ...], MeterSet] | None = None
        has = {column for road in columns_of(series) if isinstance(road, Road) for column in road.oads}
        for columns, meters in self._running():
            for road in columns:
                if isinstance(road, Road) and road.road >> 16 == freeze_of(series):
                    about = {oad & ~0xFF for oad in road.oads}
                    if REGISTER[series.utility] in about:
                        fits = (len(about & has), -len(about), columns, meters)
                        best = fits if best is None or fits[:2] > best[:2] else best
        return best[2:] if best else None

    def _running(self) -> list[tuple[tuple[Column, ...], MeterSet]]:
        found = []
        for task in self.tables[TASK].values():
            members = task[1]
            if len(members) > 8 and (members[2][1], members[8][1]) == (BY_REPORT, RUNS):
                content = _content(self.tables[REPORT_SCHEME].get(members[3][1]))
                if content:
                    found.append(content)
        return found

    # Being told ------------------------------------------------------------------------------------------------------

    def act(self, oi: int, method: int, param: Data) -> int | None:
        """Carry out a method; gives the DAR, None where there is no such method."""
        found = self._on_archive(method, param) if oi == ARCHIVE else self._on_table(oi, method, param)
        self._changed()
        return found

    def _on_archive(self, method: int, param: Data) -> int | None:
        tag, members = param
        if method == 127:
            return self._add([param])
        if method == 128:
            return self._add(members) if tag == Tag.ARRAY else MISMATCH
        if method in {129, 130}:
            return self._update(method, param)
        if method == 131:
            return self._delete([number for number in self.units if number == members])
        if method == 132:
            return self._delete([number for number, unit in self.units.items() if unit.basic == param])
        if method == 133:
            wanted = members[0][1] if tag == Tag.STRUCTURE and members else None
            return self._delete([number for number, unit in self.units.items() if unit.address == wanted])
        if method == 134:
            self.units.clear()
            return DONE
        return None

    def _add(self, some: Sequence[Data]) -> int:
        units = [_unit(one) for one in some]
        good = [unit for unit in units if unit]
        if len(good) < len(units):
            return MISMATCH
        if len({*self.units, *(unit.number for unit in good)}) > UNITS_MAX:
            return OUT_OF_RANGE
        self.units |= {unit.number: unit for unit in good}
        return DONE

    def _update(self, method: int, param: Data) -> int:
        tag, members = param
        if tag != Tag.STRUCTURE or len(members) < method - 127 or members[0][1] not in self.units:
            return ABSENT if tag == Tag.STRUCTURE else MISMATCH
        old = self.units[members[0][1]]
        parts = (members[1], old.extended, old.annex) if method == 129 else (old.basic, *members[1:3])
        new = _unit(
            struct(members[0], *(one if one != NULL else kept for one, kept in zip(parts, _parts(old), strict=True)))
        )
        return self._add([new.data()]) if new else MISMATCH

    def _delete(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            del self.units[number]
        return DONE if numbers else ABSENT

    def _on_table(self, oi: int, method: int, param: Data) -> int | None:
        table = self.tables[oi]
        tag, members = param
        if method == 127:
            return self._put(table, members if tag == Tag.ARRAY else [param])
        if method == 128:
            numbers = {one[1] for one in members} if tag == Tag.ARRAY else {members}
            for number in numbers & table.keys():
                del table[number]
            return DONE
        if method == 129:
            table.clear()
            return DONE
        if method == 130 and oi == TASK:
            return self._switch(table, param)
        return None

    @staticmethod
    def _put(table: dict[int, Data], members: Sequence[Data]) -> int:
        if not all(tag == Tag.STRUCTURE and some and isinstance(some[0][1], int) for tag, some in members):
            return MISMATCH
        if len({*table, *(some[0][1] for _, some in members)}) > MEMBERS_MAX:
            return OUT_OF_RANGE
        table |= {some[0][1]: (tag, some) for tag, some in members}
        return DONE

    @staticmethod
    def _switch(table: dict[int, Data], param: Data) -> int:
        tag, members = param
        if tag != Tag.STRUCTURE or len(members) != 2 or members[0][1] not in table:
            return ABSENT if tag == Tag.STRUCTURE else MISMATCH
        task = table[members[0][1]][1]
        if len(task) <= 8:
            return MISMATCH
        table[members[0][1]] = struct(*task[:8], members[1], *task[9:])
        return DONE

    def rows(self, rsd: RowSelection, columns: Sequence[Column]) -> Sequence[Row] | int:
        """The units with numbers in a range, as rows of one column; or the DAR."""
        if not isinstance(rsd, RowsBetween) or rsd.oad >> 16 != UNIT or tuple(columns) != (UNIT << 16 | 0x0200,):
            return ABSENT
        first, last = rsd.from_[1], rsd.to[1]
        if not isinstance(first, int) or not isinstance(last, int):
            return MISMATCH
        return tuple((unit.data(),) for number, unit in sorted(self.units.items()) if first <= number < last)

    def get(self, oad: int) -> Data | None:
        """An attribute of archive or tables; None where there is no such attribute."""
        oi, attribute, index = oad >> 16, oad >> 8 & 0xFF, oad & 0xFF
        if oi == ARCHIVE:
            members: list[Data] = [unit.data() for _, unit in sorted(self.units.items())]
        else:
            members = [member for _, member in sorted(self.tables[oi].items())]
        if attribute == 2:
            return array(*members) if not index else members[index - 1] if index <= len(members) else None
        if attribute == 3 and oi != TASK:
            return (Tag.LONG_UNSIGNED, len(members))
        if attribute == 4 and oi != TASK:
            return (Tag.LONG_UNSIGNED, UNITS_MAX if oi == ARCHIVE else MEMBERS_MAX)
        return None


def _parts(unit: Unit) -> tuple[Data, Data, Data]:
    return unit.basic, unit.extended, unit.annex


def _unit(data: Data) -> Unit | None:
    """A unit out of what came; None where it is none."""
    tag, members = data
    if tag != Tag.STRUCTURE or len(members) != 4 or members[0][0] != Tag.LONG_UNSIGNED:
        return None
    number, basic, extended, annex = members
    if basic[0] != Tag.STRUCTURE or not basic[1] or basic[1][0][0] != Tag.TSA:
        return None
    return Unit(number[1], basic, extended, annex)


def _content(scheme: Data | None) -> tuple[tuple[Column, ...], MeterSet] | None:
    """Columns and meters of a report scheme that is about records."""
    if scheme is None or len(scheme[1]) < 5:
        return None
    content = scheme[1][4]
    if content[0] != Tag.STRUCTURE or len(content[1]) != 2 or content[1][0][1] != _BY_RECORD:
        return None
    table = content[1][1]
    if table[0] != Tag.STRUCTURE or [tag for tag, _ in table[1]] != [Tag.OAD, Tag.RCSD, Tag.RSD]:
        return None
    return table[1][1][1], meters_of(table[1][2][1])


# As it is delivered --------------------------------------------------------------------------------------------------


def unit_of(meter: Meter) -> Unit:
    """The unit under which the town's own people have listed a meter."""
    electric = meter.utility is Utility.ELECTRICITY
    basic = struct(
        (Tag.TSA, tsa(meter.address)),
        (Tag.ENUM, 3),
        (Tag.ENUM, _PROTOCOLS[meter.speaks]),
        (Tag.OAD, _CARRIER if electric else _SERIAL),
        (Tag.OCTET_STRING, bytes(6)),
        (Tag.UNSIGNED, 4 if electric else 1),
        (Tag.UNSIGNED, USER_TYPES[meter.utility]),
        (Tag.ENUM, 0 if not electric else 1 if meter.phase else 3),
        (Tag.LONG_UNSIGNED, 2200),
        (Tag.LONG_UNSIGNED, 50),
    )
    extended = struct(
        (Tag.TSA, tsa("000000000000")),
        (Tag.OCTET_STRING, bytes.fromhex(meter.address)),
        (Tag.LONG_UNSIGNED, 1),
        (Tag.LONG_UNSIGNED, 1),
    )
    return Unit(meter.point, basic, extended, array())


def _scheme(number: int, columns: tuple[Column, ...]) -> Data:
    """An ordinary scheme (6015): these columns of all meters, by the time of their freeze."""
    wanted = tuple(column for column in columns if isinstance(column, Road))
    return struct(
        (Tag.UNSIGNED, number),
        (Tag.LONG_UNSIGNED, 96),
        struct((Tag.UNSIGNED, 2), NULL),
        array(*((Tag.CSD, column) for column in wanted)),
        (Tag.MS, AllMeters()),
        (Tag.ENUM, 6),
    )


def report_scheme(number: int, columns: tuple[Column, ...]) -> Data:
    """A report scheme (601D): these columns of the newest record of all meters."""
    content = struct((Tag.OAD, TASKS), (Tag.RCSD, columns), (Tag.RSD, LastRows(1, AllMeters())))
    return struct(
        (Tag.UNSIGNED, number),
        array((Tag.OAD, _CHANNEL)),
        (Tag.TI, TimeInterval(0, 10)),
        (Tag.UNSIGNED, 4),
        struct((Tag.UNSIGNED, _BY_RECORD), content),
    )


def _task(number: int, kind: int, scheme: int, series: Series, first_s: int) -> Data:
    """A task (6013) that runs for ever."""
    whole_day = struct((Tag.ENUM, 0), array(struct(*((Tag.UNSIGNED, one) for one in (0, 0, 23, 59)))))
    return struct(
        (Tag.UNSIGNED, number),
        (Tag.TI, _interval(series)),
        (Tag.ENUM, kind),
        (Tag.UNSIGNED, scheme),
        (Tag.DATE_TIME_S, date_time_s(local(first_s))),
        (Tag.DATE_TIME_S, date_time_s(local(first_s).replace(year=2099))),
        (Tag.TI, TimeInterval(0, 0)),
        (Tag.UNSIGNED, 1),
        (Tag.ENUM, RUNS),
        (Tag.LONG_UNSIGNED, 0),
        (Tag.LONG_UNSIGNED, 0),
        whole_day,
    )


def _interval(series: Series) -> TimeInterval:
    if series.profile is Profile.MONTHLY:
        return TimeInterval(4, 1)
    return TimeInterval(3, 1) if series.profile is Profile.DAILY else TimeInterval(1, series.period_s // 60)
