"""DL/T 698.45: what terminals say, LINK and REPORT with their answers, fragments, and answers to questions.

A terminal opens its session with a LINK-Request and keeps it with others (clause 7.4.1.1); what it reports it repeats
until a REPORT-Response names the same OADs (clause 7.4.2.6). What came in fragments goes on as one frame, as long as
any frame can be, so that it is read and kept like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from meterweave.errors import DecodeError, EncodeError
from meterweave.headend.dlt698.conversations import conversation
from meterweave.headend.dlt698.line import UNPARSED, Line
from meterweave.headend.driver import Answer, Driver, Heartbeat, Login, Logout, Other, Part, Push, Said
from meterweave.headend.operations import Conversation, Operation
from meterweave.metering.batch import BadFrame, ReadingBatch, from_readings
from meterweave.metering.events import EventBatch
from meterweave.protocols.checksum import crc_x25
from meterweave.protocols.dlt698 import access, decode, decode_apdu, decode_batch, encode
from meterweave.protocols.dlt698.apdu import ACD, SEQUENCE, Apdu
from meterweave.protocols.dlt698.association import CLOCK_TRUSTED, LinkRequest, LinkResponse
from meterweave.protocols.dlt698.events import decode_events, events
from meterweave.protocols.dlt698.frame import (
    DIR,
    EXTENDED,
    FRAGMENT,
    LENGTH_MAX,
    OVERHEAD,
    PRM,
    Frame,
    FrameDecoder,
    Link,
    decode_frame,
    encode_frame,
)
from meterweave.protocols.dlt698.message import Message
from meterweave.protocols.dlt698.readings import link_key, readings
from meterweave.protocols.dlt698.segment import Acknowledge, FragmentJoiner, GivenUp, Joined
from meterweave.protocols.dlt698.times import date_time

LOGIN, HEARTBEAT, LOGOUT = 0, 1, 2
"""Types of LINK-Request."""
SUCCESS, NOT_ALLOWED = 0, 2
"""Results of LINK-Response: success, and a device that has no business here."""

_REPORT_CONTROL = 0x83  # from the server, begun by it, user data neither scrambled nor in fragments
_ANSWER_CONTROL = 0xC3  # the same, begun by the client
_REPORT, _REPORT_RESPONSE = 0x88, 0x08
_ONE_RESULT_MIN = 13  # tag, choice, PIID, count, OAD, two absent options, FCS, 16H [octets]
_ONE_OAD_SIZE = 9  # user data of the response to one result [octets]
_CHOSEN_ANSWERS, _ERROR_ANSWER = frozenset((0x85, 0x86, 0x87, 0x89)), 0xEE  # PIID-ACD behind a choice, or not
_ANSWER_MIN = 6  # tag, choice, PIID or error, FCS, 16H [octets]
_NO_LINK = 0x00  # begins what was joined and is too long for a frame: no frame and no APDU does


class Dlt698Driver(Driver):
    """One connection of a DL/T 698.45 terminal."""

    protocol = "dlt698"
    decoder = FrameDecoder

    def __init__(self, apdu_octets_max: int) -> None:
        super().__init__(apdu_octets_max)
        self._line = Line()
        self._reports, self._answers = FragmentJoiner(apdu_octets_max), FragmentJoiner(apdu_octets_max)
        self._address = b""  # AF, SA and CA of the last report of one result, or answer
        self._key = 0  # of that address
        self._head = b""  # of the response to it: up to and including HCS

    def hear(self, frame: bytes) -> Said:
        at = 9 + (frame[4] & 0x0F)
        if frame[3] == _REPORT_CONTROL and len(frame) >= at + _ONE_RESULT_MIN:
            tag, choice, piid, count = frame[at : at + 4]
            if tag == _REPORT and (choice in {1, 2}) and count == 1 and self._knows(frame[4 : at - 2]):
                return Push(self._key, frame, self._one_oad_response(choice, piid, frame[at + 4 : at + 8]))
        if frame[3] == _ANSWER_CONTROL and len(frame) >= at + _ANSWER_MIN and self._knows(frame[4 : at - 2]):
            return self._answer(self._key, frame, frame[at:-3])
        try:
            return self._hear_any(frame)
        except (DecodeError, EncodeError) as error:
            return Other(-1, str(error))

    def confirm(self, said: Login | Heartbeat | Logout, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        return _link_response(said.frame, SUCCESS, received_us, now_us, zone)

    def refuse(self, said: Login, *, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
        return _link_response(said.frame, NOT_ALLOWED, received_us, now_us, zone)

    def converse(self, wanted: Operation, *, clock: Callable[[], int], zone: ZoneInfo) -> Conversation:
        return conversation(self._line, wanted, clock=clock, zone=zone)

    @classmethod
    def readings(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> ReadingBatch:
        joined = [index for index, octets in enumerate(pushes) if octets[0] == _NO_LINK]
        if not joined:
            return decode_batch(pushes, received=received, zone=zone)
        whole = [index for index, octets in enumerate(pushes) if octets[0] != _NO_LINK]
        batch = decode_batch([pushes[index] for index in whole], received=received, zone=zone)
        places = np.array(whole, np.int64)
        bad = tuple(BadFrame(whole[one.frame], one.kind) for one in batch.bad)
        batches = [replace(batch, frame=places[batch.frame], bad=bad)]
        batches += [_joined_readings(pushes[index], index, received, zone) for index in joined]
        return ReadingBatch.concat(batches)

    @classmethod
    def events(cls, pushes: Sequence[bytes], *, received: int, zone: ZoneInfo) -> EventBatch:
        found = decode_events(
            [b"" if octets[0] == _NO_LINK else octets for octets in pushes], received=received, zone=zone
        )
        joined = [
            event
            for index, octets in enumerate(pushes)
            if octets[0] == _NO_LINK
            for event in events(_joined(octets), index=index, received=received, zone=zone)
        ]
        return EventBatch((*found.events, *joined), found.bad)

    def _knows(self, address: bytes) -> bool:
        """Whether `address` (AF, SA, CA) has a key; the answer's head is made when it is seen first."""
        if address == self._address:
            return True
        if address[0] & EXTENDED:
            return False
        link = Link(_REPORT_CONTROL ^ DIR, address[0], address[1:-1], address[-1])
        key = link_key(link)
        if key is None:
            return False
        length = 7 + len(address) + _ONE_OAD_SIZE
        header = bytes((*length.to_bytes(2, "little"), link.control)) + address
        self._address, self._key = address, key
        self._head = b"\x68" + header + crc_x25(header).to_bytes(2, "little")
        return True

    def _one_oad_response(self, choice: int, piid: int, oad: bytes) -> bytes:
        """REPORT-Response of one OAD without TimeTag, the answer to most of what comes in."""
        octets = self._head + bytes((_REPORT_RESPONSE, choice, piid & ~ACD & 0xFF, 1)) + oad + b"\0"
        return octets + crc_x25(octets[1:]).to_bytes(2, "little") + b"\x16"

    def _hear_any(self, frame: bytes) -> Said:
        if frame[3] & (DIR | PRM | FRAGMENT) == DIR | PRM:
            return self._hear_answer(frame)
        message = decode(frame)
        link = message.link
        key = link_key(link) if link else None
        if link is None or key is None or not link.from_server:
            return Other(-1, "not from a terminal with an address")
        if message.fragment is not None:
            return self._hear_fragment(message, link, key)
        apdu = message.apdu
        if isinstance(apdu, LinkRequest):
            self._line.meet(link.af, link.sa)
            if apdu.request_type == LOGIN:
                return Login(key, apdu.heartbeat_s, frame)
            return Heartbeat(key, frame) if apdu.request_type == HEARTBEAT else Logout(key, frame)
        response = _report_response(apdu)
        if response is None:
            return Other(key, "no frame" if apdu is None else apdu.TITLE.en)
        return Push(key, frame, encode(Message(_answering(link), response)))

    def _hear_answer(self, frame: bytes) -> Said:
        """An answer that is scrambled, or whose address is extended."""
        found = decode_frame(frame)
        key = link_key(found.link)
        if key is None or not found.user_data:
            return Other(-1, "not from a terminal with an address")
        return self._answer(key, frame, found.user_data)

    def _hear_fragment(self, message: Message, link: Link, key: int) -> Said:
        if not self.online:
            return Other(key, "a fragment before login")
        joiner = self._answers if link.begun_by_client else self._reports
        match joiner.feed(message):
            case Acknowledge(answer):
                return Part(key, encode(answer))
            case Joined(octets):
                if link.begun_by_client:
                    return self._answer(key, _whole(link, octets), octets)
                response = _report_response(decode_apdu(octets))
                if response is None:
                    return Other(key, "fragments that are no report")
                return Push(key, _whole(link, octets), encode(Message(_answering(link), response)))
            case GivenUp(reason):
                return Other(key, reason)
            case None:
                return Other(key, "a fragment that is no part of an APDU")

    def _answer(self, key: int, frame: bytes, apdu: bytes) -> Said:
        """An answer as it is; the conversation that waits for it looks inside."""
        tag = apdu[0] if apdu else 0
        if tag in _CHOSEN_ANSWERS and len(apdu) > 2:
            return Answer(key, apdu[2] & SEQUENCE, frame, apdu)
        if tag == _ERROR_ANSWER and len(apdu) > 1:
            number = apdu[1] & SEQUENCE
            return Answer(key, self._line.number if number == UNPARSED else number, frame, apdu)
        return Other(key, f"an answer to nothing that was asked, APDU {tag:02X}H")


def _whole(link: Link, apdu: bytes) -> bytes:
    """What came in fragments as one frame; or, too long for that, behind the AF and SA it came from."""
    if OVERHEAD + len(link.sa) + len(apdu) <= LENGTH_MAX:
        return encode_frame(Frame(replace(link, control=link.control & ~FRAGMENT), apdu))
    return bytes((_NO_LINK, link.af, *link.sa)) + apdu


def _answering(link: Link) -> Link:
    return replace(link, control=(link.control ^ DIR) & ~FRAGMENT)


def _report_response(apdu: Apdu | None) -> Apdu | None:
    """What acknowledges a report; None: it is none."""
    match apdu:
        case access.ReportNotificationList():
            return access.ReportResponseList(apdu.piid_acd & ~ACD, tuple(one.oad for one in apdu.results))
        case access.ReportNotificationRecordList():
            return access.ReportResponseRecordList(apdu.piid_acd & ~ACD, tuple(one.oad for one in apdu.results))
        case access.ReportNotificationTransData():
            return access.ReportResponseTransData(apdu.piid_acd & ~ACD)
    return None


def _joined(octets: bytes) -> Message:
    """An APDU too long for a frame, behind the AF and SA it came from."""
    size = (octets[1] & 0x0F) + 1
    link = Link(_REPORT_CONTROL, octets[1], octets[2 : 2 + size], 0)
    return Message(link, decode_apdu(octets[2 + size :]))


def _joined_readings(octets: bytes, index: int, received: int, zone: ZoneInfo) -> ReadingBatch:
    """The readings of such an APDU."""
    return from_readings(readings(_joined(octets), index=index, received=received, zone=zone), received=received)


def _link_response(frame: bytes, result: int, received_us: int, now_us: int, zone: ZoneInfo) -> bytes:
    message = decode(frame)
    link, request = message.link, message.apdu
    assert link is not None
    assert isinstance(request, LinkRequest)
    response = LinkResponse(
        piid=request.piid_acd & ~ACD,
        result=CLOCK_TRUSTED | result,
        request_time=request.request_time,
        received_time=_date_time(received_us, zone),
        response_time=_date_time(now_us, zone),
    )
    return encode(Message(_answering(link), response))


def _date_time(us: int, zone: ZoneInfo) -> bytes:
    return date_time(datetime.fromtimestamp(us / 1e6, UTC).astimezone(zone))
