"""Two counties with meters, readings and people, and the API over them on a real socket."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa

from meterweave.api.server import ApiServer
from meterweave.api.state import Api
from meterweave.centre.api_settings import ApiSettings
from meterweave.headend import HeadEnd
from meterweave.lake import EVENTS_SCHEMA, Lake
from meterweave.lake.days import day_span_us
from meterweave.manager.door import Door
from meterweave.manager.keys import add_key
from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import event_codes
from meterweave.metering.quantities import obis_code
from meterweave.registry import Directory, Registry, UsagePoint
from meterweave.registry.collection import CollectionPlan, ReadSuccess, Series
from meterweave.registry.command_orders import Order, give
from meterweave.registry.commands import CommandKind
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Utility
from tests.manager.people import PASSWORDS, network, settled
from tests.registry.records import add_meter, add_terminal

DAY = date(2026, 6, 1)
START_US = day_span_us(DAY, DAY, SHANGHAI)[0]
POWER, ENERGY = obis_code("1-0:16.7.0"), obis_code("1-0:1.8.0")
QUARTER_US = 900_000_000
PERMISSIONS = (
    "archives.read",
    "readings.read",
    "events.read",
    "commands.read",
    "commands.give",
    "commands.relay",
    "collection.read",
    "health.read",
)


@dataclass
class Town:
    """What there is, by names."""

    ids: dict[str, int]
    keys: dict[str, str] = field(default_factory=dict)


def build(registry: Registry, lake: Lake, folder: Path) -> Town:
    """Counties K1 and K2, each with a district, a terminal, two meters, a day of readings, and an event."""
    with registry.writing() as session:
        ids = network(session)
        for county, address in (("1", "320100001"), ("2", "320100002")):
            terminal = add_terminal(session, address)
            terminal.district_id = ids[f"D{county}"]
            session.flush()
            ids[f"T{county}"] = terminal.id
            point = UsagePoint(code=f"U{county}", name="=1+1", district_id=ids[f"D{county}"])
            session.add(point)
            session.flush()
            ids[f"U{county}"] = point.id
            for number in (1, 2):
                meter = add_meter(session, f"00000000{county}00{number}", terminal)
                ids[f"M{county}{number}"] = meter.id
            span = install(session, ids[f"M{county}1"], point.id, at=datetime(2026, 1, 1, tzinfo=UTC))
            ids[f"I{county}"] = span.id
            plan = CollectionPlan(
                name=f"plan {county}",
                utility=Utility.ELECTRICITY,
                district_id=ids[f"D{county}"],
                series=Series.CURVE,
                period_s=900,
                quantities="1-0:16.7.0",
                deadline_s=3600,
                memory_days=30,
                enabled=True,
            )
            session.add(plan)
            session.flush()
            ids[f"P{county}"] = plan.id
            session.add(
                ReadSuccess(terminal_id=terminal.id, plan_id=plan.id, day=DAY, expected=192, first_try=100, stored=190)
            )
    for county in "12":
        order = Order(
            "root", f"first {county}", CommandKind.READ, datetime.now(UTC) + timedelta(days=1), meter=ids[f"M{county}1"]
        )
        ids[f"C{county}"] = give(registry, order, now=datetime.now(UTC)).command.id
    lake.append_blocking(_readings([ids[name] for name in ("M11", "M12", "M21", "M22")]), events=_events(ids))
    found = Town(ids)
    door = Door(registry, folder, PASSWORDS)
    every = settled(door, "root", "administrator", everywhere=True)
    one = settled(door, "k1", "operator", organisations=("K1",))
    found.keys["root"] = add_key(registry, every, "all", PERMISSIONS, days=1).text
    # Operators have no keys of their own; the integrator of a county has.
    county = settled(door, "api1", "integrator", "operator", organisations=("K1",))
    found.keys["county"] = add_key(registry, county, "county", PERMISSIONS, days=1).text
    found.keys["nothing"] = add_key(registry, county, "nothing", ("keys.own",), days=1).text
    assert one.scope == county.scope
    return found


def _readings(meters: list[int]) -> pa.RecordBatch:
    rows = [
        (meter, quantity, START_US + number * QUARTER_US, meter * 1000 + number)
        for meter in meters
        for quantity in (POWER, ENERGY)
        for number in range(96)
    ]
    meter, quantity, ts, value = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    columns = [
        meter,
        quantity,
        np.full(len(rows), Profile.CURVE),
        ts,
        value,
        np.zeros(len(rows), np.int64),
        np.full(len(rows), Source.PUSHED),
        ts + 1,
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(one).cast(kind.type) for one, kind in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def _events(ids: dict[str, int]) -> pa.RecordBatch:
    rows = [
        {
            "terminal": ids[f"T{county}"],
            "meter": ids[f"M{county}1"],
            "event": event_codes()["power_outage"],
            "ts": datetime.fromtimestamp(START_US / 1e6 + 60 * number, UTC),
            "ended": None,
            "number": number,
            "detail": "<b>county " + county,
            "source": int(Source.PUSHED),
            "received": datetime.fromtimestamp(START_US / 1e6 + 3600, UTC),
        }
        for county in "12"
        for number in range(3)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=EVENTS_SCHEMA)


@contextmanager
def served(registry: Registry, lake: Lake, folder: Path, **settings: Any) -> Iterator[ApiServer]:
    """The API over these, on a port of its own, beside a head-end that nobody calls."""
    told = ApiSettings(port=0, **settings)
    head_end = HeadEnd(registry, Directory(registry), lake)

    def make() -> Api:
        return Api(registry, lake, folder, told, collecting=head_end, door=Door(registry, folder, PASSWORDS))

    server = ApiServer(make, host=told.host, port=told.port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def client(server: ApiServer, key: str | None = None, **headers: str) -> httpx.Client:
    """Somebody who asks."""
    known = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(
        base_url=f"http://{server.host}:{server.port}",
        headers=known | headers,
        timeout=60,
        verify=_NO_TLS,
        trust_env=False,
    )


_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once: to read all authorities takes longer than a test
