"""The head-end: terminals dial in, log in, report; what they report is on disk before they are told so.

socket ─► Connection ─► Session (decides) ─► Driver (translates)
                             │ Store
                             ▼
                          Intake ─► decode in columns ─► meters' ids ─► lake's journal ─► acknowledge
"""

from meterweave.headend.counters import Counters
from meterweave.headend.reception import TerminalName
from meterweave.headend.server import DRIVERS, HeadEnd
from meterweave.headend.settings import HeadEndSettings
from meterweave.headend.unknown import Sighting, Unknown

__all__ = ["DRIVERS", "Counters", "HeadEnd", "HeadEndSettings", "Sighting", "TerminalName", "Unknown"]
