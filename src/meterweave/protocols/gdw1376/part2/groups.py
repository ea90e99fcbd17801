"""Elements made of others: words whose bits have names, repeated rows, and what may be left out at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part2.layout import (
    Element,
    Layout,
    Reader,
    explain_row,
    sized_octets,
    wanted,
    wanted_int,
    wanted_list,
    write,
)
from meterweave.protocols.gdw1376.part2.scalars import digit_octets, word_octets
from meterweave.protocols.gdw1376.part2.words import Words
from meterweave.text import Text


@dataclass(frozen=True, slots=True)
class Bit:
    """One or more neighbouring bits of a word."""

    name: str
    en: str
    zh: str
    low: int  # the lowest of them
    width: int = 1
    _: KW_ONLY
    unit: str = ""
    words: Words = field(default_factory=dict, hash=False)
    coded: tuple[str, ...] = ()  # the texts that stand for 0, 1, … in JSON
    of: str = ""  # the list whose items it counts

    @property
    def limit(self) -> int:
        """The highest number it holds."""
        return (len(self.coded) or 1 << self.width) - 1

    @property
    def mask(self) -> int:
        """Its bits in the word."""
        return ((1 << self.width) - 1) << self.low

    def of_word(self, word: int) -> int | str:
        """Its JSON value."""
        number = (word & self.mask) >> self.low
        return self.coded[number] if self.coded else number

    def number(self, values: Mapping[str, Any], path: str) -> int:
        """Its number in the word for `values`: 0 where there is no such key, or the length of the list it counts."""
        count = len(wanted_list(values.get(self.of, []), f"{path}.{self.of}")) if self.of else 0
        value = values.get(self.name, self.coded[0] if self.coded else count)
        if self.coded:
            if value not in self.coded:
                raise EncodeError(f"{path}.{self.name} is {value!r}, wanted {' or '.join(self.coded)}")
            return self.coded.index(value)
        number = wanted_int(value, self.limit, f"{path}.{self.name}")
        if self.of and number != count:
            raise EncodeError(f"{path}.{self.name} is {number}, but {path}.{self.of} has {count}")
        return number

    def shown(self, word: int) -> Field:
        """Its field for people, without octets of its own."""
        value = self.of_word(word)
        meaning = self.words.get(value) if isinstance(value, int) else None
        return Field(Text(self.en, self.zh), b"", str(value), self.unit, meaning)


@dataclass(frozen=True, slots=True)
class Bits(Element):
    """A word, low octet first, whose bits have names; with a name of its own it is in JSON as a whole, too."""

    size: int
    bits: tuple[Bit, ...]
    _: KW_ONLY
    form: Literal["word", "octets"] = "word"  # ``0x0001``, or the octets as they are sent
    reserved: bool = False  # whether bits without a name are kept, as `reserved`, where any is set

    @property
    def names(self) -> frozenset[str]:
        own = [name for name in (self.name, "reserved" if self.reserved else "") if name]
        return frozenset((*own, *(bit.name for bit in self.bits)))

    def read(self, reader: Reader, values: Json) -> None:
        octets = reader.take(self.size)
        word = int.from_bytes(octets, "little")
        if self.name:
            values[self.name] = self.whole(octets)
        for bit in self.bits:
            values[bit.name] = bit.of_word(word)
        rest = self.unnamed(word)
        if self.reserved and any(rest):
            values["reserved"] = rest.hex()

    def whole(self, octets: bytes) -> str:
        """The word as its own JSON value."""
        return octets.hex() if self.form == "octets" else f"0x{octets[::-1].hex().upper()}"

    def unnamed(self, word: int) -> bytes:
        """The octets of a word with all named bits cleared."""
        named = 0
        for bit in self.bits:
            named |= bit.mask
        return (word & ~named).to_bytes(self.size, "little")

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        if self.name and self.name in values:
            return self._write_whole(values[self.name], f"{path}.{self.name}")
        word = 0
        for bit in self.bits:
            word |= bit.number(values, path) << bit.low
        if self.reserved and "reserved" in values:
            word |= int.from_bytes(self._write_reserved(values["reserved"], f"{path}.reserved"), "little")
        return word.to_bytes(self.size, "little")

    def _write_whole(self, value: object, path: str) -> bytes:
        return (word_octets if self.form == "word" else sized_octets)(value, self.size, path)

    def _write_reserved(self, value: object, path: str) -> bytes:
        octets = sized_octets(value, self.size, path)
        if self.unnamed(int.from_bytes(octets, "little")) != octets:
            raise EncodeError(f"{path} is {value!r}, wanted octets with no named bit set")
        return octets

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        at = reader.at
        self.read(reader, values)
        octets = reader.octets[at : reader.at]
        word = int.from_bytes(octets, "little")
        parts = [bit.shown(word) for bit in self.bits]
        if any(rest := self.unnamed(word)):
            parts.append(Field(Text("reserved bits that are set", "置位的备用位"), b"", rest.hex(" ").upper()))
        return [Field(self.text, octets, f"{octets[::-1].hex().upper()}H", parts=tuple(parts))]


@dataclass(frozen=True, slots=True)
class Repeat(Element):
    """Rows one after another, a list of objects: as many as the key `count` says, or to the end of the octets."""

    row: Layout
    _: KW_ONLY
    count: str = ""

    def more(self, done: int, reader: Reader, values: Json) -> bool:
        """Whether another row follows `done` rows."""
        return done < values[self.count] if self.count else reader.left > 0

    def read(self, reader: Reader, values: Json) -> None:
        items: list[Json] = []
        values[self.name] = items
        while self.more(len(items), reader, values):
            item: Json = {}
            for element in self.row:
                element.read(reader, item)
            items.append(item)

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        items = wanted_list(wanted(values, self.name, path), f"{path}.{self.name}")
        return b"".join(write(self.row, item, f"{path}.{self.name}[{index}]") for index, item in enumerate(items))

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        at = reader.at
        parts: list[Field] = []
        while not reader.short and self.more(len(parts), reader, values):
            start = reader.at
            row = tuple(explain_row(self.row, reader, {}))
            name = Text(f"{self.en} {len(parts) + 1}", f"{self.zh}{len(parts) + 1}")
            parts.append(Field(name, reader.octets[start : reader.at], parts=row))
        return [Field(self.text, reader.octets[at : reader.at], str(len(parts)), parts=tuple(parts))]


@dataclass(frozen=True, slots=True)
class Addresses(Element):
    """A number of nodes (1 octet) and their addresses: in JSON a list of texts, the number not beside it."""

    def read(self, reader: Reader, values: Json) -> None:
        count = reader.take(1)[0]
        found: list[str] = []
        values[self.name] = found
        for _ in range(count):
            found.append(reader.take(6)[::-1].hex())

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        path = f"{path}.{self.name}"
        addresses = wanted_list(values.get(self.name, []), path)
        count = wanted_int(len(addresses), 255, f"the length of {path}")
        octets = (digit_octets(address, 6, f"{path}[{index}]") for index, address in enumerate(addresses))
        return bytes([count]) + b"".join(octets)

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        at = reader.at
        self.read(reader, values)
        octets = reader.octets[at : reader.at]
        number = Field(Text("number", "数量"), octets[:1], str(octets[0]))
        nodes = (
            Field(
                Text(f"address {index + 1}", f"地址{index + 1}"), octets[6 * index + 1 : 6 * index + 7], address.upper()
            )
            for index, address in enumerate(values[self.name])
        )
        return [Field(self.text, octets, parts=(number, *nodes))]


@dataclass(frozen=True, slots=True)
class Tail(Element):
    """Elements that some senders leave out at the end of the data unit, all together."""

    row: Layout

    @property
    def names(self) -> frozenset[str]:
        return frozenset[str]().union(*(element.names for element in self.row))

    def read(self, reader: Reader, values: Json) -> None:
        if reader.left:
            for element in self.row:
                element.read(reader, values)

    def write(self, values: Mapping[str, Any], path: str) -> bytes:
        if self.names.isdisjoint(values):
            return b""
        return b"".join(element.write(values, path) for element in self.row)

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        return explain_row(self.row, reader, values) if reader.left else []
