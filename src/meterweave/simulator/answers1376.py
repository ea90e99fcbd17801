"""What a Q/GDW 1376.1 terminal answers to questions: present values, freezes, curves, parameters, forwarding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from meterweave.metering.clock import local_us
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1.designator import da_of, dt_of
from meterweave.protocols.gdw1376.part1.message import Message, Section, Unit, sections
from meterweave.protocols.gdw1376.part1.values import run_values, step_minutes
from meterweave.simulator import events1376, line, meter645, units1376
from meterweave.simulator.archive1376 import Archive1376
from meterweave.simulator.condition import Condition
from meterweave.simulator.events import Diary
from meterweave.simulator.plan import QUARTER_S
from meterweave.simulator.town import DAY_S, LOCAL_S, Concentrator, Meter
from meterweave.simulator.units1376 import HISTORY, PRESENT

QUERY, EVENTS, FORWARD, CONFIGURATION = 0x0A, 0x0E, 0x10, 0x09  # AFN
_VERSION = {
    "maker": "MTWV",
    "device_number": "00000001",
    "software_version": "0001",
    "software_date": "2026-01-01",
    "capacity_code": "SIM",
    "protocol_version": "2013",
    "hardware_version": "0001",
    "hardware_date": "2026-01-01",
}


class Answers1376:
    """Answers of one terminal.

    Parameters
    ----------
    first_s : int
        Since when its meters keep readings. [s since 1970, UTC]
    """

    def __init__(
        self, site: Concentrator, archive: Archive1376, condition: Condition, diary: Diary, first_s: int
    ) -> None:
        self._site, self._archive, self._condition, self._diary = site, archive, condition, diary
        self._first_s = first_s

    def to(self, message: Message, now_s: int) -> list[Unit]:
        """What can be answered; nothing where all of it has to be refused."""
        if message.afn == QUERY:
            return [one for asked in message.units for one in self._parameters(asked)]
        found: list[Unit] = []
        for asked in message.units:
            for section in sections(message, asked):
                if section.found.complete:
                    found += self._answer(message.afn, section, texts_of(section, asked), now_s)
        return found

    def _answer(self, afn: int, section: Section, values: Mapping[str, str], now_s: int) -> list[Unit]:
        item = section.fn
        if afn == FORWARD:
            return self._forward(values, now_s) if item == 1 else []
        if afn == EVENTS:
            return events1376.answer(self._diary, item, values, self._archive, self._condition.clock_off_s)
        if section.point == 0:
            return self._own(afn, item, now_s)
        points = self._archive.meters if section.point == "all" else (section.point,)
        found: list[Unit] = []
        for point in points:
            meter = self._archive.meters.get(point)
            if meter is not None and afn == PRESENT and meter.answers(now_s):
                found += units1376.at_point(point, _present(meter, item, now_s))
            elif meter is not None and afn == HISTORY:
                found += units1376.at_point(point, self._history(meter, item, values, now_s))
        return found

    def _own(self, afn: int, item: int, now_s: int) -> list[Unit]:
        """Of the terminal itself: version, clock, counters of events."""
        if item == 1 and afn in {PRESENT, CONFIGURATION}:
            return [part1.build_unit(afn, True, [0], [1], _VERSION)]
        if afn != PRESENT:
            return []
        if item == units1376.CLOCK:
            return [units1376.clock_unit(meter645.local(now_s + self._condition.clock_off_s))]
        if item == events1376.COUNTERS:
            return [units1376.unit(0, item, events1376.counters(self._diary))]
        return []

    # Stored ----------------------------------------------------------------------------------------------------------

    def _history(self, meter: Meter, item: int, values: Mapping[str, str], now_s: int) -> list[Unit]:
        profile = units1376.PERIODS[item][0] if item in units1376.PERIODS else None
        profile = profile or units1376.BLOCKS.get(item) or units1376.EXPORT_BLOCKS.get(item)
        if profile is None:
            return self._curve(meter, item, values, now_s)
        at_s = _freeze_s(values)
        if not self._first_s <= at_s <= now_s or not meter.alive(at_s):
            return []
        if item in units1376.PERIODS:
            return [units1376.freeze_unit(meter, item, at_s)] if _has(meter, item) else []
        return [units1376.block_unit(meter, at_s, item=item, profile=profile)]

    def _curve(self, meter: Meter, item: int, values: Mapping[str, str], now_s: int) -> list[Unit]:
        start_s, step = _utc_s(values.get("curve.start", "")), step_minutes(int(values.get("curve.density", 0)))
        step_s = 60 * (step or 0)
        if step_s not in units1376.STEP_CODES or start_s % QUARTER_S:
            return []
        count = int(values.get("curve.count", 0))
        if start_s < self._first_s:
            # A curve tells its start and no gaps, so it begins where there are readings.
            missed = -(-(self._first_s - start_s) // step_s)
            start_s, count = start_s + missed * step_s, count - missed
        slots = [at for at in range(start_s, start_s + step_s * count, step_s) if at <= now_s and meter.alive(at)]
        return units1376.curve_units(meter, (item,), slots, step_s)

    # Parameters, and what is passed on -------------------------------------------------------------------------------

    def _parameters(self, asked: Unit) -> Iterator[Unit]:
        for point in asked.points:
            for item in asked.items:
                data = self._archive.get(point, item, asked.data) if isinstance(point, int) else None
                if data is not None and isinstance(point, int):
                    yield Unit(da_of([point]), dt_of([item]), data)

    def _forward(self, values: Mapping[str, str], now_s: int) -> list[Unit]:
        reply = line.answer(self._site.meters, bytes.fromhex(values.get("forwarded", "")), now_s, self._diary)
        if reply is None:
            return []
        return [part1.build_unit(FORWARD, True, [0], [1], {"port": values["port"], "forwarded": reply.hex()})]


def _present(meter: Meter, item: int, now_s: int) -> list[Unit]:
    if item == units1376.STATUS_WORDS:
        return [units1376.status_words_unit(meter, now_s, meter645.status_word_3(meter))]
    build = units1376.PRESENT_UNITS.get(item)
    return [build(meter, now_s)] if build and _has(meter, item) else []


def _has(meter: Meter, item: int) -> bool:
    """Whether a meter has such a register: those of export are of houses with panels."""
    return meter.export is not None or not (item in units1376.PERIODS and units1376.PERIODS[item][1])


def texts_of(section: Section, unit: Unit) -> dict[str, str]:
    """The values of a section by name; what is no value is left out."""
    entries = [entry for run in section.found.runs for entry in run_values(run, unit.data)]
    return {entry["name"]: entry["value"] for entry in entries if entry.get("value") is not None}


def _freeze_s(values: Mapping[str, str]) -> int:
    """When the day or month of a freeze ended; -1 where the calendar has no such day."""
    day, month = values.get("freeze.day", ""), values.get("freeze.month", "")
    start_s = _utc_s(day or f"{month}-01")
    if start_s < 0 or day:
        return start_s + DAY_S if start_s >= 0 else -1
    first = meter645.local(start_s)
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return local_us(following) // 1_000_000 - LOCAL_S


def when_of(text: str) -> datetime | None:
    """A local time in ISO text; None where the calendar has none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _utc_s(text: str) -> int:
    """The moment of a local time; one that no calendar has is long ago, where there are no readings."""
    when = when_of(text)
    return -1 if when is None else local_us(when) // 1_000_000 - LOCAL_S
