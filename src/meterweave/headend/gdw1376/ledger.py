"""Which meters of an operation got what was wanted of them, and who said no to the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from meterweave.headend.gdw1376.dialogue import NO_ANSWER
from meterweave.headend.operations import Done, Outcome, Refusal, Refused, Unknown
from meterweave.registry.meter_entries import MeterEntry
from meterweave.text import Text

SILENCES_MAX = 2
"""Questions without an answer, one after another, after which no more are asked."""


class Ledger:
    """The meters of an operation."""

    def __init__(self, meters: Iterable[MeterEntry]) -> None:
        self._meters = tuple(meters)
        self._served: set[int] = set()
        self._reasons: dict[int, Text] = {}
        self._silences = 0
        self._missed = False

    @property
    def silent(self) -> bool:
        """Whether the terminal answers nothing any more."""
        return self._silences >= SILENCES_MAX

    def heard(self) -> None:
        """An answer came."""
        self._silences = 0

    def missed(self, meters: Iterable[MeterEntry]) -> None:
        """No answer came to a question about these."""
        self._silences += 1
        self._missed = True
        self.refuse(meters, NO_ANSWER)

    def serve(self, meters: Iterable[MeterEntry]) -> None:
        """These meters gave something."""
        self._served.update(meter.id for meter in meters)

    def refuse(self, meters: Iterable[MeterEntry], reason: Text) -> None:
        """These meters did not give what was asked, for a reason; the last one counts."""
        self._reasons.update((meter.id, reason) for meter in meters)

    def outcome(self, *, lacking: Collection[int] = ()) -> Outcome:
        """What came of it all.

        Parameters
        ----------
        lacking : collection of int
            Meters (ids) that gave something and are to be told of nevertheless, since it was not all.
        """
        if self.silent:
            return Unknown(NO_ANSWER)
        refusals = tuple(
            Refusal(meter.id, self._reasons[meter.id])
            for meter in self._meters
            if meter.id in self._reasons and (meter.id not in self._served or meter.id in lacking)
        )
        if refusals and not self._served:
            return Unknown(refusals[0].reason) if self._missed else Refused(refusals[0].reason)
        return Done(refusals=refusals)
