"""Where the meters of a file hang, and since when: against the install history, and on their way into it.

A row may name a usage point, a date, or both; without a usage point the one where the meter hangs is meant, or one of
its own. What a row says is one act: the meter is installed, moved, or its running installation gets another date. All
acts of a file are looked at together, so that meters may follow one another onto a point in any order of their rows.
The rules are those of `registry.installation`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import bindparam, update

from meterweave.registry.importing.column import write_instant
from meterweave.registry.importing.reconcile import Reconciler, Target, chunks, row_id
from meterweave.registry.importing.report import USAGE_POINTS, Action, Outcome
from meterweave.registry.installation import RULES
from meterweave.registry.models import Installation, Meter, UsagePoint
from meterweave.text import Text

COLUMNS = frozenset({"usage_point", "installed"})
"""The columns of a file that say it."""

_SPAN = (
    Installation.id,
    Installation.meter_id,
    Installation.usage_point_id,
    Installation.utility,
    Installation.installed_at,
    Installation.removed_at,
)


class Claim(NamedTuple):
    """A row that says where its meter hangs or since when."""

    target: Target
    own_code: str  # the usage point that is the meter's own, if no other is known
    district_id: int | None  # of the terminal; a usage point that is made lies there


class _Span(NamedTuple):
    """A stored installation."""

    id: int
    meter: int
    point: int
    utility: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Act:
    """What a row changes in the history."""

    claim: Claim
    code: str  # of the usage point where the meter will be
    since: datetime
    moves: bool  # off the usage point where it is
    running: _Span | None  # the stored installation of the meter that has no end

    @property
    def begins(self) -> bool:
        """Whether there will be one more installation; else the running one gets another date."""
        return self.moves or self.running is None


class Installations:
    """The claims of one table.

    Parameters
    ----------
    reconciler : Reconciler
        Of the meters; it is told what is wrong with a row.
    claims : sequence of Claim
        In the order of the file; the targets know their stored rows.
    """

    def __init__(self, reconciler: Reconciler, claims: Sequence[Claim]) -> None:
        self._tell = reconciler
        self._work = reconciler.work
        self._claims = claims
        self._targets = {row_id(one.target): one.target for one in claims if one.target.stored is not None}
        self._acts: dict[int, _Act] = {}  # by the identity of the target
        self._load()

    def check(self) -> None:
        """See what each row changes, and what stands against it."""
        for claim in self._claims:
            act = self._planned(claim) if claim.target.sound else None
            if act is not None:
                self._acts[id(claim.target)] = act
        self._check_points()

    def concerns(self, target: Target) -> bool:
        """Whether the history of the target's meter changes."""
        return target.sound and id(target) in self._acts

    def changes(self, target: Target) -> Mapping[str, tuple[Any, Any]]:
        """Usage point and date of the running installation, where they change: old and new, as in a file."""
        if not self.concerns(target):
            return {}
        act = self._acts[id(target)]
        old_code, old_since = (self._codes[act.running.point], _said(act.running.since)) if act.running else ("", "")
        point = {"usage_point_id": (old_code, act.code)} if act.begins else {}
        return {**point, "installed_at": (old_since, _said(act.since))}

    def write(self, meters: Mapping[Hashable, int]) -> Set[int | None]:
        """Write what changes, unless the file is refused anyway; the terminals of the meters concerned.

        Parameters
        ----------
        meters : mapping
            The id of each new meter by the identity of its target.
        """
        acts = [act for act in self._acts.values() if act.claim.target.sound]
        new_points = self._new_points(acts)
        # A row at fault may be the one that makes room for another.
        if not self._work.findings.problems:
            self._write_points(new_points)
            self._update_running([act for act in acts if act.moves], "removed_at")
            self._update_running([act for act in acts if not act.begins], "installed_at")
            self._begin([act for act in acts if act.begins], meters)
        return {act.claim.target.final("terminal_id") for act in acts}

    def _load(self) -> None:
        """The points that are named, all that ever was on them, and where the meters ever were."""
        asked = self._tell.asked
        columns = (UsagePoint.id, UsagePoint.code)
        named = {one.target.draft.values.get("usage_point", one.own_code) for one in self._claims}
        self._codes: dict[int, str] = dict(asked(UsagePoint.code, named, columns))
        self._of_meter = _grouped(map(_Span._make, asked(Installation.meter_id, self._targets, _SPAN)), "meter")
        others = {span.point for spans in self._of_meter.values() for span in spans} - self._codes.keys()
        self._codes |= dict(asked(UsagePoint.id, others, columns))
        self._points = {code: found for found, code in self._codes.items()}
        self._on_point = _grouped(map(_Span._make, asked(Installation.usage_point_id, self._codes, _SPAN)), "point")
        strangers = {span.meter for spans in self._on_point.values() for span in spans} - self._targets.keys()
        rows = asked(Meter.id, strangers, (Meter.id, Meter.protocol, Meter.address))
        self._names = {meter: f"{protocol} {address}" for meter, protocol, address in rows}
        self._names |= {meter: target.name for meter, target in self._targets.items()}

    def _planned(self, claim: Claim) -> _Act | None:
        """What the row changes; None: nothing, or its meter's own history stands against it."""
        target, values = claim.target, claim.target.draft.values
        spans = self._of_meter[row_id(target)] if target.stored is not None else []
        running = next((span for span in spans if span.until is None), None)
        here = self._codes[running.point] if running is not None else None
        code = values.get("usage_point", here or claim.own_code)
        moves = running is not None and code != here
        if running is not None and not moves and values.get("installed", running.since) == running.since:
            return None
        if running is not None and moves and "installed" not in values:
            self._fault_undated(target, running, code)
            return None
        act = _Act(claim, code, values.get("installed", self._work.now), moves, running)
        return act if self._fits_history(act, spans) else None

    def _fits_history(self, act: _Act, spans: Sequence[_Span]) -> bool:
        target = act.claim.target
        if act.running is not None and act.moves and act.since <= act.running.since:
            self._fault_early(act, act.running)
            return False
        for span in spans:
            if span.until is not None and span.until > act.since:
                self._fault_taken(target, span, span.until, "history.meter_elsewhere")
                return False
        return True

    def _check_points(self) -> None:
        """No two meters of a utility on a point, by what the file says and by what stays as it is stored."""
        leaves = {act.running.id: act for act in self._acts.values() if act.running is not None and act.moves}
        first: dict[tuple[str, str], _Act] = {}
        for act in self._acts.values():
            target = act.claim.target
            key = (act.code, target.final("utility"))
            if self._stays_in_the_way(act, leaves):
                continue
            if act.begins and (other := first.setdefault(key, act)) is not act:
                self._fault_twice(target, other)

    def _stays_in_the_way(self, act: _Act, leaves: Mapping[int, _Act]) -> bool:
        """Whether a stored meter is on the point after the act, and a fault is told of it."""
        target = act.claim.target
        own = row_id(target) if target.stored is not None else None
        for span in self._on_point[self._points.get(act.code, 0)]:
            if span.meter == own or span.utility != target.final("utility"):
                continue
            leaving, holder = leaves.get(span.id), self._targets.get(span.meter)
            until = span.until if leaving is None else leaving.since
            if until is None and holder is not None and not holder.sound:
                continue  # it has been told of, and may have meant to make room
            if until is None:
                self._fault_occupied(target, span)
            elif until > act.since:
                self._fault_taken(target, span, until, "history.point_occupied")
            if not target.sound:
                return True
        return False

    def _new_points(self, acts: Sequence[_Act]) -> dict[str, int | None]:
        """The districts of the usage points to make, by code; counted and told."""
        found: dict[str, int | None] = {}
        for act in acts:
            if act.code in self._points:
                continue
            if act.code not in found:
                row = act.claim.target.draft.row.number
                sheet = self._tell.table.name
                self._work.counts[USAGE_POINTS, Action.CREATED] += 1
                self._work.outcomes.append(Outcome(USAGE_POINTS, sheet, row, Action.CREATED, act.code))
            found[act.code] = found.get(act.code) or act.claim.district_id
        return found

    def _write_points(self, districts: Mapping[str, int | None]) -> None:
        table: Any = UsagePoint.__table__
        for some in chunks(districts.items()):
            rows = [{"code": code, "name": "", "district_id": district} for code, district in some]
            self._work.session.connection().execute(table.insert(), rows)
        self._points |= dict(self._tell.asked(UsagePoint.code, districts, (UsagePoint.code, UsagePoint.id)))

    def _update_running(self, acts: Sequence[_Act], column: str) -> None:
        table: Any = Installation.__table__
        statement = update(table).where(table.c.id == bindparam("row_id")).values({column: bindparam("at")})
        for some in chunks(acts):
            rows = [{"row_id": act.running.id, "at": act.since} for act in some if act.running is not None]
            self._work.session.connection().execute(statement, rows)

    def _begin(self, acts: Sequence[_Act], meters: Mapping[Hashable, int]) -> None:
        table: Any = Installation.__table__
        for some in chunks(acts):
            rows = [
                {
                    "meter_id": _meter(act.claim.target, meters),
                    "usage_point_id": self._points[act.code],
                    "utility": act.claim.target.final("utility"),
                    "installed_at": act.since,
                    "removed_at": None,
                }
                for act in some
            ]
            self._work.session.connection().execute(table.insert(), rows)

    def _fault(self, target: Target, code: str, text: Text, *columns: str) -> None:
        """A problem with a row, at the first of these columns that the file has."""
        headers = self._tell.table.headers
        self._tell.fault(target, code, text, next((one for one in columns if one in headers), ""))

    def _fault_undated(self, target: Target, running: _Span, code: str) -> None:
        here, since = self._codes[running.point], _said(running.since)
        self._fault(
            target,
            "import.missing",
            Text(
                f"{target.name} has been on usage point {here} since {since}; a move to {code} needs the date in "
                "'installed'",
                f"{target.name}自{since}装在用电点{here}；移至{code}必须填写安装日期",
            ),
            "installed",
            "usage_point",
        )

    def _fault_early(self, act: _Act, running: _Span) -> None:
        target, here, since = act.claim.target, self._codes[running.point], _said(running.since)
        rule = RULES["history.removed_before_installed"]
        self._fault(
            target,
            "import.conflict",
            Text(
                f"{target.name} has been on usage point {here} since {since}, it cannot be moved to {act.code} at "
                f"{_said(act.since)}: {rule.en}",
                f"{target.name}自{since}装在用电点{here}，不能于{_said(act.since)}移至{act.code}：{rule.zh}",
            ),
            "installed",
        )

    def _fault_taken(self, target: Target, span: _Span, until: datetime, code: str) -> None:
        """Some installation ends only after the one that the row wants begins."""
        name, point, rule = self._names[span.meter], self._codes[span.point], RULES[code]
        self._fault(
            target,
            "import.conflict",
            Text(
                f"meter {name} is on usage point {point} from {_said(span.since)} until {_said(until)}: {rule.en}",
                f"表{name}自{_said(span.since)}至{_said(until)}装在用电点{point}：{rule.zh}",
            ),
            "installed",
            "usage_point",
        )

    def _fault_occupied(self, target: Target, span: _Span) -> None:
        name, point, rule = self._names[span.meter], self._codes[span.point], RULES["history.point_occupied"]
        self._fault(
            target,
            "import.conflict",
            Text(
                f"meter {name} has been on usage point {point} since {_said(span.since)}: {rule.en}; to exchange it, "
                "let the file say where that meter went and when",
                f"表{name}自{_said(span.since)}装在用电点{point}：{rule.zh}；换表时请在同一文件中填写旧表的去向和日期",
            ),
            "usage_point",
            "installed",
        )

    def _fault_twice(self, target: Target, other: _Act) -> None:
        row, rule = other.claim.target.draft.row.number, RULES["history.point_occupied"]
        self._fault(
            target,
            "import.duplicate",
            Text(
                f"row {row} puts {other.claim.target.name} on usage point {other.code}: {rule.en}",
                f"第{row}行的{other.claim.target.name}也装在用电点{other.code}：{rule.zh}",
            ),
            "usage_point",
            "installed",
        )


def _grouped(spans: Iterable[_Span], by: str) -> defaultdict[int, list[_Span]]:
    """The spans of each meter or point, oldest first."""
    found = defaultdict[int, list[_Span]](list)
    for span in sorted(spans, key=attrgetter("since")):
        found[getattr(span, by)].append(span)
    return found


def _meter(target: Target, new: Mapping[Hashable, int]) -> int:
    return new[target.identity] if target.stored is None else row_id(target)


def _said(moment: datetime) -> str:
    """An instant as it stands in a file."""
    return write_instant("en", moment)
