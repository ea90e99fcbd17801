"""What a terminal reports by itself: tasks of class 2 data (AFN 04H F66), switched by F68; class 1 tasks (F67) are off.

A task names items and measuring points, how often to report, and from when on. A terminal numbers its tasks by
measuring point.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from meterweave.headend.gdw1376.dialogue import NO_ANSWER, Dialogue, Reply, Talk
from meterweave.headend.gdw1376.gathering import NO_ITEM, NO_POINT, own_quantities
from meterweave.headend.operations import Conversation, Done, Refusal, Refused, SyncTasks, Task, Unknown
from meterweave.metering.batch import Profile
from meterweave.protocols.gdw1376.part1 import Unit, build_unit
from meterweave.protocols.gdw1376.part1.catalogue import HISTORY, QUERY, SET
from meterweave.protocols.gdw1376.part1.designator import da_of, dt_of
from meterweave.protocols.gdw1376.part1.sources import items_for
from meterweave.registry.address import GDW_POINT_MAX
from meterweave.text import Text

REPORT, SWITCH_CLASS_1, SWITCH = 66, 67, 68  # F
TASKS_MAX = 64
ITEMS_MAX = 255
"""Pairs of points and items that a task can name; their number is one octet."""
_START, _STOP = 0x55, 0xAA
_FIRST_REPORT = "2020-01-01T00:{minute:02d}:00"
"""From when on tasks report; the minute is how long after a period's end, so that the terminal has read its meters."""
_AFTER_MIN: Mapping[Profile, int] = MappingProxyType({Profile.CURVE: 5, Profile.DAILY: 30, Profile.MONTHLY: 45})
_MINUTES, _HOURS, _DAYS, _MONTHS = 0, 1, 2, 3  # units of the report period
_NUMBER_MAX = 63  # of units of the report period: six bits
_STEP_S = 900  # of the curves to which the extraction factor refers
_BASE_TIME = slice(1, 7)  # octets of a task's data that say from when on

_TOO_MANY = Refused(
    Text(f"more than the {TASKS_MAX} report tasks that a terminal has", f"超过终端可用的{TASKS_MAX}个上报任务")
)


class Plan(NamedTuple):
    """The tasks for a terminal, and the meters that cannot be reported."""

    units: tuple[Unit, ...]  # of AFN 04H, numbered from 1
    refusals: tuple[Refusal, ...]


def sync_tasks(dialogue: Dialogue, wanted: SyncTasks) -> Conversation:
    """Read what there is, set what differs, start these tasks and stop all others, and read it all again."""
    plan = plan_of(wanted)
    if len(plan.units) > TASKS_MAX:
        return _TOO_MANY
    shown = yield from _read(dialogue)
    if shown is None:
        return Unknown(NO_ANSWER)
    commands = changes_of(plan.units, shown)
    for unit in commands:
        reply = yield from dialogue.ask(SET, [unit])
        if reply is None:
            return Unknown(NO_ANSWER)
        if reply.denial is not None:
            return Refused(reply.denial)
    if commands:
        shown = yield from _read(dialogue)
        if shown is None:
            return Unknown(NO_ANSWER)
        if changes_of(plan.units, shown):
            return Refused(Text("the terminal does not show the tasks as they were set", "终端回读的任务与下发不一致"))
    return Done(MappingProxyType({"tasks": len(plan.units), "changed": len(commands)}), plan.refusals)


def plan_of(wanted: SyncTasks) -> Plan:
    """The tasks as a terminal has them; one of several hundred points may be more than one there."""
    units: list[Unit] = []
    refusals: dict[int, Text] = {}
    for task in wanted.tasks:
        points: dict[tuple[int, ...], list[int]] = {}
        for meter in (one for one in wanted.meters if one.utility is task.utility):
            fns = items_for(HISTORY, task.profile, own_quantities(meter, task.quantities))
            if not fns or task.profile not in _AFTER_MIN:
                refusals[meter.id] = NO_ITEM
            elif meter.point_number is None or meter.point_number > GDW_POINT_MAX:
                refusals[meter.id] = NO_POINT
            else:
                points.setdefault(fns, []).append(meter.point_number)
        pairs = [pair for fns, some in points.items() for pair in _pairs(some, fns)]
        for at in range(0, len(pairs), ITEMS_MAX):
            units.append(_unit(len(units) + 1, task, pairs[at : at + ITEMS_MAX]))
    return Plan(tuple(units), tuple(Refusal(meter, reason) for meter, reason in refusals.items()))


def changes_of(units: Sequence[Unit], shown: Mapping[tuple[int, int], bytes]) -> list[Unit]:
    """What has to be set so that the terminal has these tasks running and no others.

    Parameters
    ----------
    shown : mapping
        The data that the terminal has, by item and task.
    """
    found: list[Unit] = []
    running = {1 + number for number in range(len(units))}
    for number, unit in enumerate(units, 1):
        if _essence(shown.get((REPORT, number), b"")) != _essence(unit.data):
            found.append(unit)
        if shown.get((SWITCH, number)) != bytes([_START]):
            found.append(_switch(SWITCH, number, _START))
    for (fn, number), data in shown.items():
        wanted = fn == REPORT or (fn == SWITCH and number in running)
        if not wanted and data == bytes([_START]):
            found.append(_switch(fn, number, _STOP))
    return found


def _essence(data: bytes) -> bytes:
    """A task without its base time, which a terminal may show with a weekday or moved on."""
    return data[: _BASE_TIME.start] + data[_BASE_TIME.stop :]


def _unit(number: int, task: Task, pairs: Sequence[str]) -> Unit:
    unit, value = _period(task)
    values = {
        "report_period.unit_code": str(unit),
        "report_period.value": str(value),
        "base_time": _FIRST_REPORT.format(minute=_AFTER_MIN[task.profile]),
        "curve_factor": str(max(1, task.period_s // _STEP_S)),
        "item_count": str(len(pairs)),
    }
    values |= {f"item[{index}].designation": pair for index, pair in enumerate(pairs)}
    return build_unit(SET, False, [number], [REPORT], values)


def _period(task: Task) -> tuple[int, int]:
    """The report period as its unit and number: that of the curve, a day, or a month."""
    if task.profile is Profile.DAILY:
        return _DAYS, 1
    if task.profile is Profile.MONTHLY:
        return _MONTHS, 1
    minutes = max(1, task.period_s // 60)
    return (_MINUTES, minutes) if minutes < 60 else (_HOURS, min(_NUMBER_MAX, minutes // 60))


def _pairs(points: Iterable[int], fns: Iterable[int]) -> list[str]:
    """DA and DT for every group of eight points and every group of eight items, in hexadecimal."""
    das, dts = ([mask(group) for group in _groups(numbers)] for numbers, mask in ((points, da_of), (fns, dt_of)))
    return [(da | dt << 16).to_bytes(4, "little").hex() for da in das for dt in dts]


def _groups(numbers: Iterable[int]) -> Iterator[list[int]]:
    groups: dict[int, list[int]] = {}
    for number in sorted(numbers):
        groups.setdefault((number - 1) // 8, []).append(number)
    yield from groups.values()


def _switch(fn: int, number: int, state: int) -> Unit:
    return build_unit(SET, False, [number], [fn], {"task_switch": f"0x{state:02X}"})


def _read(dialogue: Dialogue) -> Talk[dict[tuple[int, int], bytes] | None]:
    """The data of all tasks and switches that the terminal shows, by item and task; None: it does not answer."""
    found: dict[tuple[int, int], bytes] = {}
    for fn in (REPORT, SWITCH, SWITCH_CLASS_1):
        for first in range(1, TASKS_MAX, 8):
            numbers = range(first, first + 8)
            reply = yield from dialogue.ask(QUERY, [Unit(da_of([number]), dt_of([fn])) for number in numbers])
            if reply is None:
                return None
            found |= _shown(reply)
    return found


def _shown(reply: Reply) -> dict[tuple[int, int], bytes]:
    """The data of single tasks in an answer; a denial, which says that there are none of these, has none."""
    return {
        (unit.items[0], unit.points[0]): unit.data
        for message, unit in reply.units()
        if message.afn == QUERY and len(unit.points) == len(unit.items) == 1 and isinstance(unit.points[0], int)
    }
