"""Readings for tests of consumption."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.quantities import obis_code

IMPORT = obis_code("1-0:1.8.0")
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
START_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


class Row(NamedTuple):
    """A reading; what is left out is a plain daily one."""

    meter: int
    ts: int
    value: int | None
    received: int = START_US + 1000 * DAY_US
    source: int = Source.PUSHED
    quality: int = 0
    profile: int = Profile.DAILY
    quantity: int = IMPORT


def table(rows: Iterable[Row]) -> pa.Table:
    """The rows as they would come out of the lake."""
    columns = list(zip(*rows, strict=True)) or [()] * len(Row._fields)
    by_name = dict(zip(Row._fields, columns, strict=True))
    return pa.table([pa.array(list(by_name[field.name]), field.type) for field in SCHEMA], schema=SCHEMA)


def daily(meter: int, values: Iterable[int | None], *, first_day: int = 0) -> list[Row]:
    """A reading at every midnight UTC."""
    return [Row(meter, START_US + (first_day + day) * DAY_US, value) for day, value in enumerate(values)]


def day_us(day: float) -> int:
    return START_US + int(day * DAY_US)
