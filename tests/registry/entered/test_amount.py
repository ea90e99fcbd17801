"""What people write as a reading, exactly."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.quantities import quantities
from meterweave.registry.entered import amount_text, read_amount, read_quantity, turn_of, usual
from meterweave.registry.entered.amount import VALUE_MAX, rolls_over
from meterweave.registry.importing.column import CellError
from meterweave.registry.vocabulary import Utility

POWER, WATER, HEAT, NET = (quantities()[obis] for obis in ("1-0:1.8.0", "8-0:1.0.0", "6-0:1.0.0", "1-0:16.8.0"))


@pytest.mark.parametrize(
    ("text", "unit", "quantity", "stored"),
    [
        ("1234.5678", None, POWER, 12_345_678),
        ("0", None, POWER, 0),
        ("+7.0", None, POWER, 70_000),
        ("1.2 MWh", None, POWER, 12_000_000),
        ("12度", None, POWER, 120_000),
        ("5", "千瓦时", POWER, 50_000),
        ("1500", "Wh", POWER, 15_000),
        ("12.345", "m³", WATER, 12_345_000),
        ("7", "方", WATER, 7_000_000),
        ("250 L", None, WATER, 250_000),
        ("1", "kWh", HEAT, 36_000_000),
        ("0.001 GJ", None, HEAT, 10_000_000),
        ("3", "兆焦", HEAT, 30_000_000),
        ("1 kwh", "kWh", POWER, 10_000),
        ("1 kWh", "度", POWER, 10_000),
        ("1 m³", "m3", WATER, 1_000_000),
        ("1 方", "立方米", WATER, 1_000_000),
        ("-2.5", None, NET, -25_000),
    ],
)
def test_numbers_and_units(text: str, unit: str | None, quantity: object, stored: int) -> None:
    assert read_amount(text, unit, quantity) == stored  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "unit", "quantity", "code", "words"),
    [
        ("twelve", None, POWER, "import.malformed", "1234.56"),
        ("1,234.5", None, POWER, "import.malformed", "decimal number"),
        ("1.2e3", None, POWER, "import.malformed", "a unit of"),
        ("2.02406E+11", None, POWER, "import.digits_lost", "rounded"),
        ("1.23456", None, POWER, "import.malformed", "finer"),
        ("-1", None, POWER, "import.malformed", "a register can show"),
        ("9" * 18, None, POWER, "import.malformed", "a register can show"),
        ("9" * 19, None, POWER, "import.malformed", "decimal number"),
        ("1", "m3", POWER, "import.malformed", "a unit of"),
        ("1 kWh", "MWh", POWER, "import.malformed", "as the unit says"),
        ("12.5", None, HEAT, "import.missing", "needs its unit"),
        ("１２", None, POWER, "import.malformed", "decimal number"),
    ],
)
def test_what_is_no_reading_is_told(text: str, unit: str | None, quantity: object, code: str, words: str) -> None:
    with pytest.raises(CellError) as caught:
        read_amount(text, unit, quantity)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert words in caught.value.text.en
    assert caught.value.text.zh


@given(st.integers(0, VALUE_MAX - 1), st.sampled_from([POWER, WATER, HEAT]))
def test_what_is_shown_is_read_again(value: int, quantity: object) -> None:
    assert read_amount(amount_text(value, quantity.code), None, quantity) == value  # type: ignore[attr-defined,arg-type]


@given(st.text(max_size=40), st.none() | st.text(max_size=8))
def test_no_text_does_harm(text: str, unit: str | None) -> None:
    for quantity in (POWER, WATER, HEAT):
        with contextlib.suppress(CellError):
            assert -VALUE_MAX < read_amount(text, unit, quantity) < VALUE_MAX


def test_quantities_are_named_in_many_ways() -> None:
    for word in ("1-0:1.8.0", "active_import_energy", "Active energy import", "正向有功电能"):
        assert read_quantity(word) == POWER
    with pytest.raises(CellError, match=r"1-0:1\.8\.0"):
        read_quantity("energy")
    assert [usual(one).unit for one in Utility] == ["kWh", "m3", "m3", "J"]


def test_where_a_register_rolls_over() -> None:
    assert turn_of(POWER, 6, 2) == 10**8
    assert turn_of(WATER, 5, 0) == 10**11
    assert (turn_of(POWER, None, None), turn_of(HEAT, 6, 2), turn_of(NET, 6, 2)) == (None, None, None)
    assert turn_of(POWER, 18, 0) is None
    assert turn_of(POWER, 9, 9) == 10**4  # it goes from 0 to 1 kWh
    turn = 1000
    assert rolls_over(970, 30, turn)
    assert not rolls_over(970, 900, turn)
    assert not rolls_over(30, 970, turn)
    assert not rolls_over(970, 30, None)
    assert rolls_over(950, 50, turn)
    assert not rolls_over(949, 50, turn)
