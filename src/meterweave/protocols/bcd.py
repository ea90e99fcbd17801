"""Packed BCD, low octet first, as meters send their numbers; for one value and for columns of values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def decode_bcd(octets: bytes) -> int | None:
    """The number in packed BCD `octets`, low octet first; None where a nibble is no decimal digit.

    >>> decode_bcd(bytes.fromhex("26000000")), decode_bcd(b"\\xff\\xff")
    (26, None)
    """
    digits = octets[::-1].hex()
    return int(digits) if digits.isdecimal() else None


def encode_bcd(value: int, size: int) -> bytes:
    """`value` as `size` octets of packed BCD, low octet first.

    Raises
    ------
    ValueError
        If `value` is negative or needs more than ``2 * size`` digits.
    """
    digits = str(value)
    if value < 0 or len(digits) > 2 * size:
        raise ValueError(f"{value} does not fit {2 * size} BCD digits")
    return bytes.fromhex(digits.zfill(2 * size))[::-1]


def decode_address(octets: bytes) -> str:
    """An address sent low octet first, as its digits, most significant first; nibbles A to F stay as they are."""
    return octets[::-1].hex()


def encode_address(address: str, size: int) -> bytes:
    """The octets of an address of `size` octets, low octet first; shorter addresses are filled with zeros on the left.

    Raises
    ------
    ValueError
        If `address` has other characters than hexadecimal digits, or more than ``2 * size`` of them.
    """
    if len(address) > 2 * size:
        raise ValueError(f"address {address!r} is longer than {2 * size} digits")
    return bytes.fromhex(address.zfill(2 * size))[::-1]


def _octet_table() -> NDArray[np.int64]:
    octet = np.arange(256)
    high, low = octet >> 4, octet & 15
    return np.where((high < 10) & (low < 10), 10 * high + low, -1).astype(np.int64)


_OCTET = _octet_table()


def decode_bcd_columns(octets: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`decode_bcd` of the last axis of uint8[..., octet], at most nine octets.

    Returns
    -------
    value : int64[...]
        The numbers; without meaning where `valid` is false.
    valid : bool[...]
        False where a nibble is no decimal digit.
    """
    value = np.zeros(octets.shape[:-1], dtype=np.int64)
    valid = np.ones(octets.shape[:-1], dtype=np.bool_)
    for index in range(octets.shape[-1] - 1, -1, -1):
        pair = _OCTET[octets[..., index]]
        valid &= pair >= 0
        value = 100 * value + pair
    return value, valid
