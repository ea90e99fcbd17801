"""Exact decimal numbers: a scaled integer and its text, never a float."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?")


def to_text(value: int, exponent: int) -> str:
    """``value · 10**exponent`` written out, with ``-exponent`` decimals when there are any.

    >>> to_text(26, -2), to_text(-5, -1), to_text(12, 3)
    ('0.26', '-0.5', '12000')
    """
    if exponent >= 0:
        return str(value * 10**exponent)
    digits = str(abs(value)).zfill(1 - exponent)
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def from_text(text: str, exponent: int) -> int:
    """The integer whose `to_text` with the same `exponent` means the same number as `text`.

    Raises
    ------
    ValueError
        If `text` is no plain decimal number, or has more decimals than `exponent` can hold.
    """
    match = _DECIMAL.fullmatch(text.strip())
    if not match or not (match[2] or match[3]):
        raise ValueError(f"{text!r} is not a decimal number")
    sign, whole, fraction = match[1], match[2], (match[3] or "").rstrip("0")
    digits = int((whole + fraction) or "0")
    shift = -exponent - len(fraction)
    if shift < 0:
        if digits % 10**-shift:
            raise ValueError(f"{text!r} does not fit a scale of 10^{exponent}")
        digits //= 10**-shift
    else:
        digits = int(digits * 10**shift)
    return -digits if sign == "-" else digits


def rescale(value: int, exponent: int, wanted: int) -> tuple[int, bool]:
    """`value` at another exponent, and whether that is exact; what does not fit is rounded half away from zero."""
    if exponent >= wanted:
        return value * 10 ** (exponent - wanted), True
    divisor = 10 ** (wanted - exponent)
    whole, rest = divmod(abs(value), divisor)
    whole += 2 * rest >= divisor
    return (-whole if value < 0 else whole), rest == 0
