"""Kill -9 of centre and broker under load: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

from meterweave.lake import Lake
from tests.conftest import need_mosquitto
from tests.headend.messages.messages import NOON, add_device, publish_many, reading
from tests.mosquitto import WAIT_S, Mosquitto
from tests.system.test_kill import Process

DEVICES = 20
MESSAGES = 3000


def settings(folder: Path, broker: Mosquitto) -> Path:
    path = folder / "centre.toml"
    path.write_text(f'[[mqtt]]\nurl = "{broker.url}"\nprofiles = ["json-meter"]\n', encoding="utf-8")
    return path


def messages() -> list[tuple[str, bytes]]:
    return [
        (f"meters/d{number % DEVICES}/up", reading(NOON + number, energy=str(number))) for number in range(MESSAGES)
    ]


def kept(data: Path) -> list[tuple[int, ...]]:
    """Readings, different moments, and rows beyond one for each moment and quantity."""
    with Lake.open(data / "lake", write=False) as lake:
        sql = "SELECT count(*) AS n, count(DISTINCT ts) AS moments FROM readings"
        return [tuple(row.values()) for row in lake.query(sql).to_pylist()]


def wait_for(data: Path, moments: int) -> None:
    until = time.monotonic() + 2 * WAIT_S
    while kept(data)[0][1] < moments:
        assert time.monotonic() < until, kept(data)
        time.sleep(0.2)


def subscribed(data: Path, config: Path) -> Process:
    return Process(data, "--config", str(config))


def test_kill_9_of_the_centre_loses_and_doubles_nothing(tmp_path: Path) -> None:
    need_mosquitto()
    chance = random.Random(7)
    data, broker = tmp_path / "data", Mosquitto(tmp_path / "broker")
    for number in range(DEVICES):
        add_device(data, "mqtt", f"d{number}")
    broker.start()
    try:
        config = settings(tmp_path, broker)
        centre = subscribed(data, config)
        wait_for_subscription(data, broker)
        load = threading.Thread(target=publish_many, args=(broker.port, messages()))
        load.start()
        for _ in range(3):
            time.sleep(chance.uniform(0.3, 1.0))
            centre.kill()
            centre = subscribed(data, config)
        load.join(WAIT_S)
        assert not load.is_alive()
        wait_for(data, MESSAGES + 1)
        centre.stop()
        assert kept(data) == [(2 * (MESSAGES + 1), MESSAGES + 1)]
    finally:
        broker.stop()


def wait_for_subscription(data: Path, broker: Mosquitto) -> None:
    """The broker keeps what comes once the centre has subscribed, and not before: report until the first is kept."""
    until = time.monotonic() + WAIT_S
    while not (data / "lake").exists() or kept(data)[0][0] == 0:
        assert time.monotonic() < until
        publish_many(broker.port, [("meters/d0/up", reading(NOON - 60))])
        time.sleep(0.2)


def test_a_broker_that_is_killed_or_comes_late_costs_nothing_that_it_took(tmp_path: Path) -> None:
    need_mosquitto()
    data, broker = tmp_path / "data", Mosquitto(tmp_path / "broker")
    for number in range(DEVICES):
        add_device(data, "mqtt", f"d{number}")
    config = settings(tmp_path, broker)
    centre = subscribed(data, config)  # while there is no broker yet
    time.sleep(0.5)
    broker.start()
    try:
        wait_for_subscription(data, broker)
        sent = messages()
        for part in range(3):
            publish_many(broker.port, sent[part * 1000 : part * 1000 + 1000])
            broker.stop()
            broker.start()
        wait_for(data, MESSAGES + 1)
        broker.kill()
        broker.start()
        publish_many(broker.port, [("meters/d1/up", reading(NOON + MESSAGES))])
        wait_for(data, MESSAGES + 2)
        centre.stop()
        assert kept(data) == [(2 * (MESSAGES + 2), MESSAGES + 2)]
    finally:
        broker.stop()
