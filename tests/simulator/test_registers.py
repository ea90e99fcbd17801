"""What meters show: exact, never going back, the same from a curve as from a freeze."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.simulator import registers
from meterweave.simulator.curves import ANCHOR_S, PERIOD_S
from meterweave.simulator.town import Utility, build
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan

METERS = tuple(meter for site in build(plan()) for meter in site.meters)
TEN_YEARS_S = 10 * 365 * DAY_S


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(METERS), st.lists(st.integers(0, TEN_YEARS_S), min_size=2, max_size=20))
def test_a_register_never_goes_back(meter, later):
    at_s = ANCHOR_S + np.sort(np.array(later, np.int64))
    shown = registers.register(meter, at_s)
    assert shown.dtype == np.int64
    assert (np.diff(shown) >= 0).all()
    assert (shown >= 0).all()


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(METERS), st.integers(0, TEN_YEARS_S))
def test_many_moments_at_once_are_each_moment_alone(meter, later):
    at_s = ANCHOR_S + later + np.arange(5, dtype=np.int64) * 900
    alone = [int(registers.register(meter, registers.moments(int(one)))[0]) for one in at_s]
    assert registers.register(meter, at_s).tolist() == alone


def test_a_register_grows_by_what_its_house_used():
    for meter in METERS:
        year = registers.register(meter, np.array([MIDNIGHT_S, MIDNIGHT_S + PERIOD_S], np.int64))
        used = int(meter.curve.before[-1]) * (PERIOD_S // meter.curve.period_s)
        exact = meter.scale_permille * used * registers.STEPS[meter.utility] / 1000
        assert abs(int(year[1] - year[0]) - exact) < 1


def test_electrical_values_are_those_of_a_low_voltage_network():
    at_s = MIDNIGHT_S + np.arange(0, 7 * DAY_S, 900, dtype=np.int64)
    for meter in METERS:
        if meter.utility is not Utility.ELECTRICITY:
            continue
        found = registers.electrical(meter, at_s)
        assert len(found.voltage_dv) == len(found.current_ma) == (1 if meter.phase else 3)
        for voltage, current in zip(found.voltage_dv, found.current_ma, strict=True):
            assert ((voltage > 1980) & (voltage < 2420)).all()
            assert ((current >= 0) & (current < 100_000)).all()
        assert meter.export or (found.power_dw >= 0).all()


def test_power_is_the_slope_of_the_register():
    for meter in METERS:
        if meter.utility is not Utility.ELECTRICITY or meter.export:
            continue
        step_s, slot = meter.curve.step_s, MIDNIGHT_S + 1800 * 20
        first, last = registers.register(meter, np.array([slot, slot + step_s], np.int64))
        power_w = registers.power_dw(meter, registers.moments(slot))[0] / 10
        assert abs((last - first) * 10 - power_w * step_s / 3600) <= 10  # [Wh]; a step of the register is 10 Wh


def test_tariffs_add_up_and_stand_still_outside_their_hours():
    meter = METERS[0]
    noon_s = MIDNIGHT_S + 12 * 3600
    at_s = registers.moments(MIDNIGHT_S, MIDNIGHT_S + 7 * 3600, noon_s, noon_s + 5 * 3600)
    total, tariffs = registers.register(meter, at_s), registers.tariff_registers((meter,), at_s)[:, 0]
    assert (np.abs(total - tariffs.sum(axis=0)) <= 4).all()
    assert tariffs[3, 1] > tariffs[3, 0]
    assert tariffs[0, 0] == tariffs[0, 1]
    assert tariffs[2, 3] > tariffs[2, 2]
    assert tariffs[1, 2] == tariffs[1, 3]


def test_panels_give_by_day_and_nothing_by_night():
    # Some roofs follow the measured house and some the drawn sun.
    roofs = [meter for site in build(plan(meters=400)) for meter in site.meters if meter.export]
    assert len({meter.export.step_s for meter in roofs if meter.export}) == 2
    for meter in roofs:
        hours = MIDNIGHT_S + np.arange(0, 7 * DAY_S + 1, 3600, dtype=np.int64)
        given = np.diff(registers.export_registers((meter,), hours)[0]).reshape(7, 24)
        assert (given >= 0).all()
        assert given[:, :5].sum() == 0
        assert given[:, 20:].sum() == 0
        assert given[:, 11:13].sum() > 0
        assert (registers.power_dw(meter, hours) < 0).any()
