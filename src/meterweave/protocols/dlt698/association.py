"""Services about the connection itself: LINK, CONNECT, RELEASE, ERROR (clause 7.4.1 and 7.4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from meterweave.protocols.dlt698.apdu import Apdu, MaybeFollowReport, MaybeTimeTag, Piid, PiidAcd
from meterweave.protocols.dlt698.given import integer, member
from meterweave.protocols.dlt698.tables import (
    CONNECT_RESULTS,
    ERROR_TYPES,
    FUNCTIONAL_CONFORMANCE,
    LINK_RESULTS,
    LINK_TYPES,
    MECHANISMS,
    PROTOCOL_CONFORMANCE,
    word,
)
from meterweave.protocols.dlt698.values import DATE_TIME, DATE_TIME_S, OCTETS, U8, U16, U32, VISIBLE_STRING
from meterweave.protocols.dlt698.wire import Choice, Code, Fixed, FixedString, Maybe, Members, Unsigned
from meterweave.text import Text

CLOCK_TRUSTED, LINK_RESULT = 0x80, 0x07
"""Bits of the result of LINK-Response."""


class LinkResults(Unsigned):
    """The result of LINK-Response: the most significant bit tells whether the client's clock may be trusted."""

    def __init__(self) -> None:
        super().__init__(1)

    def to_json(self, value: int) -> Any:
        code = value & LINK_RESULT
        trusted = bool(value & CLOCK_TRUSTED)
        return {"raw": value, "clock_trusted": trusted, "code": code, "name": word(LINK_RESULTS, code).en}

    def from_json(self, found: Any) -> int:
        if isinstance(found, Mapping) and "raw" not in found:
            trusted = CLOCK_TRUSTED if member(found, "clock_trusted") is True else 0
            return trusted | integer(member(found, "code"), 0, LINK_RESULT)
        return super().from_json(found["raw"] if isinstance(found, Mapping) else found)

    def words(self, value: int) -> tuple[str, Text | None]:
        result = word(LINK_RESULTS, value & LINK_RESULT)
        if value & CLOCK_TRUSTED:
            return f"{value:02X}H", Text(f"{result.en}, clock trusted", f"{result.zh}，时钟可信")
        return f"{value:02X}H", Text(f"{result.en}, clock not trusted", f"{result.zh}，时钟不可信")


class Conformance(Fixed):
    """A conformance block: bits that name what a side can do, bit 0 first."""

    def __init__(self, size: int, table: tuple[Text, ...]) -> None:
        super().__init__(size)
        self.table = table

    def words(self, value: bytes) -> tuple[str, Text | None]:
        bits = [bit for bit in range(8 * self.size) if value[bit >> 3] << (bit & 7) & 0x80]
        texts = [self.table[bit] for bit in bits if bit < len(self.table)]
        meaning = Text(", ".join(one.en for one in texts), "、".join(one.zh for one in texts)) if texts else None
        return value.hex(" ").upper(), meaning


@dataclass(frozen=True, slots=True)
class LinkRequest(Apdu):
    """The server logs in, gives a sign of life, or logs out."""

    TAG: ClassVar[int] = 0x01
    TITLE: ClassVar[Text] = Text("LINK-Request", "预连接请求")

    piid_acd: PiidAcd
    request_type: Annotated[int, Code(LINK_TYPES)]
    heartbeat_s: Annotated[int, U16]
    request_time: Annotated[bytes, DATE_TIME]


@dataclass(frozen=True, slots=True)
class LinkResponse(Apdu):
    """The client's answer, with the times from which the server learns the delay of the way."""

    TAG: ClassVar[int] = 0x81
    TITLE: ClassVar[Text] = Text("LINK-Response", "预连接响应")

    piid: Piid
    result: Annotated[int, LinkResults()]
    request_time: Annotated[bytes, DATE_TIME]
    received_time: Annotated[bytes, DATE_TIME]
    response_time: Annotated[bytes, DATE_TIME]


@dataclass(frozen=True, slots=True)
class NoMechanism:
    """The public association."""


@dataclass(frozen=True, slots=True)
class Password:
    """A password in the clear."""

    password: Annotated[bytes, VISIBLE_STRING]


@dataclass(frozen=True, slots=True)
class Symmetric:
    """Proof with a symmetric key."""

    ciphertext1: Annotated[bytes, OCTETS]
    client_signature1: Annotated[bytes, OCTETS]


@dataclass(frozen=True, slots=True)
class Signature:
    """Proof with a digital signature."""

    ciphertext2: Annotated[bytes, OCTETS]
    client_signature2: Annotated[bytes, OCTETS]


Mechanism = NoMechanism | Password | Symmetric | Signature

MECHANISM = Choice(
    "choice",
    {code: (MECHANISMS[code], kind) for code, kind in enumerate((NoMechanism, Password, Symmetric, Signature))},
)


class FactoryVersion(NamedTuple):
    """Who made a device, and which; dates as YYMMDD."""

    vendor: Annotated[bytes, FixedString(4)]
    sw_version: Annotated[bytes, FixedString(4)]
    sw_date: Annotated[bytes, FixedString(6)]
    hw_version: Annotated[bytes, FixedString(4)]
    hw_date: Annotated[bytes, FixedString(6)]
    extension: Annotated[bytes, FixedString(8)]


class ServerSecurity(NamedTuple):
    """The server's part of the authentication."""

    server_random: Annotated[bytes, OCTETS]
    server_signature: Annotated[bytes, OCTETS]


ProtocolConformance = Annotated[bytes, Conformance(8, tuple(PROTOCOL_CONFORMANCE))]
FunctionalConformance = Annotated[bytes, Conformance(16, tuple(FUNCTIONAL_CONFORMANCE))]


@dataclass(frozen=True, slots=True)
class ConnectRequest(Apdu):
    """The client asks for an association, with its limits; sizes are limits of L. [octets]"""

    TAG: ClassVar[int] = 0x02
    TITLE: ClassVar[Text] = Text("CONNECT-Request", "建立应用连接请求")

    piid: Piid
    protocol_version: Annotated[int, U16]
    protocol_conformance: ProtocolConformance
    functional_conformance: FunctionalConformance
    max_send_frame: Annotated[int, U16]
    max_recv_frame: Annotated[int, U16]
    max_recv_window_frames: Annotated[int, U8]
    max_apdu: Annotated[int, U16]
    session_timeout_s: Annotated[int, U32]
    mechanism: Annotated[Mechanism, MECHANISM]
    time_tag: MaybeTimeTag


@dataclass(frozen=True, slots=True)
class ConnectResponse(Apdu):
    """The server's answer, with what it is and its own limits. [octets]"""

    TAG: ClassVar[int] = 0x82
    TITLE: ClassVar[Text] = Text("CONNECT-Response", "建立应用连接响应")

    piid_acd: PiidAcd
    factory_version: Annotated[FactoryVersion, Members(FactoryVersion)]
    protocol_version: Annotated[int, U16]
    protocol_conformance: ProtocolConformance
    functional_conformance: FunctionalConformance
    max_send_frame: Annotated[int, U16]
    max_recv_frame: Annotated[int, U16]
    max_recv_window_frames: Annotated[int, U8]
    max_apdu: Annotated[int, U16]
    session_timeout_s: Annotated[int, U32]
    result: Annotated[int, Code(CONNECT_RESULTS)]
    security: Annotated[ServerSecurity | None, Maybe(Members(ServerSecurity))]
    follow_report: MaybeFollowReport
    time_tag: MaybeTimeTag


@dataclass(frozen=True, slots=True)
class ReleaseRequest(Apdu):
    """The client ends the association."""

    TAG: ClassVar[int] = 0x03
    TITLE: ClassVar[Text] = Text("RELEASE-Request", "断开应用连接请求")

    piid: Piid
    time_tag: MaybeTimeTag


@dataclass(frozen=True, slots=True)
class ReleaseResponse(Apdu):
    """The server agrees; the result is 0."""

    TAG: ClassVar[int] = 0x83
    TITLE: ClassVar[Text] = Text("RELEASE-Response", "断开应用连接响应")

    piid_acd: PiidAcd
    result: Annotated[int, U8]
    follow_report: MaybeFollowReport
    time_tag: MaybeTimeTag


@dataclass(frozen=True, slots=True)
class ReleaseNotification(Apdu):
    """The server tells that the association has timed out."""

    TAG: ClassVar[int] = 0x84
    TITLE: ClassVar[Text] = Text("RELEASE-Notification", "断开应用连接通知")

    piid_acd: PiidAcd
    connect_time: Annotated[bytes, DATE_TIME_S]
    current_time: Annotated[bytes, DATE_TIME_S]
    follow_report: MaybeFollowReport
    time_tag: MaybeTimeTag


@dataclass(frozen=True, slots=True)
class ClientErrorResponse(Apdu):
    """The client could not make sense of an APDU of the server."""

    TAG: ClassVar[int] = 0x6E
    TITLE: ClassVar[Text] = Text("ERROR-Response", "异常响应")

    piid: Piid
    error_type: Annotated[int, Code(ERROR_TYPES)]
    time_tag: MaybeTimeTag


@dataclass(frozen=True, slots=True)
class ErrorResponse(Apdu):
    """The server could not make sense of an APDU of the client."""

    TAG: ClassVar[int] = 0xEE
    TITLE: ClassVar[Text] = Text("ERROR-Response", "异常响应")

    piid_acd: PiidAcd
    error_type: Annotated[int, Code(ERROR_TYPES)]
    follow_report: MaybeFollowReport
    time_tag: MaybeTimeTag
