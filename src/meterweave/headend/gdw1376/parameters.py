"""Parameters of the terminal and its measuring points (AFN 0AH), in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from meterweave.headend.gdw1376.dialogue import NO_ANSWER, Dialogue, Reply
from meterweave.headend.operations import Conversation, Done, ReadParameters, Refused, Unknown
from meterweave.protocols.gdw1376.part1 import Unit, build_unit, unit_values
from meterweave.protocols.gdw1376.part1.catalogue import QUERY
from meterweave.protocols.gdw1376.part1.designator import ITEM_MAX, POINT_MAX, da_of, dt_of
from meterweave.text import Text

USUAL = ("F1", "F3", "F4", "F7", "F8", "F9", "F10")
"""Link, master stations, telephone numbers, own addresses, connection mode, event masks, meters."""
_NAME = re.compile(r"F([0-9]{1,4})(?: p([0-9]{1,4}))?")
_LISTS = (10, 11)  # items whose question names the members it wants
_SECRET = "password"  # what is written down of commands is read by many
_MEMBERS = 32  # of a list that are asked for: those numbered from 1


def read_parameters(dialogue: Dialogue, wanted: ReadParameters) -> Conversation:
    """Ask for one parameter after the other; the fact of one that is denied is the terminal's reason."""
    facts: dict[str, str] = {}
    denial: Text | None = None
    answered = False
    for name in wanted.names or USUAL:
        unit = query(name)
        if unit is None:
            return Refused(
                Text(
                    f"{name!r} is no parameter; wanted F1 to F{ITEM_MAX}, with p1 and so on behind for a point: F25 p3",
                    f"“{name}”不是参数名；应为F1至F{ITEM_MAX}，测量点参数加p，如F25 p3",
                )
            )
        reply = yield from dialogue.ask(QUERY, [unit])
        if reply is None:
            return Unknown(NO_ANSWER)
        denial = reply.denial or denial
        answered = answered or reply.denial is None
        facts[name] = reply.denial.en if reply.denial is not None else words(reply)
    return Refused(denial) if denial is not None and not answered else Done(MappingProxyType(facts))


def query(name: str) -> Unit | None:
    """The unit that asks for the parameter called ``F25 p3``, or ``F1`` of the terminal itself; None: no such name."""
    match = _NAME.fullmatch(name.strip())
    if match is None:
        return None
    fn, point = int(match[1]), int(match[2] or 0)
    if not 1 <= fn <= ITEM_MAX or point > POINT_MAX:
        return None
    if fn in _LISTS:
        return build_unit(QUERY, False, [point], [fn], members("query", range(1, _MEMBERS + 1)))
    return Unit(da_of([point]), dt_of([fn]))


def members(name: str, numbers: Sequence[int]) -> Mapping[str, str]:
    """The values that name members of a list."""
    values = {f"{name}_count": str(len(numbers))}
    return values | {f"{name}[{index}].sequence": str(number) for index, number in enumerate(numbers)}


def words(reply: Reply) -> str:
    """All values of an answer with their names; octets that nothing explains in hexadecimal. Passwords stay hidden."""
    found = []
    for message, unit in reply.units():
        entries, rest = unit_values(message, unit)
        for entry in entries:
            hidden = entry["name"].endswith(_SECRET)
            found.append(f"{entry['name']}={'***' if hidden else entry['value']}")
        found += [rest.hex()] if rest else []
    return ", ".join(found)
