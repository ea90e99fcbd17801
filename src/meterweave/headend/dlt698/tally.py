"""What has come so far of an operation on several meters, and the portions in which they are asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from meterweave.headend.operations import Done, Refusal, Refused
from meterweave.metering.quantities import by_code
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

NO_SUCH_DATA = Text("no such data in this protocol", "规约中无此数据项")

LEFT_OUT = Text("the terminal's answer says nothing of this meter", "终端应答中没有该表")

T = TypeVar("T")


class Tally:
    """What was read and what was refused.

    Parameters
    ----------
    fact : str
        What `Done.facts` calls the number of things read.
    """

    def __init__(self, fact: str) -> None:
        self.read = 0
        self._fact = fact
        self._refusals: dict[int, Refusal] = {}

    def refuse(self, meter: MeterEntry, reason: Text) -> None:
        """The meter said no; its first reason counts."""
        self._refusals.setdefault(meter.id, Refusal(meter.id, reason))

    def outcome(self, meters: int) -> Done | Refused:
        """Done; or refused, where all of `meters` say the same and nothing was read."""
        reasons = {one.reason for one in self._refusals.values()}
        if not self.read and len(reasons) == 1 and len(self._refusals) == meters:
            return Refused(reasons.pop())
        return Done({self._fact: self.read}, tuple(self._refusals.values()))


def portions(things: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The things in their order, `size` at a time."""
    for at in range(0, len(things), size):
        yield things[at : at + size]


def of_utility(quantities: Sequence[int], utility: Utility) -> list[int]:
    """Those of the quantities that a meter of this utility may have."""
    known = by_code()
    return [code for code in quantities if code in known and known[code].utility in {"", utility}]
