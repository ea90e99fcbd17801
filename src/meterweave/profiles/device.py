"""A simulated device that behaves as its profile says: octets in, octets out; messages where it speaks by itself.

It answers what its protocol asks for and keeps silent where a real one does: to other addresses, to broken frames. Its
registers climb and its instant values sway with the time it is told; what is set stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.errors import ConfigError
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import Kind
from meterweave.profiles.message import Message, Messages
from meterweave.profiles.profile import Point, Profile
from meterweave.profiles.speech import Cell, Order, Purpose
from meterweave.profiles.unit import ratio
from meterweave.protocols.stream import Garbage

SWAY_S = 60
"""Half a period of the swaying of instant values."""
_SHARE = 20
"""Of its range a register has this share at the beginning, and an instant value sways by this share of itself."""
_START_MAX = 1_000_000
_INSTANT: Mapping[str, Fraction] = MappingProxyType(
    {
        "V": Fraction(220),
        "A": Fraction(5),
        "W": Fraction(1100),
        "var": Fraction(200),
        "VA": Fraction(1120),
        "1": Fraction(95, 100),
        "Hz": Fraction(50),
        "Cel": Fraction(45),
        "K": Fraction(10),
        "m3/h": Fraction(2),
        "CNY": Fraction(100),
        "kWh": Fraction(100),
    }
)
"""What instant values are about, by the unit of the quantity."""


class Given(NamedTuple):
    """An order the device obeyed."""

    name: str
    numbers: tuple[int, ...]


class Line:
    """What a device hears on one line."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._decoder = device.profile.speech.questions()

    def feed(self, octets: bytes, now_s: int | None = None) -> bytes:
        """Octets of the line; what the device answers. `now_s` is its time, where that moves. [s]"""
        device = self._device
        device.now_s = device.now_s if now_s is None else now_s
        return self._served(self._decoder.feed(octets))

    def silence(self) -> bytes:
        """The line fell silent: what was begun is no frame any more, and what it hides is answered."""
        return self._served(self._decoder.flush())

    def _served(self, events: Sequence[bytes | Garbage]) -> bytes:
        serve = self._device.profile.speech.serve
        return b"".join(serve(self._device, event) for event in events if isinstance(event, bytes))


class Device:
    """One simulated device.

    Parameters
    ----------
    profile : Profile
        How it speaks and what it has.
    address : str
        As `Profile.address` takes it.
    values : mapping of int to int or None
        Stored integers by quantity code, that stay as they are; None: the device has no value. All other values move.

    Raises
    ------
    ConfigError
        If the address is none, or a value is one that the device cannot show exactly.
    """

    def __init__(self, profile: Profile, address: str, values: Mapping[int, int | None] = MappingProxyType({})) -> None:
        self.profile = profile
        self.address = profile.address(address)
        self.utility = profile.utility
        self.settings = profile.settings
        self.cells: Sequence[Cell] = [*dict.fromkeys([*(point.cell for point in profile.points), *profile.words])]
        self.closed = True
        self.lasting: set[int] = set()
        """Codes of the events that last."""
        self.given: list[Given] = []
        self.now_s = 0
        self.session: dict[str, int] = {}
        self._first = Line(self)
        self._points = {point.cell: point for point in profile.points}
        self._set: dict[Cell, int | None] = {}
        for code, value in values.items():
            self.set(code, value)

    @property
    def orders(self) -> Sequence[Order]:
        """The orders the device understands."""
        return list(self.profile.orders.values())

    def set(self, code: int, value: int | None) -> None:
        """Give a quantity a value that stays; see the class."""
        point = next((one for one in self.profile.points if one.quantity.code == code), None)
        if point is None:
            raise ConfigError(f"profile {self.profile.name} has no quantity {code}")
        if value is None:
            if not point.cell.can_miss:
                raise ConfigError(f"{point.quantity.name}: the device has no sign for no value")
            self._set[point.cell] = None
            return
        number = value / _steps(point)
        if number.denominator != 1 or not point.cell.holds(int(number)):
            raise ConfigError(f"{point.quantity.name}: the device cannot show {value}")
        self._set[point.cell] = int(number)

    def stored(self, code: int) -> int | None:
        """What a quantity has now, as a stored integer; rounded down where the device counts finer."""
        point = next(one for one in self.profile.points if one.quantity.code == code)
        number = self.number(point.cell)
        return None if number is None else int(number * _steps(point))

    def line(self) -> Line:
        """One more line or connection on which the device listens."""
        return Line(self)

    def feed(self, octets: bytes, now_s: int | None = None) -> bytes:
        """`Line.feed` of the device's first line."""
        return self._first.feed(octets, now_s)

    # Speaking by itself -----------------------------------------------------------------------------------------------

    def message(self, now_s: int, zone: ZoneInfo = SHANGHAI) -> Message:
        """What the device sends by itself; `now_s` is its time. [s since 1970, UTC]

        Raises
        ------
        ConfigError
            If the profile has no `messages`.
        """
        messages = self._messages()
        topic = messages.topic.of(self.address) if messages.topic else None
        payload = messages.content.write(self, now_s, zone)
        self.now_s = now_s
        return Message(topic, payload)

    def presence(self, *, online: bool) -> Message | None:
        """The device's birth, or its will; None where the profile has neither."""
        presence = self._messages().presence
        return Message(presence.topic.of(self.address), presence.write(online=online)) if presence else None

    def questions(self) -> Sequence[bytes]:
        """Requests that together read the device."""
        requests = self.profile.requests(self.address)
        return [request.octets for request in requests if request.purpose is Purpose.READ]

    def _messages(self) -> Messages:
        if self.profile.messages is None:
            raise ConfigError(f"profile {self.profile.name} has no messages: its devices only answer")
        return self.profile.messages

    # What speeches ask for --------------------------------------------------------------------------------------------

    def number(self, cell: Cell) -> int | None:
        """The number that the device sends for `cell` now; None: no value."""
        if cell in self._set:
            return self._set[cell]
        point = self._points.get(cell)
        return self._moving(point) if point else self._word(cell)

    def obey(self, order: str, numbers: Sequence[int]) -> None:
        """An order arrived."""
        self.given.append(Given(order, tuple(numbers)))
        if order in ("trip", "close"):
            self.closed = order == "close"

    def _word(self, cell: Cell) -> int:
        word = 0
        for one in self.profile.conditions:
            if one.cell == cell:
                word |= ((one.event in self.lasting) == bool(one.when)) << one.bit
        state = self.profile.state
        if state is not None and state.cell == cell:
            word = word & ~(1 << state.bit) | (self.closed == bool(state.closed)) << state.bit
        return word

    def _moving(self, point: Point) -> int:
        low, high = point.cell.limits()
        if point.quantity.kind is Kind.CUMULATIVE:
            start = min(high // _SHARE, _START_MAX)
            return _held(point.cell, start + self.now_s % (high - start + 1))
        steps = _steps(point)
        about = _INSTANT.get(point.quantity.unit, Fraction(1)) * Fraction(10) ** -point.quantity.exponent / steps
        sway = about / _SHARE * (abs(self.now_s % (2 * SWAY_S) - SWAY_S) - SWAY_S // 2) / SWAY_S
        return _held(point.cell, max(low, min(high, round(about + sway))))


def _held(cell: Cell, number: int) -> int:
    """`number`, or its neighbour where it stands for no value."""
    return next(one for one in (number, number - 1, number + 1) if cell.holds(one))


def _steps(point: Point) -> Fraction:
    """How many stored steps of the quantity one step of the device's number is."""
    factor, unit = point.cell.step()
    worth = ratio(unit, point.quantity.unit)
    assert worth is not None  # the checker saw to that
    return factor * worth * Fraction(10) ** -point.quantity.exponent
