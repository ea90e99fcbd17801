from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from meterweave.errors import ConfigError
from meterweave.mdm import Spans, consumption, total
from tests.mdm.rows import daily, day_us, table

DAYS = np.array([day_us(number) for number in range(4)])


def test_a_total_has_a_value_when_everybody_has_and_says_how_much_is_there_when_not():
    rows = table([*daily(1, [100, 110, 120, 130]), *daily(2, [5, 6, None, 9])])
    asked = Spans.of_meters([1, 2])
    found = total(consumption(rows, asked, DAYS).to_arrow())
    assert found.column("value").to_pylist() == [11, None, None]
    assert found.column("part").to_pylist() == [11, 10, 10]
    assert found.column("points").to_pylist() == [2, 2, 2]
    assert found.column("known").to_pylist() == [2, 1, 1]
    assert found.column("estimated").to_pylist() == [0, 0, 0]
    assert found.column("completeness").to_pylist() == [1.0, 0.5, 0.5]
    assert found.column("start").cast("int64").to_pylist() == DAYS[:-1].tolist()

    bridged = total(consumption(rows, asked, DAYS, interpolate=True, reach=timedelta(days=2)).to_arrow())
    assert bridged.column("value").to_pylist() == [11, 11, 12]
    assert bridged.column("estimated").to_pylist() == [0, 1, 1]
    assert bridged.column("completeness").to_pylist() == [1.0, 0.5, 0.5]


def test_a_sum_beyond_64_bits_is_refused():
    rows = table([row for meter in range(1, 5) for row in daily(meter, [0, 1 << 61])])
    assert (
        total(consumption(rows, Spans.of_meters([1, 2, 3]), DAYS[:2]).to_arrow()).column("value")[0].as_py() == 3 << 61
    )
    with pytest.raises(ConfigError, match="64 bits"):
        total(consumption(rows, Spans.of_meters([1, 2, 3, 4]), DAYS[:2]).to_arrow())
