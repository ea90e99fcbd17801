"""How links live and die: as often as the rate says, the same again from the same seed, and over real sockets."""

from __future__ import annotations

import asyncio
import time

from meterweave.simulator import Faults, Habits, Instant, Protocol, TownClock, build, link, run, terminals_of
from meterweave.simulator.link import End, link_of
from meterweave.simulator.session import State
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan, small_town
from tests.simulator.test_network import Listener

NOW_S = MIDNIGHT_S + DAY_S + 5000
BAD = Faults.bad_town()


def test_links_are_dead_for_the_share_of_time_that_was_wished():
    fates = [link_of(BAD, 1, f"{address:012d}", count) for address in range(40) for count in range(50)]
    dead_s = sum(fate.dead_s for fate in fates)
    share = dead_s / (dead_s + sum(fate.lives_s for fate in fates))
    assert 0.045 < share < 0.055
    assert {fate.end for fate in fates} == set(End)
    assert fates == [link_of(BAD, 1, f"{address:012d}", count) for address in range(40) for count in range(50)]
    assert link_of(Faults(), 1, "1", 0).lives_s == float("inf")


def test_a_restart_forgets_what_was_to_be_reported():
    _, (terminal, _) = small_town()
    now = Instant(0.0, NOW_S)
    terminal.connected(now)
    assert not terminal.idle(NOW_S)
    terminal.reboot(NOW_S)
    assert terminal.state is State.OFFLINE
    assert terminal.idle(NOW_S)
    assert not terminal.idle(NOW_S + DAY_S)


def test_terminals_on_dying_links_come_back(monkeypatch):
    monkeypatch.setattr(link, "DEAD_MIN_S", 0.1)
    monkeypatch.setattr(link, "DEAD_MAX_S", 0.3)
    faults = Faults(dead_link=0.9, reboot=0.3)
    habits = Habits(heartbeat_s=60.0, answer_s=5.0)
    fleet = terminals_of(build(plan(meters=4, others=0)), MIDNIGHT_S, seed=1, faults=faults, habits=habits)
    ends = []

    async def dying() -> None:
        listeners = [Listener(Protocol.DLT698), Listener(Protocol.GDW1376)]
        centres = {one.protocol: await one.open() for one in listeners}
        clock = TownClock(NOW_S, 1.0, time.time())
        task = asyncio.create_task(run(fleet, centres, clock, 1))
        async with asyncio.timeout(50):
            while min(terminal.counts.logins for terminal in fleet) < 2:
                await asyncio.sleep(0.05)
        ends.extend(len(one.centres) for one in listeners)
        task.cancel()
        await asyncio.wait([task])
        for one in listeners:
            one.server.close()

    asyncio.run(dying())
    assert min(ends) >= 2
