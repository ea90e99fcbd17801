"""Totals over usage points that say how complete they are: one late meter must not make a sum silently low."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from meterweave.errors import ConfigError
from meterweave.mdm.step import Flag

_WIDE = pa.decimal128(19)  # holds any int64; sums of it have 38 digits


def total(consumed: pa.Table) -> pa.Table:
    """The sum over all usage points (or meters) for each interval.

    Parameters
    ----------
    consumed : pa.Table
        An answer of `consumption_of`, of one quantity.

    Returns
    -------
    pa.Table
        By start: ``start``, ``end``; ``value`` int64, null unless every usage point has one; ``part`` int64, what is
        measured; ``points``, ``known`` and ``estimated`` int64, how many usage points there are, have a value, and have
        an estimated one; ``completeness`` double, the mean of theirs. The schema's metadata are those of `consumed`.

    Raises
    ------
    ConfigError
        If a sum does not fit 64 bits.
    """
    estimated = pc.not_equal(pc.bit_wise_and(consumed.column("flags"), pa.scalar(int(Flag.ESTIMATED), pa.int16())), 0)
    wide = pa.table(
        {
            "start": consumed.column("start"),
            "end": consumed.column("end"),
            "value": consumed.column("value").cast(_WIDE),
            "part": consumed.column("part").cast(_WIDE),
            "estimated": estimated.cast(pa.int64()),
            "completeness": consumed.column("completeness"),
        }
    )
    asked = [
        ("value", "sum"),
        ("part", "sum"),
        ("value", "count", pc.CountOptions("all")),
        ("value", "count"),
        ("estimated", "sum"),
        ("completeness", "mean"),
    ]
    names = ["start", "end", "value", "part", "points", "known", "estimated", "completeness"]
    found = wide.group_by(["start", "end"]).aggregate(asked).rename_columns(names).sort_by("start")
    whole = pc.equal(found.column("points"), found.column("known"))
    value = pc.if_else(whole, found.column("value"), pa.scalar(None, found.column("value").type))
    try:
        columns = {"value": value.cast(pa.int64()), "part": found.column("part").cast(pa.int64())}
    except pa.ArrowInvalid as error:
        raise ConfigError(f"the sum over {consumed.num_rows} rows does not fit 64 bits: {error}") from error
    for name, column in columns.items():
        found = found.set_column(names.index(name), name, column)
    return found.replace_schema_metadata(consumed.schema.metadata)
