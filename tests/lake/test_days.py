from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.lake.days import FIRST, LAST, day_span_us, local_days

ZONES = [
    ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "UTC")
]


@settings(deadline=None)
@given(
    st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2190, 1, 1)), min_size=1, max_size=20),
    st.sampled_from(ZONES),
)
def test_the_day_is_what_a_calendar_says(moments: list[datetime], zone: ZoneInfo) -> None:
    ts = np.array([int(one.replace(tzinfo=UTC).timestamp()) * 1_000_000 + one.microsecond for one in moments])
    wanted = [one.replace(tzinfo=UTC).astimezone(zone).date().toordinal() - FIRST.toordinal() for one in moments]
    assert local_days(ts, zone).tolist() == wanted


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.sampled_from(ZONES))
def test_no_time_is_too_strange(ts: list[int], zone: ZoneInfo) -> None:
    days = local_days(np.array(ts, np.int64), zone)
    assert ((days >= 0) & (days <= (LAST - FIRST).days)).all()


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_is_as_long_as_it_is(day: date, hours: int) -> None:
    start, end = day_span_us(day, day, ZoneInfo("Europe/Berlin"))
    assert end - start == hours * 3_600_000_000
    number = day.toordinal() - FIRST.toordinal()
    edges = np.array([start - 1, start, end - 1, end])
    assert local_days(edges, ZoneInfo("Europe/Berlin")).tolist() == [number - 1, number, number, number + 1]
