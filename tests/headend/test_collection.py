"""Collection as a whole: gaps are found and filled; a stand-in for the terminals, and the real rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from meterweave.headend.collection.moments import instant
from meterweave.headend.operations import (
    Done,
    NotSent,
    Operation,
    Outcome,
    ReadEvents,
    ReadStored,
    Refusal,
    Refused,
    SetClock,
    SyncArchives,
    SyncTasks,
    Unknown,
)
from meterweave.lake import Lake, LakeSettings
from meterweave.metering.batch import Profile, Source
from meterweave.metering.quantities import obis_code
from meterweave.registry import Meter, Registry, Terminal, UsagePoint
from meterweave.registry.address import read_address
from meterweave.registry.collection import CollectionAbsence, CollectionGap, GapState, ReadSuccess
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Enrolment, TerminalState, Utility, Wiring
from meterweave.text import Text

from .collecting import (
    DAY_US,
    ENERGY,
    MIDNIGHT,
    QUARTER_US,
    QUICK,
    VOLTAGE,
    Site,
    StandIn,
    batch,
    collecting,
    estate,
    moments_of,
    set_plan,
    us,
    value_of,
)

DUE_SLOTS = 7 * 96 + 12 * 4  # seven days, and of today all until 15 minutes before noon
QUANTITIES = 4  # of a single-phase meter's curve
NO = Text("no such data", "无此数据")


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


def readings(lake: Lake, where: str = "true") -> list[dict[str, Any]]:
    sql = f"SELECT meter, quantity, epoch_us(ts) AS at, value FROM readings WHERE {where} ORDER BY ALL"
    return lake.query(sql).to_pylist()


def rows_of(site: Site, table: type[Any]) -> list[Any]:
    with site.registry.reading() as session:
        found = session.scalars(select(table)).all()
        session.expunge_all()
        return list(found)


def stored_operations(town: StandIn) -> list[ReadStored]:
    return [asked for _, asked in town.asked if isinstance(asked, ReadStored)]


def test_a_week_is_filled_and_every_value_is_the_true_one(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(tmp_path, lambda registry: estate(registry, terminals=2, meters=3)) as site:
            await site.until(lambda: site.collector.progress.complete)
            progress = site.collector.progress
            assert progress.expected == progress.stored == 6 * DUE_SLOTS * QUANTITIES
            assert progress.profiles[Profile.CURVE].first_try == 0
            assert (progress.gaps_open, progress.oldest_unread_us, progress.given_up) == (0, None, 0)
            due_us = site.now_us - QUARTER_US
            found = [row for row in readings(site.lake) if row["at"] <= due_us]
            assert len(found) == progress.stored
            assert all(row["value"] == value_of(row["meter"], row["quantity"], row["at"]) for row in found)
            await site.until(lambda: len(rows_of(site, ReadSuccess)) == 2 * 8)
            await site.until(lambda: sum(row.stored for row in rows_of(site, ReadSuccess)) == progress.stored)
            await site.until(lambda: rows_of(site, CollectionGap) == [])

    run(work)


def test_the_newest_day_is_asked_for_first_and_days_alike_together(tmp_path: Path) -> None:
    async def work() -> None:
        settings = replace(QUICK, operation_values_max=2 * 96 * QUANTITIES)
        async with collecting(tmp_path, lambda registry: estate(registry, meters=1), settings=settings) as site:
            await site.until(lambda: site.collector.progress.complete)
            asked = stored_operations(site.town)
            assert asked[0].to_us > site.now_us - 2 * QUARTER_US
            assert [one.from_us for one in asked] == sorted((one.from_us for one in asked), reverse=True)
            assert max(len(moments_of(one)) for one in asked) == 2 * 96
            assert len(asked) <= 5  # of eight days

    run(work)


def test_a_freeze_of_many_days_is_one_operation(tmp_path: Path) -> None:
    def prepare(registry: Registry) -> None:
        estate(registry, meters=2, installed=MIDNIGHT - timedelta(days=100), only=("electricity-daily",))

    async def work() -> None:
        async with collecting(tmp_path, prepare) as site:
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.expected == 2 * 63 * 2  # energy import and export, no tariffs known
            assert len(stored_operations(site.town)) == 1

    run(work)


def test_a_meter_that_never_answers_is_given_up_and_keeps_nobody_from_going_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, meters=3, installed=MIDNIGHT),
            change=lambda town: setattr(town, "has", lambda meter, quantity, at_us: meter != 2),
        ) as site:
            await site.until(lambda: site.collector.progress.given_up)
            missing = 48 * QUANTITIES
            assert site.collector.progress.given_up == missing
            assert site.collector.progress.stored == 2 * missing
            await site.until(lambda: [row.state for row in rows_of(site, CollectionGap)] == [GapState.GIVEN_UP])
            (row,) = rows_of(site, CollectionGap)
            assert (row.missing, row.meters, row.attempts, us(row.oldest_at)) == (missing, 1, 3, us(MIDNIGHT))
            asked = len(site.town.asked)
            # An hour later all lack something: who answers gets it, though the other is given up for the day.
            site.now_us += 4 * QUARTER_US
            await site.until(lambda: site.collector.progress.stored == 2 * (missing + 4 * QUANTITIES))
            assert len(site.town.asked) > asked

    run(work)


def test_what_comes_by_itself_closes_a_gap_that_was_given_up(tmp_path: Path) -> None:
    def never(meter: int, quantity: int, at_us: int) -> bool:
        return False

    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, meters=1, installed=MIDNIGHT),
            change=lambda town: setattr(town, "has", never),
        ) as site:
            await site.until(lambda: site.collector.progress.given_up)
            codes = [obis_code(obis) for obis in ("1-0:1.8.0", "1-0:32.7.0", "1-0:31.7.0", "1-0:16.7.0")]
            await site.lake.append(
                batch(
                    (1, code, Profile.CURVE, us(MIDNIGHT) + slot * QUARTER_US, 5, Source.PUSHED, site.now_us)
                    for code in codes
                    for slot in range(49)
                )
            )
            site.now_us += QUARTER_US
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.given_up == 0

    run(work)


def test_a_quantity_the_meter_does_not_have_is_not_expected_for_ever(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, meters=2),
            change=lambda town: setattr(town, "has", lambda meter, quantity, at_us: (meter, quantity) != (1, VOLTAGE)),
        ) as site:
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.expected == DUE_SLOTS * (2 * QUANTITIES - 1)
            assert [(row.meter_id, row.quantity) for row in rows_of(site, CollectionAbsence)] == [(1, VOLTAGE)]
            # One day it is there, and is expected again.
            site.town.has = lambda meter, quantity, at_us: True
            rows = [(1, VOLTAGE, Profile.CURVE, us(MIDNIGHT) + 48 * QUARTER_US, 5, Source.PUSHED, site.now_us)]
            await site.lake.append(batch(rows))
            site.now_us += QUARTER_US
            await site.until(lambda: rows_of(site, CollectionAbsence) == [])

    run(work)


def test_a_refusal_of_all_together_has_each_asked_for_alone(tmp_path: Path) -> None:
    def refuse(terminal: int, asked: Operation) -> Outcome | None:
        return Refused(NO) if isinstance(asked, ReadStored) and VOLTAGE in asked.quantities else None

    async def work() -> None:
        async with collecting(tmp_path, estate, change=lambda town: setattr(town, "outcome", refuse)) as site:
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.stored == 2 * DUE_SLOTS * (QUANTITIES - 1)
            assert {row.quantity for row in rows_of(site, CollectionAbsence)} == {VOLTAGE}

    run(work)


def test_a_terminal_that_refuses_everything_is_not_taken_to_have_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, installed=MIDNIGHT),
            change=lambda town: setattr(town, "outcome", lambda terminal, asked: Refused(NO)),
        ) as site:
            await site.until(lambda: site.collector.progress.given_up)
            assert rows_of(site, CollectionAbsence) == []
            assert site.collector.progress.expected == 2 * 48 * QUANTITIES
            await site.until(lambda: [row.reason_zh for row in rows_of(site, CollectionGap)] == [NO.zh])

    run(work)


def test_refused_meters_are_no_evidence_until_each_quantity_is_asked_for_alone(tmp_path: Path) -> None:
    def refuse(terminal: int, asked: Operation) -> Outcome | None:
        return Done(refusals=(Refusal(1, NO),)) if isinstance(asked, ReadStored) and len(asked.quantities) > 1 else None

    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, meters=1, installed=MIDNIGHT),
            change=lambda town: setattr(town, "outcome", refuse),
        ) as site:
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.stored == 48 * QUANTITIES
            assert rows_of(site, CollectionAbsence) == []

    run(work)


def test_a_terminal_that_is_away_is_asked_as_soon_as_it_is_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path, lambda registry: estate(registry, terminals=2), change=lambda town: town.away.add(1)
        ) as site:
            await site.until(lambda: site.collector.progress.stored == 2 * DUE_SLOTS * QUANTITIES)
            await site.until(lambda: site.collector.progress.counted)
            assert {terminal for terminal, _ in site.town.asked} == {2}
            assert site.collector.progress.gaps_open == 2 * 8
            site.town.away.clear()
            site.enter(1)
            await site.until(lambda: site.collector.progress.complete)

    run(work)


def test_a_call_that_was_not_sent_is_no_attempt(tmp_path: Path) -> None:
    left = [NotSent(NO)] * 5

    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, installed=MIDNIGHT),
            change=lambda town: setattr(town, "outcome", lambda terminal, asked: left.pop() if left else None),
        ) as site:
            await site.until(lambda: site.collector.progress.complete)  # more often than attempts are made

    run(work)


def test_attempts_are_not_forgotten_with_the_process(tmp_path: Path) -> None:
    slow = replace(QUICK, retry_first_s=3600.0)

    def silent(terminal: int, asked: Operation) -> Outcome | None:
        return Unknown(Text("no answer", "无应答"))

    async def first() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, installed=MIDNIGHT),
            settings=slow,
            change=lambda town: setattr(town, "outcome", silent),
        ) as site:
            await site.until(lambda: [row.attempts for row in rows_of(site, CollectionGap)] == [1])

    async def second() -> None:
        async with collecting(tmp_path, lambda registry: None, settings=slow) as site:
            await site.until(lambda: site.collector.progress.gaps_open == 2)
            await asyncio.sleep(0.6)  # long enough for many calls, if it had forgotten
            assert site.town.asked == []
            site.now_us += 3600 * 1_000_000
            await site.until(lambda: site.collector.progress.complete)

    run(first)
    run(second)


def test_limits_on_calls_hold(tmp_path: Path) -> None:
    settings = replace(QUICK, cell_group_calls_max=2, operation_values_max=96 * QUANTITIES)

    def prepare(registry: Registry) -> None:
        estate(registry, terminals=8, meters=1, installed=MIDNIGHT - timedelta(days=1))
        with registry.writing() as session:
            session.execute(update(Terminal).values(cell_group="north"))

    async def work() -> None:
        async with collecting(tmp_path, prepare, settings=settings) as site:
            await site.until(lambda: site.collector.progress.complete)
            assert site.town.most_under_way == 2

    run(work)


def test_readings_fall_due_as_time_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(tmp_path, lambda registry: estate(registry, installed=MIDNIGHT)) as site:
            for day in range(1, 4):
                await site.until(lambda: site.collector.progress.complete)
                site.now_us += DAY_US
                expected = 2 * (day * 96 + 48) * QUANTITIES
                await site.until(lambda expected=expected: site.collector.progress.stored == expected)

    run(work)


def test_what_devices_have_forgotten_is_given_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path, lambda registry: estate(registry, installed=MIDNIGHT), change=lambda town: town.away.add(1)
        ) as site:
            await site.until(lambda: len(rows_of(site, CollectionGap)) == 1)
            site.now_us += 8 * DAY_US
            await site.until(
                lambda: (
                    {row.day: row.state for row in rows_of(site, CollectionGap)}.get(date(2026, 6, 10))
                    is GapState.GIVEN_UP
                )
            )
            await site.until(lambda: site.collector.progress.gaps_open == 2 * 8)

    run(work)


def test_a_meter_and_a_plan_that_come_later_are_followed(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(tmp_path, lambda registry: estate(registry, meters=1, installed=MIDNIGHT)) as site:
            await site.until(lambda: site.collector.progress.complete)
            with site.registry.writing() as session:
                known = read_address("dlt645", "000000000099")
                meter = Meter(
                    utility=Utility.ELECTRICITY, protocol="dlt645", address=known.text, address_key=known.key,
                    terminal_id=1, wiring=Wiring.FOUR_WIRE,
                )  # fmt: skip
                point = UsagePoint(code="late")
                session.add_all((meter, point))
                session.flush()
                install(session, meter.id, point.id, MIDNIGHT)
            site.directory.refresh()
            await site.until(lambda: site.collector.progress.stored == 48 * (4 + 8))
            set_plan(site.registry, "electricity-daily", enabled=True)
            await site.until(lambda: Profile.DAILY in site.collector.progress.profiles)
            await site.until(lambda: site.collector.progress.complete)
            set_plan(site.registry, "electricity-daily", enabled=False)
            await site.until(lambda: Profile.DAILY not in site.collector.progress.profiles)

    run(work)


def test_a_meter_that_is_taken_off_its_terminal_is_missed_there_no_more(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, terminals=2, meters=1, installed=MIDNIGHT),
            change=lambda town: town.away.add(1),
        ) as site:
            await site.until(lambda: site.collector.progress.gaps_open == 1 and rows_of(site, CollectionGap))
            with site.registry.writing() as session:
                session.scalars(select(Meter).where(Meter.terminal_id == 1)).one().terminal_id = None
            site.directory.refresh()
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.expected == 48 * QUANTITIES
            await site.until(lambda: rows_of(site, CollectionGap) == [])
            assert [row.expected for row in rows_of(site, ReadSuccess) if row.terminal_id == 1] == [0]

    run(work)


def test_meters_without_a_known_beginning_are_expected_from_when_their_terminal_was_first_seen(tmp_path: Path) -> None:
    def prepare(registry: Registry) -> None:
        estate(registry, terminals=2, meters=1, installed=None)
        with registry.writing() as session:
            session.execute(
                update(Terminal).where(Terminal.id == 2).values(first_seen_at=MIDNIGHT + timedelta(hours=6))
            )

    async def work() -> None:
        async with collecting(tmp_path, prepare) as site:
            await site.until(lambda: site.collector.progress.stored)
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.expected == 24 * QUANTITIES
            assert {terminal for terminal, _ in site.town.asked} == {2}

    run(work)


def test_only_terminals_that_keep_series_are_asked_and_counted(tmp_path: Path) -> None:
    """Meters on lines, devices that report by themselves and meters that people read are missed by nobody here."""

    def prepare(registry: Registry) -> None:
        estate(registry, terminals=5, meters=1)
        with registry.writing() as session:
            others = {2: "bus", 3: "mqtt", 4: "udp", 5: "n5"}
            for one in session.scalars(select(Terminal).where(Terminal.id.in_(others))):
                one.protocol = others[one.id]
            meters = session.scalars(select(Meter).order_by(Meter.id)).all()
            meters[1].protocol = "manual"
            meters[1].terminal_id = None

    async def work() -> None:
        async with collecting(tmp_path, prepare) as site:
            await site.until(lambda: site.collector.progress.stored)
            await site.until(lambda: site.collector.progress.complete)
            assert site.collector.progress.expected == DUE_SLOTS * QUANTITIES
            assert {terminal for terminal, _ in site.town.asked} == {1}
            assert {one.terminal_id for one in rows_of(site, ReadSuccess)} == {1}

    run(work)


def test_a_new_terminal_gets_time_meters_and_tasks_once(tmp_path: Path) -> None:
    left = [NotSent(NO)]

    def lose_one(terminal: int, asked: Operation) -> Outcome | None:
        return left.pop() if isinstance(asked, SyncArchives) and left else None

    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, meters=2, state=TerminalState.PLANNED, wiring=Wiring.FOUR_WIRE),
            change=lambda town: (town.away.add(1), setattr(town, "outcome", lose_one)),
            commission=True,
        ) as site:
            await site.until(lambda: site.collector.progress.counted)
            site.town.away.clear()
            site.enter(1)
            await site.until(lambda: len(site.town.asked) >= 2 and not left)
            site.enter(1)
            await site.until(lambda: any(isinstance(asked, SyncTasks) for _, asked in site.town.asked))
            kinds = [type(asked) for _, asked in site.town.asked if not isinstance(asked, ReadStored)]
            assert kinds == [SetClock, SyncArchives, SetClock, SyncArchives, SyncTasks]
            (tasks,) = (asked for _, asked in site.town.asked if isinstance(asked, SyncTasks))
            assert [(task.profile, task.period_s, len(task.quantities)) for task in tasks.tasks] == [
                (Profile.CURVE, 900, 8)
            ]
            assert len(tasks.meters) == 2

    run(work)


def commissioned(site: Site) -> list[tuple[int, bool]]:
    """Of each terminal, how often commissioning was begun, and whether it was done."""
    return [(row.commission_tries, row.commissioned_at is not None) for row in rows_of(site, Terminal)]


def tasks_asked(town: StandIn) -> list[SyncTasks]:
    return [asked for _, asked in town.asked if isinstance(asked, SyncTasks)]


def test_a_terminal_that_calls_before_its_archives_were_followed_gets_its_tasks(tmp_path: Path) -> None:
    async def work() -> None:
        slow = replace(QUICK, roster_s=3600.0, roster_anew_s=3600.0)
        async with collecting(tmp_path, lambda registry: None, settings=slow, commission=True) as site:
            await site.until(lambda: site.collector.progress.counted)
            estate(site.registry, state=TerminalState.PLANNED)
            site.directory.refresh()
            site.enter(1)
            await site.until(lambda: commissioned(site) == [(1, True)])
            (asked,) = tasks_asked(site.town)
            assert [(task.profile, task.period_s) for task in asked.tasks] == [(Profile.CURVE, 900)]

    run(work)


def test_commissioning_is_not_forgotten_with_the_process_and_not_repeated(tmp_path: Path) -> None:
    def lose_tasks(terminal: int, asked: Operation) -> Outcome | None:
        return Unknown(NO) if isinstance(asked, SyncTasks) else None

    def prepare(registry: Registry) -> None:
        estate(registry, state=TerminalState.PLANNED, installed=None)

    def nothing(registry: Registry) -> None:
        """All is there from before."""

    async def live(prepare: Callable[[Registry], None], change: Callable[[StandIn], None], *, done: bool) -> None:
        async with collecting(tmp_path, prepare, change=change, commission=True) as site:
            site.enter(1)
            await site.until(lambda: tasks_asked(site.town) and commissioned(site)[0][1] == done)
            with site.registry.writing() as session:
                session.execute(update(Terminal).values(state=TerminalState.ACTIVE))

    async def nothing_more() -> None:
        async with collecting(tmp_path, nothing, commission=True) as site:
            site.enter(1)
            await site.until(lambda: site.collector.progress.counted)
            await asyncio.sleep(0.1)
            assert site.town.asked == []
            ((tries, done),) = commissioned(site)
            assert done
            assert tries <= QUICK.commission_tries

    run(lambda: live(prepare, lambda town: setattr(town, "outcome", lose_tasks), done=False))
    run(lambda: live(nothing, lambda town: None, done=True))
    run(nothing_more)


def test_commissioning_that_always_fails_is_not_tried_for_ever(tmp_path: Path) -> None:
    tries = QUICK.commission_tries

    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, state=TerminalState.PLANNED, installed=None),
            change=lambda town: setattr(town, "outcome", lambda terminal, asked: Refused(NO)),
            commission=True,
        ) as site:
            for number in range(1, tries + 1):
                site.enter(1)
                await site.until(lambda number=number: len(site.town.asked) == number)
                await site.until(lambda number=number: commissioned(site) == [(number, False)])
                await site.until(lambda: site.town.under_way == 0)
            for _ in range(3):
                await asyncio.sleep(0.02)
                site.enter(1)
            await asyncio.sleep(0.1)
            assert len(site.town.asked) == tries

    run(work)


def test_tasks_are_left_alone_where_no_plan_wants_anything(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path, lambda registry: estate(registry, state=TerminalState.PLANNED, only=()), commission=True
        ) as site:
            site.enter(1)
            await site.until(lambda: commissioned(site) == [(1, True)])
            assert [type(asked) for _, asked in site.town.asked] == [SetClock, SyncArchives]

    run(work)


def test_a_login_in_the_middle_of_a_call_waits_for_its_end(tmp_path: Path) -> None:
    async def work() -> None:
        entered: list[int] = []

        def log_in(terminal: int, asked: Operation) -> Outcome | None:
            if isinstance(asked, ReadStored) and not entered:
                entered.append(terminal)
                site.enter(terminal)
            return None

        settings = replace(QUICK, operation_values_max=50)  # a day is many operations
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, state=TerminalState.PLANNED, installed=MIDNIGHT),
            settings=settings,
            change=lambda town: setattr(town, "outcome", log_in),
            commission=True,
        ) as site:
            await site.until(lambda: site.collector.progress.complete and commissioned(site) == [(1, True)])
            assert site.town.most_under_way == 1

    run(work)


def heard(site: Site, ago_s: float) -> int:
    """The terminals were heard last so long ago; when that was. [us]"""
    at_us = site.clock() - round(ago_s * 1e6)
    with site.registry.writing() as session:
        session.execute(update(Terminal).values(last_seen_at=instant(at_us)))
    return at_us


def test_what_was_given_up_is_read_when_the_terminal_was_away_and_is_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, installed=MIDNIGHT),
            change=lambda town: setattr(town, "outcome", lambda terminal, asked: Unknown(NO)),
        ) as site:
            await site.until(lambda: site.collector.progress.given_up)
            heard(site, 60.0)
            asked = len(site.town.asked)
            site.enter(1)  # it was gone for a moment
            await asyncio.sleep(0.1)
            assert len(site.town.asked) == asked
            site.town.outcome = lambda terminal, asked: None
            last_us = heard(site, 3600.0)
            site.enter(1)
            await site.until(lambda: site.collector.progress.complete)
            events = [one for _, one in site.town.asked if isinstance(one, ReadEvents)]
            assert [one.from_us for one in events] == [last_us]
            assert events[0].to_us >= last_us + 3_600_000_000

    run(work)


def test_of_a_long_absence_the_events_of_the_last_days_are_read(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(tmp_path, lambda registry: estate(registry, installed=MIDNIGHT)) as site:
            heard(site, 100 * 86_400.0)
            site.enter(1)
            await site.until(lambda: any(isinstance(one, ReadEvents) for _, one in site.town.asked))
            (asked,) = (one for _, one in site.town.asked if isinstance(one, ReadEvents))
            assert asked.to_us - asked.from_us == QUICK.away_events_days * DAY_US
            await site.until(lambda: site.collector.progress.complete)

    run(work)


def test_what_was_given_up_is_tried_again_the_next_day(tmp_path: Path) -> None:
    async def work() -> None:
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, meters=1, installed=MIDNIGHT),
            change=lambda town: setattr(town, "outcome", lambda terminal, asked: Unknown(NO)),
        ) as site:
            await site.until(lambda: [row.state for row in rows_of(site, CollectionGap)] == [GapState.GIVEN_UP])
            (row,) = rows_of(site, CollectionGap)
            site.town.outcome = lambda terminal, asked: None
            site.now_us += us(row.next_try_at) - site.clock()
            await site.until(lambda: {row.day for row in rows_of(site, ReadSuccess) if row.stored} >= {row.day})
            await site.until(lambda: site.collector.progress.complete)

    run(work)


def test_a_terminal_that_enrolled_itself_is_left_as_it_is(tmp_path: Path) -> None:
    def prepare(registry: Registry) -> None:
        estate(registry, state=TerminalState.PLANNED)
        with registry.writing() as session:
            session.execute(update(Terminal).values(enrolled_by=Enrolment.AUTOMATIC))

    async def work() -> None:
        async with collecting(tmp_path, prepare, commission=True) as site:
            site.enter(1)
            await site.until(lambda: site.collector.progress.complete)
            assert {type(asked) for _, asked in site.town.asked} == {ReadStored}

    run(work)


def test_it_goes_on_when_the_lake_can_be_asked_again(tmp_path: Path) -> None:
    def fill(lake: Lake) -> None:
        lake.append_blocking(
            batch((1, ENERGY, Profile.CURVE, us(MIDNIGHT) + at, 5, Source.PUSHED, us(MIDNIGHT)) for at in range(20))
        )

    async def work() -> None:
        # More rows in the journal than a question looks through, until they are committed.
        lake_settings = LakeSettings(query_tail_rows_max=10, commit_interval_s=3600.0)
        async with collecting(
            tmp_path,
            lambda registry: estate(registry, installed=MIDNIGHT),
            before=fill,
            lake_settings=lake_settings,
            change=lambda town: town.away.add(1),
        ) as site:
            await asyncio.sleep(0.3)
            assert not site.collector.progress.counted
            await asyncio.to_thread(site.lake.commit)
            await site.until(lambda: site.collector.progress.counted)
            assert site.collector.progress.expected == 2 * 48 * QUANTITIES

    run(work)
