"""Q/GDW 1376.1: login, heartbeat and logout (AFN 02H), spontaneous data (AFN 0CH, 0DH, 0EH), confirmations (AFN 00H),
and answers to what the centre asks.

What a terminal wants confirmed has CON set (clause 5.3.3.4); the confirmation carries the number it came with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import ClassVar
from zoneinfo import ZoneInfo

from meterweave.errors import DecodeError, EncodeError
from meterweave.headend.driver import Answer, Driver, Heartbeat, Login, Logout, Other, Push, Said
from meterweave.headend.gdw1376.archives import sync_archives
from meterweave.headend.gdw1376.clock import read_clock, set_clock
from meterweave.headend.gdw1376.dialogue import Dialogue, Link
from meterweave.headend.gdw1376.events import read_events
from meterweave.headend.gdw1376.parameters import read_parameters
from meterweave.headend.gdw1376.passing import operate, read_relay
from meterweave.headend.gdw1376.present import read_now
from meterweave.headend.gdw1376.stored import read_stored
from meterweave.headend.gdw1376.tasks import sync_tasks
from meterweave.headend.operations import (
    Conversation,
    NotSent,
    Operation,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadParameters,
    ReadRelay,
    ReadStored,
    Relay,
    SetClock,
    SyncArchives,
    SyncTasks,
)
from meterweave.metering.batch import ReadingBatch
from meterweave.metering.events import EventBatch
from meterweave.protocols.gdw1376.part1 import Message, Unit, decode, decode_batch, encode
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.protocols.gdw1376.part1.event_records import decode_events
from meterweave.protocols.gdw1376.part1.frame import FrameDecoder
from meterweave.protocols.gdw1376.part1.message import CON, PW_SIZE
from meterweave.protocols.gdw1376.part1.service import CONFIRM, LINK, confirm
from meterweave.text import Text

LOGIN, LOGOUT, HEARTBEAT = 1, 2, 3
"""Items Fn of AFN 02H."""
DENY_ALL = dt_of([2])
"""AFN 00H F2."""


class Gdw1376Driver(Driver):
    """One connection of a Q/GDW 1376.1 terminal."""

    protocol = "gdw1376-1"
    decoder = FrameDecoder
    password: ClassVar[bytes] = bytes(PW_SIZE)
    """PW of what sets, controls and passes on; terminals of the 130-2005 family get its first two octets."""
    master: ClassVar[int] = 1
    """MSA: the number of this master station, which terminals copy into their answers."""

    def __init__(self, apdu_octets_max: int) -> None:
        super().__init__(apdu_octets_max)
        self._link: Link | None = None
        self._numbers = count()

    def hear(self, frame: bytes) -> Said:
        try:
            return self._hear(frame)
        except (DecodeError, EncodeError) as error:
            return Other(-1, str(error))

    def confirm(self, said: Login | Heartbeat | Logout, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        message = decode(said.frame)
        self._link = Link(said.address_key, message.protocol, self.master, self.password)
        return encode(confirm(message))

    def refuse(self, said: Login, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        return encode(confirm(decode(said.frame))._replace(units=(Unit(0, DENY_ALL),)))

    def converse(self, wanted: Operation, *, clock: Callable[[], int], zone: ZoneInfo) -> Conversation:
        if self._link is None:
            return NotSent(Text("the terminal has not logged in", "终端尚未登录"))
        dialogue = Dialogue(self._link, self._numbers, clock=clock, zone=zone)
        return (yield from _conversation(dialogue, wanted))

    @classmethod
    def readings(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> ReadingBatch:
        return decode_batch(pushes, received=received, zone=zone)

    @classmethod
    def events(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> EventBatch:
        return decode_events(pushes, received=received, zone=zone)

    def _hear(self, frame: bytes) -> Said:
        message = decode(frame)
        key = message.region << 16 | message.terminal
        if not message.uplink:
            return Other(-1, "not from a terminal")
        if message.afn == LINK:
            return _hear_link(message, key, frame)
        if message.afn == CONFIRM or not message.initiated:
            return Answer(key, message.number, frame, message)
        wanted = message.seq & CON
        return Push(key, frame, encode(confirm(message)) if wanted else b"")


def _conversation(dialogue: Dialogue, wanted: Operation) -> Conversation:
    match wanted:
        case ReadNow():
            return read_now(dialogue, wanted)
        case ReadStored():
            return read_stored(dialogue, wanted)
        case ReadEvents():
            return read_events(dialogue, wanted)
        case SyncArchives():
            return sync_archives(dialogue, wanted)
        case SyncTasks():
            return sync_tasks(dialogue, wanted)
        case ReadClock():
            return read_clock(dialogue)
        case SetClock():
            return set_clock(dialogue)
        case Relay():
            return operate(dialogue, wanted)
        case ReadRelay():
            return read_relay(dialogue, wanted)
        case ReadParameters():
            return read_parameters(dialogue, wanted)


def _hear_link(message: Message, key: int, frame: bytes) -> Said:
    items = message.units[0].items if message.units else ()
    if items == (LOGIN,):
        return Login(key, 0, frame)
    if items == (HEARTBEAT,):
        return Heartbeat(key, frame)
    if items == (LOGOUT,):
        return Logout(key, frame)
    return Other(key, f"AFN 02H with F{items}")
