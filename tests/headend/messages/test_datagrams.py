"""Meters that send datagrams over real sockets."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import cast

from meterweave.metering.batch import Source
from meterweave.metering.events import ENDED
from meterweave.profiles import Device, shipped
from tests.headend import frames
from tests.headend.centre import WAIT_S, run, until
from tests.headend.messages.messages import NOON, Running, add_device, meters, reading, running, terminal_id, terminals


class Meter(asyncio.DatagramProtocol):
    """The other end: sends datagrams, hears answers."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.heard.append(data)

    def send(self, *datagrams: bytes) -> None:
        assert self.transport is not None
        for one in datagrams:
            self.transport.sendto(one)

    async def answer(self) -> bytes:
        async with asyncio.timeout(WAIT_S):
            while not self.heard:
                await asyncio.sleep(0.005)
        return self.heard.pop(0)


async def meter(here: Running) -> Meter:
    (port,) = [one.port for one in here.centre.ports if one.protocol == "udp"]
    loop = asyncio.get_running_loop()
    _, found = await loop.create_datagram_endpoint(Meter, remote_addr=("127.0.0.1", port))
    return found


def of(**told: object) -> dict[str, object]:
    return {"udp": [{"port": 0, **told}]}


def water(*records: tuple[int, str], imei: str = "861234567890123", status: int = 0) -> bytes:
    """What a meter of profile json-water-meter sends."""
    told = {"imei": imei, "status": status, "records": [{"t": at, "v": volume} for at, volume in records]}
    return json.dumps(told).encode()


def test_a_json_message_is_kept_once_however_often_it_comes(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, enrol=True, **of(profiles=["json-water-meter"])) as here:
            sender = await meter(here)
            message = water((NOON, "12.345"), (NOON + 900, "12.400"), status=2)
            for _ in range(5):
                sender.send(message)
                await asyncio.sleep(0.01)
            await until(lambda: here.counters.readings == 2 and here.counters.messages_again == 4)
            assert here.count() == 2
            assert terminals(here.registry) == [("udp", "861234567890123", "meter")]
            assert meters(here.registry) == [("json", "861234567890123", "water", "json-water-meter")]
            assert here.count("events") == 1

    run(work)


def test_datagrams_on_their_way_follow_one_another(tmp_path: Path) -> None:
    add_device(tmp_path, "udp", "861234567890123")

    async def work() -> None:
        async with running(tmp_path, **of(profiles=["json-water-meter"])) as here:
            sender = await meter(here)
            sender.send(water((NOON, "12.345"), status=2), water((NOON + 1, "12.345")))
            await until(lambda: here.counters.readings == 2)
            (code,), (ended,) = here.rows("SELECT event FROM events ORDER BY ts, event")
            assert ended == code + ENDED
            ident = terminal_id(here.registry, "861234567890123")
            assert not here.centre.direct.house.conditions.lasting(ident)

    run(work)


def test_frames_are_recognised_by_the_address_in_them(tmp_path: Path) -> None:
    device = Device(shipped("dlt645-single-phase"), "000000000123")
    answers = b"".join(device.feed(question, NOON) for question in device.questions())

    async def work() -> None:
        async with running(tmp_path, enrol=True, **of(protocol="dlt645")) as here:
            sender = await meter(here)
            sender.send(b"\xfe\xfe" + answers + b"garbage")
            await until(lambda: here.counters.readings > 0)
            assert terminals(here.registry) == [("udp", "000000000123", "meter")]
            assert meters(here.registry)[0][:2] == ("dlt645", "000000000123")
            assert here.rows("SELECT DISTINCT source FROM readings") == [(int(Source.PUSHED),)]

    run(work)


def test_dlt698_reports_are_answered_once_they_are_kept_and_answered_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with running(tmp_path, enrol=True, **of(protocol="dlt698")) as here:
            sender = await meter(here)
            report = frames.report(7, [7], 3, 1234, 5)
            sender.send(report)
            first = await sender.answer()
            assert here.counters.pushes_kept == 1
            assert here.count() > 0
            sender.send(report)
            assert await sender.answer() == first
            assert here.counters.messages_again == 1
            assert here.counters.pushes == 1
            sender.send(frames.link_request(7))
            assert await sender.answer()
            assert here.counters.logins == 1

    run(work)


def test_who_is_unknown_is_not_answered(tmp_path: Path) -> None:
    add_device(tmp_path, "udp", "000000000007", meter=("dlt698", "000000000007"))

    async def work() -> None:
        async with running(tmp_path, **of(protocol="dlt698")) as here:
            sender = await meter(here)
            sender.send(frames.report(8, [8], 3, 1234, 5), frames.link_request(8))
            sender.send(frames.report(7, [7], 3, 1234, 5))
            await sender.answer()
            await until(lambda: here.counters.messages == 3)
            assert here.counters.messages_unknown_device == 2
            assert not sender.heard

    run(work)


def test_garbage_is_counted_and_answered_by_nothing(tmp_path: Path) -> None:
    chance = random.Random(4)
    add_device(tmp_path, "udp", "known")

    async def work() -> None:
        for told in ({"protocol": "dlt698"}, {"protocol": "mbus"}, {"profiles": ["json-meter", "json-water-meter"]}):
            async with running(tmp_path, **of(**told)) as here:
                sender = await meter(here)
                for number in range(300):
                    sender.send(chance.randbytes(chance.randrange(1, 200)))
                    if number % 50 == 0:
                        await asyncio.sleep(0.01)
                await until(lambda: here.counters.messages == 300)
                await until(lambda: here.counters.messages_not_understood == 300)
                assert not sender.heard

    run(work)


def test_a_flood_costs_its_sender_and_nobody_else(tmp_path: Path) -> None:
    add_device(tmp_path, "udp", "known")

    async def work() -> None:
        async with running(tmp_path, **of(profiles=["json-meter"], per_s=1.0)) as here:
            sender = await meter(here)
            for number in range(100):
                sender.send(reading(NOON + number, id="known"))
            await until(lambda: here.counters.messages == 100)
            assert here.counters.datagrams_over_rate >= 85
            await until(lambda: here.counters.readings == 2 * (100 - here.counters.datagrams_over_rate))

    run(work)


def test_who_may_not_send_is_not_read(tmp_path: Path) -> None:
    add_device(tmp_path, "udp", "known")

    async def work() -> None:
        async with running(tmp_path, **of(profiles=["json-meter"], allow=["10.0.0.0/8"])) as here:
            sender = await meter(here)
            sender.send(reading(NOON, id="known"))
            await until(lambda: here.counters.datagrams_not_allowed == 1)
            assert here.counters.pushes == 0

    run(work)
