"""Consumption asked of lake and archives: readings and install history brought together, a piece at a time.

Which usage points there are and what hung on them is read once; then the lake is asked how many readings each meter
has, and for the readings of as many usage points at a time as have `ROWS_AT_ONCE`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.errors import ConfigError
from meterweave.lake import Lake
from meterweave.lake.days import local_days
from meterweave.mdm.boundaries import checked
from meterweave.mdm.interval import Intervals
from meterweave.mdm.ratio import Ratios
from meterweave.mdm.register import Register
from meterweave.mdm.span import STILL_THERE_US, Spans
from meterweave.mdm.timeline import SINCE_EVER_US
from meterweave.mdm.usage import REACH, consumption
from meterweave.metering.batch import SCHEMA, Profile
from meterweave.metering.quantities import Kind, Quantity
from meterweave.registry import Installation, Meter, Registry
from meterweave.registry.entered import turn_of

ROWS_AT_ONCE = 2_000_000
"""Readings held at once. [rows] About 0.4 GiB with the columns worked out from them."""

_CELLS_AT_ONCE = 2_000_000  # points times intervals of one piece
_IDS_AT_ONCE = 500  # in one query of the archives
_SIGNED = "1-0:16.8."  # combined active energy, import less export


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How consumption is reckoned; what is left out is the rule for most."""

    register: Register | None = None
    """What is known of registers. None: that they go up; that of combined active energy also down. Where one rolls
    over, the archives tell beside it, if they have the meter's digits."""

    registers: Mapping[int, Register] = field(default_factory=dict)
    """Meters of which something else is known; what the archives say of these counts for nothing."""

    ratios: Ratios | None = None
    """Multipliers over time. None: for electricity those in the archives, as if they had always been; else 1."""

    profiles: Collection[Profile] | None = None
    """The series that are reckoned with. None: all. A choice helps where meters and their readers have clocks that
    differ, which makes registers look as if they went back."""

    reach: timedelta = REACH
    """The longest time between two readings inside which the register may be pinned at an instant."""

    interpolate: bool = False
    """Whether to estimate the register at boundaries that fall between two readings."""


def consumption_of(
    lake: Lake,
    registry: Registry,
    quantity: Quantity,
    boundaries: NDArray[np.int64],
    *,
    usage_points: Iterable[int] | None = None,
    meters: Iterable[int] | None = None,
    terms: Terms | None = None,
) -> pa.Table:
    """What usage points, or meters, used in each interval, in one table; `consumption_pieces` put together.

    Raises
    ------
    ConfigError, LakeError
        As `consumption_pieces`.
    """
    pieces = consumption_pieces(
        lake, registry, quantity, boundaries, usage_points=usage_points, meters=meters, terms=terms
    )
    return pa.concat_tables(pieces)


def consumption_pieces(
    lake: Lake,
    registry: Registry,
    quantity: Quantity,
    boundaries: NDArray[np.int64],
    *,
    usage_points: Iterable[int] | None = None,
    meters: Iterable[int] | None = None,
    terms: Terms | None = None,
) -> Iterator[pa.Table]:
    """Tables of what some usage points, or meters, used in each interval, ascending by id; one at least.

    Memory is bounded by `ROWS_AT_ONCE` and not by how many are asked for. Blocks; to be run in a thread.

    Parameters
    ----------
    quantity : Quantity
        A cumulative one.
    boundaries : int64[k + 1]
        See `meterweave.mdm.boundaries`. [us since 1970, UTC]
    usage_points, meters : iterable of int
        Ids; one of the two. Meters are reckoned wherever they hung.

    Returns
    -------
    iterator of pa.Table
        ``usage_point`` or ``meter``, ``quantity``, ``start``, ``end``, ``value``, ``part``, ``flags``,
        ``completeness``, see ``docs/reference/consumption.md``. The schema's metadata state ``unit`` and ``exponent``.

    Raises
    ------
    ConfigError
        If the quantity is not cumulative, the boundaries do not ascend, or not one of the two is given.
    LakeError
        If the lake cannot answer.
    """
    if quantity.kind is not Kind.CUMULATIVE:
        raise ConfigError(f"consumption comes from registers; {quantity.name} is {quantity.kind}, not cumulative")
    if (usage_points is None) == (meters is None):
        raise ConfigError("consumption is of usage points or of meters: give one of the two")
    boundaries, terms = checked(boundaries), _settled(terms or Terms(), quantity)
    with registry.reading() as session:
        if usage_points is not None:
            owner, ids = "usage_point", np.unique(np.array([*usage_points], np.int64))
            spans = _history(session, ids, quantity)
        else:
            owner, ids = "meter", np.unique(np.array([*(meters or ())], np.int64))
            spans = Spans.of_meters(ids.tolist())
        hung = np.unique(spans.meter)
        ratios = terms.ratios or _archived_ratios(session, hung, quantity)
        terms = replace(terms, registers=_archived_registers(session, hung, quantity, terms) | {**terms.registers})
    asked = _Asked(lake, quantity, boundaries, terms)
    pieces = _pieces(ids, spans, asked.counts(spans.meter), len(boundaries) - 1)
    return (_table(_reckoned(some, spans.of_points(some), asked, ratios), owner, quantity) for some in pieces)


def _reckoned(points: NDArray[np.int64], spans: Spans, asked: _Asked, ratios: Ratios) -> Intervals:
    terms = asked.terms
    found = consumption(
        asked.readings(spans.meter),
        spans,
        asked.boundaries,
        register=terms.register,
        registers=terms.registers,
        ratios=ratios,
        reach=terms.reach,
        interpolate=terms.interpolate,
    )
    return found.widened(points)


def _settled(terms: Terms, quantity: Quantity) -> Terms:
    if terms.register is not None:
        return terms
    return replace(terms, register=Register(falls=quantity.obis.startswith(_SIGNED)))


def _history(session: Session, points: NDArray[np.int64], quantity: Quantity) -> Spans:
    """What hung on the usage points, of the quantity's utility."""
    columns = (Installation.usage_point_id, Installation.meter_id, Installation.installed_at, Installation.removed_at)
    rows = []
    for some in _some(points):
        query = select(*columns).where(Installation.usage_point_id.in_(some))
        if quantity.utility:
            query = query.where(Installation.utility == quantity.utility)
        for point, meter, installed, removed in session.execute(query):
            rows.append((point, meter, _us(installed), STILL_THERE_US if removed is None else _us(removed)))
    return Spans.of(rows)


def _archived_ratios(session: Session, meters: NDArray[np.int64], quantity: Quantity) -> Ratios:
    """Current and voltage ratios as the archives have them now; they keep no history of them."""
    if quantity.utility != "electricity":
        return Ratios.of([])
    columns = (Meter.id, Meter.ct_primary, Meter.ct_secondary, Meter.pt_primary, Meter.pt_secondary)
    rows = []
    for some in _some(meters):
        for meter, *terms in session.execute(select(*columns).where(Meter.id.in_(some))):
            if terms != [1, 1, 1, 1]:
                rows.append((meter, SINCE_EVER_US, Fraction(terms[0] * terms[2], terms[1] * terms[3])))
    return Ratios.of(rows)


def _archived_registers(
    session: Session, meters: NDArray[np.int64], quantity: Quantity, terms: Terms
) -> dict[int, Register]:
    """The registers of which the archives have the digits, which say where they roll over."""
    columns = (Meter.id, Meter.register_digits, Meter.register_decimals)
    found = {}
    for some in _some(meters):
        query = select(*columns).where(Meter.id.in_(some), Meter.register_digits.is_not(None))
        for meter, digits, decimals in session.execute(query):
            turn = turn_of(quantity, digits, decimals)
            if turn is not None:
                found[meter] = replace(terms.register or Register(), rollover_at=turn)
    return found


class _Asked(NamedTuple):
    """The lake, and what is wanted of it."""

    lake: Lake
    quantity: Quantity
    boundaries: NDArray[np.int64]
    terms: Terms

    def counts(self, meters: NDArray[np.int64]) -> Mapping[int, int]:
        """How many readings each meter has; those without any are left out."""
        found = self._ask(meters, "meter, count(*) AS readings", "GROUP BY meter", len(meters))
        return dict(zip(found.column("meter").to_pylist(), found.column("readings").to_pylist(), strict=True))

    def readings(self, meters: NDArray[np.int64]) -> pa.Table:
        """Their readings in the time of the boundaries and the reach about it."""
        # More may have come since they were counted.
        return self._ask(meters, ", ".join(SCHEMA.names), "", 4 * ROWS_AT_ONCE)

    def _ask(self, meters: NDArray[np.int64], columns: str, more: str, rows_max: int) -> pa.Table:
        reach_us = self.terms.reach // timedelta(microseconds=1)
        low, high = int(self.boundaries[0]) - reach_us, int(self.boundaries[-1]) + reach_us
        first, last = local_days(np.array([low, high]), self.lake.settings.zone).astype("datetime64[D]").tolist()
        wanted = np.unique(meters)
        bounds = (wanted[0], wanted[-1]) if len(wanted) else (0, -1)
        profiles = self.terms.profiles
        series = "" if profiles is None else f"AND profile IN ({', '.join(str(int(one)) for one in profiles) or -1})"
        return self.lake.query(
            f"SELECT {columns} FROM readings WHERE quantity = {self.quantity.code} {series} "
            f"AND ts BETWEEN make_timestamptz({low}) AND make_timestamptz({high}) "
            f"AND meter BETWEEN {bounds[0]} AND {bounds[1]} AND meter IN (SELECT meter FROM wanted) {more}",
            tables={"wanted": pa.table({"meter": wanted})},
            days=(first, last),
            rows_max=rows_max,
        )


def _pieces(
    ids: NDArray[np.int64], spans: Spans, counts: Mapping[int, int], intervals: int
) -> Iterator[NDArray[np.int64]]:
    """The ids in turn, as many at a time as the bounds allow; one at least."""
    rows = np.zeros(len(ids), np.int64)
    of_span = np.array([counts.get(meter, 0) for meter in spans.meter.tolist()], np.int64)
    np.add.at(rows, np.searchsorted(ids, spans.point), of_span)
    reach = np.cumsum(rows)
    begin = 0
    while begin < len(ids) or begin == 0:
        before = reach[begin - 1] if begin else 0
        end = int(np.searchsorted(reach, before + ROWS_AT_ONCE, "right"))
        end = min(max(end, begin + 1), begin + max(_CELLS_AT_ONCE // intervals, 1))
        yield ids[begin:end]
        begin = end


def _table(found: Intervals, owner: str, quantity: Quantity) -> pa.Table:
    table = found.to_arrow(owner)
    table = table.add_column(1, "quantity", pa.array(np.full(table.num_rows, quantity.code, np.int32)))
    return table.replace_schema_metadata({"unit": quantity.unit, "exponent": str(quantity.exponent)})


def _some(ids: NDArray[np.int64]) -> Iterator[list[int]]:
    rest = iter(ids.tolist())
    while some := list(islice(rest, _IDS_AT_ONCE)):
        yield some


def _us(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, moment.tzinfo)) // timedelta(microseconds=1)
