"""Wired M-Bus: values by DIF and VIF in what a slave tells of itself, in as many telegrams as that takes."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from meterweave.errors import ConfigError, DecodeError, EncodeError
from meterweave.metering.decimal import to_text
from meterweave.profiles.section import Section, integer
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
from meterweave.protocols import mbus
from meterweave.protocols.mbus import words
from meterweave.protocols.mbus.head import MORE, Coding, Head
from meterweave.protocols.mbus.header import ANY_MANUFACTURER, ANY_OCTET, Header, SecondaryAddress
from meterweave.protocols.mbus.items import Format
from meterweave.protocols.mbus.master import select
from meterweave.protocols.mbus.message import APPLICATION_ERROR, SEND_DATA
from meterweave.protocols.mbus.record import make_head
from meterweave.protocols.mbus.value import Number, decode_value
from meterweave.text import Text

STATUS = "status"
STATUS_BITS = 8
SECONDARY = re.compile(r"([0-9fF]{8})")
_NUMERIC = (Coding.INTEGER, Coding.BCD, Coding.NEGATIVE_BCD, Coding.REAL)
SIZE_MAX = 8
"""Of a number. [octets]"""
_REAL_MAX = 999_999  # six digits come through 32 bits unchanged
SIMULATED_MANUFACTURER = 0x3697  # MTW


@dataclass(frozen=True, slots=True)
class RecordCell(Cell):
    """A record, known by what its DIF and VIF mean; type and power of ten are the slave's to choose."""

    head: Head | None
    """None: the status octet of the header."""
    correction: Fraction
    """What the profile multiplies with, beside the power of ten that the VIF tells."""
    own_unit: bool = False
    """Whether `unit` is the profile's, as it must be for a maker's VIF."""

    @property
    def name(self) -> str:
        return self.head.octets.hex(" ").upper() if self.head else STATUS

    @property
    def claims(self) -> Iterable[Hashable]:
        return [self.meaning]

    @property
    def meaning(self) -> tuple[object, ...]:
        """What two records have in common that are the same value."""
        head = self.head
        return _meaning(head) if head else ()

    def limits(self) -> tuple[int, int]:
        head = self.head
        if head is None:
            return 0, (1 << STATUS_BITS) - 1
        if head.coding is Coding.REAL:
            return -_REAL_MAX, _REAL_MAX
        if head.format is Format.BITS:
            return 0, (1 << 8 * head.size) - 1
        if head.coding is Coding.INTEGER:
            return -(1 << 8 * head.size - 1), (1 << 8 * head.size - 1) - 1
        # A sign takes the place of the top digit: a minus in BCD, in negative BCD a second one, that makes a plus.
        signed, plain = 10 ** (2 * head.size - 1) - 1, 10 ** (2 * head.size) - 1
        return (-plain, signed) if head.coding is Coding.NEGATIVE_BCD else (-signed, plain)

    @property
    def can_miss(self) -> bool:
        return self.head is not None and self.head.coding is not Coding.INTEGER

    def read(self, record: mbus.Record) -> Sent | None:
        """The value in a record that means the same."""
        octets = record.head.octets + record.data
        value = decode_value(record.head, record.data)
        if value is not None and not isinstance(value, Number):
            return None
        number = None if value is None or "error" in record.head.roles else value
        if number is None:
            return Sent(octets, None, self.factor, self.unit)
        unit = self.unit if self.own_unit else record.head.unit
        return Sent(octets, number.digits, Fraction(10) ** number.exponent * self.correction, unit)

    def write(self, number: int | None) -> mbus.Record:
        """`read` undone."""
        assert self.head is not None  # the status octet is no record
        return mbus.make_record(self.head.octets, None if number is None else to_text(number, self.head.exponent))


_NEUTRAL = ("scale", "add", "error")
_OF_THEIR_OWN = ("manufacturer_specific", "unknown", "text_unit")


def _meaning(head: Head) -> tuple[object, ...]:
    """What a record is, apart from type and power of ten; an item that no table names is known by its octets."""
    which = [vife & ~MORE for vife, one in zip(head.vifes, head.qualifiers, strict=True) if one.role not in _NEUTRAL]
    named: tuple[object, ...] = (head.item.name,)
    if head.item.name in _OF_THEIR_OWN:
        named = (head.item.name, head.octets[len(_data_information(head.octets)) :])
    return *named, head.function, head.storage, head.tariff, head.subunit, *which


def _data_information(octets: bytes) -> bytes:
    """DIF and DIFE at the beginning of a head."""
    end = next(at for at, octet in enumerate(octets) if not octet & MORE)
    return octets[: end + 1]


class MbusSpeech(Speech):
    """M-Bus by primary or secondary address."""

    codec = mbus.CODEC

    def address(self, text: str, settings: Settings) -> str:
        if settings.secondary:
            if not SECONDARY.fullmatch(text):
                raise ConfigError(f"address {text!r} is no secondary address of 8 digits")
            return text.lower()
        number = integer(text)
        if number is None or not 0 <= number <= words.PRIMARY_MAX:
            raise ConfigError(f"address {text!r} is no primary address, 0 to {words.PRIMARY_MAX}")
        return str(number)

    def key(self, address: str) -> int:
        return int(address, 16) if len(address) == 8 else int(address)

    # Checking ---------------------------------------------------------------------------------------------------------

    def cell(self, section: Section, context: Context) -> Cell | None:
        text = section.get("record")
        if text is None:
            return None
        if context.word and text == STATUS:
            return RecordCell(Fraction(1), "", None, Fraction(1))
        head = _head(section, context)
        if head is None:
            return None
        numeric = head.coding in _NUMERIC and 1 <= head.size <= SIZE_MAX
        numeric = numeric and not head.addends and "error" not in head.roles  # what only a telegram can say
        if not numeric or (head.format is not Format.NUMBER) != context.word:
            wanted = Text("word of bits", "状态字") if context.word else Text("measured number", "测量值")
            context.mistakes.add(
                section.at("record"),
                f"record {text} ({head.item.meaning.en}) is no {wanted.en}",
                f"记录{text}（{head.item.meaning.zh}）不是{wanted.zh}",
            )
            return None
        if context.word:
            return RecordCell(Fraction(1), "", head, Fraction(1))
        maker = head.unit in ("raw", "unknown", "text")
        if maker and "unit" not in section.places:
            context.mistakes.add(
                section.place,
                f"unit is missing: record {text} does not tell its own",
                f"缺少unit：记录{text}不带单位",
                Text("add unit, and scale where needed", "请给出unit，必要时给出scale"),
            )
        correction = section.get("scale", Fraction(1))
        factor = correction * Fraction(10) ** head.exponent
        return RecordCell(factor, section.get("unit", head.unit), head, correction, "unit" in section)

    def order(self, name: str, section: Section, context: Context) -> Order | None:
        head = _head(section, context) if "record" in section else None
        octets = bytes.fromhex(section.get("octets", ""))
        if head is None:
            return None
        if len(octets) != head.size:
            context.mistakes.add(
                section.at("octets"),
                f"octets are {len(octets)}, the record holds {head.size}",
                f"octets为{len(octets)}字节，记录应为{head.size}字节",
            )
            return None
        return Order(name, section.get("proven", False), head, octets)

    # Asking -----------------------------------------------------------------------------------------------------------

    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        link = mbus.Link(_bus_address(address, settings))
        first = _secondary(address) if settings.secondary else mbus.encode(link.reset())
        read = Request(mbus.encode(link.request_data()), address, tuple(cells))
        return [Request(first, address, purpose=Purpose.LINK), read]

    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        try:
            said, asked = mbus.decode(reply), mbus.decode(request.octets)
        except DecodeError:
            return Heard(problem=BROKEN)
        if request.purpose is not Purpose.READ:
            return Heard() if isinstance(said, mbus.Acknowledge) else NOT_THIS_DEVICE
        if isinstance(said, mbus.Acknowledge):
            return refusal("the slave has no data", "从站没有数据")
        if not isinstance(said, mbus.Long) or said.control & words.FROM_MASTER or not _from(request, said, settings):
            return NOT_THIS_DEVICE
        if said.ci == APPLICATION_ERROR:
            return refusal("the slave reports an application error", "从站报告应用错误")
        body = said.body
        if not isinstance(body, mbus.VariableData):
            return refusal("the telegram has no data records", "电文中没有数据记录")
        if body.sealed:
            return refusal("the telegram is encrypted", "电文已加密")
        sent: dict[Cell, Sent] = {}
        for cell in request.cells:
            value = _in(cell, body)
            if value is not None:
                sent[cell] = value
        more = None
        if body.records.more_follow and isinstance(asked, mbus.Short):
            left = tuple(cell for cell in request.cells if cell not in sent)
            if left:
                more = request._replace(
                    octets=mbus.encode(mbus.Short(asked.control ^ words.FCB, asked.address)), cells=left
                )
        if sent or more:
            return Heard(sent, more=more)
        return refusal("the telegram has none of the records", "电文中没有所需的记录")

    def send(
        self, order: Order, address: str, numbers: Sequence[int], access: Access, until: datetime, settings: Settings
    ) -> Request:
        link = mbus.Link(_bus_address(address, settings))
        octets = mbus.encode(link.send_records([mbus.Record(order.target, order.octets)]))
        return Request(octets, address, (), Purpose.ORDER, order.name)

    # Answering --------------------------------------------------------------------------------------------------------

    def serve(self, device: Holder, frame: bytes) -> bytes:
        try:
            asked = mbus.decode(frame)
        except DecodeError:
            return b""
        session = device.session
        if isinstance(asked, mbus.Long) and isinstance(asked.body, mbus.Selection):
            session[_SELECTED] = int(asked.body.address.covers(_identity(device)))
            return _reset(session) if session[_SELECTED] else b""
        if isinstance(asked, mbus.Acknowledge) or not _addressed(device, asked.address):
            return b""
        service = asked.control & ~words.FCB
        if isinstance(asked, mbus.Short) and service == words.SND_NKE:
            return _reset(session) if asked.address != words.SELECTED else b""
        if isinstance(asked, mbus.Short):
            return _page(device, asked.control & words.FCB) if service == words.REQ_UD2 else b""
        return _obeyed(device, asked) if service == words.SND_UD and asked.ci == SEND_DATA else b""


_SELECTED, _PAGE, _LAST_BIT = "selected", "page", "last bit"
_ACKNOWLEDGE = mbus.encode(mbus.Acknowledge())


def _addressed(device: Holder, address: int) -> bool:
    if device.settings.secondary:
        return address == words.SELECTED and bool(device.session.get(_SELECTED))
    return address in (int(device.address), words.TEST)


def _reset(session: dict[str, int]) -> bytes:
    """The link begins anew: the next telegram is the first."""
    session[_PAGE], session[_LAST_BIT] = -1, -1
    return _ACKNOWLEDGE


def _page(device: Holder, bit: int) -> bytes:
    """The next telegram, or the last one again where the frame count bit did not change."""
    pages, session = _pages(device), device.session
    if bit != session.get(_LAST_BIT, -1):
        session[_PAGE] = (session.get(_PAGE, -1) + 1) % len(pages)
    session[_LAST_BIT] = bit
    return mbus.encode(pages[session[_PAGE]])


def _head(section: Section, context: Context) -> Head | None:
    text = section.get("record")
    try:
        return make_head(bytes.fromhex(text.replace(" ", "")))
    except (ValueError, EncodeError):
        context.mistakes.add(
            section.at("record"),
            f"record {text!r} is not DIF, DIFE, VIF and VIFE in hexadecimal",
            f"记录{text!r}不是DIF、DIFE、VIF、VIFE的十六进制",
            Text("for instance 0C13: 8 BCD digits, volume in litres", "例如0C13：8位BCD，体积，升"),
        )
        return None


def _bus_address(address: str, settings: Settings) -> int:
    return words.SELECTED if settings.secondary else int(address)


def _secondary(address: str) -> bytes:
    return mbus.encode(select(SecondaryAddress(address, ANY_MANUFACTURER, ANY_OCTET, ANY_OCTET)))


def _from(request: Request, said: mbus.Long, settings: Settings) -> bool:
    """Whether a telegram is from the slave that was asked."""
    if not settings.secondary:
        return said.address == int(request.address) or int(request.address) >= words.PRIMARY_MAX
    header = said.body.header if isinstance(said.body, mbus.VariableData) else None
    if not isinstance(header, Header):
        return True
    wanted = SecondaryAddress(request.address, ANY_MANUFACTURER, ANY_OCTET, ANY_OCTET)
    return wanted.covers(header.address)


def _in(cell: Cell, body: mbus.VariableData) -> Sent | None:
    if not isinstance(cell, RecordCell):
        return None
    if cell.head is None:
        header = body.header
        return None if header is None else Sent(bytes([header.status]), header.status, Fraction(1), "")
    wanted = cell.meaning
    for record in body.records.records:
        if _meaning(record.head) == wanted and record.head.coding in _NUMERIC:
            return cell.read(record)
    return None


def _identity(device: Holder) -> SecondaryAddress:
    digits = device.address if device.settings.secondary else device.address.zfill(8)
    return SecondaryAddress(digits, SIMULATED_MANUFACTURER, 1, _MEDIA[device.utility])


_MEDIA: Mapping[str, int] = {"electricity": 2, "gas": 3, "heat": 4, "water": 7}
"""What a simulated device says that it measures."""


def _pages(device: Holder) -> list[mbus.Long]:
    cells = [cell for cell in device.cells if isinstance(cell, RecordCell)]
    status = next((device.number(cell) or 0 for cell in cells if cell.head is None), 0)
    records = [cell.write(device.number(cell)) for cell in cells if cell.head is not None]
    address = 0 if device.settings.secondary else int(device.address)
    return mbus.build_answer(Header(_identity(device), 1, status, 0), records, address=address)


def _obeyed(device: Holder, asked: mbus.Long) -> bytes:
    records = asked.body.records.records if isinstance(asked.body, mbus.VariableData) else ()
    for order in device.orders:
        if len(records) == 1 and (records[0].head, records[0].data) == (order.target, order.octets):
            device.obey(order.name, ())
            return _ACKNOWLEDGE
    return b""
