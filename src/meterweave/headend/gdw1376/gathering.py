"""Many questions for data, each about one item of one measuring point, asked in as few frames as answers may fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from meterweave.headend.gdw1376.dialogue import Dialogue, Talk
from meterweave.headend.gdw1376.ledger import Ledger
from meterweave.metering.quantities import by_code
from meterweave.protocols.gdw1376.part1 import Unit
from meterweave.protocols.gdw1376.part1.sources import Given
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Phase, Wiring
from meterweave.text import Text

ANSWER_OCTETS_MAX = 1500
"""What an answer may be expected to fill, so that it fits the frames terminals commonly send."""
UNITS_MAX = 64
"""Units of a question."""
DIVISIONS_MAX = 64
"""How often, in one operation, a question that was denied as a whole is asked again in halves."""

NOTHING = Text("the terminal has no data of the meter", "终端无该表数据")
NO_POINT = Text("the archives have no measuring point number of the meter", "档案中没有该表的测量点号")
NO_ITEM = Text("the protocol has no item for what is wanted", "规约中没有所需数据项")
_OTHER_PHASES = ("l2", "l3")


class Question(NamedTuple):
    """One item of one measuring point."""

    meter: MeterEntry
    unit: Unit
    octets: int  # of the answer, about


class Gathering:
    """Asks a terminal for data of many meters and keeps what comes."""

    def __init__(self, dialogue: Dialogue, afn: int, ledger: Ledger) -> None:
        self._dialogue, self._afn, self._ledger = dialogue, afn, ledger
        self._divisions = DIVISIONS_MAX
        self._leaves_out = False  # whether the terminal answers what it has and leaves out the rest

    def ask(self, questions: Iterable[Question]) -> Talk[list[Given]]:
        """What was given in all."""
        found: list[Given] = []
        for batch in batches(questions):
            if self._ledger.silent:
                break
            found += yield from self._ask(batch)
        return found

    def _ask(self, batch: Sequence[Question]) -> Talk[list[Given]]:
        meters = [one.meter for one in batch]
        reply = yield from self._dialogue.ask(self._afn, [one.unit for one in batch])
        if reply is None:
            self._ledger.missed(meters)
            return []
        self._ledger.heard()
        if reply.denial is None:
            found = yield from self._dialogue.keep(reply)
            self._note(batch, found)
            return found
        if len(batch) > 1 and self._divisions and not self._leaves_out:
            self._divisions -= 1
            half = len(batch) // 2
            first = yield from self._ask(batch[:half])
            return first + (yield from self._ask(batch[half:]))
        self._ledger.refuse(meters, reply.denial)
        return []

    def _note(self, batch: Sequence[Question], found: Sequence[Given]) -> None:
        points = {one.point for one in found if one.quantities}
        self._leaves_out = self._leaves_out or len(found) < len(batch)
        self._ledger.serve(one.meter for one in batch if one.meter.point_number in points)
        self._ledger.refuse((one.meter for one in batch if one.meter.point_number not in points), NOTHING)


def batches(questions: Iterable[Question]) -> Iterator[list[Question]]:
    """The questions in their order, as many together as one answer may hold."""
    batch: list[Question] = []
    octets = 0
    for one in questions:
        if batch and (octets + one.octets > ANSWER_OCTETS_MAX or len(batch) >= UNITS_MAX):
            yield batch
            batch, octets = [], 0
        batch.append(one)
        octets += one.octets
    if batch:
        yield batch


def own_quantities(meter: MeterEntry, quantities: Sequence[int]) -> list[int]:
    """Those of `quantities` that a meter can have: one on a single phase counts as phase A and has no other."""
    single = meter.wiring is Wiring.SINGLE_PHASE or meter.phase in (Phase.A, Phase.B, Phase.C)
    if not single:
        return list(quantities)
    known = by_code()
    return [code for code in quantities if code not in known or known[code].phase not in _OTHER_PHASES]
