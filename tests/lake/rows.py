"""Readings for tests: small, seeded, and as hypothesis draws them."""

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from meterweave.lake import EVENTS_SCHEMA, FRAMES_SCHEMA
from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.quantities import obis_code

ENERGY, VOLTAGE = obis_code("1-0:1.8.0"), obis_code("1-0:32.7.0")
NOON_US = 1_780_286_400_000_000  # 2026-06-01T04:00:00Z, noon in Shanghai
QUARTER_US = 900_000_000
DAY_US = 86_400_000_000

Row = tuple[int, int, int, int, int | None, int, int, int]

# Few meters, times and moments of receipt, so that keys collide in every way there is.
row = st.tuples(
    st.sampled_from([1, 2, 2**40]),
    st.sampled_from([ENERGY, VOLTAGE]),
    st.sampled_from([int(Profile.CURVE), int(Profile.DAILY)]),
    st.integers(-1, 1).map(lambda n: NOON_US + n * QUARTER_US),
    st.none() | st.sampled_from([-(2**63), -5, 0, 7, 2**63 - 1]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([int(Source.PUSHED), int(Source.READ), int(Source.ESTIMATED)]),
    st.integers(0, 2).map(lambda n: NOON_US + DAY_US + n),
)


def batch(rows: list[Row]) -> pa.RecordBatch:
    return _columns(rows, SCHEMA)


def as_rows(table: pa.Table) -> list[Row]:
    """Rows sorted, times as microseconds, columns beyond the schema left out."""
    columns = [table.column(field.name) for field in SCHEMA]
    plain = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns]
    rows = zip(*(column.to_pylist() for column in plain), strict=True)
    return sorted(rows, key=lambda one: tuple((value is None, value or 0) for value in one))


def curve(
    meters: range, *, first_us: int = NOON_US, points: int = 4, value: int = 0, received_us: int = NOON_US + DAY_US
) -> pa.RecordBatch:
    """`points` quarter hours of voltage for each of `meters`; the value is `value` plus the row's number."""
    count = len(meters) * points
    return pa.RecordBatch.from_arrays(
        [
            pa.array(np.repeat(np.array(meters, np.int64), points)),
            pa.array(np.full(count, VOLTAGE, np.int32)),
            pa.array(np.full(count, Profile.CURVE, np.int8)),
            pa.array(np.tile(first_us + np.arange(points) * QUARTER_US, len(meters))).cast(SCHEMA.field("ts").type),
            pa.array(np.arange(value, value + count)),
            pa.array(np.zeros(count, np.int32)),
            pa.array(np.full(count, Source.PUSHED, np.int8)),
            pa.array(np.full(count, received_us)).cast(SCHEMA.field("received").type),
        ],
        schema=SCHEMA,
    )


Event = tuple[int, int | None, int, int, int | None, int | None, str | None, int, int]

# As `row`: few keys and moments, so that reports of one event meet.
event = st.tuples(
    st.sampled_from([1, 2]),
    st.none() | st.sampled_from([7, 8]),
    st.sampled_from([3, 4]),
    st.sampled_from([NOON_US, NOON_US + DAY_US]),
    st.none() | st.sampled_from([NOON_US + DAY_US, NOON_US + 2 * DAY_US]),
    st.none() | st.sampled_from([1, 2]),
    st.none() | st.sampled_from(["{}", '{"phase": 1}']),
    st.sampled_from([int(Source.PUSHED), int(Source.READ)]),
    st.integers(0, 2).map(lambda n: NOON_US + 3 * DAY_US + n),
)


def events(rows: list[Event]) -> pa.RecordBatch:
    return _columns(rows, EVENTS_SCHEMA)


def outage(
    terminals: range, *, began_us: int = NOON_US, ended_us: int | None = None, received_us: int = NOON_US
) -> pa.RecordBatch:
    """An event of each terminal itself."""
    return events([(one, None, 3, began_us, ended_us, one, None, int(Source.PUSHED), received_us) for one in terminals])


def frames(terminals: range, *, received_us: int = NOON_US, octets: bytes = b"\x68\x16") -> pa.RecordBatch:
    """A frame from each of `terminals`."""
    return _columns([(one, received_us, 0, "dlt698", octets) for one in terminals], FRAMES_SCHEMA)


def plain_rows(table: pa.Table, schema: pa.Schema) -> list[tuple[object, ...]]:
    """Rows sorted, times as microseconds, columns beyond the schema left out."""
    columns = [table.column(field.name) for field in schema]
    plain = [column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column for column in columns]
    return sorted(zip(*(column.to_pylist() for column in plain), strict=True), key=repr)


def _columns(rows: list[tuple], schema: pa.Schema) -> pa.RecordBatch:  # type: ignore[type-arg]  # rows of any width
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    return pa.RecordBatch.from_arrays(
        [pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )
