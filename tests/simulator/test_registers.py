"""What meters show: exact, never going back, the same from a curve as from a freeze."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.simulator import registers
from meterweave.simulator.curves import ANCHOR_S, PERIOD_S, curves, curves_of
from meterweave.simulator.town import Utility, build
from tests.simulator.centre import DAY_S, MIDNIGHT_S, plan

METERS = tuple(meter for site in build(plan()) for meter in site.meters)
TEN_YEARS_S = 10 * 365 * DAY_S


def test_every_utility_has_a_curve_of_52_weeks():
    assert {curve.utility for curve in curves()} == set(Utility)
    for curve in curves():
        assert len(curve.amount) * curve.step_s == PERIOD_S
        assert (curve.amount >= 0).all()
        assert curve.before[-1] > 0
    assert len(curves_of("electricity")) == 2


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
        exact = meter.scale_permille * int(meter.curve.before[-1]) * registers.STEPS[meter.utility] / 1000
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
        assert (found.power_dw >= 0).all()


def test_power_is_the_slope_of_the_register():
    meter = METERS[0]
    slot = MIDNIGHT_S + 1800 * 20
    first, last = registers.register(meter, np.array([slot, slot + 1800], np.int64))
    power_w = registers.power_dw(meter, registers.moments(slot))[0] / 10
    assert abs((last - first) * 10 - power_w / 2) <= 10  # [Wh]; a step of the register is 10 Wh
