"""The registers of known meters, from ``blocks.csv``, ``registers.csv`` and ``bits.csv``.

``blocks.csv``: ``block`` its name; ``model``; ``address`` of the first register, as sent, hexadecimal; ``count`` of
registers; ``guess`` yes where an answer of that many registers is taken for this block when nobody says what was asked;
``en``, ``zh`` the meaning; ``clause``.

``registers.csv``: ``block``; ``address``; ``name`` in JSON; ``type`` a word of `words.TYPES`; ``order`` one of
`words.ORDERS`; ``exponent``; ``unit``; ``obis`` of the quantity; ``en``, ``zh``.

``bits.csv``: ``item`` a register of flags; ``bit`` 0 to 15; ``name``; ``en``, ``zh``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.metering.quantities import obis_code
from meterweave.protocols.modbus.words import TYPES, Word
from meterweave.text import Text


class Bit(NamedTuple):
    """One flag of a register."""

    bit: int
    name: str
    meaning: Text


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One value of a block; there is one object of each, and it equals no other."""

    name: str
    at: int  # offset from the first register of the block [octets]
    word: Word
    quantity: int | None
    meaning: Text
    bits: tuple[Bit, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Registers that are read together."""

    name: str
    model: str
    address: int
    count: int  # [registers]
    guess: bool
    items: tuple[Item, ...]
    meaning: Text
    clause: str


class Value(NamedTuple):
    """An item and the octets that stand for it."""

    item: Item
    octets: bytes


@cache
def blocks() -> Mapping[str, Block]:
    """Every block by its name."""
    bits: dict[str, list[Bit]] = {}
    for row in _rows("bits.csv"):
        bits.setdefault(row["item"], []).append(Bit(int(row["bit"]), row["name"], Text(row["en"], row["zh"])))
    items: dict[str, list[Mapping[str, str]]] = {}
    for row in _rows("registers.csv"):
        items.setdefault(row["block"], []).append(row)
    table = {}
    for row in _rows("blocks.csv"):
        name, address = row["block"], int(row["address"], 16)
        table[name] = Block(
            name,
            row["model"],
            address,
            int(row["count"]),
            row["guess"] == "yes",
            tuple(_item(item, address, tuple(bits.get(item["name"], ()))) for item in items[name]),
            Text(row["en"], row["zh"]),
            row["clause"],
        )
    return MappingProxyType(table)


def _item(row: Mapping[str, str], base: int, bits: tuple[Bit, ...]) -> Item:
    kind, size, first = TYPES[row["type"]]
    return Item(
        row["name"],
        2 * (int(row["address"], 16) - base) + first,
        kind(size, first, row["order"], int(row["exponent"]), row["unit"]),
        obis_code(row["obis"]) if row["obis"] else None,
        Text(row["en"], row["zh"]),
        bits if row["type"] == "B16" else (),
    )


def _rows(name: str) -> list[dict[str, str]]:
    with files("meterweave.protocols.modbus").joinpath(name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def find_block(address: int, count: int, model: str | None = None) -> Block | None:
    """The block of these registers: the one that is exactly they, else the one that holds them.

    Registers mean different things in different models. Where blocks of more than one hold them, and `model` does not
    say which, there is no answer.
    """
    known = [block for block in blocks().values() if model in (None, block.model)]
    for block in known:
        if (block.address, block.count) == (address, count):
            return block
    holding = [block for block in known if block.address <= address and address + count <= block.address + block.count]
    return holding[0] if len({block.model for block in holding}) == 1 else None


@cache
def guess_block(count: int) -> Block | None:
    """What an answer of `count` registers most likely is, when nobody says what was asked."""
    return next((block for block in blocks().values() if block.guess and block.count == count), None)


def split(octets: bytes, block: Block, address: int) -> list[Value]:
    """The values of `block` in the octets of registers from `address`; those only partly there are left out."""
    base = 2 * (address - block.address)
    return [
        Value(item, octets[item.at - base : item.at - base + item.word.size])
        for item in block.items
        if item.at >= base and item.at + item.word.size <= base + len(octets)
    ]


def join(values: Sequence[tuple[Item, bytes]], block: Block) -> bytes:
    """The octets of all registers of `block` with these values; zero where there is none."""
    octets = bytearray(2 * block.count)
    for item, part in values:
        octets[item.at : item.at + item.word.size] = part
    return bytes(octets)
