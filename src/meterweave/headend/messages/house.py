"""What of a head-end takes in messages of devices without a session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from meterweave.headend.counters import Counters
from meterweave.headend.intake import Intake
from meterweave.headend.messages.condition import Conditions
from meterweave.headend.messages.memory import Memory
from meterweave.headend.reception import Reception
from meterweave.headend.settings import HeadEndSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The parts that all brokers and ports of one head-end share."""

    intake: Intake
    reception: Reception
    conditions: Conditions
    memory: Memory
    """Of messages without a time of their own."""
    counters: Counters
    settings: HeadEndSettings
    zone: ZoneInfo
    """In which the clocks of devices run."""
    clock: Callable[[], int]
    """The time of day. [us since 1970, UTC]"""
    heard: Callable[[int], None]
    """Notes that a terminal, by its id, was heard just now."""
