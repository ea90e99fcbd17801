"""What all routes share: made once, with the application."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Protocol
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from meterweave.api.kept import Kept
from meterweave.api.known import Known
from meterweave.api.live import Live
from meterweave.api.metrics import Metrics
from meterweave.api.rate import Rate
from meterweave.api.work import Work
from meterweave.centre.api_settings import ApiSettings
from meterweave.headend import Counters
from meterweave.headend.intake import Intake
from meterweave.lake import Lake
from meterweave.manager.door import Door
from meterweave.registry import Registry


class Collecting(Protocol):
    """What the API wants to know of a head-end."""

    @property
    def counters(self) -> Counters:
        """What it counts."""
        ...

    @property
    def intake(self) -> Intake:
        """Where readings come in."""
        ...


class Api:
    """What there is to answer with.

    Parameters
    ----------
    registry, lake
        Opened; whoever opened them closes them, after the API.
    folder : Path
        The data folder.
    collecting : Collecting, optional
        The head-end of this process; without it there are no live readings.
    clock : callable, optional
        The time of day, if not the real one. [us since 1970, UTC]
    door : Door, optional
        Where people come in, if it is made already.
    """

    def __init__(
        self,
        registry: Registry,
        lake: Lake,
        folder: Path,
        settings: ApiSettings,
        *,
        collecting: Collecting | None = None,
        clock: Callable[[], int] | None = None,
        door: Door | None = None,
    ) -> None:
        self.registry, self.lake, self.settings, self.collecting = registry, lake, settings, collecting
        self.door = door or Door(registry, folder)
        self.now_us = clock or (lambda: time.time_ns() // 1000)
        self.work = Work(settings.workers, settings.waiting_max)
        self.downloads = Work(settings.streams_max, 4 * settings.streams_max)  # `streams` bounds them before
        self.by_address = Rate(settings.address_per_s, settings.address_burst, settings.callers_max)
        self.by_identity = Rate(settings.identity_per_s, settings.identity_burst, settings.callers_max)
        self.live = Live(settings.live_max, settings.live_each_max, settings.live_queue)
        self.streams = asyncio.Semaphore(settings.streams_max)
        self.kept = Kept()
        self.known = Known(settings.callers_max)
        self.metrics = Metrics(self)

    @property
    def zone(self) -> ZoneInfo:
        """In which days begin and end."""
        return self.lake.settings.zone

    def now_s(self) -> float:
        """A clock that only goes forward, for paces. [s]"""
        return time.monotonic()

    def now(self) -> datetime:
        """The real time, by which commands and sessions end."""
        return datetime.now(UTC)

    def close(self) -> None:
        """Begin nothing more."""
        self.work.close()
        self.downloads.close()


def _api(request: Request) -> Api:
    api: Api = request.app.state.api
    return api


async def api_of(request: Request) -> Api:
    """The shared state, for routes."""
    return _api(request)


Shared = Annotated[Api, Depends(api_of)]
