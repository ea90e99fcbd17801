"""DL/T 645-2007 and -1997: values by data identifier, from the tables of the standard or as a manual writes them."""

from __future__ import annotations

from collections.abc import Sequence
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
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands, items
from meterweave.protocols.dlt645.address import WILDCARD, matches, normal
from meterweave.protocols.dlt645.follow import SEQUENCE_MAX, Joining, begin
from meterweave.protocols.dlt645.formats import Binary, Bits, Flags, Number
from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.functions import COMMANDS, Edition
from meterweave.protocols.dlt645.message import parts as parts_of
from meterweave.protocols.dlt645.words import word
from meterweave.text import Text

_DIGITS: dict[Edition, int] = {"dlt645-2007": 8, "dlt645-1997": 4}
_COMMAND_AT = 8  # offset of N1 behind level, password and operator
_WRITE_AT: dict[Edition, int] = {"dlt645-2007": 12, "dlt645-1997": 6}  # where the payload of a write begins
PASSWORD_1997 = "00000000"


class Dlt645Speech(Speech):
    """One edition of DL/T 645."""

    codec = dlt645.CODEC

    def __init__(self, edition: Edition) -> None:
        self.edition: Edition = edition

    def address(self, text: str, settings: Settings) -> str:
        if not (text.isascii() and text.isdecimal() and len(text) <= 12) and text.lower() not in (
            WILDCARD,
            settings.wildcard,
        ):
            raise ConfigError(f"address {text!r} is not up to 12 digits")
        return normal(text)

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
        item = items.find(di)
        if item is None:
            context.mistakes.add(
                section.at("item"),
                f"no table has the item {di.upper()}",
                f"表中没有数据项{di.upper()}",
                Text(
                    "tell its format and unit: format: XXXXXX.XX, unit: kWh",
                    "请给出format和unit，如format: XXXXXX.XX、unit: kWh",
                ),
            )
            return None
        number = section.get("element", 1)
        if number > len(item.elements):
            context.mistakes.add(
                section.at("element"),
                f"{di.upper()} has {len(item.elements)} values, not {number}",
                f"{di.upper()}有{len(item.elements)}个数据，没有第{number}个",
            )
            return None
        return self._table_cell(section, di, item.elements, number, context)

    def _table_cell(
        self, section: Section, di: str, elements: Sequence[items.Element], number: int, context: Context
    ) -> Cell | None:
        element = elements[number - 1]
        sizes = [one.format.size for one in elements[: number - 1]]
        wanted = Bits if context.word else Number | Binary
        if not isinstance(element.format, wanted) or 0 in sizes:
            context.mistakes.add(
                section.at("item"),
                f"{di.upper()} ({element.text.en}) is no {'word of bits' if context.word else 'measured number'}",
                f"{di.upper()}（{element.text.zh}）不是{'状态字' if context.word else '测量值'}",
            )
            return None
        factor = Fraction(10) ** getattr(element.format, "exponent", 0) * section.get("scale", 1)
        unit = "" if context.word else section.get("unit", element.unit)
        return ItemCell(factor, unit, di, sum(sizes), element.format)

    def _di(self, section: Section, context: Context) -> str | None:
        di: str | None = section.get("item")
        if di is None:
            return None
        digits = _DIGITS[self.edition]
        if len(di) != digits:
            context.mistakes.add(
                section.at("item"),
                f"item {di.upper()} has {len(di)} digits, wanted {digits}",
                f"数据标识{di.upper()}为{len(di)}位，应为{digits}位",
            )
            return None
        return di

    def order(self, name: str, section: Section, context: Context) -> Order | None:
        proven = section.get("proven", False)
        if "command" in section.places:
            command = section.get("command")
            names = [one for one, _ in COMMANDS.values()]
            if command is not None and command not in names:
                context.mistakes.add(
                    section.at("command"),
                    f"there is no control command {command!r}",
                    f"没有控制命令{command!r}",
                    nearest(command, names),
                )
            return Order(name, proven, command) if command in names else None
        di = self._di(section, context)
        octets = bytes.fromhex(section.get("octets", ""))
        made = item_parts(section, context)
        if di is None or not (octets or made):
            context.mistakes.add(
                section.place,
                f"{name} wants a command, or an item with octets or parts",
                f"{name}应有command，或item加octets或parts",
            )
            return None
        return Order(name, proven, (di,), octets, tuple(made))

    # Asking -----------------------------------------------------------------------------------------------------------

    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        return [
            Request(
                dlt645.encode(commands.read(address, di)._replace(wake_up=settings.wake_up)), address, tuple(members)
            )
            for di, members in by_item(cells).items()
        ]

    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        try:
            asked, said = dlt645.decode(request.octets), dlt645.decode(reply)
        except DecodeError:
            return Heard(problem=BROKEN)
        if not said.is_reply or said.function != asked.function or not matches(asked.address, said.address):
            return NOT_THIS_DEVICE
        if said.is_error:
            words = _reason(said)
            return refusal(f"the meter refuses: {words.en}", f"电表拒绝：{words.zh}")
        if request.purpose is Purpose.ORDER:
            return Heard()
        size = _DIGITS[self.edition] // 2
        if not said.data:
            return refusal("the meter has no such item", "电表没有该数据项")
        if said.data[:size] != asked.data[:size]:
            return NOT_THIS_DEVICE
        joined: Joining = begin(said) if request.so_far is None else request.so_far.take(said)
        if joined is request.so_far:
            return NOT_THIS_DEVICE
        return (
            heard_values(request.cells, joined.octets[size:]) if joined.complete else _more(request, joined, settings)
        )

    def send(
        self, order: Order, address: str, numbers: Sequence[int], access: Access, until: datetime, settings: Settings
    ) -> Request:
        if isinstance(order.target, str):
            frame = commands.control(address, order.target, access, valid_until=until)
        else:
            payload = order.octets + payload_of(order, numbers)
            (di,) = order.target
            if self.edition == "dlt645-1997":
                frame = commands.write_1997(address, di, payload, PASSWORD_1997)
            else:
                frame = commands.write(address, di, payload, access)
        octets = dlt645.encode(frame._replace(wake_up=settings.wake_up))
        return Request(octets, address, (), Purpose.ORDER, order.name)

    # Answering --------------------------------------------------------------------------------------------------------

    def serve(self, device: Holder, frame: bytes) -> bytes:
        try:
            asked = dlt645.decode(frame)
        except DecodeError:
            return b""
        own = device.address
        if asked.is_reply or not matches(asked.address, own) or "9" * 12 == asked.address != own:
            return b""
        try:
            said = self._reply(device, asked, own)
        except EncodeError:
            said = commands.refusal(asked, "other_error", own=own)
        return dlt645.encode(said._replace(wake_up=device.settings.wake_up))

    def _reply(self, device: Holder, asked: Frame, own: str) -> Frame:
        size = _DIGITS[self.edition] // 2
        if asked.control == 0x13:
            return commands.address_reply(own)
        if asked.control in (0x11, 0x01):
            members = by_item(device.cells).get(asked.data[:size][::-1].hex())
            if members:
                return commands.read_reply(asked, item_data(members, device), own=own)
            return commands.refusal(asked, "no_such_data" if size == 4 else "illegal_data", own=own)
        for order in device.orders:
            numbers = self._obeyed(order, asked)
            if numbers is not None:
                device.obey(order.name, numbers)
                return commands.reply(asked, own=own)
        return commands.refusal(asked, "other_error" if size == 4 else "illegal_data", own=own)

    def _obeyed(self, order: Order, asked: Frame) -> list[int] | None:
        if isinstance(order.target, str):
            command = (
                COMMANDS.get(asked.data[_COMMAND_AT])
                if asked.control == 0x1C and len(asked.data) > _COMMAND_AT
                else None
            )
            return [] if command and command[0] == order.target else None
        (di,) = order.target
        if asked.control not in (0x14, 0x04) or asked.data[: len(di) // 2][::-1].hex() != di:
            return None
        return obeyed_payload(order, asked.data[_WRITE_AT[self.edition] :])


def _more(request: Request, joined: Joining, settings: Settings) -> Heard:
    """The answer has further parts: the request for the next one."""
    if joined.sequence > SEQUENCE_MAX:
        return refusal("the answer has too many parts", "应答的后续帧过多")
    octets = dlt645.encode(joined.request()._replace(wake_up=settings.wake_up))
    return Heard(more=request._replace(octets=octets, so_far=joined))


def _reason(said: Frame) -> Text:
    """The error word of a refusal in words."""
    for part, octets in parts_of(said):
        if isinstance(part.format, Flags):
            names = part.format.read(octets)
            found = [bit.text for bit in word(part.format.name).bits if bit.name in names]
            if found:
                return Text(", ".join(one.en for one in found), "，".join(one.zh for one in found))
    return Text("it does not say why", "未说明原因")
