"""A terminal's list of meters made the centre's: object 6000, read, compared, mended, read again (Annex A.7).

Lines are told apart by their configuration number, which is the measuring point of the archives where they have one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from meterweave.headend.dlt698.archive_unit import NUMBER_MAX, Listed, read_unit, unit_data, wanted_unit
from meterweave.headend.dlt698.line import SUCCESS, Line, Talk, TalkEndedError, dar_words, refused
from meterweave.headend.dlt698.literals import NULL, array, u16
from meterweave.headend.dlt698.tally import portions
from meterweave.headend.operations import Done, Outcome, Refusal, Refused, SyncArchives, Unknown
from meterweave.protocols.dlt698 import access, get
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import ResultRecord
from meterweave.protocols.dlt698.selection import RowsBetween
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

LIST, COUNT = 0x6000_0200, 0x6000_0300
UNIT, NUMBER = 0x6001_0200, 0x6001_0201
ADD, DELETE, CLEAR = 0x6000_8000, 0x6000_8300, 0x6000_8600
"""Methods: 128 add many, which replaces lines of the same number; 131 delete by number; 134 clear."""

READ_AT_ONCE = 50
"""Numbers of lines read in one question: about 4 KB."""
WHOLE_MAX = 50
"""Lines up to which the list is read whole."""
ADD_AT_ONCE = 10
"""Lines in one request to add: about 800 octets."""
DELETE_AT_ONCE = 50

TOO_MANY = Refused(Text(f"a terminal has at most {NUMBER_MAX} meters", f"终端最多{NUMBER_MAX}块表"))
DIFFERENT = Text("the terminal's list still differs after it was set", "设置后终端档案仍不一致")


class _Plan(NamedTuple):
    """What to change."""

    add: Sequence[tuple[MeterEntry, Listed]]
    delete: Sequence[int]  # numbers


def sync_archives(line: Line, wanted: SyncArchives) -> Talk[Outcome]:
    """Make the list this one; `Done.facts` has how many lines were ``added`` (or replaced) and ``deleted``."""
    if len(wanted.meters) > NUMBER_MAX:
        return TOO_MANY
    listed = yield from read_list(line)
    plan = _plan(wanted.meters, listed)
    facts: Mapping[str, bool | int | str] = {"added": len(plan.add), "deleted": len(plan.delete)}
    if not plan.add and not plan.delete:
        return Done(facts)
    yield from _delete(line, plan.delete, all_of=len(plan.delete) == len(listed))
    refusals = yield from _add(line, plan.add)
    left = _plan(wanted.meters, (yield from read_list(line)))
    no = {one.meter for one in refusals}
    if left.delete or any(meter.id not in no for meter, _ in left.add):
        return Refused(DIFFERENT)
    return Done({**facts, "added": len(plan.add) - len(refusals)}, tuple(refusals))


# Reading -------------------------------------------------------------------------------------------------------------


def read_list(line: Line) -> Talk[list[Listed]]:
    """All lines; by number where there are many, if the terminal can do that."""
    (counted,) = yield from line.attributes((COUNT,))
    count = counted.data[1] if counted.data and counted.data[0] in {Tag.LONG_UNSIGNED, Tag.UNSIGNED} else 0
    if count > WHOLE_MAX:
        found = yield from _read_by_number(line, count)
        if found is not None:
            return found
    (whole,) = yield from line.attributes((LIST,))
    if whole.data is None:
        raise TalkEndedError(refused(whole.dar))
    tag, elements = whole.data
    return _units(elements if tag == Tag.ARRAY else ())


def _read_by_number(line: Line, count: int) -> Talk[list[Listed] | None]:
    """`count` lines, wherever their numbers are; None where the terminal refuses to be asked so."""
    found: list[Listed] = []
    for first in range(0, NUMBER_MAX + 1, READ_AT_ONCE):
        # The upper end does not belong to it, and there is no number above the greatest.
        rows = RowsBetween(NUMBER, u16(first), u16(min(first + READ_AT_ONCE, NUMBER_MAX)), NULL)
        answer = yield from line.tables(get.GetRequestRecord(0, LIST, rows, (UNIT,)))
        if any(one.dar != SUCCESS for one in answer):
            return None
        found += [one for one in _units(_cells(answer)) if first <= one.number < first + READ_AT_ONCE]
        if len(found) >= count:
            break
    return found


def _cells(answer: Sequence[ResultRecord]) -> Iterator[Data]:
    for result in answer:
        for row in result.rows:
            yield row[0]


def _units(elements: Sequence[Data] | Iterator[Data]) -> list[Listed]:
    found = [read_unit(one) for one in elements]
    if None in found:
        raise TalkEndedError(Unknown(Text("the terminal's list of meters cannot be understood", "终端档案无法解析")))
    return [one for one in found if one is not None]


# Comparing -----------------------------------------------------------------------------------------------------------


def _plan(meters: Sequence[MeterEntry], listed: Sequence[Listed]) -> _Plan:
    numbers = _numbered(meters, listed)
    here = {(one.number, one.key): one for one in listed}
    names = [(numbers[meter.id], meter.address_key) for meter in meters]
    wanted = [(meter, wanted_unit(meter, name[0], here.get(name))) for meter, name in zip(meters, names, strict=True)]
    add = [(meter, unit) for meter, unit in wanted if unit != here.get((unit.number, unit.key))]
    return _Plan(add, sorted({number for number, _ in here.keys() - set(names)}))


def _numbered(meters: Sequence[MeterEntry], listed: Sequence[Listed]) -> Mapping[int, int]:
    """The configuration number of each meter, by its id: of the archives, else the one it has, else a free one."""
    numbers = {meter.id: meter.point_number for meter in meters if meter.point_number is not None}
    taken = set(numbers.values())
    here = {one.key: one.number for one in listed if one.number}
    for meter in meters:
        number = here.get(meter.address_key)
        if meter.id not in numbers and number is not None and number not in taken:
            numbers[meter.id] = number
            taken.add(number)
    free = (number for number in range(1, NUMBER_MAX + 1) if number not in taken)
    for meter in meters:
        if meter.id not in numbers:
            numbers[meter.id] = next(free)
    return numbers


# Changing ------------------------------------------------------------------------------------------------------------


def _delete(line: Line, numbers: Sequence[int], *, all_of: bool) -> Talk[None]:
    if all_of and numbers:
        yield from act(line, ((CLEAR, NULL),))
        return
    for some in portions(numbers, DELETE_AT_ONCE):
        yield from act(line, [(DELETE, u16(number)) for number in some])


def _add(line: Line, lines: Sequence[tuple[MeterEntry, Listed]]) -> Talk[list[Refusal]]:
    """Add lines, some at a time; those of a refused request one by one, to find the one that is not taken."""
    refusals: list[Refusal] = []
    for some in portions(lines, ADD_AT_ONCE):
        dar = yield from _add_some(line, some)
        if dar == SUCCESS:
            continue
        for one in some:
            dar = (yield from _add_some(line, (one,))) if len(some) > 1 else dar
            if dar != SUCCESS:
                refusals.append(Refusal(one[0].id, dar_words(dar)))
    return refusals


def _add_some(line: Line, lines: Sequence[tuple[MeterEntry, Listed]]) -> Talk[int]:
    units = array([unit_data(meter, unit) for meter, unit in lines])
    answer = yield from line.ask(access.ActionRequest(0, ADD, units), access.ActionResponseNormal)
    return answer.dar


def act(line: Line, methods: Sequence[tuple[int, Data]]) -> Talk[None]:
    """Call methods of the terminal that must not fail.

    Raises
    ------
    TalkEndedError
        If one is refused.
    """
    if len(methods) == 1:
        omd, param = methods[0]
        one = yield from line.ask(access.ActionRequest(0, omd, param), access.ActionResponseNormal)
        dars = [one.dar]
    else:
        items = tuple([access.ActionItem(omd, param) for omd, param in methods])
        several = yield from line.ask(access.ActionRequestList(0, items), access.ActionResponseNormalList)
        dars = [result.dar for result in several.results]
    wrong = next((dar for dar in dars if dar != SUCCESS), SUCCESS)
    if wrong != SUCCESS:
        raise TalkEndedError(refused(wrong))
