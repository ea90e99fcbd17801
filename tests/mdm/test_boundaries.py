from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from meterweave.errors import ConfigError
from meterweave.mdm import every, local_days, local_months
from tests.mdm.rows import HOUR_US

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")


def texts(boundaries: np.ndarray) -> list[str]:
    return [datetime.fromtimestamp(one / 1e6, UTC).isoformat(timespec="minutes") for one in boundaries.tolist()]


def test_a_local_day_is_as_long_as_the_clocks_make_it():
    spring = local_days(date(2026, 3, 28), date(2026, 3, 30), BERLIN)
    autumn = local_days(date(2026, 10, 24), date(2026, 10, 26), BERLIN)
    assert (np.diff(spring) // HOUR_US).tolist() == [24, 23, 24]
    assert (np.diff(autumn) // HOUR_US).tolist() == [24, 25, 24]
    assert texts(spring)[1] == "2026-03-28T23:00+00:00"


def test_a_day_whose_midnight_is_skipped_begins_as_the_clocks_jump():
    found = local_days(date(2018, 11, 3), date(2018, 11, 4), ZoneInfo("America/Sao_Paulo"))
    assert texts(found) == ["2018-11-03T03:00+00:00", "2018-11-04T03:00+00:00", "2018-11-05T02:00+00:00"]


def test_months_over_the_turn_of_a_year():
    found = local_months(date(2025, 12, 17), date(2026, 1, 2), SHANGHAI)
    assert texts(found) == ["2025-11-30T16:00+00:00", "2025-12-31T16:00+00:00", "2026-01-31T16:00+00:00"]


def test_a_fixed_length_ends_at_the_end_or_after_it():
    start = datetime(2026, 1, 1, tzinfo=SHANGHAI)
    assert texts(every(timedelta(minutes=15), start, start + timedelta(minutes=40))) == [
        "2025-12-31T16:00+00:00",
        "2025-12-31T16:15+00:00",
        "2025-12-31T16:30+00:00",
        "2025-12-31T16:45+00:00",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: local_days(date(2026, 1, 2), date(2026, 1, 1), BERLIN),
        lambda: local_months(date(2026, 2, 1), date(2026, 1, 31), BERLIN),
        lambda: every(timedelta(hours=1), datetime(2026, 1, 1), datetime(2026, 1, 2)),
        lambda: every(timedelta(hours=1), datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        lambda: every(timedelta(0), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        lambda: every(timedelta(microseconds=1), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)
def test_what_has_no_intervals_is_refused(wrong):
    with pytest.raises(ConfigError):
        wrong()
