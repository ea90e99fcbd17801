"""DL/T 698.45: values by object attribute, several in one GET; orders as methods."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from meterweave.errors import ConfigError, DecodeError, EncodeError
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
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import access, get
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.data import DATA, Data, Tag
from meterweave.protocols.dlt698.datum import SCALED
from meterweave.protocols.dlt698.frame import DIR, PRM, USER_DATA, Link
from meterweave.protocols.dlt698.message import Message
from meterweave.protocols.dlt698.objects import attribute, method, objects
from meterweave.protocols.dlt698.records import ResultNormal
from meterweave.protocols.dlt698.tables import DAR, word
from meterweave.protocols.dlt698.values import BitString
from meterweave.text import Text

CLIENT_ADDRESS = 0x10
NUMBER = 1
"""PIID of every request: one is on its way at a time."""
ELEMENTS_MAX = 255
"""The last element of an attribute that can be told apart."""
NO_OBJECT = 6
"""DAR: object does not exist."""
_TYPE = re.compile(r"([ui]\d+|bits\[(\d+)\]|enum)")
_TAGS: Mapping[str, tuple[Tag, int, int]] = {
    "u8": (Tag.UNSIGNED, 0, 0xFF),
    "i8": (Tag.INTEGER, -0x80, 0x7F),
    "u16": (Tag.LONG_UNSIGNED, 0, 0xFFFF),
    "i16": (Tag.LONG, -0x8000, 0x7FFF),
    "u32": (Tag.DOUBLE_LONG_UNSIGNED, 0, 0xFFFF_FFFF),
    "i32": (Tag.DOUBLE_LONG, -0x8000_0000, 0x7FFF_FFFF),
    "u64": (Tag.LONG64_UNSIGNED, 0, (1 << 64) - 1),
    "i64": (Tag.LONG64, -(1 << 63), (1 << 63) - 1),
}
_BITS_USUAL = 16
_OWN_UNIT = Text("add unit and scale from the manual", "按手册给出unit和scale")


@dataclass(frozen=True, slots=True)
class AttributeCell(Cell):
    """A value of an attribute: all of it, or one element."""

    oad: int
    element: int
    """0: the value itself; else a member of the array or structure, from 1."""
    type: str
    """As a simulated device sends it: ``u32`` and the like, or ``bits``."""
    width: int = 0

    @property
    def name(self) -> str:
        return f"{self.oad:08X}" + (f"#{self.element}" if self.element else "")

    @property
    def claims(self) -> Iterable[Hashable]:
        elements = (self.element,) if self.element else range(ELEMENTS_MAX + 1)
        return [(self.oad, element) for element in elements]

    def limits(self) -> tuple[int, int]:
        if self.type == "bits":
            return 0, (1 << self.width) - 1
        return _TAGS[self.type][1:]

    def read(self, data: Data) -> Sent | None:
        """The value in the data of its attribute; None where it is not among them."""
        if self.element:
            tag, members = data
            if tag not in (Tag.ARRAY, Tag.STRUCTURE) or len(members) < self.element:
                return None
            data = members[self.element - 1]
        tag, value = data
        if tag == Tag.NULL:
            number: int | None = None
        elif tag in SCALED or tag == Tag.ENUM:
            number = value
        elif tag == Tag.BIT_STRING:
            number = sum(1 << bit for bit in value.ones)
        else:
            return None
        return Sent(data_octets(data), number, self.factor, self.unit)

    def write(self, number: int | None) -> Data:
        """`read` undone, without the array around."""
        if number is None:
            return Tag.NULL, None
        if self.type == "bits":
            size = (self.width + 7) // 8
            flags = "".join("1" if number >> bit & 1 else "0" for bit in range(8 * size))
            return Tag.BIT_STRING, BitString(self.width, int(flags, 2).to_bytes(size, "big"))
        return _TAGS[self.type][0], number


def data_octets(data: Data) -> bytes:
    """Data as they are sent."""
    writer = Writer()
    DATA.write(writer, data)
    return bytes(writer.octets)


class Dlt698Speech(Speech):
    """DL/T 698.45 with a device that needs no security."""

    codec = dlt698.CODEC

    def address(self, text: str, settings: Settings) -> str:
        if not (text.isascii() and text.isalnum() and len(text) <= 32) or text.strip("0123456789aAfF"):
            raise ConfigError(f"address {text!r} is not up to 32 digits")
        return text.upper().zfill(12 if len(text) <= 12 else len(text) + len(text) % 2)

    def key(self, address: str) -> int:
        return int(address, 16)

    # Checking ---------------------------------------------------------------------------------------------------------

    def cell(self, section: Section, context: Context) -> Cell | None:
        oad = self._number(section, "item", context)
        if oad is None:
            return None
        element = section.get("element", 0)
        about = attribute(oad | element if element and not oad & 0xFF else oad)
        told = about.scale if about else None
        unit = section.get("unit", told.unit if told else "")
        if not context.word and not unit:
            known = [f"{one:04X}" for one in objects()]
            hint = _OWN_UNIT if about else nearest(f"{oad >> 16:04X}", known)
            context.mistakes.add(
                section.at("item"), f"no table tells the unit of {oad:08X}", f"表中没有{oad:08X}的单位", hint
            )
            return None
        if context.word:
            return AttributeCell(Fraction(1), "", oad, element, *_type(about.type if about else "", True))
        factor = section.get("scale", Fraction(1)) * Fraction(10) ** (told.exponent if told else 0)
        return AttributeCell(factor, unit, oad, element, *_type(about.type if about else "", False))

    def _number(self, section: Section, name: str, context: Context) -> int | None:
        digits: str | None = section.get(name)
        if digits is None:
            return None
        if len(digits) != 8:
            context.mistakes.add(
                section.at(name),
                f"{name} {digits.upper()} has {len(digits)} digits, wanted 8",
                f"{name} {digits.upper()}为{len(digits)}位，应为8位",
            )
            return None
        return int(digits, 16)

    def order(self, name: str, section: Section, context: Context) -> Order | None:
        omd = self._number(section, "method", context)
        if omd is None:
            return None
        if method(omd) is None:
            context.mistakes.remark(
                section.at("method"), f"no table has the method {omd:08X}", f"表中没有方法{omd:08X}"
            )
        octets = bytes.fromhex(section.get("octets", "00"))
        try:
            reader = Reader(octets)
            DATA.read(reader)
            whole = reader.at == reader.end
        except DecodeError:
            whole = False
        if not whole:
            context.mistakes.add(
                section.at("octets"), "octets are not one Data of DL/T 698.45", "octets不是一个完整的Data"
            )
            return None
        return Order(name, section.get("proven", False), omd, octets)

    # Asking -----------------------------------------------------------------------------------------------------------

    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        by_oad: dict[int, list[Cell]] = {}
        for cell in cells:
            if isinstance(cell, AttributeCell):
                by_oad.setdefault(cell.oad, []).append(cell)
        oads = list(by_oad)
        found = []
        for at in range(0, len(oads), settings.items_max):
            some = oads[at : at + settings.items_max]
            apdu: Apdu = (
                get.GetRequestNormal(NUMBER, some[0])
                if len(some) == 1
                else get.GetRequestNormalList(NUMBER, tuple(some))
            )
            members = tuple(cell for oad in some for cell in by_oad[oad])
            found.append(Request(_request(address, apdu, settings), address, members))
        return found

    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        try:
            said = dlt698.decode(reply)
        except DecodeError:
            return Heard(problem=BROKEN)
        if said.link is None or not said.link.from_server or not _meant(request.address, said.link.address):
            return NOT_THIS_DEVICE
        match said.apdu:
            case get.GetResponseNormal() if request.purpose is Purpose.READ:
                return _heard(request, (said.apdu.result,))
            case get.GetResponseNormalList() if request.purpose is Purpose.READ:
                return _heard(request, said.apdu.results)
            case get.GetResponseNext():
                return refusal("the answer comes in blocks: make items_max smaller", "应答分帧：请减小items_max")
            case access.ActionResponseNormal() if request.purpose is Purpose.ORDER:
                return Heard() if said.apdu.dar == 0 else _refused(said.apdu.dar)
        return NOT_THIS_DEVICE

    def send(
        self, order: Order, address: str, numbers: Sequence[int], access_: Access, until: datetime, settings: Settings
    ) -> Request:
        apdu = access.ActionRequest(NUMBER, order.target, DATA.read(Reader(order.octets)))
        return Request(_request(address, apdu, settings), address, (), Purpose.ORDER, order.name)

    # Answering --------------------------------------------------------------------------------------------------------

    def serve(self, device: Holder, frame: bytes) -> bytes:
        try:
            asked = dlt698.decode(frame)
        except DecodeError:
            return b""
        link = asked.link
        if link is None or link.from_server or not _meant(link.address, device.address) or link.address_type > 1:
            return b""
        apdu = self._reply(device, asked.apdu)
        if apdu is None:
            return b""
        back = Link(DIR | PRM | USER_DATA, len(_octets(device.address)) - 1, _octets(device.address), link.ca)
        return dlt698.encode(Message(back, apdu, wake_up=device.settings.wake_up))

    def _reply(self, device: Holder, asked: Apdu | None) -> Apdu | None:
        match asked:
            case get.GetRequestNormal():
                return get.GetResponseNormal(asked.piid, ResultNormal(asked.oad, _held(device, asked.oad)))
            case get.GetRequestNormalList():
                results = tuple(ResultNormal(oad, _held(device, oad)) for oad in asked.oads)
                return get.GetResponseNormalList(asked.piid, results)
            case access.ActionRequest():
                for order in device.orders:
                    if order.target == asked.omd and order.octets == data_octets(asked.param):
                        device.obey(order.name, ())
                        return access.ActionResponseNormal(asked.piid, asked.omd, 0)
                return access.ActionResponseNormal(asked.piid, asked.omd, NO_OBJECT)
        return None


def _type(text: str, is_word: bool) -> tuple[str, int]:
    """How a simulated device sends what the table calls `text`: a type, and of bits how many."""
    match = _TYPE.search(text)
    if is_word:
        return "bits", int(match[2]) if match and match[2] else _BITS_USUAL
    return (match[1], 0) if match and match[1] in _TAGS else ("i32", 0)


def _octets(address: str) -> bytes:
    return bytes.fromhex(address)[::-1]


def _request(address: str, apdu: Apdu, settings: Settings) -> bytes:
    sa = _octets(address)
    wild = 1 if "A" in address else 0
    link = Link(PRM | USER_DATA, wild << 6 | (len(sa) - 1), sa, CLIENT_ADDRESS)
    return dlt698.encode(Message(link, apdu, wake_up=settings.wake_up))


def _meant(asked: str, own: str) -> bool:
    """Whether `asked`, where digits A stand for any, means `own`."""
    return len(asked) == len(own) and all(mine in ("A", theirs) for mine, theirs in zip(asked, own, strict=True))


def _refused(dar: int) -> Heard:
    words = word(DAR, dar)
    return refusal(f"the meter refuses: {words.en} (DAR {dar})", f"电表拒绝：{words.zh}（DAR {dar}）")


def _heard(request: Request, results: Sequence[ResultNormal]) -> Heard:
    found = {one.oad: one for one in results}
    sent: dict[Cell, Sent] = dict(_values(request.cells, found))
    if sent:
        return Heard(sent)
    return next((_refused(one.dar) for one in results if one.dar), NOT_THIS_DEVICE)


def _values(cells: Sequence[Cell], results: Mapping[int, ResultNormal]) -> Iterator[tuple[Cell, Sent]]:
    for cell in cells:
        result = results.get(cell.oad) if isinstance(cell, AttributeCell) else None
        if isinstance(cell, AttributeCell) and result is not None and result.data is not None:
            value = cell.read(result.data)
            if value is not None:
                yield cell, value


def _held(device: Holder, oad: int) -> Data | int:
    """What a simulated device has for an attribute; as int, the DAR that tells why there is nothing."""
    cells = [cell for cell in device.cells if isinstance(cell, AttributeCell) and cell.oad == oad]
    if not cells:
        return NO_OBJECT
    try:
        by_element = {cell.element: cell.write(device.number(cell)) for cell in cells}
    except EncodeError:
        return NO_OBJECT
    if 0 in by_element:
        return by_element[0]
    usual = cells[0].write(0)
    return Tag.ARRAY, tuple(by_element.get(number, usual) for number in range(1, max(by_element) + 1))
