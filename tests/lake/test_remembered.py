"""An answer is given again as long as it is right, and not a moment longer."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from meterweave.lake import Lake
from meterweave.lake.remembered import Origin, Question, Remembered
from meterweave.metering.batch import SCHEMA

DAY = date(2026, 6, 2)
NOON = datetime(2026, 6, 2, 4, tzinfo=UTC)
NOTHING = pa.table({"x": pa.array([], pa.int64())})


def batch(value: int, *, meter: int = 1, minutes: int = 0, received: int = 0) -> pa.RecordBatch:
    row = {
        "meter": meter,
        "quantity": 7,
        "profile": 1,
        "ts": NOON + timedelta(minutes=minutes),
        "value": value,
        "quality": 0,
        "source": 1,
        "received": NOON + timedelta(hours=1, seconds=received),
    }
    return pa.RecordBatch.from_pylist([row], schema=SCHEMA)


def values(lake: Lake, meter: int = 1) -> list[int]:
    return lake.meter_days(meter, DAY, DAY)["value"].to_pylist()


def test_what_is_appended_is_there_at_once(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", maintain=False) as lake:
        assert values(lake) == []
        lake.append_blocking(batch(1))
        assert values(lake) == [1]
        lake.append_blocking(batch(2, minutes=15))
        assert values(lake) == [1, 2]
        lake.append_blocking(batch(3, received=5))
        assert values(lake) == [3, 2]
        lake.commit()
        assert values(lake) == [3, 2]
        lake.append_blocking(batch(9, meter=2))
        assert values(lake) == [3, 2]
        assert values(lake, 2) == [9]


def test_what_did_not_change_is_the_same_object(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", maintain=False) as lake:
        lake.append_blocking(batch(1))
        lake.commit()
        first = lake.meter_days(1, DAY, DAY)
        assert lake.meter_days(1, DAY, DAY) is first
        lake.append_blocking(batch(9, meter=2))
        assert lake.meter_days(1, DAY, DAY) is first
        lake.append_blocking(batch(1, minutes=1))
        assert lake.meter_days(1, DAY, DAY) is not first


def test_days_are_those_asked_for(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", maintain=False) as lake:
        for minutes in (-24 * 60, 0, 24 * 60):
            lake.append_blocking(batch(minutes, minutes=minutes))
        day = timedelta(days=1)
        assert lake.meter_days(1, DAY, DAY)["value"].to_pylist() == [0]
        assert lake.meter_days(1, DAY - day, DAY + day).num_rows == 3


def test_many_meters_are_streamed_day_by_day(tmp_path: Path) -> None:
    with Lake.open(tmp_path / "lake", maintain=False) as lake:
        for meter in range(1, 5):
            lake.append_blocking(batch(meter, meter=meter))
            lake.append_blocking(batch(-meter, meter=meter, received=5))
        lake.append_blocking(batch(7, minutes=24 * 60))

        def streamed(**bounds: object) -> list[int]:
            return sorted(
                row["value"]
                for part in lake.stream_day(DAY, **bounds)
                for row in part.to_pylist()  # type: ignore[arg-type]
            )

        assert streamed() == [-4, -3, -2, -1]
        assert streamed(meters=pa.array([2, 4, 99])) == [-4, -2]
        assert streamed(meters=pa.array([], pa.int64())) == []
        assert streamed(quantities=[8]) == streamed(profiles=[2]) == []
        assert streamed(quantities=[7, 8], profiles=[1]) == [-4, -3, -2, -1]


def test_memory_is_bounded() -> None:
    remembered = Remembered(10_000)
    origin = Origin(("a",), NOTHING)
    answer = pa.table({"x": pa.array(range(200), pa.int64())})
    for meter in range(10):
        remembered.keep(Question(meter, 1, 1), origin, answer)
    kept = [meter for meter in range(10) if remembered.find(Question(meter, 1, 1), origin) is not None]
    assert kept == [8, 9]
    assert remembered.find(Question(9, 1, 1), Origin(("b",), NOTHING)) is None
    assert remembered.find(Question(9, 1, 1), Origin(("a",), answer)) is None
    remembered.keep(Question(1, 1, 1), origin, pa.table({"x": pa.array(range(5000), pa.int64())}))
    assert remembered.find(Question(1, 1, 1), origin) is None
