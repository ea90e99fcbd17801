"""A concentrator that speaks Q/GDW 1376.1: link, spontaneous reports, answers and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from meterweave.errors import DecodeError
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.protocols.gdw1376.part1.frame import USER_DATA_MIN, FrameDecoder, wrap
from meterweave.protocols.gdw1376.part1.message import CON, FIN, FIR, Message, Unit
from meterweave.simulator import events1376, units1376
from meterweave.simulator.answers1376 import EVENTS, Answers1376
from meterweave.simulator.archive1376 import Archive1376
from meterweave.simulator.faults import Faults
from meterweave.simulator.meter645 import local
from meterweave.simulator.orders1376 import HARDWARE, RESET, Orders1376
from meterweave.simulator.plan import Due, Reports, Series
from meterweave.simulator.session import Habits, Instant, State, Terminal, Told
from meterweave.simulator.town import Concentrator
from meterweave.simulator.units1376 import HISTORY

ALL_CONFIRMED, ALL_DENIED, BY_UNIT = 1, 2, 3  # F of AFN 00
UNIT_HEAD = 4  # DA and DT of a data unit [octets]
ANSWER_MAX = 2000
"""User data of one frame of an answer; of a longer answer there are more. [octets]"""
POINTS = 96
"""Curve points of all meters in one report."""


class Terminal1376(Terminal):
    """A Q/GDW 1376.1 concentrator; it reports a meter's day, or what is new of several meters."""

    slots_max = POINTS
    cells_max = POINTS
    number_mask = 0x0F

    def __init__(
        self, site: Concentrator, reports: Reports, first_s: int, *, seed: int, faults: Faults, habits: Habits
    ) -> None:
        super().__init__(site, reports, first_s, seed=seed, faults=faults, habits=habits)
        self.archive = Archive1376(site, first_s, bare=habits.bare)
        self._answers = Answers1376(site, self.archive, self.condition, self.diary, first_s)
        self._orders = Orders1376(self.archive, self.condition, self.diary)

    def decoder(self) -> FrameDecoder:
        return FrameDecoder()

    def reported(self) -> Sequence[Series]:
        return self.archive.reported()

    def login(self, number: int, now: Instant) -> bytes:
        return part1.encode(service.login(self.site.region, self.site.terminal, number=number))

    def heartbeat(self, number: int, now: Instant) -> bytes:
        clock = self._clock(now).isoformat(timespec="seconds")
        return part1.encode(service.heartbeat(self.site.region, self.site.terminal, number=number, clock=clock))

    def logout(self, now: Instant) -> bytes:
        return part1.encode(service.logout(self.site.region, self.site.terminal, number=self.next_number()))

    def report(self, due: Due, number: int) -> bytes:
        units: list[Unit] = []
        for meter in due.meters:
            told = units1376.due_units(due, meter, self.archive.items(due.series, meter))
            units += units1376.at_point(self.archive.point(meter) or meter.point, told)
        return self._unasked(HISTORY, units, number)

    def event_report(self, told: Told, number: int) -> bytes:
        unit = events1376.told(self.diary, told.events, self.archive, self.condition.clock_off_s)
        return self._unasked(EVENTS, [unit], number)

    def _unasked(self, afn: int, units: Sequence[Unit], number: int) -> bytes:
        message = service.report(self.site.region, self.site.terminal, afn, units, number=number)
        return _written(message._replace(seq=message.seq | CON))

    def _clock(self, now: Instant) -> datetime:
        return local(now.town_s + self.condition.clock_off_s)

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
        before = self.archive.version
        errors = self._orders.obey(message, now.town_s)
        if errors is None:
            self._answer(message, now)
        elif any(errors):
            self.send(part1.encode(service.confirm(message, errors)))
        else:
            self.send(part1.encode(service.confirm(message)))
            if message.afn == RESET and message.units[0].items == (HARDWARE,):
                self.hang_up("told to start anew")
                self.reboot(now.town_s)
        if self.archive.version != before:
            self.replan(self.archive.reported(), now.town_s)

    def _answer(self, message: Message, now: Instant) -> None:
        units = self._answers.to(message, now.town_s)
        if not units:
            self.send(part1.encode(service.confirm(message)._replace(units=(Unit(0, dt_of([ALL_DENIED])),))))
        ec = events1376.counters(self.diary) if self.diary.waiting() else b""
        for answer in _frames(message, units, ec):
            self.send(answer)

    def _confirmation(self, message: Message, now: Instant) -> None:
        if not _confirms(message):
            if self.state is State.LOGGING_IN:
                self.hang_up("the centre refuses the login")
            return
        self.accepted(now)
        self.confirmed(message.number)


def _frames(request: Message, units: Sequence[Unit], ec: bytes) -> Iterator[bytes]:
    """The frames of an answer: several where it is long, numbered on, the first with FIR and the last with FIN."""
    groups: list[list[Unit]] = [[]]
    size = USER_DATA_MIN
    for one in units:
        room = UNIT_HEAD + len(one.data)
        if groups[-1] and size + room > ANSWER_MAX:
            groups.append([])
            size = USER_DATA_MIN
        groups[-1].append(one)
        size += room
    for place, group in enumerate(groups if units else ()):
        marks = FIR * (place == 0) | FIN * (place == len(groups) - 1)
        answer = service.answer(request, group, ec=ec)
        yield _written(answer._replace(seq=marks | (request.number + place & 0x0F)))


def _written(message: Message) -> bytes:
    """The frame of a message of data units made here."""
    head = bytes([message.control]) + message.region.to_bytes(2, "little") + message.terminal.to_bytes(2, "little")
    head += bytes([message.master, message.afn, message.seq])
    units = [(one.da | one.dt << 16).to_bytes(4, "little") + one.data for one in message.units]
    return wrap(message.protocol, head + b"".join(units) + message.ec)


def _confirms(message: Message) -> bool:
    """Whether a confirmation says yes to everything."""
    for unit in message.units:
        if unit.items == (ALL_CONFIRMED,):
            return True
        if unit.items == (BY_UNIT,):
            # The function, then DA, DT and an error of each unit (clause 5.4.3): four octets and one.
            return not any(unit.data[5::5])
    return False
