"""Data of many telegrams of one layout to columns of numbers and of times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.metering.batch import Quality
from meterweave.metering.clock import days_from_civil, days_in_month
from meterweave.protocols.bcd import decode_bcd_columns
from meterweave.protocols.mbus.head import Coding, Head
from meterweave.protocols.mbus.moment import TYPE_F, TYPE_G, MomentType
from meterweave.protocols.mbus.quantity import Target
from meterweave.protocols.mbus.reading import STORED_MAX, measured_value, stored

Octets = NDArray[np.uint8]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

INTEGER_MAX, BCD_MAX = 8, 9  # octets that surely fit 64 bits
_DAY_US, _HOUR_US, _MINUTE_US, _SECOND_US = 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000


class Stored(NamedTuple):
    """One column of stored numbers."""

    value: Ints  # 0 where missing
    missing: Bools
    rounded: Bools
    fits: Bools  # false where 64 bits may be too few: the complete decoder must look


def is_columnar(head: Head) -> bool:
    """Whether `stored_column` knows how to read a record's data."""
    limit = {Coding.INTEGER: INTEGER_MAX, Coding.REAL: 4}.get(head.coding, BCD_MAX)
    return head.size <= limit and not head.addends


def stored_column(octets: Octets, head: Head, wanted: Target) -> Stored:
    """The stored numbers of uint8[telegram, octet], as `reading.stored` makes them one by one."""
    if head.coding is Coding.REAL:
        return _real_column(octets, head, wanted)
    if head.coding is Coding.INTEGER:
        digits = integer_column(octets)
        valid = np.ones(len(octets), np.bool_)
    else:
        digits, valid = bcd_column(octets)
        if head.coding is Coding.NEGATIVE_BCD:
            digits = -digits
    if "error" in head.roles:
        valid = np.zeros(len(octets), np.bool_)
    digits = np.where(valid, digits, 0)
    multiplier, divisor = wanted.at(head.exponent)
    if divisor > STORED_MAX // 4 or multiplier > STORED_MAX:
        nothing = np.zeros(len(octets), np.int64)
        return Stored(nothing, ~valid, nothing != 0, digits == 0)
    limit = STORED_MAX // multiplier
    fits = (digits >= -limit) & (digits <= limit)
    product = np.where(fits, digits, 0) * multiplier
    whole, rest = np.divmod(np.abs(product), divisor)
    whole += 2 * rest >= divisor
    return Stored(np.where(product < 0, -whole, whole), ~valid, rest != 0, fits)


def _real_column(octets: Octets, head: Head, wanted: Target) -> Stored:
    """Reals one by one: their shortest decimals have no exponent in common."""
    column = [stored(wanted, measured_value(head, row.tobytes())) for row in octets]
    fits = np.array([not quality & Quality.OUT_OF_RANGE for _, quality in column], np.bool_)
    return Stored(
        np.array([number or 0 for number, _ in column], np.int64),
        np.array([number is None for number, _ in column], np.bool_),
        np.array([bool(quality & Quality.ROUNDED) for _, quality in column], np.bool_),
        fits,
    )


def integer_column(octets: Octets) -> Ints:
    """Two's complement, least significant octet first, of uint8[telegram, octet]."""
    size = octets.shape[1]
    wide = np.empty((len(octets), INTEGER_MAX), np.uint8)
    wide[:, :size] = octets
    wide[:, size:] = np.where(octets[:, -1:] & 0x80, 0xFF, 0)
    return wide.view("<i8").astype(np.int64).ravel()


def bcd_column(octets: Octets) -> tuple[Ints, Bools]:
    """`value.decode_signed_bcd` of uint8[telegram, octet]: the numbers, and where they are valid."""
    negative = octets[:, -1] >= 0xF0
    digits = octets.copy()
    digits[negative, -1] &= 0x0F
    value, valid = decode_bcd_columns(digits)
    return np.where(negative, -value, value), valid


def moment_column(octets: Octets, kind: MomentType) -> tuple[Ints, Bools]:
    """Local times of uint8[telegram, octet], in microseconds since 1970, and where there is such a time.

    `kind` is type F, G or I of EN 13757-3, annex A.
    """
    wide = octets.astype(np.int64)
    zero = np.zeros(len(wide), np.int64)
    second = minute = hour = century = invalid = zero
    if kind is TYPE_G:
        day, month = wide[:, 0], wide[:, 1]
    elif kind is TYPE_F:
        minute, hour, day, month = wide[:, :4].T
        century = hour >> 5 & 3
    else:
        second, minute, hour, day, month = wide[:, :5].T
    invalid = minute & 0x80
    year = (day >> 5) | (month >> 4) << 3
    full = np.where(century > 0, 1900 + 100 * century + year, year + np.where(year >= 81, 1900, 2000))
    day, month, hour, minute, second = day & 0x1F, month & 0x0F, hour & 0x1F, minute & 0x3F, second & 0x3F
    valid = (
        (year <= 99) & (month >= 1) & (month <= 12) & (invalid == 0) & (hour <= 23) & (minute <= 59) & (second <= 59)
    )
    full, month = np.where(valid, full, 1970), np.where(valid, month, 1)
    valid &= (day >= 1) & (day <= days_in_month(full, month))
    days = days_from_civil(full, month, np.where(valid, day, 1))
    return days * _DAY_US + hour * _HOUR_US + minute * _MINUTE_US + second * _SECOND_US, valid
