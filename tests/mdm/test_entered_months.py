"""Months of a usage point that people entered: sheets in any order, exchanges, a register that rolls over."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.lake import Lake, LakeSettings
from meterweave.mdm import Flag, consumption_of, local_days
from meterweave.mdm.desk import Desk
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import quantities
from meterweave.registry import Registry
from meterweave.registry.changes import ArchiveSession
from meterweave.registry.entered import Act, Done, Kept, Terms, exchange
from meterweave.registry.installation import install
from meterweave.registry.vocabulary import Utility
from tests.registry.records import add_meter, add_usage_point

WATER = quantities()["8-0:1.0.0"]
STEP, TURN = 10**5, 10**9  # a register of 4 + 1 digits, in stored steps of 10^-6 m³
FIRST, DAYS = date(2025, 3, 1), 60  # with the beginning of summer time in Berlin
NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Life:
    """What a house used, and where the registers of its meters stood."""

    def __init__(self, rng: np.random.Generator, exchanges: int, zone: ZoneInfo) -> None:
        self.zone = zone
        self.used = rng.integers(0, 100, DAYS) * STEP
        self.midnights = local_days(FIRST, FIRST + timedelta(days=DAYS - 1), zone)
        changed = sorted(rng.choice(np.arange(5, DAYS - 5), exchanges, replace=False).tolist())
        self.changes: list[tuple[int, int, int, int]] = []  # (instant, meter, out, in)
        self.readings: list[tuple[int, int, int]] = []  # (meter, instant, value) of every midnight
        # The first register is near its end, so that it rolls over within weeks.
        meter, stand = 0, TURN - int(rng.integers(1, 1000)) * STEP
        for number in range(DAYS + 1):
            at, part = int(self.midnights[number]), 0
            if number in changed:
                part = int(rng.integers(0, self.used[number] // STEP + 1)) * STEP if rng.random() < 0.5 else 0
                when = at + (11 * 3_600_000_000 if part else 0)
                if part:
                    self.readings.append((meter, at, stand))
                out, stand = (stand + part) % TURN, int(rng.integers(0, TURN // STEP)) * STEP
                self.changes.append((when, meter, out, stand))
                meter += 1
            if not (number in changed and part):
                self.readings.append((meter, at, stand))
            stand = (stand + int(self.used[number % DAYS]) - part) % TURN


def sheet(rows: Sequence[tuple[int, int, int]], zone: ZoneInfo) -> bytes:
    lines = ["meter,value,time,reader"]
    for meter, at, value in rows:
        when = datetime.fromtimestamp(at / 10**6, zone)
        lines.append(f"m-{meter},{to_text(value, -6)},{when:%Y-%m-%d %H:%M},Wang")
    return "\n".join(lines).encode()


def bring(desk: Desk, rows: Sequence[tuple[int, int, int]], zone: ZoneInfo) -> None:
    report = desk.import_octets(sheet(rows, zone), "sheet.csv", Terms("clerk", NOW, zone))
    assert report.ok, list(report.lines("en"))[:5]


def change(desk: Desk, ids: Sequence[int], changes: Sequence[tuple[int, int, int, int]]) -> None:
    for at, meter, out, into in changes:
        act = Act(datetime.fromtimestamp(at / 10**6, UTC), "clerk", NOW)

        def write(
            session: ArchiveSession, lake: Lake, act: Act = act, meter: int = meter, out: int = out, into: int = into
        ) -> tuple[Done, Sequence[Kept]]:
            old, new = ids[meter], ids[meter + 1]
            done = exchange(session, old, new, act, out={WATER.code: out}, into={WATER.code: into})
            return done, done.kept

        desk.enter(write)


def archives(path: Path, life: Life) -> tuple[Registry, list[int], int]:
    registry = Registry.open(path / "registry.sqlite")
    with registry.writing() as session:
        meters = []
        for number in range(len(life.changes) + 1):
            meter = add_meter(session, f"m-{number}", protocol="manual", utility=Utility.WATER)
            meter.register_digits, meter.register_decimals = 4, 1
            meters.append(meter.id)
        point = add_usage_point(session, "P1").id
        install(session, meters[0], point, datetime.fromtimestamp(int(life.midnights[0]) / 10**6, UTC))
    return registry, meters, point


@settings(max_examples=3, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    exchanges=st.integers(0, 3),
    zone=st.sampled_from([ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")]),
)
def test_days_add_up_whatever_is_entered_when(seed: int, exchanges: int, zone: ZoneInfo) -> None:
    rng = np.random.default_rng(seed)
    life = Life(rng, exchanges, zone)
    with tempfile.TemporaryDirectory() as folder:
        registry, meters, point = archives(Path(folder), life)
        desk = Desk(registry, Path(folder) / "lake", LakeSettings(zone=zone))
        # The ends and what stands beside an exchange come in time; of the rest a part is late, in any order.
        firm = {0, DAYS} | {number for number, at in enumerate(life.midnights.tolist()) if _near(life, at)}
        loose = np.array([number for number in range(DAYS + 1) if number not in firm])
        rng.shuffle(loose)
        late, early = loose[: len(loose) // 5], [*loose[len(loose) // 5 :].tolist(), *firm]
        by_day = {life.midnights.tolist().index(at): (meter, at, value) for meter, at, value in life.readings}
        bring(desk, [by_day[number] for number in sorted(early)], zone)
        change(desk, meters, life.changes)

        def ask(boundaries: np.ndarray) -> tuple[list[int | None], list[int]]:
            with Lake.open(desk.folder, desk.settings, write=False) as lake:
                found = consumption_of(lake, registry, WATER, boundaries, usage_points=[point])
            return found.column("value").to_pylist(), found.column("flags").to_pylist()

        whole, _ = ask(life.midnights[[0, -1]])
        assert whole == [int(life.used.sum())]
        days, flags = ask(life.midnights)
        unread = set(late.tolist())
        for number, (value, flag) in enumerate(zip(days, flags, strict=True)):
            if {number, number + 1} & unread:
                assert value in (None, 0)  # nought where the register stood still across it
                assert value == 0 or Flag.GAP in Flag(flag)
            else:
                assert value == life.used[number], (number, Flag(flag))
        bring(desk, [by_day[number] for number in late.tolist()], zone)
        days, flags = ask(life.midnights)
        assert days == life.used.tolist()
        assert sum(Flag.EXCHANGE in Flag(flag) for flag in flags) == len(life.changes)
        registry.close()


def _near(life: Life, at: int) -> bool:
    return any(abs(at - when) <= 2 * 86_400_000_000 for when, *_ in life.changes)
