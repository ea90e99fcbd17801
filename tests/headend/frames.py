"""What terminals send, as the protocols' own builders make it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from meterweave.protocols.dlt698 import Link, Message, encode
from meterweave.protocols.dlt698.access import ReportNotificationList, ReportNotificationRecordList
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.association import LinkRequest
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.frame import Frame, encode_frame
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.segment import split
from meterweave.protocols.dlt698.selection import Column
from meterweave.protocols.dlt698.times import date_time, date_time_s
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.frame import wrap
from meterweave.protocols.gdw1376.part1.message import CON

START = datetime(2026, 11, 20)
ENERGY = 0x0010_0201  # forward active energy, total
FROZEN = 0x5004_0200  # daily freeze
LOGIN, HEARTBEAT, LOGOUT = 0, 1, 2


def link(address: int, control: int = 0x83) -> Link:
    """From a terminal with this address."""
    return Link(control, 5, bytes.fromhex(f"{address:012d}")[::-1], 0x10)


def link_request(address: int, kind: int = LOGIN, heartbeat_s: int = 60) -> bytes:
    request = LinkRequest(0, kind, heartbeat_s, date_time(START))
    return encode(Message(link(address, 0x81), request))


def day_record(meters: Sequence[int], day: int, energy: int, piid: int = 0) -> ReportNotificationRecordList:
    """Daily freezes of meters: energy [0.01 kWh] at the end of a day."""
    columns: tuple[Column, ...] = (0x202A_0200, 0x2021_0200, ENERGY)
    when = date_time_s(START + timedelta(days=day))
    rows = tuple(
        (
            (Tag.TSA, b"\x05" + bytes.fromhex(f"{meter:012d}")),
            (Tag.DATE_TIME_S, when),
            (Tag.DOUBLE_LONG_UNSIGNED, energy),
        )
        for meter in meters
    )
    return ReportNotificationRecordList(piid, (ResultRecord(FROZEN, columns, rows),))


def report(address: int, meters: Sequence[int], day: int, energy: int, piid: int = 0) -> bytes:
    """One frame of `day_record`."""
    return encode(Message(link(address), day_record(meters, day, energy, piid)))


def values(address: int, energy: int, count: int = 1) -> bytes:
    """REPORT-Notification of values: the terminal's own energy, `count` times."""
    result = ResultNormal(ENERGY, (Tag.DOUBLE_LONG_UNSIGNED, energy))
    return encode(Message(link(address), ReportNotificationList(1, (result,) * count)))


def fragments(address: int, apdu: Apdu, size_max: int) -> list[bytes]:
    """The frames that carry a long APDU."""
    return [encode(one) for one in split(apdu, link(address), size_max)]


def gdw_login(region: int, terminal: int) -> bytes:
    return part1.encode(service.login(region, terminal, number=3))


def gdw_heartbeat(region: int, terminal: int) -> bytes:
    return part1.encode(service.heartbeat(region, terminal, number=4))


def gdw_logout(region: int, terminal: int) -> bytes:
    return part1.encode(service.logout(region, terminal, number=5))


def gdw_report(region: int, terminal: int, point: int, day: str, energy: str, *, con: bool = True) -> bytes:
    """AFN 0DH F5: daily freeze of forward active energy, to be confirmed."""
    unit = part1.build_unit(0x0D, True, [point], [161], gdw_day(day, energy))
    message = service.report(region, terminal, 0x0D, [unit], number=6)
    return part1.encode(message._replace(seq=message.seq | (CON if con else 0)))


def gdw_day(day: str, energy: str) -> dict[str, object]:
    return {"freeze.day": day, "tariff_count": 0, "energy.forward_active.total": energy, "read_time": f"{day}T00:00"}


def framed(protocol: str, content: bytes) -> bytes:
    """A good frame around any octets."""
    if protocol == "dlt698":
        return encode_frame(Frame(link(100), content))
    return wrap(2, b"\xc4\x01\x33\x07\x00\x00" + content.ljust(2, b"\0"))
