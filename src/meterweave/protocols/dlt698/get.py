"""GET: the client reads attributes and tables (clause 7.4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple

from meterweave.protocols.dlt698.apdu import Apdu, MaybeFollowReport, MaybeTimeTag, Piid, PiidAcd
from meterweave.protocols.dlt698.given import integer
from meterweave.protocols.dlt698.records import (
    DAR,
    RESULT_NORMAL,
    RESULT_RECORD,
    Dar,
    Oad,
    Oads,
    ResultNormal,
    ResultRecord,
    ResultsNormal,
    ResultsRecord,
)
from meterweave.protocols.dlt698.selection import RCSD, RSD, Column, RowSelection
from meterweave.protocols.dlt698.values import OCTETS, U16
from meterweave.protocols.dlt698.wire import Boolean, Choice, Many, Members, Outcome
from meterweave.text import Text


class RecordRequest(NamedTuple):
    """A table to read: which rows, which columns."""

    oad: Oad
    rsd: Annotated[RowSelection, RSD]
    rcsd: Annotated[tuple[Column, ...], RCSD]


@dataclass(frozen=True, slots=True)
class GetRequestNormal(Apdu):
    """Read one attribute."""

    TAG: ClassVar[int] = 0x05
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("GetRequestNormal", "读取一个对象属性请求")

    piid: Piid
    oad: Oad
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetRequestNormalList(Apdu):
    """Read several attributes."""

    TAG: ClassVar[int] = 0x05
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("GetRequestNormalList", "读取若干个对象属性请求")

    piid: Piid
    oads: Oads
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetRequestRecord(Apdu):
    """Read rows of one table."""

    TAG: ClassVar[int] = 0x05
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("GetRequestRecord", "读取一个记录型对象属性请求")

    piid: Piid
    oad: Oad
    rsd: Annotated[RowSelection, RSD]
    rcsd: Annotated[tuple[Column, ...], RCSD]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetRequestRecordList(Apdu):
    """Read rows of several tables."""

    TAG: ClassVar[int] = 0x05
    CHOICE: ClassVar[int] = 4
    TITLE: ClassVar[Text] = Text("GetRequestRecordList", "读取若干个记录型对象属性请求")

    piid: Piid
    items: Annotated[tuple[RecordRequest, ...], Many(Members(RecordRequest), Text("table", "记录型对象"))]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetRequestNext(Apdu):
    """Go on with a result in blocks; `block` is the last one received."""

    TAG: ClassVar[int] = 0x05
    CHOICE: ClassVar[int] = 5
    TITLE: ClassVar[Text] = Text("GetRequestNext", "读取分帧响应的下一个数据块请求")

    piid: Piid
    block: Annotated[int, U16]
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetRequestMD5(Apdu):
    """Read the MD5 of one attribute's data."""

    TAG: ClassVar[int] = 0x05
    CHOICE: ClassVar[int] = 6
    TITLE: ClassVar[Text] = Text("GetRequestMD5", "读取一个对象属性的MD5值请求")

    piid: Piid
    oad: Oad
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetResponseNormal(Apdu):
    """One attribute."""

    TAG: ClassVar[int] = 0x85
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("GetResponseNormal", "读取一个对象属性响应")

    piid_acd: PiidAcd
    result: Annotated[ResultNormal, RESULT_NORMAL]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetResponseNormalList(Apdu):
    """Several attributes."""

    TAG: ClassVar[int] = 0x85
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("GetResponseNormalList", "读取若干个对象属性响应")

    piid_acd: PiidAcd
    results: ResultsNormal
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetResponseRecord(Apdu):
    """Rows of one table."""

    TAG: ClassVar[int] = 0x85
    CHOICE: ClassVar[int] = 3
    TITLE: ClassVar[Text] = Text("GetResponseRecord", "读取一个记录型对象属性响应")

    piid_acd: PiidAcd
    result: Annotated[ResultRecord, RESULT_RECORD]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetResponseRecordList(Apdu):
    """Rows of several tables."""

    TAG: ClassVar[int] = 0x85
    CHOICE: ClassVar[int] = 4
    TITLE: ClassVar[Text] = Text("GetResponseRecordList", "读取若干个记录型对象属性响应")

    piid_acd: PiidAcd
    results: ResultsRecord
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class BlockFailed:
    """A block that cannot be given."""

    dar: Dar


@dataclass(frozen=True, slots=True)
class BlockNormal:
    """A block of values."""

    results: ResultsNormal


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block of records; rows are never cut."""

    results: ResultsRecord


Block = BlockFailed | BlockNormal | BlockRecord

BLOCK = Choice(
    "result_choice",
    {
        0: (Text("error", "错误信息"), BlockFailed),
        1: (Text("list of A-ResultNormal", "若干个对象属性"), BlockNormal),
        2: (Text("list of A-ResultRecord", "若干个记录型对象属性"), BlockRecord),
    },
    named=False,
    flat=True,
)


class LastFlag(Boolean):
    """Whether a block is the last."""

    flat = True

    def to_json(self, value: int) -> Any:
        found = {"last": super().to_json(value)}
        return found | {"last_octet": value} if value > 1 else found

    def from_json(self, found: Any) -> int:
        if "last_octet" in found:
            return integer(found["last_octet"], 0, 0xFF)
        return super().from_json(found.get("last"))


@dataclass(frozen=True, slots=True)
class GetResponseNext(Apdu):
    """One block of a result that was too long for one APDU."""

    TAG: ClassVar[int] = 0x85
    CHOICE: ClassVar[int] = 5
    TITLE: ClassVar[Text] = Text("GetResponseNext", "读取分帧响应的下一个数据块响应")

    piid_acd: PiidAcd
    last: Annotated[int, LastFlag()]
    block: Annotated[int, U16]
    content: Annotated[Block, BLOCK]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None


@dataclass(frozen=True, slots=True)
class GetResponseMD5(Apdu):
    """The MD5 of one attribute's encoded data, or, as int, the DAR."""

    TAG: ClassVar[int] = 0x85
    CHOICE: ClassVar[int] = 6
    TITLE: ClassVar[Text] = Text("GetResponseMD5", "读取一个对象属性的MD5值响应")

    piid_acd: PiidAcd
    oad: Oad
    md5: Annotated[bytes | int, Outcome("md5", OCTETS, DAR)]
    follow_report: MaybeFollowReport = None
    time_tag: MaybeTimeTag = None
