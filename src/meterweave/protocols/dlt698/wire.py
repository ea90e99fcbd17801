"""The grammar of A-XDR as this standard uses it: how one kind of value stands in octets, in JSON and in words.

A `Wire` knows one kind of value in all four forms. Services are classes whose fields carry their wire in the annotation
(``oad: Annotated[int, OAD]``); `Members` reads that annotation, so that a service is written down once and decoding,
encoding, JSON and explanation follow from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Generic, TypeVar, get_type_hints

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.given import integer, mapping, member, naming, octets_of, sequence, sized
from meterweave.protocols.dlt698.names import field_name
from meterweave.protocols.explain import Field
from meterweave.text import Text

T = TypeVar("T")


class Wire(ABC, Generic[T]):
    """One kind of value: `read` and `write` undo each other, and so do `to_json` and `from_json`."""

    flat = False
    """Whether `to_json` gives keys of the object around instead of a value of its own."""

    @abstractmethod
    def read(self, reader: Reader) -> T:
        """The next value; raises `DecodeError`."""

    @abstractmethod
    def write(self, writer: Writer, value: T) -> None:
        """`read` undone; raises `EncodeError`."""

    @abstractmethod
    def to_json(self, value: T) -> Any:
        """The value as JSON has it."""

    @abstractmethod
    def from_json(self, found: Any) -> T:
        """`to_json` undone; raises `EncodeError`."""

    @abstractmethod
    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        """The next value as fields, added to `fields`; whatever is read before a `DecodeError` is there too."""


class Plain(Wire[T]):
    """A kind of value that is one field to people."""

    @abstractmethod
    def words(self, value: T) -> tuple[str, Text | None]:
        """The value as a person writes it, and its meaning."""

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        start = reader.at
        try:
            value = self.read(reader)
        except DecodeError:
            reader.at = start
            raise
        text, meaning = self.words(value)
        fields.append(Field(name, reader.octets[start : reader.at], text, meaning=meaning))


@contextmanager
def group(reader: Reader, name: Text, fields: list[Field]) -> Iterator[list[Field]]:
    """A field made of the fields that the block adds to the list it is given."""
    start = reader.at
    parts: list[Field] = []
    try:
        yield parts
    finally:
        if reader.at > start:
            fields.append(Field(name, reader.octets[start : reader.at], parts=tuple(parts)))


class Unsigned(Plain[int]):
    """An unsigned number of `size` octets, high octet first."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, reader: Reader) -> int:
        return int.from_bytes(reader.take(self.size), "big")

    def write(self, writer: Writer, value: int) -> None:
        writer.unsigned(value, self.size)

    def from_json(self, found: Any) -> int:
        return integer(found, 0, (1 << 8 * self.size) - 1)


class Code(Unsigned):
    """A code of one octet with its words; in JSON ``{"code", "name"}``."""

    def __init__(self, table: Mapping[int, Text]) -> None:
        super().__init__(1)
        self.table = table

    def to_json(self, value: int) -> Any:
        return {"code": value, "name": self.table[value].en if value in self.table else "unknown"}

    def from_json(self, found: Any) -> int:
        if isinstance(found, Mapping):
            found = member(found, "code")
        return super().from_json(found)

    def words(self, value: int) -> tuple[str, Text | None]:
        return str(value), self.table.get(value)


class Hex(Unsigned):
    """A number that people write in hexadecimal: OI, OAD, OMD."""

    def to_json(self, value: int) -> Any:
        return f"{value:0{2 * self.size}X}"

    def from_json(self, found: Any) -> int:
        return int.from_bytes(octets_of(found, self.size), "big")


class Fixed(Plain[bytes]):
    """Octets of fixed number, without a length of their own; in JSON hexadecimal."""

    def __init__(self, size: int) -> None:
        self.size = size

    def read(self, reader: Reader) -> bytes:
        return reader.take(self.size)

    def write(self, writer: Writer, value: bytes) -> None:
        writer.octets += sized(value, self.size)

    def to_json(self, value: bytes) -> Any:
        return value.hex().upper()

    def from_json(self, found: Any) -> bytes:
        return octets_of(found, self.size)

    def words(self, value: bytes) -> tuple[str, Text | None]:
        return value.hex(" ").upper(), None


class Octets(Plain[bytes]):
    """Octets behind their length; in JSON hexadecimal."""

    def read(self, reader: Reader) -> bytes:
        return reader.take(reader.length())

    def write(self, writer: Writer, value: bytes) -> None:
        writer.length(len(sized(value)))
        writer.octets += value

    def to_json(self, value: bytes) -> Any:
        return value.hex().upper()

    def from_json(self, found: Any) -> bytes:
        return octets_of(found)

    def words(self, value: bytes) -> tuple[str, Text | None]:
        return value.hex(" ").upper(), None


def text_json(value: bytes) -> Any:
    """A visible-string in JSON: text where all is printable ASCII, else ``{"raw": hex}``."""
    text = value.decode("latin-1")
    return text if text.isascii() and text.isprintable() else {"raw": value.hex().upper()}


def text_from_json(found: Any) -> bytes:
    """`text_json` undone."""
    if isinstance(found, Mapping):
        return octets_of(member(found, "raw"))
    if not isinstance(found, str) or not found.isascii():
        raise EncodeError(f"{found!r} is no ASCII text; give other octets as {{'raw': hex}}")
    return found.encode("ascii")


def text_words(value: bytes) -> str:
    """A visible-string for people; devices write Chinese in GBK."""
    return value.rstrip(b"\0").decode("gbk", "backslashreplace")


class VisibleString(Octets):
    """Characters behind their number."""

    def to_json(self, value: bytes) -> Any:
        return text_json(value)

    def from_json(self, found: Any) -> bytes:
        return text_from_json(found)

    def words(self, value: bytes) -> tuple[str, Text | None]:
        return text_words(value), None


class FixedString(Fixed):
    """Characters of fixed number, without a length of their own."""

    def to_json(self, value: bytes) -> Any:
        return text_json(value)

    def from_json(self, found: Any) -> bytes:
        return sized(text_from_json(found), self.size)

    def words(self, value: bytes) -> tuple[str, Text | None]:
        return text_words(value), None


class Boolean(Unsigned):
    """A truth value, kept as its octet, because any but 00 is true; JSON tells an octet above 01 beside it."""

    def __init__(self) -> None:
        super().__init__(1)

    def to_json(self, value: int) -> Any:
        return bool(value)

    def from_json(self, found: Any) -> int:
        if not isinstance(found, bool):
            raise EncodeError(f"{found!r} is neither true nor false")
        return int(found)

    def words(self, value: int) -> tuple[str, Text | None]:
        return str(value), Text("true", "真") if value else Text("false", "假")


class Many(Wire[tuple[T, ...]]):
    """SEQUENCE OF: a count and that many of one kind, each of which people call `each`."""

    def __init__(self, one: Wire[T], each: Text) -> None:
        self.one = one
        self.each = each

    def read(self, reader: Reader) -> tuple[T, ...]:
        read = self.one.read
        return tuple([read(reader) for _ in range(reader.count())])

    def write(self, writer: Writer, value: tuple[T, ...]) -> None:
        writer.length(len(value))
        index = 0
        try:
            for index, one in enumerate(value):  # noqa: B007  # the error tells it
                self.one.write(writer, one)
        except EncodeError as error:
            raise EncodeError(f"{index}: {error}") from None

    def to_json(self, value: tuple[T, ...]) -> Any:
        return [self.one.to_json(one) for one in value]

    def from_json(self, found: Any) -> tuple[T, ...]:
        ones = []
        for index, one in enumerate(sequence(found)):
            with naming(index):
                ones.append(self.one.from_json(one))
        return tuple(ones)

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        with group(reader, name, fields) as parts:
            count = explain_count(reader, parts)
            for index in range(1, count + 1):
                self.one.explain(reader, Text(f"{self.each.en} {index}", f"{self.each.zh}{index}"), parts)


def explain_count(reader: Reader, fields: list[Field]) -> int:
    """The next count, added to `fields`."""
    start = reader.at
    try:
        count = reader.count()
    except DecodeError:
        reader.at = start
        raise
    fields.append(Field(Text("count", "个数"), reader.octets[start : reader.at], str(count)))
    return count


def explain_length(reader: Reader, fields: list[Field]) -> int:
    """The next length of octets, added to `fields`; so many octets follow."""
    start = reader.at
    size = reader.length()
    if size > reader.end - reader.at:
        fault = reader.truncated(size)
        reader.at = start
        raise fault
    fields.append(Field(Text("length", "长度"), reader.octets[start : reader.at], str(size)))
    return size


class Maybe(Wire[T | None]):
    """OPTIONAL: 00, or 01 and the value."""

    def __init__(self, one: Wire[T]) -> None:
        self.one = one

    def read(self, reader: Reader) -> T | None:
        return self.one.read(reader) if reader.flag() else None

    def write(self, writer: Writer, value: T | None) -> None:
        writer.octets.append(value is not None)
        if value is not None:
            self.one.write(writer, value)

    def to_json(self, value: T | None) -> Any:
        return None if value is None else self.one.to_json(value)

    def from_json(self, found: Any) -> T | None:
        return None if found is None else self.one.from_json(found)

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        start = reader.at
        if not reader.flag():
            fields.append(Field(name, reader.octets[start : reader.at], meaning=Text("absent", "无")))
            return
        reader.at = start
        with group(reader, name, fields) as parts:
            flag = reader.take(1)
            parts.append(Field(Text("presence", "可选标志"), flag, str(flag[0]), meaning=Text("present", "有")))
            self.one.explain(reader, name, parts)


def wires(kind: type) -> dict[str, Wire[Any]]:
    """The fields of a class that carry their wire in the annotation, in order."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


def json_key(name: str) -> str:
    """The key of a field in JSON: its name, without the underscore that keeps it from being a Python keyword."""
    return name.rstrip("_")


class Members(Wire[T]):
    """SEQUENCE: an object of `kind`, whose annotated fields follow one another."""

    def __init__(self, kind: Callable[..., T]) -> None:
        self.kind = kind
        self.wires = wires(kind)  # type: ignore[arg-type]  # a class, called as what it makes
        self._reads = [wire.read for wire in self.wires.values()]

    def read(self, reader: Reader) -> T:
        return self.kind(*[read(reader) for read in self._reads])

    def write(self, writer: Writer, value: T) -> None:
        name = ""
        try:
            for name, wire in self.wires.items():  # the error tells it
                wire.write(writer, getattr(value, name))
        except EncodeError as error:
            raise EncodeError(f"{name}: {error}") from None

    def to_json(self, value: T) -> Any:
        found: dict[str, Any] = {}
        for name, wire in self.wires.items():
            shown = wire.to_json(getattr(value, name))
            if wire.flat:
                found |= shown
            else:
                found[json_key(name)] = shown
        return found

    def from_json(self, found: Any) -> T:
        return self.kind(**self.arguments(found))

    def arguments(self, found: Any) -> dict[str, Any]:
        """The fields of the object, from JSON. A key that is missing stands for null."""
        table = mapping(found)
        values = {}
        for name, wire in self.wires.items():
            with naming(json_key(name)):
                values[name] = wire.from_json(table if wire.flat else table.get(json_key(name)))
        return values

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        with group(reader, name, fields) as parts:
            self.explain_members(reader, parts)

    def explain_members(self, reader: Reader, fields: list[Field]) -> None:
        """The members as fields side by side."""
        for name, wire in self.wires.items():
            wire.explain(reader, field_name(json_key(name)), fields)


class Choice(Wire[Any]):
    """CHOICE: an octet with the number of the alternative, then the alternative.

    An alternative is a class of its own; in JSON the number stands under `key`, the alternative's fields beside it.
    """

    def __init__(
        self, key: str, alternatives: Mapping[int, tuple[Text, type]], *, named: bool = True, flat: bool = False
    ) -> None:
        self.key = key
        self.named = named
        self.flat = flat
        self.alternatives = {code: (text, Members(kind)) for code, (text, kind) in alternatives.items()}
        self.codes = {kind: code for code, (_, kind) in alternatives.items()}

    def read(self, reader: Reader) -> Any:
        return self._alternative(reader)[1].read(reader)

    def _alternative(self, reader: Reader) -> tuple[Text, Members[Any]]:
        code = reader.octet()
        if code not in self.alternatives:
            raise reader.fault("bad_choice", f"no {self.key} has number {code}", reader.at - 1)
        return self.alternatives[code]

    def write(self, writer: Writer, value: Any) -> None:
        code = self.codes.get(type(value))
        if code is None:
            raise EncodeError(f"{value!r} is no {self.key} here")
        writer.octets.append(code)
        self.alternatives[code][1].write(writer, value)

    def to_json(self, value: Any) -> Any:
        code = self.codes[type(value)]
        text, members = self.alternatives[code]
        return {self.key: code, **({"name": text.en} if self.named else {}), **members.to_json(value)}

    def from_json(self, found: Any) -> Any:
        code = integer(member(found, self.key), 0, 255)
        if code not in self.alternatives:
            raise EncodeError(f"{self.key}: there is no {code}")
        return self.alternatives[code][1].from_json(found)

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        with group(reader, name, fields) as parts:
            start = reader.at
            text, members = self._alternative(reader)
            octets = reader.octets[start : reader.at]
            parts.append(Field(field_name(self.key), octets, str(octets[0]), meaning=text))
            members.explain_members(reader, parts)


class Outcome(Wire[T | int]):
    """0 and a DAR, or 1 and what was asked for; the DAR is the one that is an int. In JSON ``dar`` or `key`."""

    flat = True

    def __init__(self, key: str, one: Wire[T], dar: Wire[int]) -> None:
        self.key = key
        self.one = one
        self.dar = dar

    def read(self, reader: Reader) -> T | int:
        return self.one.read(reader) if read_success(reader) else self.dar.read(reader)

    def write(self, writer: Writer, value: T | int) -> None:
        writer.octets.append(not isinstance(value, int))
        if isinstance(value, int):
            self.dar.write(writer, value)
        else:
            self.one.write(writer, value)

    def to_json(self, value: T | int) -> Any:
        if isinstance(value, int):
            return {"dar": self.dar.to_json(value)}
        shown = self.one.to_json(value)
        return shown if self.one.flat else {self.key: shown}

    def from_json(self, found: Any) -> T | int:
        if "dar" in found:
            return self.dar.from_json(found["dar"])
        return self.one.from_json(found if self.one.flat else member(found, self.key))

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        if explain_success(reader, fields):
            self.one.explain(reader, name, fields)
        else:
            self.dar.explain(reader, field_name("dar"), fields)


def read_success(reader: Reader) -> bool:
    """The octet before a result: 0 a DAR follows, 1 what was asked for."""
    choice = reader.octet()
    if choice > 1:
        raise reader.fault("bad_choice", f"no result has number {choice}", reader.at - 1)
    return choice == 1


def explain_success(reader: Reader, fields: list[Field]) -> bool:
    """`read_success`, added to `fields`."""
    start = reader.at
    success = read_success(reader)
    octets = reader.octets[start : reader.at]
    meaning = Text("data follow", "数据") if success else Text("an error follows", "错误信息")
    fields.append(Field(Text("kind of result", "结果类型"), octets, str(octets[0]), meaning=meaning))
    return success
