"""Meters that report through a real Mosquitto."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import aiomqtt
import pytest

from meterweave.headend.messages.condition import LOST
from meterweave.lake import LakeSettings
from meterweave.metering.events import ENDED, event_codes
from meterweave.registry import Registry, Terminal
from tests.conftest import need_mosquitto
from tests.headend.centre import run, until
from tests.headend.messages.messages import (
    NOON,
    Running,
    add_device,
    meters,
    publish,
    publish_many,
    reading,
    running,
    terminal_id,
    terminals,
)
from tests.headend.test_networks import _certificate
from tests.mosquitto import Mosquitto


def of(broker: Mosquitto, *profiles: str) -> dict[str, object]:
    return {"mqtt": [{"url": broker.url, "profiles": profiles or ("json-meter",)}]}


async def connected(here: Running) -> None:
    await until(lambda: all(one.connected for one in here.centre.direct.subscribers))


def test_a_message_is_kept_and_its_device_enrolled(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async def work() -> None:
        async with running(tmp_path, enrol=True, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/EM-0017/up", reading(NOON))])
            await until(lambda: here.counters.readings == 2)
            assert here.rows("SELECT quantity, epoch(ts), value FROM readings ORDER BY ALL")[0][1] == NOON
            assert here.counters.pushes_kept == 1
            assert terminals(here.registry) == [("mqtt", "em-0017", "meter")]
            assert meters(here.registry) == [("json", "em-0017", "electricity", "json-meter")]

    run(work)


def test_who_is_unknown_is_noted_and_the_others_go_on(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            strangers = [(f"meters/stranger-{number}/up", reading(NOON)) for number in range(30)]
            await publish(mosquitto, [*strangers, ("meters/known/up", reading(NOON))])
            await until(lambda: here.counters.readings == 2)
            assert here.counters.messages_unknown_device == 30
            assert len(here.centre.head_end.unknown_terminals) == 30
        # All were acknowledged: none comes again.
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/known/up", reading(NOON + 60))])
            await until(lambda: here.counters.readings == 2)
            assert here.counters.messages == 1

    run(work)


BAD = (
    b"",
    b"\xff\xfe",
    b"{",
    b"[]",
    b"null",
    b'{"time": 1, "time": 2}',
    b'{"energy": {"import": NaN}}',
    b"[" * 60_000,
    b'{"energy": {"import": "a lot"}}',
    b'{"energy": {"import": 1e999}}',
    b"x" * 100_000,
)


def test_bad_payloads_are_counted_and_do_not_block(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            bad = [("meters/known/up", one) for one in BAD] + [("meters/no name/up", reading(NOON))]
            await publish(mosquitto, [*bad, ("meters/known/up", reading(NOON))])
            await until(lambda: here.counters.readings == 2)
            assert here.counters.messages == len(bad) + 1
            assert here.counters.messages_not_understood == len(bad)

    run(work)


def test_births_and_wills_tell_who_is_there(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            ident = terminal_id(here.registry, "known")
            online = here.centre.direct.house.conditions.online
            will = aiomqtt.Will("meters/known/state", b"offline", qos=1, retain=True)
            device = aiomqtt.Client("127.0.0.1", mosquitto.port, will=will, identifier="known")
            with suppress(aiomqtt.MqttError):  # how the device learns of its end
                async with device:
                    await device.publish("meters/known/state", b"online", qos=1, retain=True)
                    await until(lambda: online(ident) is True)
                    device._client.socket().shutdown(2)  # the line is cut: the broker publishes the will
                    await until(lambda: online(ident) is False)
                    await until(lambda: here.counters.events == 1)
            await publish(mosquitto, [("meters/known/state", b"online")], retain=True)
            await until(lambda: here.counters.events == 2)
            assert online(ident) is True
            found = here.rows("SELECT event FROM events ORDER BY ts")
            assert found == [(LOST,), (LOST + ENDED,)]

    run(work)


def test_a_restart_tells_no_event_again(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")
    alarm = {"alarms": {"cover": True}}

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/known/state", b"offline")], retain=True)
            await publish(mosquitto, [("meters/known/up", reading(NOON, **alarm))])
            await until(lambda: here.counters.events == 2)
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/known/up", reading(NOON + 60, **alarm))])
            await until(lambda: here.counters.readings == 2)
            await publish(mosquitto, [("meters/known/up", reading(NOON + 90, alarms={"cover": False}))])
            await until(lambda: here.counters.readings == 4)
            codes = event_codes()
            opened = codes["cover_opened"]
            assert sorted(here.rows("SELECT event FROM events")) == sorted([(LOST,), (opened,), (opened + ENDED,)])

    run(work)


def test_who_only_left_something_behind_was_not_heard(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """What the broker retains, and a will, are words of the broker."""
    names = ("gone", "silent", "alive")
    for name in names:
        add_device(tmp_path, "mqtt", name)

    async def work() -> None:
        await publish(mosquitto, [("meters/silent/up", reading(NOON)), ("meters/silent/state", b"online")], retain=True)
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/gone/state", b"offline"), ("meters/alive/up", reading(NOON))])
            await until(lambda: here.counters.readings == 4 and here.counters.events == 1)
        registry = Registry.open(tmp_path / "registry.sqlite")  # in which the centre noted them at its end
        with registry.reading() as session:
            assert {one.address for one in session.query(Terminal) if one.last_seen_at is not None} == {"alive"}
        registry.close()

    run(work)


def test_ten_thousand_retained_messages_come_once(tmp_path: Path, mosquitto: Mosquitto) -> None:
    async def work() -> None:
        messages = [
            (f"site/{number // 100}/m{number % 100}/up", b'{"w": 5, "t": %d}' % (NOON + number))
            for number in range(10_000)
        ]
        await asyncio.to_thread(publish_many, mosquitto.port, messages, retain=True)
        async with running(tmp_path, enrol=True, **of(mosquitto, "sited")) as here:
            await until(lambda: here.counters.readings == 10_000)
            assert here.rows("SELECT count(*), count(DISTINCT meter) FROM readings") == [(10_000, 100)]
        async with running(tmp_path, **of(mosquitto, "sited")) as here:
            await connected(here)
            await publish(mosquitto, [("site/5/m5/up", b'{"w": 5, "t": %d}' % (NOON - 60))])
            await until(lambda: here.counters.readings == 1)
            assert here.counters.messages == 1

    run(work)


def test_what_is_retained_without_a_time_is_marked(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        await publish(mosquitto, [("plain/known", b'{"w": 5}')], retain=True)
        async with running(tmp_path, **of(mosquitto, "untimed")) as here:
            await connected(here)
            await until(lambda: here.counters.readings == 1)
            await publish(mosquitto, [("plain/known", b'{"w": 6}')])
            await until(lambda: here.counters.readings == 2)
            assert here.rows("SELECT value, quality FROM readings ORDER BY ts") == [(50, 4), (60, 0)]

    run(work)


def test_frames_in_payloads_are_read_as_frames(tmp_path: Path, mosquitto: Mosquitto) -> None:
    from meterweave.profiles import Device, shipped

    device = Device(shipped("mqtt-dlt645"), "000000000123")
    message = device.message(NOON)

    async def work() -> None:
        async with running(tmp_path, enrol=True, **of(mosquitto, "mqtt-dlt645")) as here:
            await connected(here)
            assert message.topic is not None
            await publish(mosquitto, [(message.topic, message.payload)])
            await until(lambda: here.counters.readings == 6)
            assert meters(here.registry) == [("dlt645", "000000000123", "electricity", "mqtt-dlt645")]

    run(work)


def test_a_wrong_password_is_said_once_and_nothing_else_suffers(tmp_path: Path, mosquitto: Mosquitto) -> None:
    guarded = Mosquitto(tmp_path / "guarded", listener=f"allow_anonymous false\npassword_file {tmp_path}/passwords\n")
    (tmp_path / "passwords").write_text("")
    add_device(tmp_path, "mqtt", "known")
    guarded.start()

    async def work() -> None:
        wrong = {"url": guarded.url, "profiles": ("json-meter",), "username": "centre", "password": "wrong"}
        right = {"url": mosquitto.url, "profiles": ("json-meter",)}
        async with running(tmp_path, mqtt=[wrong, right]) as here:
            first, second = here.centre.direct.subscribers
            await until(lambda: first.problem and second.connected)
            await publish(mosquitto, [("meters/known/up", reading(NOON))])
            await until(lambda: here.counters.readings == 2)
            assert "not authori" in first.problem.lower()
            assert "wrong" not in repr(first.broker)

    run(work)
    guarded.stop()


def test_a_message_twice_is_one_reading(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/known/up", reading(NOON))] * 3)
            await until(lambda: here.counters.readings == 6)
            assert here.count() == 2

    run(work)


def test_an_old_broker_is_spoken_to_in_3_1_1(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        told = {"url": mosquitto.url, "profiles": ("json-meter",), "version": "3.1.1"}
        async with running(tmp_path, mqtt=[told]) as here:
            await connected(here)
            await publish(mosquitto, [("meters/known/up", reading(NOON + number)) for number in range(100)])
            await until(lambda: here.counters.readings == 200)

    run(work)


def test_what_comes_while_the_centre_is_away_comes_afterwards(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
        await publish(mosquitto, [("meters/known/up", reading(NOON + number)) for number in range(2000)])
        async with running(tmp_path, **of(mosquitto)) as here:
            await until(lambda: here.counters.readings == 4000)
            assert here.count() == 4000

    run(work)


def test_json_of_any_shape_never_stops_the_centre(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Shapes that no reader expects, in one message each."""
    add_device(tmp_path, "mqtt", "known")
    odd: list[object] = [1, "x", True, {"energy": []}, {"energy": {"import": {}}}, {"time": "yesterday"}, [[[]]]]

    async def work() -> None:
        async with running(tmp_path, **of(mosquitto)) as here:
            await connected(here)
            await publish(mosquitto, [("meters/known/up", json.dumps(one).encode()) for one in odd])
            await publish(mosquitto, [("meters/known/up", reading(NOON))])
            await until(lambda: here.counters.readings == 2)
            assert here.counters.messages_not_understood == len(odd)

    run(work)


def test_what_the_journal_refuses_comes_again(tmp_path: Path, mosquitto: Mosquitto) -> None:
    add_device(tmp_path, "mqtt", "known")
    small = LakeSettings(commit_interval_s=3600, journal_octets_max=60_000)

    async def work() -> None:
        async with running(tmp_path, lake_settings=small, **of(mosquitto)) as here:
            await connected(here)
            (subscriber,) = here.centre.direct.subscribers
            sent = [("meters/known/up", reading(NOON + number)) for number in range(3000)]
            await asyncio.to_thread(publish_many, mosquitto.port, sent)
            await until(lambda: "cannot be kept" in subscriber.problem)
            while here.counters.readings < 6000 or here.count() < 6000:
                await asyncio.to_thread(here.lake.commit)  # makes room
                await asyncio.sleep(0.05)
            assert here.counters.pushes_not_kept > 0
            assert here.count() == 6000
            await until(lambda: subscriber.connected and not subscriber.problem)

    run(work)


class Cut:
    """A way to a broker on which, once `deaf`, nothing from the centre arrives any more; the other way goes on."""

    def __init__(self, port: int) -> None:
        self.deaf = False
        self.port = self.connections = 0
        self._to = port
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, to = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, to]

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, cut: bool) -> None:
            while octets := await source.read(65536):
                if not (cut and self.deaf):
                    target.write(octets)
            target.close()

        with suppress(OSError):
            await asyncio.gather(copy(reader, to, cut=True), copy(there, writer, cut=False))

    def hang_up(self) -> None:
        for one in self._writers:
            one.close()
        self._writers.clear()
        self.deaf = False


def test_nothing_is_asked_for_again_while_it_is_being_kept(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """However long that takes: the archives are locked for longer than an orderly end waits."""

    async def work() -> None:
        way = Cut(mosquitto.port)
        await way.open()
        told = {"mqtt": [{"url": f"mqtt://127.0.0.1:{way.port}", "profiles": ("untimed",)}]}
        async with running(tmp_path, enrol=True, head_end={"stop_within_s": 0.05}, **told) as here:
            await connected(here)
            assert way.connections == 1
            with closing(sqlite3.connect(tmp_path / "registry.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                await publish(mosquitto, [("plain/new", b'{"w": 5}')])
                await until(lambda: here.counters.messages == 1)
                way.hang_up()
                await asyncio.sleep(2.5)  # more than `again_s`
                assert way.connections == 1
                other.execute("ROLLBACK")
            await until(lambda: way.connections == 2 and here.counters.messages_again == 1)
            assert here.count() == 1

    run(work)


@pytest.mark.parametrize("restart", [True, False])
def test_a_message_without_a_time_that_is_delivered_again_is_kept_once(
    tmp_path: Path, mosquitto: Mosquitto, restart: bool
) -> None:
    """What was kept and never acknowledged is known again: by memory, and after a restart by the archived frames."""
    add_device(tmp_path, "mqtt", "known")

    async def work() -> None:
        way = Cut(mosquitto.port)
        await way.open()
        told = {"mqtt": [{"url": f"mqtt://127.0.0.1:{way.port}", "profiles": ("untimed",)}]}
        async with running(tmp_path, **told) as here:
            await connected(here)
            way.deaf = True
            await publish(mosquitto, [("plain/known", b'{"w": 5}'), ("plain/known", b'{"w": 6}')])
            await until(lambda: here.counters.readings == 2)
            if not restart:
                way.hang_up()
                await until(lambda: here.counters.messages_again == 2)
        way.hang_up()
        async with running(tmp_path, **told) as here:
            await connected(here)
            await publish(mosquitto, [("plain/known", b'{"w": 7}')])
            await until(lambda: here.counters.readings == 1)
            assert here.counters.messages_again == (2 if restart else 0)
            assert here.rows("SELECT value FROM readings ORDER BY ts") == [(50,), (60,), (70,)]

    run(work)


def test_an_encrypted_broker_is_believed_by_its_authority_alone(tmp_path: Path) -> None:
    need_mosquitto()
    add_device(tmp_path, "mqtt", "known")
    certificate, key = _certificate(tmp_path, "broker")
    broker = Mosquitto(tmp_path / "tls", listener=f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n")
    broker.start()
    url = broker.url.replace("mqtt://", "mqtts://")

    async def work() -> None:
        told = {"url": url, "profiles": ("json-meter",)}
        async with running(tmp_path, mqtt=[told, told | {"ca": certificate, "client_id": "two"}]) as here:
            doubting, believing = here.centre.direct.subscribers
            await until(lambda: believing.connected and doubting.problem)
            assert "certificate" in doubting.problem
            assert not doubting.connected

    run(work)
    broker.stop()
