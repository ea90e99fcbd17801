"""A frame field by field, for people."""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.errors import KINDS, DecodeError
from meterweave.protocols.dlt698.frame import LENGTH_MAX, START, Link, unscramble
from meterweave.protocols.dlt698.message import ACKNOWLEDGEMENT, FIRST, LAST, MIDDLE, WAKE_UP, Fragment, decode
from meterweave.protocols.dlt698.services import explain_apdu
from meterweave.protocols.dlt698.tables import ADDRESS_TYPES
from meterweave.protocols.explain import Field
from meterweave.text import Text

FRAGMENT_KINDS: Mapping[int, Text] = {
    FIRST: Text("first", "起始帧"),
    LAST: Text("last", "最后帧"),
    ACKNOWLEDGEMENT: Text("acknowledgement", "确认帧"),
    MIDDLE: Text("middle", "中间帧"),
}
FUNCTIONS: Mapping[int, Text] = {1: Text("link management", "链路管理"), 3: Text("user data", "用户数据")}


def explain(octets: bytes) -> list[Field]:
    """The fields of a frame, or of an APDU without link layer; raises nothing.

    What is wrong carries its fault. Behind a wrong header check the length cannot be trusted, so what follows is one
    field; behind a wrong frame check the fields are told as far as they go.
    """
    fault = _fault(octets)
    frame = octets.lstrip(WAKE_UP)
    if frame[:1] == bytes([START]):
        wake_up = octets[: len(octets) - len(frame)]
        before = [Field(Text("wake-up octets", "前导字节"), wake_up, str(len(wake_up)))] if wake_up else []
        return before + _frame_fields(frame, fault)
    if fault and (fault.kind == "bad_start" or frame != octets):
        return [Field(Text("no frame", "非帧数据"), octets, octets.hex(" ").upper(), fault=_words(fault))]
    return explain_apdu(octets)


def _fault(octets: bytes) -> DecodeError | None:
    try:
        decode(octets)
    except DecodeError as error:
        return error
    return None


def _words(error: DecodeError) -> Text:
    return Text(str(error), KINDS[error.kind].zh)


def _marked(field: Field, fault: DecodeError | None, *kinds: str) -> Field:
    """The field, with the fault if it is one of these."""
    return field.with_fault(_words(fault)) if fault and fault.kind in kinds else field


def _frame_fields(octets: bytes, fault: DecodeError | None) -> list[Field]:
    """The fields of octets that begin with 68H."""
    header = 9 + (octets[4] & 0x0F) if len(octets) > 4 else 0
    if not header or len(octets) < header:
        field = Field(Text("incomplete header", "不完整的帧头"), octets, octets.hex(" ").upper())
        return [_marked(field, fault, "truncated")]
    link = Link(octets[3], octets[4], octets[5 : header - 3], octets[header - 3])
    fields = [
        Field(Text("start", "起始字符"), octets[:1], "68H"),
        _marked(_length_field(octets[1:3]), fault, "truncated", "bad_length"),
        _control_field(link),
        *_address_fields(link),
        _marked(_check_field(Text("header check (HCS)", "帧头校验HCS"), octets[header - 2 : header]), fault, "bad_hcs"),
    ]
    rest = octets[header:]
    size = int.from_bytes(octets[1:3], "little") + 2
    if (fault and fault.kind == "bad_hcs") or not header + 3 <= size <= len(octets) or size > LENGTH_MAX + 2:
        return fields + ([Field(Text("what follows", "其余字节"), rest, rest.hex(" ").upper())] if rest else [])
    return fields + _user_fields(link, octets[header : size - 3]) + _end_fields(octets[size - 3 :], fault)


def _length_field(octets: bytes) -> Field:
    return Field(Text("length L", "长度域L"), octets, str(int.from_bytes(octets, "little")), "octets")


def _check_field(name: Text, octets: bytes) -> Field:
    return Field(name, octets, f"{octets[::-1].hex().upper()}H")


def _control_field(link: Link) -> Field:
    sender = Text("from the server", "服务器发出") if link.from_server else Text("from the client", "客户机发出")
    opener = (
        Text("begun by the client", "客户机发起") if link.begun_by_client else Text("begun by the server", "服务器发起")
    )
    fragment = Text("a fragment", "分帧") if link.fragment else Text("a whole APDU", "完整APDU")
    scrambled = Text("scrambled", "加扰码") if link.scrambled else Text("not scrambled", "不加扰码")
    function = FUNCTIONS.get(link.function, Text("reserved", "保留"))
    bits = (
        Field(Text("DIR", "传输方向位"), b"", str(int(link.from_server)), meaning=sender),
        Field(Text("PRM", "启动标志位"), b"", str(int(link.begun_by_client)), meaning=opener),
        Field(Text("fragment", "分帧标志位"), b"", str(int(link.fragment)), meaning=fragment),
        Field(Text("scrambling", "扰码标志"), b"", str(int(link.scrambled)), meaning=scrambled),
        Field(Text("function", "功能码"), b"", str(link.function), meaning=function),
    )
    return Field(Text("control C", "控制域C"), bytes([link.control]), f"{link.control:02X}H", parts=bits)


def _address_fields(link: Link) -> list[Field]:
    kind = ADDRESS_TYPES[link.address_type]
    logical = Text(f"logical address {link.logical}", f"逻辑地址{link.logical}")
    bits = (
        Field(Text("address type", "地址类型"), b"", str(link.address_type), meaning=kind),
        Field(Text("logical address", "逻辑地址"), b"", str(link.logical), meaning=logical),
        Field(Text("octets of the address", "地址长度"), b"", str(len(link.sa))),
    )
    return [
        Field(Text("address feature AF", "地址特征AF"), bytes([link.af]), f"{link.af:02X}H", parts=bits),
        Field(Text("server address SA", "服务器地址SA"), link.sa, link.address, meaning=kind),
        Field(Text("client address CA", "客户机地址CA"), bytes([link.ca]), str(link.ca)),
    ]


def _user_fields(link: Link, octets: bytes) -> list[Field]:
    if not octets:
        return []
    if not link.scrambled:
        return _content_fields(link, octets)
    # The octets of a field are those on the wire, so the fields told from the true ones are parts without octets.
    parts = tuple(_without_octets(field) for field in _content_fields(link, unscramble(octets)))
    return [Field(Text("user data, scrambled", "链路用户数据（加扰码）"), octets, octets.hex(" ").upper(), parts=parts)]


def _without_octets(field: Field) -> Field:
    parts = tuple(_without_octets(part) for part in field.parts)
    return Field(field.name, b"", field.value, field.unit, field.meaning, field.fault, parts)


def _content_fields(link: Link, octets: bytes) -> list[Field]:
    if not link.fragment:
        return explain_apdu(octets)
    if len(octets) < 2:
        fault = KINDS["apdu_truncated"]
        return [Field(Text("fragment header", "分帧格式域"), octets, octets.hex(" ").upper(), fault=fault)]
    fragment = Fragment(octets[0] | octets[1] << 8, octets[2:])
    kind = FRAGMENT_KINDS[fragment.kind]
    header = Field(Text("fragment header", "分帧格式域"), octets[:2], str(fragment.seq), meaning=kind)
    payload = Field(Text("part of an APDU", "APDU片段"), fragment.payload, fragment.payload.hex(" ").upper())
    return [header, payload] if fragment.payload else [header]


def _end_fields(octets: bytes, fault: DecodeError | None) -> list[Field]:
    fields = [
        _marked(_check_field(Text("frame check (FCS)", "帧校验FCS"), octets[:2]), fault, "bad_fcs"),
        _marked(Field(Text("end", "结束字符"), octets[2:3], f"{octets[2]:02X}H"), fault, "bad_end"),
    ]
    if len(octets) > 3:
        fields.append(Field(Text("octets behind the frame", "帧后多余字节"), octets[3:], octets[3:].hex(" ").upper()))
    return fields
