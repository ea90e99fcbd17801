"""`Data`, the value that carries its type: a tag, then whatever the tag says.

A Data is the plain tuple ``(tag, value)``, because one frame may hold a thousand of them. Which tags there are is in
`data`, which fills `DATA`; the types that hold Data themselves (`selection`) need it before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from meterweave.errors import EncodeError
from meterweave.metering.decimal import to_text
from meterweave.protocols.dlt698 import tables
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.given import integer, member, naming
from meterweave.protocols.dlt698.objects import Attribute
from meterweave.protocols.dlt698.wire import Many, Wire, explain_count, group
from meterweave.protocols.explain import Field
from meterweave.text import Text

Data = tuple[int, Any]
"""A tag and a value."""


About = Attribute | Sequence[Attribute | None] | None
"""What is known about a Data: the attribute it belongs to, or that of each of its elements."""


BOOL = 3
"""The tag of truth values; an octet that is neither 00 nor 01 stands beside the value in JSON."""


class DataType(NamedTuple):
    """One type of Data."""

    name: str  # as the standard and the decoder's JSON write it
    meaning: Text
    wire: Wire[Any]


class DataWire(Wire[Data]):
    """A tag, then a value of the type it names."""

    def __init__(self) -> None:
        self.types: Mapping[int, DataType] = {}
        self._tags: Mapping[str, int] = {}
        self._reads: list[Callable[[Reader], Any] | None] = [None] * 256

    def define(self, types: Mapping[int, DataType]) -> None:
        """Set the types by tag."""
        self.types = types
        self._tags = {one.name: int(tag) for tag, one in types.items()}
        self._reads = [types[tag].wire.read if tag in types else None for tag in range(256)]

    def read(self, reader: Reader) -> Data:
        at = reader.at
        if at >= reader.end:
            raise reader.truncated(1)
        tag = reader.octets[at]
        read = self._reads[tag]
        if read is None:
            raise reader.fault("bad_data_tag", f"no data type has tag {tag}", at)
        reader.at = at + 1
        return tag, read(reader)

    def write(self, writer: Writer, value: Data) -> None:
        if not isinstance(value, tuple) or len(value) != 2 or value[0] not in self.types:
            raise EncodeError(f"{value!r} is no data: a tag and a value")
        writer.octets.append(value[0])
        self.types[value[0]].wire.write(writer, value[1])

    def to_json(self, value: Data) -> Any:
        tag, held = value
        one = self.types[tag]
        found = {"type": one.name, "value": one.wire.to_json(held)}
        return found | {"octet": held} if tag == BOOL and held > 1 else found

    def from_json(self, found: Any) -> Data:
        name = member(found, "type")
        tag = self._tags.get(name) if isinstance(name, str) else None
        if tag is None:
            raise EncodeError(f"type: there is no data type {name!r}")
        if tag == BOOL and "octet" in found:
            with naming("octet"):
                return tag, integer(found["octet"], 0, 0xFF)
        with naming("value"):
            return tag, self.types[tag].wire.from_json(found.get("value"))

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        self.explain_about(reader, name, fields, None)

    def explain_about(self, reader: Reader, name: Text, fields: list[Field], about: About) -> None:
        """`explain`, knowing what the value is, hence its scale and the names of its elements."""
        with group(reader, name, fields) as parts:
            tag, one = self._explain_tag(reader, parts)
            if isinstance(one.wire, Elements):
                one.wire.explain_elements(reader, name, parts, about)
                return
            one.wire.explain(reader, name, parts)
        if len(parts) == 2 and not parts[1].parts:
            fields[-1] = _plain(fields[-1], tag, about)

    def _explain_tag(self, reader: Reader, fields: list[Field]) -> tuple[int, DataType]:
        """The tag as a field; an unknown one raises and is no field."""
        at = reader.at
        tag = reader.octet()
        one = self.types.get(tag)
        if one is None:
            raise reader.fault("bad_data_tag", f"no data type has tag {tag}", at)
        fields.append(Field(Text("data type", "数据类型"), reader.octets[at : at + 1], str(tag), meaning=one.meaning))
        return tag, one


ENUM = 22
"""The tag of enumerations."""

ENUMERATIONS: Mapping[tuple[int, int], Mapping[int, Text]] = {
    (7, 8): tables.REPORT_FLAGS,
    (24, 11): tables.REPORT_FLAGS,
    (18, 3): tables.FILE_RESULTS,
}
"""The words of enumerations by interface class and attribute number."""

SCALED = frozenset((5, 6, 15, 16, 17, 18, 20, 21))
"""The tags of plain integers, which an attribute's scale applies to."""


def _plain(field: Field, tag: int, about: About) -> Field:
    """The field of a plain value, which tells the value itself, scaled where it has a scale, instead of by parts."""
    kind, shown = field.parts
    value, unit = shown.value, ""
    if tag in SCALED and isinstance(about, Attribute) and about.scale:
        value, unit = to_text(int(value), about.scale.exponent), about.scale.unit
    return Field(field.name, field.octets, value, unit, _enumerated(shown, tag, about) or shown.meaning or kind.meaning)


def _enumerated(shown: Field, tag: int, about: About) -> Text | None:
    """The words of an enumeration's code, where the attribute has some."""
    if tag != ENUM or not isinstance(about, Attribute):
        return None
    return ENUMERATIONS.get((about.interface, about.oad >> 8 & 0x1F), {}).get(int(shown.value))


DATA = DataWire()


class Nested(Wire[Any]):
    """A value that may hold Data again: one level deeper, with the limit that keeps hostile octets from nesting on."""

    def __init__(self, one: Wire[Any]) -> None:
        self.one = one

    def read(self, reader: Reader) -> Any:
        reader.descend()
        value = self.one.read(reader)
        reader.depth -= 1
        return value

    def write(self, writer: Writer, value: Any) -> None:
        writer.descend()
        self.one.write(writer, value)
        writer.depth -= 1

    def to_json(self, value: Any) -> Any:
        return self.one.to_json(value)

    def from_json(self, found: Any) -> Any:
        return self.one.from_json(found)

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        reader.descend()
        self.one.explain(reader, name, fields)
        reader.depth -= 1


def _element(about: About, index: int) -> Attribute | None:
    """What is known about the element at `index`, which counts from 1."""
    if isinstance(about, Attribute):
        return about.element(min(index, 0xFF)) if about.elements else about
    return about[index - 1] if about and index <= len(about) else None


class Elements(Nested):
    """The Data of an array or a structure."""

    def __init__(self) -> None:
        super().__init__(Many(DATA, Text("element", "元素")))

    def explain_elements(self, reader: Reader, name: Text, fields: list[Field], about: About) -> None:
        """The elements, named and scaled as `about` knows them."""
        reader.descend()
        for index in range(1, explain_count(reader, fields) + 1):
            one = _element(about, index)
            called = one.meaning if one and one is not about else Text(f"{name.en}.{index}", f"{name.zh}.{index}")
            DATA.explain_about(reader, called, fields, one)
        reader.depth -= 1
