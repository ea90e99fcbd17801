"""A whole centre that hears devices without sessions, and what they say."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from meterweave.centre import Centre, CentreSettings
from meterweave.lake import Lake, LakeSettings
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.address import read_address
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind, Utility
from tests.mosquitto import WAIT_S, Mosquitto

NOON = 1_767_225_600
"""A time that messages tell. [s since 1970, UTC]"""
UNTIMED = """\
name: untimed
title: {en: "Sensor without a clock", zh: "无时钟传感器"}
utility: electricity
protocol: json
messages:
  topic: plain/{address}
  address: id
readings:
  - {quantity: active_power, path: w, unit: W}
"""

SITED = """\
name: sited
title: {en: "Sensor at one of many sites", zh: "多站点传感器"}
utility: electricity
protocol: json
messages:
  topic: site/+/{address}/up
  time: {path: t, format: unix}
readings:
  - {quantity: active_power, path: w, unit: W}
"""


@dataclass
class Running:
    """A centre that runs, and its parts."""

    centre: Centre
    lake: Lake
    registry: Registry

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.lake.query(sql).to_pylist()]

    def count(self, table: str = "readings") -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    @property
    def counters(self) -> Any:
        return self.centre.head_end.counters


@asynccontextmanager
async def running(folder: Path, *, lake_settings: LakeSettings | None = None, **told: Any) -> AsyncIterator[Running]:
    """A centre with these settings, and no ports but those they name."""
    (folder / "profiles").mkdir(exist_ok=True, parents=True)
    for name, text in (("untimed", UNTIMED), ("sited", SITED)):
        (folder / "profiles" / f"{name}.yaml").write_text(text, encoding="utf-8")
    registry = Registry.open(folder / "registry.sqlite")
    settings = CentreSettings(listeners=(), **told)
    with Lake.open(folder / "lake", lake_settings or settings.of_lake, maintain=False) as lake:
        async with Centre(registry, lake, settings) as centre:
            yield Running(centre, lake, registry)
    registry.close()


def add_device(folder: Path, protocol: str, name: str, *, meter: tuple[str, str] | None = None) -> None:
    """A device in the archives, and its meter (protocol, address), before the centre starts."""
    folder.mkdir(exist_ok=True, parents=True)
    registry = Registry.open(folder / "registry.sqlite")
    with registry.writing() as session:
        terminal = enrol(session, protocol, name, kind=TerminalKind.METER)
        of, address = meter or ("json", name)
        known = read_address(of, address)
        session.add(
            Meter(
                utility=Utility.ELECTRICITY,
                protocol=of,
                address=known.text,
                address_key=known.key,
                terminal_id=terminal.id,
            )
        )
    registry.close()


def terminals(registry: Registry) -> list[tuple[str, str, str]]:
    with registry.reading() as session:
        return sorted((one.protocol, one.address, str(one.kind)) for one in session.query(Terminal))


def terminal_id(registry: Registry, address: str) -> int:
    with registry.reading() as session:
        return next(one.id for one in session.query(Terminal) if one.address == address)


def meters(registry: Registry) -> list[tuple[str, str, str, str]]:
    with registry.reading() as session:
        return sorted((one.protocol, one.address, str(one.utility), one.model) for one in session.query(Meter))


def reading(second: int, *, energy: str = "4821.37", **more: object) -> bytes:
    """What a device of profile json-meter sends; two readings."""
    return json.dumps({"time": second, "energy": {"import": energy}, "voltage": 228.5, **more}).encode()


def publish_many(port: int, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> None:
    """As `publish`, quickly; blocks until the broker has them all."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(2000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(topic, payload, qos=1, retain=retain) for topic, payload in messages]
    for one in sent:
        one.wait_for_publish(WAIT_S)
        assert one.is_published()
    client.disconnect()
    client.loop_stop()


async def publish(broker: Mosquitto, messages: Iterable[tuple[str, bytes]], *, retain: bool = False) -> None:
    """Have the broker take messages of QoS 1."""
    async with aiomqtt.Client("127.0.0.1", broker.port, max_inflight_messages=1000) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1, retain=retain)
