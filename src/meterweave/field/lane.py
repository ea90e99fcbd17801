"""One line of a collector: its plan, its port, and what is known of both while it runs."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from meterweave.field.line import LineCounters
from meterweave.field.plan import LinePlan, PlanError, answers_s
from meterweave.field.poller import DeviceCounters, Notice, Poller, Told
from meterweave.field.ports import Port

_log = structlog.get_logger(__name__)


class Lane:
    """One line of a collector: its poller, and the port it is reached through."""

    def __init__(self, plan: LinePlan, port: Port) -> None:
        self.plan, self.port = plan, port
        self.poller = Poller(plan)
        self.log = _log.bind(line=plan.name, port=port.name)
        self.is_lost = False
        """Whether the port was lost, and nothing was heard since."""
        self.is_open = False
        """Whether the port is open now."""
        self.heard_us: int | None = None
        """When a device answered last, None: none has yet. [us since 1970, UTC]"""
        self.hush_until = 0.0
        """Until when what was asked over the port before this lane may be answered. [s]"""

    def follow(self, before: Lane, now: float) -> None:
        """Have the port that another lane had until now. [s]"""
        self.hush_until = max(before.hush_until, now + answers_s(before.plan))

    def back(self) -> None:
        """Something was heard."""
        if self.is_lost:
            self.is_lost = False
            self.log.info("line back")

    @property
    def counters(self) -> LineCounters:
        """Of the line; those of its devices are `devices`."""
        return self.poller.line.counters

    @property
    def devices(self) -> Mapping[int, DeviceCounters]:
        """By meter."""
        return self.poller.counters

    def known(self, meter: int) -> Told | None:
        """What is amiss with a device; None: nothing is known."""
        return self.poller.known(meter)


class Lanes:
    """Lanes that run beside each other: no two have a name, a port or a meter in common.

    Attributes
    ----------
    by_name : dict of str to Lane
    by_port : dict of Port to Lane
    by_meter : dict of int to Lane
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Lane] = {}
        self.by_port: dict[Port, Lane] = {}
        self.by_meter: dict[int, Lane] = {}

    def add(self, lane: Lane) -> None:
        """One more, of which `check` has nothing to say."""
        self.by_name[lane.plan.name] = self.by_port[lane.port] = lane
        self.by_meter |= dict.fromkeys(lane.devices, lane)

    def check(self, plan: LinePlan, port: Port) -> None:
        """Raise `PlanError` where a line has something in common with one that is here."""
        name = plan.name
        if name in self.by_name:
            raise PlanError(f"there are two lines {name}", f"有两条线路{name}")
        if port in self.by_port:
            theirs = self.by_port[port].plan.name
            raise PlanError(
                f"line {name}: its port {port.name} is that of line {theirs}",
                f"线路{name}：其端口{port.name}已由线路{theirs}使用",
            )
        twice = min((one.meter for one in plan.devices if one.meter in self.by_meter), default=None)
        if twice is not None:
            theirs = self.by_meter[twice].plan.name
            raise PlanError(
                f"line {name}: meter {twice} is on line {theirs} already", f"线路{name}：表计{twice}已在线路{theirs}上"
            )


def tell(lane: Lane, notice: Notice) -> None:
    """Log what happened to a device."""
    log = _log.info if notice.told is Told.BACK else _log.warning
    log(
        "device",
        line=lane.plan.name,
        meter=notice.device.meter,
        address=notice.device.address,
        told=notice.told.value.en,
    )
