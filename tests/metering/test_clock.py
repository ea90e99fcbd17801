from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.clock import days_from_civil, days_in_month, local_us, to_utc_us, utc_us

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # changes by half an hour

moments = st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30))


def utc(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]))
def test_equals_the_standard_library_value_by_value(locals_: list[datetime], name: str) -> None:
    zone = ZoneInfo(name)
    found = to_utc_us(np.array([local_us(one) for one in locals_]), zone)
    assert found.tolist() == [utc(one.replace(tzinfo=zone).astimezone(UTC)) for one in locals_]


@pytest.mark.parametrize("zone", [BERLIN, LORD_HOWE])
@pytest.mark.parametrize(
    "day", [datetime(2024, 3, 31), datetime(2024, 10, 27), datetime(2024, 4, 7), datetime(2024, 10, 6)]
)
def test_both_change_days_minute_by_minute(zone: ZoneInfo, day: datetime) -> None:
    locals_ = [day + timedelta(minutes=minute) for minute in range(24 * 60)]
    found = to_utc_us(np.array([local_us(one) for one in locals_]), zone)
    assert found.tolist() == [utc(one.replace(tzinfo=zone).astimezone(UTC)) for one in locals_]


def test_an_empty_column_stays_empty() -> None:
    assert to_utc_us(np.empty(0, np.int64)).tolist() == []


@given(st.lists(st.dates(datetime(1901, 1, 1).date(), datetime(2155, 12, 31).date()), min_size=1, max_size=20))
def test_civil_dates(days: list[datetime]) -> None:
    year, month, day = (np.array([getattr(one, part) for one in days]) for part in ("year", "month", "day"))
    assert days_from_civil(year, month, day).tolist() == [one.toordinal() - 719_163 for one in days]


def test_length_of_months() -> None:
    year = np.array([2023, 2024, 2024, 2100, 2000])
    assert days_in_month(year, np.array([2, 2, 12, 2, 2])).tolist() == [28, 29, 31, 28, 29]


@given(moments, st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "UTC"]))
def test_one_moment_equals_a_column_of_one(moment: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    assert utc_us(moment, zone) == to_utc_us(np.array([local_us(moment)]), zone)[0]
