"""Ground truth: every reading that every meter really had, as a Parquet file to hold a store against.

============ ================= =======================================================================
column       type              meaning
============ ================= =======================================================================
``terminal`` string            address of the concentrator
``meter``    string            the meter's own address, 12 digits
``wire_key`` int64             by which the codec of the concentrator's protocol names the meter
``obis``     string            the quantity
``quantity`` int32             the same as stored columns have it
``profile``  int8              `meterweave.metering.batch.Profile`
``ts``       timestamp[us,UTC] the instant for which the value holds
``value``    int64             scaled by the quantity's exponent
============ ================= =======================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from meterweave.metering.batch import Profile
from meterweave.metering.quantities import obis_code
from meterweave.simulator import registers
from meterweave.simulator.curves import Ints
from meterweave.simulator.plan import Series, series_of
from meterweave.simulator.session import Terminal
from meterweave.simulator.town import Concentrator, Meter, Utility

SCHEMA = pa.schema(
    [
        pa.field("terminal", pa.string(), nullable=False),
        pa.field("meter", pa.string(), nullable=False),
        pa.field("wire_key", pa.int64(), nullable=False),
        pa.field("obis", pa.string(), nullable=False),
        pa.field("quantity", pa.int32(), nullable=False),
        pa.field("profile", pa.int8(), nullable=False),
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("value", pa.int64(), nullable=False),
    ]
)

EVENT_SCHEMA = pa.schema(
    [
        pa.field("terminal", pa.string(), nullable=False),
        pa.field("meter", pa.string()),
        pa.field("event", pa.string(), nullable=False),
        pa.field("ts", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("until", pa.timestamp("us", tz="UTC")),
    ]
)


def truth(site: Concentrator, first_s: int, to_s: int) -> pa.Table:
    """The readings of one concentrator's meters from `first_s` to `to_s`, both included. [s since 1970, UTC]"""
    parts = [
        _column(site, series, meter, obis, at_s, values)
        for series in series_of(site.meters)
        for meter in series.meters
        for obis, at_s, values in _readings(series, meter, first_s, to_s)
    ]
    return pa.concat_tables([SCHEMA.empty_table(), *parts])


def write(town: Sequence[Concentrator], first_s: int, to_s: int, path: Path) -> int:
    """Write the truth of a town to `path`; gives the number of readings."""
    count = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for site in town:
            table = truth(site, first_s, to_s)
            writer.write_table(table)
            count += len(table)
    return count


def write_events(fleet: Sequence[Terminal], from_s: int, to_s: int, path: Path) -> int:
    """Write what happened from `from_s` to `to_s` to a Parquet file; gives the number of events.

    Columns: ``terminal``, ``meter`` (null: the terminal or its district), ``event`` (`events.Kind`), ``ts``, ``until``
    (null: it was over at once).
    """
    rows = [
        {
            "terminal": terminal.site.address,
            "meter": one.meter.address if one.meter else None,
            "event": one.kind.value,
            "ts": one.at_s * 1_000_000,
            "until": None if one.until_s is None else one.until_s * 1_000_000,
        }
        for terminal in fleet
        for one in terminal.diary.truth(from_s, to_s)
    ]
    pq.write_table(pa.Table.from_pylist(rows, EVENT_SCHEMA), path, compression="zstd")
    return len(rows)


def _readings(series: Series, meter: Meter, first_s: int, to_s: int) -> Iterator[tuple[str, Ints, Ints]]:
    at_s = np.array([at for at in series.slots(first_s, to_s + 1) if meter.alive(at)], np.int64)
    obis = registers.OBIS[meter.utility]
    step = registers.factor(obis, registers.STEP_EXPONENT[meter.utility])
    yield obis, at_s, registers.register(meter, at_s) * step
    if meter.export:
        yield registers.EXPORT_OBIS, at_s, registers.export_registers((meter,), at_s)[0] * step
    if meter.utility is not Utility.ELECTRICITY:
        return
    if series.profile is Profile.CURVE:
        yield from _electrical(meter, at_s)
    else:
        tariffs = registers.tariff_registers((meter,), at_s)[:, 0]
        yield from ((obis, at_s, one * step) for obis, one in zip(registers.TARIFF_OBIS, tariffs, strict=True))


def _electrical(meter: Meter, at_s: Ints) -> Iterator[tuple[str, Ints, Ints]]:
    electrical = registers.electrical(meter, at_s)
    for obis, voltage in zip(registers.VOLTAGE_OBIS, electrical.voltage_dv, strict=False):
        yield obis, at_s, voltage * registers.factor(obis, registers.VOLTAGE_EXPONENT)
    for obis, current in zip(registers.CURRENT_OBIS, electrical.current_ma, strict=False):
        yield obis, at_s, current * registers.factor(obis, registers.CURRENT_EXPONENT)
    power = registers.POWER_OBIS
    yield power, at_s, electrical.power_dw * registers.factor(power, registers.POWER_EXPONENT)


def _column(site: Concentrator, series: Series, meter: Meter, obis: str, at_s: Ints, values: Ints) -> pa.Table:
    count = len(at_s)
    same = [site.address, meter.address, site.wire_key(meter), obis, obis_code(obis), int(series.profile)]
    columns = [pa.repeat(pa.scalar(one, field.type), count) for one, field in zip(same, SCHEMA, strict=False)]
    ts = pa.array(at_s * 1_000_000).cast(SCHEMA.field("ts").type)
    return pa.Table.from_arrays([*columns, ts, pa.array(values)], schema=SCHEMA)
