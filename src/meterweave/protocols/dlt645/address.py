"""Addresses that name no single meter, and how a meter recognises its own (DL/T 645-2007, clause 5.2.3)."""

from __future__ import annotations

import re

from meterweave.errors import EncodeError

BROADCAST = "999999999999"
"""Every meter; nobody answers."""
WILDCARD = "aaaaaaaaaaaa"
"""The one meter on the line, whatever its address; it answers with its own."""

_DIGITS = re.compile(r"[0-9A-Fa-f]{1,12}")
_WILD = "aa"


def normal(address: str) -> str:
    """`address` as frames carry it: 12 lower-case digits, shorter ones filled with zeros on the left.

    Raises
    ------
    EncodeError
        If `address` is not 1 to 12 hexadecimal digits.
    """
    if not _DIGITS.fullmatch(address):
        raise EncodeError(f"address {address!r} is not 1 to 12 hexadecimal digits")
    return address.lower().zfill(12)


def shortened(address: str) -> str:
    """The low digits of an address with AAH before them, so that a meter compares only these.

    Raises
    ------
    EncodeError
        If `address` is not 2, 4, …, 12 hexadecimal digits.
    """
    if not _DIGITS.fullmatch(address) or len(address) % 2:
        raise EncodeError(f"address {address!r} is not an even number of hexadecimal digits up to 12")
    return address.lower().rjust(12, "a")


def matches(asked: str, own: str) -> bool:
    """Whether the meter with address `own` is meant by `asked`: by its address, a wildcard, or broadcast."""
    if asked == BROADCAST:
        return True
    pairs = [(asked[at : at + 2], own[at : at + 2]) for at in range(0, 12, 2)]
    while pairs and pairs[0][0] == _WILD:
        del pairs[0]
    return all(wanted == found for wanted, found in pairs)
