from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.decimal import from_text, rescale, to_text

values = st.integers(-(10**20), 10**20)
exponents = st.integers(-9, 9)


@given(values, exponents)
def test_text_and_integer_undo_each_other(value: int, exponent: int) -> None:
    assert from_text(to_text(value, exponent), exponent) == value


@given(values, exponents)
def test_text_means_the_number(value: int, exponent: int) -> None:
    assert Decimal(to_text(value, exponent)) == Decimal(value).scaleb(exponent)


@pytest.mark.parametrize(
    ("value", "exponent", "text"),
    [(26, -2, "0.26"), (-5, -1, "-0.5"), (0, -3, "0.000"), (12, 3, "12000"), (-7, 0, "-7"), (198_56, -2, "198.56")],
)
def test_written_forms(value: int, exponent: int, text: str) -> None:
    assert to_text(value, exponent) == text


@pytest.mark.parametrize(("text", "value"), [("+1.5", 150), (".5", 50), ("3.", 300), (" 2.500 ", 250), ("-0.01", -1)])
def test_accepted_forms(text: str, value: int) -> None:
    assert from_text(text, -2) == value


@pytest.mark.parametrize("text", ["", ".", "-", "1e3", "1.2.3", "nan", "1,5", "0x10"])
def test_refuses_what_is_no_plain_decimal(text: str) -> None:
    with pytest.raises(ValueError, match="is not a decimal number"):
        from_text(text, -2)


@pytest.mark.parametrize(("text", "exponent"), [("0.001", -2), ("15", 1)])
def test_refuses_what_the_scale_cannot_hold(text: str, exponent: int) -> None:
    with pytest.raises(ValueError, match="does not fit a scale"):
        from_text(text, exponent)


@pytest.mark.parametrize(
    ("value", "exponent", "wanted", "found"),
    [
        (5, -2, -4, (500, True)),
        (500, -4, -2, (5, True)),
        (149, -2, 0, (1, False)),
        (150, -2, 0, (2, False)),
        (-150, -2, 0, (-2, False)),
        (-149, -2, 0, (-1, False)),
    ],
)
def test_rescale_is_exact_or_says_that_it_rounded(value: int, exponent: int, wanted: int, found: object) -> None:
    assert rescale(value, exponent, wanted) == found
