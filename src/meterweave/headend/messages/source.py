"""What devices of one kind say, in the words of the intake.

A message is understood when it comes, since its content tells whose it is; the intake then takes what was understood of
many messages as one batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import structlog

from meterweave.headend.driver import Push
from meterweave.headend.enrolment import NewMeter
from meterweave.metering.batch import Quality, Reading, ReadingBatch, from_readings
from meterweave.metering.events import Event, EventBatch
from meterweave.profiles.message import Heard, Look, Message, Messages, Value
from meterweave.registry.address import name_key
from meterweave.registry.vocabulary import Utility

_NAMED = "json"
"""The protocol whose meters are the devices themselves, by name."""
_UNTIMED = int(Quality.TIME_INVALID)

_log = structlog.get_logger(__name__)


class Told(NamedTuple):
    """What one message says."""

    name: str  # of the device, as the archives have its terminal
    octets: bytes  # as it came
    readings: tuple[Reading, ...] = ()
    looks: tuple[Look, ...] = ()
    online: bool | None = None  # whether the device is there; None: it does not say
    timed: bool = True  # whether all has a time of its own, so that a repeat gives the same rows
    partly: bool = False  # whether a part of it was not understood
    events: tuple[Event, ...] = ()  # that it gives, once it is known what lasted before


class MessageSource:
    """Devices that speak alike; a `meterweave.headend.driver.Translator`.

    Parameters
    ----------
    protocol : str
        Of the meters that the messages tell of.
    model : str
        The name of their profile; empty where there is none.
    utility : Utility, optional
        Of the devices; without it that of what they measure.
    zone : ZoneInfo
        In which the clocks of the devices run.
    """

    def __init__(
        self, protocol: str, messages: Messages, zone: ZoneInfo, *, model: str = "", utility: Utility | None = None
    ) -> None:
        self._protocol, self._messages, self._zone, self._model = protocol, messages, zone, model
        self._utility = utility
        self._failing = False

    @property
    def protocol(self) -> str:
        """See `Translator`."""
        return self._protocol

    @property
    def filters(self) -> tuple[str, ...]:
        """The MQTT topics to subscribe to."""
        return self._messages.filters

    @property
    def state_filter(self) -> str | None:
        """The one of them under which births and wills come."""
        return self._messages.state_topic.filter if self._messages.state_topic else None

    def speaks_on(self, topic: str) -> bool:
        """Whether its devices speak under this topic."""
        wanted = (self._messages.topic, self._messages.state_topic)
        return any(one.device(topic) is not None for one in wanted if one is not None)

    def hear(self, messages: Sequence[Message], arrived: Sequence[int]) -> list[Told | None]:
        """What messages say that came at these times [us since 1970, UTC]; None: nothing that is understood.

        Times of arrival that differ keep two messages of one device apart that tell no times of their own.
        """
        received = max(arrived)
        try:
            heard = self._messages.understand(messages, received=received, zone=self._zone)
            return [
                self._told(one, message, received, at)
                for one, message, at in zip(heard, messages, arrived, strict=True)
            ]
        except Exception:  # a fault of ours must cost these messages, and the centre's other devices nothing
            if not self._failing:
                _log.exception("messages could not be read", profile=self._model, count=len(messages))
            self._failing = True
            return [None] * len(messages)

    def content(self, pushes: Sequence[Push], *, received: int, zone: ZoneInfo) -> tuple[ReadingBatch, EventBatch]:
        """See `Translator`; the messages were read when they came."""
        told: list[Told] = [one.message for one in pushes]
        try:
            return _rows(told, received)
        except Exception:  # as in `hear`; else the broker would deliver them for ever
            if not self._failing:
                _log.exception("messages give no rows", profile=self._model)
            self._failing = True
            return _rows([one if _sound(one, received) else _without_rows(one) for one in told], received)

    def introduce(self, stranger: NewMeter, push: Push) -> NewMeter:
        """See `Translator`."""
        told: Told = push.message
        address = told.name if self._protocol == _NAMED else ""
        return stranger._replace(
            address=address, meter_protocol=self._protocol, model=self._model, utility=self._utility
        )

    def _told(self, heard: Heard, message: Message, received: int, arrived: int) -> Told | None:
        if not heard.address or not (heard.readings or heard.looks or heard.online is not None):
            return None
        key = _key(heard.address)
        moments = [*(one.ts for one in heard.readings), *(one.at for one in heard.looks)]
        timed = received not in moments
        readings = [_reading(one, key) for one in heard.readings]
        if not timed:
            readings = [one._replace(ts=arrived) if one.ts == received else one for one in readings]
        return Told(
            heard.address,
            message.payload,
            tuple(readings),
            heard.looks if timed else tuple([one._replace(at=min(one.at, arrived)) for one in heard.looks]),
            heard.online,
            timed,
            heard.problem is not None,
        )


def _rows(told: Sequence[Told], received: int) -> tuple[ReadingBatch, EventBatch]:
    readings = from_readings([reading for one in told for reading in one.readings], received=received)
    frame = np.repeat(np.arange(len(told), dtype=np.int64), [len(one.readings) for one in told])
    events = tuple(event._replace(frame=index) for index, one in enumerate(told) for event in one.events)
    return replace(readings, frame=frame), EventBatch(events)


def _sound(told: Told, received: int) -> bool:
    try:
        _rows([told], received)
    except Exception:  # logged by the caller
        return False
    return True


def _without_rows(told: Told) -> Told:
    return told._replace(readings=(), events=())


def old(told: Told, arrived: int) -> Told:
    """A message that somebody held back: what has no time of its own did not happen when it came."""
    return told._replace(
        readings=tuple(
            one._replace(quality=one.quality | _UNTIMED) if one.ts == arrived else one for one in told.readings
        )
    )


@lru_cache(1 << 16)
def _key(name: str) -> int:
    return name_key(name)


def _reading(value: Value, own: int) -> Reading:
    key, quantity, series, ts, number, quality, source = value
    return Reading(0, own if key is None else key, quantity, series, ts, number, quality, source)
