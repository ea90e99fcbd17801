"""The meters' line of a concentrator: whatever goes out at the port, at most one meter feels meant and answers."""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.simulator import meter188, meter645
from meterweave.simulator.events import Diary
from meterweave.simulator.town import Meter


def answer(meters: Sequence[Meter], octets: bytes, now_s: int, diary: Diary) -> bytes | None:
    """What comes back from the line when a centre sends `octets` through; None where no meter answers."""
    reply = meter645.answer(meters, octets, now_s, diary)
    return meter188.answer(meters, octets, now_s, diary) if reply is None else reply
