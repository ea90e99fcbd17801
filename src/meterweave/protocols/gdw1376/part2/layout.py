"""How a data unit is laid out: a row of elements, each of which reads, writes and explains its own octets.

A layout is a plain tuple of `Element`; the layouts of all functions stand in `functions`. The same row serves all
directions of work: `read` gives the JSON-ready values, `write` undoes it, `explain` gives the fields for people.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.explain import Field
from meterweave.text import Text

MISMATCH = "payload_length_mismatch"
MISMATCH_TEXT = Text("the data unit ends before its layout does", "数据单元长度与格式不符")
TRAILING = Text("octets behind the data unit", "数据单元之后的多余字节")


class Short(Exception):  # noqa: N818  (not an error: `read` turns it into a finding)
    """The octets end before the layout does; never leaves this package."""


class Reader:
    """Octets with a place in them."""

    __slots__ = ("at", "octets", "short")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0
        self.short = False  # set once the end came too early

    @property
    def left(self) -> int:
        """Octets not yet taken."""
        return len(self.octets) - self.at

    def take(self, size: int) -> bytes:
        """The next `size` octets.

        Raises
        ------
        Short
            If there are fewer.
        """
        if size > self.left:
            raise Short
        self.at += size
        return self.octets[self.at - size : self.at]

    def rest(self) -> bytes:
        """All octets not yet taken."""
        return self.take(self.left)


@dataclass(frozen=True, slots=True)
class Part(ABC):
    """One part of a frame for people: its key in JSON, and what it is in English and Chinese."""

    name: str
    en: str
    zh: str

    @property
    def text(self) -> Text:
        """What it is."""
        return Text(self.en, self.zh)

    @abstractmethod
    def explain(self, reader: Reader, values: Json) -> list[Field]:
        """Take the part's octets, put what they say into `values`, and give the fields for people."""


@dataclass(frozen=True, slots=True)
class Element(Part):
    """One part of a layout, which is read and written as well."""

    @property
    def names(self) -> frozenset[str]:
        """The keys it may use in JSON."""
        return frozenset((self.name,))

    @abstractmethod
    def read(self, reader: Reader, values: Json) -> None:
        """Take the element's octets and put what they say into `values`; `Short` where they are not all there."""

    @abstractmethod
    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        """The octets for `values`; `EncodeError` naming ``path.name`` where that cannot be."""


Layout = tuple[Element, ...]


class Payload(NamedTuple):
    """What a data unit says by its layout."""

    values: Json  # with ``error`` where the octets end before the layout does
    trailing: bytes  # octets behind the end of the layout


def read(layout: Layout, octets: bytes) -> Payload:
    """A data unit by its layout; one that is too short gives what was there, and `MISMATCH` as its ``error``."""
    reader = Reader(octets)
    values: Json = {}
    try:
        for element in layout:
            element.read(reader, values)
    except Short:
        return Payload(values | {"error": MISMATCH}, b"")
    return Payload(values, reader.rest())


def write(layout: Layout, values: object, path: str) -> bytes:
    """`read` undone.

    Raises
    ------
    EncodeError
        If a value is missing, impossible or unknown; the sentence names it, `path` in front.
    """
    if not isinstance(values, Mapping):
        raise EncodeError(f"{path} is {values!r}, wanted an object")
    known = frozenset[str]().union(*(element.names for element in layout))
    unknown = sorted(str(key) for key in values if key not in known)
    if unknown:
        raise EncodeError(f"{path}.{unknown[0]} is not known here; there are: {', '.join(sorted(known)) or 'none'}")
    return b"".join(element.write(values, path) for element in layout)


def explain(layout: Layout, octets: bytes) -> list[Field]:
    """A data unit for people; what does not fit the layout is marked."""
    reader = Reader(octets)
    fields = explain_row(layout, reader, {})
    if reader.left:
        fields.append(Field(TRAILING, reader.rest()))
    return fields


def explain_row(row: Sequence[Part], reader: Reader, values: Json) -> list[Field]:
    """The fields of a row of parts, up to the one for which the octets end too early (``reader.short``)."""
    fields: list[Field] = []
    for part in row:
        at = reader.at
        try:
            fields += part.explain(reader, values)
        except Short:
            reader.at, reader.short = at, True
            fields.append(Field(part.text, reader.rest(), fault=MISMATCH_TEXT))
        if reader.short:
            break
    return fields


def wanted(values: Mapping[str, Any], name: str, path: str) -> Any:
    """The value of a key that must be there."""
    if name not in values:
        raise EncodeError(f"{path}.{name} is missing")
    return values[name]


def wanted_int(value: object, limit: int, path: str) -> int:
    """`value`, a whole number from 0 to `limit`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
        raise EncodeError(f"{path} is {value!r}, wanted a whole number from 0 to {limit}")
    return value


def wanted_list(value: object, path: str) -> list[Any]:
    """`value`, a list."""
    if not isinstance(value, list | tuple):
        raise EncodeError(f"{path} is {value!r}, wanted a list")
    return list(value)


def wanted_octets(value: object, path: str) -> bytes:
    """The octets of hexadecimal text."""
    try:
        return bytes.fromhex(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise EncodeError(f"{path} is {value!r}, wanted octets in hexadecimal") from error


def sized_octets(value: object, size: int, path: str) -> bytes:
    """`wanted_octets`, exactly `size` of them."""
    octets = wanted_octets(value, path)
    if len(octets) != size:
        raise EncodeError(f"{path} has {len(octets)} octets, wanted {size}")
    return octets
