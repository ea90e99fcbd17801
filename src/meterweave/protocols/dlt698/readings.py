"""The readings in one message: the complete decoder, which the columns of `batch` must equal.

The wire key of a meter is the digits of its address, most significant first, read as one hexadecimal number; fillers F
and wildcards A stay, the logical address is left out. An address above 63 bits has no wire key and gives no reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from meterweave.errors import DecodeError
from meterweave.metering.batch import Quality, Reading, ReadingBatch, Source
from meterweave.metering.clock import SHANGHAI, utc_us
from meterweave.metering.decimal import rescale
from meterweave.protocols.dlt698 import access, get, proxy, security
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.frame import EXTENDED, Link
from meterweave.protocols.dlt698.inner import inside, recognised
from meterweave.protocols.dlt698.measured import Item, row_items, value_items
from meterweave.protocols.dlt698.message import Message
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.services import decode_apdu
from meterweave.protocols.dlt698.times import moment

KEY_MAX = (1 << 63) - 1
VALUE_MAX, VALUE_MIN = (1 << 63) - 1, -(1 << 63)

Result = ResultNormal | ResultRecord


def readings(message: Message, *, index: int = 0, received: int = 0, zone: ZoneInfo = SHANGHAI) -> list[Reading]:
    """The readings in `message`, in the order of the wire; requests, fragments and errors (DAR) have none.

    Parameters
    ----------
    index : int
        Goes into `Reading.frame`.
    received : int
        When the octets came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the clock of the device runs.
    """
    meter = link_key(message.link) if message.link else None
    return _apdu_readings(message.apdu, meter, _Stamp(index, received, zone))


class _Stamp(NamedTuple):
    """What all readings of a frame share."""

    frame: int
    received: int
    zone: ZoneInfo


def _apdu_readings(apdu: Apdu | None, meter: int | None, stamp: _Stamp) -> list[Reading]:
    found: list[Reading] = []
    pushed = isinstance(apdu, access.ReportNotificationList | access.ReportNotificationRecordList)
    source = Source.PUSHED if pushed else Source.READ
    for server, result in results(apdu):
        found += _result_readings(result, meter if server is None else tsa_key(server), source, stamp)
    follow_report = getattr(apdu, "follow_report", None)
    for result in follow_report.items if follow_report else ():
        found += _result_readings(result, meter, Source.PUSHED, stamp)
    with inside() as looked_into:
        if looked_into:
            found += _inner_readings(apdu, meter, stamp)
    return found


def results(apdu: Apdu | None) -> Iterator[tuple[bytes | None, Result]]:
    """The results in an APDU, each with the TSA of the server that it is from, where it is not the one of the link."""
    match apdu:
        case get.GetResponseNormal() | get.GetResponseRecord():
            yield None, apdu.result
        case (
            get.GetResponseNormalList()
            | get.GetResponseRecordList()
            | access.ReportNotificationList()
            | access.ReportNotificationRecordList()
        ):
            for result in apdu.results:
                yield None, result
        case get.GetResponseNext(content=get.BlockNormal(results) | get.BlockRecord(results)):
            for result in results:
                yield None, result
        case access.SetThenGetResponseNormalList() | access.ActionThenGetResponseNormalList():
            for one in apdu.results:
                yield None, one.get_result
        case proxy.ProxyGetResponseRecord():
            yield apdu.server, apdu.result
        case proxy.ProxyGetResponseList():
            for server, results in apdu.servers:
                for result in results:
                    yield server, result
        case proxy.ProxySetThenGetResponseList() | proxy.ProxyActionThenGetResponseList():
            for answer in apdu.servers:
                for one in answer.results:
                    yield answer.server, one.get_result


def _inner_readings(apdu: Apdu | None, meter: int | None, stamp: _Stamp) -> list[Reading]:
    """The readings of what an APDU wraps: another APDU, or a frame of a meter."""
    match apdu:
        case security.SecurityRequestPlain() | security.SecurityResponsePlain():
            try:
                return _apdu_readings(decode_apdu(apdu.plaintext), meter, stamp)
            except DecodeError:
                return []
        case proxy.ProxyTransCommandResponse(reply=bytes(octets)) | access.ReportNotificationTransData(data=octets):
            known = recognised(octets)
            if known:
                batch = known[0].decode_batch([octets], received=stamp.received, zone=stamp.zone)
                return _forwarded(batch, stamp.frame)
    return []


def _forwarded(batch: ReadingBatch, frame: int) -> list[Reading]:
    """The readings of a frame inside a frame."""
    columns = (batch.meter, batch.quantity, batch.profile, batch.ts, batch.value, batch.missing, batch.quality)
    return [
        Reading(frame, meter, quantity, profile, ts, None if missing else value, quality, int(Source.FORWARDED))
        for meter, quantity, profile, ts, value, missing, quality in zip(
            *[one.tolist() for one in columns], strict=True
        )
    ]


def _result_readings(result: Result, meter: int | None, source: Source, stamp: _Stamp) -> list[Reading]:
    if isinstance(result, ResultNormal):
        items = value_items(result.oad, result.data) if result.data else ()
        return _read(items, meter, source, stamp)
    found: list[Reading] = []
    for cells in result.rows:
        row = row_items(result.oad, result.rcsd, cells)
        found += _read(row.items, named_meter(row.meter) if row.meter else meter, source, stamp)
    return found


def _read(items: Sequence[Item], meter: int | None, source: Source, stamp: _Stamp) -> list[Reading]:
    """The readings of one meter; none where it has no wire key."""
    return [] if meter is None else [_reading(item, meter, source, stamp) for item in items]


def _reading(item: Item, meter: int, source: Source, stamp: _Stamp) -> Reading:
    ts, quality = stamp.received, Quality.GOOD
    if item.time is not None:
        ts, quality = _instant(item.time[1], stamp)
    tag, number = item.value
    value: int | None = None
    if tag == Tag.NULL:
        quality |= Quality.NO_VALUE
    else:
        value, exact = rescale(number, item.measure.shift, 0)
        if not VALUE_MIN <= value <= VALUE_MAX:
            value, quality = None, quality | Quality.OUT_OF_RANGE
        elif not exact:
            quality |= Quality.ROUNDED
    return Reading(stamp.frame, meter, item.measure.quantity, int(item.profile), ts, value, int(quality), int(source))


def _instant(octets: bytes, stamp: _Stamp) -> tuple[int, Quality]:
    when = moment(octets)
    if when is None:
        return stamp.received, Quality.TIME_INVALID
    return utc_us(when, stamp.zone), Quality.GOOD


def link_key(link: Link) -> int | None:
    """The wire key of the server of a frame."""
    return meter_key((link.sa[1:] if link.af & EXTENDED else link.sa)[::-1])


def meter_key(address: bytes) -> int | None:
    """The wire key of the meter with this address, high octet first."""
    key = int.from_bytes(address, "big")
    return key if address and key <= KEY_MAX else None


def named_meter(cell: Data) -> int | None:
    """The wire key in an address column: a TSA, or an octet-string without address feature."""
    tag, value = cell
    if tag == Tag.TSA:
        return tsa_key(value)
    return meter_key(value) if tag == Tag.OCTET_STRING else None


def tsa_key(tsa: bytes) -> int | None:
    """The wire key of the server with this TSA."""
    return meter_key(tsa[2:] if tsa[:1] and tsa[0] & EXTENDED else tsa[1:])
