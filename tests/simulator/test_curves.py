"""The curves that ship, and the houses made of them."""

from __future__ import annotations

import numpy as np
import pytest

from meterweave.simulator.car import with_car
from meterweave.simulator.curves import PERIOD_S, Curve, curves, curves_of
from meterweave.simulator.sun import STEP_S, measured_curves, net_curves
from meterweave.simulator.town import CAR_EVERY, CAR_FIRST, DAY_S, Utility, build
from tests.simulator.centre import plan


def test_every_utility_has_curves_of_whole_weeks():
    assert {curve.utility for curve in curves()} == {*Utility, "net import", "net export", "charging"}
    assert len({curve.name for curve in curves()}) == len(curves())
    for curve in curves():
        assert curve.period_s % (7 * DAY_S) == 0
        assert PERIOD_S % curve.period_s == 0
        assert (curve.amount >= 0).all()
        assert curve.before[-1] > 0


def test_households_come_in_minutes_quarters_and_half_hours():
    assert sorted(curve.step_s for curve in curves_of("electricity")) == [60, 900, 1800, 1800]


def test_a_short_curve_begins_again():
    short = Curve.of("short", "electricity", 1800, np.array([1, 0, 5] * 112, np.int64))
    at_s = np.array([0, 900, 1800, 6000], np.int64)
    assert short.period_s == 7 * DAY_S
    assert (short.used(at_s + short.period_s) - short.used(at_s) == 112 * 6 * 1800).all()
    assert short.during(at_s + 5 * short.period_s).tolist() == short.during(at_s).tolist() == [1, 1, 0, 1]


@pytest.mark.parametrize("step_s", [300, 900, 3600])
@pytest.mark.parametrize("curve", curves_of("electricity"), ids=lambda curve: curve.name)
def test_other_steps_keep_every_hour(curve, step_s):
    amount = curve.in_steps(step_s)
    hours = np.arange(0, PERIOD_S + 1, 3600, dtype=np.int64)
    exact = np.diff(curve.used(hours) // curve.step_s)
    assert (amount >= 0).all()
    assert amount.reshape(-1, 3600 // step_s).sum(axis=1).tolist() == exact.tolist()


def test_a_car_adds_what_it_is_charged_with():
    for load in curves_of("electricity"):
        for charging in curves_of("charging"):
            both = with_car(load, charging)
            alone = int(load.before[-1]) * (PERIOD_S // load.period_s)
            assert both.period_s == PERIOD_S
            assert int(both.before[-1]) == alone + int(charging.before[-1])
            assert (both.amount >= charging.amount).all()


def test_cars_charge_with_at_most_7_2_kw():
    for charging in curves_of("charging"):
        assert charging.amount.max() * 3600 // charging.step_s == 7200


def test_one_house_in_nine_has_a_car():
    chargers = [curve.name for curve in curves_of("charging")]
    seen = set()
    for site in build(plan(meters=800)):
        for meter in site.meters:
            cars = [name for name in chargers if meter.curve.name.endswith(f"and {name}")]
            place = meter.point - 1
            wanted = meter.utility is Utility.ELECTRICITY and place % CAR_EVERY == CAR_FIRST and meter.phase != 0
            assert bool(cars) == wanted
            assert not (cars and meter.export)
            seen.update(cars)
    assert seen == set(chargers)


def test_the_measured_roof_gives_by_day_only():
    taken, given = measured_curves()
    days = given.in_steps(3600).reshape(-1, 24)
    assert days[:, :3].sum() == days[:, 22:].sum() == 0
    assert days[:, 10:14].sum() > days.sum() // 3
    assert taken.period_s == given.period_s == PERIOD_S


@pytest.mark.parametrize("load", curves_of("electricity"), ids=lambda curve: curve.name)
def test_the_drawn_sun_fits_every_house(load):
    taken, given = net_curves(load, 5)
    assert taken.step_s == given.step_s == STEP_S
    assert taken.period_s == given.period_s == PERIOD_S
    assert not (taken.amount * given.amount).any()
