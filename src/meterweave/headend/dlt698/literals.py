"""Short ways to write down the Data that a centre sends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import TimeInterval, tsa

NULL: Data = (Tag.NULL, None)


def u8(value: int) -> Data:
    """An unsigned."""
    return (Tag.UNSIGNED, value)


def u16(value: int) -> Data:
    """A long-unsigned."""
    return (Tag.LONG_UNSIGNED, value)


def enum(value: int) -> Data:
    """An enum."""
    return (Tag.ENUM, value)


def octets(value: bytes) -> Data:
    """An octet-string."""
    return (Tag.OCTET_STRING, value)


def oad(value: int) -> Data:
    """An OAD."""
    return (Tag.OAD, value)


def address(value: str) -> Data:
    """A TSA of an address of an even number of digits."""
    return (Tag.TSA, tsa(value))


def interval(value: TimeInterval) -> Data:
    """A TI."""
    return (Tag.TI, value)


def stamp(value: bytes) -> Data:
    """A date_time_s."""
    return (Tag.DATE_TIME_S, value)


def structure(*members: Data) -> Data:
    """A structure."""
    return (Tag.STRUCTURE, members)


def array(elements: Iterable[Data]) -> Data:
    """An array."""
    return (Tag.ARRAY, tuple(elements))


def local_time(us: int, zone: ZoneInfo) -> datetime:
    """The time that clocks in `zone` show, naive as devices know it; `us` is us since 1970, UTC."""
    return datetime.fromtimestamp(us // 1_000_000, UTC).astimezone(zone).replace(tzinfo=None, microsecond=0)


def local_stamp(us: int, zone: ZoneInfo) -> bytes:
    """`local_time` as the octets of a date_time_s; parts of a second are left away."""
    return date_time_s(local_time(us, zone))
