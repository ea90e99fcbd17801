"""What a DL/T 698.45 terminal fetches from its meters for the centre, and what it does to them for it (PROXY)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meterweave.protocols.dlt698 import proxy
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.cursor import Writer
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.get import RecordRequest
from meterweave.protocols.dlt698.values import TSA
from meterweave.simulator import line, records698
from meterweave.simulator.archive698 import DENIED, DONE, MISMATCH, Archive698
from meterweave.simulator.condition import Condition
from meterweave.simulator.events import Diary, Kind
from meterweave.simulator.meter188 import CLOSE, OPEN
from meterweave.simulator.orders698 import Device698
from meterweave.simulator.records698 import Shown
from meterweave.simulator.town import Concentrator, Meter, Utility

TIMED_OUT = 33
VALVES: Mapping[Utility, int] = {
    Utility.WATER: 0x4307_8000,
    Utility.GAS: 0x4308_8000,
    Utility.HEAT: 0x4309_8000,
}
"""Method 128 of the object of each kind of meter."""


class Meter698(Device698):
    """A meter behind the terminal.

    Of one that speaks another protocol the terminal translates what it measures, and nothing else: its relay and its
    clock are reached through transparent forwarding.
    """

    def __init__(self, meter: Meter, diary: Diary) -> None:
        super().__init__(meter.address, meter.condition, diary, meter)
        self._modern = meter.speaks == "dlt698"

    def get(self, oad: int, now_s: int) -> Data | int | None:
        assert self.meter is not None
        measured = records698.value(Shown((self.meter,), (now_s,)), oad)
        if measured is not None:
            return measured
        return super().get(oad, now_s) if self._modern else None

    def set(self, oad: int, value: Data, now_s: int) -> int:
        return super().set(oad, value, now_s) if self._modern else DENIED

    def act(self, omd: int, param: Data, now_s: int) -> int:
        assert self.meter is not None
        if omd == VALVES.get(self.meter.utility):
            return self._turn(param, now_s)
        return super().act(omd, param, now_s) if self._modern else DENIED

    def _turn(self, param: Data, now_s: int) -> int:
        """Open or close the valve, which the terminal knows how to do."""
        if param not in {(Tag.ENUM, OPEN), (Tag.ENUM, CLOSE)}:
            return MISMATCH
        if param[1] == OPEN:
            self.closed(now_s)
        elif self.condition.trip(now_s):
            self.diary.note(Kind.TRIPPED, now_s, self.meter)
        return DONE


class Silence698(Device698):
    """A meter that does not answer, or is not there."""

    def get(self, oad: int, now_s: int) -> Data | int | None:
        return TIMED_OUT

    def set(self, oad: int, value: Data, now_s: int) -> int:
        return TIMED_OUT

    def act(self, omd: int, param: Data, now_s: int) -> int:
        return TIMED_OUT


class Line698:
    """The meters' line of one terminal.

    Parameters
    ----------
    result : callable
        The A-ResultRecord of one meter's records.
    """

    def __init__(
        self,
        site: Concentrator,
        archive: Archive698,
        diary: Diary,
        result: Callable[[RecordRequest, int, Meter | None], bytes],
    ) -> None:
        self._site, self._archive, self._diary, self._result = site, archive, diary, result

    def answer(self, apdu: Apdu, piid: int, now_s: int) -> Apdu | bytes | None:
        """The answer to a PROXY request; None to anything else."""
        match apdu:
            case proxy.ProxyGetRequestList():
                return proxy.ProxyGetResponseList(piid, tuple(self._got(one, now_s) for one in apdu.servers))
            case proxy.ProxyGetRequestRecord():
                return self._record(apdu, piid, now_s)
            case proxy.ProxySetRequestList():
                return proxy.ProxySetResponseList(piid, tuple(self._set(one, now_s) for one in apdu.servers))
            case proxy.ProxySetThenGetRequestList():
                both = tuple(self._set_then_got(one, now_s) for one in apdu.servers)
                return proxy.ProxySetThenGetResponseList(piid, both)
            case proxy.ProxyActionRequestList():
                return proxy.ProxyActionResponseList(piid, tuple(self._acted(one, now_s) for one in apdu.servers))
            case proxy.ProxyActionThenGetRequestList():
                all_of_it = tuple(self._acted_then_got(one, now_s) for one in apdu.servers)
                return proxy.ProxyActionThenGetResponseList(piid, all_of_it)
            case proxy.ProxyTransCommandRequest():
                reply = line.answer(self._site.meters, apdu.command, now_s, self._diary)
                return proxy.ProxyTransCommandResponse(piid, apdu.oad, TIMED_OUT if reply is None else reply)
        return None

    def _meter(self, server: bytes, now_s: int) -> Meter | None:
        """The meter, if it is in the archive and answers."""
        meter = self._archive.meter(server)
        return meter if meter is not None and meter.answers(now_s) else None

    def _device(self, server: bytes, now_s: int) -> Device698:
        meter = self._meter(server, now_s)
        return Meter698(meter, self._diary) if meter else Silence698("", Condition(), self._diary)

    def _record(self, asked: proxy.ProxyGetRequestRecord, piid: int, now_s: int) -> bytes:
        writer = Writer()
        TSA.write(writer, asked.server)
        meter = self._meter(asked.server, now_s)
        if meter is None:
            found = records698.record(asked.oad, asked.rcsd, TIMED_OUT)
        else:
            found = self._result(RecordRequest(asked.oad, asked.rsd, asked.rcsd), now_s, meter)
        return b"\x89\x02" + bytes([piid]) + bytes(writer.octets) + found + b"\0\0"

    def _got(self, asked: proxy.ServerGet, now_s: int) -> proxy.ServerValues:
        device = self._device(asked.server, now_s)
        return proxy.ServerValues(asked.server, tuple(device.result(oad, now_s) for oad in asked.items))

    def _set(self, asked: proxy.ServerSet, now_s: int) -> proxy.ServerSetResults:
        device = self._device(asked.server, now_s)
        return proxy.ServerSetResults(asked.server, tuple(device.set_item(item, now_s) for item in asked.items))

    def _set_then_got(self, asked: proxy.ServerSetThenGet, now_s: int) -> proxy.ServerSetThenGetResults:
        device = self._device(asked.server, now_s)
        results = tuple(device.set_then_get(item, now_s) for item in asked.items)
        return proxy.ServerSetThenGetResults(asked.server, results)

    def _acted(self, asked: proxy.ServerAction, now_s: int) -> proxy.ServerActionResults:
        device = self._device(asked.server, now_s)
        return proxy.ServerActionResults(asked.server, tuple(device.act_item(item, now_s) for item in asked.items))

    def _acted_then_got(self, asked: proxy.ServerActionThenGet, now_s: int) -> proxy.ServerActionThenGetResults:
        device = self._device(asked.server, now_s)
        results = tuple(device.act_then_get(item, now_s) for item in asked.items)
        return proxy.ServerActionThenGetResults(asked.server, results)
