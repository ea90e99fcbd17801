"""The way of an operation: to the session of a terminal, to a line of the centre's own, or to a gateway that has one.

What switches a supply is sent once on each of these ways. Where nobody knows what came of it the outcome is `Unknown`,
and `ReadRelay` finds out, by the state that the meter's profile knows how to read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Protocol

from meterweave.centre.lines import Lines
from meterweave.field.order import QUANTITIES, READ, STATE, Happened, Wish
from meterweave.field.order import Outcome as Result
from meterweave.headend import HeadEnd
from meterweave.headend.calls import OFFLINE
from meterweave.headend.operations import (
    Done,
    NotSent,
    Operation,
    Outcome,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadParameters,
    ReadRelay,
    ReadStored,
    Refusal,
    Refused,
    Relay,
    RelayAction,
    SetClock,
    SyncArchives,
    SyncTasks,
    Unknown,
)
from meterweave.metering.quantities import quantities
from meterweave.text import Text


class Gateways(Protocol):
    """The gateways that are connected, and the lines behind them."""

    def online(self, terminal: int) -> bool:
        """Whether the gateway that has the line with this id is connected."""

    async def call_line(self, line: int, wish: Wish, *, begin_s: float | None = None) -> Happened:
        """Have a meter of the line with this id do something; `begin_s` bounds the wait for its turn. [s]"""


class Router:
    """What the dispatcher of commands talks to; see `meterweave.headend.dispatch.Line`.

    Parameters
    ----------
    gateways : Gateways, optional
        Without it only the centre's own lines are reached.
    """

    def __init__(self, head_end: HeadEnd, lines: Lines, gateways: Gateways | None = None) -> None:
        self._head_end, self._lines, self._gateways = head_end, lines, gateways

    def online(self, terminal: int) -> bool:
        """Whether the terminal, or line, with this id can be asked something now."""
        return (
            self._head_end.online(terminal)
            or self._lines.online(terminal)
            or (self._gateways is not None and self._gateways.online(terminal))
        )

    async def call(
        self, terminal: int, wanted: Operation, *, urgent: bool = False, begin_s: float | None = None
    ) -> Outcome:
        """Have the terminal, or the meters on the line, with this id do something."""
        gateways = self._gateways
        if self._lines.has(terminal):
            return await self._over_line(terminal, wanted, begin_s)
        if gateways is not None and gateways.online(terminal):
            return await _all(wishes(wanted), lambda wish: gateways.call_line(terminal, wish, begin_s=begin_s))
        return await self._head_end.call(terminal, wanted, urgent=urgent, begin_s=begin_s)

    async def _over_line(self, terminal: int, wanted: Operation, begin_s: float | None) -> Outcome:
        if not self._lines.online(terminal):
            return NotSent(OFFLINE)
        found = wishes(wanted)
        if isinstance(found, Refused):
            return found
        problem = self._lines.problem(terminal)
        if problem is not None:
            return NotSent(Text(_NOT_RUN.en.format(problem.en), _NOT_RUN.zh.format(problem.zh)))

        async def over(wish: Wish) -> Happened:
            amiss = self._lines.meter_problem(wish.meter)
            if amiss is not None:
                return Happened(Result.REFUSED, amiss)
            return await self._lines.carry_out(wish, begin_s=begin_s)

        return await _all(found, over)


_NOT_RUN = Text("the line is not run: {}", "线路未运行：{}")
NO_KEEP = Text(
    "a line has no order to keep a supply: trips are held back by giving none",
    "总线表计没有保电命令，不下达跳闸即可",
)
_NOTHING_OF_THE_KIND: Mapping[type[Operation], Text] = {
    ReadStored: Text(
        "a line stores nothing: what the centre read of it is in the lake already",
        "线路不存储数据，抄读结果已入库",
    ),
    ReadEvents: Text(
        "a line records no events: the centre reads the states of its meters each time",
        "线路不记录事件，中心每次抄读表计状态",
    ),
    SyncArchives: Text(
        "a line has no archives to be sent: it follows the centre's", "线路无需下发档案，自动跟随中心档案"
    ),
    SyncTasks: Text(
        "a line has no tasks to be sent: its meters are read by their profiles", "线路无需下发任务，按设备配置抄读"
    ),
    ReadClock: Text("a line has no clock: what is read has the centre's time", "线路没有时钟，读数采用中心时间"),
    SetClock: Text("a line has no clock: what is read has the centre's time", "线路没有时钟，读数采用中心时间"),
    ReadParameters: Text("a line has no parameters: its port is in the archives", "线路没有参数，其端口见档案"),
}


def wishes(wanted: Operation) -> list[Wish] | Refused:
    """An operation as wishes to meters on a line; `Refused`: a line has nothing of the kind."""
    match wanted:
        case ReadNow():
            codes = " ".join(_obis()[code] for code in wanted.quantities)
            return [Wish(meter=one.id, action=READ, values={QUANTITIES: codes}) for one in wanted.meters]
        case ReadRelay():
            return [Wish(meter=wanted.meter.id, action=STATE)]
        case Relay(action=RelayAction.KEEP):
            return Refused(NO_KEEP)
        case Relay():
            level, password, operator = wanted.authority
            return [
                Wish(
                    meter=wanted.meter.id,
                    action=wanted.action.value,
                    level=level,
                    password=password,
                    operator=operator,
                )
            ]
    return Refused(_NOTHING_OF_THE_KIND[type(wanted)])


@cache
def _obis() -> Mapping[int, str]:
    return {quantity.code: obis for obis, quantity in quantities().items()}


async def _all(found: Sequence[Wish] | Refused, over: Callable[[Wish], Awaitable[Happened]]) -> Outcome:
    """Carry out wishes one after the other, as far as nobody is in doubt; one meter's refusal is not another's."""
    if isinstance(found, Refused):
        return found
    facts: dict[str, bool | int | str] = {}
    refusals: list[Refusal] = []
    for wish in found:
        happened = await over(wish)
        reason = happened.reason or Text("no reason is given", "未说明原因")
        if happened.result is Result.UNKNOWN:
            return Unknown(reason)
        if happened.result is Result.NOT_SENT:
            return NotSent(reason)
        if happened.result is Result.REFUSED:
            refusals.append(Refusal(wish.meter, reason))
        if happened.closed is not None:
            facts["closed"] = happened.closed
    if len(found) == len(refusals) == 1:
        return Refused(refusals[0].reason)
    return Done(facts, tuple(refusals))
