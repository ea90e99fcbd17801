"""APDUs: one class a service, each written down once (see `wire`), and the table that finds them by tag and choice.

A service is a frozen dataclass whose annotated fields follow one another on the wire behind the tag and, where there
are several services of one tag, the choice. Requests of the client end with TimeTag, responses of the server with
FollowReport and TimeTag, as their fields say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, NamedTuple

from meterweave.protocols.dlt698.given import integer
from meterweave.protocols.dlt698.records import RESULTS_NORMAL, RESULTS_RECORD, ResultNormal, ResultRecord
from meterweave.protocols.dlt698.values import DATE_TIME_S, TI, TimeInterval
from meterweave.protocols.dlt698.wire import Choice, Maybe, Members, Unsigned
from meterweave.text import Text

SEQUENCE, ACD, PRIORITY = 0x3F, 0x40, 0x80
"""Bits of PIID-ACD: sequence number, events are waiting, high priority."""


class Piids(Unsigned):
    """PIID: priority and sequence number. In PIID-ACD, the server's, bit 6 tells that events are waiting."""

    def __init__(self, *, acd: bool) -> None:
        super().__init__(1)
        self.acd = acd

    def to_json(self, value: int) -> Any:
        found = {"raw": value, "seq": value & SEQUENCE, "priority": value >> 7}
        return found | {"acd": value >> 6 & 1} if self.acd else found

    def from_json(self, found: Any) -> int:
        if not isinstance(found, dict):
            return super().from_json(found)
        if "raw" in found:
            return super().from_json(found["raw"])
        bits = {"seq": SEQUENCE, "priority": 1, "acd": 1}
        seq, priority, acd = (integer(found.get(key, 0), 0, high) for key, high in bits.items())
        return priority << 7 | acd << 6 | seq

    def words(self, value: int) -> tuple[str, Text | None]:
        found = [Text(f"number {value & SEQUENCE}", f"序号{value & SEQUENCE}")]
        if value & PRIORITY:
            found.append(Text("high priority", "高优先级"))
        if self.acd and value & ACD:
            found.append(Text("events are waiting", "有事件请求访问"))
        return f"{value:02X}H", Text(", ".join(one.en for one in found), "，".join(one.zh for one in found))


class TimeTag(NamedTuple):
    """When a request was sent, and how old it may be when it is carried out; an interval of 0 sets no limit."""

    send_time: Annotated[bytes, DATE_TIME_S]
    max_delay: Annotated[TimeInterval, TI]


@dataclass(frozen=True, slots=True)
class FollowReportNormal:
    """Events that ride on a response: values."""

    items: Annotated[tuple[ResultNormal, ...], RESULTS_NORMAL]


@dataclass(frozen=True, slots=True)
class FollowReportRecord:
    """Events that ride on a response: records."""

    items: Annotated[tuple[ResultRecord, ...], RESULTS_RECORD]


Piid = Annotated[int, Piids(acd=False)]
PiidAcd = Annotated[int, Piids(acd=True)]
MaybeTimeTag = Annotated[TimeTag | None, Maybe(Members(TimeTag))]
MaybeFollowReport = Annotated[
    FollowReportNormal | FollowReportRecord | None,
    Maybe(
        Choice(
            "choice",
            {
                1: (Text("list of A-ResultNormal", "若干个对象属性及其数据"), FollowReportNormal),
                2: (Text("list of A-ResultRecord", "若干个记录型对象属性及其数据"), FollowReportRecord),
            },
        )
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Apdu:
    """What all services have."""

    TAG: ClassVar[int]
    CHOICE: ClassVar[int | None] = None
    TITLE: ClassVar[Text]
    """The service as the standard calls it; the English name stands in JSON."""

    wide_lengths: tuple[tuple[int, int], ...] = field(default=(), repr=False)
    """Lengths in more octets than needed, which some devices send: offset in the APDU and octets of each."""
