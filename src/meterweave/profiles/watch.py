"""From states to events: what began and what ended between two looks at a device."""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.metering.batch import Source
from meterweave.metering.events import ENDED, Event


def changes(before: Mapping[int, bool], now: Mapping[int, bool], *, meter: int, at: int) -> list[Event]:
    """The events between two looks, both as `meterweave.profiles.Answer.conditions` has them.

    What lasts already at the first look began, as far as anybody knows, then. What a look does not tell is unchanged;
    keep ``{**before, **now}`` for the next one.

    Parameters
    ----------
    meter : int
        Goes into `Event.key`.
    at : int
        When the second look was; the change lies between the two. [us since 1970, UTC]
    """
    changed = [(code, lasts) for code, lasts in now.items() if lasts != before.get(code, False)]
    return [
        Event(0, meter, False, code if lasts else code + ENDED, at, None, None, None, int(Source.READ))
        for code, lasts in changed
    ]
