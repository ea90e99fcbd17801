"""What a terminal is told for each task: an ordinary scheme, a report scheme, and the two tasks that run them.

The structures are 6015, 601D and 6013 (Annex A.7). A scheme stores under the time of the freeze, so that what a
terminal stored is found by that time whatever its own clock shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import NamedTuple

from meterweave.headend.dlt698.archive_unit import USER_TYPES
from meterweave.headend.dlt698.freezes import METER, TASKS, Freeze, freeze_of, road
from meterweave.headend.dlt698.literals import NULL, array, enum, interval, oad, stamp, structure, u8, u16
from meterweave.headend.dlt698.tally import of_utility
from meterweave.headend.operations import Task
from meterweave.metering.batch import Profile
from meterweave.protocols.dlt698.attributes import attributes_for
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.selection import AllMeters, Column, LastRows, MeterSet, MetersOfTypes, Road
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import TimeInterval
from meterweave.registry.vocabulary import Utility

TASK_TABLE, SCHEMES, REPORT_SCHEMES = 0x6012, 0x6014, 0x601C
ORDINARY, REPORT = 1, 4
"""Scheme types of tasks."""
REPORT_TASKS_FROM = 101
"""Report tasks are numbered like their collecting tasks, from here on."""
TASKS_MAX = 50
"""Tasks of one terminal: numbers are one octet, each task needs two, and others may have taken some."""

COLUMNS_BESIDE = (METER, 0x6040_0200, 0x6041_0200, 0x6042_0200)
"""Address, start, success and storage time: what a record has beside its freeze."""
STORED = 0x6042_0200
CHANNELS = (0x4500_0200, 0x4510_0200)
"""Mobile network and Ethernet: whichever the terminal is online by."""

_REPORT_AFTER = REPORT_TASKS_FROM - 1
_BY_FREEZE_TIME, _BY_INTERVAL = 2, 3  # collection types
_STAMP_OF_FREEZE = 6
_RECORDS = 1  # content type of a report scheme
_NORMAL, _PRIORITY, _NO_SCRIPT = 1, 1, 0
_DEPTHS: Mapping[Profile, int] = {Profile.DAILY: 62, Profile.MONTHLY: 12}
_CURVE_DAYS, _DAY_S = 10, 86_400
_RESPONSE, _REPORTS_MAX = TimeInterval(0, 30), 3
_COLLECT_DELAY, _NO_DELAY = TimeInterval(1, 1), TimeInterval(0, 0)
_REPORT_DELAYS: Mapping[Profile, TimeInterval] = {
    Profile.DAILY: TimeInterval(1, 60),
    Profile.MONTHLY: TimeInterval(2, 2),
}
_CURVE_REPORT_DELAY = TimeInterval(1, 5)
_FROM, _TO = date_time_s(datetime(2000, 1, 1)), date_time_s(datetime(2099, 12, 31, 23, 59, 59))
_MINUTE_CURVE_S = 900  # curves with shorter periods are reported as soon as they are collected


class Units(NamedTuple):
    """The members of one table by their numbers."""

    tasks: Mapping[int, Data]
    schemes: Mapping[int, Data]
    report_schemes: Mapping[int, Data]


def units_of(tasks: Sequence[Task], utilities: frozenset[Utility], taken: Set[int]) -> Units:
    """What a terminal with meters of these utilities is told; a task that the protocol cannot carry is left out.

    Parameters
    ----------
    taken : set of int
        Numbers of tasks that are not to be touched.
    """
    free = (number for number in range(1, REPORT_TASKS_FROM) if not {number, number + _REPORT_AFTER} & taken)
    collecting: dict[int, Data] = {}
    schemes: dict[int, Data] = {}
    report_schemes: dict[int, Data] = {}
    for task, number in zip(tasks, free, strict=False):
        freeze = freeze_of(task.profile, task.period_s)
        oads = attributes_for(of_utility(task.quantities, task.utility))
        if freeze is None or not oads:
            continue
        columns = road(freeze, oads)
        meters = meters_of(task.utility, utilities)
        schemes[number] = _scheme(number, task, freeze, columns, meters)
        report_schemes[number] = _report_scheme(number, columns, meters)
        collecting[number] = _task(number, ORDINARY, number, freeze, _COLLECT_DELAY)
        report = number + _REPORT_AFTER
        collecting[report] = _task(report, REPORT, number, freeze, _report_delay(task))
    return Units(collecting, schemes, report_schemes)


def meters_of(utility: Utility, utilities: frozenset[Utility]) -> MeterSet:
    """All meters, or those of the user type that the archive gives this utility."""
    return AllMeters() if utilities <= {utility} else MetersOfTypes((USER_TYPES[utility],))


def _scheme(number: int, task: Task, freeze: Freeze, columns: Road, meters: MeterSet) -> Data:
    curve = task.profile is Profile.CURVE
    mode = structure(u8(_BY_INTERVAL), interval(freeze.interval)) if curve else structure(u8(_BY_FREEZE_TIME), NULL)
    depth = _CURVE_DAYS * _DAY_S // freeze.period_s if curve else _DEPTHS.get(task.profile, 1)
    return structure(
        u8(number),
        u16(min(depth, 0xFFFF)),
        mode,
        array([(Tag.CSD, column) for column in (*COLUMNS_BESIDE, columns)]),
        (Tag.MS, meters),
        enum(_STAMP_OF_FREEZE),
    )


def _report_scheme(number: int, columns: Road, meters: MeterSet) -> Data:
    reported: tuple[Column, ...] = (METER, STORED, columns)
    content = structure(oad(TASKS), (Tag.RCSD, reported), (Tag.RSD, LastRows(1, meters)))
    return structure(
        u8(number),
        array([oad(one) for one in CHANNELS]),
        interval(_RESPONSE),
        u8(_REPORTS_MAX),
        structure(u8(_RECORDS), content),
    )


def _task(number: int, kind: int, scheme: int, freeze: Freeze, delay: TimeInterval) -> Data:
    whole_day = structure(enum(0), array([structure(u8(0), u8(0), u8(23), u8(59))]))
    return structure(
        u8(number),
        interval(freeze.interval),
        enum(kind),
        u8(scheme),
        stamp(_FROM),
        stamp(_TO),
        interval(delay),
        u8(_PRIORITY),
        enum(_NORMAL),
        u16(_NO_SCRIPT),
        u16(_NO_SCRIPT),
        whole_day,
    )


def _report_delay(task: Task) -> TimeInterval:
    if task.profile is Profile.CURVE:
        return _CURVE_REPORT_DELAY if task.period_s >= _MINUTE_CURVE_S else _COLLECT_DELAY
    return _REPORT_DELAYS.get(task.profile, _NO_DELAY)
