"""Meter data management: what was used, from what registers read.

`consumption` is the pure function, `consumption_of` asks it of a lake and its archives.
"""

from meterweave.mdm.boundaries import every, local_days, local_months
from meterweave.mdm.interval import Intervals
from meterweave.mdm.ratio import Ratios
from meterweave.mdm.register import Register, ResetWindow, rollover_at
from meterweave.mdm.span import STILL_THERE_US, Spans
from meterweave.mdm.step import WORDS, Flag
from meterweave.mdm.supply import Terms, consumption_of, consumption_pieces
from meterweave.mdm.timeline import SINCE_EVER_US
from meterweave.mdm.totals import total
from meterweave.mdm.usage import consumption

__all__ = [
    "SINCE_EVER_US",
    "STILL_THERE_US",
    "WORDS",
    "Flag",
    "Intervals",
    "Ratios",
    "Register",
    "ResetWindow",
    "Spans",
    "Terms",
    "consumption",
    "consumption_of",
    "consumption_pieces",
    "every",
    "local_days",
    "local_months",
    "rollover_at",
    "total",
]
