"""SET, ACTION and REPORT: the client writes and calls, the server reports (clause 7.4.4 to 7.4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

from meterweave.protocols.dlt698.apdu import Apdu, MaybeFollowReport, MaybeTimeTag, Piid, PiidAcd
from meterweave.protocols.dlt698.datum import DATA, Data
from meterweave.protocols.dlt698.inner import Transparent
from meterweave.protocols.dlt698.names import field_name
from meterweave.protocols.dlt698.records import (
    RESULT_NORMAL,
    Dar,
    Oad,
    Oads,
    ResultNormal,
    ResultsNormal,
    ResultsRecord,
)
from meterweave.protocols.dlt698.values import OMD, U8
from meterweave.protocols.dlt698.wire import Many, Maybe, Members
from meterweave.text import Text

Omd = Annotated[int, OMD]
AnyData = Annotated[Data, DATA]
MaybeData = Annotated[Data | None, Maybe(DATA)]

# SET -------------------------------------------------------------------------------------------------------------


class SetItem(NamedTuple):
    """An attribute and its new value."""

    oad: Oad
    value: AnyData


class SetThenGetItem(NamedTuple):
    """An attribute and its new value; then what to read, after how long (0: as the server likes)."""

    set_oad: Oad
    value: AnyData
    get_oad: Oad
    delay_s: Annotated[int, U8]


class SetResult(NamedTuple):
    """What became of setting an attribute."""

    oad: Oad
    dar: Dar


class SetThenGetResult(NamedTuple):
    """What became of setting an attribute, and what was read afterwards."""

    set_oad: Oad
    dar: Dar
    get_result: Annotated[ResultNormal, RESULT_NORMAL]


@dataclass(frozen=True, slots=True)
class SetRequestNormal(Apdu):
    """Set one attribute."""

    TAG: ClassVar[int] = 0x06
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("SetRequestNormal", "设置一个对象属性请求")

    piid: Piid
    oad: Oad
    value: AnyData
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class SetRequestNormalList(Apdu):
    """Set several attributes."""

    TAG: ClassVar[int] = 0x06
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("SetRequestNormalList", "设置若干个对象属性请求")

    piid: Piid
    items: Annotated[tuple[SetItem, ...], Many(Members(SetItem), Text("item", "对象"))]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class SetThenGetRequestNormalList(Apdu):
    """Set several attributes, then read others."""

    TAG: ClassVar[int] = 0x06
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("SetThenGetRequestNormalList", "设置后读取若干个对象属性请求")

    piid: Piid
    items: Annotated[tuple[SetThenGetItem, ...], Many(Members(SetThenGetItem), Text("item", "对象"))]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class SetResponseNormal(Apdu):
    """What became of setting one attribute."""

    TAG: ClassVar[int] = 0x86
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("SetResponseNormal", "设置一个对象属性响应")

    piid_acd: PiidAcd
    oad: Oad
    dar: Dar
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class SetResponseNormalList(Apdu):
    """What became of setting several attributes."""

    TAG: ClassVar[int] = 0x86
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("SetResponseNormalList", "设置若干个对象属性响应")

    piid_acd: PiidAcd
    results: Annotated[tuple[SetResult, ...], Many(Members(SetResult), field_name("result"))]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class SetThenGetResponseNormalList(Apdu):
    """What became of setting several attributes, and what was read afterwards."""

    TAG: ClassVar[int] = 0x86
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("SetThenGetResponseNormalList", "设置后读取若干个对象属性响应")

    piid_acd: PiidAcd
    results: Annotated[tuple[SetThenGetResult, ...], Many(Members(SetThenGetResult), field_name("result"))]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


# ACTION ----------------------------------------------------------------------------------------------------------


class ActionItem(NamedTuple):
    """A method and its parameter; NULL where it takes none."""

    omd: Omd
    param: AnyData


class ActionThenGetItem(NamedTuple):
    """A method and its parameter; then what to read, after how long (0: as the server likes)."""

    omd: Omd
    param: AnyData
    get_oad: Oad
    delay_s: Annotated[int, U8]


class ActionResult(NamedTuple):
    """What a method gave."""

    omd: Omd
    dar: Dar
    data: MaybeData


class ActionThenGetResult(NamedTuple):
    """What a method gave, and what was read afterwards."""

    omd: Omd
    dar: Dar
    data: MaybeData
    get_result: Annotated[ResultNormal, RESULT_NORMAL]


@dataclass(frozen=True, slots=True)
class ActionRequest(Apdu):
    """Call one method."""

    TAG: ClassVar[int] = 0x07
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("ActionRequest", "操作一个对象方法请求")

    piid: Piid
    omd: Omd
    param: AnyData
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ActionRequestList(Apdu):
    """Call several methods."""

    TAG: ClassVar[int] = 0x07
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("ActionRequestList", "操作若干个对象方法请求")

    piid: Piid
    items: Annotated[tuple[ActionItem, ...], Many(Members(ActionItem), Text("item", "对象"))]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ActionThenGetRequestNormalList(Apdu):
    """Call several methods, then read attributes."""

    TAG: ClassVar[int] = 0x07
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("ActionThenGetRequestNormalList", "操作若干个对象方法后读取若干个对象属性请求")

    piid: Piid
    items: Annotated[tuple[ActionThenGetItem, ...], Many(Members(ActionThenGetItem), Text("item", "对象"))]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ActionResponseNormal(Apdu):
    """What one method gave."""

    TAG: ClassVar[int] = 0x87
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("ActionResponseNormal", "操作一个对象方法响应")

    piid_acd: PiidAcd
    omd: Omd
    dar: Dar
    data: MaybeData = None
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ActionResponseNormalList(Apdu):
    """What several methods gave."""

    TAG: ClassVar[int] = 0x87
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("ActionResponseNormalList", "操作若干个对象方法响应")

    piid_acd: PiidAcd
    results: Annotated[tuple[ActionResult, ...], Many(Members(ActionResult), field_name("result"))]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ActionThenGetResponseNormalList(Apdu):
    """What several methods gave, and what was read afterwards."""

    TAG: ClassVar[int] = 0x87
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("ActionThenGetResponseNormalList", "操作若干个对象方法后读取若干个对象属性响应")

    piid_acd: PiidAcd
    results: Annotated[tuple[ActionThenGetResult, ...], Many(Members(ActionThenGetResult), field_name("result"))]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


# REPORT ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportNotificationList(Apdu):
    """The server reports values."""

    TAG: ClassVar[int] = 0x88
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("ReportNotificationList", "上报若干个对象属性")

    piid_acd: PiidAcd
    results: ResultsNormal
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ReportNotificationRecordList(Apdu):
    """The server reports records."""

    TAG: ClassVar[int] = 0x88
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("ReportNotificationRecordList", "上报若干个记录型对象属性")

    piid_acd: PiidAcd
    results: ResultsRecord
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ReportNotificationTransData(Apdu):
    """The server hands on what came in at a port."""

    TAG: ClassVar[int] = 0x88
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("ReportNotificationTransData", "上报透明数据")

    piid_acd: PiidAcd
    oad: Oad
    data: Annotated[bytes, Transparent("data")]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ReportResponseList(Apdu):
    """The client confirms values; the OADs in the order of the report."""

    TAG: ClassVar[int] = 0x08
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("ReportResponseList", "上报若干个对象属性的响应")

    piid: Piid
    oads: Oads
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ReportResponseRecordList(Apdu):
    """The client confirms records; the OADs in the order of the report."""

    TAG: ClassVar[int] = 0x08
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("ReportResponseRecordList", "上报若干个记录型对象属性的响应")

    piid: Piid
    oads: Oads
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class ReportResponseTransData(Apdu):
    """The client confirms transparent data."""

    TAG: ClassVar[int] = 0x08
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("ReportResponseTransData", "上报透明数据的响应")

    piid: Piid
    time_tag: MaybeTimeTag = None
