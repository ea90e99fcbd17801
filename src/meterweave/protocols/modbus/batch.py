"""Many messages to readings in columns.

Uploads of 4G meters come in masses and alike: those of equal length with one status block at the same place are stacked
as one matrix and decoded column by column. Everything else goes through `readings.Reader`, in order, because an answer
is understood by the request before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Profile, Quality, Reading, ReadingBatch, Source, from_readings
from meterweave.metering.clock import SHANGHAI, days_from_civil, days_in_month, to_utc_us
from meterweave.protocols.checksum import crc_modbus
from meterweave.protocols.modbus.envelope import START, Envelope
from meterweave.protocols.modbus.frame import decode
from meterweave.protocols.modbus.readings import STATUS_BLOCKS, UPLOAD, Reader, factor, wire_key
from meterweave.protocols.modbus.registers import Block, Item, guess_block
from meterweave.protocols.modbus.rtu import Frame
from meterweave.protocols.modbus.upload import SERIAL_SIZE, Record, read_upload
from meterweave.protocols.modbus.words import CENTURY, Clock, Unsigned, reorder

Int64s = NDArray[np.int64]
Rows = NDArray[np.uint8]

GROUP_MIN = 4  # fewer uploads of one kind are quicker one by one
_BODY_AT = 3  # behind 7B 7B and the command [octets]
_ADDRESS_AT = _BODY_AT + SERIAL_SIZE + 2  # behind the serial number and ``[[`` [octets]
_PLAIN_SIZE = 4  # [octets]
_UPLOAD_HEAD = START + bytes([UPLOAD])
_DAY_US = 86_400_000_000


class _Place(NamedTuple):
    """Where the only answer of an upload stands."""

    answer_at: int  # [octets]
    block: Block


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings of `frames`, by frame and by place in the frame.

    Parameters
    ----------
    frames : sequence of bytes
        One whole frame or envelope each, in the order of the line, so that answers find their requests. A broken one
        goes to ``bad``.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the clocks of the meters run.
    """
    batches: list[ReadingBatch] = []
    alike: dict[int, list[int]] = {}
    for index, frame in enumerate(frames):
        if frame.startswith(_UPLOAD_HEAD):
            alike.setdefault(len(frame), []).append(index)
    done: set[int] = set()
    for indices in alike.values():
        if len(indices) >= GROUP_MIN:
            batch, taken = _uploads(frames, indices, received, zone)
            batches.append(batch)
            done |= taken
    rest = [index for index in range(len(frames)) if index not in done]
    batches.append(_one_by_one(frames, rest, received, zone))
    return ReadingBatch.concat(batches)


def _one_by_one(frames: Sequence[bytes], indices: Sequence[int], received: int, zone: ZoneInfo) -> ReadingBatch:
    reader = Reader(received=received, zone=zone)
    found: list[Reading] = []
    bad: list[BadFrame] = []
    for index in indices:
        try:
            found += reader.read(decode(frames[index]), index)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=received, bad=tuple(bad))


def _uploads(
    frames: Sequence[bytes], indices: list[int], received: int, zone: ZoneInfo
) -> tuple[ReadingBatch, set[int]]:
    """The readings of the uploads among `indices`, all of one length, that look like the first; and which they are."""
    place = _place(frames[indices[0]])
    if place is None:
        return ReadingBatch.empty(), set()
    rows = np.frombuffer(b"".join([frames[index] for index in indices]), np.uint8).reshape(len(indices), -1)
    good = np.flatnonzero(_alike(rows, place)).tolist()
    answer = slice(place.answer_at, place.answer_at + 2 * place.block.count + 5)
    good = [
        at for at in good if crc_modbus(frames[indices[at]][2:-2]) == 0 and crc_modbus(frames[indices[at]][answer]) == 0
    ]
    taken = [indices[at] for at in good]  # the first at least
    meters = np.array([_meter(frames[index], place) for index in taken], np.int64)
    return _decode(rows[good], np.array(taken, np.int64), meters, place, received, zone), set(taken)


def _place(frame: bytes) -> _Place | None:
    """Where `frame` has its answer; None unless it is an upload of one status block."""
    try:
        message = decode(frame)
    except DecodeError:
        return None
    said = read_upload(message.body) if isinstance(message, Envelope) else None
    if said is None or len(said.serial) != SERIAL_SIZE or len(said.records) != 1:
        return None
    record = said.records[0]
    block = guess_block(len(record.answer.data) // 2) if record.answer.kind == "response" else None
    if block is None or block.name not in STATUS_BLOCKS or not _columns(block):
        return None
    return _Place(_ADDRESS_AT + len(record.address) + 2, block)


def _alike(rows: Rows, place: _Place) -> NDArray[np.bool_]:
    """Which rows have the marks of the first at the same places, and none before."""
    at = place.answer_at
    marks = [0, 1, 2, _ADDRESS_AT - 2, _ADDRESS_AT - 1, at - 2, at - 1, at + 1, at + 2, *range(-8, -4), -2, -1]
    alike = (rows[:, marks] == rows[0, marks]).all(axis=1)
    begin = rows[:, _ADDRESS_AT : at - 1] == ord("(")  # the address and the first octet of ``((``
    return np.asarray(alike & ~(begin[:, :-1] & begin[:, 1:]).any(axis=1))


def _meter(frame: bytes, place: _Place) -> int:
    at = place.answer_at
    serial, address = frame[_BODY_AT : _ADDRESS_AT - 2], frame[_ADDRESS_AT : at - 2]
    return wire_key(serial, Record(address, Frame(frame[at], frame[at + 1])))


def _decode(rows: Rows, frame: Int64s, meter: Int64s, place: _Place, received: int, zone: ZoneInfo) -> ReadingBatch:
    """The readings of uploads with one status block at one place, by frame and then by place in it."""
    start = place.answer_at + 3
    octets = rows[:, start : start + 2 * place.block.count]
    items = _columns(place.block)
    count, width = len(rows), len(items)
    ts, time_quality = _times(octets, place.block, received, zone)
    values = [_values(octets, item) for item in items]
    quality = np.stack([flags for _, flags in values], axis=1) | time_quality[:, None]
    total = count * width
    return ReadingBatch(
        meter=np.repeat(meter, width),
        quantity=np.tile(np.array([item.quantity for item in items], np.int32), count),
        profile=np.full(total, Profile.SPOT, np.int8),
        ts=np.repeat(ts, width),
        value=np.stack([value for value, _ in values], axis=1).ravel(),
        missing=np.zeros(total, np.bool_),
        quality=quality.ravel(),
        source=np.full(total, Source.PUSHED, np.int8),
        received=np.full(total, received, np.int64),
        frame=np.repeat(frame, width),
    )


@cache
def _columns(block: Block) -> tuple[Item, ...]:
    """What `block` measures, if all of it is integers of at most 32 bits; else nothing."""
    items = tuple(item for item in block.items if item.quantity is not None)
    plain = all(isinstance(item.word, Unsigned) and item.word.size <= _PLAIN_SIZE for item in items)
    return items if plain else ()


def _values(octets: Rows, item: Item) -> tuple[Int64s, NDArray[np.int32]]:
    """One item of every row as stored integers, with its flags."""
    word = item.word
    assert isinstance(word, Unsigned)  # `_columns` picks no other
    number = np.zeros(len(octets), np.int64)
    for at in reorder(bytes(range(word.size)), word.order):
        number = number << 8 | octets[:, item.at + at]
    if word.signed:
        half = 1 << (8 * word.size - 1)
        number = (number ^ half) - half
    numerator, denominator = factor(item).as_integer_ratio()
    whole, rest = np.divmod(np.abs(number) * numerator, denominator)
    whole += 2 * rest >= denominator
    quality = np.where(rest > 0, int(Quality.ROUNDED), int(Quality.GOOD)).astype(np.int32)
    return np.where(number < 0, -whole, whole), quality


def _times(octets: Rows, block: Block, received: int, zone: ZoneInfo) -> tuple[Int64s, NDArray[np.int32]]:
    """The instant of every row, and TIME_INVALID where the clock is impossible."""
    at = next(item.at for item in block.items if isinstance(item.word, Clock))
    clock = octets[:, at : at + 7]
    local, valid = _local_us(clock)
    ts = np.full(len(octets), received, np.int64)
    ts[valid] = to_utc_us(local[valid], zone)
    quality = np.where(valid | ~clock.any(axis=1), int(Quality.GOOD), int(Quality.TIME_INVALID))
    return ts, quality.astype(np.int32)


def _local_us(clock: Rows) -> tuple[Int64s, NDArray[np.bool_]]:
    """`words.Clock.moment` of rows of seven octets, as `metering.clock.local_us`; and where there is one."""
    year, month, day, _, hour, minute, second = clock.T.astype(np.int64)
    year += CENTURY
    valid = (month >= 1) & (month <= 12) & (day >= 1) & (hour < 24) & (minute < 60) & (second < 60)
    month = np.where(valid, month, 1)
    valid &= day <= days_in_month(year, month)
    days = days_from_civil(year, month, np.where(valid, day, 1))
    return days * _DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000, valid
