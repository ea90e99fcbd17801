"""Finding the meters on a line: what each protocol has for that, and how a line is asked.

A `Hunt` decides what to send next and what an answer means; `scan` sends and listens. Nobody else may use the line
meanwhile. Meters that answer together spoil each other's frames; a hunt then asks fewer of them at once, where its
protocol can.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from meterweave.errors import DecodeError
from meterweave.field.plan import Pace
from meterweave.field.ports import Link
from meterweave.protocols import cjt188, dlt645, mbus, modbus
from meterweave.protocols.cjt188.meter import WILDCARD_TYPE, Medium, meter_kind
from meterweave.protocols.codec import Codec
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.dlt645.address import WILDCARD, matches
from meterweave.protocols.mbus.header import SecondaryAddress, manufacturer_code, medium_name
from meterweave.protocols.mbus.search import Search
from meterweave.protocols.mbus.words import PRIMARY_MAX
from meterweave.protocols.modbus.rtu import UNIT_MAX
from meterweave.protocols.stream import Garbage
from meterweave.text import Text

REQUESTS_MAX = 20_000
"""A line of noise answers everything, and would be searched for ever."""
WAKE_UP = 4
"""Octets FEH before a request where the protocol has them."""


_ELECTRICITY, _WATER, _GAS, _HEAT = "electricity", "water", "gas", "heat"
_UTILITIES_188 = {
    Medium.COLD_WATER: _WATER,
    Medium.HOT_WATER: _WATER,
    Medium.GAS: _GAS,
    Medium.HEAT: _HEAT,
    Medium.COOLING: _HEAT,
}
_UTILITIES_MBUS = {
    0x02: _ELECTRICITY,
    0x03: _GAS,
    **dict.fromkeys((0x06, 0x07, 0x15, 0x16, 0x17), _WATER),
    **dict.fromkeys((0x04, 0x0A, 0x0B, 0x0C, 0x0D), _HEAT),
}


class Found(NamedTuple):
    """One meter."""

    address: str
    """As profiles take it."""
    what: Text
    """What it says of itself; empty where it says nothing."""
    whole: str = ""
    """Its address of the world, where that says more: ``KAM-12345678-01-04``."""
    utility: str = ""
    """What it measures, where it says so: ``electricity``, ``water``, ``gas`` or ``heat``."""


class Hunt(ABC):
    """One search, step by step."""

    codec: Codec
    patient = False
    """Whether several may answer one after the other, so that the whole time for an answer has to be waited."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.unresolved: list[str] = []
        """Where several answered that cannot be told apart, or somebody that cannot be understood."""

    @property
    @abstractmethod
    def request(self) -> bytes | None:
        """What to send; None: the search is over."""

    @abstractmethod
    def heard(self, frames: Sequence[bytes], *, garbage: bool) -> None:
        """What came: whole frames, and whether there were octets beside them; neither is silence."""

    @property
    def farewell(self) -> bytes:
        """What to send when the search is over."""
        return b""


class Dlt645Hunt(Hunt):
    """Reads `di` by the wildcard AAH for unknown high digits, two more low digits wherever several answer.

    A line of one meter takes one request; each pair of digits that has to be told apart takes a hundred more.
    """

    codec = dlt645.CODEC
    patient = True

    def __init__(self, di: str = "00010000") -> None:
        super().__init__()
        self._di = di
        self._waiting = [""]  # low digits of the addresses still to try, the next one last

    @property
    def request(self) -> bytes | None:
        if not self._waiting:
            return None
        frame = commands.read(self._pattern, self._di)
        return dlt645.encode(frame._replace(wake_up=WAKE_UP))

    @property
    def _pattern(self) -> str:
        return self._waiting[-1].rjust(len(WILDCARD), WILDCARD[0])

    def heard(self, frames: Sequence[bytes], *, garbage: bool) -> None:
        pattern = self._pattern
        low = self._waiting.pop()
        said = decoded(self.codec, frames)
        own = [one.address for one in said if one.is_reply and matches(pattern, one.address)]
        if len(own) == 1 and not garbage:
            self.found.append(Found(own[0], Text("", "")))
        elif (own or garbage) and len(low) < len(WILDCARD):
            self._waiting += [f"{number:02d}{low}" for number in reversed(range(100))]
        elif own or garbage:
            self.unresolved.append(low)


class Cjt188Hunt(Hunt):
    """Reads the meter at the wildcard address, of any type and then of each of `meter_types`.

    The protocol has no way to ask fewer of several: they are one line of `unresolved` for each type.
    """

    codec = cjt188.CODEC
    patient = True

    def __init__(self, meter_types: Iterable[int] = (WILDCARD_TYPE, 0x10, 0x11, 0x20, 0x30), di: int = 0x901F) -> None:
        super().__init__()
        self._di = di
        self._waiting = list(meter_types)[::-1]

    @property
    def request(self) -> bytes | None:
        if not self._waiting:
            return None
        frame = cjt188.request(0x01, self._waiting[-1], "aa" * 7, self._di)
        return cjt188.encode(replace(frame, wake_up=WAKE_UP))

    def heard(self, frames: Sequence[bytes], *, garbage: bool) -> None:
        meter_type = self._waiting.pop()
        own = [said for said in decoded(self.codec, frames) if said.answer]
        if len(own) == 1 and not garbage:
            kind = meter_kind(own[0].meter_type)
            one = Found(own[0].address, kind.meaning, utility=_UTILITIES_188.get(kind.medium, ""))
            self.found += [] if one in self.found else [one]
        elif own or garbage:
            self.unresolved.append(f"{'aa' * 7} {meter_type:02x}")


class MbusHunt(Hunt):
    """The search by secondary address: see `meterweave.protocols.mbus.search`."""

    codec = mbus.CODEC

    def __init__(self) -> None:
        super().__init__()
        self._search = Search()

    @property
    def request(self) -> bytes | None:
        message = self._search.request
        return None if message is None else mbus.encode(message)

    def heard(self, frames: Sequence[bytes], *, garbage: bool) -> None:
        if not frames and not garbage:
            self._search.silence()
        else:
            said = decoded(self.codec, frames)
            self._search.heard(said[0] if len(said) == len(frames) == 1 and not garbage else None)
        self.found = [_identified(one.identification, one) for one in self._search.found]
        self.unresolved = [one.identification for one in self._search.unresolved]

    @property
    def farewell(self) -> bytes:
        return mbus.encode(self._search.farewell)


class MbusPrimaryHunt(Hunt):
    """Reads every primary address; who answers is there, and says who it is."""

    codec = mbus.CODEC

    def __init__(self, addresses: Iterable[int] = range(1, PRIMARY_MAX + 1)) -> None:
        super().__init__()
        self._waiting = list(addresses)[::-1]

    @property
    def request(self) -> bytes | None:
        return mbus.encode(mbus.Link(self._waiting[-1]).request_data()) if self._waiting else None

    def heard(self, frames: Sequence[bytes], *, garbage: bool) -> None:
        address = self._waiting.pop()
        own = [one for one in decoded(self.codec, frames) if getattr(one, "address", None) == address]
        if len(own) == 1 and not garbage:
            self.found.append(_identified(str(address), _secondary(own[0])))
        elif frames or garbage:
            self.unresolved.append(str(address))


def _secondary(said: mbus.Message) -> SecondaryAddress | None:
    body = getattr(said, "body", None)
    return body.header.address if isinstance(body, mbus.VariableData) and isinstance(body.header, mbus.Header) else None


def _identified(address: str, identity: SecondaryAddress | None) -> Found:
    if identity is None:
        return Found(address, Text("", ""))
    maker, medium = manufacturer_code(identity.manufacturer), medium_name(identity.medium)
    said = Text(f"{maker} {identity.version}, {medium.en}", f"{maker} {identity.version}，{medium.zh}")
    whole = f"{maker}-{identity.identification}-{identity.version:02x}-{identity.medium:02x}"
    return Found(address, said, whole, _UTILITIES_MBUS.get(identity.medium, ""))


def decoded(codec: Codec, frames: Sequence[bytes]) -> list[Any]:
    """The messages of frames; without those that cannot be understood."""
    found = []
    for frame in frames:
        with contextlib.suppress(DecodeError):
            found.append(codec.decode(frame))
    return found


class ModbusHunt(Hunt):
    """Reads one register of every unit; who refuses is there too."""

    codec = modbus.CODEC

    def __init__(self, units: Iterable[int] = range(1, UNIT_MAX + 1), register: int = 0) -> None:
        super().__init__()
        self._register = register
        self._waiting = list(units)[::-1]

    @property
    def request(self) -> bytes | None:
        if not self._waiting:
            return None
        return modbus.encode(modbus.read_request(self._waiting[-1], self._register, 1))

    def heard(self, frames: Sequence[bytes], *, garbage: bool) -> None:
        unit = self._waiting.pop()
        own = [frame for frame in frames if frame[0] == unit]
        if len(own) == 1 and not garbage:
            self.found.append(Found(str(unit), Text("", "")))
        elif own or garbage:
            self.unresolved.append(str(unit))


class Scanned(NamedTuple):
    """What a scan found."""

    found: tuple[Found, ...]
    unresolved: tuple[str, ...]
    request_count: int
    complete: bool
    """Whether the search came to its end within `REQUESTS_MAX` requests."""


async def scan(
    link: Link,
    hunt: Hunt,
    pace: Pace,
    *,
    requests_max: int = REQUESTS_MAX,
    on_request: Callable[[int, int], None] = lambda asked, found: None,
) -> Scanned:
    """Find the meters on a line; raises what `link` raises.

    Parameters
    ----------
    on_request : callable
        Called after each request: how many there were, how many meters were found.
    """
    count = 0
    while (request := hunt.request) is not None and count < requests_max:
        frames, garbage = await _exchange(link, hunt, request, pace)
        hunt.heard(frames, garbage=garbage)
        count += 1
        on_request(count, len(hunt.found))
    if hunt.farewell:
        link.send(hunt.farewell)
    return Scanned(tuple(hunt.found), tuple(hunt.unresolved), count, hunt.request is None)


async def _exchange(link: Link, hunt: Hunt, request: bytes, pace: Pace) -> tuple[list[bytes], bool]:
    """Send a request after the line's silence; the whole frames that came, and whether other octets did."""
    loop, decoder = asyncio.get_running_loop(), hunt.codec.decoder()
    await link.receive(loop.time() + pace.silence_s)
    link.send(request)
    until = loop.time() + len(request) * pace.character_s + pace.reply_s
    last = until + decoder.size_max * pace.character_s + pace.gap_s
    events: list[bytes | Garbage] = []
    while octets := await link.receive(min(until, last)):
        events += decoder.feed(octets)
        ended = loop.time() + pace.gap_s
        whole = any(isinstance(event, bytes) for event in events)
        until = ended if whole and not hunt.patient else max(until, ended)
    events += decoder.flush()
    echo = request.lstrip(b"\xfe")
    frames = [event for event in events if isinstance(event, bytes) and event != echo]
    return frames, any(isinstance(event, Garbage) and event.octets.strip(b"\xfe") for event in events)
