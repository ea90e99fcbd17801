"""Which identifiers to ask a meter for when certain quantities are wanted: the tables of `items` read backwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from meterweave.metering.batch import Profile
from meterweave.protocols.cjt188.items import identifiers
from meterweave.protocols.cjt188.meter import Medium
from meterweave.protocols.cjt188.readings import columns

PRESENT = (0x901F, 0x911F, 0x8105)
"""The identifiers whose values hold at the moment of asking; the other ones that measure are of freezes long past."""


def identifiers_for(wanted: Iterable[int], media: Collection[Medium]) -> tuple[int, ...]:
    """The identifiers that together give the present values of these quantities in meters of any of `media`.

    Parameters
    ----------
    wanted : iterable of int
        Packed OBIS codes; what no identifier gives is left out.
    """
    left, found = set(wanted), []
    while left:
        di = max(PRESENT, key=lambda one: max(len(left & gives(one, medium)) for medium in media))
        given = frozenset[int]().union(*(gives(di, medium) for medium in media))
        if not left & given:
            break
        found.append(di)
        left -= given
    return tuple(found)


@cache
def gives(di: int, medium: Medium) -> frozenset[int]:
    """The quantities of which a meter of `medium` tells the present values under `di`."""
    layouts = [rule.layout for rule in identifiers()[di].rules if rule.from_meter]
    return frozenset(
        column.quantity for layout in layouts if layout.profile is Profile.SPOT for column in columns(layout, medium)
    )
