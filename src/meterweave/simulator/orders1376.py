"""What a Q/GDW 1376.1 terminal does when it is told to: resets (AFN 01H), parameters (04H), control and clock (05H).

The message authentication of such frames is not looked at: a centre without the utility's keys can try everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meterweave.metering.clock import local_us
from meterweave.protocols.gdw1376.part1.message import Message, Unit, sections
from meterweave.simulator.answers1376 import texts_of, when_of
from meterweave.simulator.archive1376 import Archive1376
from meterweave.simulator.condition import Condition
from meterweave.simulator.events import Diary, Kind
from meterweave.simulator.town import LOCAL_S

RESET, SET, CONTROL = 0x01, 0x04, 0x05  # AFN
DONE, OTHER_ERROR = 0, 1
"""ERR of AFN 00H F3."""
HARDWARE = 1
"""The reset after which the terminal starts anew."""
_TRIP, _PERMIT, _KEEP, _END_OF_KEEP, _SET_CLOCK = 1, 2, 25, 33, 31
_TAKEN = frozenset({26, 27, 28, 29, 32, 34, 35, 36, 37, 38, 49, 50, 51})
"""Control that this terminal takes and that changes nothing it shows."""
_CLEARS_DATA, _CLEARS_PARAMETERS, _CLEARS_MOST = 2, 3, 4


class Orders1376:
    """Orders to one terminal."""

    def __init__(self, archive: Archive1376, condition: Condition, diary: Diary) -> None:
        self._archive, self._condition, self._diary = archive, condition, diary
        self._controls: Mapping[int, Callable[[int], None]] = {
            _TRIP: self._trip,
            _PERMIT: self._close,
            _KEEP: condition.keep,
            _END_OF_KEEP: lambda _: condition.release(),
        }

    def obey(self, message: Message, now_s: int) -> list[int] | None:
        """Carry out the units of a message, one by one; gives ERR of each, None where there are no orders in it."""
        do = {RESET: self._reset, SET: self._set, CONTROL: self._control}.get(message.afn)
        if do is None or not message.units:
            return None
        return [DONE if do(message, unit, now_s) else OTHER_ERROR for unit in message.units]

    def _reset(self, message: Message, unit: Unit, now_s: int) -> bool:
        for item in unit.items:
            if item in {_CLEARS_PARAMETERS, _CLEARS_MOST}:
                self._archive.clear()
        return bool(unit.items) and max(unit.items) <= _CLEARS_MOST

    def _set(self, message: Message, unit: Unit, now_s: int) -> bool:
        done, at = [], 0
        for section in sections(message, unit):
            if not section.found.complete or not isinstance(section.point, int):
                return False
            done.append(self._archive.set(section.point, section.fn, unit.data[at : section.found.end]))
            at = section.found.end
        return bool(done) and all(done)

    def _control(self, message: Message, unit: Unit, now_s: int) -> bool:
        done = []
        for section in sections(message, unit):
            item = section.fn
            if not section.found.complete:
                return False
            if item == _SET_CLOCK:
                done.append(self._set_clock(texts_of(section, unit).get("clock", ""), now_s))
            elif item in self._controls:
                self._controls[item](now_s)
                done.append(True)
            else:
                done.append(item in _TAKEN)
        return bool(done) and all(done)

    def _set_clock(self, text: str, now_s: int) -> bool:
        when = when_of(text)
        if when is None:
            return False
        self._condition.clock_off_s = local_us(when) // 1_000_000 - LOCAL_S - now_s
        self._diary.note(Kind.CLOCK_SET, now_s)
        return True

    def _trip(self, now_s: int) -> None:
        if self._condition.closed and self._condition.trip(now_s):
            self._diary.note(Kind.TRIPPED, now_s)

    def _close(self, now_s: int) -> None:
        if not self._condition.closed:
            self._condition.close(now_s)
            self._diary.note(Kind.CLOSED, now_s)
