"""Messages that are JSON documents: values at paths, alone or in rows of records that each have their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from meterweave.metering.batch import Profile as Series
from meterweave.metering.batch import Quality, Source
from meterweave.metering.decimal import to_text
from meterweave.profiles.clock import Clock
from meterweave.profiles.document import DocumentError, Real, dump, number, parse, shown, words, written
from meterweave.profiles.message import NOBODY, OTHER, Heard, Look, Sender, Shown, Value
from meterweave.profiles.path import ABSENT, Path
from meterweave.profiles.speech.base import STORED_MAX
from meterweave.profiles.speech.json import JsonCell
from meterweave.profiles.topic import device_name
from meterweave.text import Text

ROWS_MAX = 2000
"""Records in one message: more than the minutes of a day."""
_GOOD, _NO_VALUE, _ROUNDED = int(Quality.GOOD), int(Quality.NO_VALUE), int(Quality.ROUNDED)
_OUT_OF_RANGE, _TIME_INVALID = int(Quality.OUT_OF_RANGE), int(Quality.TIME_INVALID)
_PUSHED = int(Source.PUSHED)


class Wanted:
    """A quantity, and where a document has it.

    Parameters
    ----------
    steps : Fraction
        How many stored steps of the quantity a 1 in the document is.
    """

    __slots__ = ("_ratios", "cell", "code", "path", "steps")

    def __init__(self, code: int, cell: JsonCell, steps: Fraction) -> None:
        self.code, self.cell, self.path, self.steps = code, cell, cell.path, steps
        self._ratios: dict[int, tuple[int, int]] = {}  # by exponent of ten; `number` bounds how many there are

    def stored(self, value: Any) -> tuple[int | None, int] | None:
        """The stored integer, half rounded away from zero, and its quality; None where `value` is no number."""
        kind = type(value)
        if kind is int:
            digits, exponent = value, 0
        elif kind is Real or kind is str:
            found = number(value)
            if found is None:
                return None
            digits, exponent = found
        else:
            return (None, _NO_VALUE) if value is None else None
        if self.cell.missing is not None and Fraction(10) ** exponent * digits == self.cell.missing:
            return None, _NO_VALUE
        ratio = self._ratios.get(exponent)
        if ratio is None:
            ratio = self._ratios[exponent] = (self.steps * Fraction(10) ** exponent).as_integer_ratio()
        whole, rest = digits * ratio[0], 0
        if ratio[1] != 1:
            negative = whole < 0
            whole, rest = divmod(abs(whole), ratio[1])
            whole += 2 * rest >= ratio[1]
            whole = -whole if negative else whole
        if not -STORED_MAX <= whole <= STORED_MAX:
            return None, _OUT_OF_RANGE
        return whole, _ROUNDED if rest else _GOOD


class Bit(NamedTuple):
    """A bit of a word, and the event that lasts while it is `when`."""

    number: int
    event: int
    when: int


class Word(NamedTuple):
    """A word of bits in a document."""

    cell: JsonCell
    bits: tuple[Bit, ...]

    def conditions(self, value: Any) -> dict[int, bool] | None:
        """Whether each event lasts; None where `value` is no word."""
        word = self.cell.word(value)
        return None if word is None else {one.event: (word >> one.number & 1) == one.when for one in self.bits}


class Found(NamedTuple):
    """The part of a document that holds one time."""

    node: Any
    ts: int
    quality: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the documents of a model hold."""

    wanted: tuple[Wanted, ...]
    words: tuple[Word, ...] = ()
    address: Path | None = None
    clock: Clock | None = None
    """None: values hold when their message arrives."""
    series: Series = Series.SPOT
    rows: Path | None = None
    """An array of records, in which paths begin unless they begin with ``$``."""

    def hear(self, told: Sequence[tuple[str, bytes]], received: int, zone: ZoneInfo) -> list[Heard]:
        """See `meterweave.profiles.message.Content`."""
        return [self._heard(named, payload, received, zone) for named, payload in told]

    def _heard(self, named: str, payload: bytes, received: int, zone: ZoneInfo) -> Heard:
        try:
            document = parse(payload)
            address = self._device(document, named)
            parts, faults = self._parts(document, received, zone)
        except DocumentError as error:
            return Heard(named, problem=error.text)
        readings: list[Value] = []
        looks: list[Look] = []
        for part, outer in parts:
            self._read(part, outer, readings, faults)
            self._look(part, outer, looks, faults)
        looks.sort(key=lambda look: look.at)
        return Heard(address, tuple(readings), tuple(looks), None, faults[0] if faults else None)

    def _device(self, document: Any, named: str) -> str:
        found = ABSENT if self.address is None else self.address.find(document)
        own = device_name(str(found)) if type(found) in (str, int) else ""
        if not (own or named):
            raise DocumentError(*NOBODY)
        if own and named and own != named:
            raise DocumentError(*OTHER)
        return named or own

    def _parts(self, document: Any, received: int, zone: ZoneInfo) -> tuple[list[tuple[Found, bool]], list[Text]]:
        """The records, and last what stands outside of them; whether each is that. And what is amiss with them."""
        if self.rows is None:
            return [(self._timed(document, received, zone), False)], []
        rows = self.rows.find(document)
        if rows is ABSENT or rows is None:
            rows = []
        if type(rows) is not list or len(rows) > ROWS_MAX:
            raise DocumentError(
                f"{self.rows.text} is no array of at most {ROWS_MAX} records",
                f"{self.rows.text}不是至多{ROWS_MAX}条记录的数组",
            )
        found = [self._timed(row, received, zone) for row in rows]
        # What stands outside was sent with the newest record, whose time makes a message sent twice the same twice.
        newest = max((one.ts for one in found if not one.quality), default=received)
        kept = _of_different_times(found)
        faults = [_left_out(len(found) - len(kept))] if len(kept) < len(found) else []
        return [*((one, False) for one in kept), (Found(document, newest, _GOOD), True)], faults

    def _timed(self, node: Any, received: int, zone: ZoneInfo) -> Found:
        if self.clock is None:
            return Found(node, received, _GOOD)
        moment = self.clock.moment(self.clock.path.find(node), received, zone)
        return Found(node, received, _TIME_INVALID) if moment is None else Found(node, moment, _GOOD)

    def _belongs(self, cell: JsonCell, outer: bool) -> bool:
        return self.rows is None or cell.path.outer == outer

    def _told(self, node: Any, outer: bool) -> Iterator[tuple[Wanted, Any]]:
        """The quantities that a record, or what stands outside of records, has, with what it says of them."""
        for one in self.wanted:
            if self._belongs(one.cell, outer):
                value = one.path.find(node)
                if value is not ABSENT:
                    yield one, value

    def _read(self, part: Found, outer: bool, readings: list[Value], faults: list[Text]) -> None:
        ts, late, series = part.ts, part.quality, int(self.series)
        for one, value in self._told(part.node, outer):
            stored = one.stored(value)
            if stored is None:
                faults.append(_no_number(one.path, value))
            else:
                readings.append(Value(None, one.code, series, ts, stored[0], stored[1] | late, _PUSHED))

    def show(self, payload: bytes, received: int, zone: ZoneInfo) -> list[Shown]:
        """See `meterweave.profiles.message.Content`."""
        try:
            parts, _ = self._parts(parse(payload), received, zone)
        except DocumentError:
            return []
        told = (pair for part, outer in parts for pair in self._told(part.node, outer))
        return [Shown(one.path.text, words(value)) for one, value in told if one.stored(value) is not None]

    def _look(self, part: Found, outer: bool, looks: list[Look], faults: list[Text]) -> None:
        conditions: dict[int, bool] = {}
        for one in self.words:
            value = one.cell.path.find(part.node) if self._belongs(one.cell, outer) else ABSENT
            if value is ABSENT:
                continue
            found = one.conditions(value)
            if found is not None:
                conditions |= found
            elif value is not None:
                faults.append((_no_single if one.cell.equals else _no_number)(one.cell.path, value))
        if conditions:
            looks.append(Look(part.ts, conditions))

    # A simulated device -----------------------------------------------------------------------------------------------

    def write(self, device: Sender, now_s: int, zone: ZoneInfo) -> bytes:
        """See `meterweave.profiles.message.Content`."""
        document: Any = None
        if self.rows is not None:
            times = [now_s - ago * SIMULATED_STEP_S for ago in reversed(range(SIMULATED_ROWS))]
            document = self.rows.put([self._filled(device, at, zone, None, False) for at in times], document)
        document = self._filled(device, now_s, zone, document, self.rows is not None)
        if self.address is not None:
            document = self.address.put(device.address, document)
        return dump({} if document is None else document).encode()

    def _filled(self, device: Sender, now_s: int, zone: ZoneInfo, node: Any, outer: bool) -> Any:
        """`node` with what belongs to the message, or to a record."""
        device.now_s = now_s
        for one in self.wanted:
            if self._belongs(one.cell, outer):
                node = one.path.put(_sent(one.cell, device.number(one.cell)), node)
        for path, cells in self._words_by_path().items():
            if self._belongs(cells[0], outer):
                node = path.put(_said(cells, device), node)
        if self.clock is not None and not outer:
            node = self.clock.path.put(self.clock.write(now_s * 1_000_000, zone), node)
        return node

    def _words_by_path(self) -> dict[Path, list[JsonCell]]:
        found: dict[Path, list[JsonCell]] = {}
        for one in self.words:
            found.setdefault(one.cell.path, []).append(one.cell)
        return found


SIMULATED_ROWS, SIMULATED_STEP_S = 3, 900
"""Of a simulated device: records in a message, and the time from one to the next. [s]"""


def _sent(cell: JsonCell, sent: int | None) -> Any:
    if sent is None:
        return cell.missing
    return Real(to_text(sent, -cell.decimals)) if cell.decimals else sent


def _said(cells: Sequence[JsonCell], device: Sender) -> Any:
    """The word of bits, or the value that one of several cells knows."""
    if not cells[0].equals:
        return device.number(cells[0])
    known = [cell.equals for cell in cells]
    lasting = next((cell.equals for cell in cells if device.number(cell)), None)
    return written(lasting) if lasting is not None else _unlike(known)


def _unlike(known: Sequence[str]) -> Any:
    """A value of the kind of `known` that is none of them."""
    kind = type(written(known[0]))
    others = [False, True] if kind is bool else range(len(known) + 1) if kind is int else [""]
    return next((one for one in others if words(one) not in known), None)


def _of_different_times(found: Sequence[Found]) -> list[Found]:
    """The records without those that have no possible time, but for the last, which is the newest.

    All of them would hold when the message came, and of one moment there can be one value.
    """
    last = next((one for one in reversed(found) if one.quality), None)
    return [one for one in found if not one.quality or one is last]


def _left_out(count: int) -> Text:
    return Text(
        f"{count} {'record' if count == 1 else 'records'} without a possible time left out; only the last is taken",
        f"{count}条时间无效的记录未采用，仅取其中最后一条",
    )


def _no_number(path: Path, value: Any) -> Text:
    said = shown(value)
    return Text(f"{path.text}: {said.en} is no number", f"{path.text}：{said.zh}不是数")


def _no_single(path: Path, value: Any) -> Text:
    said = shown(value)
    return Text(f"{path.text}: {said.en} is no single value", f"{path.text}：{said.zh}不是单个值")
