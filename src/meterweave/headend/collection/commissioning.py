"""A terminal that was entered into the archives gets its meters, tasks and the time when it first calls.

How often that was begun, and when it was done, is written with the terminal, so that it does not end with a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from meterweave.headend.collection.plan import MeterKind, Plan, read_plans
from meterweave.headend.operations import Operation, SetClock, SyncArchives, SyncTasks, Task
from meterweave.registry.meter_entries import MeterEntry, meters_on
from meterweave.registry.models import Terminal, TransformerDistrict
from meterweave.registry.vocabulary import Enrolment


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


def planned_tasks(session: Session, terminal: int) -> tuple[Task, ...]:
    """What the collection plans that cover a terminal (id) want it to collect and report."""
    where = select(Terminal.district_id, TransformerDistrict.organisation_id)
    joined = where.outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
    district, organisation = session.execute(joined.where(Terminal.id == terminal)).one()
    plans = [
        plan
        for plan in read_plans(session)
        if plan.district in (None, district) and (plan.organisations is None or organisation in plan.organisations)
    ]
    return tasks_of(plans, meters_on(session, [terminal]).get(terminal, ()))


def begin(session: Session, terminal: int, tries_max: int) -> tuple[Operation, ...]:
    """What to do with a terminal that is not commissioned yet, in this order; counted as a try. Changes the archives.

    The clock comes first, since all that is collected carries its time. Nothing is to be done with a terminal that
    took itself in, or has no meters: what the archives know of it would wipe out what it has. Where no plan wants
    anything of it, its tasks are left alone for the same reason.
    """
    known = select(Terminal.enrolled_by, Terminal.commissioned_at, Terminal.commission_tries)
    row = session.execute(known.where(Terminal.id == terminal)).one_or_none()
    meters = tuple(meters_on(session, [terminal]).get(terminal, ()))
    if row is None or row.enrolled_by is Enrolment.AUTOMATIC or not meters:
        return ()
    if row.commissioned_at is not None or row.commission_tries >= tries_max:
        return ()
    session.connection().execute(
        update(Terminal).where(Terminal.id == terminal).values(commission_tries=row.commission_tries + 1)
    )
    tasks = planned_tasks(session, terminal)
    return (SetClock(), SyncArchives(meters), *([SyncTasks(tasks, meters)] if tasks else ()))


def finish(session: Session, terminal: int, at: datetime) -> None:
    """The terminal did all of it. Changes the archives."""
    session.connection().execute(update(Terminal).where(Terminal.id == terminal).values(commissioned_at=at))


def unfinished(session: Session, tries_max: int) -> set[int]:
    """The terminals (ids) with which it was begun, and not brought to an end, and is to be tried again."""
    tries = Terminal.commission_tries
    wanted = (tries > 0, tries < tries_max, Terminal.commissioned_at.is_(None))
    return set(session.scalars(select(Terminal.id).where(*wanted)))
