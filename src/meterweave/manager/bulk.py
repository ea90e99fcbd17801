"""Readings of many meters, day after day, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.lake import Lake
from meterweave.manager.identity import Identity, require
from meterweave.manager.place import Part, in_part
from meterweave.manager.readings import Wanted, described
from meterweave.manager.scope import in_scope
from meterweave.manager.span import Days
from meterweave.metering.batch import Profile, Source
from meterweave.registry import Meter, Registry

DAYS_MAX = 400
"""Most local days in one go."""

_FETCH = 50_000
_WORD = pa.dictionary(pa.int16(), pa.string())


def schema(zone: ZoneInfo) -> pa.Schema:
    """The columns of what is given; ``value · 10**exponent`` is the value in `unit`, exact."""
    return pa.schema(
        [
            pa.field("meter", pa.int64(), nullable=False),
            pa.field("protocol", pa.dictionary(pa.int8(), pa.string()), nullable=False),
            pa.field("address", pa.string(), nullable=False),
            pa.field("quantity", _WORD, nullable=False),
            pa.field("obis", _WORD, nullable=False),
            pa.field("series", _WORD, nullable=False),
            pa.field("ts", pa.timestamp("us", tz=zone.key), nullable=False),
            pa.field("value", pa.int64()),
            pa.field("exponent", pa.int8(), nullable=False),
            pa.field("unit", _WORD, nullable=False),
            pa.field("quality", pa.int32(), nullable=False),
            pa.field("source", _WORD, nullable=False),
        ]
    )


class Reached(NamedTuple):
    """The meters of a part of the network, by their ids."""

    ids: NDArray[np.int64]
    protocols: pa.Array
    addresses: pa.Array


def readings_of(
    registry: Registry, lake: Lake, identity: Identity, part: Part, days: Days, curves: Wanted
) -> Iterator[pa.RecordBatch]:
    """All readings of a part of the network, one local day after the other, within one in no order. Blocks.

    What the caller may not see is refused before the first batch is asked for.

    Raises
    ------
    NotAllowed, NotVisible
        If the caller may not see them, or that part of the network.
    LakeError
        If the lake cannot answer.
    """
    require(identity, "readings.read")
    require(identity, "archives.read")
    meters = _reached(registry, identity, part)
    return _stream(lake, meters, days, curves)


def _stream(lake: Lake, meters: Reached, days: Days, curves: Wanted) -> Iterator[pa.RecordBatch]:
    if not len(meters.ids):
        return
    wanted = pa.array(meters.ids)
    for number in range(days.number):
        day = days.first + timedelta(days=number)
        batches = lake.stream_day(
            day, meters=wanted, profiles=sorted(curves.series), quantities=sorted(curves.quantities)
        )
        for batch in batches:
            if batch.num_rows:
                yield _described(batch, meters, lake.settings.zone)


def _reached(registry: Registry, identity: Identity, part: Part) -> Reached:
    ids: list[NDArray[np.int64]] = []
    protocols: list[pa.Array] = []
    addresses: list[pa.Array] = []
    with registry.reading() as session:
        query = in_scope(in_part(session, identity, _addresses(), part), identity, Meter).order_by(Meter.id)
        while some := _next(session, query, int(ids[-1][-1]) if ids else 0):
            columns = tuple(zip(*some, strict=True))
            ids.append(np.array(columns[0], np.int64))
            protocols.append(pa.array(columns[1], pa.string()))
            addresses.append(pa.array(columns[2], pa.string()))
    if not ids:
        return Reached(np.empty(0, np.int64), pa.array([], pa.string()), pa.array([], pa.string()))
    return Reached(np.concatenate(ids), pa.concat_arrays(protocols), pa.concat_arrays(addresses))


def _next(session: Session, query: Any, after: int) -> list[Any]:
    """The next of a million rows, as the driver has them: in half of the time that rows of SQLAlchemy take."""
    result: Any = session.connection().execute(query.where(Meter.id > after).limit(_FETCH))
    rows: list[Any] = result.cursor.fetchall()
    result.close()
    return rows


def _addresses() -> Any:
    return select(Meter.id, Meter.protocol, Meter.address)


def _described(batch: pa.RecordBatch, meters: Reached, zone: ZoneInfo) -> pa.RecordBatch:
    """Rows of the lake with the words that belong to their numbers."""
    shape = _schema(zone)
    place = pa.array(np.searchsorted(meters.ids, batch["meter"].to_numpy()))
    codes, of_code = np.unique(batch["quantity"].to_numpy(), return_inverse=True)
    known = [described(int(code)) for code in codes]

    def words(texts: list[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(of_code, pa.int16()), pa.array(texts, pa.string()))

    columns = {
        "meter": batch["meter"],
        "protocol": meters.protocols.take(place).cast(shape.field("protocol").type),
        "address": meters.addresses.take(place),
        "quantity": words([one.name for one in known]),
        "obis": words([one.obis for one in known]),
        "series": _named(batch["profile"], _SERIES),
        "ts": batch["ts"].cast(shape.field("ts").type),
        "value": batch["value"],
        "exponent": pa.array(np.array([one.exponent for one in known], np.int8)[of_code]),
        "unit": words([one.unit for one in known]),
        "quality": batch["quality"],
        "source": _named(batch["source"], _SOURCES),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in shape.names], schema=shape)


def _named(numbers: pa.Array, words: pa.Array) -> pa.Array:
    """Small numbers, which count from 0, as the words they stand for."""
    return pa.DictionaryArray.from_arrays(numbers.cast(pa.int16()), words)


_SERIES = pa.array([one.name.lower() for one in Profile])
_SOURCES = pa.array([one.name.lower() for one in Source])
_schema = lru_cache(schema)
