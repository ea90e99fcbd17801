"""Words of bits: status words, feature words, error octets, each bit with its name (DL/T 645-2007, annexes B and C).

`words.csv` has one row a bit or group of bits: ``word``, ``bit`` the lowest bit, ``width``, ``name``, ``en``, ``zh``
and ``states``: where the bits are no plain flag, the names of their values from 0 up, divided by ``|``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from meterweave.text import Text

WIDTH_MAX = 96
"""The widest word: the active-report status. [bits]"""


@dataclass(frozen=True, slots=True)
class Bit:
    """A bit, or neighbouring bits with one meaning."""

    at: int
    width: int
    name: str
    text: Text
    states: tuple[str, ...]

    def state(self, number: int) -> bool | str:
        """What the bit says in the word `number`."""
        value = number >> self.at & ((1 << self.width) - 1)
        if not self.states:
            return bool(value)
        return self.states[value] if value < len(self.states) else "reserved"


@dataclass(frozen=True, slots=True)
class Word:
    """A table of bits."""

    bits: tuple[Bit, ...]

    def states(self, number: int) -> dict[str, bool | str]:
        """Every named bit of `number` with what it says."""
        return {bit.name: bit.state(number) for bit in self.bits}

    def name_of(self, at: int) -> str:
        """The name of bit `at`, set or not."""
        return next((bit.name for bit in self.bits if bit.at == at), f"reserved_{at}")

    def names(self, number: int) -> list[str]:
        """The names of the set bits of `number`, lowest first."""
        return [self.name_of(at) for at in range(number.bit_length()) if number >> at & 1]

    def number(self, names: Sequence[str]) -> int:
        """`names` undone.

        Raises
        ------
        ValueError
            If a name is not one of this word.
        """
        places = {self.name_of(at): at for at in range(WIDTH_MAX)}
        number = 0
        for name in names:
            if name not in places:
                raise ValueError(f"{name!r} is none of {', '.join(bit.name for bit in self.bits)}")
            number |= 1 << places[name]
        return number


@cache
def _words() -> Mapping[str, Word]:
    table: dict[str, list[Bit]] = {}
    with files(__package__).joinpath("words.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            states = tuple(row["states"].split("|")) if row["states"] else ()
            text = Text(row["en"], row["zh"])
            table.setdefault(row["word"], []).append(Bit(int(row["bit"]), int(row["width"]), row["name"], text, states))
    return {name: Word(tuple(bits)) for name, bits in table.items()}


def word(name: str) -> Word:
    """The word called `name`; a word without named bits where there is no such row."""
    return _words().get(name, Word(()))
