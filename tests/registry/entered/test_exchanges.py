"""Lists of exchanges into the archives, on both engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from meterweave.metering.quantities import obis_code
from meterweave.registry import Registry
from meterweave.registry.entered import EntryReport, Key, Point, Terms, entered, import_exchanges
from meterweave.registry.importing.report import Action
from meterweave.registry.installation import history_of, install
from meterweave.registry.vocabulary import Utility
from tests.registry.conftest import dump
from tests.registry.records import add_meter, add_usage_point, day

WATER = obis_code("8-0:1.0.0")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
GOOD = """\
旧表,新表,换表时间,旧表止度,新表起度,换表人,照片
w-2,w-3,2026-03-05 10:00,7.5,0.2,Wang,IMG_2.jpg
w-1,w-2,2026-03-06,12,7.5 m³,Wang,
g-1,g-2,2026-03-04,-,0,,
"""
"""A meter that was taken out is put in elsewhere on the next day."""


@pytest.fixture
def ids(registry: Registry) -> dict[str, int]:
    """Water meters w-1 to w-3 and gas meters g-1 and g-2; w-1, w-2 and g-1 hang on P1, P2 and P1."""
    with registry.writing() as session:
        points = {code: add_usage_point(session, code) for code in ("P1", "P2")}
        found = {}
        for name in ("w-1", "w-2", "w-3", "g-1", "g-2"):
            utility = Utility.WATER if name[0] == "w" else Utility.GAS
            found[name] = add_meter(session, name, protocol="manual", utility=utility).id
        for name, code in (("w-1", "P1"), ("w-2", "P2"), ("g-1", "P1")):
            install(session, found[name], points[code].id, day(0))
        return found | {code: point.id for code, point in points.items()}


def alone(_: Sequence[tuple[int, int, datetime]], since: datetime | None) -> Mapping[Key, Sequence[Point]]:
    """Devices that said nothing themselves."""
    return {}


def bring(registry: Registry, text: str, now: datetime = NOW, neighbours: Any = alone, **terms: Any) -> EntryReport:
    return import_exchanges(registry, text.encode(), "换表.csv", Terms("clerk", now, **terms), neighbours)


def told(report: EntryReport) -> list[tuple[str, int | None, str]]:
    return sorted(((one.code, one.row, one.column) for one in report.findings), key=lambda one: one[1] or 0)


def test_a_list_is_done_in_the_order_of_time(registry: Registry, ids: dict[str, int]) -> None:
    report = bring(registry, GOOD)
    assert (report.findings, report.applied) == ((), True)
    assert report.counts == {Action.CREATED: 3, Action.UNCHANGED: 0}
    assert list(report.lines("zh")) == ["换表：3 新增, 0 已有", "已导入"]
    with registry.reading() as session:
        on = {code: [one.meter_id for one in history_of(session, usage_point_id=ids[code])] for code in ("P1", "P2")}
        found = [(one.meter, one.kept.entry.purpose.value, one.kept.entry.value) for one in entered(session, limit=9)]
    assert on["P2"] == [ids["w-2"], ids["w-3"]]
    assert sorted(on["P1"]) == sorted([ids["w-1"], ids["g-1"], ids["g-2"], ids["w-2"]])
    assert found[::-1] == [
        ("manual g-2", "initial", 0),
        ("manual w-2", "final", 7_500_000),
        ("manual w-3", "initial", 200_000),
        ("manual w-1", "final", 12_000_000),
        ("manual w-2", "initial", 7_500_000),
    ]


def test_the_same_again_and_a_check_change_nothing(registry: Registry, ids: dict[str, int]) -> None:
    before = dump(registry)
    assert bring(registry, GOOD, check=True).counts[Action.CREATED] == 3
    assert dump(registry) == before
    bring(registry, GOOD)
    before = dump(registry)
    again = bring(registry, GOOD, now=NOW + timedelta(days=1))
    assert (again.counts[Action.UNCHANGED], len(again.kept)) == (3, 5)
    assert dump(registry) == before


def test_every_problem_is_told_and_nothing_is_done(registry: Registry, ids: dict[str, int]) -> None:
    bad = """\
old,new,time,out,in
w-1,w-9,2026-03-05,1,0
w-1,g-2,2026-03-05,1,0
w-1,w-3,2026-03-05,one,0
w-1,w-3,,1,0
w-3,w-1,2026-03-05,1,0
w-1,w-3,2027-03-05,1,0
w-1,w-3,2025-03-05,1,0
w-2,w-3,2026-03-05,1,
g-1,g-2,2026-03-05,9,0
"""

    def meters_say(asked: Sequence[tuple[int, int, datetime]], since: datetime | None) -> Mapping[Key, Sequence[Point]]:
        assert since == day(0)  # they were all installed then
        gas = obis_code("7-0:3.0.0")
        assert (ids["g-1"], gas, datetime(2026, 3, 4, 16, tzinfo=UTC)) in asked
        return {(ids["g-1"], gas): [Point(day(20), 10_000_000)]}

    before = dump(registry)
    report = bring(registry, bad, neighbours=meters_say)
    assert told(report) == [
        ("import.unknown_reference", 2, "new"),
        ("import.conflict", 3, ""),
        ("import.malformed", 4, "out"),
        ("import.missing", 5, "time"),
        ("import.conflict", 6, "old"),
        ("reading.in_future", 7, ""),
        ("import.conflict", 8, "time"),
        ("import.missing", 9, "in"),
        ("reading.below_last", 10, ""),
    ]
    assert all(one.text.zh for one in report.findings)
    assert (report.applied, report.kept, report.ok) == (False, (), False)
    assert dump(registry) == before


CHAIN = """\
old,new,time,out,in,reader
w-2,w-1,2026-03-06,5,100,Li
w-1,w-3,2026-03-06,100,0,Wang
"""


def test_at_one_time_a_meter_goes_before_it_comes_elsewhere(registry: Registry, ids: dict[str, int]) -> None:
    report = bring(registry, CHAIN)
    assert (report.findings, report.counts[Action.CREATED]) == ((), 2)
    again = bring(registry, CHAIN)
    assert (again.findings, again.counts[Action.UNCHANGED]) == ((), 2)
    with registry.reading() as session:
        on = {code: [one.meter_id for one in history_of(session, usage_point_id=ids[code])] for code in ("P1", "P2")}
    assert on["P2"] == [ids["w-2"], ids["w-1"]]
    assert ids["w-3"] in on["P1"]


def test_two_that_take_each_others_place_are_told(registry: Registry, ids: dict[str, int]) -> None:
    report = bring(registry, "old,new,time,out,in\nw-1,w-2,2026-03-06,1,2\nw-2,w-1,2026-03-06,2,1\n")
    assert not report.ok
    assert {one.code for one in report.findings} == {"import.conflict"}


@pytest.mark.parametrize("text", ["", "old,new\n1,2\n", "a,b\n"])
def test_files_that_are_no_lists_are_told(registry: Registry, text: str) -> None:
    assert not bring(registry, text).applied
