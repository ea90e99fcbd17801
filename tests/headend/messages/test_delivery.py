"""What one connection delivers, message by message, into a running centre."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from paho.mqtt.client import MQTTMessage

from meterweave.headend.messages import Broker, MessageSource, Subscriber
from meterweave.headend.messages.delivery import Delivery
from meterweave.profiles.shelf import Shelf
from meterweave.registry.vocabulary import Utility
from tests.headend.centre import run, until
from tests.headend.messages.messages import Running, add_device, running


def message(mid: int, payload: bytes, *, again: bool = False) -> MQTTMessage:
    """A message of QoS 1 as the broker delivers it, for the first time or again."""
    found = MQTTMessage(mid, b"plain/known")
    found.payload, found.qos, found.dup = payload, 1, again
    return found


class Talk:
    """Connections of which a test delivers the messages, and what was acknowledged over all of them."""

    def __init__(self, here: Running, folder: Path) -> None:
        self.house = here.centre.direct.house
        self.acknowledged: list[int] = []
        profile = Shelf(folder / "profiles").find("untimed")
        assert profile.messages is not None
        self.source = MessageSource(
            profile.protocol, profile.messages, self.house.zone, model=profile.name, utility=Utility(profile.utility)
        )

    def connect(self, *, after_start: bool = False, heard: Callable[[int], None] | None = None) -> Delivery:
        house = replace(self.house, heard=heard or self.house.heard)
        return Delivery(house, [self.source], self.acknowledged.extend, after_start=after_start)


@asynccontextmanager
async def talking(folder: Path, **told: Any) -> AsyncIterator[tuple[Running, Talk]]:
    async with running(folder, **told) as here:
        yield here, Talk(here, folder)


def test_equal_readings_are_two_unless_the_broker_s_number_is_the_same(tmp_path: Path) -> None:
    """The flag that a message comes again says that the broker wrote it, not that it arrived."""
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        async with talking(tmp_path) as (here, talk):
            talk.connect().take([message(1, b'{"w": 5}')])
            await until(lambda: talk.acknowledged == [1])
            talk.connect().take([message(1, b'{"w": 5}', again=True), message(2, b'{"w": 5}', again=True)])
            await until(lambda: talk.acknowledged == [1, 1, 2])
            assert (here.count(), here.counters.messages_again) == (2, 1)

    run(work)


def test_what_frames_tell_of_is_known_over_the_first_connection_after_a_start_alone(tmp_path: Path) -> None:
    add_device(tmp_path, "mqtt", "known")
    mqtt = [{"url": "mqtt://127.0.0.1:1", "profiles": ["untimed"]}]  # nobody there: the test delivers

    async def work() -> None:
        async with talking(tmp_path, mqtt=mqtt) as (_, talk):
            talk.connect().take([message(1, b'{"w": 5}')])
            await until(lambda: talk.acknowledged == [1])
        async with talking(tmp_path, mqtt=mqtt) as (here, talk):
            again = message(1, b'{"w": 5}', again=True)
            talk.connect(after_start=True).take([again])
            await until(lambda: talk.acknowledged == [1])
            talk.connect().take([again])  # the acknowledgement was lost: now known by its number
            await until(lambda: talk.acknowledged == [1, 1])
            assert (here.count(), here.counters.messages_again) == (1, 2)
            talk.connect().take([message(2, b'{"w": 5}', again=True)])
            await until(lambda: talk.acknowledged == [1, 1, 2])
            assert here.count() == 2

    run(work)


def test_a_fault_has_the_message_come_again(tmp_path: Path) -> None:
    def faulty(_: int) -> None:
        raise RuntimeError("nobody hears")

    async def work() -> None:
        async with talking(tmp_path, enrol=True) as (here, talk):
            for again in (False, True):  # as its device is enrolled, and as it is found
                delivery = talk.connect(heard=faulty)
                delivery.take([message(1, b'{"w": 5}', again=again)])
                await delivery.wait_refused()
                assert "nobody hears" in repr(delivery.fault)
                await until(partial(getattr, delivery, "idle"))
            assert (talk.acknowledged, here.count()) == ([], 0)
            talk.connect().take([message(1, b'{"w": 5}', again=True)])
            await until(lambda: talk.acknowledged == [1])
            assert here.count() == 1

    run(work)


def test_a_connection_that_ends_does_not_deliver(tmp_path: Path) -> None:
    """Its subscription may be confirmed only after what came before had to be refused."""

    async def work() -> None:
        async with talking(tmp_path) as (_, talk):
            subscriber = Subscriber(Broker(url="mqtt://127.0.0.1:1"), talk.house, lambda: [talk.source])
            delivery = talk.connect()
            delivery.refused.set()
            subscriber.up(delivery)
            assert not subscriber.connected
            subscriber.up(talk.connect())
            assert subscriber.connected

    run(work)
