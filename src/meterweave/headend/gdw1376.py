"""Q/GDW 1376.1: login, heartbeat and logout (AFN 02H), spontaneous data (AFN 0CH, 0DH, 0EH), confirmations (AFN 00H).

What a terminal wants confirmed has CON set (clause 5.3.3.4); the confirmation carries the number it came with.
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from meterweave.errors import DecodeError, EncodeError
from meterweave.headend.driver import Driver, Heartbeat, Login, Logout, Other, Push, Said
from meterweave.metering.batch import ReadingBatch
from meterweave.protocols.gdw1376.part1 import Message, Unit, decode, decode_batch, encode
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.protocols.gdw1376.part1.frame import FrameDecoder
from meterweave.protocols.gdw1376.part1.message import CON
from meterweave.protocols.gdw1376.part1.service import CONFIRM, LINK, confirm

LOGIN, LOGOUT, HEARTBEAT = 1, 2, 3
"""Items Fn of AFN 02H."""
DENY_ALL = dt_of([2])
"""AFN 00H F2."""


class Gdw1376Driver(Driver):
    """One connection of a Q/GDW 1376.1 terminal."""

    protocol = "gdw1376-1"
    decoder = FrameDecoder

    def hear(self, frame: bytes) -> Said:
        try:
            return self._hear(frame)
        except (DecodeError, EncodeError) as error:
            return Other(-1, str(error))

    def confirm(self, said: Login | Heartbeat | Logout, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        return encode(confirm(decode(said.frame)))

    def refuse(self, said: Login, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        return encode(confirm(decode(said.frame))._replace(units=(Unit(0, DENY_ALL),)))

    @classmethod
    def readings(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> ReadingBatch:
        return decode_batch(pushes, received=received, zone=zone)

    def _hear(self, frame: bytes) -> Said:
        message = decode(frame)
        key = message.region << 16 | message.terminal
        if not message.uplink:
            return Other(-1, "not from a terminal")
        if message.afn == LINK:
            return _hear_link(message, key, frame)
        if message.afn == CONFIRM or not message.initiated:
            return Other(key, f"an answer to nothing that was asked, AFN {message.afn:02X}H")
        wanted = message.seq & CON
        return Push(key, frame, encode(confirm(message)) if wanted else b"")


def _hear_link(message: Message, key: int, frame: bytes) -> Said:
    items = message.units[0].items if message.units else ()
    if items == (LOGIN,):
        return Login(key, 0, frame)
    if items == (HEARTBEAT,):
        return Heartbeat(key, frame)
    if items == (LOGOUT,):
        return Logout(key, frame)
    return Other(key, f"AFN 02H with F{items}")
