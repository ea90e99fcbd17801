"""Many frames to readings in columns.

Telegrams of one meter type differ in their values alone: the octets that fix the layout (lengths, CI, medium,
signature, the heads of the records) are the same. Such telegrams are stacked as one matrix and decoded column by
column. Everything else takes the complete decoder, whose readings are the reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Quality, Reading, ReadingBatch, Source, from_readings
from meterweave.metering.clock import SHANGHAI, to_utc_us
from meterweave.protocols.checksum import sum8_rows
from meterweave.protocols.mbus.columns import Bools, Ints, Octets, is_columnar, moment_column, stored_column
from meterweave.protocols.mbus.frame import LONG
from meterweave.protocols.mbus.head import SPECIAL, Head
from meterweave.protocols.mbus.header import HEADER_SIZE
from meterweave.protocols.mbus.message import DATA_AT, VARIABLE_DATA, Long, VariableData, decode
from meterweave.protocols.mbus.moment import MomentType
from meterweave.protocols.mbus.quantity import Target
from meterweave.protocols.mbus.reading import find_clocks, find_measured, medium_of, profile_of, readings
from meterweave.protocols.mbus.record import Records

_ROWS_MIN = 4  # fewer telegrams of one layout are not worth a matrix
_LAYOUTS_MAX = 64  # different layouts looked for among telegrams of one length; the rest is decoded one by one

_CI_AT, _ID_AT, _MANUFACTURER_AT, _VERSION_AT, _MEDIUM_AT, _SIGNATURE_AT = 6, 7, 11, 13, 14, 17
_RECORDS_AT = DATA_AT + HEADER_SIZE


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings of all `frames`, by frame and then in the order of the records; broken frames go to `bad`.

    Parameters
    ----------
    frames : sequence of bytes
        Whole frames.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        Where the meters' clocks are.
    """
    batches: list[ReadingBatch] = []
    slow: list[int] = []
    for size, indices in _by_size(frames).items():
        if size <= _RECORDS_AT + 2 or len(indices) < _ROWS_MIN:
            slow += indices
            continue
        octets = np.frombuffer(b"".join([frames[index] for index in indices]), np.uint8).reshape(-1, size)
        for rows, layout in _layouts(octets):
            numbers = np.array(indices, np.int64)[rows]
            if layout is None:
                slow += numbers.tolist()
                continue
            batch, left = layout.decode(octets[rows], numbers, received, zone)
            batches.append(batch)
            slow += left.tolist()
    batches.append(_one_by_one(frames, sorted(slow), received, zone))
    return ReadingBatch.concat(batches)


def _by_size(frames: Sequence[bytes]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for index, frame in enumerate(frames):
        groups.setdefault(len(frame), []).append(index)
    return groups


def _one_by_one(frames: Sequence[bytes], indices: Sequence[int], received: int, zone: ZoneInfo) -> ReadingBatch:
    found: list[Reading] = []
    bad: list[BadFrame] = []
    for index in indices:
        try:
            found += readings(decode(frames[index]), frame=index, received=received, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=received, bad=tuple(bad))


def _layouts(octets: Octets) -> Iterator[tuple[NDArray[np.int64], Layout | None]]:
    """The rows of uint8[telegram, octet] by layout; without a layout those for the complete decoder."""
    sound = (
        (octets[:, 0] == LONG) & (octets[:, _CI_AT] == VARIABLE_DATA) & (sum8_rows(octets[:, 4:-2]) == octets[:, -2])
    )
    yield np.flatnonzero(~sound), None
    left = np.flatnonzero(sound)
    for _ in range(_LAYOUTS_MAX):
        if len(left) < _ROWS_MIN:
            break
        layout = Layout.of(octets[left[0]].tobytes())
        same = layout.matches(octets[left]) if layout else np.arange(len(left)) == 0
        rows, left = left[same], left[~same]
        yield rows, layout if len(rows) >= _ROWS_MIN else None
    yield left, None


class Column(NamedTuple):
    """One record that gives a reading."""

    at: slice  # its data in the frame
    head: Head
    wanted: Target


class Layout(NamedTuple):
    """What telegrams of the same layout have in common."""

    fixed: NDArray[np.int64]  # offsets of the octets that are the same in all
    octets: Octets  # those octets
    columns: tuple[Column, ...]
    clocks: dict[int, tuple[slice, MomentType]]  # by storage

    @classmethod
    def of(cls, frame: bytes) -> Layout | None:
        """The layout of one frame; None where only the complete decoder knows it."""
        try:
            message = decode(frame)
        except DecodeError:
            return None
        if not isinstance(message, Long) or not isinstance(message.body, VariableData) or message.body.sealed:
            return None
        places, varies = _divide(len(frame), message.body.records)
        heads = [record.head for record in message.body.records.records]
        clocks = find_clocks(heads)
        measured = find_measured(heads, medium_of(message.body), clocks)
        if not all(is_columnar(heads[index]) for index, _ in measured):
            return None
        times = {storage: (places[index], heads[index].moment) for storage, index in clocks.items()}
        fixed = np.flatnonzero(~varies)
        return cls(
            fixed,
            np.frombuffer(frame, np.uint8)[fixed],
            tuple(Column(places[index], heads[index], wanted) for index, wanted in measured),
            {storage: (place, kind) for storage, (place, kind) in times.items() if kind},
        )

    def matches(self, octets: Octets) -> Bools:
        """Which rows of uint8[telegram, octet] have this layout."""
        return np.asarray((octets[:, self.fixed] == self.octets).all(axis=1))

    def decode(
        self, octets: Octets, numbers: NDArray[np.int64], received: int, zone: ZoneInfo
    ) -> tuple[ReadingBatch, NDArray[np.int64]]:
        """The readings of uint8[telegram, octet], and the numbers of the frames that need the complete decoder."""
        if not self.columns:
            return ReadingBatch.empty(), numbers[:0]
        found = [stored_column(octets[:, column.at], column.head, column.wanted) for column in self.columns]
        fits = np.logical_and.reduce([column.fits for column in found])
        octets, left, numbers = octets[fits], numbers[~fits], numbers[fits]
        instants = self._instants(octets, received, zone)
        ts, late = (
            np.stack([instants[column.head.storage][part] for column in self.columns], axis=1) for part in (0, 1)
        )
        missing = np.stack([column.missing[fits] for column in found], axis=1)
        rounded = np.stack([column.rounded[fits] for column in found], axis=1)
        rows, count = missing.shape
        quality = missing * int(Quality.NO_VALUE) | rounded * int(Quality.ROUNDED) | late
        batch = ReadingBatch(
            meter=np.repeat(_wire_keys(octets), count),
            quantity=np.tile(np.array([column.wanted.quantity for column in self.columns], np.int32), rows),
            profile=np.tile(np.array([profile_of(column.head) for column in self.columns], np.int8), rows),
            ts=ts.ravel(),
            value=np.stack([column.value[fits] for column in found], axis=1).ravel(),
            missing=missing.ravel(),
            quality=quality.ravel().astype(np.int32),
            source=np.full(rows * count, Source.READ, np.int8),
            received=np.full(rows * count, received, np.int64),
            frame=np.repeat(numbers, count),
        )
        return batch, left

    def _instants(self, octets: Octets, received: int, zone: ZoneInfo) -> dict[int, tuple[Ints, Ints]]:
        """For when the values of each storage hold, in microseconds since 1970, UTC, and with what quality."""
        now, good = np.full(len(octets), received, np.int64), np.zeros(len(octets), np.int64)
        instants = {0: (now, good)}
        for storage in {column.head.storage for column in self.columns} & self.clocks.keys():
            place, kind = self.clocks[storage]
            local, valid = moment_column(octets[:, place], kind)
            ts = np.where(valid, to_utc_us(local, zone), now)
            instants[storage] = ts, np.where(valid, good, int(Quality.TIME_INVALID))
        return instants


def _divide(size: int, records: Records) -> tuple[list[slice], Bools]:
    """Where in a frame of `size` octets the data of each record are, and which octets the layout leaves free."""
    varies = np.zeros(size, np.bool_)
    varies[4:_CI_AT] = varies[_ID_AT:_MEDIUM_AT] = varies[_MEDIUM_AT + 1 : _SIGNATURE_AT] = varies[-2] = True
    places: list[slice] = []
    at = _RECORDS_AT
    for record in records.records:
        at += record.fillers + len(record.head.octets)
        places.append(slice(at, at + record.head.size))
        at += record.head.size
        varies[places[-1]] = True
    if records.tail and records.tail[0] & SPECIAL == SPECIAL:
        varies[at + records.fillers + 1 : -2] = True
    return places, varies


def _wire_keys(octets: Octets) -> Ints:
    """`reading.wire_key` of every row of uint8[telegram, octet]."""
    parts = (
        (_MANUFACTURER_AT + 1, 56, 0x7F),
        (_MANUFACTURER_AT, 48, 0xFF),
        (_VERSION_AT, 40, 0xFF),
        (_MEDIUM_AT, 32, 0xFF),
        *((_ID_AT + place, 8 * place, 0xFF) for place in range(4)),
    )
    shifted = [(octets[:, at].astype(np.int64) & mask) << shift for at, shift, mask in parts]
    return np.asarray(np.bitwise_or.reduce(shifted))
