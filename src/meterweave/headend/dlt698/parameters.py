"""Parameters of a terminal, read and put into words."""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.headend.dlt698.line import SUCCESS, Line, Talk, dar_words
from meterweave.headend.dlt698.tally import portions
from meterweave.headend.operations import Done, Outcome, ReadParameters, Refused
from meterweave.metering.decimal import to_text
from meterweave.protocols.dlt698.data import DATA, Data, Tag
from meterweave.protocols.dlt698.datum import ENUMERATIONS, SCALED
from meterweave.protocols.dlt698.objects import Attribute, attribute
from meterweave.protocols.dlt698.records import ResultNormal
from meterweave.protocols.dlt698.wire import Plain
from meterweave.text import Text

USUAL = (
    0x4000_0200,  # clock
    0x4000_0300,  # way of setting it
    0x4001_0200,  # address
    0x4103_0200,  # asset number
    0x4204_0200,  # broadcasting the time to meters
    0x4300_0300,  # version
    0x4300_0400,  # date of production
    0x4300_0800,  # whether it may report by itself
    0x4300_0A00,  # channels of reports
    0x4500_0200,  # mobile network
    0x4500_0300,  # head-ends
    0x4500_0900,  # signal
    0x4510_0200,  # Ethernet
    0x4510_0300,  # head-ends
    0x6000_0300,  # how many meters it has
    0xF201_0200,  # serial ports
)
"""What is read when nothing is named."""
NAMES_MAX = 200
"""Parameters in one operation."""
AT_ONCE = 8
"""Parameters in one question."""

_HIDDEN = frozenset((0x4401,))  # objects that hold secrets
_PLAIN_NUMBER = "1"
_SHOWN_MAX = 2000  # characters of a value


def read_parameters(line: Line, wanted: ReadParameters) -> Talk[Outcome]:
    """Read attributes; `Done.facts` has the value of each, or why there is none, under its OAD in hexadecimal."""
    oads = []
    for name in wanted.names or [f"{one:08X}" for one in USUAL]:
        one = _read_name(name)
        if one is None:
            return Refused(
                Text(
                    f"{name!r} is no OAD that can be read; wanted are 8 hexadecimal digits such as 40000200",
                    f"“{name}”不是可读的OAD；应为8位十六进制数字，如40000200",
                )
            )
        oads.append(one)
    if len(oads) > NAMES_MAX:
        return Refused(Text(f"{len(oads)} parameters, wanted at most {NAMES_MAX}", f"参数过多，最多{NAMES_MAX}个"))
    facts: dict[str, bool | int | str] = {}
    for some in portions(oads, AT_ONCE):
        for result in (yield from line.attributes(some)):
            facts[f"{result.oad:08X}"] = in_words(result)
    return Done(facts)


def _read_name(name: str) -> int | None:
    digits = name.strip()
    if len(digits) != 8 or digits.strip("0123456789abcdefABCDEF"):
        return None
    found = int(digits, 16)
    return None if found >> 16 in _HIDDEN else found


def in_words(result: ResultNormal) -> str:
    """A value with its unit, or the terminal's reason for giving none."""
    if result.data is None:
        return "" if result.dar == SUCCESS else f"refused: {dar_words(result.dar).en}"
    shown = _words(result.data, attribute(result.oad))
    return shown if len(shown) <= _SHOWN_MAX else f"{shown[:_SHOWN_MAX]}…"


def _words(data: Data, about: Attribute | None) -> str:
    tag, value = data
    if tag in {Tag.ARRAY, Tag.STRUCTURE}:
        parts = [_member(one, about, index) for index, one in enumerate(value, 1)]
        return f"[{', '.join(parts)}]" if tag == Tag.ARRAY else f"({', '.join(parts)})"
    if tag in SCALED and about is not None and about.scale is not None:
        unit = "" if about.scale.unit == _PLAIN_NUMBER else f" {about.scale.unit}"
        return f"{to_text(value, about.scale.exponent)}{unit}"
    if tag == Tag.BOOL:
        return "yes" if value else "no"
    if tag == Tag.ENUM and about is not None:
        words: Mapping[int, Text] = ENUMERATIONS.get((about.interface, about.oad >> 8 & 0x1F), {})
        return words[value].en if value in words else str(value)
    if tag == Tag.VISIBLE_STRING:
        return bytes(value).decode("ascii", "replace").rstrip("\0")
    wire = DATA.types[tag].wire
    return wire.words(value)[0] if isinstance(wire, Plain) else str(wire.to_json(value))


def _member(data: Data, about: Attribute | None, index: int) -> str:
    one = about.element(min(index, 0xFF)) if about is not None and about.elements else about
    return _words(data, one)
