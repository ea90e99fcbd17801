"""The time of day at a site, where a box may have no clock that outlasts a power cut.

The centre tells the time whenever it is reached; a clock that is off is put right by it. Until then a time that lies
before something this gateway has written cannot be true, and nothing is read with it.
"""

from __future__ import annotations

import time

import structlog

from meterweave.errors import MeterweaveError

TOLERATED_US = 5_000_000
"""Difference to the centre's clock up to which a gateway goes by its own. [us] The way takes its time."""

_log = structlog.get_logger(__name__)


class ClockError(MeterweaveError):
    """Nobody knows what time it is."""


class SiteClock:
    """Gives the time of day. [us since 1970, UTC]

    Parameters
    ----------
    past_us : int
        A moment that is certainly past. [us since 1970, UTC]
    """

    def __init__(self, past_us: int) -> None:
        self._past_us = past_us
        self.offset_us = 0
        """What the machine's clock lacks, as the centre says. [us]"""

    @property
    def is_set(self) -> bool:
        """Whether the time can be true."""
        return self() >= self._past_us

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self.offset_us

    def told(self, centre_us: int, took_us: int) -> None:
        """The centre says what time it is.

        Parameters
        ----------
        centre_us : int
            The centre's time as it answered. [us since 1970, UTC]
        took_us : int
            From the question to the answer. [us] Nobody knows how much of it was the way back, so as much as half of
            it may be wrong, and a clock that is no further off than that is left alone.
        """
        off_us = centre_us + took_us // 2 - time.time_ns() // 1000
        tolerated_us = TOLERATED_US + took_us // 2
        self._past_us = 0  # the centre knows better than what was written with a clock that may have been wrong
        if abs(off_us - self.offset_us) <= tolerated_us:
            return
        was_off, self.offset_us = self.offset_us != 0, 0 if abs(off_us) <= tolerated_us else off_us
        if self.offset_us:
            _log.warning("the clock of this machine is off, going by the centre's", off_s=round(-off_us / 1e6))
        elif was_off:
            _log.info("the clock of this machine is right again")
