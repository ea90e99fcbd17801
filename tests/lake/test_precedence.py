from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.lake.precedence import KEY, SQL, in_bands, settle
from meterweave.metering.batch import SCHEMA, Source
from tests.lake.rows import ENERGY, NOON_US, Row, as_rows, batch, row

rows = st.lists(row, max_size=30)
ENGINE = duckdb.connect()


def table(some: list[Row]) -> pa.Table:
    return pa.Table.from_batches([batch(some)])


@settings(deadline=None)
@given(rows, st.randoms())
def test_the_choice_is_the_same_in_any_order(some: list[Row], chance: object) -> None:
    once = settle(table(some))
    chance.shuffle(some)  # type: ignore[attr-defined]
    again = settle(table(some))
    assert as_rows(once.kept) == as_rows(again.kept)
    assert as_rows(once.superseded) == as_rows(again.superseded)
    assert sorted(map(str, as_rows(once.kept) + as_rows(once.superseded))) == sorted(map(str, as_rows(table(some))))
    keys = [one[:4] for one in as_rows(once.kept)]
    assert len(keys) == len(set(keys)) == len({one[:4] for one in some})


@settings(deadline=None)
@given(rows, rows)
def test_choosing_twice_changes_nothing(early: list[Row], late: list[Row]) -> None:
    """A day settled before its last rows came ends as one settled after."""
    at_once = settle(table(early + late)).kept
    in_turn = settle(pa.concat_tables([settle(table(early)).kept, table(late)])).kept
    assert as_rows(at_once) == as_rows(in_turn)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_sql_chooses_alike(some: list[Row]) -> None:
    ENGINE.register("came_in", table(some))
    chosen = ENGINE.sql(
        f"SELECT * FROM came_in QUALIFY row_number() OVER (PARTITION BY {', '.join(KEY)} ORDER BY {SQL}) = 1"
    ).to_arrow_table()
    assert as_rows(chosen) == as_rows(settle(table(some)).kept)


def _one(value: int | None, source: Source, received: int, quality: int = 0) -> Row:
    return (1, ENERGY, 1, NOON_US, value, quality, int(source), NOON_US + received)


def test_the_rules_one_by_one() -> None:
    for better, worse in [
        (_one(1, Source.READ, 5), _one(2, Source.READ, 4)),
        (_one(1, Source.READ, 4), _one(2, Source.ESTIMATED, 9)),
        (_one(1, Source.READ, 4), _one(2, Source.ENTERED, 9)),
        (_one(1, Source.READ, 4), _one(2, Source.ENTERED, 9, quality=16)),
        (_one(1, Source.ENTERED, 5, quality=16), _one(1, Source.ENTERED, 4)),
        (_one(2, Source.ESTIMATED, 6), _one(1, Source.ENTERED, 5, quality=16)),
        (_one(1, Source.ESTIMATED, 9), _one(2, Source.ESTIMATED, 8)),
        (_one(1, Source.ESTIMATED, 3), _one(None, Source.READ, 9, quality=1)),
        (_one(1, Source.READ, 3), _one(None, Source.READ, 9, quality=1)),
        (_one(1, Source.READ, 5, quality=0), _one(1, Source.READ, 5, quality=2)),
        (_one(1, Source.READ, 5), _one(1, Source.PUSHED, 5)),
        (_one(2, Source.READ, 5), _one(1, Source.READ, 5)),
    ]:
        for some in ([better, worse], [worse, better]):
            found = settle(table(some))
            assert as_rows(found.kept) == [better]
            assert as_rows(found.superseded) == [worse]


wide = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-128, 127),
    st.integers(-(2**63), 2**63 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 15),
    st.integers(0, 4),
    st.integers(-(2**63), 2**63 - 1),
)


@settings(deadline=None)
@given(st.lists(row, max_size=60) | st.lists(wide, max_size=20), st.integers(1, 20))
def test_bands_hold_whole_meters_packet_by_packet(some: list[Row], band_rows: int) -> None:
    stored, bands = in_bands(table(some), band_rows)
    assert as_rows(stored) == as_rows(table(some))
    assert sum(bands) == len(some)
    assert all(length >= band_rows for length in bands[:-1])
    starts = np.cumsum([0, *bands])
    last_meter = -(2**63) - 1
    for begin, end in pairwise(starts):
        band = stored.slice(begin, end - begin)
        keys = list(
            zip(
                *(band.column(name).cast(pa.int64()).to_pylist() for name in ("meter", "profile", "ts", "quantity")),
                strict=True,
            )
        )
        assert keys == sorted(keys)
        meters = band.column("meter").to_pylist()
        assert min(meters) > last_meter
        last_meter = max(meters)


def test_no_rows_are_no_trouble() -> None:
    nothing = SCHEMA.empty_table()
    assert settle(nothing).kept.num_rows == 0
    assert in_bands(nothing, 10)[1] == []
