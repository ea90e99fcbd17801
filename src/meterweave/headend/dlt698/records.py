"""What a terminal stored: rows of its task table, many meters a question, as many rows as make an answer of some KB.

The rows of a span are chosen by the time under which the terminal stored them. Where the task says so, that is the
time of the freeze; other terminals write the time of their own clock. So the span is asked in both: our time, and what
the terminal's clock shows when it is that time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

from meterweave.headend.dlt698.clock_setting import Span, in_both_times, off_us
from meterweave.headend.dlt698.freezes import FREEZE_TIME, METER, TASKS, Freeze, freeze_of, road, row_size
from meterweave.headend.dlt698.line import NO_ANSWER, SUCCESS, Found, Line, Talk, TalkEndedError, dar_words, server_of
from meterweave.headend.dlt698.line import NO_SUCH_DATA as ABSENT
from meterweave.headend.dlt698.literals import NULL, local_stamp, stamp
from meterweave.headend.dlt698.reading import ALL_S, is_terminal
from meterweave.headend.dlt698.tally import NO_SUCH_DATA, Tally, of_utility, portions
from meterweave.headend.operations import Outcome, ReadStored, Refused
from meterweave.protocols.dlt698 import get, proxy
from meterweave.protocols.dlt698.attributes import attributes_for
from meterweave.protocols.dlt698.selection import MetersAt, RowsBetween, RowsStoredDuring
from meterweave.registry.address import DLT698
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

ROWS_MAX = 120
"""Rows of an answer: fewer than 128, whose count is one octet, are decoded in columns."""
ANSWER_SIZE = 12_000
"""How long an answer may become, with four tariffs and three phases. [octets] Most are a third of that."""
SHORTER = 4
"""By how much answers become shorter when one was lost."""
METERS_MAX = 100
"""Meters in one question, which is to fit a frame of 1 KB."""

NO_SUCH_SERIES = Refused(Text("DL/T 698.45 has no freeze of this period", "DL/T 698.45无此周期的冻结"))


def read_stored(line: Line, wanted: ReadStored, clock: Callable[[], int], zone: ZoneInfo) -> Talk[Outcome]:
    """Read a span of a series of many meters; all rows are kept as they come."""
    freeze = freeze_of(wanted.profile, wanted.period_s)
    if freeze is None:
        return NO_SUCH_SERIES
    tally = Tally("rows")
    asked: dict[tuple[int, ...], list[MeterEntry]] = {}
    for meter in wanted.meters:
        oads = attributes_for(of_utility(wanted.quantities, meter.utility))
        if oads:
            asked.setdefault(oads, []).append(meter)
        else:
            tally.refuse(meter, NO_SUCH_DATA)
    missed = False
    span = Span(wanted.from_us, wanted.to_us)
    if asked and span.from_us < span.to_us:
        clock_off_us = yield from off_us(line, clock, zone)
        for oads, meters in asked.items():
            table = _Table(line, freeze, oads, clock_off_us, zone, tally)
            yield from table.read(meters, span)
            missed = missed or table.missed
    return NO_ANSWER if missed else tally.outcome(len(wanted.meters))


class _Table:
    """One series of meters that have the same quantities."""

    def __init__(
        self, line: Line, freeze: Freeze, oads: tuple[int, ...], off_us: int, zone: ZoneInfo, tally: Tally
    ) -> None:
        self.line, self.freeze, self.oads, self.off_us, self.zone, self.tally = line, freeze, oads, off_us, zone, tally
        self.period_us = 1_000_000 * freeze.period_s
        self.rows_max = max(1, min(ROWS_MAX, ANSWER_SIZE // row_size(oads)))
        self.patient = False  # whether an answer was lost, so that questions are short and repeated
        self.silent = False  # whether the last question was not answered
        self.missed = False  # whether any was left without an answer
        self.absent = SUCCESS  # the DAR with which the terminal said that its tasks do not collect this

    def read(self, meters: Sequence[MeterEntry], span: Span) -> Talk[None]:
        """All rows of a span, the newest first."""
        for some, part in self._questions(meters, span):
            if len(some) * self._slots(part) > self.rows_max and (len(some) > 1 or self._slots(part) > 1):
                yield from self.read(some, part)  # planned before answers became shorter
            else:
                yield from self._read_some(some, part)

    def _questions(self, meters: Sequence[MeterEntry], span: Span) -> Iterator[tuple[Sequence[MeterEntry], Span]]:
        """Which meters and parts of the span are asked for together."""
        own = [meter for meter in meters if is_terminal(self.line, meter)]
        behind = [meter for meter in meters if not is_terminal(self.line, meter)]
        parts = list(_parts(span, self.period_us, self.rows_max))
        count = min(METERS_MAX, max(1, self.rows_max // max(map(self._slots, parts), default=1)))
        for part in reversed(parts):
            yield from (((meter,), part) for meter in own)
            yield from ((some, part) for some in portions(behind, count))

    def _slots(self, span: Span) -> int:
        """How many rows of one meter a span may have."""
        return -(-(span.to_us - span.from_us) // self.period_us)

    def _read_some(self, meters: Sequence[MeterEntry], span: Span) -> Talk[None]:
        """One question; when one is not answered all become shorter, since long answers get lost more easily.

        Two in a row without an answer end it.
        """
        try:
            if is_terminal(self.line, meters[0]):
                found = yield from self._read_own(span)
                self._note(meters, found)
            else:
                yield from self._read_behind(meters, span)
        except TalkEndedError as end:
            if self.silent or end.outcome != NO_ANSWER:
                raise
            self.silent, self.missed = True, self.missed or self.patient
            if not self.patient:
                self.patient, self.rows_max = True, max(1, self.rows_max // SHORTER)
                yield from self.read(meters, span)
        else:
            self.silent = False

    def _read_behind(self, meters: Sequence[MeterEntry], span: Span) -> Talk[None]:
        """From the task table; or, where the terminal does not collect this, from the meters themselves."""
        if self.absent == SUCCESS:
            found = yield from self._read_tasks(meters, span)
            if found.dar not in ABSENT:
                self._note(meters, found)
                return
            self.absent = found.dar
        for meter in meters:
            answer = Found(0, self.absent)
            if meter.protocol == DLT698:
                answer = yield from self._read_meter(meter, span)
            self._note((meter,), answer)

    def _note(self, meters: Sequence[MeterEntry], found: Found) -> None:
        self.tally.read += found.rows
        if found.dar != SUCCESS:
            for meter in meters:
                self.tally.refuse(meter, dar_words(found.dar))

    def _read_tasks(self, meters: Sequence[MeterEntry], span: Span) -> Talk[Found]:
        both = in_both_times(span, self.off_us)
        ends = local_stamp(both.from_us, self.zone), local_stamp(both.to_us, self.zone)
        who = MetersAt(tuple([server_of(meter) for meter in meters]))
        rows = RowsStoredDuring(*ends, self.freeze.interval, who)
        request = get.GetRequestRecord(0, TASKS, rows, (METER, road(self.freeze, self.oads)))
        return self.line.kept_rows(request, tries=2 if self.patient else 1)

    def _read_own(self, span: Span) -> Talk[Found]:
        request = get.GetRequestRecord(0, self.freeze.oad, self._frozen(span), (FREEZE_TIME, *self.oads))
        return self.line.kept_rows(request, tries=2 if self.patient else 1)

    def _read_meter(self, meter: MeterEntry, span: Span) -> Talk[Found]:
        columns = (FREEZE_TIME, *self.oads)
        rows = self._frozen(span)
        request = proxy.ProxyGetRequestRecord(0, ALL_S, server_of(meter), self.freeze.oad, rows, columns)
        return self.line.kept_rows(request, tries=2 if self.patient else 1)

    def _frozen(self, span: Span) -> RowsBetween:
        """By the time of the freeze, which the meter's own clock tells."""
        low, high = (stamp(local_stamp(us, self.zone)) for us in span)
        return RowsBetween(FREEZE_TIME, low, high, NULL)


def _parts(span: Span, period_us: int, rows_max: int) -> Iterator[Span]:
    """The span in parts of equal length in which one meter has no more than `rows_max` rows, in the order of time."""
    slots = max(0, -(-(span.to_us - span.from_us) // period_us))
    count = -(-slots // rows_max)
    step_us = -(-slots // count) * period_us if count else 1
    for from_us in range(span.from_us, span.to_us, step_us):
        yield Span(from_us, min(from_us + step_us, span.to_us))
