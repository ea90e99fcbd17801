"""What collection writes, on both engines."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import IntegrityError

from meterweave.headend.collection.counting import Pair
from meterweave.headend.collection.gap import FORGOTTEN, NOT_ASKED, Gap
from meterweave.headend.collection.moments import instant_us
from meterweave.headend.collection.plan import MeterKind, Plan, find_plan, read_plans
from meterweave.headend.collection.record import Counts, Key, Record
from meterweave.headend.collection.report import gaps, status
from meterweave.headend.collection.roster import NEVER, changed_posts, load
from meterweave.metering.quantities import obis_code
from meterweave.registry import Directory, Meter, Organisation, Registry, Terminal, TransformerDistrict
from meterweave.registry.changes import newest
from meterweave.registry.collection import CollectionPlan, GapState, Series
from meterweave.registry.importing import export_csv, import_file, kind_named
from meterweave.registry.installation import install, remove
from meterweave.registry.schema import upgrade
from meterweave.registry.vocabulary import Channel, TerminalState, Utility, Wiring
from tests.registry.records import START, add_meter, add_terminal, add_usage_point, day

DAY = date(2026, 1, 10)


def make(registry: Registry) -> tuple[int, int, int]:
    """A terminal with a meter, and a plan; their ids."""
    with registry.writing() as session:
        terminal = add_terminal(session, "1")
        meter = add_meter(session, "1", terminal)
        plan = CollectionPlan(
            name="p", utility=Utility.ELECTRICITY, series=Series.CURVE, period_s=900, quantities="1-0:1.8.0",
            deadline_s=900, memory_days=7, enabled=True,
        )  # fmt: skip
        session.add(plan)
        session.flush()
        return terminal.id, meter.id, plan.id


def gap(terminal: int, plan: int, day: date, **values: object) -> Gap:
    found = Gap(terminal, plan, day, 10, 2, instant_us(START), None, instant_us(START))
    for name, value in values.items():
        setattr(found, name, value)
    return found


def test_a_new_database_has_plans_to_begin_with(engine: Engine) -> None:
    upgrade(engine)
    registry = Registry(engine)
    with registry.reading() as session:
        plans = {plan.name: plan for plan in read_plans(session)}
    assert {name for name, plan in plans.items() if plan.enabled} == {
        f"{utility.value}-{series}" for utility in Utility for series in ("curve", "daily")
    }
    assert plans["electricity-curve"].period_s == 900
    assert plans["gas-curve"].period_s == 3600
    assert plans["electricity-daily"].memory_days == 62
    assert len(plans["electricity-daily"].quantities) == 6  # import and its four tariffs, export


def test_terminals_of_before_call_by_a_cellular_network(engine: Engine) -> None:
    upgrade(engine, "0002")
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO terminals (id, protocol, address, address_key, kind, state, enrolled_by, name, heartbeat_s) "
            "VALUES (7, 'dlt698', '000000000007', 7, 'concentrator', 'active', 'entered', 'x', 900)"
        )
    upgrade(engine)
    with engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT name, channel, cell_group FROM terminals").one()
        assert tuple(row) == ("x", Channel.CELLULAR.value, None)
    with engine.connect() as connection, pytest.raises(IntegrityError), connection.begin():
        connection.exec_driver_sql("UPDATE terminals SET channel = 'pigeon'")


def test_what_is_written_twice_is_there_once_and_nothing_of_it_is_a_change_of_the_archives(registry: Registry) -> None:
    terminal, _, plan = make(registry)
    directory = Directory(registry)
    record = Record(registry)
    key = Key(terminal, plan, DAY)
    record.write({key: Counts(96, 0, 0)}, {key: gap(*key)})
    record.write({key: Counts(96, 50, 90)}, {key: gap(*key, attempts=3, state=GapState.GIVEN_UP)})
    assert record.success_of(plan, DAY) == {terminal: Counts(96, 50, 90)}
    ((found_key, found),) = record.remembered().items()
    assert (found_key, found.attempts, found.state) == (key, 3, GapState.GIVEN_UP)
    assert (found.next_us, found.reason) == (instant_us(START), NOT_ASKED)
    record.write({}, {key: None})
    assert record.remembered() == {}
    with registry.reading() as session:
        assert newest(session) == directory.snapshot.number


def test_absences_are_noted_forgotten_and_old_ones_not_believed(registry: Registry) -> None:
    _, meter, plan = make(registry)
    record = Record(registry)
    record.note_absent(plan, [Pair(meter, 1), Pair(meter, 2)], START)
    record.note_absent(plan, [Pair(meter, 2)], START + timedelta(days=5))
    assert sorted(record.absences(START)[plan]) == [Pair(meter, 1), Pair(meter, 2)]
    assert record.absences(START + timedelta(days=1)) == {plan: [Pair(meter, 2)]}
    record.forget_absent(plan, [Pair(meter, 2)])
    assert record.absences(START) == {plan: [Pair(meter, 1)]}


def test_sweeping_gives_up_what_devices_forgot_and_drops_what_is_old(registry: Registry) -> None:
    terminal, _, plan = make(registry)
    with registry.writing() as session:
        session.execute(insert(CollectionPlan).values(
            name="off", utility=Utility.GAS, series=Series.DAILY, period_s=0, quantities="7-0:3.0.0", deadline_s=0,
            memory_days=62, enabled=False,
        ))  # fmt: skip
        off = find_plan(session, "off").id
    record = Record(registry)
    days = {n: DAY - timedelta(days=n) for n in (0, 8, 30)}
    keys = [Key(terminal, plan, day) for day in days.values()]
    record.write(
        {key: Counts(96, 0, 0) for key in keys},
        {key: gap(*key) for key in (*keys, Key(terminal, off, DAY))},
    )
    record.sweep({plan: DAY - timedelta(days=7)}, DAY - timedelta(days=20), START)
    left = record.remembered()
    assert {key.day: one.state for key, one in left.items()} == {days[0]: GapState.OPEN, days[8]: GapState.GIVEN_UP}
    assert left[keys[1]].reason == FORGOTTEN
    assert record.success_of(plan, days[30]) == {}
    assert record.success_of(plan, days[8]) == {terminal: Counts(96, 0, 0)}


def test_the_report_adds_up(registry: Registry) -> None:
    terminal, _, plan = make(registry)
    with registry.writing() as session:
        other = add_terminal(session, "2").id
    record = Record(registry)
    today, before = Key(terminal, plan, DAY), Key(terminal, plan, DAY - timedelta(days=1))
    record.write(
        {today: Counts(10, 6, 8), before: Counts(96, 96, 96), Key(other, plan, DAY): Counts(10, 0, 0)},
        {
            today: gap(*today, missing=2, meters=1, oldest_us=instant_us(START)),
            Key(other, plan, DAY): gap(other, plan, DAY, missing=10, state=GapState.GIVEN_UP),
        },
    )
    with registry.reading() as session:
        whole, of_day = status(session), status(session, day=DAY)
        one = status(session, terminal=terminal)
        listed = gaps(session, limit=1, offset=1)
    assert whole.plans[0].standing == (116, 102, 104)
    assert whole.plans[0].open == (1, START, 10)
    assert of_day.plans[0].standing.final_rate == 0.4
    assert one.plans[0].open == (1, START, 0)
    assert [(worst.id, worst.standing.stored) for worst in whole.worst] == [(other, 0), (terminal, 104)]
    assert (listed.total, listed.missing, len(listed.rows)) == (2, 12, 1)


def test_the_roster_has_who_is_to_be_read_and_since_when(registry: Registry) -> None:
    with registry.writing() as session:
        organisation = Organisation(code="o", name="")
        session.add(organisation)
        session.flush()
        district = TransformerDistrict(code="d", name="", organisation_id=organisation.id)
        session.add(district)
        session.flush()
        north, south = add_terminal(session, "1"), add_terminal(session, "2")
        gone = add_terminal(session, "3")
        gone.state = TerminalState.RETIRED
        north.district_id, north.channel, north.cell_group = district.id, Channel.NB_IOT, "n"
        south.first_seen_at = day(5)
        here, moved, new = (add_meter(session, f"{number}", north) for number in (11, 12, 13))
        there = add_meter(session, "21", south)
        add_meter(session, "31", gone)
        here.wiring, here.tariff_count = Wiring.FOUR_WIRE, 4
        point, other = add_usage_point(session, "P"), add_usage_point(session, "Q")
        install(session, here.id, point.id, day(1))
        install(session, moved.id, other.id, day(1))
        remove(session, moved.id, day(2))
        ids = [here.id, moved.id, new.id, there.id]
    with registry.reading() as session:
        found = load(session, unknown_start_days=2)
    assert found.meter.tolist() == ids
    assert found.since_us.tolist() == [instant_us(day(1)), instant_us(day(1)), NEVER, instant_us(day(3))]
    assert found.until_us.tolist() == [NEVER, instant_us(day(2)), NEVER, NEVER]
    assert [found.posts[place].address[-1] for place in found.post.tolist()] == ["1", "1", "1", "2"]
    assert found.posts[0].lane == (Channel.NB_IOT, "n")
    kinds = [found.kinds[kind] for kind in found.kind.tolist()]
    assert kinds[0] == MeterKind(Utility.ELECTRICITY, Wiring.FOUR_WIRE, None, 4)
    assert kinds[1] == MeterKind(Utility.ELECTRICITY, None, None, None)
    plan = Plan(1, "p", Utility.ELECTRICITY, Series.CURVE, 900, (obis_code("1-0:1.8.0"),), 0, 7, True, None, None)
    assert found.of_plan(plan).tolist() == [0, 1, 3]  # the one that never was anywhere is not expected
    assert found.of_plan(plan._replace(district=found.posts[0].district)).tolist() == [0, 1]
    assert found.of_plan(plan._replace(organisations=frozenset({99}))).tolist() == []
    assert found.of_plan(plan._replace(utility=Utility.GAS)).tolist() == []
    with registry.writing() as session:
        session.get_one(Meter, ids[3]).wiring = Wiring.SINGLE_PHASE
    with registry.reading() as session:
        later = load(session, unknown_start_days=2)
    assert changed_posts(found, later) == [later.posts[1].id]
    assert changed_posts(later, later) == []


def test_a_meter_that_moves_is_expected_from_when_it_was_first_there(registry: Registry) -> None:
    with registry.writing() as session:
        terminal = add_terminal(session, "1")
        moved, returned = (add_meter(session, f"{number}", terminal) for number in (11, 12))
        points = [add_usage_point(session, name) for name in "PQRST"]
        install(session, moved.id, points[0].id, day(1))
        remove(session, moved.id, day(2))
        install(session, moved.id, points[1].id, day(2))
        remove(session, moved.id, day(3))
        install(session, moved.id, points[2].id, day(3))
        install(session, returned.id, points[3].id, day(1))
        remove(session, returned.id, day(2))
        install(session, returned.id, points[4].id, day(4))
        remove(session, returned.id, day(5))
    with registry.reading() as session:
        found = load(session)
    assert found.since_us.tolist() == [instant_us(day(1)), instant_us(day(4))]
    assert found.until_us.tolist() == [NEVER, instant_us(day(5))]


def test_a_plan_of_an_organisation_covers_those_below_it(registry: Registry) -> None:
    with registry.writing() as session:
        top = Organisation(code="top", name="")
        session.add(top)
        session.flush()
        below = Organisation(code="below", name="", parent_id=top.id)
        session.add_all((below, Organisation(code="beside", name=""), TransformerDistrict(code="d", name="")))
        session.flush()
        session.add(
            CollectionPlan(
                name="p", utility=Utility.WATER, series=Series.DAILY, period_s=0, quantities="8-0:1.0.0", deadline_s=0,
                memory_days=62, enabled=True, organisation_id=top.id,
            )
        )  # fmt: skip
        session.flush()
        (plan,) = read_plans(session)
        assert plan.organisations == {top.id, below.id}


def test_channel_and_cell_group_come_from_a_file_and_go_into_one(registry: Registry, tmp_path: Path) -> None:
    file = tmp_path / "terminals.csv"
    file.write_text("通信规约,终端地址,通信信道,小区组\ndlt698,1,NB-IoT,north-7\ndlt698,2,4G,\n", encoding="utf-8")
    assert import_file(registry, file).applied
    with registry.reading() as session:
        found = session.execute(select(Terminal.channel, Terminal.cell_group).order_by(Terminal.id)).all()
        assert [tuple(row) for row in found] == [(Channel.NB_IOT, "north-7"), (Channel.CELLULAR, None)]
        written = "".join(export_csv(session, kind_named("terminals")))
    file.write_text(written.replace("north-7", "-").replace("nb_iot", "pigeon"), encoding="utf-8")
    assert not import_file(registry, file).applied
    file.write_text(written.replace("north-7", "-"), encoding="utf-8")
    assert import_file(registry, file).applied
    with registry.reading() as session:
        assert set(session.scalars(select(Terminal.cell_group))) == {None}
