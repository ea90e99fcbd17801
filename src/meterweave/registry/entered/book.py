"""Readings entered against those there are: what is new, what stands against it, and what looks odd.

At one instant a register has one value, whoever read it and why. The same entered again changes nothing; another value
is a contradiction, unless it is meant as a correction: then it is one more row with the next revision, and the old one
stays. What is odd (less than before, far more than usual) is told, and stands against nothing: people decide.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import Kind, by_code
from meterweave.registry.entered.amount import amount_text, rolls_over
from meterweave.registry.entered.entry import Entry, Kept
from meterweave.registry.entered.roll import MeterFacts, Presence, chunks
from meterweave.registry.importing.column import write_instant
from meterweave.registry.importing.finding import NOTES
from meterweave.registry.importing.report import Action
from meterweave.registry.models import EnteredReading
from meterweave.text import Text

LOOKED_BACK = timedelta(days=400)
"""How far before the first reading entered the book is read: long enough to know what a meter uses in a year."""

FAR_ABOVE = 5
"""So many times what a meter used before, by the day, is far above the usual."""

_USUAL_MIN = timedelta(days=20)  # a shorter time says little about what is usual
_MICROSECOND = timedelta(microseconds=1)


class Remark(NamedTuple):
    """Something to know about a reading that is entered."""

    code: str  # of `meterweave.registry.importing.finding.CODES`
    text: Text
    column: str = "value"  # of a file: which cell it is about

    @property
    def is_problem(self) -> bool:
        """Whether it stands against the reading."""
        return self.code not in NOTES


class Verdict(NamedTuple):
    """What becomes of an entry."""

    entry: Entry
    action: Action
    remarks: tuple[Remark, ...]
    before: Kept | None  # what was entered for that instant until now

    @property
    def ok(self) -> bool:
        """Whether nothing stands against it."""
        return not any(one.is_problem for one in self.remarks)


class Point(NamedTuple):
    """Where a register was seen to stand."""

    ts: datetime
    value: int


Key = tuple[int, int]
"""A register: meter and quantity."""

Neighbours = Callable[[Sequence[tuple[int, int, datetime]], datetime | None], Mapping[Key, Sequence[Point]]]
"""Asks for readings that came in otherwise, about an instant: of (meter, quantity, instant) each, and since when."""


class Book:
    """The readings entered of some meters, the newest revision of each.

    Parameters
    ----------
    meters : mapping
        Those of which there will be entries, by id.
    since : datetime or None
        The earliest instant of an entry. None: whatever was entered of the meters counts, however long ago.
    others : mapping, optional
        Readings of the same meters that came in otherwise, to compare with.
    zone : ZoneInfo
        In which times are told.
    """

    def __init__(
        self,
        session: Session,
        meters: Mapping[int, MeterFacts],
        since: datetime | None,
        others: Mapping[Key, Sequence[Point]] | None = None,
        zone: ZoneInfo = SHANGHAI,
    ) -> None:
        self._session, self._meters, self._zone = session, meters, zone
        self._presence = Presence(session, meters)
        self._others = others or {}
        self._kept: dict[tuple[int, int, datetime], Kept] = {}
        recent = () if since is None else (EnteredReading.ts >= since - LOOKED_BACK,)
        for some in chunks(meters):
            wanted = (EnteredReading.meter_id.in_(some), *recent)
            for kept in newest(session.execute(select(*COLUMNS).where(*wanted))):
                self._kept[kept.entry.key] = kept

    def judge(
        self, entries: Sequence[Entry], *, now: datetime, correct: bool = False, act: bool = False
    ) -> list[Verdict]:
        """What becomes of each entry, all of them looked at together; nothing is written.

        Parameters
        ----------
        entries : sequence of Entry
            No two with the same key.
        now : datetime
            Nothing was read after this instant.
        correct : bool
            Whether another value takes the place of the one that was entered.
        act : bool
            Whether the meters come or go: a reading of the same value that is there already will do, whoever read it.
        """
        series = self._series(entries)
        return [
            self._judged(one, series[one.meter, one.quantity], now=now, correct=correct, act=act) for one in entries
        ]

    def write(self, verdicts: Iterable[Verdict], *, entered_by: str, now: datetime) -> list[Kept]:
        """Keep what is new or corrected; all readings of the verdicts, as they now stand in the archives."""
        found: list[Kept] = []
        fresh: list[Kept] = []
        for one in verdicts:
            if one.action is Action.UNCHANGED and one.before is not None:
                found.append(one.before)
                continue
            revision = 0 if one.before is None else one.before.revision + 1
            # What is received later wins in the lake, even where the clock was set back.
            at = now if one.before is None else max(now, one.before.entered_at + _MICROSECOND)
            fresh.append(Kept(0, one.entry, revision, entered_by, at))
        for some in chunks(fresh):
            self._session.execute(insert(EnteredReading), [row_of(one) for one in some])
        return found + fresh

    def _series(self, entries: Iterable[Entry]) -> dict[Key, list[Point]]:
        """Where each register was seen to stand, ascending; estimates prove nothing."""
        stood: defaultdict[Key, dict[datetime, Point]] = defaultdict(dict)
        for key, points in self._others.items():
            stood[key] |= {one.ts: one for one in points}
        stored = (kept.entry for kept in self._kept.values() if not kept.withdrawn)
        for one in (*stored, *entries):
            if one.estimated:
                stood[one.meter, one.quantity].pop(one.ts, None)
            else:
                stood[one.meter, one.quantity][one.ts] = Point(one.ts, one.value)
        return {key: sorted(points.values()) for key, points in stood.items()}

    def _judged(self, entry: Entry, series: Sequence[Point], *, now: datetime, correct: bool, act: bool) -> Verdict:
        before = self._kept.get(entry.key)
        entry = _completed(entry, before)
        if before is not None and not before.withdrawn and _same(entry, before.entry, said=not act):
            return Verdict(before.entry, Action.UNCHANGED, (), before)
        action = Action.CREATED if before is None else Action.CHANGED
        remarks = [*self._impossible(entry, now), *self._against(entry, before, correct=correct, act=act)]
        if not remarks:
            remarks = [*self._differs(entry), *self._odd(entry, series), *self._out_of_place(entry)]
        return Verdict(entry, action, tuple(remarks), before)

    def _impossible(self, entry: Entry, now: datetime) -> Iterator[Remark]:
        quantity, meter = by_code()[entry.quantity], self._meters[entry.meter]
        turn = meter.turn(quantity)
        if entry.ts > now:
            yield Remark(
                "reading.in_future",
                Text(f"{self._said(entry.ts)} is still to come", f"{self._said(entry.ts)}在将来"),
                "time",
            )
        if turn is not None and entry.value >= turn:
            last_digit = 10 ** max(-(meter.register_decimals or 0) - quantity.exponent, 0)
            most = amount_text(turn - last_digit, entry.quantity)
            yield Remark(
                "reading.beyond_register",
                Text(f"the register of {meter.name} shows {most} at most", f"{meter.name}的计数器最大显示{most}"),
            )

    def _differs(self, entry: Entry) -> Iterator[Remark]:
        for one in self._others.get((entry.meter, entry.quantity), ()):
            if one.ts == entry.ts and one.value != entry.value:
                yield self._remark("reading.device_differs", entry, one)

    def _odd(self, entry: Entry, series: Sequence[Point]) -> Iterator[Remark]:
        quantity, meter = by_code()[entry.quantity], self._meters[entry.meter]
        if quantity.kind is not Kind.CUMULATIVE or entry.value < 0:
            return
        place = bisect_left(series, entry.ts, key=attrgetter("ts"))
        later = series[bisect_right(series, entry.ts, key=attrgetter("ts")) :][:1]
        turn = meter.turn(quantity)
        for last in series[:place][-1:]:
            gained = entry.value - last.value
            if gained < 0 and rolls_over(last.value, entry.value, turn):
                gained += turn or 0
                yield self._remark("reading.rolled_over", entry, last)
            if gained < 0:
                yield self._remark("reading.below_last", entry, last)
            elif _far_above(gained, entry.ts - last.ts, series[:place]):
                yield self._remark("reading.unusual", entry, last)
        for one in later:
            if one.value < entry.value and not rolls_over(entry.value, one.value, turn):
                yield self._remark("reading.above_next", entry, one)

    def _out_of_place(self, entry: Entry) -> Iterator[Remark]:
        if self._presence.ever(entry.meter) and not self._presence.holds(entry.meter, entry.ts):
            name = self._meters[entry.meter].name
            yield Remark(
                "reading.not_installed",
                Text(
                    f"{name} was on no usage point at {self._said(entry.ts)}; the reading counts for none",
                    f"{name}在{self._said(entry.ts)}未安装，读数不计入任何用电点",
                ),
                "time",
            )

    def _against(self, entry: Entry, before: Kept | None, *, correct: bool, act: bool) -> Iterator[Remark]:
        if before is None:
            return
        how = _BY_READING if act else _BY_OPTION
        old = before.entry
        value, when = amount_text(old.value, old.quantity), self._said(old.ts)
        if entry.estimated and not old.estimated and not before.withdrawn:
            yield Remark(
                "reading.only_estimated",
                Text(
                    f"{value} was read at {when}; an estimate cannot take its place",
                    f"{when}已有实抄值{value}，估算值不能替代",
                ),
                "estimated",
            )
        elif before.withdrawn and not correct:
            yield Remark(
                "reading.withdrawn",
                Text(
                    f"{value} at {when} was taken back by {before.entered_by}; what takes its place is entered as a "
                    f"correction ({how})",
                    f"{when}的{value}已由{before.entered_by}撤回；如需重新录入请使用{how}",
                ),
            )
        elif not correct:
            told = " ".join(part for part in (value, old.reader, old.photo, old.note) if part)
            yield Remark(
                "reading.other_value",
                Text(
                    f"{told} was entered for {when} by {before.entered_by}; what takes its place is entered as a "
                    f"correction ({how})",
                    f"{when}已由{before.entered_by}录入{told}；如需更正请使用{how}",
                ),
            )

    def _remark(self, code: str, entry: Entry, other: Point) -> Remark:
        told = {
            "own": amount_text(entry.value, entry.quantity),
            "other": amount_text(other.value, entry.quantity),
            "when": self._said(other.ts),
            "times": FAR_ABOVE,
        }
        return Remark(code, Text(*(words.format(**told) for words in _ODD[code])))

    def _said(self, ts: datetime) -> str:
        return write_instant("en", ts, self._zone)


COLUMNS: tuple[Any, ...] = tuple(getattr(EnteredReading, column.key) for column in EnteredReading.__table__.columns)
"""Every column of `entered_readings`, to select."""


def newest(rows: Iterable[Any]) -> Iterator[Kept]:
    """The newest revision of each reading among whole rows of `entered_readings`."""
    found: dict[tuple[int, int, datetime], Any] = {}
    for row in rows:
        key = (row.meter_id, row.quantity, row.ts)
        if key not in found or found[key].revision < row.revision:
            found[key] = row
    return (kept_of(row) for row in found.values())


def kept_of(row: Any) -> Kept:
    """A row of `entered_readings`."""
    entry = Entry(
        row.meter_id, row.quantity, row.ts, row.value, row.estimated, row.purpose, row.reader, row.photo, row.note
    )
    return Kept(row.id, entry, row.revision, row.entered_by, row.entered_at, row.withdrawn)


def row_of(kept: Kept) -> dict[str, Any]:
    """The values of a row of `entered_readings`, without its id."""
    entry = kept.entry
    return {
        "meter_id": entry.meter,
        "quantity": entry.quantity,
        "ts": entry.ts,
        "revision": kept.revision,
        "value": entry.value,
        "estimated": entry.estimated,
        "purpose": entry.purpose,
        "reader": entry.reader or "",
        "photo": entry.photo or None,
        "note": entry.note or "",
        "withdrawn": kept.withdrawn,
        "entered_by": kept.entered_by,
        "entered_at": kept.entered_at,
    }


def _completed(entry: Entry, before: Kept | None) -> Entry:
    """`entry` with what it does not say as it was; the purpose of a reading stays.

    Of a reading that was taken back nothing else does: who read the wrong meter, and why it was wrong, is past.
    """
    if before is None:
        return entry
    old = before.entry
    if before.withdrawn:
        return entry._replace(purpose=old.purpose)
    return entry._replace(
        purpose=old.purpose,
        reader=old.reader if entry.reader is None else entry.reader,
        photo=old.photo if entry.photo is None else entry.photo,
        note=old.note if entry.note is None else entry.note,
    )


def _same(entry: Entry, old: Entry, *, said: bool) -> bool:
    """Whether both are the same reading, and as `said` wants it, whether the same is said about them."""
    if (entry.value, entry.estimated) != (old.value, old.estimated):
        return False
    pairs = ((entry.reader, old.reader), (entry.photo, old.photo), (entry.note, old.note))
    return not said or all((one or "") == (other or "") for one, other in pairs)


def _far_above(gained: int, span: timedelta, earlier: Sequence[Point]) -> bool:
    """Whether that much in that time is far above what was used from the first of `earlier` to the last."""
    used, time = earlier[-1].value - earlier[0].value, earlier[-1].ts - earlier[0].ts
    return (
        time >= _USUAL_MIN and used > 0 and gained * (time // _MICROSECOND) > FAR_ABOVE * used * (span // _MICROSECOND)
    )


_BY_OPTION, _BY_READING = "--correct", "meterweave reading add ... --correct"  # how a correction is entered

_ODD = {
    "reading.device_differs": Text(
        "the meter itself said {other} at {when}, which counts before {own}",
        "表计自身在{when}上报{other}，以其为准，而非{own}",
    ),
    "reading.rolled_over": Text(
        "{own} after {other} at {when}: the register is taken to have rolled over",
        "{when}为{other}，本次{own}，按计数器翻转处理",
    ),
    "reading.below_last": Text("{own} is less than {other} at {when}", "{own}小于{when}的{other}"),
    "reading.above_next": Text("{own} is more than {other} later, at {when}", "{own}大于其后{when}的{other}"),
    "reading.unusual": Text(
        "{own} after {other} at {when} is more than {times} times what was used before in such a time",
        "{when}为{other}，本次{own}，用量超过以往同样时长的{times}倍",
    ),
}
