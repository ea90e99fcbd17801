"""Collection plans: what they ask of which meters, and how they are read and changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.errors import ConfigError
from meterweave.metering.batch import Profile
from meterweave.metering.quantities import Quantity, by_code, obis_code, quantities
from meterweave.registry.collection import CollectionPlan, Series
from meterweave.registry.models import Organisation
from meterweave.registry.vocabulary import Phase, Utility, Wiring

CURVE_PERIODS_S = (60, 300, 900, 1800, 3600)
"""The periods a curve may have: what terminals of both protocols can keep, and divides every hour."""

_MIDDLE_PHASE = "l2"


class MeterKind(NamedTuple):
    """What decides which quantities a meter has."""

    utility: Utility
    wiring: Wiring | None
    phase: Phase | None
    tariff_count: int | None


class Plan(NamedTuple):
    """One plan as collection works with it."""

    id: int
    name: str
    utility: Utility
    series: Series
    period_s: int  # of a curve; 0 of freezes
    quantities: tuple[int, ...]  # packed OBIS codes
    deadline_s: int
    memory_days: int
    enabled: bool
    district: int | None  # id; None: all
    organisations: frozenset[int] | None  # ids, those below it among them; None: all

    @property
    def profile(self) -> Profile:
        """As readings have it."""
        return self.series.profile

    def wanted(self, kind: MeterKind) -> tuple[int, ...]:
        """The quantities of the plan that a meter of this kind has."""
        if kind.utility is not self.utility:
            return ()
        known = by_code()
        return tuple(code for code in self.quantities if _has(kind, known[code]))


def _has(kind: MeterKind, quantity: Quantity) -> bool:
    """Whether meters of this kind have the quantity; of those whose wiring is not known, only what every meter has."""
    if quantity.tariff > (kind.tariff_count or 0):
        return False
    three = kind.wiring in (Wiring.THREE_WIRE, Wiring.FOUR_WIRE) or (kind.wiring is None and kind.phase is Phase.ABC)
    if quantity.phase in ("", "l1"):
        return True
    # Three wires: the middle phase is what the voltages of the others are measured against.
    return three and not (kind.wiring is Wiring.THREE_WIRE and quantity.phase == _MIDDLE_PHASE)


def read_plans(session: Session) -> tuple[Plan, ...]:
    """All plans, by id."""
    rows = session.scalars(select(CollectionPlan).order_by(CollectionPlan.id)).all()
    below = _below(session) if any(row.organisation_id is not None for row in rows) else {}
    return tuple(
        Plan(
            row.id,
            row.name,
            row.utility,
            row.series,
            row.period_s,
            tuple(obis_code(obis) for obis in row.quantities.split()),
            row.deadline_s,
            row.memory_days,
            row.enabled,
            row.district_id,
            None if row.organisation_id is None else frozenset(_tree(row.organisation_id, below)),
        )
        for row in rows
    )


def _below(session: Session) -> dict[int | None, list[int]]:
    below: dict[int | None, list[int]] = {}
    for one, parent in session.execute(select(Organisation.id, Organisation.parent_id)):
        below.setdefault(parent, []).append(one)
    return below


def _tree(root: int, below: dict[int | None, list[int]]) -> Iterable[int]:
    found = [root]
    for one in found:  # grows while it is walked; the archives let no circle in
        found += below.get(one, ())
    return found


def find_plan(session: Session, name: str) -> CollectionPlan:
    """The plan of this name.

    Raises
    ------
    ConfigError
        If there is none.
    """
    found = session.scalars(select(CollectionPlan).where(CollectionPlan.name == name)).one_or_none()
    if found is None:
        names = ", ".join(session.scalars(select(CollectionPlan.name).order_by(CollectionPlan.name)))
        raise ConfigError(f"no collection plan is called {name!r}; there are {names or 'none'}")
    return found


def check_plan(plan: CollectionPlan) -> None:
    """See that a plan, new or changed, can be followed.

    Raises
    ------
    ConfigError
        If it cannot, with what is wrong and what is wanted.
    """
    if plan.series is Series.CURVE and plan.period_s not in CURVE_PERIODS_S:
        wanted = ", ".join(map(str, CURVE_PERIODS_S))
        raise ConfigError(f"a curve has one of the periods {wanted} s, not {plan.period_s}")
    if plan.series is not Series.CURVE and plan.period_s != 0:
        raise ConfigError(f"a {plan.series.value} plan has the period 0, not {plan.period_s}")
    if not 0 <= plan.deadline_s <= 30 * 86_400:
        raise ConfigError(f"the deadline is 0 to 30 days in seconds, not {plan.deadline_s}")
    if not 1 <= plan.memory_days <= 3660:
        raise ConfigError(f"the memory is 1 to 3660 days, not {plan.memory_days}")
    read_quantities(plan.quantities.split(), plan.utility)


def read_quantities(texts: Sequence[str], utility: Utility) -> tuple[str, ...]:
    """OBIS codes of quantities that are called by OBIS code or by name.

    Raises
    ------
    ConfigError
        If one is not known, belongs to another utility, or none is given.
    """
    by_name = {one.name: one for one in quantities().values()}
    found = []
    for text in texts:
        quantity = quantities().get(text) or by_name.get(text)
        if quantity is None:
            raise ConfigError(f"no quantity is called {text!r}; wanted an OBIS code or a name, such as voltage_l1")
        if quantity.utility not in ("", utility.value):
            raise ConfigError(f"{quantity.name} is a quantity of {quantity.utility}, the plan is for {utility.value}")
        found.append(quantity.obis)
    if not found:
        raise ConfigError("a plan needs at least one quantity")
    return tuple(dict.fromkeys(found))
