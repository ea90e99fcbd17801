"""The town's time, which may run faster than ours."""

from __future__ import annotations

import time
from dataclasses import dataclass

from meterweave.simulator.session import Instant


@dataclass(frozen=True, slots=True)
class TownClock:
    """It was `start_s` in the town when it was `began_s` for us, and runs `speed` times as fast.

    A town that began in our past hurries only until it has caught up with us: then it goes on at our pace.
    """

    start_s: float  # [s since 1970, UTC]
    speed: float
    began_s: float  # [s since 1970, UTC]

    @classmethod
    def beginning(cls, start_s: float | None = None, speed: float = 1.0, began_s: float | None = None) -> TownClock:
        """A clock that begins now, or at `began_s`, with our time, or with `start_s`."""
        began_s = time.time() if began_s is None else began_s
        return cls(began_s if start_s is None else start_s, speed, began_s)

    def town_us(self) -> int:
        """The time in the town. [us since 1970, UTC]"""
        ours_s = time.time()
        town_s = self.start_s + (ours_s - self.began_s) * self.speed
        return int((min(town_s, ours_s) if self.start_s < self.began_s else town_s) * 1e6)

    def now(self) -> Instant:
        """The two times of this moment."""
        return Instant(time.monotonic(), self.town_us() // 1_000_000)
