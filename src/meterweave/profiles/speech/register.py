"""A value in Modbus registers, and how the registers of many values are gathered into few reads."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from meterweave.metering.decimal import to_text
from meterweave.profiles.speech.base import Cell, Sent, Settings
from meterweave.protocols.modbus.words import TYPES, Float, Number, Word, reorder

POWER_MAX = 10
"""Beyond this power of ten a scale register holds no scale (SunSpec sunssf: -10 to 10, 8000H not implemented)."""
SIMULATED_POWER = -1
"""The power of ten in the scale registers of simulated devices."""
_FLOAT_MAX = 1 << 24


class Bcd(Number):
    """Decimal digits, two an octet."""

    __slots__ = ()

    def number(self, octets: bytes) -> int | None:
        digits = reorder(octets, self.order).hex()
        return int(digits) if digits.isdecimal() else None

    def to_json(self, octets: bytes) -> dict[str, object]:
        number = self.number(octets)
        return {"value": None if number is None else to_text(number, self.exponent), "unit": self.unit}

    def from_json(self, value: Mapping[str, object]) -> bytes:
        return reorder(bytes.fromhex(str(value["value"]).zfill(2 * self.size)), self.order)


def register_word(type_: str, order: str) -> Word:
    """How a number of a type of the language lies in its registers."""
    if type_.startswith("bcd"):
        return Bcd(int(type_[3:]) // 8, 0, order)
    known = {"high8": "H8", "low8": "L8"}.get(type_, type_.upper())
    kind, size, first = TYPES[known]
    return kind(size, first, order)


@dataclass(frozen=True, slots=True)
class RegisterCell(Cell):
    """A value in registers."""

    function: int
    start: int  # the first register
    word: Word
    missing: int | None = None
    scale_register: int | None = None

    @property
    def name(self) -> str:
        return f"{self.start:04X}H"

    @property
    def count(self) -> int:
        """Registers it takes."""
        return (self.word.size + 1) // 2

    @property
    def claims(self) -> Iterable[Hashable]:
        return [(self.function, octet) for octet in self.octets]

    @property
    def octets(self) -> range:
        """The octets it takes, counted from register 0."""
        first = 2 * self.start + self.word.first
        return range(first, first + self.word.size)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First register and count of all it needs."""
        own = [(self.start, self.count)]
        return own if self.scale_register is None else [*own, (self.scale_register, 1)]

    def limits(self) -> tuple[int, int]:
        bits = 8 * self.word.size
        if isinstance(self.word, Float):
            return -_FLOAT_MAX, _FLOAT_MAX
        if isinstance(self.word, Bcd):
            return 0, 10 ** (2 * self.word.size) - 1
        signed = getattr(self.word, "signed", False)
        return (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def holds(self, number: int) -> bool:
        if self.missing is not None and number % (1 << 8 * self.word.size) == self.missing:
            return False
        low, high = self.limits()
        return low <= number <= high

    def step(self) -> tuple[Fraction, str]:
        power = 0 if self.scale_register is None else SIMULATED_POWER
        return self.factor * Fraction(10) ** power, self.unit

    @property
    def can_miss(self) -> bool:
        return self.missing is not None or isinstance(self.word, Float | Bcd)

    def read(self, registers: Mapping[int, int]) -> Sent:
        """The value in the registers of an answer."""
        octets = b"".join(registers[self.start + at].to_bytes(2, "big") for at in range(self.count))
        own = octets[self.word.first : self.word.first + self.word.size]
        assert isinstance(self.word, Number)  # the types of the language are numbers
        number = self.word.number(own)
        if self.missing is not None and int.from_bytes(reorder(own, self.word.order), "big") == self.missing:
            number = None
        if self.scale_register is None:
            return Sent(own, number, self.factor, self.unit)
        power = int.from_bytes((sent := registers[self.scale_register].to_bytes(2, "big")), "big", signed=True)
        if abs(power) > POWER_MAX:
            return Sent(own + sent, None, self.factor, self.unit)
        return Sent(own + sent, number, self.factor * Fraction(10) ** power, self.unit)

    def write(self, number: int | None) -> bytes:
        """`read` undone: the octets of its own registers, a half register alone beside zero."""
        own = self._nothing() if number is None else self.word.from_json({"value": str(number)})
        return bytes(self.word.first) + own + bytes(2 * self.count - self.word.first - len(own))

    def _nothing(self) -> bytes:
        if self.missing is not None:
            return reorder(self.missing.to_bytes(self.word.size, "big"), self.word.order)
        return self.word.from_json({"value": None}) if isinstance(self.word, Float) else b"\xff" * self.word.size


def gathered(cells: Sequence[Cell], settings: Settings) -> Iterator[tuple[int, int, int, list[Cell]]]:
    """Function, first register, count and cells of every read; as few reads as the limits allow."""
    wanted = sorted(
        (cell for cell in cells if isinstance(cell, RegisterCell)),
        key=lambda cell: (cell.function, first_register(cell)),
    )
    while wanted:
        head = wanted[0]
        first, end = first_register(head), end_register(head)
        members: list[Cell] = [head]
        for cell in wanted[1:]:
            joins = cell.function == head.function and first_register(cell) <= end + settings.gap_max
            if joins and max(end, end_register(cell)) - first <= settings.registers_max:
                members.append(cell)
                end = max(end, end_register(cell))
        wanted = [cell for cell in wanted if cell not in members]
        yield head.function, first, end - first, members


def first_register(cell: RegisterCell) -> int:
    """The first register a value needs."""
    return min(first for first, _ in cell.spans)


def end_register(cell: RegisterCell) -> int:
    """The register behind the last one a value needs."""
    return max(first + count for first, count in cell.spans)
