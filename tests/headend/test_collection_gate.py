from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.headend.collection import CallGate, CollectionSettings, GateFull, Lane
from meterweave.registry.vocabulary import Channel

LIMITS = {Channel.NB_IOT: 3, Channel.CELLULAR: 4}
SETTINGS = CollectionSettings(calls_max=5, channel_calls_max=LIMITS, cell_group_calls_max=2, calls_waiting_max=200)

_lane = st.builds(
    Lane, st.sampled_from([Channel.NB_IOT, Channel.CELLULAR, Channel.FIBRE]), st.sampled_from([None, "a", "b"])
)
_call = st.tuples(_lane, st.integers(0, 3))


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(_call, max_size=40))
def test_no_limit_is_ever_passed_and_all_get_through(calls: list[tuple[Lane, int]]) -> None:
    inside: list[Lane] = []
    through: list[Lane] = []

    async def call(gate: CallGate, lane: Lane, turns: int) -> None:
        async with gate.call(lane):
            inside.append(lane)
            assert len(inside) <= gate.under_way <= 5
            for channel, limit in LIMITS.items():
                assert sum(one.channel is channel for one in inside) <= limit
            for group in ("a", "b"):
                assert sum(one.cell_group == group for one in inside) <= 2
            for _ in range(turns):
                await asyncio.sleep(0)
            inside.remove(lane)
            through.append(lane)

    async def work() -> None:
        gate = CallGate(SETTINGS)
        await asyncio.gather(*(call(gate, *one) for one in calls))
        assert len(through) == len(calls)
        assert (gate.under_way, gate.waiting) == (0, 0)

    asyncio.run(work())


def test_who_waits_is_called_off_without_leaving_a_trace() -> None:
    async def work() -> None:
        gate = CallGate(CollectionSettings(calls_max=1))
        lane = Lane(Channel.FIBRE, None)
        async with gate.call(lane):
            waiting = asyncio.ensure_future(gate.call(lane).__aenter__())
            await asyncio.sleep(0)
            assert gate.waiting == 1
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert gate.waiting == 0
        assert gate.under_way == 0
        # His turn comes and he is called off in the same moment: the place goes to the next.
        first = gate.call(lane)
        await first.__aenter__()
        second = asyncio.ensure_future(gate.call(lane).__aenter__())
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert (gate.under_way, gate.waiting) == (0, 0)

    asyncio.run(work())


def test_first_come_first_served_and_a_full_cell_holds_up_nobody_else() -> None:
    async def work() -> None:
        gate = CallGate(CollectionSettings(calls_max=3, cell_group_calls_max=1))
        order: list[str] = []

        async def call(name: str, group: str | None) -> None:
            async with gate.call(Lane(Channel.FIBRE, group)):
                order.append(name)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        names = [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b"), ("none", None)]
        await asyncio.gather(*(call(*one) for one in names))
        assert order == ["a1", "b1", "none", "a2", "a3"]

    asyncio.run(work())


def test_no_more_wait_than_may() -> None:
    async def work() -> None:
        gate = CallGate(CollectionSettings(calls_max=1, calls_waiting_max=1))
        lane = Lane(Channel.FIBRE, None)
        async with gate.call(lane):
            waiting = asyncio.ensure_future(gate.call(lane).__aenter__())
            await asyncio.sleep(0)
            with pytest.raises(GateFull):
                await gate.call(lane).__aenter__()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(work())
