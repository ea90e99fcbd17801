"""How devices that speak by themselves are heard: topics, what a message holds, and whether a device is there.

A message's content is either a document that a profile describes (`record`) or frames of a protocol (`frames`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from meterweave.profiles.document import DocumentError, dump, means, parse, shown, written
from meterweave.profiles.path import ABSENT, Path
from meterweave.profiles.topic import NAME_MAX, Topic
from meterweave.text import Text


class Value(NamedTuple):
    """One reading of a message; its fields are columns of `meterweave.metering.batch`."""

    key: int | None
    """Wire key of the meter, from a frame; None: the device that sent the message."""
    quantity: int
    series: int
    ts: int
    value: int | None
    quality: int
    source: int


class Look(NamedTuple):
    """What lasted at a moment, by the code of each event; `meterweave.profiles.changes` makes events of two looks."""

    at: int  # us since 1970, UTC
    conditions: Mapping[int, bool]


class Heard(NamedTuple):
    """What a message says; where `problem` is told beside readings, these are what could be understood."""

    address: str = ""
    """Name of the device, in lower case; empty where nothing tells it."""
    readings: tuple[Value, ...] = ()
    looks: tuple[Look, ...] = ()
    """In the order of time."""
    online: bool | None = None
    """Whether the device is there, told by a birth or a will; None: the message is no such."""
    problem: Text | None = None
    garbage: int = 0
    """What belongs to no whole frame. [octets]"""


class Message(NamedTuple):
    """A message as it came."""

    topic: str | None  # None: the transport has none
    payload: bytes


class Sender(Protocol):
    """A simulated device whose messages are written."""

    address: str
    now_s: int

    def number(self, cell: Any) -> int | None:
        """The number that the device sends for `cell` now; None: no value."""
        ...

    def questions(self) -> Sequence[bytes]:
        """Requests that together read the device."""
        ...

    def feed(self, octets: bytes, now_s: int | None = None) -> bytes:
        """What the device answers."""
        ...


class Shown(NamedTuple):
    """Where a reading stood in its message, and what stood there."""

    item: str
    sent: str


class Content(Protocol):
    """What the payloads of a model hold."""

    def hear(self, told: Sequence[tuple[str, bytes]], received: int, zone: ZoneInfo) -> list[Heard]:
        """What payloads say; each comes with the device that its topic names, empty where none does."""
        ...

    def show(self, payload: bytes, received: int, zone: ZoneInfo) -> list[Shown]:
        """Where each of the readings that `hear` finds in a payload stood, in their order."""
        ...

    def write(self, device: Sender, now_s: int, zone: ZoneInfo) -> bytes:
        """What a simulated device sends. `now_s` is its time. [s since 1970, UTC]"""
        ...


@dataclass(frozen=True, slots=True)
class Presence:
    """Birth and will: messages that tell whether a device is there."""

    topic: Topic
    online: str = "online"
    offline: str = "offline"
    path: Path | None = None
    """Where in a JSON payload the word stands; None: the payload is the word."""

    def hear(self, address: str, payload: bytes) -> Heard:
        """What such a message says."""
        if not payload:  # a retained message was taken away
            return Heard(address)
        try:
            word = self._word(payload)
        except DocumentError as error:
            return Heard(address, problem=error.text)
        if means(word, self.online) or means(word, self.offline):
            return Heard(address, online=bool(means(word, self.online)))
        said = shown(word)
        return Heard(
            address,
            problem=Text(
                f"{said.en} is neither {self.online!r} nor {self.offline!r}",
                f"{said.zh}既不是{self.online!r}也不是{self.offline!r}",
            ),
        )

    def _word(self, payload: bytes) -> Any:
        if self.path is None:
            return payload[:_WORD_MAX].decode("utf-8", "replace").strip()
        found = self.path.find(parse(payload))
        if found is ABSENT:
            raise DocumentError(f"nothing stands at {self.path.text}", f"{self.path.text}处没有内容")
        return found

    def write(self, *, online: bool) -> bytes:
        """`hear` undone."""
        word = self.online if online else self.offline
        return (word if self.path is None else dump(self.path.put(written(word), None))).encode()


_WORD_MAX = 256


@dataclass(frozen=True, slots=True)
class Messages:
    """How the devices of a model speak by themselves."""

    topic: Topic | None
    """Under which they speak; None: over transports without topics only."""
    content: Content
    presence: Presence | None = None

    @property
    def state_topic(self) -> Topic | None:
        """Under which births and wills come."""
        return self.presence.topic if self.presence else None

    @property
    def filters(self) -> tuple[str, ...]:
        """All there is to subscribe to."""
        return tuple(one.filter for one in (self.topic, self.state_topic) if one)

    def understand(self, messages: Sequence[Message], *, received: int, zone: ZoneInfo) -> list[Heard]:
        """What messages say; whatever they are, nothing is raised. See `meterweave.profiles.Profile.understand`."""
        found = [self._addressed(one) for one in messages]
        told = [(heard, one.payload) for heard, one in zip(found, messages, strict=True) if isinstance(heard, str)]
        content = iter(self.content.hear(told, received, zone) if told else ())
        return [next(content) if isinstance(heard, str) else heard for heard in found]

    def _addressed(self, message: Message) -> str | Heard:
        """The device that the topic names, to be told to the content; or all that the message says."""
        topic = message.topic
        if topic is None:
            return ""
        address = self.presence.topic.device(topic) if self.presence else None
        if self.presence is not None and address is not None:
            return self.presence.hear(address, message.payload) if address else _UNNAMED
        address = self.topic.device(topic) if self.topic else None
        if address is None:
            return _FOREIGN
        return _UNNAMED if self.topic is not None and self.topic.tells_address and not address else address


_FOREIGN = Heard(problem=Text("the topic is none of this profile", "主题不属于此配置"))
_UNNAMED = Heard(
    problem=Text(
        f"what the topic has for an address is no name: 1 to {NAME_MAX} letters a-z, digits and . _ : -",
        f"主题中的地址不是合法名称：1至{NAME_MAX}个a-z字母、数字及. _ : -",
    )
)
NOBODY = Text("the message does not tell which device it is from", "报文未说明来自哪台设备")
OTHER = Text(
    "the message tells of another device than the one under whose topic it came", "报文中的设备与主题中的设备不同"
)
