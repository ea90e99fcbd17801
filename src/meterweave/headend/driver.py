"""What terminals say, whatever their protocol, and what a driver must know of one to answer them.

A driver belongs to one connection. It takes whole frames, says what they mean to the centre, and makes the octets of
answers; it knows no socket and no clock, and raises nothing whatever the frames hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from meterweave.headend.enrolment import NewMeter
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import EventBatch
from meterweave.protocols.stream import FrameDecoder

if TYPE_CHECKING:
    from meterweave.headend.operations import Conversation, Operation


class Login(NamedTuple):
    """A terminal wants a session."""

    address_key: int
    heartbeat_s: int  # as the terminal says; 0: it does not
    frame: bytes


class Heartbeat(NamedTuple):
    """A terminal is still there."""

    address_key: int
    frame: bytes


class Logout(NamedTuple):
    """A terminal leaves."""

    address_key: int
    frame: bytes


class Push(NamedTuple):
    """A terminal reports, and keeps what it reports until it is acknowledged."""

    address_key: int
    octets: bytes  # what `Driver.readings` takes
    acknowledgement: bytes  # to be sent when it is kept; empty where the terminal wants none
    dismissal: bytes = b""  # to be sent instead where no repeat would help: it is broken, or of a meter nobody knows;
    # empty where the terminal is to offer it again all the same
    message: Any = None  # as it was understood when it came, by translators that do so


class Part(NamedTuple):
    """A piece of a longer report, to be answered at once so that the next piece comes."""

    address_key: int
    answer: bytes


class Answer(NamedTuple):
    """A terminal answers what it was asked."""

    address_key: int
    number: int  # of the question, as `operations.Ask` has it
    octets: bytes  # what `Driver.readings` takes
    message: Any  # as the driver decoded it; for the conversation that waits for it


class Other(NamedTuple):
    """A frame this centre has no use for."""

    address_key: int
    what: str


Said = Login | Heartbeat | Logout | Push | Part | Answer | Other


class Translator(Protocol):
    """How what was pushed becomes readings and events; one for many senders."""

    @property
    def protocol(self) -> str:
        """What the frames are kept under."""

    def content(self, pushes: Sequence[Push], *, received: int, zone: ZoneInfo) -> tuple[ReadingBatch, EventBatch]:
        """The readings of many pushes in columns, and their events; `frame` is the index in `pushes`."""

    def introduce(self, stranger: NewMeter, push: Push) -> NewMeter:
        """What more is known of a meter that the archives do not have, by the push that told of it."""


class Driver(ABC):
    """One connection's translator; the class alone is a `Translator` for all connections of its protocol."""

    protocol: ClassVar[str]
    """The name of the codec and of the terminals' protocol in the archives."""
    decoder: ClassVar[type[FrameDecoder]]

    def __init__(self, apdu_octets_max: int) -> None:
        self.apdu_octets_max = apdu_octets_max
        self.online = False
        """Whether the terminal is logged in; before that a driver holds nothing for it."""

    @abstractmethod
    def hear(self, frame: bytes) -> Said:
        """What a frame, as the decoder gave it, says."""

    @abstractmethod
    def confirm(self, said: Login | Heartbeat | Logout, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        """The answer that says yes; times are us since 1970, UTC."""

    @abstractmethod
    def refuse(self, said: Login, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        """The answer to a terminal that is not let in."""

    @abstractmethod
    def converse(self, wanted: Operation, *, clock: Callable[[], int], zone: ZoneInfo) -> Conversation:
        """How to go about it; `clock` tells the time of day [us since 1970, UTC] whenever a frame needs it.

        One conversation at a time; what the protocol has no words for is refused before anything is asked.
        """

    @classmethod
    def content(cls, pushes: Sequence[Push], *, received: int, zone: ZoneInfo) -> tuple[ReadingBatch, EventBatch]:
        """See `Translator`."""
        octets = [one.octets for one in pushes]
        return cls.readings(octets, received=received, zone=zone), cls.events(octets, received=received, zone=zone)

    @classmethod
    def introduce(cls, stranger: NewMeter, push: Push) -> NewMeter:
        """See `Translator`; a frame tells no more than its key."""
        return stranger

    @classmethod
    @abstractmethod
    def readings(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> ReadingBatch:
        """The readings of what many terminals pushed, in columns; `frame` is the index in `pushes`."""

    @classmethod
    @abstractmethod
    def events(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> EventBatch:
        """The events in what many terminals pushed; `frame` is the index in `pushes`. Cheap where there are none."""
