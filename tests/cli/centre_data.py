"""The data of a small centre: real archives and a real lake, with what real frames carried."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from meterweave.cli.folder import Folder
from meterweave.headend import DRIVERS
from meterweave.headend.collection.moments import instant_us
from meterweave.lake import EVENTS_SCHEMA, FRAMES_SCHEMA, Lake
from meterweave.metering.batch import ReadingBatch, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import event_codes
from meterweave.protocols.dlt698.services import encode_apdu
from meterweave.registry import Directory, Registry, Terminal, TransformerDistrict
from meterweave.registry.installation import install, remove
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalState, Utility
from tests.headend import frames
from tests.lake.rows import DAY_US, NOON_US, curve
from tests.registry.records import add_meter, add_usage_point

DAY = datetime(2026, 11, 20, tzinfo=SHANGHAI)
"""The day of which the centre has readings."""
SLOTS = 93
"""Quarter hours of its voltage that came, of 96."""
RECEIVED = datetime(2026, 11, 20, 17, 0, 0, 250_000, tzinfo=UTC)
VOLTAGES_RECEIVED = datetime.fromtimestamp((NOON_US + DAY_US) // 10**6, UTC)
REPORT = frames.report(100, [55, 57], 1, 1234)
"""Daily freezes of two meters at the end of `DAY`: 12.34 kWh."""
LATER = RECEIVED + timedelta(hours=1)
LINK = frames.link(100)
JOINED = bytes((0, LINK.af, *LINK.sa)) + encode_apdu(frames.day_record([57], 2, 5678))
"""The freeze of the day after, as the head-end keeps what came in more fragments than a frame has room for."""


def make(path: Path) -> None:
    """Fill a folder; the freezes are in the journal only, as the newest readings of a running centre are."""
    with Folder(path).registry() as registry:
        meters = _archives(registry)
        with Lake.open(path / "lake", maintain=False) as lake:
            start = round(DAY.timestamp() * 1e6)
            mine = range(meters["55"], meters["55"] + 1)
            lake.append_blocking(curve(mine, first_us=start, points=SLOTS, value=22_000))
            theirs = range(meters["57"], meters["57"] + 1)
            lake.append_blocking(curve(theirs, first_us=start, points=1, received_us=start))
            lake.commit()
        with Lake.open(path / "lake", maintain=False) as lake:
            lake.append_blocking(_reports(registry), events=_events(meters["55"]), frames=_frames())


def _archives(registry: Registry) -> dict[str, int]:
    """Three terminals, four meters; the ids of the meters by the ends of their addresses."""
    now = datetime.now(UTC)
    with registry.writing() as session:
        district = TransformerDistrict(code="D1", name="Mill Lane")
        session.add(district)
        session.flush()
        active, planned, silent = (
            enrol(session, "dlt698", "100", name="pump house", district_id=district.id),
            enrol(session, "gdw1376-1", "33010007"),
            enrol(session, "dlt698", "200"),
        )
        _heard(active, TerminalState.ACTIVE, now - timedelta(hours=5.5))
        _heard(silent, TerminalState.SUSPENDED, now - timedelta(days=3.5))
        meters = {
            "55": add_meter(session, "55", active),
            "56": add_meter(session, "56", active, protocol="cjt188", utility=Utility.WATER),
            "57": add_meter(session, "57", active),
            "1": add_meter(session, "1", planned, point_number=1),
        }
        meters["55"].asset_number, meters["55"].ct_primary, meters["55"].ct_secondary = "A-55", 600, 5
        meters["56"].asset_number = meters["57"].asset_number = "TWICE"
        point = add_usage_point(session, "UP-1")
        install(session, meters["57"].id, point.id, datetime(2026, 1, 1, tzinfo=UTC))
        remove(session, meters["57"].id, datetime(2026, 6, 1, tzinfo=UTC))
        install(session, meters["55"].id, point.id, datetime(2026, 6, 1, tzinfo=UTC))
        return {name: meter.id for name, meter in meters.items()}


def _events(meter: int) -> pa.RecordBatch:
    """A cover that was opened and closed, and an outage that the terminal reported of itself."""
    codes = event_codes()
    rows = [
        (1, meter, codes["cover_opened"], DAY + timedelta(hours=9), DAY + timedelta(hours=10), 7, '{"a":1}'),
        (1, None, codes["power_outage"], DAY + timedelta(hours=11), None, None, None),
    ]
    columns = zip(*((*row, int(Source.PUSHED), RECEIVED) for row in rows), strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(one, field.type) for one, field in zip(columns, EVENTS_SCHEMA, strict=True)], schema=EVENTS_SCHEMA
    )


def _frames() -> pa.RecordBatch:
    """What came in with `REPORT`, the answer to it, and what came together with the voltages and does not hold them."""
    heartbeat = frames.link_request(100, frames.HEARTBEAT)
    rows = [
        (1, RECEIVED, 0, "dlt698", heartbeat),
        (1, RECEIVED, 0, "dlt698", REPORT),
        (1, RECEIVED, 1, "dlt698", b"\0"),
    ]
    rows += [(1, LATER, 0, "dlt698", JOINED), (1, VOLTAGES_RECEIVED, 0, "dlt698", heartbeat)]
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(one, field.type) for one, field in zip(columns, FRAMES_SCHEMA, strict=True)], schema=FRAMES_SCHEMA
    )


def _heard(terminal: Terminal, state: TerminalState, when: datetime) -> None:
    terminal.state, terminal.last_seen_at = state, when
    terminal.first_seen_at = when - timedelta(days=100)


def _reports(registry: Registry) -> pa.RecordBatch:
    """What `REPORT` and `JOINED` carry, as the head-end keeps it."""
    snapshot = Directory(registry).snapshot
    terminal = snapshot.terminal("dlt698", 0x100)
    assert terminal is not None
    parts = []
    for octets, received in ((REPORT, RECEIVED), (JOINED, LATER)):
        batch = DRIVERS["dlt698"].readings([octets], received=instant_us(received), zone=SHANGHAI)
        meters = snapshot.meters(terminal.id, batch.meter)
        assert np.all(meters > 0)
        parts.append(replace(batch, meter=meters))
    return ReadingBatch.concat(parts).to_arrow()
