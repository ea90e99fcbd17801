"""Rows from gateways: what is kept of them, and that whatever comes is an answer in words."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import ipc

from meterweave.centre import gateway_rows
from meterweave.centre.gateway_plan import Charge
from meterweave.centre.gateway_rows import AHEAD_US, DETAIL_MAX, ROWS_MAX, RowsError, checked
from meterweave.gateway.plan import SitePlan
from meterweave.gateway.wire import Rows
from meterweave.lake.journal import encode
from meterweave.lake.kind import Kind
from meterweave.metering.batch import SCHEMA
from tests.gateway.rows import events, now_us, readings, spread

CHARGE = Charge(1, SitePlan(gateway=1, profiles={}), "r", np.array([10, 11]), np.array([100, 101, 102]))
NOW_US = now_us()


def packed(batch: pa.RecordBatch, kind: Kind = Kind.READINGS) -> Rows:
    return Rows(1, kind.value, encode(kind, batch).octets)


def look(batch: pa.RecordBatch, kind: Kind = Kind.READINGS) -> gateway_rows.Checked:
    return checked(packed(batch, kind), CHARGE, NOW_US)


def changed(batch: pa.RecordBatch, name: str, values: list[object]) -> pa.RecordBatch:
    at = batch.schema.get_field_index(name)
    field = batch.schema.field(at)
    return batch.set_column(at, field, pa.array(values, field.type))


def test_own_rows_are_kept_as_they_are() -> None:
    batch = changed(readings([100, 102, 101], ts=NOW_US), "value", [5, None, -(2**63)])
    found = look(batch)
    assert found.readings.to_arrow().equals(batch)
    assert (found.events, found.refused) == (None, "")
    told = changed(events(11, [100, None], ts=NOW_US, detail='{"a":1}'), "ended", [NOW_US, None])
    kept = look(told, Kind.EVENTS)
    assert kept.events is not None
    assert kept.events.equals(told)
    assert (len(kept.readings), kept.refused) == (0, "")
    own = look(events(1, [None], ts=NOW_US), Kind.EVENTS)  # the gateway's own
    assert own.refused == ""


def test_the_meter_of_another_gateway_is_left_out_and_the_others_are_kept() -> None:
    found = look(readings([100, 999, 102], ts=NOW_US))
    assert found.readings.meter.tolist() == [100, 102]
    assert found.refused == "1 of 3 rows are of meters that are on no line of this gateway: 999"
    many = look(readings(range(200, 220), ts=NOW_US))
    assert (len(many.readings), many.refused[-6:]) == (0, "204, …")
    told = look(events(10, [100, 999], ts=NOW_US), Kind.EVENTS)
    assert told.events is not None
    assert told.events.column("meter").to_pylist() == [100]
    assert "999" in told.refused
    line = look(events(12, [100], ts=NOW_US), Kind.EVENTS)
    assert line.events is not None
    assert (line.events.num_rows, "not this gateway's" in line.refused) == (0, True)


@pytest.mark.parametrize("name", ["ts", "received"])
@pytest.mark.parametrize(
    "ts",
    [-1, 0, 946_684_799_999_999, NOW_US + AHEAD_US + 1, 2**62],
    ids=["before 1970", "1970", "before 2000", "ahead", "far ahead"],
)
def test_times_that_cannot_be_are_left_out(name: str, ts: int) -> None:
    found = look(changed(readings([100, 101], ts=NOW_US), name, [ts, NOW_US + AHEAD_US]))
    assert found.readings.meter.tolist() == [101]
    assert found.refused == "1 of 2 rows are of impossible times"
    told = look(changed(events(10, [100, 101], ts=NOW_US), name, [ts, NOW_US]), Kind.EVENTS)
    assert told.events is not None
    assert told.events.column("meter").to_pylist() == [101]


@pytest.mark.parametrize(("name", "value"), [("profile", 9), ("source", -1), ("quality", 64)])
def test_unknown_words_are_left_out(name: str, value: int) -> None:
    found = look(changed(readings([100, 101], ts=NOW_US), name, [value, 0]))
    assert found.readings.meter.tolist() == [101]
    assert "unknown" in found.refused


def test_a_long_detail_is_left_out() -> None:
    found = look(events(10, [100], ts=NOW_US, detail="x" * (DETAIL_MAX + 1)), Kind.EVENTS)
    assert found.events is not None
    assert (found.events.num_rows, "detail" in found.refused) == (0, True)


def stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def with_null(octets: bytes) -> bytes:
    nullable = pa.schema([field.with_nullable(True) for field in SCHEMA])
    rows = [dict.fromkeys(SCHEMA.names)]
    made = stream(pa.Table.from_pylist(rows, nullable))
    assert made != octets
    return made


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "no Arrow stream"),
        (b"garbage" * 50, "no Arrow stream"),
        (packed(readings([100])).octets[:200], "no Arrow stream"),
        (stream(pa.table({"meter": [1]})), "wanted"),
        (with_null(b""), "wanted"),
        (packed(events(10, [100]), Kind.EVENTS).octets, "wanted"),
        (packed(spread(ROWS_MAX + 1, meter=100, ts=NOW_US)).octets, f"at most {ROWS_MAX}"),
        (stream(pa.Table.from_batches([readings([100])] * 40)), "parts"),
    ],
)
def test_what_is_no_blob_is_refused_whole(octets: bytes, said: str) -> None:
    with pytest.raises(RowsError, match=said):
        checked(Rows(1, "readings", octets), CHARGE, NOW_US)


def test_a_stream_without_rows_holds_nothing() -> None:
    found = checked(Rows(1, "readings", stream(SCHEMA.empty_table())), CHARGE, NOW_US)
    assert (len(found.readings), found.refused) == (0, "")


def test_what_becomes_too_large_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes of one number again and again, and a buffer that says it becomes larger than any memory."""
    batch = changed(spread(10_000, meter=100, ts=NOW_US), "value", [7] * 10_000)
    octets = packed(batch).octets
    monkeypatch.setattr(gateway_rows, "UNPACKED_MAX", 100_000)
    with pytest.raises(RowsError, match=r"unpacked|becomes"):
        checked(Rows(1, "readings", octets), CHARGE, NOW_US)
    monkeypatch.undo()
    size = struct.pack("<q", 80_000)  # of a column of 10,000 64-bit numbers
    assert size in octets
    with pytest.raises(RowsError, match="becomes"):
        checked(Rows(1, "readings", octets.replace(size, struct.pack("<q", 1 << 60))), CHARGE, NOW_US)


KINDS: list[tuple[Kind, Callable[[], pa.RecordBatch]]] = [
    (Kind.READINGS, lambda: readings([100, 101], ts=NOW_US)),
    (Kind.EVENTS, lambda: events(10, [100, None], ts=NOW_US, detail="{}")),
]
BLOBS = [(kind.value, packed(make(), kind).octets) for kind, make in KINDS]


@given(st.sampled_from(BLOBS), st.data())
def test_whatever_comes_is_kept_or_refused(blob: tuple[str, bytes], data: st.DataObject) -> None:
    kind, octets = blob
    spoilt = bytearray(octets)
    for _ in range(data.draw(st.integers(1, 4))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(len(spoilt) // 2, len(spoilt)) | st.just(len(spoilt)))
    try:
        found = checked(Rows(1, kind, bytes(spoilt[:end])), CHARGE, NOW_US)
    except RowsError as error:
        assert str(error)  # noqa: PT017 - whether it is raised depends on what was drawn
        return
    assert set(found.readings.meter.tolist()) <= {100, 101, 102}
    assert (found.readings.ts <= NOW_US + AHEAD_US).all()
    if found.events is not None:
        assert set(found.events.column("meter").to_pylist()) <= {100, 101, 102, None}
