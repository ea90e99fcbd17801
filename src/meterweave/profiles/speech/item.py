"""A value at an offset of a data item, in the formats of DL/T 645: what DL/T 645 and CJ/T 188 share."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from meterweave.profiles.section import Section
from meterweave.profiles.speech.base import Cell, Context, Heard, Holder, Order, Part, Sent, refusal
from meterweave.profiles.speech.part import fitting_part, one_of_value_constant
from meterweave.protocols.dlt645.formats import Binary, Bits, Format, Number, parse
from meterweave.protocols.dlt645.frame import DATA_MAX
from meterweave.text import Text


@dataclass(frozen=True, slots=True)
class ItemCell(Cell):
    """A value at an offset of a data item."""

    di: str
    at: int
    format: Format

    @property
    def name(self) -> str:
        return f"{self.di.upper()}+{self.at}" if self.at else self.di.upper()

    @property
    def claims(self) -> Iterable[Hashable]:
        return [(self.di, octet) for octet in range(self.at, self.at + self.format.size)]

    def limits(self) -> tuple[int, int]:
        return number_limits(self.format)

    def read(self, octets: bytes) -> Sent | None:
        """The value in the data of its item; None where they end before it."""
        size = self.format.size
        own = octets[self.at : self.at + size]
        if len(own) < size:
            return None
        return Sent(own, read_number(self.format, own), self.factor, self.unit)


def number_limits(format_: Format) -> tuple[int, int]:
    """The lowest and highest number of a format."""
    if isinstance(format_, Number):
        high = (8 if format_.signed else 10) * 10 ** (2 * format_.size - 1) - 1
        return (-high if format_.signed else 0), high
    return 0, (1 << 8 * format_.size) - (2 if isinstance(format_, Binary) else 1)


def read_number(format_: Format, octets: bytes) -> int | None:
    """The number in the octets of a format; of a word of bits all of it."""
    if isinstance(format_, Number) and set(octets) == {0xFF}:
        return None
    if isinstance(format_, Number | Binary):
        return format_.number(octets)
    return int.from_bytes(octets, "little")


def write_number(format_: Format, number: int | None) -> bytes:
    """`read_number` undone."""
    if number is None:
        return b"\xff" * format_.size
    if isinstance(format_, Number):
        return type(format_)(format_.size, 0, format_.signed).write(str(number))
    return number.to_bytes(format_.size, "little")


def own_format(section: Section, context: Context) -> tuple[Format, Fraction] | None:
    """The format that a section writes itself, and what one step of its number is worth before any scale."""
    notation = section.get("format")
    try:
        format_ = parse(notation)
    except ValueError:
        format_ = None
    if context.word and isinstance(format_, Binary):
        format_ = Bits("", format_.size)  # all ones are a word like others, and no missing number
    numeric = isinstance(format_, Bits if context.word else Number | Binary)
    if format_ is None or not numeric or not 1 <= format_.size <= 8:
        context.mistakes.add(
            section.at("format"),
            f"format {notation!r} is no number of up to 8 octets",
            f"格式{notation!r}不是8字节以内的数",
            Text(
                "write XXXXXX.XX or ±XX.XXXX for BCD, BIN4.2 for binary", "BCD写作XXXXXX.XX或±XX.XXXX，二进制写作BIN4.2"
            ),
        )
        return None
    return format_, Fraction(10) ** getattr(format_, "exponent", 0)


_OWN = Text("at and format tell all of it", "at与format已说明全部")
_AT_ALONE = Text("tell the format, or leave at out", "请给出format，或去掉at")


def without_format(section: Section, context: Context) -> None:
    """Tell what goes with a format only."""
    if "at" in section.places:
        context.mistakes.add(section.at("at"), "at goes with format", "at须与format合用", _AT_ALONE)


def own_cell(section: Section, di: str, context: Context) -> ItemCell | None:
    """The cell of a section that writes offset and format itself."""
    found = own_format(section, context)
    for name in ("element", "field"):
        if name in section.places:
            context.mistakes.add(section.at(name), f"{name} does not go with format", f"{name}不能与format合用", _OWN)
    if found is None:
        return None
    if not context.word and "unit" not in section.places:
        context.mistakes.add(
            section.place,
            "unit is missing: a format of one's own needs it",
            "缺少unit：自定义格式必须给出单位",
            Text("add unit: kWh or whatever the manual says", "按手册填写，如unit: kWh"),
        )
    format_, factor = found
    at = section.get("at", 0)
    if at + format_.size > DATA_MAX:
        context.mistakes.add(
            section.at("at"), f"the value ends behind octet {DATA_MAX} of the data", f"数值超出数据域{DATA_MAX}字节"
        )
        return None
    unit = "" if context.word else section.get("unit", "")
    return ItemCell(factor * section.get("scale", 1), unit, di, at, format_)


def by_item(cells: Sequence[Cell]) -> dict[str, list[ItemCell]]:
    """The cells of every identifier, in order."""
    found: dict[str, list[ItemCell]] = {}
    for cell in cells:
        if isinstance(cell, ItemCell):
            found.setdefault(cell.di, []).append(cell)
    return found


def heard_values(cells: Sequence[Cell], octets: bytes) -> Heard:
    """What the data behind an identifier say."""
    sent: dict[Cell, Sent] = {
        cell: value for cell in cells if isinstance(cell, ItemCell) and (value := cell.read(octets)) is not None
    }
    return Heard(sent) if sent else refusal("the answer ends before the values", "应答中没有所需的数据")


def item_data(cells: Sequence[ItemCell], device: Holder) -> bytes:
    """The data of an item in a simulated device; zero where the profile knows nothing."""
    data = bytearray(max(cell.at + cell.format.size for cell in cells))
    for cell in cells:
        data[cell.at : cell.at + cell.format.size] = write_number(cell.format, device.number(cell))
    return bytes(data)


def item_parts(section: Section, context: Context) -> list[Part]:
    """The parts of an order whose numbers are written in a format."""
    made = []
    for one in section.get("parts", []):
        found = own_format(one, context) if "format" in one else None
        if found is None or not one_of_value_constant(one, context):
            continue
        cell = ItemCell(found[1] * one.get("scale", 1), "", "", 0, found[0])
        part = fitting_part(one, cell, context)
        made += [part] if part else []
    return made


def payload_of(order: Order, numbers: Sequence[int]) -> bytes:
    """The parts of an order as octets."""
    return b"".join(
        write_number(part.cell.format, number)
        for part, number in zip(order.parts, numbers, strict=True)
        if isinstance(part.cell, ItemCell)
    )


def obeyed_payload(order: Order, payload: bytes) -> list[int] | None:
    """The numbers in the payload of a write where it is what `order` sends; None where it is something else."""
    if not payload.startswith(order.octets):
        return None
    numbers, at = [], len(order.octets)
    for part in order.parts:
        assert isinstance(part.cell, ItemCell)
        own = payload[at : at + part.cell.format.size]
        number = read_number(part.cell.format, own) if len(own) == part.cell.format.size else None
        if number is None or (not part.value and number != part.constant):
            return None
        numbers.append(number)
        at += len(own)
    return numbers if at == len(payload) else None
