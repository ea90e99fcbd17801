"""What a Q/GDW 1376.1 terminal is told (AFN 04H): whose meters it reads (F10), what it reports (F65 to F68), all else.

Parameters are kept as the octets in which they came, so that AFN 0AH gives back what was set. A terminal is delivered
as if the utility's people had been there before, or bare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from meterweave.metering.batch import Profile
from meterweave.protocols.bcd import decode_address, encode_address
from meterweave.protocols.gdw1376.part1.designator import ALL_POINTS, da_of, dt_of, items_of, points_of
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Series, series_of
from meterweave.simulator.tariff import TARIFFS
from meterweave.simulator.town import POINT_MAX, Concentrator, Meter
from meterweave.simulator.units1376 import items_of_series

METERS, CLASS_1, CLASS_2, CLASS_1_SWITCH, CLASS_2_SWITCH = 10, 65, 66, 67, 68  # F
TASKS_MAX, PARAMETERS_MAX = 64, 10_000
MEMBERS_MAX = 500
"""Members of the list of meters in one answer."""
RUNS = b"\x55"
_RECORD = 27  # octets of a meter's record
_TASK_HEAD, _DESIGNATION = 9, 4  # octets of a task before its items, and of each item
_ITEMS_MAX = 255
_POWER_LINE, _DLT645 = 31, 30
_UNITS: Mapping[Profile, int] = {Profile.DAILY: 0x81, Profile.MONTHLY: 0xC1}
"""Report periods: one day, one month."""


class Listed(NamedTuple):
    """One member of the list of meters (F10)."""

    sequence: int
    point: int
    octets: bytes

    @property
    def address(self) -> str:
        """The meter's twelve digits."""
        return decode_address(self.octets[6:12])


class Archive1376:
    """Parameters of one terminal.

    Parameters
    ----------
    bare : bool
        Whether nobody has told the terminal anything yet.
    """

    def __init__(self, site: Concentrator, first_s: int, *, bare: bool = False) -> None:
        self._by_address = {meter.address: meter for meter in site.meters}
        self.version = 0
        """Counts the orders that may have changed something."""
        self.listed: dict[int, Listed] = {}
        self.parameters: dict[tuple[int, int], bytes] = dict(_DELIVERED)
        """By point, or task, and item."""
        if not bare:
            self.listed = {meter.point: _listed(meter) for meter in site.meters}
            for number, data in enumerate(_tasks(series_of(site.meters), first_s), 1):
                self.parameters[number, CLASS_2] = data
                self.parameters[number, CLASS_2_SWITCH] = RUNS
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        found = ((one.point, self._by_address.get(one.address)) for one in self.listed.values())
        self.meters: dict[int, Meter] = {point: meter for point, meter in found if meter is not None}
        """The meters on the line that are listed, by point."""
        self._points = {meter: point for point, meter in self.meters.items()}
        self._reported = set(self._running())

    def point(self, meter: Meter) -> int:
        """The measuring point under which a meter is listed; 0 where it is not."""
        return self._points.get(meter, 0)

    # Reports ---------------------------------------------------------------------------------------------------------

    def reported(self) -> tuple[Series, ...]:
        """The series that running tasks name, with the meters of which they name something."""
        found = []
        for one in series_of(tuple(self.meters.values())):
            meters = tuple(meter for meter in one.meters if self.items(one, meter))
            if meters:
                found.append(Series(one.utility, one.three_phase, one.solar, one.profile, one.period_s, meters))
        return tuple(found)

    def items(self, series: Series, meter: Meter) -> tuple[int, ...]:
        """The items of a series that are reported of a meter."""
        point = self.point(meter)
        return tuple(item for item in items_of_series(series) if (point, item) in self._reported)

    def _running(self) -> Iterator[tuple[int, int]]:
        """Points and items of all running tasks."""
        for (number, item), data in self.parameters.items():
            if item == CLASS_2 and self.parameters.get((number, CLASS_2_SWITCH)) == RUNS:
                for at in range(_TASK_HEAD, len(data) - _DESIGNATION + 1, _DESIGNATION):
                    da, dt = (int.from_bytes(data[here : here + 2], "little") for here in (at, at + 2))
                    points = self.meters if da == ALL_POINTS else points_of(da)
                    yield from ((point, fn) for point in points if isinstance(point, int) for fn in items_of(dt))

    # Being told ------------------------------------------------------------------------------------------------------

    def set(self, point: int, item: int, data: bytes) -> bool:
        """Keep a parameter; False where it cannot be."""
        done = self._list(data) if item == METERS else self._keep(point, item, data)
        self._changed()
        return done

    def _keep(self, point: int, item: int, data: bytes) -> bool:
        if item in {CLASS_1, CLASS_2, CLASS_1_SWITCH, CLASS_2_SWITCH} and not 1 <= point <= TASKS_MAX:
            return False
        if (point, item) not in self.parameters and len(self.parameters) == PARAMETERS_MAX:
            return False
        self.parameters[point, item] = data
        return True

    def _list(self, data: bytes) -> bool:
        records = [_record(data[at : at + _RECORD]) for at in range(2, len(data) - _RECORD + 1, _RECORD)]
        if any(one.sequence > POINT_MAX or one.point > POINT_MAX for one in records):
            return False
        for one in records:
            if one.point:
                self.listed[one.sequence] = one
            else:
                self.listed.pop(one.sequence, None)
        return True

    def clear(self) -> None:
        """Forget everything, as after an initialisation of all parameters."""
        self.listed.clear()
        self.parameters = dict(_DELIVERED)
        self._changed()

    def get(self, point: int, item: int, query: bytes) -> bytes | None:
        """A parameter as it is read; None where there is none.

        Parameters
        ----------
        query : bytes
            For the list of meters the members that are wanted: their number, then the sequence numbers; or nothing.
        """
        if item != METERS:
            return self.parameters.get((point, item))
        wanted = [int.from_bytes(query[at : at + 2], "little") for at in range(2, len(query) - 1, 2)]
        records = [self.listed[one] for one in (wanted or sorted(self.listed)) if one in self.listed][:MEMBERS_MAX]
        if not records:
            return None
        return len(records).to_bytes(2, "little") + b"".join(one.octets for one in records)


def _record(octets: bytes) -> Listed:
    return Listed(int.from_bytes(octets[:2], "little"), int.from_bytes(octets[2:4], "little"), octets)


# As it is delivered --------------------------------------------------------------------------------------------------

_DELIVERED: Mapping[tuple[int, int], bytes] = {
    (0, 1): bytes.fromhex("05011e030701"),  # 100 ms, 1 min, 30 s and 3 times, all confirmed, a minute from beat to beat
    (0, 3): bytes([127, 0, 0, 1, 0, 0, 127, 0, 0, 1, 0, 0]) + b"meterweave".ljust(16, b"\0"),
    (0, 9): b"\xff" * 8 + b"\xff" * 8,
}


def _listed(meter: Meter) -> Listed:
    number = meter.point.to_bytes(2, "little")
    head = bytes([3 << 5 | _POWER_LINE, _DLT645]) + encode_address(meter.address, 6) + bytes(6)
    octets = number * 2 + head + bytes([TARIFFS, 0x09]) + bytes(6) + bytes([0x50])
    return Listed(meter.point, meter.point, octets)


def _tasks(series: Sequence[Series], first_s: int) -> Iterator[bytes]:
    """A task for each series, or several where one cannot name all of it."""
    for one in series:
        pairs = list(_pairs([meter.point for meter in one.meters], items_of_series(one)))
        for at in range(0, len(pairs), _ITEMS_MAX):
            some = pairs[at : at + _ITEMS_MAX]
            yield _head(one, first_s) + bytes([1, len(some)]) + b"".join(some)


def _head(series: Series, first_s: int) -> bytes:
    """Period and base time."""
    when = local(first_s)
    day = bytes.fromhex(when.strftime("%S%M%H%d")) + bytes([int(when.strftime("%m"), 16), int(when.strftime("%y"), 16)])
    return bytes([_UNITS.get(series.profile, series.period_s // 60)]) + day


def _pairs(points: Sequence[int], items: Sequence[int]) -> Iterator[bytes]:
    """DA and DT of every group of eight points and every group of eight items."""
    for some in _groups(points):
        for others in _groups(items):
            yield da_of(some).to_bytes(2, "little") + dt_of(others).to_bytes(2, "little")


def _groups(numbers: Sequence[int]) -> list[list[int]]:
    groups: dict[int, list[int]] = {}
    for number in sorted(numbers):
        groups.setdefault((number - 1) // 8, []).append(number)
    return list(groups.values())
