"""A terminal that was entered into the archives gets its meters, tasks and the time when it first calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from meterweave.headend.collection.plan import MeterKind, Plan
from meterweave.headend.operations import Operation, SetClock, SyncArchives, SyncTasks, Task
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Enrolment


def may_commission(enrolled_by: Enrolment, meters: Sequence[MeterEntry]) -> bool:
    """Whether the archives know what the terminal should have; else they would wipe out what it has."""
    return enrolled_by is not Enrolment.AUTOMATIC and bool(meters)


def tasks_of(plans: Iterable[Plan], meters: Sequence[MeterEntry]) -> tuple[Task, ...]:
    """What a terminal with these meters is to collect and report, for the plans that cover it."""
    kinds = {MeterKind(meter.utility, meter.wiring, meter.phase, meter.tariff_count) for meter in meters}
    found = []
    for plan in plans:
        wanted = {code for kind in kinds for code in plan.wanted(kind)}
        if plan.enabled and wanted:
            in_order = tuple(code for code in plan.quantities if code in wanted)
            found.append(Task(plan.utility, plan.profile, plan.period_s, in_order))
    return tuple(found)


def steps(plans: Iterable[Plan], meters: Sequence[MeterEntry]) -> tuple[Operation, ...]:
    """What to do, in this order: the clock first, since all that is collected carries its time."""
    entries = tuple(meters)
    return (SetClock(), SyncArchives(entries), SyncTasks(tasks_of(plans, entries), entries))
