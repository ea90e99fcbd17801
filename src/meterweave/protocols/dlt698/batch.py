"""Many frames to readings in columns.

The frames are laid end to end in one buffer. Good frames that begin alike are walked together, a segment of each at a
time (see `layouts`): where segments are laid out like one seen before, they are put on its stack; a new layout is
learned from the first segment that has it. So rows of a table are stacked across all frames, whatever else is in those
frames. Each stack is then read column by column (`columns`). Frames that this does not account for to their last octet
go through `decode` and `readings`, one by one, with the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from meterweave.errors import DecodeError
from meterweave.metering.batch import BadFrame, Reading, ReadingBatch, from_readings
from meterweave.metering.clock import SHANGHAI
from meterweave.protocols.checksum import crc_x25, crc_x25_rows
from meterweave.protocols.dlt698.columns import (
    PADDING,
    Bools,
    Int64s,
    Octets,
    matches,
    read_addresses,
    read_columns,
    windows,
)
from meterweave.protocols.dlt698.frame import END, FRAGMENT, LENGTH_MAX, SCRAMBLE, START
from meterweave.protocols.dlt698.layouts import Head, NoLayoutError, Place, Segment, find_head
from meterweave.protocols.dlt698.message import decode
from meterweave.protocols.dlt698.readings import readings
from meterweave.protocols.dlt698.services import decode_apdu

GROUP_MIN = 8  # fewer frames that begin alike are quicker one by one,
LONG_MIN = 800  # unless there is so much in them [octets]
HEADS_MAX = 32  # ways of beginning that are looked for among frames of one service
SEGMENTS_MAX = 32  # layouts of segments that are learned behind one head
_RESIDUE = 0x0F47  # CRC-16/X-25 of anything followed by its own CRC-16/X-25
_TAIL = 2 + 2 + 1  # no FollowReport, no TimeTag; FCS; 16H [octets]
_NO_ROWS = bytes(3)  # a count of 0, no FollowReport, no TimeTag
_NUMBER_BITS = 8  # bits for the number of a segment in its frame: there are fewer than 128


Scalar = TypeVar("Scalar", bound=np.generic)


class _Frames(NamedTuple):
    """Frames end to end."""

    octets: Octets  # and `PADDING` octets
    start: Int64s
    end: Int64s
    user_data: Int64s  # where they begin


class _Stack(NamedTuple):
    """Segments laid out alike."""

    segment: Segment
    frame: Int64s
    number: Int64s  # of the segment in the frame
    start: Int64s  # where it begins


def decode_batch(frames: Sequence[bytes], *, received: int = 0, zone: ZoneInfo = SHANGHAI) -> ReadingBatch:
    """The readings of `frames`, by frame and by place in the frame.

    Parameters
    ----------
    frames : sequence of bytes
        One whole frame each, as `FrameDecoder` gives them. A broken one goes to ``bad``.
    received : int
        When they came in. [us since 1970, UTC]
    zone : ZoneInfo
        In which the clocks of the devices run.
    """
    laid, good = _lay_out(frames)
    done = np.zeros(len(frames), np.bool_)
    batches = []
    for group in _services(laid, np.flatnonzero(good)):
        batches += _decode_service(frames, laid, group, done, received, zone)
    rest = np.flatnonzero(~done).tolist()
    if rest or len(batches) != 1:
        batches.append(_one_by_one(frames, rest, received, zone))
        return ReadingBatch.concat(batches)
    return batches[0]


def _one_by_one(frames: Sequence[bytes], indices: Sequence[int], received: int, zone: ZoneInfo) -> ReadingBatch:
    found: list[Reading] = []
    bad: list[BadFrame] = []
    for index in indices:
        try:
            found += readings(decode(frames[index]), index=index, received=received, zone=zone)
        except DecodeError as error:
            bad.append(BadFrame(index, error.kind))
    return from_readings(found, received=received, bad=tuple(bad))


def _lay_out(frames: Sequence[bytes]) -> tuple[_Frames, Bools]:
    """The frames end to end, and which of them are good ones that a layout can be looked for in."""
    sizes = np.fromiter(map(len, frames), np.int64, len(frames))
    octets = np.frombuffer(b"".join([*frames, bytes(PADDING)]), np.uint8)
    end = np.cumsum(sizes)
    start = end - sizes
    user_data = start + 9 + (octets[start + 4] & 0x0F)
    laid = _Frames(octets, start, end, user_data)
    good = (octets[start] == START) & (octets[end - 1] == END) & (user_data + _TAIL <= end) & (sizes - 2 <= LENGTH_MAX)
    good &= (octets[start + 1] | octets[start + 2].astype(np.int64) << 8) == sizes - 2
    good &= octets[start + 3] & (FRAGMENT | SCRAMBLE) == 0
    good &= np.fromiter(map(crc_x25, map(itemgetter(slice(1, -1)), frames)), np.int64, len(frames)) == _RESIDUE
    return laid, good & _good_headers(laid)


def _good_headers(laid: _Frames) -> Bools:
    """Where the header check is right."""
    good = np.zeros(len(laid.start), np.bool_)
    sizes = laid.user_data - laid.start - 1  # what the check covers and the check itself [octets]
    for size in np.unique(sizes).tolist():
        where = np.flatnonzero(sizes == size)
        good[where] = crc_x25_rows(windows(laid.octets, laid.start[where] + 1, size)[:, :size]) == _RESIDUE
    return good


def _services(laid: _Frames, good: Int64s) -> list[Int64s]:
    """The good frames apart by control, address feature, service and choice."""
    places = (laid.start[good] + 3, laid.start[good] + 4, laid.user_data[good], laid.user_data[good] + 1)
    keys = np.zeros(len(good), np.int64)
    for place in places:
        keys = keys << 8 | laid.octets[place]
    order = np.argsort(keys, kind="stable")
    return np.split(good[order], np.flatnonzero(np.diff(keys[order])) + 1)


def _decode_service(
    frames: Sequence[bytes], laid: _Frames, group: Int64s, done: Bools, received: int, zone: ZoneInfo
) -> list[ReadingBatch]:
    """The readings of the frames of one service; what frames they come from is noted in `done`."""
    batches = []
    for _ in range(HEADS_MAX):
        if len(group) < GROUP_MIN and (laid.end[group] - laid.start[group]).sum() < LONG_MIN:
            break
        first = int(group[0])
        try:
            head = _head(frames[first], int(laid.user_data[first] - laid.start[first]))
        except (DecodeError, NoLayoutError):
            group = group[1:]
            continue
        alike = matches(windows(laid.octets, laid.start[group], head.mask.size), head.mask)
        walk = _Walk(laid, head, group[alike])
        stacks = walk.stacks()
        done[walk.whole()] = True
        batches.append(_read(laid, head, stacks, received, zone))
        group = group[~alike]
    return batches


def _head(frame: bytes, user_data: int) -> Head:
    """The head of a frame, if the complete decoder takes it: with its rows left away, which the walk looks at."""
    head = find_head(frame, user_data)
    if head.count_at is None:
        decode(frame)
    else:
        decode_apdu(frame[user_data : head.count_at] + _NO_ROWS)
    return head


class _Walk:
    """Frames that begin alike, walked together from their first segment to their last."""

    def __init__(self, laid: _Frames, head: Head, frames: Int64s) -> None:
        self.octets = laid.octets
        self.head = head
        self.frames = frames
        start = laid.start[frames]
        self.end = laid.end[frames] - _TAIL  # of the segments
        self.at = start + head.mask.size
        self.counts = (
            np.ones(len(frames), np.int64)
            if head.count_at is None
            else self.octets[start + head.count_at].astype(np.int64)
        )
        self.segments: list[Segment] = []
        self.pieces: list[list[tuple[Int64s, Int64s, Int64s]]] = []  # of each segment: frames, numbers, starts

    def stacks(self) -> list[_Stack]:
        """All segments of the frames that are whole, by layout, frame and number."""
        number = 0
        while self._step(number):
            number += 1
        whole = self._is_whole()
        found = []
        for segment, pieces in zip(self.segments, self.pieces, strict=True):
            frame, place, start = (np.concatenate(column) for column in zip(*pieces, strict=True))
            order = np.argsort(frame << _NUMBER_BITS | place, kind="stable")
            order = order[whole[frame[order]]]
            if len(order) and segment.row.items:
                found.append(_Stack(segment, self.frames[frame[order]], place[order], start[order]))
        return found

    def whole(self) -> Int64s:
        """The frames that are accounted for to their last octet."""
        return self.frames[self._is_whole()]

    def _is_whole(self) -> Bools:
        """Whether the tail stands right behind the last segment."""
        return np.asarray((self.at == self.end) & (self.octets[self.end] == 0) & (self.octets[self.end + 1] == 0))

    def _step(self, number: int) -> bool:
        """Go past segment `number` of every frame that has one; gives whether any has."""
        walking = np.flatnonzero(self.counts > number)
        if not len(walking):
            return False
        for index in range(len(self.segments)):
            walking = self._pass(index, number, walking)
        while len(walking):
            frame = int(walking[0])
            try:
                if len(self.segments) == SEGMENTS_MAX:
                    raise NoLayoutError
                segment = self.head.segment(self.octets[self.at[frame] : self.end[frame]].tobytes())
            except NoLayoutError:
                self._leave(walking[:1])
                walking = walking[1:]
                continue
            self.segments.append(segment)
            self.pieces.append([])
            walking = self._pass(len(self.segments) - 1, number, walking)
        return True

    def _pass(self, index: int, number: int, walking: Int64s) -> Int64s:
        """Go past the segments laid out as the one with this index; the frames that have other ones are left."""
        if not len(walking):
            return walking
        mask = self.segments[index].mask
        start = self.at[walking]
        found = matches(windows(self.octets, start, mask.size), mask) & (start + mask.size <= self.end[walking])
        passed = walking[found]
        self.pieces[index].append((passed, np.full(len(passed), number), start[found]))
        self.at[passed] += mask.size
        if number == 0:
            self._leap(index, passed)
        return walking[~found]

    def _leap(self, index: int, frames: Int64s) -> None:
        """Go to the end of the frames that have nothing but segments laid out as their first one, in one step."""
        mask = self.segments[index].mask
        left = self.counts[frames] - 1
        even = (left > 0) & (self.end[frames] - self.at[frames] == left * mask.size)
        if not even.any():
            return
        frames, left = frames[even], left[even]
        owner = np.repeat(np.arange(len(frames)), left)
        number = 1 + np.arange(len(owner)) - (np.cumsum(left) - left)[owner]
        start = self.at[frames][owner] + (number - 1) * mask.size
        odd = owner[~matches(windows(self.octets, start, mask.size), mask)]
        alike = np.bincount(odd, minlength=len(frames)) == 0
        reached = alike[owner]
        self.pieces[index].append((frames[owner[reached]], number[reached], start[reached]))
        self.at[frames[alike]] = self.end[frames[alike]]
        self.counts[frames[alike]] = 1

    def _leave(self, frames: Int64s) -> None:
        """These frames are left to the complete decoder."""
        self.counts[frames] = 0
        self.at[frames] = -1


def _read(laid: _Frames, head: Head, stacks: Sequence[_Stack], received: int, zone: ZoneInfo) -> ReadingBatch:
    """The readings of all stacks behind one head, by frame and by place in the frame."""
    batches = [_read_stack(laid, head, stack, received, zone) for stack in stacks]
    batch = batches[0] if len(batches) == 1 else ReadingBatch.concat(batches)
    return replace(batch, frame=batch.frame >> _NUMBER_BITS)


def _read_stack(laid: _Frames, head: Head, stack: _Stack, received: int, zone: ZoneInfo) -> ReadingBatch:
    """The readings of one stack; in `frame` is the frame and, in the low bits, the number of the segment in it."""
    rows = windows(laid.octets, stack.start, stack.segment.mask.size)
    found = read_columns(stack.segment.row.items, rows, received, zone)
    count, width = found.ts.shape

    def down(column: Int64s) -> Int64s:
        return np.broadcast_to(column[:, None], (count, width)).ravel()

    def across(column: NDArray[Scalar]) -> NDArray[Scalar]:
        return np.broadcast_to(column, (count, width)).ravel()

    return ReadingBatch(
        meter=down(_meters(laid, head, stack, rows)),
        quantity=across(found.quantity),
        profile=across(found.profile),
        ts=found.ts.ravel(),
        value=found.value.ravel(),
        missing=found.missing.ravel(),
        quality=found.quality.ravel(),
        source=np.full(count * width, head.source, np.int8),
        received=np.full(count * width, received, np.int64),
        frame=down(stack.frame << _NUMBER_BITS | stack.number),
    )


def _meters(laid: _Frames, head: Head, stack: _Stack, rows: Octets) -> Int64s:
    """The meter of every segment: the one its row names, else the one its frame is from."""
    named = stack.segment.row.meter
    if named:
        return read_addresses(rows, named[1])
    at, size = head.meter
    return read_addresses(
        windows(laid.octets, laid.start[stack.frame] + at, size), Place(0, size), reverse=head.reverse
    )
