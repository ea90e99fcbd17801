"""Which attributes to ask for when certain quantities are wanted: the table of objects read backwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from meterweave.metering.quantities import obis_code, quantities
from meterweave.protocols.dlt698.objects import Attribute, element_obis, objects, single_elements

_ELEMENTS_MAX = 64  # the total and 63 tariffs


def attributes_for(wanted: Iterable[int]) -> tuple[int, ...]:
    """The whole attributes (OADs with index 0) that together give these quantities, in ascending order.

    Attribute 2 goes before the one with more digits. What no attribute gives is left out.

    Parameters
    ----------
    wanted : iterable of int
        Packed OBIS codes.

    >>> [f"{oad:08X}" for oad in attributes_for([obis_code("1-0:1.8.2"), obis_code("1-0:52.7.0")])]
    ['00100200', '20000200']
    """
    known = _attributes()
    return tuple(sorted({known[code] for code in wanted if code in known}))


@cache
def _attributes() -> Mapping[int, int]:
    """The attribute of every quantity that has one."""
    found: dict[int, int] = {}
    for one in objects().values():
        for number in sorted(one.attributes):
            attribute = one.attributes[number]
            for obis in _codes(attribute):
                if obis in quantities():
                    found.setdefault(obis_code(obis), attribute.oad)
    return MappingProxyType(found)


def _codes(attribute: Attribute) -> Iterator[str]:
    """The OBIS codes of an attribute and of its elements."""
    yield attribute.obis
    if attribute.element_obis:
        for index in range(1, _ELEMENTS_MAX + 1):
            yield element_obis(attribute.element_obis, index)
    for (oi, number, _), row in single_elements().items():
        if (oi, number) == (attribute.oad >> 16, attribute.oad >> 8 & 0x1F):
            yield row["obis"]
