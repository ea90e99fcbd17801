from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.clock import SHANGHAI
from meterweave.profiles.clock import Clock, pattern_works
from meterweave.profiles.document import Real
from meterweave.profiles.path import read_path

PATH = read_path("t")
NOON = int(datetime(2026, 6, 1, 12, tzinfo=UTC).timestamp()) * 1_000_000
RECEIVED = NOON + 5_000_000


def moment(format_: str, value: object, *, utc: bool = False, zone: ZoneInfo = SHANGHAI) -> int | None:
    return Clock(PATH, format_, utc).moment(value, RECEIVED, zone)


@pytest.mark.parametrize(
    ("format_", "value"),
    [
        ("unix", NOON // 10**6),
        ("unix", str(NOON // 10**6)),
        ("unix", Real(f"{NOON // 10**6}.0000004")),
        ("unix_ms", NOON // 1000),
        ("iso", "2026-06-01T12:00:00Z"),
        ("iso", "2026-06-01T20:00:00+08:00"),
        ("iso", "2026-06-01 20:00"),
        ("YYYY-MM-DD hh:mm:ss", "2026-06-01 20:00:00"),
        ("YYMMDDhhmmss", "260601200000"),
        ("YYMMDDhhmmss", 260601200000),
        ("DD.MM.YYYY hh:mm", "01.06.2026 20:00"),
    ],
)
def test_a_time_is_understood(format_: str, value: object) -> None:
    assert moment(format_, value) == NOON


def test_a_time_without_offset_is_local_unless_it_is_utc() -> None:
    assert moment("iso", "2026-06-01T12:00:00", utc=True) == NOON
    assert moment("iso", "2026-06-01T14:00:00", zone=ZoneInfo("Europe/Berlin")) == NOON
    assert moment("iso", "2026-06-01T12:00:00Z", zone=ZoneInfo("Europe/Berlin")) == NOON


@pytest.mark.parametrize(
    ("format_", "value"),
    [
        ("unix", 0),
        ("unix", -1),
        ("unix", True),
        ("unix", None),
        ("unix", {}),
        ("unix", "soon"),
        ("unix", Real("1e99")),
        ("unix", 10**400),
        ("unix", NOON // 1000),  # milliseconds where seconds are meant lie far ahead
        ("unix", NOON // 10**6 + 2 * 86_400),
        ("unix_ms", NOON // 10**6),
        ("iso", "2026-02-30T12:00:00"),
        ("iso", "0001-01-01T00:00:00+14:00"),
        ("iso", "9999-12-31T23:59:59-14:00"),
        ("iso", "x" * 1000),
        ("iso", "\ud800"),
        ("YYYY-MM-DD hh:mm", "2026-13-01 00:00"),
        ("YYYY-MM-DD hh:mm", "2026-06-01 00:00 "),
        ("YYYY-MM-DD hh:mm", "２０２６-06-01 00:00"),
        ("YYYY-MM-DD hh:mm", 1.5),
    ],
)
def test_a_time_that_cannot_be_is_none(format_: str, value: object) -> None:
    assert moment(format_, value) is None


@pytest.mark.parametrize("format_", ["unix", "unix_ms", "iso", "YYYYMMDDhhmmss", "YY-MM-DD hh:mm:ss"])
@pytest.mark.parametrize("utc", [True, False])
@given(seconds=st.integers(NOON // 10**6 - 10**8, NOON // 10**6))
def test_what_a_simulated_device_writes_is_read(format_: str, utc: bool, seconds: int) -> None:
    clock = Clock(PATH, format_, utc)
    assert clock.moment(clock.write(seconds * 10**6, SHANGHAI), RECEIVED, SHANGHAI) == seconds * 10**6


@pytest.mark.parametrize(
    ("format_", "works"),
    [
        ("YYYYMMDDhhmmss", True),
        ("YY/MM/DD hh.mm", True),
        ("YYYY-MM-DD", False),
        ("YYYY-MM-DD hh:mm:ss DD", False),
        ("YYYY YY-MM-DD hh:mm", False),
        ("YYYY-MM-DDThh:mm:ss", True),
        ("YYYY年MM月DD日 hh:mm", True),
        ("YYYY-MM-DDThh:mm:ssZ", False),
        ("YYYY-MM-DD hh:mm:ss.SSS", False),
        ("YYYY-MM-DD HH:mm hh", False),
        ("seconds", False),
        ("epoch", False),
    ],
)
def test_patterns_name_every_part_once(format_: str, works: bool) -> None:
    assert pattern_works(format_) is works
