"""A town of meters and concentrators that speak the real protocols, for trying out any centre.

`town` builds it from a seed; `registers` says what every meter shows at every moment, `condition` what changed that,
`events` what happened beside. `session` and the two terminals, each with its answers, orders, archive and events, are
sans-IO; `network` puts them on sockets. `truth` writes down what was true, `archives` what the utility knows of it.
"""

from __future__ import annotations

from meterweave.simulator.clock import TownClock
from meterweave.simulator.faults import Faults
from meterweave.simulator.network import Address, run, terminals_of
from meterweave.simulator.session import Habits, Instant, Terminal
from meterweave.simulator.town import Concentrator, Meter, Plan, Protocol, build

__all__ = [
    "Address",
    "Concentrator",
    "Faults",
    "Habits",
    "Instant",
    "Meter",
    "Plan",
    "Protocol",
    "Terminal",
    "TownClock",
    "build",
    "run",
    "terminals_of",
]
