"""Data records and the fixed structure field by field, for `explain`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from meterweave.errors import DecodeError
from meterweave.metering.decimal import to_text
from meterweave.protocols.explain import Field
from meterweave.protocols.mbus.fixed import MEDIA, SIZE, FixedUnit, decode_fixed
from meterweave.protocols.mbus.head import FILLER, GLOBAL_READOUT, MORE, SPECIAL, VARIABLE, Coding, Head
from meterweave.protocols.mbus.items import TEXT_UNIT
from meterweave.protocols.mbus.pieces import Piece, as_number, as_octet, cut, octet_text, octets_text, rest
from meterweave.protocols.mbus.record import LAST, MORE_FOLLOW, Record, read_head
from meterweave.text import Text

_FUNCTIONS = {
    "instantaneous": Text("instantaneous value", "瞬时值"),
    "maximum": Text("maximum", "最大值"),
    "minimum": Text("minimum", "最小值"),
    "error": Text("value during error state", "故障期间的值"),
}
_CODINGS = {
    Coding.NONE: Text("no data", "无数据"),
    Coding.SELECTION: Text("selection for readout", "选择读出"),
    Coding.INTEGER: Text("integer", "整数"),
    Coding.REAL: Text("32-bit real", "32位浮点数"),
    Coding.BCD: Text("BCD", "BCD码"),
    Coding.NEGATIVE_BCD: Text("negative BCD", "负BCD码"),
    Coding.TEXT: Text("text", "文本"),
}


def explain_records(octets: bytes, msb: bool) -> Iterator[Field]:
    """The records in `octets`, and what stands behind them; where no record can be told, the octets as they are."""
    at = 0
    while at < len(octets):
        dif = octets[at]
        if dif == FILLER:
            yield Field(Text("filler", "填充"), octets[at : at + 1], octet_text(dif))
            at += 1
            continue
        if dif & SPECIAL == SPECIAL and dif != GLOBAL_READOUT:
            yield _tail(octets[at:])
            return
        try:
            head, begin = read_head(octets, at)
        except DecodeError:
            break
        end = begin + head.size
        if head.coding is Coding.RESERVED or end > len(octets):
            break
        data = octets[begin:end]
        yield _record(Record(head, data[::-1] if msb else data), data)
        at = end
    yield from rest(octets[at:])


_TAILS = {
    LAST: Text("manufacturer data to the end", "至末尾为厂商数据"),
    MORE_FOLLOW: Text("manufacturer data to the end; more records in the next telegram", "厂商数据；后续帧还有记录"),
}


def _tail(octets: bytes) -> Field:
    meaning = _TAILS.get(octets[0], Text("reserved code; nothing behind can be told", "保留代码；其后无法解析"))
    parts = (Field(Text("DIF", "DIF"), octets[:1], octet_text(octets[0]), meaning=meaning), *rest(octets[1:]))
    return Field(Text("end of the records", "记录结束"), octets, octets_text(octets[1:]), meaning=meaning, parts=parts)


def _record(record: Record, data: bytes) -> Field:
    """One record; `data` as they are on the wire."""
    head, value = record.head, record.text
    unit = "" if head.unit in _KINDS_OF_VALUE else head.unit
    data_field = Field(Text("data", "数据"), data, value or "", unit, None if value is not None else _NO_VALUE)
    return Field(
        head.item.meaning,
        head.octets + data,
        value or "",
        unit,
        _record_meaning(record),
        parts=(*_head_fields(head), *([data_field] if data else [])),
    )


_KINDS_OF_VALUE = frozenset(("1", "text", "bits", "raw", "unknown", "date", "local time"))  # no units for people
_NO_VALUE = Text("no value", "无有效值")


def _record_meaning(record: Record) -> Text:
    """Function, storage, tariff, sub-unit and what the VIFE say, in words."""
    head = record.head
    said = [_FUNCTIONS[head.function]]
    for number, en, zh in (
        (head.storage, "storage", "存储"),
        (head.tariff, "tariff", "费率"),
        (head.subunit, "sub-unit", "子单元"),
    ):
        if number:
            said.append(Text(f"{en} {number}", f"{zh}{number}"))
    said += [qualifier.meaning for qualifier in head.qualifiers]
    if record.later:
        later, said_later = record.later
        said.append(
            Text(
                f"by later editions {later.meaning.en} {said_later} {later.unit}",
                f"按后续版本为{later.meaning.zh} {said_later} {later.unit}",
            )
        )
    return Text(", ".join(text.en for text in said), "，".join(text.zh for text in said))


def _head_fields(head: Head) -> Iterator[Field]:
    octets = head.octets
    if octets[0] == GLOBAL_READOUT:
        yield Field(Text("DIF", "DIF"), octets, octet_text(octets[0]), meaning=Text("global readout", "全部读出"))
        return
    at = 0
    yield Field(Text("DIF", "DIF"), octets[:1], octet_text(octets[0]), meaning=_CODINGS[head.coding])
    while octets[at] & MORE:
        at += 1
        yield Field(Text("DIFE", "DIFE"), octets[at : at + 1], octet_text(octets[at]))
    end = len(octets) - (octets[0] & 0x0F == VARIABLE)
    yield from _value_information(head, octets[at + 1 : end])
    yield from cut(octets[end:], (Piece(Text("length of variable data (LVAR)", "变长数据长度（LVAR）"), 1, as_octet),))


def _value_information(head: Head, octets: bytes) -> Iterator[Field]:
    """VIF, extension code, text of the unit, VIFE."""
    behind = len(octets) - len(head.vifes)
    yield Field(Text("VIF", "VIF"), octets[:1], octet_text(octets[0]), meaning=head.item.meaning)
    if octets[0] & ~MORE == TEXT_UNIT:
        yield Field(Text("length of the unit", "单位文本长度"), octets[1:2], str(octets[1]))
        if behind > 2:
            yield Field(Text("unit", "单位"), octets[2:behind], head.unit)
    elif behind > 1:
        yield Field(Text("extended VIF", "扩展VIF"), octets[1:2], octet_text(octets[1]), meaning=head.item.meaning)
    for vife, qualifier in zip(head.vifes, head.qualifiers, strict=True):
        yield Field(Text("VIFE", "VIFE"), bytes([vife]), octet_text(vife), meaning=qualifier.meaning)


def explain_fixed(octets: bytes, msb: bool) -> Iterator[Field]:
    """The fixed structure; as far as the octets go where it is cut short."""
    padded = decode_fixed(octets.ljust(SIZE, b"\x00"), msb=msb)
    (number1, number2), (unit1, unit2) = padded.numbers, padded.units
    medium = MEDIA[padded.medium]

    def counter(number: int | None, unit: FixedUnit) -> tuple[str, Text | None]:
        if number is None:
            return "", _NO_VALUE
        return f"{to_text(number, unit.exponent)} {unit.unit}".strip(), None

    counters = (
        Text("binary" if padded.binary else "BCD", "二进制" if padded.binary else "BCD码"),
        Text("of the due date" if padded.stored else "actual", "结算日值" if padded.stored else "当前值"),
    )
    status = Text(", ".join(text.en for text in counters), "，".join(text.zh for text in counters))
    layout = (
        Piece(Text("identification", "标识号"), 4, lambda piece: (padded.identification.upper(), None)),
        Piece(Text("access number", "访问号"), 1, as_number),
        Piece(Text("status", "状态"), 1, lambda piece: (octet_text(piece[0]), status)),
        Piece(Text("medium and unit 1", "介质与单位1"), 1, lambda piece: (octet_text(piece[0]), medium)),
        Piece(Text("medium and unit 2", "介质与单位2"), 1, lambda piece: (octet_text(piece[0]), medium)),
        Piece(Text("counter 1", "计数器1"), 4, lambda piece: counter(number1, unit1)),
        Piece(Text("counter 2", "计数器2"), 4, lambda piece: counter(number2, unit2)),
    )
    yield from chain(cut(octets, layout), rest(octets[SIZE:]))
