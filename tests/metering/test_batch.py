from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.batch import SCHEMA, BadFrame, Reading, ReadingBatch, from_readings

int64 = st.integers(-(2**63), 2**63 - 1)
readings = st.builds(
    Reading,
    frame=st.integers(0, 5),
    meter=int64,
    quantity=st.integers(0, 2**31 - 1),
    profile=st.integers(0, 5),
    ts=st.integers(-(2**50), 2**50),
    value=st.none() | int64,
    quality=st.integers(0, 15),
    source=st.integers(0, 4),
)


@given(st.lists(readings))
def test_columns_carry_what_the_readings_say(rows: list[Reading]) -> None:
    table = from_readings(rows, received=7).to_arrow()
    assert table.schema == SCHEMA
    assert table.column("value").to_pylist() == [row.value for row in rows]
    assert table.column("meter").to_pylist() == [row.meter for row in rows]
    assert table.column("ts").cast("int64").to_pylist() == [row.ts for row in rows]
    assert set(table.column("received").cast("int64").to_pylist()) <= {7}


@given(st.lists(st.lists(readings, max_size=6), max_size=4))
def test_joined_batches_are_ordered_by_frame_and_keep_the_order_inside(parts: list[list[Reading]]) -> None:
    joined = ReadingBatch.concat([from_readings(part, received=0) for part in parts])
    wanted = sorted((row for part in parts for row in part), key=lambda row: row.frame)
    assert joined.frame.tolist() == [row.frame for row in wanted]
    assert joined.meter.tolist() == [row.meter for row in wanted]
    assert joined.missing.tolist() == [row.value is None for row in wanted]


def test_bad_frames_travel_along_in_order() -> None:
    one, other = BadFrame(4, "bad_checksum"), BadFrame(1, "truncated")
    joined = ReadingBatch.concat([ReadingBatch.empty((one,)), ReadingBatch.empty((other,))])
    assert joined.bad == (other, one)
    assert len(joined) == 0
