"""CJ/T 188: values by identifier and name in the standard's layouts, or where a maker's manual puts them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction

from meterweave.errors import ConfigError, DecodeError, EncodeError
from meterweave.metering.quantities import by_code
from meterweave.profiles.mistake import nearest
from meterweave.profiles.section import Section
from meterweave.profiles.speech.base import (
    BROKEN,
    NOT_THIS_DEVICE,
    Access,
    Cell,
    Context,
    Heard,
    Holder,
    Order,
    Purpose,
    Request,
    Sent,
    Settings,
    Speech,
    refusal,
)
from meterweave.profiles.speech.item import (
    ItemCell,
    by_item,
    heard_values,
    item_data,
    item_parts,
    obeyed_payload,
    own_cell,
    payload_of,
    without_format,
)
from meterweave.protocols import cjt188
from meterweave.protocols.bcd import encode_bcd
from meterweave.protocols.cjt188.content import Order as Order188
from meterweave.protocols.cjt188.content import content
from meterweave.protocols.cjt188.formats import Digits, Metered, Status
from meterweave.protocols.cjt188.frame import ANSWER, ERROR, Frame
from meterweave.protocols.cjt188.items import Item, Layout, identifiers
from meterweave.protocols.cjt188.meter import meter_kind
from meterweave.protocols.cjt188.units import FIXED_UNITS, UNITS
from meterweave.text import Text

READ, WRITE, READ_ADDRESS = 0x01, 0x04, 0x03
ANY = "aa" * 7
ANY_TYPE = 0xAA
_DIGITS = 14
SIMULATED_UNITS: Mapping[str, int] = {"m3": 0x2C, "J": 0x05, "W": 0x14, "m3/h": 0x35}
"""The unit codes that simulated meters send, by the unit of the quantity: m3, kWh, W, m3/h."""


@dataclass(frozen=True, slots=True)
class FieldCell(Cell):
    """A value of the standard's layout; `factor` and `unit` are those that a simulated meter sends."""

    di: str
    field: str
    digits: int
    """BCD digits; 0: the status word."""
    correction: Fraction

    @property
    def name(self) -> str:
        return f"{self.di.upper()} {self.field}"

    @property
    def claims(self) -> Iterable[Hashable]:
        return [(self.di, self.field)]

    def limits(self) -> tuple[int, int]:
        return 0, (10**self.digits - 1) if self.digits else 0xFFFF

    def read(self, item: Item, octets: bytes) -> Sent | None:
        """The value of its item in an answer, with the unit it brings along; None where that is unknown."""
        form = item.format
        if isinstance(form, Status):
            return Sent(octets, int.from_bytes(octets, "little"), Fraction(1), "")
        if not isinstance(form, Digits):
            return None
        unit = UNITS.get(octets[-1]) if isinstance(form, Metered) else FIXED_UNITS.get(form.unit)
        if unit is None:
            return None
        factor = unit.factor * Fraction(10) ** form.exponent * self.correction
        return Sent(octets, form.number(octets), factor, unit.base)


class Cjt188Speech(Speech):
    """CJ/T 188-2004 and -2018."""

    codec = cjt188.CODEC

    def address(self, text: str, settings: Settings) -> str:
        digits = text.lower()
        if not digits.isalnum() or not digits.isascii() or len(digits) > _DIGITS or digits.strip("0123456789abcdef"):
            raise ConfigError(f"address {text!r} is not up to {_DIGITS} digits")
        return digits.zfill(_DIGITS)

    def key(self, address: str) -> int:
        return int(address, 16)

    # Checking ---------------------------------------------------------------------------------------------------------

    def cell(self, section: Section, context: Context) -> Cell | None:
        di = self._di(section, context)
        if di is None:
            return None
        if "format" in section.places:
            return own_cell(section, di, context) if "format" in section else None
        without_format(section, context)
        if "unit" in section.places:
            text = Text(
                "leave unit out; scale corrects a meter that tells the wrong one", "去掉unit；表计单位有误时用scale修正"
            )
            context.mistakes.add(
                section.at("unit"), "the answer brings the unit of a field", "数据项的单位由应答给出", text
            )
        if "field" not in section.places:
            context.mistakes.add(
                section.place, "a value is named by its field, or by at and format", "数据项应给出field，或at和format"
            )
            return None
        layout = layout_of(int(di, 16), context.settings.meter_type)
        fields = {item.name: item for item in layout.items} if layout else {}
        item = fields.get(section.get("field", ""))
        names = [name for name, one in fields.items() if _is_wanted(one, context)]
        if item is None or item.name not in names:
            context.mistakes.add(
                section.at("field"),
                f"{di.upper()} of this meter type has no such field",
                f"该类型表计的{di.upper()}没有此数据项",
                nearest(section.get("field", ""), names),
            )
            return None
        correction = section.get("scale", Fraction(1))
        if context.word:
            return FieldCell(Fraction(1), "", di, item.name, 0, Fraction(1))
        factor, unit = _simulated(item, context.settings.meter_type)
        return FieldCell(factor * correction, unit, di, item.name, _digits(item), correction)

    def _di(self, section: Section, context: Context) -> str | None:
        di: str | None = section.get("item")
        if di is not None and len(di) != 4:
            context.mistakes.add(
                section.at("item"),
                f"item {di.upper()} has {len(di)} digits, wanted 4",
                f"数据标识{di.upper()}为{len(di)}位，应为4位",
            )
            return None
        return di

    def overlaps(self, cells: Sequence[Cell]) -> list[tuple[int, int]]:
        found = super().overlaps(cells)
        ways: dict[str, int] = {}  # the standard's layout or a maker's own: an item has one
        for index, cell in enumerate(cells):
            if isinstance(cell, FieldCell | ItemCell):
                first = ways.setdefault(cell.di, index)
                found += [(first, index)] if type(cells[first]) is not type(cell) else []
        return found

    def order(self, name: str, section: Section, context: Context) -> Order | None:
        di = self._di(section, context)
        octets = bytes.fromhex(section.get("octets", ""))
        parts = item_parts(section, context)
        if di is None or not (octets or parts):
            context.mistakes.add(
                section.place, f"{name} wants an item with octets or parts", f"{name}应有item加octets或parts"
            )
            return None
        return Order(name, section.get("proven", False), int(di, 16), octets, tuple(parts))

    # Asking -----------------------------------------------------------------------------------------------------------

    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        members: dict[str, list[Cell]] = {}
        for cell in cells:
            if isinstance(cell, FieldCell | ItemCell):
                members.setdefault(cell.di, []).append(cell)
        return [
            Request(self._frame(READ, address, int(di, 16), b"", settings), address, tuple(some))
            for di, some in members.items()
        ]

    def _frame(self, function: int, address: str, di: int, payload: bytes, settings: Settings) -> bytes:
        order: Order188 = "low_first" if settings.low_first else "high_first"
        frame = cjt188.request(function, settings.meter_type, address, di, payload=payload, order=order)
        return cjt188.encode(replace(frame, wake_up=settings.wake_up))

    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        try:
            asked, said = cjt188.decode(request.octets), cjt188.decode(reply)
        except DecodeError:
            return Heard(problem=BROKEN)
        if not said.answer or said.function != asked.function or request.address not in (said.address, ANY):
            return NOT_THIS_DEVICE
        if said.error:
            code = said.data.hex(" ").upper() or "-"
            return refusal(f"the meter refuses with {code}", f"表计拒绝（{code}）")
        parts = content(said)
        if parts.di != content(asked).di:
            return NOT_THIS_DEVICE
        if request.purpose is Purpose.ORDER:
            return Heard()
        own = [cell for cell in request.cells if isinstance(cell, ItemCell)]
        sent: dict[Cell, Sent] = dict(heard_values(own, parts.payload).sent)
        fields = {item.name: (item, octets) for item, octets in cjt188.values(said)}
        for cell in request.cells:
            if isinstance(cell, FieldCell) and cell.field in fields:
                value = cell.read(*fields[cell.field])
                if value is not None:
                    sent[cell] = value
        if sent:
            return Heard(sent)
        return refusal("the answer has another layout than the profile expects", "应答布局与配置不符")

    def send(
        self, order: Order, address: str, numbers: Sequence[int], access: Access, until: datetime, settings: Settings
    ) -> Request:
        payload = order.octets + payload_of(order, numbers)
        octets = self._frame(WRITE, address, order.target, payload, settings)
        return Request(octets, address, (), Purpose.ORDER, order.name)

    # Answering --------------------------------------------------------------------------------------------------------

    def serve(self, device: Holder, frame: bytes) -> bytes:
        try:
            asked = cjt188.decode(frame)
        except DecodeError:
            return b""
        if (
            asked.answer
            or asked.address not in (device.address, ANY)
            or asked.meter_type not in (device.settings.meter_type, ANY_TYPE)
        ):
            return b""
        try:
            said = self._reply(device, asked)
        except EncodeError:
            said = _refused(device, asked)
        return cjt188.encode(replace(said, wake_up=device.settings.wake_up))

    def _reply(self, device: Holder, asked: Frame) -> Frame:
        parts = content(asked)
        if asked.control == READ and parts.di is not None:
            payload = _payload(device, f"{parts.di:04x}")
            if payload is not None:
                return cjt188.reply(asked, payload, meter_type=device.settings.meter_type, address=device.address)
        if asked.control == READ_ADDRESS:
            return Frame(device.settings.meter_type, device.address, asked.control | ANSWER, asked.data)
        for order in device.orders if asked.control == WRITE else ():
            numbers = obeyed_payload(order, parts.payload) if parts.di == order.target else None
            if numbers is not None:
                device.obey(order.name, numbers)
                status = _status(device)
                return cjt188.reply(asked, status, meter_type=device.settings.meter_type, address=device.address)
        return _refused(device, asked)


def layout_of(di: int, meter_type: int) -> Layout | None:
    """The standard's layout of an answer: the first that meters of this type may have."""
    known = identifiers().get(di)
    for rule in known.rules if known else ():
        if rule.from_meter and (not rule.types or f"{meter_type >> 4:X}" in rule.types):
            return rule.layout
    return None


def _is_wanted(item: Item, context: Context) -> bool:
    """Whether an item is a measured number with a unit, or, where that is wanted, the word of bits."""
    form = item.format
    if context.word:
        return isinstance(form, Status)
    return isinstance(form, Metered) or (isinstance(form, Digits) and form.unit in FIXED_UNITS)


def _digits(item: Item) -> int:
    return 2 * (item.format.size - isinstance(item.format, Metered))


def _simulated(item: Item, meter_type: int) -> tuple[Fraction, str]:
    """What one step of an item is worth in a simulated meter, and in which unit."""
    form = item.format
    unit = UNITS[_unit_code(item, meter_type)] if isinstance(form, Metered) else FIXED_UNITS[form.unit]
    return unit.factor * Fraction(10) ** form.exponent, unit.base


def _unit_code(item: Item, meter_type: int) -> int:
    code = item.quantity(meter_kind(meter_type).medium) or next(iter(item.quantities.values()), None)
    return SIMULATED_UNITS.get(by_code()[code].unit if code else "m3", SIMULATED_UNITS["m3"])


def _payload(device: Holder, di: str) -> bytes | None:
    """The data of an identifier in a simulated meter; None where its profile has none."""
    own = by_item(device.cells).get(di)
    if own:
        return item_data(own, device)
    cells = {cell.field: cell for cell in device.cells if isinstance(cell, FieldCell) and cell.di == di}
    layout = layout_of(int(di, 16), device.settings.meter_type) if cells else None
    if layout is None:
        return None
    return b"".join(_item_octets(item, cells.get(item.name), device) for item in layout.items)


def _item_octets(item: Item, cell: FieldCell | None, device: Holder) -> bytes:
    form = item.format
    if isinstance(form, Status):
        return _status(device)
    if not isinstance(form, Digits):
        return bytes(form.size)  # a clock of zeros: the meter has no time
    number = device.number(cell) if cell else 0
    size = _digits(item) // 2
    octets = b"\xff" * size if number is None else encode_bcd(number, size)
    return octets + (bytes([_unit_code(item, device.settings.meter_type)]) if isinstance(form, Metered) else b"")


def _status(device: Holder) -> bytes:
    cell = next((one for one in device.cells if isinstance(one, FieldCell) and not one.digits), None)
    return (device.number(cell) or 0 if cell else 0).to_bytes(2, "little")


def _refused(device: Holder, asked: Frame) -> Frame:
    said = cjt188.reply(asked, meter_type=device.settings.meter_type, address=device.address)
    return replace(said, control=said.control | ERROR, data=bytes([content(asked).ser or 0]) + _status(device))
