"""A meter model as its profile describes it: what to ask, what answers mean, how to give orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.errors import ConfigError
from meterweave.metering.batch import Profile as Series
from meterweave.metering.batch import Quality, Reading, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.quantities import Quantity
from meterweave.profiles.message import Heard as Understood
from meterweave.profiles.message import Message, Messages
from meterweave.profiles.speech import Access, Cell, Heard, Order, Purpose, Request, Sent, Settings, Speech, speech
from meterweave.profiles.unit import scale
from meterweave.protocols.dlt645.commands import FOREVER
from meterweave.protocols.stream import FrameDecoder
from meterweave.text import Text


class Point(NamedTuple):
    """One quantity, and where the device has it."""

    quantity: Quantity
    cell: Cell


class Condition(NamedTuple):
    """A bit that tells of something that lasts."""

    cell: Cell
    bit: int
    event: int  # code of `meterweave.metering.events`
    when: int  # the state of the bit while it lasts


class State(NamedTuple):
    """The bit that tells whether the customer is supplied."""

    cell: Cell
    bit: int
    closed: int  # its state while supplied


class Row(NamedTuple):
    """One value of an answer, as sent and as stored."""

    point: Point
    sent: Sent
    value: int | None
    """Times 10 to the power of the quantity's exponent it is in the quantity's unit; None: there is no value."""
    quality: Quality


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reply says."""

    rows: tuple[Row, ...] = ()
    conditions: Mapping[int, bool] = field(default_factory=dict)
    """Whether each event, by its code, lasts now."""
    closed: bool | None = None
    """Whether the customer is supplied; None: the reply does not tell."""
    problem: Text | None = None
    """Why the reply is not what was hoped for."""
    refused: bool = False
    """The device answered and said no; a problem without this is no answer at all, and may be asked for again."""
    more: Request | None = None
    """To be sent next for the rest of the answer."""
    words: Mapping[Cell, Sent] = field(default_factory=dict)
    """The words of bits as sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One meter model."""

    name: str
    title: Text
    maker: str
    utility: str
    protocol: str
    settings: Settings
    points: tuple[Point, ...]
    conditions: tuple[Condition, ...] = ()
    orders: Mapping[str, Order] = field(default_factory=dict)
    state: State | None = None
    valve: bool = False
    """Whether a valve, not a relay, cuts the customer off."""
    messages: Messages | None = None
    """How devices are heard that speak by themselves; None: they only answer."""

    @property
    def speech(self) -> Speech:
        """The protocol's own part."""
        return speech(self.protocol)

    @property
    def words(self) -> tuple[Cell, ...]:
        """The words of bits, each once."""
        cells = [one.cell for one in self.conditions] + ([self.state.cell] if self.state else [])
        return tuple(dict.fromkeys(cells))

    def address(self, text: str) -> str:
        """An address as this profile's frames carry it.

        Raises
        ------
        ConfigError
            If `text` is no address of the protocol.
        """
        return self.speech.address(text, self.settings)

    # Reading ----------------------------------------------------------------------------------------------------------

    def requests(self, address: str, wanted: Collection[int] | None = None) -> list[Request]:
        """The requests that together read the device, in the order in which to send them.

        Parameters
        ----------
        address : str
            See `address`.
        wanted : collection of int, or None
            Packed OBIS codes; None: everything the profile knows, words of bits included.

        Raises
        ------
        ConfigError
            If `address` is none.
        """
        points = [point.cell for point in self.points if wanted is None or point.quantity.code in wanted]
        cells = list(dict.fromkeys([*points, *(self.words if wanted is None else ())]))
        return self._requests(address, cells)

    def state_requests(self, address: str) -> list[Request]:
        """The requests that tell whether the customer is supplied; none where the profile does not know how."""
        return self._requests(address, [self.state.cell] if self.state else [])

    def _requests(self, address: str, cells: list[Cell]) -> list[Request]:
        return self.speech.requests(self.address(address), cells, self.settings) if cells else []

    def decoder(self, request: Request) -> FrameDecoder:
        """Splits what a line delivers after `request` into frames, each of which goes to `answer`."""
        return self.speech.answers(request)

    def answer(self, request: Request, reply: bytes) -> Answer:
        """What one whole frame says to `request`; whatever it is, nothing is raised."""
        heard = self.speech.hear(request, reply, self.settings)
        rows = tuple(
            Row(point, sent, *sent.stored(point.quantity))
            for point in self.points
            if (sent := heard.sent.get(point.cell)) is not None
        )
        return Answer(
            rows,
            MappingProxyType(dict(self._lasting(heard))),
            self._closed(heard),
            heard.problem,
            heard.refused,
            heard.more,
            {cell: heard.sent[cell] for cell in self.words if cell in heard.sent},
        )

    def readings(
        self, request: Request, reply: bytes, *, received: int, index: int = 0, source: Source = Source.READ
    ) -> list[Reading]:
        """The readings in a reply, all held to be true at `received`. [us since 1970, UTC]

        The column ``meter`` is the address, as `meterweave.metering.batch` tells it for codecs.
        """
        meter = self.speech.key(request.address)
        return [
            Reading(index, meter, row.point.quantity.code, Series.SPOT, received, row.value, int(row.quality), source)
            for row in self.answer(request, reply).rows
        ]

    def _lasting(self, heard: Heard) -> dict[int, bool]:
        found = {}
        for one in self.conditions:
            word = heard.sent.get(one.cell)
            if word is not None and isinstance(word.number, int):
                found[one.event] = (word.number >> one.bit & 1) == one.when
        return found

    def _closed(self, heard: Heard) -> bool | None:
        word = heard.sent.get(self.state.cell) if self.state else None
        if self.state is None or word is None or not isinstance(word.number, int):
            return None
        return (word.number >> self.state.bit & 1) == self.state.closed

    # Hearing ----------------------------------------------------------------------------------------------------------

    def understand(self, topic: str | None, payload: bytes, *, received: int, zone: ZoneInfo = SHANGHAI) -> Understood:
        """What a message says that a device sent by itself; whatever it is, nothing is raised.

        Parameters
        ----------
        topic : str or None
            Under which it came; None: the transport has no topics.
        received : int
            When it came. [us since 1970, UTC]
        zone : ZoneInfo
            Where the devices' clocks are set.

        Raises
        ------
        ConfigError
            If the profile has no `messages`.
        """
        return self.understand_many([Message(topic, payload)], received=received, zone=zone)[0]

    def understand_many(
        self, messages: Sequence[Message], *, received: int, zone: ZoneInfo = SHANGHAI
    ) -> list[Understood]:
        """`understand` for many messages; frames are decoded together, which is a good deal quicker."""
        if self.messages is None:
            raise ConfigError(f"profile {self.name} has no messages: its devices only answer")
        return self.messages.understand(messages, received=received, zone=zone)

    # Orders -----------------------------------------------------------------------------------------------------------

    def trip(self, address: str, **how: object) -> Request:
        """`order` to cut the customer off."""
        return self.order("trip", address, **how)  # type: ignore[arg-type]

    def close(self, address: str, **how: object) -> Request:
        """`order` to supply the customer."""
        return self.order("close", address, **how)  # type: ignore[arg-type]

    def order(
        self,
        name: str,
        address: str,
        values: Mapping[str, str] = MappingProxyType({}),
        *,
        access: Access | None = None,
        until: datetime = FOREVER,
        unproven: bool = False,
    ) -> Request:
        """The request that gives an order; `answer` to its reply without a problem means that the device obeyed.

        It is to be sent once: what is not answered is not known to have failed.

        Parameters
        ----------
        name : str
            ``trip``, ``close``, ``release``, ``credit`` or ``price``.
        values : mapping of str to str
            What the order wants told, as decimal text: ``{"amount": "100.00", "count": "7"}``.
        access : Access or None
            Level and password, where the protocol has them.
        until : datetime
            Local time up to which a DL/T 645 meter may obey.
        unproven : bool
            Send also what the profile does not call proven.

        Raises
        ------
        ConfigError
            If the profile has no such order, it is not proven, a value is missing or cannot be sent exactly, or the
            address is none.
        """
        order = self.orders.get(name)
        if order is None:
            known = ", ".join(self.orders) or "none"
            raise ConfigError(f"profile {self.name} has no order {name!r}; it has: {known}")
        if not order.proven and not unproven:
            raise ConfigError(
                f"{name} of profile {self.name} is not proven on a device; ask for it as unproven to send it"
            )
        numbers = order.numbers({key: _given(name, key, text) for key, text in values.items()})
        own = self.address(address)
        return self.speech.send(order, own, numbers, access or Access(), until, self.settings)


def _given(order: str, name: str, text: str) -> Fraction:
    try:
        return scale(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"{order}: {name}: {error}") from None


__all__ = ["Answer", "Condition", "Point", "Profile", "Purpose", "Row", "State"]
