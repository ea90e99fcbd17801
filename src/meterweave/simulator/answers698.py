"""What a DL/T 698.45 terminal answers to questions about itself and its records; its meters are in `proxy698`.

Everything it cannot do is refused as the standard has it: object undefined (4), object does not exist (6), data block
unavailable (9), request timed out (33), read-write denied (3), time tag invalid (32), service not supported.

Records are written as octets at once, because there are many of them; all other answers are APDUs of the codec.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from meterweave.metering.clock import local_us
from meterweave.protocols.dlt698 import access, get
from meterweave.protocols.dlt698.apdu import Apdu, TimeTag
from meterweave.protocols.dlt698.association import ErrorResponse
from meterweave.protocols.dlt698.cursor import Writer
from meterweave.protocols.dlt698.data import DATA
from meterweave.protocols.dlt698.get import RecordRequest
from meterweave.protocols.dlt698.records import Row
from meterweave.protocols.dlt698.selection import Column, Road
from meterweave.protocols.dlt698.times import moment
from meterweave.simulator import events698, records698, select698
from meterweave.simulator.archive698 import ARCHIVE
from meterweave.simulator.orders698 import Device698, Terminal698Device
from meterweave.simulator.proxy698 import Line698
from meterweave.simulator.records698 import FREEZES, TASKS, Rows, Shown
from meterweave.simulator.town import LOCAL_S, Concentrator, Meter

UNDEFINED, ABSENT, UNAVAILABLE, TIME_TAG_INVALID = 4, 6, 9, 32
WRONG_BLOCK, NOT_IN_BLOCKS = 10, 11
CANNOT_PARSE, NOT_SUPPORTED = 1, 2
CELLS_MAX = 20_000
"""Rows times columns of one answer; a centre that wants more asks for shorter spans."""
LIST = ARCHIVE << 16 | 0x0200
"""The list of meters, which can be read by number."""
_TI_UNITS_S = {0: 1, 1: 60, 2: 3600, 3: 86_400}
_NO_TRAILER = b"\0\0"
_BLOCK_OVERHEAD = 12  # octets of a block around its record


class Answers:
    """Answers of one terminal.

    Parameters
    ----------
    site : Concentrator
        Whose answers.
    device : Terminal698Device
        Its clock, relays, archive and tasks.
    first_s : int
        Since when its meters keep readings. [s since 1970, UTC]
    """

    def __init__(self, site: Concentrator, device: Terminal698Device, first_s: int) -> None:
        self.device, self.first_s = device, first_s
        self.apdu_max: int | None = None
        """What the centre takes in one APDU; longer results of GET go in blocks. None: whatever comes."""
        self._line = Line698(site, device.archive, device.diary, self._result)
        self._blocks: Blocks | None = None

    def reset(self) -> None:
        """The connection is a new one."""
        self.apdu_max = self._blocks = None

    def to(self, apdu: Apdu, now_s: int) -> Apdu | bytes:
        """The answer to a request that is about data."""
        tag: TimeTag | None = getattr(apdu, "time_tag", None)
        answer = self._answer(apdu, now_s, late=self._late(tag, now_s))
        if tag is None:
            return answer
        if isinstance(answer, bytes):
            delay = tag.max_delay
            return answer[:-1] + b"\1" + tag.send_time + bytes([delay.unit]) + delay.value.to_bytes(2, "big")
        return replace(answer, time_tag=tag)  # type: ignore[call-arg]  # every answer to a request has one

    def _late(self, tag: TimeTag | None, now_s: int) -> bool:
        """Whether a request is older than it allows to be."""
        if tag is None or not tag.max_delay.value or tag.max_delay.unit not in _TI_UNITS_S:
            return False
        sent = moment(tag.send_time)
        if sent is None:
            return True
        sent_s = local_us(sent) // 1_000_000 - LOCAL_S
        age_s = now_s + self.device.condition.clock_off_s - sent_s
        return age_s > tag.max_delay.value * _TI_UNITS_S[tag.max_delay.unit]

    def _answer(self, apdu: Apdu, now_s: int, *, late: bool) -> Apdu | bytes:
        piid: int = getattr(apdu, "piid", 0)
        match apdu:
            case get.GetRequestNormal():
                return get.GetResponseNormal(piid, self.device.result(apdu.oad, now_s))
            case get.GetRequestNormalList():
                return get.GetResponseNormalList(piid, tuple(self.device.result(oad, now_s) for oad in apdu.oads))
            case get.GetRequestRecord():
                return self._records(piid, (RecordRequest(apdu.oad, apdu.rsd, apdu.rcsd),), now_s, listed=False)
            case get.GetRequestRecordList():
                return self._records(piid, apdu.items, now_s, listed=True)
            case get.GetRequestNext():
                return self._next(piid, apdu.block)
            case get.GetRequestMD5():
                return get.GetResponseMD5(piid, apdu.oad, UNDEFINED)
        if late:
            return _too_late(apdu, piid) or ErrorResponse(piid, NOT_SUPPORTED, None, None)
        return (
            _written(self.device, apdu, piid, now_s)
            or self._line.answer(apdu, piid, now_s)
            or ErrorResponse(piid, NOT_SUPPORTED, None, None)
        )

    # Records ---------------------------------------------------------------------------------------------------------

    def _records(self, piid: int, asked: Iterable[RecordRequest], now_s: int, *, listed: bool) -> bytes:
        results = [(one.oad, *self._found(one, now_s)) for one in asked]
        whole = [records698.record(*result) for result in results]
        size = sum(map(len, whole))
        if self.apdu_max is not None and size + _BLOCK_OVERHEAD > self.apdu_max:
            self._blocks = Blocks(results, self.apdu_max)
            return self._blocks.block(piid, 1)
        head = bytes([0x85, 4, piid, len(whole)]) if listed else bytes([0x85, 3, piid])
        return head + b"".join(whole) + _NO_TRAILER

    def _next(self, piid: int, received: int) -> Apdu | bytes:
        if self._blocks is None:
            return get.GetResponseNext(piid, 1, received, get.BlockFailed(NOT_IN_BLOCKS))
        if not self._blocks.follows(received):
            self._blocks = None
            return get.GetResponseNext(piid, 1, received, get.BlockFailed(WRONG_BLOCK))
        return self._blocks.block(piid, received + 1)

    def _result(self, asked: RecordRequest, now_s: int, only: Meter | None) -> bytes:
        """The A-ResultRecord of one question, of all meters or one."""
        return records698.record(asked.oad, *self._found(asked, now_s, only))

    def _found(
        self, asked: RecordRequest, now_s: int, only: Meter | None = None
    ) -> tuple[tuple[Column, ...], Sequence[Rows] | int]:
        """Columns and rows, or the DAR."""
        columns, device = asked.rcsd, self.device
        if only is None and events698.is_event(asked.oad):
            rows = events698.read(device.diary, asked.oad, asked.rsd, columns, device.condition.clock_off_s)
            return columns, rows if isinstance(rows, int) else [_written_rows(rows)] if rows else []
        if asked.oad == LIST and only is None:
            units = device.archive.rows(asked.rsd, columns)
            return columns, units if isinstance(units, int) else [_written_rows(units)] if units else []
        freeze = _freeze(asked.oad, columns)
        if freeze not in FREEZES:
            return columns, UNDEFINED
        shown = self._shown(asked, freeze, now_s, only)
        if shown is None or not columns:
            return columns, ABSENT
        cells = records698.cells_in(columns) * sum(len(one.meters) * len(one.at_s) for one in shown)
        if cells > CELLS_MAX:
            return columns, UNAVAILABLE
        clock_off_s = self.device.condition.clock_off_s
        return columns, [records698.rows_of(columns, one, clock_off_s) for one in shown]

    def _shown(self, asked: RecordRequest, freeze: int, now_s: int, only: Meter | None) -> list[Shown] | None:
        profile, utilities = FREEZES[freeze]
        archive, clock_off_s = self.device.archive, self.device.condition.clock_off_s
        wanted = select698.belongs(select698.meters_of(asked.rsd), archive.listed)
        found = []
        for series in archive.series:
            if series.profile is not profile or series.utility not in utilities:
                continue
            slots = select698.slots(series, asked.rsd, self.first_s, now_s, clock_off_s)
            if slots is None:
                return None
            meters = [meter for meter in series.meters if meter is only or (only is None and wanted(meter))]
            if meters and slots:
                found.append(Shown(meters, slots, profile))
        return found


class Blocks:
    """A result of GET that is too long for one APDU: blocks from number 1, each asked for by the one before."""

    def __init__(self, results: Iterable[tuple[int, tuple[Column, ...], Sequence[Rows] | int]], apdu_max: int) -> None:
        self._records = [part for result in results for part in _parts(*result, apdu_max)]
        self._sent = 0

    def follows(self, received: int) -> bool:
        """Whether the centre, having `received`, may go on: with the next block, or the last one again."""
        return received in {self._sent - 1, self._sent} and received < len(self._records)

    def block(self, piid: int, number: int) -> bytes:
        """One block."""
        self._sent = number
        head = bytes([0x85, 5, piid, number == len(self._records)]) + number.to_bytes(2, "big") + b"\2\1"
        return head + self._records[number - 1] + _NO_TRAILER


def _parts(oad: int, columns: tuple[Column, ...], found: Sequence[Rows] | int, apdu_max: int) -> Iterable[bytes]:
    if isinstance(found, int) or not found:
        yield records698.record(oad, columns, found)
        return
    head = len(records698.record(oad, columns, ())) + _BLOCK_OVERHEAD + 4
    for rows in found:
        at_once = max(1, (apdu_max - head) // rows.width) if rows.alike and rows.count else max(1, rows.count)
        for first in range(0, rows.count, at_once):
            yield records698.record(oad, columns, (rows.part(first, at_once),))


def _written_rows(rows: Sequence[Row]) -> Rows:
    """Rows of the codec as octets."""
    writer = Writer()
    for row in rows:
        for cell in row:
            DATA.write(writer, cell)
    return Rows(bytes(writer.octets), len(rows), alike=False)


def _freeze(oad: int, columns: Sequence[Column]) -> int:
    """The freeze object that is asked: the table itself, or the group of columns of the task table."""
    if oad >> 16 != TASKS >> 16:
        return oad >> 16
    return next((column.road >> 16 for column in columns if isinstance(column, Road)), 0)


# Orders --------------------------------------------------------------------------------------------------------------


def _written(device: Device698, apdu: Apdu, piid: int, now_s: int) -> Apdu | None:
    """The answer to SET and ACTION; None to anything else."""
    match apdu:
        case access.SetRequestNormal():
            return access.SetResponseNormal(piid, apdu.oad, device.set(apdu.oad, apdu.value, now_s))
        case access.SetRequestNormalList():
            return access.SetResponseNormalList(piid, tuple(device.set_item(item, now_s) for item in apdu.items))
        case access.SetThenGetRequestNormalList():
            results = tuple(device.set_then_get(item, now_s) for item in apdu.items)
            return access.SetThenGetResponseNormalList(piid, results)
        case access.ActionRequest():
            return access.ActionResponseNormal(piid, apdu.omd, device.act(apdu.omd, apdu.param, now_s))
        case access.ActionRequestList():
            return access.ActionResponseNormalList(piid, tuple(device.act_item(item, now_s) for item in apdu.items))
        case access.ActionThenGetRequestNormalList():
            acted = tuple(device.act_then_get(item, now_s) for item in apdu.items)
            return access.ActionThenGetResponseNormalList(piid, acted)
    return None


def _too_late(apdu: Apdu, piid: int) -> Apdu | None:
    """The refusal of an order that is older than its time tag allows; None where it is no order of one step."""
    match apdu:
        case access.SetRequestNormal():
            return access.SetResponseNormal(piid, apdu.oad, TIME_TAG_INVALID)
        case access.SetRequestNormalList():
            sets = tuple(access.SetResult(item.oad, TIME_TAG_INVALID) for item in apdu.items)
            return access.SetResponseNormalList(piid, sets)
        case access.ActionRequest():
            return access.ActionResponseNormal(piid, apdu.omd, TIME_TAG_INVALID)
        case access.ActionRequestList():
            acts = tuple(access.ActionResult(item.omd, TIME_TAG_INVALID, None) for item in apdu.items)
            return access.ActionResponseNormalList(piid, acts)
    return None
