"""A frame field by field, for people, in English and Chinese; a bad frame has its fault marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from meterweave.errors import KINDS, DecodeError
from meterweave.protocols.explain import Field
from meterweave.protocols.mbus import header, words
from meterweave.protocols.mbus.explain_record import explain_fixed, explain_records
from meterweave.protocols.mbus.frame import LONG, SHORT, SHORT_SIZE, SINGLE, frame_size
from meterweave.protocols.mbus.message import (
    ALARM,
    APPLICATION_ERROR,
    APPLICATION_RESET,
    DATA_AT,
    MSB_FIRST,
    Plain,
    Selection,
    VariableData,
    body_type,
    decode,
    header_type,
    is_sealed,
)
from meterweave.protocols.mbus.pieces import Piece, as_number, as_octet, cut, octet_text, octets_text, rest
from meterweave.text import Text


def explain(octets: bytes) -> list[Field]:
    """The fields of one frame; their octets, joined in order, are `octets`."""
    fields = list(_frame(octets))
    try:
        decode(octets)
    except DecodeError as error:
        fields = _marked(fields, error.at or 0, KINDS[error.kind])
    return fields


def _marked(fields: Sequence[Field], at: int, fault: Text) -> list[Field]:
    """`fields` with the innermost one that holds offset `at` marked; behind the end, an empty field is added."""
    marked: list[Field] = []
    for index, field in enumerate(fields):
        size = len(field.octets)
        if at < size:
            parts = field.parts
            divided = parts and sum(len(part.octets) for part in parts) == size
            found = replace(field, parts=tuple(_marked(parts, at, fault))) if divided else field.with_fault(fault)
            return [*marked, found, *fields[index + 1 :]]
        marked.append(field)
        at -= size
    return [*marked, Field(Text("missing octets", "缺少的字节"), b"", fault=fault)]


def _frame(octets: bytes) -> Iterator[Field]:
    start = octets[0] if octets else None
    if start == SINGLE:
        yield Field(Text("acknowledge", "确认"), octets[:1], "E5H")
        yield from rest(octets[1:])
    elif start == SHORT:
        yield Field(Text("start", "起始符"), octets[:1], "10H")
        yield from cut(octets[1:3], _LINK)
        yield from _close(octets[3:], SHORT_SIZE - 3)
    elif start == LONG:
        yield from _long_frame(octets)
    else:
        yield from rest(octets)


def _long_frame(octets: bytes) -> Iterator[Field]:
    yield from cut(octets[:4], _LONG_START)
    try:
        size = frame_size(octets)
    except DecodeError:
        yield from rest(octets[4:])
        return
    yield from cut(octets[4:6], _LINK)
    if len(octets) >= DATA_AT:
        ci = octets[6]
        yield Field(Text("CI field", "控制信息域"), octets[6:7], octet_text(ci), meaning=words.ci_words(ci))
        yield from _body(ci, octets[DATA_AT : size - 2])
    yield from _close(octets[max(size - 2, DATA_AT) :], 2)


def _close(octets: bytes, size: int) -> Iterator[Field]:
    """Checksum, end and what is behind."""
    yield from cut(octets[:size], (_CHECKSUM, _END))
    yield from rest(octets[size:])


def _control(piece: bytes) -> tuple[str, Text | None]:
    name, meaning = words.control_words(piece[0])
    if piece[0] & words.FROM_MASTER:
        bit = Text(f", FCB {piece[0] >> 5 & 1}", f"，FCB {piece[0] >> 5 & 1}") if piece[0] & words.FCV else Text("", "")
    else:
        bit = Text(", access demand", "，请求访问") if piece[0] & words.ACD else Text("", "")
    return octet_text(piece[0]), Text(f"{name} {meaning.en}{bit.en}".strip(), f"{name} {meaning.zh}{bit.zh}".strip())


def _status(piece: bytes) -> tuple[str, Text | None]:
    said = [text for mask, pattern, text in header.STATUS if piece[0] & mask == pattern]
    if not said:
        return octet_text(piece[0]), Text("no error", "无错误")
    return octet_text(piece[0]), Text(", ".join(text.en for text in said), "，".join(text.zh for text in said))


def _manufacturer(word: int) -> tuple[str, Text | None]:
    if word == header.ANY_MANUFACTURER:
        return f"{word:04X}H", Text("any", "任意")
    return header.manufacturer_code(word), None


def _signature(word: int) -> tuple[str, Text | None]:
    return f"{word:04X}H", Text("plain", "明文") if word == 0 else None


_CHECKSUM = Piece(Text("checksum", "校验和"), 1, as_octet)
_END = Piece(Text("end", "结束符"), 1, as_octet)
_LINK = (
    Piece(Text("control field", "控制域"), 1, _control),
    Piece(Text("address", "地址"), 1, lambda octets: (str(octets[0]), words.address_words(octets[0]))),
)
_LONG_START = (
    Piece(Text("start", "起始符"), 1, as_octet),
    Piece(Text("length", "长度"), 1, as_number),
    Piece(Text("length, repeated", "长度（重复）"), 1, as_number),
    Piece(Text("start, repeated", "起始符（重复）"), 1, as_octet),
)


def _address_layout(msb: bool) -> tuple[Piece, ...]:
    order = 1 if msb else -1
    return (
        Piece(Text("identification", "标识号"), 4, lambda octets: (octets[::order].hex().upper(), None)),
        Piece(Text("manufacturer", "厂商"), 2, lambda octets: _manufacturer(int.from_bytes(octets[::order]))),
        Piece(Text("version", "版本"), 1, as_number),
        Piece(Text("medium", "介质"), 1, lambda octets: (octet_text(octets[0]), header.medium_name(octets[0]))),
    )


def _short_layout(msb: bool) -> tuple[Piece, ...]:
    order = 1 if msb else -1
    return (
        Piece(Text("access number", "访问号"), 1, as_number),
        Piece(Text("status", "状态"), 1, _status),
        Piece(Text("signature", "签名"), 2, lambda octets: _signature(int.from_bytes(octets[::order]))),
    )


def _body(ci: int, data: bytes) -> Iterator[Field]:
    msb, kind = ci & MSB_FIRST != 0, body_type(ci)
    if kind is Plain:
        yield from _plain(ci, data)
    elif kind is VariableData:
        wanted = header_type(ci)
        address = _address_layout(msb) if wanted is header.Header else ()
        yield from _behind(data, (*address, *(_short_layout(msb) if wanted else ())), msb)
    elif kind is Selection:
        yield from _behind(data, _address_layout(msb), msb)
    else:
        yield from explain_fixed(data, msb)


def _behind(data: bytes, layout: tuple[Piece, ...], msb: bool) -> Iterator[Field]:
    """A header and the records, or the encrypted octets, behind it."""
    yield from cut(data, layout)
    size = sum(piece.size for piece in layout)
    behind = data[size:]
    if size in (header.HEADER_SIZE, header.SHORT_SIZE) and behind:
        found = header.ShortHeader(0, 0, int.from_bytes(data[size - 2 : size], "big" if msb else "little"))
        if is_sealed(found, len(behind)):
            yield Field(Text("encrypted data", "加密数据"), behind, octets_text(behind))
            return
    yield from explain_records(behind, msb)


def _plain(ci: int, data: bytes) -> Iterator[Field]:
    name, meaning = Text("data", "数据"), None
    code = data[0] if data else None
    if ci == APPLICATION_ERROR:
        name, meaning = Text("error code", "错误代码"), words.APPLICATION_ERRORS.get(code, words.RESERVED)
    elif ci == ALARM:
        name = Text("alarm status", "告警状态")
    elif ci == APPLICATION_RESET and code is not None:
        name, meaning = Text("reset subcode", "复位子码"), words.RESETS.get(code >> 4, words.RESERVED)
    if data:
        yield Field(name, data[:1], octet_text(data[0]), meaning=meaning)
        yield from rest(data[1:])
