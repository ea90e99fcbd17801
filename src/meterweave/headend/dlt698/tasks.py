"""A terminal's tasks made the centre's: read, compared, mended, read again (6012, 6014, 601C; Annex A.7).

Ordinary and report schemes and their tasks are the centre's alone; those for events, transparent frames and scripts
are left as they are. What stops goes first, tasks before the schemes they run; what is new goes the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from meterweave.headend.dlt698.archives import act
from meterweave.headend.dlt698.line import SUCCESS, Line, Talk, TalkEndedError, refused
from meterweave.headend.dlt698.literals import array, u8
from meterweave.headend.dlt698.task_units import (
    ORDINARY,
    REPORT,
    REPORT_SCHEMES,
    SCHEMES,
    TASK_TABLE,
    TASKS_MAX,
    units_of,
)
from meterweave.headend.operations import Done, Outcome, Refused, SyncTasks, Unknown
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.text import Text

ADD_METHOD, DELETE_METHOD = 127, 128
MEMBERS_AT_ONCE = 4
"""Members in one request to add: about 600 octets."""

TOO_MANY = Refused(Text(f"a terminal takes at most {TASKS_MAX} tasks", f"终端最多{TASKS_MAX}个任务"))
NOTHING = Refused(Text("the protocol carries none of these tasks", "规约不支持这些任务"))
DIFFERENT = Refused(Text("the terminal's tasks still differ after they were set", "设置后终端任务仍不一致"))

_KIND, _PRIORITY = 2, 7  # members of a task


class _Table(NamedTuple):
    """One table as it should be and as it is, members by number."""

    oi: int
    wanted: Mapping[int, Data]
    here: Mapping[int, Data]

    @property
    def missing(self) -> list[Data]:
        """What is not there, or is different there."""
        return [one for number, one in self.wanted.items() if self.here.get(number) != one]

    @property
    def excess(self) -> list[int]:
        """Numbers of what should not be there."""
        return sorted(self.here.keys() - self.wanted.keys())


def sync_tasks(line: Line, wanted: SyncTasks) -> Talk[Outcome]:
    """Make the tasks these; `Done.facts` has how many members of tables were ``added`` and ``deleted``."""
    if len(wanted.tasks) > TASKS_MAX:
        return TOO_MANY
    utilities = frozenset(meter.utility for meter in wanted.meters)
    tasks = [task for task in wanted.tasks if task.utility in utilities]
    here = yield from _read_all(line)
    taken = {number for number, task in here[TASK_TABLE].items() if not _ours(task)}
    units = units_of(tasks, utilities, taken)
    if tasks and not units.tasks:
        return NOTHING
    goal = {SCHEMES: units.schemes, REPORT_SCHEMES: units.report_schemes, TASK_TABLE: units.tasks}
    tables = _compared(goal, here)
    for table in reversed(tables):
        if table.excess:
            numbers = array([u8(number) for number in table.excess])
            yield from act(line, ((table.oi << 16 | DELETE_METHOD << 8, numbers),))
    for table in tables:
        for at in range(0, len(table.missing), MEMBERS_AT_ONCE):
            members = array(table.missing[at : at + MEMBERS_AT_ONCE])
            yield from act(line, ((table.oi << 16 | ADD_METHOD << 8, members),))
    facts = {"added": sum(len(one.missing) for one in tables), "deleted": sum(len(one.excess) for one in tables)}
    if any(facts.values()):
        here = yield from _read_all(line)
        if any(one.missing or one.excess for one in _compared(goal, here)):
            return DIFFERENT
    return Done(facts)


def _read_all(line: Line) -> Talk[Mapping[int, Mapping[int, Data]]]:
    """The members of the three tables."""
    found = {}
    for oi in (SCHEMES, REPORT_SCHEMES, TASK_TABLE):
        (result,) = yield from line.attributes((oi << 16 | 0x0200,))
        if result.data is None and result.dar != SUCCESS:
            raise TalkEndedError(refused(result.dar))
        found[oi] = _members(result.data)
    return found


def _compared(goal: Mapping[int, Mapping[int, Data]], here: Mapping[int, Mapping[int, Data]]) -> list[_Table]:
    return [
        _Table(oi, wanted, {number: one for number, one in here[oi].items() if oi != TASK_TABLE or _ours(one)})
        for oi, wanted in goal.items()
    ]


def _members(data: Data | None) -> Mapping[int, Data]:
    """The members of a table by their numbers; some terminals send an enum for the priority of a task."""
    if data is None or data[0] == Tag.NULL:
        return {}
    tag, elements = data
    found: dict[int, Data] = {}
    for one in elements if tag == Tag.ARRAY else (data,):
        if one[0] != Tag.STRUCTURE or not one[1] or one[1][0][0] != Tag.UNSIGNED:
            raise TalkEndedError(Unknown(Text("the terminal's tasks cannot be understood", "终端任务无法解析")))
        found[one[1][0][1]] = _usual(one)
    return found


def _usual(member: Data) -> Data:
    """A member with the priority of a task as an unsigned."""
    tag, parts = member
    if len(parts) <= _PRIORITY or parts[_PRIORITY][0] != Tag.ENUM:
        return member
    return tag, (*parts[:_PRIORITY], u8(parts[_PRIORITY][1]), *parts[_PRIORITY + 1 :])


def _ours(task: Data) -> bool:
    """Whether a task collects readings or reports them."""
    parts = task[1]
    return len(parts) > _KIND and parts[_KIND][1] in {ORDINARY, REPORT}
