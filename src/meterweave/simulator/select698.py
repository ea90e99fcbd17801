"""Which rows and which meters a question of DL/T 698.45 means (RSD and MS, clauses 7.3.4.8 and 7.3.4.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from meterweave.metering.batch import Profile
from meterweave.metering.clock import local_us
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.selection import (
    AllMeters,
    LastRows,
    MetersAt,
    MeterSet,
    MetersInRegions,
    MetersNumbered,
    MetersNumberedInRegions,
    MetersOfTypeRegions,
    MetersOfTypes,
    NthLastRow,
    Region,
    RowsBetween,
    RowsCollectedDuring,
    RowSelection,
    RowsEqual,
    RowsStartedAt,
    RowsStartedDuring,
    RowsStoredAt,
    RowsStoredDuring,
)
from meterweave.protocols.dlt698.times import moment
from meterweave.protocols.dlt698.values import TimeInterval, tsa
from meterweave.simulator.plan import Series
from meterweave.simulator.records698 import OF_THE_FREEZE, TIMES
from meterweave.simulator.town import DAY_S, LOCAL_S, Meter, Utility

MEMORY_S: Mapping[Profile, int] = {Profile.CURVE: 40 * DAY_S, Profile.DAILY: 62 * DAY_S, Profile.MONTHLY: 366 * DAY_S}
"""How long meters and terminals keep their freezes."""
USER_TYPES: Mapping[Utility, int] = {Utility.ELECTRICITY: 1, Utility.WATER: 2, Utility.GAS: 3, Utility.HEAT: 4}
"""The user types under which this town's archives list its meters."""
_TI_UNITS_S = {0: 1, 1: 60, 2: 3600, 3: DAY_S}
_PAST_START, _BEFORE_END = frozenset({1, 3}), frozenset({0, 3})  # units of a Region whose start, end is left out


def kept(series: Series, first_s: int, now_s: int) -> Sequence[int]:
    """The moments of a series that are still in memory."""
    return series.slots(max(first_s, now_s - MEMORY_S[series.profile]), now_s + 1)


def slots(series: Series, rsd: RowSelection, first_s: int, now_s: int, clock_off_s: int) -> Sequence[int] | None:
    """The moments that a selection means, as far as there are rows; None where it cannot be followed.

    Parameters
    ----------
    first_s : int
        Since when the meters keep readings. [s since 1970, UTC]
    clock_off_s : int
        The terminal's clock, which stamps when a collection started and succeeded, minus the true time.
    """
    here = kept(series, first_s, now_s)
    match rsd:
        case NthLastRow(nth_last=number) if number:
            return here[-number:][:1] if number <= len(here) else ()
        case LastRows(last_n=number):
            return here[-number:] if number else ()
        case RowsEqual(oad=oad, value=wanted) if oad >> 16 in TIMES:
            return _at(here, _utc_s(wanted, _off_s(oad, clock_off_s)))
        case RowsStartedAt(time=time):
            return _at(here, _utc_s((Tag.DATE_TIME_S, time), clock_off_s))
        case RowsStoredAt(time=time):
            return _at(here, _utc_s((Tag.DATE_TIME_S, time), 0))
        case RowsBetween(oad=oad, from_=low, to=high, step=step) if oad >> 16 in TIMES:
            return _between(series, here, low, high, step, _off_s(oad, clock_off_s))
        case RowsStartedDuring() | RowsStoredDuring() | RowsCollectedDuring():
            start, end = (Tag.DATE_TIME_S, rsd.from_), (Tag.DATE_TIME_S, rsd.to)
            off_s = 0 if isinstance(rsd, RowsStoredDuring) else clock_off_s
            return _between(series, here, start, end, (Tag.TI, rsd.interval), off_s)
    return None


def _at(here: Sequence[int], at_s: int | None) -> Sequence[int] | None:
    return None if at_s is None else (at_s,) if at_s in here else ()


def _between(
    series: Series, here: Sequence[int], low: Data, high: Data, step: Data, off_s: int
) -> Sequence[int] | None:
    from_s, to_s = _utc_s(low, off_s), _utc_s(high, off_s)
    step_s = _step_s(step, series.period_s)
    if from_s is None or to_s is None or step_s is None:
        return None
    if not here:
        return ()
    if not series.period_s:
        return tuple(at for at in here if from_s <= at < to_s)
    begin_s = series.slot_from(from_s)
    begin_s += max(0, -(-(here[0] - begin_s) // step_s)) * step_s
    return range(begin_s, min(to_s, here[-1] + 1), step_s)


def _off_s(oad: int, clock_off_s: int) -> int:
    """How far the clock is off that wrote this column."""
    return 0 if oad >> 16 in OF_THE_FREEZE else clock_off_s


def _utc_s(data: Data, off_s: int) -> int | None:
    tag, octets = data
    when = moment(octets) if tag in {Tag.DATE_TIME_S, Tag.DATE_TIME} else None
    return None if when is None else local_us(when) // 1_000_000 - LOCAL_S - off_s


def _step_s(data: Data, period_s: int) -> int | None:
    """How far apart rows are wanted; never closer than there are any."""
    tag, interval = data
    if tag == Tag.NULL or not period_s:
        return period_s
    if tag != Tag.TI or not isinstance(interval, TimeInterval) or interval.unit not in _TI_UNITS_S:
        return None
    wanted_s = interval.value * _TI_UNITS_S[interval.unit]
    return None if wanted_s and wanted_s % period_s and period_s % wanted_s else max(wanted_s, period_s)


# Meters --------------------------------------------------------------------------------------------------------------


def meters_of(rsd: RowSelection) -> MeterSet:
    """The meter set of a selection; all of them where it has none."""
    found: MeterSet = getattr(rsd, "meters", AllMeters())
    return found


class Listed(NamedTuple):
    """How the archive lists a meter."""

    number: int
    user_type: int


NOT_LISTED = Listed(-1, -1)


def belongs(meter_set: MeterSet, listed: Mapping[Meter, Listed]) -> Callable[[Meter], bool]:
    """Whether a meter belongs to a set.

    Parameters
    ----------
    listed : mapping
        The meters of the archive.
    """

    def how(meter: Meter) -> Listed:
        return listed.get(meter, NOT_LISTED)

    match meter_set:
        case AllMeters():
            return lambda meter: True
        case MetersAt(items=addresses):
            wanted = frozenset(addresses)
            return lambda meter: tsa(meter.address) in wanted
        case MetersNumbered(items=some):
            return lambda meter: how(meter).number in some
        case MetersOfTypes(items=types):
            return lambda meter: how(meter).user_type in types
        case MetersInRegions(items=regions):
            return lambda meter: any(_inside(tsa(meter.address), region) for region in regions)
        case MetersNumberedInRegions(items=regions):
            return lambda meter: any(_inside(how(meter).number, region) for region in regions)
        case MetersOfTypeRegions(items=regions):
            return lambda meter: any(_inside(how(meter).user_type, region) for region in regions)
    return lambda meter: False


def _inside(found: Any, region: Region) -> bool:
    """Whether a value, a number or an address, lies in a region; ends of another type hold nothing."""
    low, high = region.start[1], region.end[1]
    if not isinstance(low, type(found)) or not isinstance(high, type(found)):
        return False
    after = low < found if region.unit in _PAST_START else low <= found
    before = found < high if region.unit in _BEFORE_END else found <= high
    return bool(after and before)
