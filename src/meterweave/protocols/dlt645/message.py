"""What a frame says: its DATA divided into named parts, and the values of the data item in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from meterweave.protocols.dlt645 import items, load_record
from meterweave.protocols.dlt645.formats import Data
from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.functions import Layout, Part, edition, layouts
from meterweave.protocols.dlt645.items import Value

PROTECTED_LEVELS = (0x98, 0x99)
"""Password levels of cost-control meters whose payload is encrypted or ends with a MAC."""


class Contents(NamedTuple):
    """The values of a data item in a message."""

    di: str
    known: bool
    """Whether the identifier is in the table."""
    values: Sequence[Value]
    rest: bytes
    """The octets behind the last value."""


def parts(frame: Frame) -> list[tuple[Part, bytes]]:
    """The parts of DATA in order; their octets, joined, are DATA. Empty where no layout fits."""
    for layout in layouts(frame.control, edition(frame)):
        if (sizes := _sizes(layout, len(frame.data))) is not None:
            break
    else:
        return []
    found, at = [], 0
    for part, size in zip(layout, sizes, strict=True):
        found.append((part, frame.data[at : at + size]))
        at += size
    return found


def _sizes(layout: Layout, have: int) -> list[int] | None:
    """The sizes of the parts of `layout` in `have` octets; None where they cannot be."""
    spare = have - sum(part.format.size for part in layout)
    if spare < 0 or (spare and all(part.format.size for part in layout)):
        return None
    return [part.format.size or spare for part in layout]


def contents(frame: Frame) -> Contents | None:
    """The data item a message carries; None where it carries none, or one that is encrypted."""
    di = ""
    for part, octets in parts(frame):
        if part.name == "di":
            di = octets[::-1].hex()
        elif part.name == "password_level" and octets[0] in PROTECTED_LEVELS:
            return None
        elif isinstance(part.format, Data):
            return read(part.format.di or di, octets, "reply" if frame.is_reply else "request")
    return None


def read(di: str, octets: bytes, way: items.Way = "reply") -> Contents:
    """What `octets` say as data of the identifier `di`."""
    if load_record.asked_class(di) is not None:
        return Contents(di, True, *load_record.split(di, octets))
    item = items.find(di, way)
    if item is None:
        return Contents(di, False, [], octets)
    return Contents(di, True, *items.split(item.elements, octets))
