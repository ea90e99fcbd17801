"""The town: districts, concentrators and meters, all from a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

from meterweave.errors import ConfigError
from meterweave.simulator.car import with_car
from meterweave.simulator.condition import Condition, Span
from meterweave.simulator.curves import ANCHOR_S, Curve, curves_of
from meterweave.simulator.faults import NO_FAULTS, Faults, chance, pick
from meterweave.simulator.sun import measured_curves, net_curves

DAY_S = 86_400
LOCAL_S = 8 * 3600
"""The town lies in China: local time is UTC and eight hours, all year."""
CLOCK_OFF_MAX_S, METER_CLOCK_OFF_MAX_S = 7200, 600
OUTAGE_MIN_S, OUTAGE_MAX_S = 120, 3600
OUTAGES_FORESEEN_DAYS = 400
"""How far beyond the beginning of a town its outages are fixed."""
POINT_MAX = 2040
"""Measuring points that Q/GDW 1376.1 can address; a concentrator has no more electricity meters."""
THREE_PHASE_EVERY, THREE_PHASE_FIRST = 20, 7
"""One electricity meter in this many of a district has three phases, a shop's or a lift's; and which is the first."""
SOLAR_EVERY, SOLAR_FIRST = 12, 5
"""One house in this many of a district has panels on its roof; and which is the first."""
SOLAR_MEASURED_EVERY = 2
"""Of the houses with panels one in this many, by chance, follows the measured one."""
CAR_EVERY, CAR_FIRST = 9, 3
"""One house in this many of a district charges a car; and which is the first. It has one phase and no panels."""
SERIAL_EVERY = 2
"""Of the electricity meters behind a DL/T 698.45 concentrator one in this many speaks DL/T 645-2007."""


class Protocol(StrEnum):
    """What a concentrator speaks to the centre."""

    DLT698 = "dlt698"
    GDW1376 = "gdw1376-1"


class Utility(StrEnum):
    """What a meter measures."""

    ELECTRICITY = "electricity"
    WATER = "water"
    GAS = "gas"
    HEAT = "heat"


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """One meter and the house behind it."""

    address: str  # 12 digits
    utility: Utility
    point: int  # number at its concentrator, from 1
    phase: int  # of the district's transformer that feeds it: 1 to 3; 0 for all three, and for what has no phase
    curve: Curve
    shift_s: int  # by how much this house is ahead of its curve
    scale_permille: int  # how much it uses compared with the curve
    start: int  # its register a year before `curves.ANCHOR_S`, in the steps of the register, see `registers`
    dies_s: int | None  # from when on it is silent [s since 1970, UTC]
    speaks: str = "dlt645"  # what goes over its line: dlt645, dlt698 or cjt188
    export: Curve | None = None  # what its panels give to the network
    condition: Condition = field(default_factory=Condition)

    def alive(self, at_s: int) -> bool:
        """Whether it still measures at `at_s`."""
        return self.dies_s is None or at_s < self.dies_s

    def answers(self, at_s: int) -> bool:
        """Whether it answers on its line at `at_s`: it lives, and the network supplies it."""
        return self.alive(at_s) and self.condition.powered(at_s)


@dataclass(frozen=True, slots=True, eq=False)
class Concentrator:
    """One terminal with the meters of its low-voltage district."""

    protocol: Protocol
    address: str  # 12 digits for DL/T 698.45; for Q/GDW 1376.1 region and terminal, four hexadecimal digits each
    district: str
    clock_off_s: int  # its clock minus the true time, until somebody sets it
    meters: tuple[Meter, ...]
    outages: tuple[Span, ...] = ()  # when the district has no supply

    @property
    def region(self) -> int:
        """A1 of Q/GDW 1376.1."""
        return int(self.address[:4], 16)

    @property
    def terminal(self) -> int:
        """A2 of Q/GDW 1376.1."""
        return int(self.address[4:], 16)

    def wire_key(self, meter: Meter) -> int:
        """The number by which the codec of this concentrator's protocol names the meter."""
        if self.protocol is Protocol.DLT698:
            return int(meter.address, 16)
        return self.region << 32 | self.terminal << 16 | meter.point


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What town to build."""

    terminals: int = 20
    """Concentrators; they speak the protocols in turn."""
    meters: int = 1000
    """Electricity meters of the whole town."""
    others: int = 600
    """Water, gas and heat meters; behind DL/T 698.45 concentrators only: Q/GDW 1376.1 has no items for them."""
    seed: int = 1
    first_s: int
    """When the meters began to keep readings. [s since 1970, UTC]"""
    days: int = 7
    """Length of the back-fill, in which meters may die."""
    protocols: tuple[Protocol, ...] = (Protocol.DLT698, Protocol.GDW1376)
    faults: Faults = NO_FAULTS

    def __post_init__(self) -> None:
        for name in ("terminals", "meters", "others", "days"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, wanted 0 or more")
        if not self.protocols or self.terminals < len(self.protocols):
            raise ConfigError(f"{self.terminals} terminals are too few for {len(self.protocols)} protocols")
        if self.meters > self.terminals * POINT_MAX or self.others > self.terminals * POINT_MAX:
            raise ConfigError(f"{self.terminals} terminals carry at most {self.terminals * POINT_MAX} meters of a kind")
        if self.first_s < ANCHOR_S or self.first_s % DAY_S != DAY_S - LOCAL_S:
            raise ConfigError(f"first_s is {self.first_s}, wanted a local midnight from {ANCHOR_S} on")


def build(plan: Plan) -> tuple[Concentrator, ...]:
    """The town of `plan`; the same plan gives the same town."""
    speaks = [plan.protocols[index % len(plan.protocols)] for index in range(plan.terminals)]
    newer = [index for index, protocol in enumerate(speaks) if protocol is Protocol.DLT698]
    others = plan.others if newer else 0
    town = []
    for index, protocol in enumerate(speaks):
        outages = tuple(_outages(plan, index))
        here = list(_electricity(plan, index, outages, modern=protocol is Protocol.DLT698))
        if protocol is Protocol.DLT698:
            here += _others(plan, index, range(newer.index(index), others, len(newer)), len(here))
        town.append(
            Concentrator(
                protocol=protocol,
                address=f"{330000000000 + index + 1:012d}" if protocol is Protocol.DLT698 else f"3301{index + 1:04X}",
                district=f"LV-{index + 1:04d}",
                clock_off_s=_clock_off(plan, index),
                meters=tuple(here),
                outages=outages,
            )
        )
    return tuple(town)


def _clock_off(plan: Plan, index: int) -> int:
    if chance(plan.seed, "clock", index) >= plan.faults.wrong_clock:
        return 0
    return pick(plan.seed, -CLOCK_OFF_MAX_S, CLOCK_OFF_MAX_S, "clock off", index)


def _outages(plan: Plan, index: int) -> Iterator[Span]:
    """When a district has no supply: at most once a day, and over before the next."""
    for day in range(plan.days + OUTAGES_FORESEEN_DAYS if plan.faults.outage else 0):
        if chance(plan.seed, "outage", index, day) < plan.faults.outage:
            begins_s = (
                plan.first_s + day * DAY_S + pick(plan.seed, 0, DAY_S - OUTAGE_MAX_S - 1, "outage at", index, day)
            )
            lasts_s = pick(plan.seed, OUTAGE_MIN_S, OUTAGE_MAX_S, "outage for", index, day)
            yield Span(begins_s, begins_s + lasts_s)


def _meter_clock_off(plan: Plan, utility: str, number: int) -> int:
    if chance(plan.seed, "meter clock", utility, number) >= plan.faults.wrong_clock:
        return 0
    return pick(plan.seed, -METER_CLOCK_OFF_MAX_S, METER_CLOCK_OFF_MAX_S, "meter clock off", utility, number)


def _electricity(plan: Plan, index: int, outages: tuple[Span, ...], *, modern: bool) -> Iterator[Meter]:
    for place, number in enumerate(range(index, plan.meters, plan.terminals)):
        three_phase = place % THREE_PHASE_EVERY == THREE_PHASE_FIRST
        random = Random(f"{plan.seed}/electricity/{number}")
        meter = Meter(
            address=f"{110000000000 + number + 1:012d}",
            utility=Utility.ELECTRICITY,
            point=place + 1,
            phase=0 if three_phase else random.randint(1, 3),
            curve=random.choice(curves_of("electricity")),
            shift_s=random.randint(-4, 4) * 7 * DAY_S + random.randint(-2, 2) * 1800,
            scale_permille=random.randint(2000, 5000) if three_phase else random.randint(300, 1200),
            start=random.randint(50_000, 2_000_000),
            dies_s=_death(plan, "electricity", number),
            speaks="dlt698" if modern and place % SERIAL_EVERY else "dlt645",
            condition=Condition(outages, _meter_clock_off(plan, "electricity", number)),
        )
        if place % SOLAR_EVERY == SOLAR_FIRST:
            yield _with_panels(meter, random)
        elif place % CAR_EVERY == CAR_FIRST and not three_phase:
            yield _with_car(meter, random)
        else:
            yield meter


def _with_panels(meter: Meter, random: Random) -> Meter:
    """The same house with panels; it follows its curve by whole weeks, because of the sun."""
    taken, given = net_curves(meter.curve, random.randint(3, 8))
    if not random.randrange(SOLAR_MEASURED_EVERY):
        taken, given = measured_curves()
    shift_s = random.randint(-4, 4) * 7 * DAY_S
    return replace(meter, curve=taken, export=given, shift_s=shift_s, scale_permille=random.randint(500, 1500))


def _with_car(meter: Meter, random: Random) -> Meter:
    """The same house with a car; it is not made larger or smaller, so that each charge is what was charged."""
    curve = with_car(meter.curve, random.choice(curves_of("charging")))
    return replace(meter, curve=curve, shift_s=random.randint(-4, 4) * 7 * DAY_S, scale_permille=1000)


def _others(plan: Plan, index: int, numbers: range, behind: int) -> Iterator[Meter]:
    kinds = (Utility.WATER, Utility.GAS, Utility.HEAT)
    for place, number in enumerate(numbers):
        utility = kinds[number % len(kinds)]
        random = Random(f"{plan.seed}/{utility}/{number}")
        yield Meter(
            address=f"{220000000000 + (kinds.index(utility) + 1) * 10_000_000 + number + 1:012d}",
            utility=utility,
            point=behind + place + 1,
            phase=0,
            curve=random.choice(curves_of(utility)),
            shift_s=random.randint(-4, 4) * 7 * DAY_S + random.randint(-2, 2) * 3600,
            scale_permille=random.randint(300, 1500),
            start=random.randint(100_000, 5_000_000),
            dies_s=_death(plan, utility, number),
            speaks="cjt188",
            condition=Condition((), _meter_clock_off(plan, utility, number)),
        )


def _death(plan: Plan, utility: str, number: int) -> int | None:
    if chance(plan.seed, "dead", utility, number) >= plan.faults.dead:
        return None
    return plan.first_s + pick(plan.seed, 0, plan.days * DAY_S, "dies", utility, number)
