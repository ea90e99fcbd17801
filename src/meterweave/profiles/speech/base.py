"""What a protocol has to do for profiles: name values, ask for them, understand answers; and answer, as a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import Quantity
from meterweave.profiles.mistake import Mistakes
from meterweave.profiles.section import Section
from meterweave.profiles.unit import ratio
from meterweave.protocols.codec import Codec
from meterweave.protocols.dlt645.commands import FOREVER, Access
from meterweave.protocols.stream import FrameDecoder
from meterweave.text import Text

STORED_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Cell(ABC):
    """One value as the device sends it; two cells are equal when they are the same value of the device."""

    factor: Fraction
    """The number sent times this is the value in `unit`; where the device sends a scale, before that."""
    unit: str
    """Empty: a word of bits."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Where it stands, as a manual writes it."""

    @abstractmethod
    def limits(self) -> tuple[int, int]:
        """The lowest and the highest number that fits."""

    @property
    @abstractmethod
    def claims(self) -> Iterable[Hashable]:
        """What of the device's answers is this value, and so cannot be another one."""

    def holds(self, number: int) -> bool:
        """Whether the device can send `number` as a value."""
        low, high = self.limits()
        return low <= number <= high

    def step(self) -> tuple[Fraction, str]:
        """What one step of the number is worth when a simulated device sends it."""
        return self.factor, self.unit

    @property
    def can_miss(self) -> bool:
        """Whether the device has a sign for no value."""
        return True


class Sent(NamedTuple):
    """A value as it came."""

    octets: bytes
    number: int | Fraction | None  # None: the device has no value
    factor: Fraction
    unit: str

    @property
    def text(self) -> str:
        """The number as sent, before any scale."""
        if self.number is None:
            return "-"
        if isinstance(self.number, int):
            return str(self.number)
        return fraction_text(self.number)

    def stored(self, quantity: Quantity) -> tuple[int | None, Quality]:
        """The stored integer of `quantity`, half rounded away from zero, and what is to be said of it."""
        if self.number is None:
            return None, Quality.NO_VALUE
        worth = ratio(self.unit, quantity.unit)
        if worth is None:
            return None, Quality.NO_VALUE
        exact = self.number * self.factor * worth * Fraction(10) ** -quantity.exponent
        whole, rest = divmod(abs(exact.numerator), exact.denominator)
        whole += 2 * rest >= exact.denominator
        if whole > STORED_MAX:
            return None, Quality.OUT_OF_RANGE
        return (-whole if exact < 0 else whole), Quality.ROUNDED if rest else Quality.GOOD


_DECIMALS_MAX = 12


def fraction_text(number: Fraction) -> str:
    """A fraction as a decimal number, cut after twelve decimals where it has more."""
    digits = number.numerator * 10**_DECIMALS_MAX // number.denominator
    whole = to_text(digits, -_DECIMALS_MAX).rstrip("0")
    return whole.rstrip(".")


class Purpose(Enum):
    """What a request is for."""

    LINK = "link"  # to reset or select; carries no values
    READ = "read"
    ORDER = "order"  # changes the device: never to be repeated unasked


class Request(NamedTuple):
    """Octets to send, and what their answer will be about."""

    octets: bytes
    address: str
    cells: tuple[Cell, ...] = ()
    purpose: Purpose = Purpose.READ
    order: str = ""  # name of the order; empty for others
    so_far: Any = None  # what a speech keeps of the parts of an answer that came already


class Heard(NamedTuple):
    """What an answer says."""

    sent: Mapping[Cell, Sent] = MappingProxyType({})
    problem: Text | None = None
    refused: bool = False  # the device answered, and its answer is no; else, with a problem, it is no answer at all
    more: Request | None = None  # to be sent for the rest of the answer


def no_answer(en: str, zh: str) -> Heard:
    """What came is no answer to the request."""
    return Heard(problem=Text(en, zh))


def refusal(en: str, zh: str) -> Heard:
    """The device says no."""
    return Heard(problem=Text(en, zh), refused=True)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of what an order sends: a constant, or a value given with the order."""

    cell: Cell
    value: str = ""  # one of `language.ORDER_VALUES`; empty: the constant
    constant: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """How to tell a device to do something."""

    name: str
    proven: bool
    target: Any
    """Where it goes, in the protocol's own terms."""
    octets: bytes = b""
    parts: tuple[Part, ...] = ()

    def numbers(self, given: Mapping[str, Fraction]) -> list[int]:
        """The number of every part.

        Raises
        ------
        ConfigError
            If a value is missing, not wanted, or cannot be sent exactly.
        """
        wanted = {part.value for part in self.parts if part.value}
        for name in sorted(wanted ^ set(given)):
            raise ConfigError(f"{self.name}: {name} is {'missing' if name in wanted else 'not wanted'}")
        return [self._number(part, given) for part in self.parts]

    def _number(self, part: Part, given: Mapping[str, Fraction]) -> int:
        if not part.value:
            return part.constant
        number = given[part.value] / part.cell.factor
        low, high = part.cell.limits()
        if number.denominator != 1 or not low <= number <= high:
            steps = fraction_text(part.cell.factor)
            raise ConfigError(
                f"{self.name}: {part.value} {fraction_text(given[part.value])} cannot be sent: "
                f"it goes in steps of {steps}, from {low} to {high} of them"
            )
        return int(number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How devices of a model are addressed and may be asked."""

    base: int = 0
    secondary: bool = False
    meter_type: int = 0
    low_first: bool = True
    wildcard: str = ""
    baud: int = 9600
    parity: str = "none"
    stop_bits: int = 1
    wake_up: int = 0
    silence_ms: int = 0
    timeout_ms: int = 1000
    registers_max: int = 125
    gap_max: int = 0
    items_max: int = 8
    pause_ms: int = 0
    period_s: int = 900


@dataclass(frozen=True, slots=True)
class Context:
    """What is known while a section is checked."""

    mistakes: Mistakes
    settings: Settings = field(default_factory=Settings)
    word: bool = False
    """Whether a word of bits is wanted, not a measured number."""


class Holder(Protocol):
    """The simulated device that a speech answers for."""

    address: str
    utility: str
    settings: Settings
    cells: Sequence[Cell]
    session: dict[str, int]
    """What a speech remembers of its conversation."""

    def number(self, cell: Cell) -> int | None:
        """The number that the device sends for `cell` now; None: no value."""
        ...

    def obey(self, order: str, numbers: Sequence[int]) -> None:
        """An order arrived."""
        ...

    @property
    def orders(self) -> Sequence[Order]:
        """The orders the device understands."""
        ...


class Speech(ABC):
    """One protocol."""

    codec: Codec

    def answers(self, request: Request) -> FrameDecoder:
        """Splits what comes back after `request` into frames."""
        return self.codec.decoder()

    def questions(self) -> FrameDecoder:
        """Splits what a device hears into frames."""
        return self.codec.decoder()

    @abstractmethod
    def address(self, text: str, settings: Settings) -> str:
        """An address as frames carry it.

        Raises
        ------
        ConfigError
            If `text` is none.
        """

    @abstractmethod
    def key(self, address: str) -> int:
        """The wire key of the device."""

    @abstractmethod
    def cell(self, section: Section, context: Context) -> Cell | None:
        """The value a section names; None where it names none, and then `context.mistakes` tells why."""

    @abstractmethod
    def order(self, name: str, section: Section, context: Context) -> Order | None:
        """The order a section describes."""

    @abstractmethod
    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        """As few requests as the limits allow for `cells`."""

    @abstractmethod
    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        """What one whole frame says to `request`; whatever it is, nothing is raised."""

    @abstractmethod
    def send(
        self, order: Order, address: str, numbers: Sequence[int], access: Access, until: datetime, settings: Settings
    ) -> Request:
        """The request that gives an order."""

    @abstractmethod
    def serve(self, device: Holder, frame: bytes) -> bytes:
        """What a device answers to one whole frame; empty: it keeps silent."""

    def overlaps(self, cells: Sequence[Cell]) -> list[tuple[int, int]]:
        """Pairs of cells, by index, that claim the same; one pair for each cell that comes too late."""
        claimed: dict[Hashable, int] = {}
        found = []
        for index, cell in enumerate(cells):
            others = [claimed.setdefault(one, index) for one in cell.claims]
            found += [(other, index) for other in others if other != index][:1]
        return found


NOT_THIS_DEVICE = no_answer(
    "the answer is from another device, or to another question", "应答来自其他设备，或并非对此请求的应答"
)
BROKEN = Text("the answer is no whole frame", "应答不是完整的帧")

__all__ = [
    "BROKEN",
    "FOREVER",
    "NOT_THIS_DEVICE",
    "Access",
    "Cell",
    "Context",
    "Heard",
    "Holder",
    "Order",
    "Part",
    "Purpose",
    "Request",
    "Sent",
    "Settings",
    "Speech",
    "no_answer",
    "refusal",
]
