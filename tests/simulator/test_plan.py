from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.metering.batch import Profile
from meterweave.simulator.plan import Reports, series_of
from meterweave.simulator.town import build
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan

SITE = build(plan(meters=45, others=7))[0]
SERIES = series_of(SITE.meters)
END_S = MIDNIGHT_S + DAY_S + 7000


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(MIDNIGHT_S - 100, END_S)), st.integers(1, 120), st.integers(1, 120))
def test_every_meter_is_reported_at_every_moment_once(looks, slots_max, cells_max):
    reports = Reports(SERIES, MIDNIGHT_S, slots_max=slots_max, cells_max=cells_max)
    seen: Counter[tuple[str, Profile, int]] = Counter()
    for now_s in [*sorted(looks), END_S]:
        while due := reports.take(now_s):
            assert due.slots[-1] <= now_s
            assert len(due.slots) <= slots_max
            assert len(due.slots) * len(due.meters) <= max(cells_max, len(due.slots))
            for meter in due.meters:
                seen.update((meter.address, due.series.profile, at) for at in due.slots)
    wanted = {
        (meter.address, series.profile, at)
        for series in SERIES
        for meter in series.meters
        for at in series.slots(MIDNIGHT_S, END_S + 1)
    }
    assert set(seen) == wanted
    assert set(seen.values()) == {1}


def test_days_end_at_local_midnight():
    day = next(series for series in SERIES if series.profile is Profile.DAILY)
    assert list(day.slots(MIDNIGHT_S - 1, END_S)) == [MIDNIGHT_S, MIDNIGHT_S + DAY_S]


def test_a_concentrator_without_meters_reports_nothing():
    reports = Reports((), MIDNIGHT_S, slots_max=1, cells_max=1)
    assert reports.take(END_S) is None
    assert reports.next_s() is None
