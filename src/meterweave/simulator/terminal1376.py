"""A concentrator that speaks Q/GDW 1376.1: link, spontaneous reports, answers and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from meterweave.errors import DecodeError
from meterweave.metering.clock import local_us
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.protocols.gdw1376.part1.frame import USER_DATA_MAX, USER_DATA_MIN, FrameDecoder
from meterweave.protocols.gdw1376.part1.message import CON, Message, Section, Unit, sections
from meterweave.protocols.gdw1376.part1.values import run_values, step_minutes
from meterweave.simulator import meter645, units1376
from meterweave.simulator.plan import QUARTER_S, Due
from meterweave.simulator.session import Instant, State, Terminal
from meterweave.simulator.town import DAY_S, LOCAL_S, Meter
from meterweave.simulator.units1376 import HISTORY, PRESENT

FORWARD = 0x10  # AFN
ALL_CONFIRMED, ALL_DENIED, BY_UNIT = 1, 2, 3  # F of AFN 00
UNIT_HEAD = 4  # DA and DT of a data unit [octets]
POINTS = 96
"""Curve points of all meters in one report."""


class Terminal1376(Terminal):
    """A Q/GDW 1376.1 concentrator; it reports a meter's day, or what is new of several meters."""

    slots_max = POINTS
    cells_max = POINTS
    number_mask = 0x0F

    def decoder(self) -> FrameDecoder:
        return FrameDecoder()

    def login(self, number: int, now: Instant) -> bytes:
        return part1.encode(service.login(self.site.region, self.site.terminal, number=number))

    def heartbeat(self, number: int, now: Instant) -> bytes:
        clock = self._clock(now).isoformat(timespec="seconds")
        return part1.encode(service.heartbeat(self.site.region, self.site.terminal, number=number, clock=clock))

    def logout(self, now: Instant) -> bytes:
        return part1.encode(service.logout(self.site.region, self.site.terminal, number=self.next_number()))

    def report(self, due: Due, number: int) -> bytes:
        units = units1376.due_units(due)
        message = service.report(self.site.region, self.site.terminal, HISTORY, units, number=number)
        return part1.encode(message._replace(seq=message.seq | CON))

    def _clock(self, now: Instant) -> datetime:
        return meter645.local(now.town_s + self.site.clock_off_s)

    def received(self, frame: bytes, now: Instant) -> None:
        try:
            message = part1.decode(frame)
        except DecodeError:
            return
        if message.uplink or (message.region, message.terminal) != (self.site.region, self.site.terminal):
            return
        if message.afn == service.CONFIRM:
            self._confirmation(message, now)
            return
        self.counts.questions_answered += 1
        units = self._answers(message, now)
        if units:
            self.send(part1.encode(service.answer(message, units)))
        else:
            self.send(part1.encode(service.confirm(message)._replace(units=(Unit(0, dt_of([ALL_DENIED])),))))

    def _confirmation(self, message: Message, now: Instant) -> None:
        if not _confirms(message):
            if self.state is State.LOGGING_IN:
                self.hang_up("the centre refuses the login")
            return
        self.accepted(now)
        self.confirmed(message.number)

    # Answers ---------------------------------------------------------------------------------------------------------

    def _answers(self, message: Message, now: Instant) -> list[Unit]:
        """What can be answered; nothing where all of it has to be refused, or more is asked than one frame holds."""
        found: list[Unit] = []
        size = USER_DATA_MIN
        for unit in message.units:
            for section in sections(message, unit):
                if section.found.complete:
                    units = self._answer(message.afn, section, _texts(section, unit), now)
                    size += sum(UNIT_HEAD + len(one.data) for one in units)
                    if size > USER_DATA_MAX:
                        return []
                    found += units
        return found

    def _answer(self, afn: int, section: Section, values: Mapping[str, str], now: Instant) -> list[Unit]:
        if afn == FORWARD and section.fn == 1:
            return self._forward(values, now)
        if afn == PRESENT and section.fn == units1376.CLOCK:
            return [units1376.clock_unit(self._clock(now))]
        point = section.point
        meter = next((one for one in self.site.meters if one.point == point and one.alive(now.town_s)), None)
        if meter is None:
            return []
        if afn == PRESENT and section.fn == units1376.PRESENT_ENERGY:
            return [units1376.present_unit(meter, now.town_s)]
        if afn == HISTORY:
            return self._history(meter, section.fn, values, now)
        return []

    def _history(self, meter: Meter, item: int, values: Mapping[str, str], now: Instant) -> list[Unit]:
        if item == units1376.DAY_ENERGY:
            at_s = _utc_s(values.get("freeze.day", "")) + DAY_S
            return [units1376.day_unit(meter, at_s)] if self.first_s <= at_s <= now.town_s else []
        if item not in units1376.items_of(meter):
            return []
        start_s, step = _utc_s(values.get("curve.start", "")), step_minutes(int(values.get("curve.density", 0)))
        step_s = 60 * (step or 0)
        if step_s not in units1376.STEP_CODES or start_s % QUARTER_S:
            return []
        asked = range(start_s, start_s + step_s * int(values.get("curve.count", 0)), step_s)
        slots = [at for at in asked if self.first_s <= at <= now.town_s]
        return [units1376.curve_unit(meter, item, slots, step_s)] if slots else []

    def _forward(self, values: Mapping[str, str], now: Instant) -> list[Unit]:
        reply = meter645.answer(self.site.meters, bytes.fromhex(values.get("forwarded", "")), now.town_s)
        if reply is None:
            return []
        return [part1.build_unit(FORWARD, True, [0], [1], {"port": values["port"], "forwarded": reply.hex()})]


def _texts(section: Section, unit: Unit) -> dict[str, str]:
    """The values of a section by name; what is no value is left out."""
    entries = [entry for run in section.found.runs for entry in run_values(run, unit.data)]
    return {entry["name"]: entry["value"] for entry in entries if entry.get("value") is not None}


def _confirms(message: Message) -> bool:
    """Whether a confirmation says yes to everything."""
    for unit in message.units:
        if unit.items == (ALL_CONFIRMED,):
            return True
        if unit.items == (BY_UNIT,):
            # The function, then DA, DT and an error of each unit (clause 5.4.3): four octets and one.
            return not any(unit.data[5::5])
    return False


def _utc_s(text: str) -> int:
    """The moment of an ISO text in local time; one that no calendar has is long ago, where there are no readings."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return -1
    return local_us(when) // 1_000_000 - LOCAL_S
