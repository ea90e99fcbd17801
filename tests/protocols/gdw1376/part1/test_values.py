from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1 import Message, Unit, build_unit, unit_numbers, unit_values
from meterweave.protocols.gdw1376.part1.values import step_minutes

CURVE = {"curve.start": "2024-03-01T00:00", "curve.density": 1, "curve.count": 3}


def curve():
    points = {"voltage.a[0]": "220.1", "voltage.a[1]": None, "voltage.a[2]": "219.9"}
    return build_unit(0x0D, True, [1], [89], CURVE | points)


def test_a_curve_by_name_and_by_number():
    unit = curve()
    assert unit == Unit(0x0101, 0x0B01, bytes.fromhex("000001032401030122eeee9921"))
    message = Message(2, 0x88, 0x1000, 1, 0, 0x0D, 0x60, (unit,))
    entries, left = unit_values(message, unit)
    assert left == b""
    assert entries[3:] == [
        {"name": "voltage.a[0]", "value": "220.1", "unit": "V"},
        {"name": "voltage.a[1]", "value": None, "unit": "V", "missing": True},
        {"name": "voltage.a[2]", "value": "219.9", "unit": "V"},
    ]
    assert [numbers for _, numbers in unit_numbers(message, unit)] == [[2201, None, 2199]]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (CURVE, r"'voltage.a\[0\]' is missing"),
        (CURVE | {"curve.count": 0, "more": 1}, "'more' has no place"),
        ([{"name": "curve.start", "value": "2024-03-01T00:00"}], "found 'the end' where 'curve.density' was wanted"),
        ([{"name": "freeze.day", "value": "2024-03-01"}], "found 'freeze.day' where 'curve.start' was wanted"),
        (
            [{"name": name, "value": value} for name, value in (CURVE | {"curve.count": 0, "x": 1}).items()],
            "'x' has no",
        ),
    ],
)
def test_values_that_do_not_fit_the_layout(values, words):
    with pytest.raises(EncodeError, match=words):
        build_unit(0x0D, True, [1], [89], values)


def test_an_item_without_layout_takes_no_values():
    assert build_unit(0x06, False, [0], [1]).data == b""
    with pytest.raises(EncodeError, match="give its data raw"):
        build_unit(0x06, False, [0], [1], {"x": 1})


def test_steps_of_curves():
    assert [step_minutes(density) for density in (0, 1, 2, 3, 4, 253, 254, 255)] == [None, 15, 30, 60, None, None, 5, 1]
