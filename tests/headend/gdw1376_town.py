"""A simulated Q/GDW 1376.1 terminal at the other end of a conversation, and what was true in it. For tests only."""

from __future__ import annotations

from typing import Any

from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import Message
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Phase
from meterweave.simulator import Instant, truth
from meterweave.simulator.session import Send
from meterweave.simulator.town import Meter
from tests.headend.gdw1376_talk import Line, driver, meter
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, small_town, talk, true_rows

SIM_NOW_S = MIDNIGHT_S + 2 * DAY_S - 5000
US = 1_000_000
Row = tuple[Any, ...]
"""Meter, quantity, profile, time and value."""


class Simulated:
    """A simulated terminal and what was true in it."""

    def __init__(self, **given: Any) -> None:
        town, terminals = small_town(**given)
        self.site, self.terminal = town[1], terminals[1]
        talk(self.terminal, Centre(self.site.protocol), SIM_NOW_S)
        self.true = true_rows([truth.truth(self.site, MIDNIGHT_S, SIM_NOW_S)])
        self.entries = tuple(self._entry(one) for one in self.site.meters)

    def line(self) -> Line:
        return Line(self._answer, driver(self.site.region, self.site.terminal), SIM_NOW_S * US)

    def _answer(self, question: Message) -> list[Message | bytes]:
        effects = self.terminal.receive(part1.encode(question), Instant(0.0, SIM_NOW_S))
        stream = part1.FrameDecoder()
        return [
            frame
            for one in effects
            if isinstance(one, Send)
            for frame in stream.feed(one.octets)
            if type(frame) is bytes
        ]

    def _entry(self, one: Meter) -> MeterEntry:
        phase = [Phase.ABC, Phase.A, Phase.B, Phase.C][one.phase]
        return meter(one.point, one.address, phase=phase)
