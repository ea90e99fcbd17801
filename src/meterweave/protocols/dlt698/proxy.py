"""PROXY: a terminal does for the client what the client asks of meters behind it (clause 7.4.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from meterweave.protocols.dlt698.access import (
    ActionItem,
    ActionResult,
    ActionThenGetItem,
    ActionThenGetResult,
    SetItem,
    SetResult,
    SetThenGetItem,
    SetThenGetResult,
)
from meterweave.protocols.dlt698.apdu import Apdu, MaybeFollowReport, MaybeTimeTag, Piid, PiidAcd
from meterweave.protocols.dlt698.inner import Transparent
from meterweave.protocols.dlt698.names import field_name
from meterweave.protocols.dlt698.records import DAR, RESULT_RECORD, Oad, Oads, ResultRecord, ResultsNormal
from meterweave.protocols.dlt698.selection import RCSD, RSD, Column, RowSelection
from meterweave.protocols.dlt698.values import COMDCB, TSA, U16
from meterweave.protocols.dlt698.wire import Many, Members, Outcome
from meterweave.text import Text

SERVER, ITEM, RESULT = Text("server", "服务器"), Text("item", "对象"), field_name("result")

Tsa = Annotated[bytes, TSA]
Seconds = Annotated[int, U16]
Milliseconds = Annotated[int, U16]


class ServerGet(NamedTuple):
    """What to read from one meter."""

    server: Tsa
    timeout_s: Seconds
    items: Oads


class ServerSet(NamedTuple):
    """What to set in one meter."""

    server: Tsa
    timeout_s: Seconds
    items: Annotated[tuple[SetItem, ...], Many(Members(SetItem), ITEM)]


class ServerSetThenGet(NamedTuple):
    """What to set in one meter, and to read afterwards."""

    server: Tsa
    timeout_s: Seconds
    items: Annotated[tuple[SetThenGetItem, ...], Many(Members(SetThenGetItem), ITEM)]


class ServerAction(NamedTuple):
    """Which methods of one meter to call."""

    server: Tsa
    timeout_s: Seconds
    items: Annotated[tuple[ActionItem, ...], Many(Members(ActionItem), ITEM)]


class ServerActionThenGet(NamedTuple):
    """Which methods of one meter to call, and what to read afterwards."""

    server: Tsa
    timeout_s: Seconds
    items: Annotated[tuple[ActionThenGetItem, ...], Many(Members(ActionThenGetItem), ITEM)]


class ServerValues(NamedTuple):
    """What one meter answered to reading."""

    server: Tsa
    results: ResultsNormal


class ServerSetResults(NamedTuple):
    """What one meter answered to setting."""

    server: Tsa
    results: Annotated[tuple[SetResult, ...], Many(Members(SetResult), RESULT)]


class ServerSetThenGetResults(NamedTuple):
    """What one meter answered to setting and reading."""

    server: Tsa
    results: Annotated[tuple[SetThenGetResult, ...], Many(Members(SetThenGetResult), RESULT)]


class ServerActionResults(NamedTuple):
    """What the methods of one meter gave."""

    server: Tsa
    results: Annotated[tuple[ActionResult, ...], Many(Members(ActionResult), RESULT)]


class ServerActionThenGetResults(NamedTuple):
    """What the methods of one meter gave, and what was read afterwards."""

    server: Tsa
    results: Annotated[tuple[ActionThenGetResult, ...], Many(Members(ActionThenGetResult), RESULT)]


@dataclass(frozen=True, slots=True)
class ProxyGetRequestList(Apdu):
    """Read attributes of several meters."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("ProxyGetRequestList", "代理读取若干个服务器的若干个对象属性请求")

    piid: Piid
    timeout_s: Seconds
    servers: Annotated[tuple[ServerGet, ...], Many(Members(ServerGet), SERVER)]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyGetRequestRecord(Apdu):
    """Read rows of a table of one meter."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("ProxyGetRequestRecord", "代理读取一个服务器的一个记录型对象属性请求")

    piid: Piid
    timeout_s: Seconds
    server: Tsa
    oad: Oad
    rsd: Annotated[RowSelection, RSD]
    rcsd: Annotated[tuple[Column, ...], RCSD]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxySetRequestList(Apdu):
    """Set attributes of several meters."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("ProxySetRequestList", "代理设置若干个服务器的若干个对象属性请求")

    piid: Piid
    timeout_s: Seconds
    servers: Annotated[tuple[ServerSet, ...], Many(Members(ServerSet), SERVER)]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxySetThenGetRequestList(Apdu):
    """Set attributes of several meters, then read others."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 4
    TITLE: ClassVar[Text] = Text("ProxySetThenGetRequestList", "代理设置后读取若干个服务器的若干个对象属性请求")

    piid: Piid
    timeout_s: Seconds
    servers: Annotated[tuple[ServerSetThenGet, ...], Many(Members(ServerSetThenGet), SERVER)]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyActionRequestList(Apdu):
    """Call methods of several meters."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 5
    TITLE: ClassVar[Text] = Text("ProxyActionRequestList", "代理操作若干个服务器的若干个对象方法请求")

    piid: Piid
    timeout_s: Seconds
    servers: Annotated[tuple[ServerAction, ...], Many(Members(ServerAction), SERVER)]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyActionThenGetRequestList(Apdu):
    """Call methods of several meters, then read attributes."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 6
    TITLE: ClassVar[Text] = Text("ProxyActionThenGetRequestList", "代理操作后读取若干个服务器的若干个对象请求")

    piid: Piid
    timeout_s: Seconds
    servers: Annotated[tuple[ServerActionThenGet, ...], Many(Members(ServerActionThenGet), SERVER)]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyTransCommandRequest(Apdu):
    """Send octets out at a port and hand back what answers."""

    TAG: ClassVar[int] = 0x09
    CHOICE: ClassVar[int] = 7
    TITLE: ClassVar[Text] = Text("ProxyTransCommandRequest", "代理透明转发命令请求")

    piid: Piid
    oad: Oad
    comdcb: Annotated[bytes, COMDCB]
    frame_timeout_s: Seconds
    byte_timeout_ms: Milliseconds
    command: Annotated[bytes, Transparent("command")]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyGetResponseList(Apdu):
    """What several meters answered to reading."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("ProxyGetResponseList", "代理读取若干个服务器的若干个对象属性响应")

    piid_acd: PiidAcd
    servers: Annotated[tuple[ServerValues, ...], Many(Members(ServerValues), SERVER)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyGetResponseRecord(Apdu):
    """Rows of a table of one meter."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("ProxyGetResponseRecord", "代理读取一个服务器的一个记录型对象属性响应")

    piid_acd: PiidAcd
    server: Tsa
    result: Annotated[ResultRecord, RESULT_RECORD]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxySetResponseList(Apdu):
    """What several meters answered to setting."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("ProxySetResponseList", "代理设置若干个服务器的若干个对象属性响应")

    piid_acd: PiidAcd
    servers: Annotated[tuple[ServerSetResults, ...], Many(Members(ServerSetResults), SERVER)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxySetThenGetResponseList(Apdu):
    """What several meters answered to setting and reading."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 4
    TITLE: ClassVar[Text] = Text("ProxySetThenGetResponseList", "代理设置后读取若干个服务器的若干个对象属性响应")

    piid_acd: PiidAcd
    servers: Annotated[tuple[ServerSetThenGetResults, ...], Many(Members(ServerSetThenGetResults), SERVER)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyActionResponseList(Apdu):
    """What the methods of several meters gave."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 5
    TITLE: ClassVar[Text] = Text("ProxyActionResponseList", "代理操作若干个服务器的若干个对象方法响应")

    piid_acd: PiidAcd
    servers: Annotated[tuple[ServerActionResults, ...], Many(Members(ServerActionResults), SERVER)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyActionThenGetResponseList(Apdu):
    """What the methods of several meters gave, and what was read afterwards."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 6
    TITLE: ClassVar[Text] = Text("ProxyActionThenGetResponseList", "代理操作后读取若干个服务器的若干个对象响应")

    piid_acd: PiidAcd
    servers: Annotated[tuple[ServerActionThenGetResults, ...], Many(Members(ServerActionThenGetResults), SERVER)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ProxyTransCommandResponse(Apdu):
    """What answered at the port, or, as int, the DAR."""

    TAG: ClassVar[int] = 0x89
    CHOICE: ClassVar[int] = 7
    TITLE: ClassVar[Text] = Text("ProxyTransCommandResponse", "代理透明转发命令响应")

    piid_acd: PiidAcd
    oad: Oad
    reply: Annotated[bytes | int, Outcome("reply", Transparent("reply"), DAR)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None
