"""A concentrator that speaks DL/T 698.45: the link layer, its fragments, LINK, CONNECT and REPORT."""

from __future__ import annotations

from dataclasses import replace

from meterweave.errors import DecodeError
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import access, association, segment
from meterweave.protocols.dlt698.apdu import SEQUENCE, Apdu
from meterweave.protocols.dlt698.association import LINK_RESULT
from meterweave.protocols.dlt698.frame import (
    DIR,
    FRAGMENT,
    LINK_MANAGEMENT,
    OVERHEAD,
    PRM,
    USER_DATA,
    FrameDecoder,
    Link,
)
from meterweave.protocols.dlt698.message import ACKNOWLEDGEMENT, Message
from meterweave.protocols.dlt698.times import date_time
from meterweave.simulator.answers698 import CANNOT_PARSE, Answers
from meterweave.simulator.faults import Faults
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Due, Reports
from meterweave.simulator.records698 import due_result
from meterweave.simulator.session import Habits, Instant, Terminal
from meterweave.simulator.town import Concentrator

LOGIN, HEARTBEAT, LOGOUT = 0, 1, 2
ROWS = 20
"""Rows of a report."""
FRAME_MAX = 2048
"""L of the longest frame that the terminal sends or takes, unless the centre wants shorter ones. [octets]"""
FRAME_MIN = 128
"""A centre that wants shorter frames than this gets this."""
VERSION = association.FactoryVersion(b"MTWV", b"0001", b"260101", b"0001", b"260101", bytes(8))
PROTOCOL_VERSION = 0x0015


class Terminal698(Terminal):
    """A DL/T 698.45 concentrator; it reports a stretch of a meter's past, or what is new of several meters."""

    slots_max = ROWS
    cells_max = ROWS
    number_mask = SEQUENCE

    def __init__(
        self, site: Concentrator, reports: Reports, first_s: int, *, seed: int, faults: Faults, habits: Habits
    ) -> None:
        super().__init__(site, reports, first_s, seed=seed, faults=faults, habits=habits)
        sa = bytes.fromhex(site.address)[::-1]
        self._link = Link(DIR | USER_DATA, len(sa) - 1, sa, 0x10)
        self._answers = Answers(site, first_s)
        self._joiner = segment.FragmentJoiner()
        self._report: segment.FragmentSender | None = None  # the report sent last, which may be in fragments
        self._report_number = 0
        self._answer: segment.FragmentSender | None = None
        self._frame_max = FRAME_MAX

    def decoder(self) -> FrameDecoder:
        return FrameDecoder()

    def reset(self) -> None:
        super().reset()
        self._joiner = segment.FragmentJoiner()
        self._report = self._answer = None
        self._frame_max = FRAME_MAX

    def login(self, number: int, now: Instant) -> bytes:
        return self._link_request(LOGIN, number, now)

    def heartbeat(self, number: int, now: Instant) -> bytes:
        return self._link_request(HEARTBEAT, number, now)

    def logout(self, now: Instant) -> bytes:
        return self._link_request(LOGOUT, self.next_number(), now)

    def _link_request(self, kind: int, number: int, now: Instant) -> bytes:
        link = replace(self._link, control=DIR | LINK_MANAGEMENT, ca=0)
        clock = date_time(local(now.town_s + self.site.clock_off_s))
        heartbeat_s = max(1, round(self.habits.heartbeat_s))
        return dlt698.encode(Message(link, association.LinkRequest(number, kind, heartbeat_s, clock)))

    def report(self, due: Due, number: int) -> bytes:
        self._report_number = number
        apdu = access.ReportNotificationRecordList(number, (due_result(due, self.site.clock_off_s),))
        octets = dlt698.encode(Message(self._link, apdu))
        if len(octets) <= self._frame_max + 2:  # L counts neither the first octet nor the last
            self._report = None
            return octets
        self._report = segment.FragmentSender(segment.split(apdu, self._link, self._apdu_max()))
        return dlt698.encode(self._report.current)

    def _apdu_max(self) -> int:
        """Octets of an APDU, or of a fragment behind its header, that one frame holds."""
        return self._frame_max - OVERHEAD - len(self._link.sa) - 2

    def received(self, frame: bytes, now: Instant) -> None:
        try:
            message = dlt698.decode(frame)
        except DecodeError as error:
            if error.kind.startswith("bad_hcs") or error.kind == "bad_fcs":
                return
            self._reply(frame, association.ErrorResponse(0, CANNOT_PARSE, None, None))
            return
        link = message.link
        if link is None or link.from_server or (link.address_type == 0 and link.sa != self._link.sa):
            return
        if message.fragment is None:
            if message.apdu:
                self._apdu(message.apdu, link, now)
        elif message.fragment.kind == ACKNOWLEDGEMENT:
            self._acknowledged(message, now)
        else:
            self._joined(message, link, now)

    # Fragments -------------------------------------------------------------------------------------------------------

    def _acknowledged(self, message: Message, now: Instant) -> None:
        assert message.link is not None
        sender = self._answer if message.link.begun_by_client else self._report
        if sender and sender.acknowledged(message):
            if sender is self._report:
                self.awaited_again(self._report_number, now)
            self.send(dlt698.encode(sender.current))

    def _joined(self, message: Message, link: Link, now: Instant) -> None:
        found = self._joiner.feed(message)
        if isinstance(found, segment.Acknowledge):
            self.send(dlt698.encode(found.message))
        elif isinstance(found, segment.Joined):
            try:
                apdu = dlt698.decode_apdu(found.octets)
            except DecodeError:
                self._send_answer(association.ErrorResponse(0, CANNOT_PARSE, None, None), link)
                return
            self._apdu(apdu, link, now)

    # APDUs -----------------------------------------------------------------------------------------------------------

    def _apdu(self, apdu: Apdu, link: Link, now: Instant) -> None:
        match apdu:
            case association.LinkResponse():
                if apdu.result & LINK_RESULT == 0:
                    self.accepted(now)
                else:
                    self.hang_up(f"the centre refuses the login, result {apdu.result & LINK_RESULT}")
            case access.ReportResponseRecordList() | access.ReportResponseList():
                self.confirmed(apdu.piid & SEQUENCE)
            case association.ConnectRequest():
                self._send_answer(self._connected(apdu), link)
            case association.ReleaseRequest():
                self._send_answer(association.ReleaseResponse(apdu.piid, 0, None, None), link)
            case association.ClientErrorResponse() | access.ReportResponseTransData():
                pass
            case _ if link.begun_by_client:
                self.counts.questions_answered += 1
                self._send_answer(self._answers.to(apdu, now.town_s), link)

    def _connected(self, asked: association.ConnectRequest) -> association.ConnectResponse:
        """The association; from now on frames are as short as the centre wants them."""
        self._frame_max = max(FRAME_MIN, min(FRAME_MAX, asked.max_recv_frame))
        if self._frame_max < FRAME_MAX:
            self.window = 1  # fragments of two reports would not be told apart
        return association.ConnectResponse(
            asked.piid,
            VERSION,
            PROTOCOL_VERSION,
            asked.protocol_conformance,
            asked.functional_conformance,
            self._frame_max,
            min(FRAME_MAX, asked.max_send_frame),
            1,
            asked.max_apdu,
            asked.session_timeout_s,
            0,
            None,
            None,
            None,
        )

    def _reply(self, frame: bytes, apdu: Apdu) -> None:
        """Answer a frame whose link layer is good and whose APDU is not."""
        at = 5 + (frame[4] & 0x0F) + 1
        if frame[5:at] == self._link.sa and frame[3] & (DIR | FRAGMENT) == 0:
            self._send_answer(apdu, replace(self._link, control=PRM | USER_DATA, ca=frame[at]))

    def _send_answer(self, apdu: Apdu, link: Link) -> None:
        answer = replace(self._link, control=DIR | PRM | USER_DATA, ca=link.ca)
        self._answer = segment.FragmentSender(segment.split(apdu, answer, self._apdu_max()))
        self.send(dlt698.encode(self._answer.current))
