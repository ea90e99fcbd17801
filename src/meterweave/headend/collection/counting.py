"""What is there and what is not: expected minus stored, from the lake, for many meters and days in one question.

The lake tells, for each meter and quantity, which of the expected moments have a value, as bits; all else is array
arithmetic. Nothing is remembered from one look to the next, so it does not matter how and in which order readings
came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meterweave.headend.collection.moments import day_moments, due_until_us, local_day
from meterweave.headend.collection.plan import Plan
from meterweave.headend.collection.roster import Ints, Places, Roster
from meterweave.lake import Lake
from meterweave.metering.batch import Source
from meterweave.registry.collection import Series

Bools = NDArray[np.bool_]

_BITS = 64
_DAY_US = 86_400_000_000
_TIME = pa.timestamp("us", tz="UTC")

_QUESTION = f"""
SELECT r.meter AS meter, r.quantity AS quantity, m.word AS word, bit_or(m.bit) AS seen,
       bit_or(m.bit) FILTER (WHERE r.source = {int(Source.PUSHED)} AND r.received <= m.due) AS prompt
FROM raw_readings AS r JOIN wanted_moments AS m ON r.ts = m.ts JOIN wanted_meters AS w ON r.meter = w.meter
WHERE r.profile = {{profile}} AND r.quantity IN ({{quantities}}) AND r.value IS NOT NULL
  AND r.meter BETWEEN {{first}} AND {{last}}
  AND r.ts BETWEEN make_timestamptz({{from_us}}) AND make_timestamptz({{to_us}})
GROUP BY ALL
"""
# `raw_readings` and not `readings`: a key has a value if any row of it has one, and choosing among them costs memory.


class Hole(NamedTuple):
    """Readings that are missing, as one operation can ask for them."""

    meters: tuple[int, ...]  # ids
    quantities: tuple[int, ...]  # packed OBIS codes
    moments: int  # how many lie in the span
    from_us: int  # [us since 1970, UTC]
    to_us: int  # not included

    @property
    def values(self) -> int:
        """Readings in it."""
        return len(self.meters) * len(self.quantities) * self.moments


class Found(NamedTuple):
    """What is missing of one terminal on one day."""

    terminal: int  # id
    day: date
    missing: int  # readings
    meters: int  # that lack something
    oldest_us: int  # the first moment that lacks something
    holes: tuple[Hole, ...]


class Pair(NamedTuple):
    """A quantity of a meter."""

    meter: int  # id
    quantity: int  # packed OBIS code


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one look at some terminals and days shows.

    Attributes
    ----------
    places : intp[p]
        The terminals, as places in the roster.
    days : sequence of date
        Ascending.
    expected, first_try, stored : int64[p, d]
        Readings that are overdue; those of them that the device reported in time; those that are there.
    gaps : sequence of Found
        One for each terminal and day with something missing.
    lacking : sequence of (terminal, day, Pair)
        Quantities without a value all day of meters that have others; of what was asked for.
    found_again : sequence of Pair
        Quantities that were taken to be absent, and are not.
    """

    places: Places
    days: tuple[date, ...]
    expected: Ints
    first_try: Ints
    stored: Ints
    gaps: tuple[Found, ...]
    lacking: tuple[tuple[int, date, Pair], ...]
    found_again: tuple[Pair, ...]


class Absent(NamedTuple):
    """Quantities that meters do not have; int64[n] each, sorted by meter."""

    meter: Ints
    quantity: Ints

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Absent:
        """From pairs in any order."""
        columns = np.array(sorted(pairs), np.int64).reshape(-1, 2)
        return cls(columns[:, 0].copy(), columns[:, 1].copy())


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """The axes of a look: meters, quantities, moments."""

    meter: Ints  # ids, in the order of the roster
    starts: Places  # where each terminal begins in `meter`
    quantities: tuple[int, ...]
    moments: Ints
    day_starts: Places  # where each day begins in `moments`


def look(
    lake: Lake,
    roster: Roster,
    plan: Plan,
    meters: Places,
    days: Sequence[date],
    *,
    now_us: int,
    zone: ZoneInfo,
    absent: Absent,
    asked: Set[tuple[int, date]] = frozenset(),
    holes_max: int,
    timeout_s: float,
) -> Look:
    """Look at all readings of some meters on some days. Blocks.

    Parameters
    ----------
    meters : intp[m]
        Places in the roster, ascending, of meters that the plan covers; whole terminals.
    days : sequence of date
        Ascending; each with moments.
    asked : set of (terminal, day)
        Of these, by the terminal's id, it is told which quantities are lacking.

    Raises
    ------
    LakeError
        If the lake cannot be asked just now, or takes too long.
    """
    by_day = [day_moments(plan, day, zone) for day in days]
    posts = roster.post[meters]
    places, starts = np.unique(posts, return_index=True)
    frame = _Frame(
        roster.meter[meters],
        starts,
        plan.quantities,
        np.concatenate(by_day),
        np.cumsum([0, *map(len, by_day[:-1])]).astype(np.intp),
    )
    wanted = _wanted(frame, roster, plan, meters, now_us)
    away = _absent_cells(frame, absent)
    seen, prompt = _ask(lake, frame, plan, timeout_s)
    again = tuple(
        Pair(int(frame.meter[row]), frame.quantities[column]) for row, column in np.argwhere(away & seen.any(axis=2))
    )
    wanted &= ~away[:, :, None]
    stored, missing = wanted & seen, wanted & ~seen
    return Look(
        places,
        tuple(days),
        _sums(frame, wanted),
        _sums(frame, wanted & prompt),
        _sums(frame, stored),
        tuple(_gaps(frame, roster, plan, places, days, missing, holes_max)),
        tuple(_lacking(frame, roster, places, days, wanted, stored, asked)),
        again,
    )


def divided(seen: Look, roster: Roster, count: int) -> Iterator[Look]:
    """A look in parts of `count` terminals each; what is about meters is in none of them."""
    gaps = deque(seen.gaps)  # in the order of the terminals, as places are
    for first in range(0, len(seen.places), count):
        part = slice(first, first + count)
        last = roster.posts[seen.places[part][-1]].id
        mine = []
        while gaps and gaps[0].terminal <= last:
            mine.append(gaps.popleft())
        counts = (seen.expected[part], seen.first_try[part], seen.stored[part])
        yield Look(seen.places[part], seen.days, *counts, tuple(mine), (), ())


def _wanted(frame: _Frame, roster: Roster, plan: Plan, meters: Places, now_us: int) -> Bools:
    """Which cells are expected by now; bool[m, q, s]."""
    of_kind = np.array([[code in plan.wanted(kind) for code in frame.quantities] for kind in roster.kinds], np.bool_)
    since, until = roster.since_us[meters, None], roster.until_us[meters, None]
    alive = (since <= frame.moments) & (frame.moments < until) & (frame.moments <= due_until_us(plan, now_us))
    cells: Bools = of_kind[roster.kind[meters]][:, :, None] & alive[:, None, :]
    return cells


def _absent_cells(frame: _Frame, absent: Absent) -> Bools:
    """Which quantities of which meters are taken to be absent; bool[m, q]."""
    cells = np.zeros((len(frame.meter), len(frame.quantities)), np.bool_)
    order = np.argsort(frame.meter)
    rows = _places(frame.meter[order], absent.meter)
    columns = _places(np.array(frame.quantities, np.int64), absent.quantity, is_sorted=False)
    both = (rows >= 0) & (columns >= 0)
    cells[order[rows[both]], columns[both]] = True
    return cells


def _places(known: Ints, wanted: Ints, *, is_sorted: bool = True) -> Places:
    """Where each of `wanted` stands in `known`; -1 where it does not."""
    if not len(known):
        return np.full(len(wanted), -1, np.intp)
    order = np.arange(len(known)) if is_sorted else np.argsort(known)
    at = np.minimum(np.searchsorted(known, wanted, sorter=None if is_sorted else order), len(known) - 1)
    found = order[at]
    return np.where(known[found] == wanted, found, -1).astype(np.intp)


def _ask(lake: Lake, frame: _Frame, plan: Plan, timeout_s: float) -> tuple[Bools, Bools]:
    """Which cells have a value, and which of these the device reported in time; bool[m, q, s] each."""
    count = len(frame.moments)
    words = -(-count // _BITS)
    at = np.arange(count)
    table = pa.table(
        {
            "ts": pa.array(frame.moments).cast(_TIME),
            "due": pa.array(frame.moments + plan.deadline_s * 1_000_000).cast(_TIME),
            "word": pa.array((at // _BITS).astype(np.int32)),
            "bit": pa.array(np.uint64(1) << (at % _BITS).astype(np.uint64)),
        }
    )
    first_us, last_us = int(frame.moments[0]), int(frame.moments[-1])
    zone = lake.settings.zone
    answer = lake.query(
        _QUESTION.format(
            profile=int(plan.profile),
            quantities=", ".join(map(str, frame.quantities)),
            first=int(frame.meter.min()),
            last=int(frame.meter.max()),
            from_us=first_us,
            to_us=last_us,
        ),
        tables={"wanted_moments": table, "wanted_meters": pa.table({"meter": pa.array(frame.meter)})},
        days=(local_day(first_us, zone), local_day(last_us, zone)),
        rows_max=len(frame.meter) * len(frame.quantities) * words,
        timeout_s=timeout_s,
    )
    order = np.argsort(frame.meter)
    rows = order[_places(frame.meter[order], answer.column("meter").to_numpy())]
    codes = answer.column("quantity").to_numpy().astype(np.int64)
    columns = _places(np.array(frame.quantities, np.int64), codes, is_sorted=False)
    word = answer.column("word").to_numpy()
    cells = []
    for name in ("seen", "prompt"):
        packed = np.zeros((len(frame.meter), len(frame.quantities), words), "<u8")
        packed[rows, columns, word] = answer.column(name).fill_null(0).to_numpy()
        bits = np.unpackbits(packed.view(np.uint8), axis=2, count=count, bitorder="little")
        cells.append(bits.view(np.bool_))
    return cells[0], cells[1]


def _sums(frame: _Frame, cells: Bools) -> Ints:
    """Cells by terminal and day; int64[p, d]."""
    by_moment = cells.sum(axis=1, dtype=np.int64)
    by_day = np.add.reduceat(by_moment, frame.day_starts, axis=1)
    sums: Ints = np.add.reduceat(by_day, frame.starts, axis=0)
    return sums


def _gaps(
    frame: _Frame, roster: Roster, plan: Plan, places: Places, days: Sequence[date], missing: Bools, holes_max: int
) -> list[Found]:
    ends = [*frame.starts[1:].tolist(), len(frame.meter)]
    day_ends = [*frame.day_starts[1:].tolist(), len(frame.moments)]
    found = []
    for at, of_day in np.argwhere(_sums(frame, missing)).tolist():
        rows = slice(int(frame.starts[at]), ends[at])
        slots = slice(int(frame.day_starts[of_day]), day_ends[of_day])
        cells = missing[rows, :, slots]
        by_quantity: Bools = np.logical_or.reduce(cells, axis=2)
        lacks: Bools = np.logical_or.reduce(by_quantity, axis=1)
        oldest = int(np.argmax(cells.any(axis=0).any(axis=0)))
        moments = frame.moments[slots]
        found.append(
            Found(
                roster.posts[places[at]].id,
                days[of_day],
                int(cells.sum()),
                int(lacks.sum()),
                int(moments[oldest]),
                tuple(_holes(cells[lacks], frame.meter[rows][lacks], frame.quantities, moments, plan, holes_max)),
            )
        )
    return found


def _holes(
    cells: Bools, meters: Ints, quantities: tuple[int, ...], moments: Ints, plan: Plan, holes_max: int
) -> list[Hole]:
    """Spans that cover all missing cells of meters that each lack some, not more than `holes_max` of them.

    Meters that lack the same quantities from the same to the same moment are asked for together. If that makes too
    many spans, their ends, and then the quantities, are not told apart.
    """
    what = np.packbits(cells.any(axis=2), axis=1)
    when: Bools = np.logical_or.reduce(cells, axis=1)
    first, last = np.argmax(when, axis=1), when.shape[1] - 1 - np.argmax(when[:, ::-1], axis=1)
    nothing = np.zeros((len(meters), 0), np.int64)
    group: Places = np.empty(0, np.intp)
    for marks in (np.column_stack((what, first, last)), what, nothing):
        group = _groups(marks)
        if group.max() < holes_max:
            break
    step_us = plan.period_s * 1_000_000 if plan.series is Series.CURVE else _DAY_US
    holes = []
    for number in range(int(group.max()) + 1):
        mine = group == number
        begin, end = int(first[mine].min()), int(last[mine].max())
        lacked = cells[mine].any(axis=2).any(axis=0)
        holes.append(
            Hole(
                tuple(meters[mine].tolist()),
                tuple(code for code, lacks in zip(quantities, lacked.tolist(), strict=True) if lacks),
                end - begin + 1,
                int(moments[begin]),
                int(moments[end]) + step_us,
            )
        )
    return sorted(holes, key=lambda hole: -hole.to_us)


def _groups(marks: NDArray[np.generic]) -> Places:
    """A number from 0 for each different row; intp[n]."""
    if not marks.shape[1]:
        return np.zeros(len(marks), np.intp)
    groups: Places = np.unique(marks, axis=0, return_inverse=True)[1].reshape(-1)
    return groups


def _lacking(
    frame: _Frame,
    roster: Roster,
    places: Places,
    days: Sequence[date],
    wanted: Bools,
    stored: Bools,
    asked: Set[tuple[int, date]],
) -> list[tuple[int, date, Pair]]:
    """Quantities without any value on a day on which the meter has values of others."""
    names = [roster.posts[place].id for place in places.tolist()]
    of_interest = np.array([[(name, day) in asked for day in days] for name in names], np.bool_)
    if not of_interest.any():
        return []
    due = np.logical_or.reduceat(wanted, frame.day_starts, axis=2)
    there = np.logical_or.reduceat(stored, frame.day_starts, axis=2)
    owner = np.repeat(np.arange(len(places)), np.diff(np.append(frame.starts, len(frame.meter))))
    lacks = due & ~there & there.any(axis=1, keepdims=True) & of_interest[owner][:, None, :]
    return [
        (names[owner[row]], days[of_day], Pair(int(frame.meter[row]), frame.quantities[column]))
        for row, column, of_day in np.argwhere(lacks).tolist()
    ]
