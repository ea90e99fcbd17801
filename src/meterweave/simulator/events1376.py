"""What happened, as a Q/GDW 1376.1 terminal tells it: records of AFN 0EH (annex E), all of them important.

========================= === ========================================================
what                      ERC content behind the time
========================= === ========================================================
power off, power on       14  when it came back; EEH while it is off
cover opened              37  point, count, start, end, energies before and after
magnetic field            40  point
reverse current           9   point, flags, voltages, currents, energy
clock fault of a meter    12  point
relay of a meter operated 33  point, changes and states of the seven status words
remote trip of a round    5   rounds, power before and after
clock set                 41  the time before
========================= === ========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from meterweave.protocols.gdw1376.part1 import Unit
from meterweave.simulator import registers
from meterweave.simulator.archive1376 import Archive1376
from meterweave.simulator.events import Diary, Happening, Kind
from meterweave.simulator.meter645 import local
from meterweave.simulator.units1376 import MINUTE, bcd, stamp, unit

IMPORTANT, COUNTERS = 1, 7
"""Item of AFN 0EH with these records; item of AFN 0CH with the counters."""
_BEGINS = 0x8000
_NONE = b"\xee"
_REVERSED = 0xC0
_OPEN_BITS = (1 << 4 | 1 << 6).to_bytes(2, "little")
_WORD_3 = 2
_AT_ONCE = 20
"""Records in one answer."""

Numbered = tuple[int, Happening]
"""A happening with the number that the diary gave it, from 1."""


def counters(diary: Diary) -> bytes:
    """EC1 and EC2."""
    return bytes([diary.count & 0xFF, 0])


def answer(diary: Diary, item: int, values: Mapping[str, str], archive: Archive1376, off_s: int) -> list[Unit]:
    """The records from number Pm to before Pn, as far as they are kept."""
    first, last = int(values.get("first_index", 0)), int(values.get("last_index", 0))
    wanted = last - first & 0xFF
    if item != IMPORTANT or not wanted:
        return []
    some = [one for one in diary.kept if (one[0] - 1 - first & 0xFF) < min(wanted, _AT_ONCE)]
    return [told(diary, some, archive, off_s)] if some else []


def told(diary: Diary, some: Sequence[Numbered], archive: Archive1376, off_s: int) -> Unit:
    """The unit that tells what happened, numbers following one another."""
    first = some[0][0] - 1 & 0xFF
    head = counters(diary) + bytes([first, first + len(some) & 0xFF])
    return unit(0, IMPORTANT, head + b"".join(_record(one, archive, off_s) for _, one in some))


def _record(one: Happening, archive: Archive1376, off_s: int) -> bytes:
    point = archive.point(one.meter) if one.meter else 0
    code, content = _RECORDS[one.kind](one, point, off_s)
    return bytes([code, len(content)]) + content


def _time(at_s: int, off_s: int) -> bytes:
    return stamp(local(at_s + off_s), MINUTE)


def _clock(at_s: int) -> bytes:
    """A.1 without a weekday."""
    when = local(at_s)
    return stamp(when, "%S%M%H%d") + bytes([int(when.strftime("%m"), 16)]) + stamp(when, "%y")


def _spot(point: int, begins: bool) -> bytes:
    return (point | (_BEGINS if begins else 0)).to_bytes(2, "little")


def _power_off(one: Happening, _: int, off_s: int) -> tuple[int, bytes]:
    return 14, _time(one.at_s, off_s) + _NONE * 5


def _power_on(one: Happening, _: int, off_s: int) -> tuple[int, bytes]:
    return 14, _time(one.since_s or one.at_s, off_s) + _time(one.at_s, off_s)


def _cover(one: Happening, point: int, off_s: int) -> tuple[int, bytes]:
    assert one.meter is not None
    energy = bcd(registers.register(one.meter, registers.moments(one.at_s)), 4)
    energies = (energy + bytes(20)) * 2
    end_s = one.until_s or one.at_s
    content = _spot(point, False) + bcd(registers.moments(1), 3) + _clock(one.at_s) + _clock(end_s) + energies
    return 37, _time(one.at_s, off_s) + content


def _magnet(one: Happening, point: int, off_s: int) -> tuple[int, bytes]:
    return 40, _time(one.at_s, off_s) + _spot(point, True)


def _reversed(one: Happening, point: int, off_s: int) -> tuple[int, bytes]:
    assert one.meter is not None
    at = registers.moments(one.at_s)
    shown = registers.electrical(one.meter, at)
    voltages = [bcd(value, 2) for value in shown.voltage_dv] + [_NONE * 2] * (3 - len(shown.voltage_dv))
    currents = [bcd(-value, 3) for value in shown.current_ma] + [_NONE * 3] * (3 - len(shown.current_ma))
    energy = bcd(registers.register(one.meter, at) * 100, 5)
    content = _spot(point, True) + bytes([_REVERSED | 1]) + b"".join([*voltages, *currents]) + energy
    return 9, _time(one.at_s, off_s) + content


def _clock_fault(one: Happening, point: int, off_s: int) -> tuple[int, bytes]:
    return 12, _time(one.at_s, off_s) + _spot(point, True)


def _relay(one: Happening, point: int, off_s: int) -> tuple[int, bytes]:
    if one.meter is None:
        return 5, _time(one.at_s, off_s) + b"\x01" + bytes(4)
    opened = _OPEN_BITS if one.kind is Kind.TRIPPED else bytes(2)
    changed, words = ([bytes(2)] * 7 for _ in range(2))
    changed[_WORD_3], words[_WORD_3] = _OPEN_BITS, opened
    return 33, _time(one.at_s, off_s) + _spot(point, False) + b"".join([*changed, *words])


def _clock_set(one: Happening, _: int, off_s: int) -> tuple[int, bytes]:
    return 41, _time(one.at_s, off_s) + _clock(one.at_s)


_RECORDS: Mapping[Kind, Callable[[Happening, int, int], tuple[int, bytes]]] = {
    Kind.POWER_OFF: _power_off,
    Kind.POWER_ON: _power_on,
    Kind.COVER_OPENED: _cover,
    Kind.MAGNET: _magnet,
    Kind.REVERSED: _reversed,
    Kind.CLOCK_FAULT: _clock_fault,
    Kind.TRIPPED: _relay,
    Kind.CLOSED: _relay,
    Kind.CLOCK_SET: _clock_set,
}
