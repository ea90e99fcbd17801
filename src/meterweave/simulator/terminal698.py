"""A concentrator that speaks DL/T 698.45: the link layer, its fragments, LINK, CONNECT and REPORT."""

from __future__ import annotations

from collections.abc import Sequence
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
    Frame,
    FrameDecoder,
    Link,
    encode_frame,
)
from meterweave.protocols.dlt698.message import ACKNOWLEDGEMENT, Message
from meterweave.protocols.dlt698.times import date_time
from meterweave.simulator import events698
from meterweave.simulator.answers698 import CANNOT_PARSE, Answers
from meterweave.simulator.archive698 import Archive698
from meterweave.simulator.faults import Faults
from meterweave.simulator.meter645 import local
from meterweave.simulator.orders698 import Terminal698Device
from meterweave.simulator.plan import Due, Reports, Series
from meterweave.simulator.records698 import due_record
from meterweave.simulator.session import Habits, Instant, Terminal, Told
from meterweave.simulator.town import Concentrator

LOGIN, HEARTBEAT, LOGOUT = 0, 1, 2
ROWS = 20
"""Rows of a report."""
FRAME_MAX = 2048
"""L of the longest frame that the terminal sends or takes, unless the centre wants shorter ones. [octets]"""
FRAME_MIN = 128
"""A centre that wants shorter frames than this gets this."""
FRAGMENT_S, FRAGMENT_SENDS_MAX = 2.0, 4
"""Wait for the acknowledgement of a fragment of an answer, and how often it is sent."""
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
        self.archive = Archive698(site, first_s, bare=habits.bare)
        self._device = Terminal698Device(site.address, self.condition, self.diary, self.archive)
        self._answers = Answers(site, self._device, first_s)
        self._joiner = segment.FragmentJoiner()
        self._report: segment.FragmentSender | None = None  # the report sent last, which may be in fragments
        self._report_number = 0
        self._answer: segment.FragmentSender | None = None
        self._frame_max = FRAME_MAX
        self._repeats = 0

    def decoder(self) -> FrameDecoder:
        return FrameDecoder()

    def reported(self) -> Sequence[Series]:
        return self.archive.reported()

    def reset(self) -> None:
        super().reset()
        self._joiner = segment.FragmentJoiner()
        self._report = self._answer = None
        self._frame_max = FRAME_MAX
        self._answers.reset()

    def login(self, number: int, now: Instant) -> bytes:
        return self._link_request(LOGIN, number, now)

    def heartbeat(self, number: int, now: Instant) -> bytes:
        return self._link_request(HEARTBEAT, number, now)

    def logout(self, now: Instant) -> bytes:
        return self._link_request(LOGOUT, self.next_number(), now)

    def _link_request(self, kind: int, number: int, now: Instant) -> bytes:
        link = replace(self._link, control=DIR | LINK_MANAGEMENT, ca=0)
        clock = date_time(local(now.town_s + self.condition.clock_off_s))
        heartbeat_s = max(1, round(self.habits.heartbeat_s))
        return dlt698.encode(Message(link, association.LinkRequest(number, kind, heartbeat_s, clock)))

    def report(self, due: Due, number: int) -> bytes:
        columns = self.archive.columns(due.series)
        record = due_record(due, columns, self.condition.clock_off_s)
        return self._reported(number, b"\x88\x02" + bytes([number, 1]) + record + b"\0\0")

    def event_report(self, told: Told, number: int) -> bytes:
        results = tuple(events698.report(one, self.condition.clock_off_s) for one in told.events)
        return self._reported(number, dlt698.encode_apdu(access.ReportNotificationRecordList(number, results)))

    def _reported(self, number: int, octets: bytes) -> bytes:
        """The frame of a report's APDU, or the first of its frames."""
        self._report_number = number
        self._report = self._split(octets, self._link)
        return dlt698.encode(self._report.current) if self._report else encode_frame(Frame(self._link, octets))

    def _split(self, octets: bytes, link: Link) -> segment.FragmentSender | None:
        """The sender of an APDU in fragments; None where one frame holds it."""
        if len(octets) <= self._apdu_max():
            return None
        return segment.FragmentSender(segment.split_octets(octets, link, self._apdu_max()))

    def _apdu_max(self) -> int:
        """Octets of an APDU, or of a fragment behind its header, that one frame holds."""
        return self._frame_max - OVERHEAD - len(self._link.sa) - 2

    def received(self, frame: bytes, now: Instant) -> None:
        try:
            message = dlt698.decode(frame)
        except DecodeError as error:
            if error.kind.startswith("bad_hcs") or error.kind == "bad_fcs":
                return
            self._reply(frame, association.ErrorResponse(0, CANNOT_PARSE, None, None), now)
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
            else:
                self._wait_for_acknowledgement(now)
            self.send(dlt698.encode(sender.current))

    def _joined(self, message: Message, link: Link, now: Instant) -> None:
        found = self._joiner.feed(message)
        if isinstance(found, segment.Acknowledge):
            self.send(dlt698.encode(found.message))
        elif isinstance(found, segment.Joined):
            try:
                apdu = dlt698.decode_apdu(found.octets)
            except DecodeError:
                self._send_answer(association.ErrorResponse(0, CANNOT_PARSE, None, None), link, now)
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
                self._send_answer(self._connected(apdu), link, now)
            case association.ReleaseRequest():
                self._send_answer(association.ReleaseResponse(apdu.piid, 0, None, None), link, now)
            case association.ClientErrorResponse() | access.ReportResponseTransData():
                pass
            case _ if link.begun_by_client:
                self.counts.questions_answered += 1
                before = self.archive.version
                self._send_answer(self._answers.to(apdu, now.town_s), link, now)
                if self.archive.version != before:
                    self.replan(self.archive.reported(), now.town_s)

    def _connected(self, asked: association.ConnectRequest) -> association.ConnectResponse:
        """The association; from now on frames are as short as the centre wants them."""
        self._frame_max = max(FRAME_MIN, min(FRAME_MAX, asked.max_recv_frame))
        self._answers.apdu_max = max(FRAME_MIN, asked.max_apdu)
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

    def _reply(self, frame: bytes, apdu: Apdu, now: Instant) -> None:
        """Answer a frame whose link layer is good and whose APDU is not."""
        at = 5 + (frame[4] & 0x0F) + 1
        if frame[5:at] == self._link.sa and frame[3] & (DIR | FRAGMENT) == 0:
            self._send_answer(apdu, replace(self._link, control=PRM | USER_DATA, ca=frame[at]), now)

    def again(self, now: Instant) -> None:
        """Repeat the fragment of an answer whose acknowledgement does not come."""
        if self._answer is None or self._repeats == FRAGMENT_SENDS_MAX:
            self.again_at = None
            return
        self._repeats += 1
        self.again_at = now.wait_s + FRAGMENT_S
        self.send(dlt698.encode(self._answer.current))

    def _wait_for_acknowledgement(self, now: Instant) -> None:
        waits = self._answer is not None and not self._answer.last
        self.again_at = now.wait_s + FRAGMENT_S if waits else None
        self._repeats = 1

    def _send_answer(self, apdu: Apdu | bytes, link: Link, now: Instant) -> None:
        octets = apdu if isinstance(apdu, bytes) else dlt698.encode_apdu(apdu)
        answer = replace(self._link, control=DIR | PRM | USER_DATA, ca=link.ca)
        self._answer = self._split(octets, answer)
        self._wait_for_acknowledgement(now)
        self.send(dlt698.encode(self._answer.current) if self._answer else encode_frame(Frame(answer, octets)))
