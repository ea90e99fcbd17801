"""JSON of devices that speak by themselves: values by their path; nothing is ever asked."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, ClassVar

from meterweave.errors import ConfigError
from meterweave.metering.quantities import Quantity
from meterweave.profiles.document import means
from meterweave.profiles.path import Path, contradict
from meterweave.profiles.section import Section, integer
from meterweave.profiles.speech.base import (
    Access,
    Cell,
    Context,
    Heard,
    Holder,
    Order,
    Request,
    Settings,
    Speech,
    no_answer,
)
from meterweave.profiles.topic import NAME_MAX, device_name
from meterweave.profiles.unit import ratio
from meterweave.protocols.stream import FrameDecoder
from meterweave.text import Text

WORD_BITS = 64
DIGITS_MAX = 15
"""Of the numbers that a simulated device sends: a reader that makes floats of them still has them exactly."""


@dataclass(frozen=True, slots=True)
class JsonCell(Cell):
    """A number, a word of bits, or, with `equals`, one bit: whether the value there is this one."""

    path: Path
    missing: int | None = None
    decimals: int = 0
    """Of the numbers that a simulated device sends."""
    equals: str = ""

    @property
    def name(self) -> str:
        return f"{self.path.text} = {self.equals}" if self.equals else self.path.text

    @property
    def claims(self) -> Iterable[Hashable]:
        return [self.path]

    def limits(self) -> tuple[int, int]:
        if self.equals:
            return 0, 1
        if not self.unit:
            return 0, (1 << WORD_BITS) - 1
        return -(10**DIGITS_MAX) + 1, 10**DIGITS_MAX - 1

    def holds(self, number: int) -> bool:
        low, high = self.limits()
        return low <= number <= high and (self.missing is None or number != self.missing * 10**self.decimals)

    def step(self) -> tuple[Fraction, str]:
        return self.factor / 10**self.decimals, self.unit

    def word(self, value: Any) -> int | None:
        """The word of bits that a value is; None where it is none, or nothing that `equals` can be compared with."""
        if self.equals:
            same = means(value, self.equals)
            return None if same is None else int(same)
        found = integer(value) if isinstance(value, str) and len(value) <= WORD_BITS else value
        return int(found) if isinstance(found, int) and 0 <= found < 1 << WORD_BITS else None


class Deaf(FrameDecoder):
    """Of what a line delivers nothing is a frame: these devices have no line."""

    starts: ClassVar[bytes] = b""
    size_max: ClassVar[int] = 1

    def probe(self, octets: bytes, at: int) -> int | str:
        return "no frames are spoken here"


class JsonSpeech(Speech):
    """Devices that send documents."""

    def answers(self, request: Request) -> FrameDecoder:
        return Deaf()

    def questions(self) -> FrameDecoder:
        return Deaf()

    def address(self, text: str, settings: Settings) -> str:
        name = device_name(text)
        if not name:
            raise ConfigError(f"address {text!r} is no name of 1 to {NAME_MAX} letters a-z, digits and . _ : -")
        return name

    def key(self, address: str) -> int:
        raise ConfigError("a device that speaks JSON has a name and no key of its own")

    def cell(self, section: Section, context: Context) -> Cell | None:
        path: Path | None = section.get("path")
        if path is None:
            return None
        if context.word:
            return JsonCell(Fraction(1), "", path, equals=section.get("equals", ""))
        if "unit" not in section.places:
            context.mistakes.add(
                section.place,
                "unit is missing: JSON does not tell it",
                "缺少unit：JSON本身不说明单位",
                Text("add unit: kWh or whatever the manual says", "按手册填写，如unit: kWh"),
            )
        factor, unit = section.get("scale", Fraction(1)), section.get("unit", "")
        quantity: Quantity | None = section.get("quantity")
        decimals = _decimals(factor, unit, quantity) if quantity and unit else 0
        return JsonCell(factor, unit, path, section.get("missing"), decimals)

    def overlaps(self, cells: Sequence[Cell]) -> list[tuple[int, int]]:
        paths = [cell.path for cell in cells if isinstance(cell, JsonCell)]
        found = []
        for index, path in enumerate(paths):
            above = [other for other in range(index) if paths[other].outer == path.outer]
            found += [(other, index) for other in above if contradict(paths[other], path)][:1]
        return found

    def order(self, name: str, section: Section, context: Context) -> Order | None:
        return None  # the language has no orders for these devices

    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        return []

    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        return no_answer("a device that speaks JSON is not asked", "JSON设备不接受询问")

    def send(
        self, order: Order, address: str, numbers: Sequence[int], access: Access, until: datetime, settings: Settings
    ) -> Request:
        raise ConfigError("a device that speaks JSON takes no orders")

    def serve(self, device: Holder, frame: bytes) -> bytes:
        return b""


def _decimals(factor: Fraction, unit: str, quantity: Quantity) -> int:
    """The most decimals, up to the quantity's own steps, that come through without rounding."""
    worth = ratio(unit, quantity.unit)
    if worth is None:
        return 0
    steps = factor * worth * Fraction(10) ** -quantity.exponent
    return max((count for count in range(10) if (steps / 10**count).denominator == 1), default=0)
