"""Which quantities meters do not have: learned from answers that hold others of the meter, time and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from meterweave.headend.collection.counting import Absent, Look, Pair

_EVIDENCE_MAX = 1_000_000  # pairs; with more, all of it is gathered anew
_NOBODY = Absent.of(())


class Absences:
    """What is taken to be absent, and the evidence for more of it.

    Parameters
    ----------
    after : int
        How many answers without a quantity it takes.
    """

    def __init__(self, after: int) -> None:
        self._after = after
        self._known: dict[int, list[Pair]] = {}  # by plan
        self._columns: dict[int, Absent] = {}
        self._evidence: Counter[tuple[int, Pair]] = Counter()
        self._answers: dict[tuple[int, int, date], frozenset[int]] = {}

    def know(self, known: Mapping[int, list[Pair]]) -> None:
        """This, by plan, is all that was noted."""
        self._known = dict(known)
        self._columns.clear()

    def of_plan(self, plan: int) -> Absent:
        """What is not expected."""
        if plan not in self._known:
            return _NOBODY
        if plan not in self._columns:
            self._columns[plan] = Absent.of(self._known[plan])
        return self._columns[plan]

    def answered(self, plan: int, day: date, terminal: int, refused: frozenset[int]) -> None:
        """A terminal answered all that it was asked of a plan and day, but for the meters `refused` (ids)."""
        self._answers[terminal, plan, day] = refused

    def answers(self, plan: int) -> set[tuple[int, date]]:
        """The terminals and days of which answers came that no look has followed yet."""
        return {(terminal, day) for terminal, of_plan, day in self._answers if of_plan == plan}

    def judge(self, plan: int, seen: Look, asked: Iterable[tuple[int, date]], terminals: set[int]) -> dict[Pair, int]:
        """What is absent by now, with its terminal: as a look shows that followed the answers `asked`.

        Parameters
        ----------
        terminals : set of int
            The ids of those that were looked at.
        """
        refused = {
            (terminal, day): self._answers.pop((terminal, plan, day))
            for terminal, day in asked
            if terminal in terminals and day in seen.days
        }
        if len(self._evidence) > _EVIDENCE_MAX:
            self._evidence.clear()
        noted: dict[Pair, int] = {}
        for terminal, day, pair in seen.lacking:
            if pair.meter not in refused[terminal, day]:
                self._evidence[plan, pair] += 1
                if self._evidence[plan, pair] >= self._after:
                    noted[pair] = terminal
        return noted

    def note(self, plan: int, noted: Iterable[Pair], again: Iterable[Pair]) -> None:
        """It is written that `noted` are absent, and that `again` are not after all."""
        self._known[plan] = sorted((set(self._known.get(plan, ())) | set(noted)) - set(again))
        self._columns.pop(plan, None)
        for pair in noted:
            self._evidence.pop((plan, pair), None)

    def forget(self, is_kept: Callable[[int, date], bool]) -> None:
        """Leave out answers about days that are not looked at any more."""
        self._answers = {key: one for key, one in self._answers.items() if is_kept(key[1], key[2])}
