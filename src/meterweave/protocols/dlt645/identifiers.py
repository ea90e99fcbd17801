"""Which identifiers to ask a meter for when certain quantities are wanted: the table `items.csv` read backwards.

Only present values are found: those of settlement days, freezes and records have other identifiers and other times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from meterweave.metering.quantities import obis_code, quantities
from meterweave.protocols.dlt645.functions import Edition
from meterweave.protocols.dlt645.items import find, table_rows
from meterweave.protocols.dlt645.wildcards import WILDCARDS

_DIGITS: Mapping[Edition, int] = {"dlt645-2007": 8, "dlt645-1997": 4}
_TARIFFS = ("tt", "t")
_NOW: Mapping[str, str] = {"ss": "00", "m": "0", "r": "1"}
"""What the letters that run through settlement days have to be for the present value."""


def identifiers_for(wanted: Iterable[int], edition: Edition = "dlt645-2007") -> tuple[str, ...]:
    """The identifiers that together give the present values of these quantities, as few as there are.

    Several values of one block are asked for as the block; what no identifier gives is left out.

    Parameters
    ----------
    wanted : iterable of int
        Packed OBIS codes.
    """
    known = _identifiers(edition)
    single = dict.fromkeys(known[code] for code in wanted if code in known)
    blocks: dict[str, list[str]] = {}
    for di in single:
        blocks.setdefault(_block_of(di), []).append(di)
    return tuple(asked for block, members in blocks.items() for asked in _asked(block, members))


def _asked(block: str, members: list[str]) -> list[str]:
    return [block] if len(members) > 1 and find(block) is not None else members


def _block_of(di: str) -> str:
    """The block over tariffs or phases: DI1 in 2007, the last digit in 1997."""
    return f"{di[:4]}ff{di[6:]}" if len(di) == _DIGITS["dlt645-2007"] else f"{di[:3]}f"


@cache
def _identifiers(edition: Edition) -> Mapping[int, str]:
    """The identifier of every quantity that has one."""
    found: dict[int, str] = {}
    for row in table_rows("items.csv"):
        if row["way"] or len(row["di"]) != _DIGITS[edition]:
            continue
        for di, obis in _members(row["di"], row["obis"]):
            if obis in quantities():
                found.setdefault(obis_code(obis), di)
    return MappingProxyType(found)


def _members(di: str, obis: str) -> list[tuple[str, str]]:
    """The identifiers of a row that hold present values, with what they measure."""
    for letters, digits in _NOW.items():
        di = di.replace(letters, digits)
    letters = next((one for one in _TARIFFS if one in di), "")
    if not letters:
        return [(di, obis)] if di.strip("0123456789abcdef") == "" else []
    width = len(letters)
    return [
        (di.replace(letters, f"{number:0{width}x}"), obis.replace(f"{{{letters}}}", str(number)))
        for number in WILDCARDS[letters]
    ]
