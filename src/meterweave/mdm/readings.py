"""Which readings tell where a register stood: one an instant, the best there is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from meterweave.errors import ConfigError
from meterweave.lake.precedence import settle, sort_order
from meterweave.mdm.boundaries import INSTANT_MAX
from meterweave.metering.batch import SCHEMA, Quality, Source


class Readings(NamedTuple):
    """Readings in columns, ascending by (meter, ts), no two of a meter at one instant."""

    meter: NDArray[np.int64]
    ts: NDArray[np.int64]  # [us since 1970, UTC]
    value: NDArray[np.int64]


def best(readings: pa.Table) -> Readings:
    """The readings to reckon with, in order.

    Left out are those without a value, those whose time is not the device's (`Quality.TIME_INVALID`), those taken back
    (`Quality.WITHDRAWN`), and estimates (`Source.ESTIMATED`): a step between two measured readings is known without
    them. Of several at one instant, from different series for instance, `meterweave.lake.precedence` chooses.

    Raises
    ------
    ConfigError
        If columns are missing, or there is more than one quantity.
    """
    missing = [name for name in SCHEMA.names if name not in readings.column_names]
    if missing:
        raise ConfigError(f"readings have the columns of ReadingBatch; {', '.join(missing)} are not there")
    readings = readings.select(SCHEMA.names)
    quantities = pc.min_max(readings.column("quantity")).as_py()
    if quantities["min"] != quantities["max"]:
        raise ConfigError("consumption is of one quantity at a time; the readings are of several")
    usable = readings.filter(_usable(readings))
    order = sort_order(usable, ("meter", "ts"))
    meter, ts, value = (usable.column(name).cast(pa.int64()).to_numpy()[order] for name in ("meter", "ts", "value"))
    repeats = (meter[1:] == meter[:-1]) & (ts[1:] == ts[:-1])
    if not repeats.any():
        return Readings(meter, ts, value)
    contested = np.append(repeats, False) | np.insert(repeats, 0, False)
    kept = ~contested
    rows = np.flatnonzero(contested)
    kept[rows[_winners(usable.take(pa.array(order[rows])))]] = True
    return Readings(meter[kept], ts[kept], value[kept])


def _winners(contested: pa.Table) -> NDArray[np.int64]:
    """The rows that `meterweave.lake.precedence` chooses, whatever series they are of."""
    series = SCHEMA.get_field_index("profile")
    alike = contested.set_column(series, SCHEMA.field(series), pa.array(np.zeros(contested.num_rows, np.int8)))
    kept = settle(alike.append_column("row", pa.array(np.arange(contested.num_rows)))).kept
    rows: NDArray[np.int64] = kept.column("row").to_numpy()
    return rows


def _usable(readings: pa.Table) -> pa.ChunkedArray:
    void = pc.bit_wise_and(readings.column("quality"), int(Quality.TIME_INVALID | Quality.WITHDRAWN))
    ts = readings.column("ts").cast(pa.int64())
    tests = [
        pc.is_valid(readings.column("value")),
        pc.equal(void, 0),
        pc.not_equal(readings.column("source"), int(Source.ESTIMATED)),
        pc.and_(pc.less(ts, INSTANT_MAX), pc.greater(ts, -INSTANT_MAX)),
    ]
    wanted = tests[0]
    for test in tests[1:]:
        wanted = pc.and_(wanted, test)
    return wanted
