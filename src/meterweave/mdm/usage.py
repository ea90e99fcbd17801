"""Consumption from registers: the one place where readings become what was used.

A function of stored readings, install history, multipliers and what is known of registers, and of nothing else: no
order of arrival, no cache, no clock. What comes late changes the answer when it is asked for again.

readings ─► one an instant (`readings`) ─► their place (`span`) ─► steps (`step`) ─► intervals (`interval`)
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.errors import ConfigError
from meterweave.mdm.boundaries import checked
from meterweave.mdm.interval import Intervals, intervals
from meterweave.mdm.ratio import Ratios
from meterweave.mdm.readings import best
from meterweave.mdm.register import Register
from meterweave.mdm.span import Placed, Spans
from meterweave.mdm.step import steps

REACH = timedelta(days=1)
"""The longest time between two readings inside which an instant may be pinned, unless set otherwise."""

_CELLS_AT_ONCE = 1_000_000  # points times boundaries worked on at once: some 150 MB of columns


def consumption(
    readings: pa.Table,
    spans: Spans,
    boundaries: NDArray[np.int64],
    *,
    register: Register | None = None,
    registers: Mapping[int, Register] = MappingProxyType({}),
    ratios: Ratios | None = None,
    reach: timedelta = REACH,
    interpolate: bool = False,
) -> Intervals:
    """What each usage point used in each interval, in the stored steps of the quantity.

    Parameters
    ----------
    readings : pa.Table
        Of one quantity, in any order, with the columns of `meterweave.metering.batch.SCHEMA`. Neighbours of the
        boundaries up to `reach` away should be there.
    spans : Spans
        Which meter counts for which usage point, when. The readings at an exchange are readings like others: the old
        meter's last at the instant its span ends, the new one's first at the instant its span begins.
    boundaries : int64[k + 1]
        Where intervals begin and end, ascending, see `meterweave.mdm.boundaries`. [us since 1970, UTC]
    register, registers : Register, mapping of meter to Register
        What is known of registers; `register` of those of meters that are not in `registers`.
    ratios : Ratios, optional
        Multipliers. None: all are 1.
    reach : timedelta
        The longest time between readings inside which the register may be pinned.
    interpolate : bool
        Whether to estimate the register at boundaries that fall between two readings.

    Raises
    ------
    ConfigError
        If there is more than one quantity, the boundaries do not ascend, or `reach` is negative.
    """
    boundaries, reach_us = checked(boundaries), reach // timedelta(microseconds=1)
    if reach_us < 0:
        raise ConfigError(f"the reach is not negative, as {reach} is")
    meter, ts, value = best(readings)
    points = np.unique(spans.point)
    known, of_span = _registers(spans, register or Register(), registers)
    placed = spans.place(meter, ts)
    point_of = np.searchsorted(points, spans.point)
    owner = point_of[placed.span]
    at_once = max(_CELLS_AT_ONCE // len(boundaries), 1)
    parts = []
    for begin in range(0, max(len(points), 1), at_once):
        some = points[begin : begin + at_once]
        first, end = np.searchsorted(owner, (begin, begin + len(some)))
        rows = Placed(placed.reading[first:end], placed.span[first:end])
        found = steps(rows, meter, ts, value, point_of - begin, known, of_span, ratios or Ratios.of([]))
        parts.append(intervals(found, some, boundaries, reach_us=reach_us, interpolate=interpolate))
    return parts[0] if len(parts) == 1 else _joined(parts)


def _registers(
    spans: Spans, default: Register, by_meter: Mapping[int, Register]
) -> tuple[list[Register], NDArray[np.int64]]:
    """The different registers, and which of them each span has."""
    numbers = {default: 0}
    of_span = np.zeros(len(spans.meter), np.int64)
    meters = np.array(sorted(by_meter), np.int64)
    if len(meters):
        number = np.array([numbers.setdefault(by_meter[int(one)], len(numbers)) for one in meters], np.int64)
        place = np.minimum(np.searchsorted(meters, spans.meter), len(meters) - 1)
        of_span = np.where(meters[place] == spans.meter, number[place], 0)
    return list(numbers), of_span


def _joined(parts: list[Intervals]) -> Intervals:
    names = ("points", "value", "known", "part", "covered_us", "flags")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Intervals(boundaries=parts[0].boundaries, **columns)
