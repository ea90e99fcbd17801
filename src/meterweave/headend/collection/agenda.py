"""What to look at next: counted again first, then the newest days; days that follow each other together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import NamedTuple

_DAY = timedelta(days=1)


class Errand(NamedTuple):
    """Some days of a plan to look at."""

    plan: int  # id
    days: tuple[date, ...]  # ascending, each the day after the one before
    terminals: frozenset[int] | None  # ids; None: all


class Agenda:
    """What is to be looked at; adding the same twice is adding it once."""

    def __init__(self) -> None:
        self._some: dict[int, dict[date, set[int]]] = {}
        self._all: dict[int, set[date]] = {}

    def __bool__(self) -> bool:
        return bool(self._some or self._all)

    @property
    def whole(self) -> bool:
        """Whether days of all terminals are still to be looked at."""
        return bool(self._all)

    def add(self, plan: int, day: date, terminals: Iterable[int] | None) -> None:
        """Look at a day of a plan; of these terminals (ids), or of all."""
        if terminals is None:
            self._all.setdefault(plan, set()).add(day)
        elif day not in self._all.get(plan, ()):
            self._some.setdefault(plan, {}).setdefault(day, set()).update(terminals)

    def take(self, days_max: Callable[[int], int]) -> Errand | None:
        """The next errand; it is not given again.

        Parameters
        ----------
        days_max : callable
            How many days of a plan, by its id, one errand of all terminals may hold.
        """
        if self._some:
            plan = max(self._some, key=lambda one: max(self._some[one]))
            of_plan = self._some[plan]
            days, terminals = _alike(of_plan, _run(of_plan, days_max(plan)))
            for day in days:
                del of_plan[day]
            if not of_plan:
                del self._some[plan]
            return Errand(plan, days, terminals)
        if self._all:
            plan = max(self._all, key=lambda one: max(self._all[one]))
            days = _run(self._all[plan], days_max(plan))
            self._all[plan].difference_update(days)
            if not self._all[plan]:
                del self._all[plan]
            return Errand(plan, days, None)
        return None

    def forget(self, is_kept: Callable[[int, date], bool]) -> None:
        """Leave out what need not be looked at any more."""
        for plan, of_plan in list(self._some.items()):
            kept = {day: some for day, some in of_plan.items() if is_kept(plan, day)}
            self._some[plan] = kept
            if not kept:
                del self._some[plan]
        for plan, days in list(self._all.items()):
            self._all[plan] = {day for day in days if is_kept(plan, day)}
            if not self._all[plan]:
                del self._all[plan]


def _alike(of_plan: dict[date, set[int]], run: tuple[date, ...]) -> tuple[tuple[date, ...], frozenset[int]]:
    """The newest days of a run that are worth one look together, and all their terminals.

    A look at many days looks at every terminal on each of them, which must not be more than twice what is wanted.
    """
    terminals = set(of_plan[run[-1]])
    wanted = len(terminals)
    first = len(run) - 1
    while first:
        more = of_plan[run[first - 1]]
        wanted += len(more)
        if (len(run) - first + 1) * len(terminals | more) > 2 * wanted:
            break
        terminals |= more
        first -= 1
    return run[first:], frozenset(terminals)


def _run(days: Iterable[date], count_max: int) -> tuple[date, ...]:
    """The newest day and those before it without a break, ascending."""
    known = set(days)
    run = [max(known)]
    while len(run) < count_max and (before := run[-1] - _DAY) in known:
        run.append(before)
    return tuple(reversed(run))
