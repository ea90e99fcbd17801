"""A frame field by field, in English and Chinese, faults marked where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from meterweave.errors import KINDS, DecodeError
from meterweave.protocols.dlt645 import frame as link
from meterweave.protocols.dlt645 import items, load_record
from meterweave.protocols.dlt645.address import BROADCAST, WILDCARD
from meterweave.protocols.dlt645.formats import Bits, Code, Data, Flags, Format, Octets
from meterweave.protocols.dlt645.frame import Frame, decode, sent, unchecked
from meterweave.protocols.dlt645.functions import Part, edition, function
from meterweave.protocols.dlt645.items import Value
from meterweave.protocols.dlt645.message import Contents, contents, parts
from meterweave.protocols.dlt645.words import word
from meterweave.protocols.explain import Field
from meterweave.text import Text

_WAKE_UP = Text("wake-up octets", "前导唤醒字节")
_LEFT = Text("octets not read", "未解析的字节")
_LENGTH = Text("data length L", "数据域长度")
_START = Text("start", "帧起始符")
_DATA = Text("data", "数据域")
_CHECKSUM = Text("checksum CS", "校验码")
_END = Text("end", "结束符")
_HEAD: tuple[tuple[Text, int], ...] = (
    (_START, 1),
    (Text("address", "地址域"), 6),
    (_START, 1),
    (Text("control code C", "控制码"), 1),
    (_LENGTH, 1),
)
"""The head of a frame: names and sizes. [octets]"""
_TAIL: tuple[tuple[Text, int], ...] = ((_CHECKSUM, 1), (_END, 1))
_NUMBERS: Mapping[Text, Callable[[int], str]] = {_LENGTH: str} | dict.fromkeys(
    (_START, _CHECKSUM, _END), "{:02X}H".format
)
"""How the fields that are one number are written."""
_PLAIN_UNITS = frozenset({"1", "hex", "bcd", "ascii", "bits", "date", "time", "local time", "day and hour"})
"""Units that say how a value is written, not what it counts."""
_ADDRESSES = {
    BROADCAST: Text("all meters, no answer", "广播地址，不应答"),
    WILDCARD: Text("the one meter on the line", "通配地址"),
}


def explain(octets: bytes) -> list[Field]:
    """The fields of a frame; their octets, joined in order, are `octets`. Nothing is raised."""
    body = octets.lstrip(bytes([link.WAKE_UP]))
    wake_up = octets[: len(octets) - len(body)]
    fields = [Field(_WAKE_UP, wake_up, str(len(wake_up)))] if wake_up else []
    try:
        return fields + _frame(body, decode(body))
    except DecodeError as error:
        return fields + _broken(body, error)


def _frame(body: bytes, frame: Frame) -> list[Field]:
    """The fields of a frame whose data are all there."""
    fields = _with_head(_cut(body), frame)
    head, rest = fields[: len(_HEAD)], fields[len(_HEAD) :]
    return [*head, *_data(frame), *(field for field in rest if field.name is not _DATA)]


def _with_head(fields: list[Field], frame: Frame) -> list[Field]:
    """`fields`, which start with a whole head, with address and control code explained."""
    start, address, second, control, *rest = fields
    return [start, _address(address, frame), second, _control(control, frame), *rest]


def _cut(body: bytes) -> list[Field]:
    """A frame cut by its length field into fields as far as it lasts; octets behind its end are the last field."""
    pieces = [*_HEAD, (_DATA, body[link.LENGTH]), *_TAIL] if len(body) > link.LENGTH else _HEAD
    fields, at = [], 0
    for name, size in pieces:
        octets = body[at : at + size]
        if octets:
            fields.append(Field(name, octets, _NUMBERS[name](octets[0]) if name in _NUMBERS else ""))
        at += size
    return fields + _left(body[at:])


def _broken(body: bytes, error: DecodeError) -> list[Field]:
    """What can be told of a bad frame, the fault marked."""
    kind = KINDS[error.kind]
    fault = Text(str(error), kind.zh)
    if "expected_checksum" in error.detail:
        wanted = _spoken(str(error.detail["expected_checksum"]))
        fault = Text(f"{error}, wanted {wanted}", f"{kind.zh}，应为{wanted}")
    if error.kind == "bad_start":
        at = link.SECOND_START if body[:1] == bytes([link.START]) else 0
        return [*_cut(body[:at]), Field(_START, body[at : at + 1], fault=fault), *_left(body[at + 1 :])]
    if error.kind != "truncated":
        fields = _frame(body, unchecked(body))
    elif len(body) > link.LENGTH:
        fields = _with_head(_cut(body), unchecked(body))
    else:
        fields = _cut(body) or [Field(_START, b"")]
    wrong = {"bad_checksum": _CHECKSUM, "bad_end": _END}.get(error.kind, fields[-1].name)
    faulty = max(at for at, field in enumerate(fields) if field.name is wrong)
    return [field.with_fault(fault) if at == faulty else field for at, field in enumerate(fields)]


def _left(octets: bytes) -> list[Field]:
    return [Field(_LEFT, octets)] if octets else []


def _address(field: Field, frame: Frame) -> Field:
    return Field(field.name, field.octets, frame.address.upper(), meaning=_ADDRESSES.get(frame.address))


def _control(field: Field, frame: Frame) -> Field:
    """The control code with its bits."""
    called = function(frame.control, edition(frame))
    if frame.is_reply:
        way = Text("answer", "应答")
        bits: tuple[Field, ...] = (
            Field(Text("error", "异常应答"), b"", str(int(frame.is_error))),
            Field(Text("more data follow", "有后续数据"), b"", str(int(frame.follows))),
        )
    else:
        way, bits = Text("request", "请求"), ()
    meaning = Text(f"{called.text.en}, {way.en}", f"{called.text.zh}，{way.zh}")
    direction = Field(Text("direction", "传送方向"), b"", str(int(frame.is_reply)), meaning=way)
    number = Field(Text("function", "功能码"), b"", f"{frame.function:02X}H", meaning=called.text)
    return Field(field.name, field.octets, f"{frame.control:02X}H", meaning=meaning, parts=(direction, *bits, number))


def _data(frame: Frame) -> list[Field]:
    """DATA part by part."""
    divided = parts(frame)
    if not divided:
        return [Field(_DATA, sent(frame.data), _row(frame.data))] if frame.data else []
    item = contents(frame)
    return [_part(part, octets, item, frame) for part, octets in divided]


def _part(part: Part, octets: bytes, item: Contents | None, frame: Frame) -> Field:
    if isinstance(part.format, Data):
        inner = tuple(_contents(item)) if item else ()
        return Field(part.text, sent(octets), "" if inner else _row(octets), parts=inner)
    value = part.format.read(octets)
    text = ", ".join(value) if isinstance(value, list) else _written(part.format, octets)
    if part.name == "di":
        text = f"{text.upper()}H"
    return Field(part.text, sent(octets), text, meaning=_meaning(part, octets, frame))


def _meaning(part: Part, octets: bytes, frame: Frame) -> Text | None:
    """What a part's value stands for, in words."""
    if part.name == "di":
        di = octets[::-1].hex()
        if load_record.asked_class(di) is not None:
            return load_record.meaning(di)
        item = items.find(di, "reply" if frame.is_reply else "request")
        return item.text if item else None
    if isinstance(part.format, Flags):
        number = int.from_bytes(octets, "little")
        texts = [bit.text for bit in word(part.format.name).bits if number >> bit.at & 1]
        return Text("; ".join(text.en for text in texts), "；".join(text.zh for text in texts))
    return part.names[octets[0]][1] if part.names and octets[0] in part.names else None


def _contents(item: Contents) -> Iterator[Field]:
    for value in item.values:
        yield _value(value)
    yield from _left(sent(item.rest))


def _value(value: Value) -> Field:
    """One value of a data item, the bits of a status word below it."""
    element, octets = value
    read = value.read()
    unit = "" if read is None or element.unit in _PLAIN_UNITS else element.unit
    meaning = Text("no value", "无数据") if read is None else None
    bits = _bits(element.format, octets) if isinstance(element.format, Bits) else ()
    return Field(element.text, sent(octets), _written(element.format, octets), unit, meaning, parts=bits)


def _written(format_: Format, octets: bytes) -> str:
    """A value as people write it; octets that say nothing as they are."""
    value = format_.read(octets)
    if value is None or type(format_) is Octets:
        return _row(octets)
    return _spoken(str(value)) if isinstance(format_, (Bits, Code)) else str(value)


def _spoken(number: str) -> str:
    """A number that JSON writes ``0x8A`` as the standard does: ``8AH``."""
    return f"{number.removeprefix('0x')}H"


def _row(octets: bytes) -> str:
    return octets.hex(" ").upper()


def _bits(format_: Bits, octets: bytes) -> tuple[Field, ...]:
    number = int.from_bytes(octets, "little")
    states = [(bit, bit.state(number)) for bit in format_.word.bits]
    return tuple(Field(bit.text, b"", state if isinstance(state, str) else str(int(state))) for bit, state in states)
