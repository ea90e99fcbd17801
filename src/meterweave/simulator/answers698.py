"""What a DL/T 698.45 terminal answers to reading: attributes of its own, its records, and its meters through PROXY.

Everything else is refused as the standard has it: object undefined (4), object does not exist (6), data block
unavailable (9), request timed out (33), read-write denied (3), service not supported.
"""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.metering.clock import local_us
from meterweave.protocols.dlt698 import access, get, proxy
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.association import ErrorResponse
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.selection import Column, NthLastRow, Road, RowsBetween, RowSelection, RowsEqual
from meterweave.protocols.dlt698.times import date_time_s, moment
from meterweave.protocols.dlt698.values import TimeInterval, tsa
from meterweave.simulator import meter645, records698
from meterweave.simulator.plan import Series, series_of
from meterweave.simulator.records698 import FREEZES, TASKS, TIMES
from meterweave.simulator.town import DAY_S, LOCAL_S, Concentrator, Meter

READ_WRITE_DENIED, UNDEFINED, ABSENT, UNAVAILABLE, TIMED_OUT = 3, 4, 6, 9, 33
NOT_IN_BLOCKS = 11
CANNOT_PARSE, NOT_SUPPORTED = 1, 2
CELLS_MAX = 20_000
"""Rows times columns of one answer; a centre that wants more asks for shorter spans."""
_TI_UNITS_S = {0: 1, 1: 60, 2: 3600, 3: DAY_S}


class Answers:
    """Answers of one terminal.

    Parameters
    ----------
    site : Concentrator
        Whose answers.
    first_s : int
        Since when its meters keep readings. [s since 1970, UTC]
    """

    def __init__(self, site: Concentrator, first_s: int) -> None:
        self.site, self.first_s = site, first_s
        self.series = series_of(site.meters)
        self._by_tsa = {tsa(meter.address): meter for meter in site.meters}

    def to(self, apdu: Apdu, now_s: int) -> Apdu:
        """The answer to a request that is about data."""
        piid: int = getattr(apdu, "piid", 0)
        match apdu:
            case get.GetRequestNormal():
                return get.GetResponseNormal(piid, self._attribute(apdu.oad, now_s))
            case get.GetRequestNormalList():
                return get.GetResponseNormalList(piid, tuple(self._attribute(oad, now_s) for oad in apdu.oads))
            case get.GetRequestRecord():
                return get.GetResponseRecord(piid, self._records(apdu.oad, apdu.rsd, apdu.rcsd, now_s))
            case get.GetRequestRecordList():
                return get.GetResponseRecordList(piid, tuple(self._records(*item, now_s) for item in apdu.items))
            case get.GetRequestNext():
                return get.GetResponseNext(piid, 1, apdu.block, get.BlockFailed(NOT_IN_BLOCKS))
            case get.GetRequestMD5():
                return get.GetResponseMD5(piid, apdu.oad, UNDEFINED)
            case access.SetRequestNormal():
                return access.SetResponseNormal(piid, apdu.oad, READ_WRITE_DENIED)
            case access.SetRequestNormalList():
                results = tuple(access.SetResult(item.oad, READ_WRITE_DENIED) for item in apdu.items)
                return access.SetResponseNormalList(piid, results)
            case access.ActionRequest():
                return access.ActionResponseNormal(piid, apdu.omd, READ_WRITE_DENIED)
            case access.ActionRequestList():
                done = tuple(access.ActionResult(item.omd, READ_WRITE_DENIED, None) for item in apdu.items)
                return access.ActionResponseNormalList(piid, done)
            case proxy.ProxyGetRequestList():
                asked = apdu.servers
                values = tuple(proxy.ServerValues(one.server, self._meter_values(one, now_s)) for one in asked)
                return proxy.ProxyGetResponseList(piid, values)
            case proxy.ProxyGetRequestRecord():
                found = self._meter_records(apdu, now_s)
                return proxy.ProxyGetResponseRecord(piid, apdu.server, found)
            case proxy.ProxyTransCommandRequest():
                reply = meter645.answer(self.site.meters, apdu.command, now_s)
                return proxy.ProxyTransCommandResponse(piid, apdu.oad, TIMED_OUT if reply is None else reply)
        return ErrorResponse(piid, NOT_SUPPORTED, None, None)

    def _attribute(self, oad: int, now_s: int) -> ResultNormal:
        own: dict[int, Data] = {
            0x4000_0200: (Tag.DATE_TIME_S, date_time_s(meter645.local(now_s + self.site.clock_off_s))),
            0x4001_0200: (Tag.OCTET_STRING, bytes.fromhex(self.site.address)),
        }
        if oad in own:
            return ResultNormal(oad, own[oad])
        return ResultNormal(oad, ABSENT if any(oad >> 16 == known >> 16 for known in own) else UNDEFINED)

    # Meters ----------------------------------------------------------------------------------------------------------

    def _meter_values(self, asked: proxy.ServerGet, now_s: int) -> tuple[ResultNormal, ...]:
        meter = self._by_tsa.get(asked.server)
        if meter is None or not meter.alive(now_s):
            return tuple(ResultNormal(oad, TIMED_OUT) for oad in asked.items)
        cells = next(records698.cells_of(meter, [now_s]))
        return tuple(ResultNormal(oad, records698.value(cells, oad) or UNDEFINED) for oad in asked.items)

    def _meter_records(self, asked: proxy.ProxyGetRequestRecord, now_s: int) -> ResultRecord:
        meter = self._by_tsa.get(asked.server)
        if meter is None or not meter.alive(now_s):
            return ResultRecord(asked.oad, asked.rcsd, TIMED_OUT)
        return self._records(asked.oad, asked.rsd, asked.rcsd, now_s, (meter,))

    # Records ---------------------------------------------------------------------------------------------------------

    def _records(
        self,
        oad: int,
        rsd: RowSelection,
        rcsd: tuple[Column, ...],
        now_s: int,
        only: Sequence[Meter] | None = None,
    ) -> ResultRecord:
        freeze = _freeze(oad, rcsd)
        if freeze not in FREEZES:
            return ResultRecord(oad, rcsd, UNDEFINED)
        profile, utilities = FREEZES[freeze]
        chosen: list[tuple[Series, range, tuple[Meter, ...]]] = []
        for series in self.series:
            if series.profile is not profile or series.utility not in utilities:
                continue
            slots = self._slots(series, rsd, now_s)
            if slots is None:
                return ResultRecord(oad, rcsd, ABSENT)
            meters = tuple(meter for meter in series.meters if only is None or meter in only)
            chosen.append((series, slots, meters))
        columns = sum(len(column.oads) if isinstance(column, Road) else 1 for column in rcsd)
        if columns * sum(len(slots) * len(meters) for _, slots, meters in chosen) > CELLS_MAX:
            return ResultRecord(oad, rcsd, UNAVAILABLE)
        if not rcsd:
            return ResultRecord(oad, rcsd, ABSENT)
        rows = [
            records698.row(rcsd, cells, self.site.clock_off_s)
            for _, slots, meters in chosen
            for meter in meters
            for cells in records698.cells_of(meter, [at for at in slots if meter.alive(at)])
        ]
        return ResultRecord(oad, rcsd, tuple(rows))

    def _slots(self, series: Series, rsd: RowSelection, now_s: int) -> range | None:
        """The moments that a selection means, as far as there are rows; None where it cannot be followed."""
        kept = series.slots(self.first_s, now_s + 1)
        match rsd:
            case NthLastRow(nth_last=number) if number:
                return kept[-number:][:1] if number <= len(kept) else range(0)
            case RowsEqual(oad=oad, value=wanted) if oad >> 16 in TIMES:
                at_s = _utc_s(wanted, self._off_s(oad))
                return None if at_s is None else range(at_s, at_s + 1) if at_s in kept else range(0)
            case RowsBetween(oad=oad, from_=low, to=high, step=step) if oad >> 16 in TIMES:
                off_s = self._off_s(oad)
                from_s, to_s, step_s = _utc_s(low, off_s), _utc_s(high, off_s), _step_s(step, series.period_s)
                if from_s is None or to_s is None or step_s is None:
                    return None
                first_s = series.slot_from(from_s)
                first_s += max(0, -(-(self.first_s - first_s) // step_s)) * step_s
                return range(first_s, min(to_s, now_s + 1), step_s)
        return None

    def _off_s(self, oad: int) -> int:
        """How far the clock is off that wrote this column."""
        return 0 if oad >> 16 == 0x2021 else self.site.clock_off_s


def _freeze(oad: int, rcsd: Sequence[Column]) -> int:
    """The freeze object that is asked: the table itself, or the group of columns of the task table."""
    if oad >> 16 != TASKS >> 16:
        return oad >> 16
    return next((column.road >> 16 for column in rcsd if isinstance(column, Road)), 0)


def _utc_s(data: Data, off_s: int) -> int | None:
    tag, octets = data
    when = moment(octets) if tag in {Tag.DATE_TIME_S, Tag.DATE_TIME} else None
    return None if when is None else local_us(when) // 1_000_000 - LOCAL_S - off_s


def _step_s(data: Data, period_s: int) -> int | None:
    """How far apart rows are wanted; never closer than there are any."""
    tag, interval = data
    if tag == Tag.NULL:
        return period_s
    if tag != Tag.TI or not isinstance(interval, TimeInterval) or interval.unit not in _TI_UNITS_S:
        return None
    wanted_s = interval.value * _TI_UNITS_S[interval.unit]
    return None if wanted_s and wanted_s % period_s and period_s % wanted_s else max(wanted_s, period_s)
