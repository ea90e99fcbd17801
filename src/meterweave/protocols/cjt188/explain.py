"""A frame field by field, in English and Chinese; a bad one as far as it can be told, with its fault marked."""

from __future__ import annotations

from meterweave.errors import KINDS
from meterweave.protocols.checksum import sum8
from meterweave.protocols.cjt188.content import Content, Value, content, find_layout, split
from meterweave.protocols.cjt188.formats import CLOCK_UNIT, STATUS_UNIT, VALVE_COMMANDS, Status, Valve
from meterweave.protocols.cjt188.frame import DATA_MAX, END, FUNCTIONS, HEADER_SIZE, START, Frame
from meterweave.protocols.cjt188.items import Layout, identifiers
from meterweave.protocols.cjt188.meter import meter_kind
from meterweave.protocols.explain import Field
from meterweave.text import Text

_WAKE_UP = Text("wake-up octets", "唤醒字节")
_START = Text("start", "帧起始符")
_TYPE = Text("meter type T", "仪表类型T")
_ADDRESS = Text("address A0…A6", "地址域A0…A6")
_CONTROL = Text("control C", "控制码C")
_LENGTH = Text("length L", "数据长度L")
_DATA = Text("data", "数据域")
_DI = Text("identifier DI", "数据标识DI")
_SER = Text("sequence SER", "序列号SER")
_PAYLOAD = Text("octets with no known item", "未知数据项")
_EXTRAS = Text("maker's octets behind the items", "厂家扩展数据")
_CHECKSUM = Text("checksum CS", "校验码CS")
_END = Text("end", "结束符")
_REST = Text("octets behind the frame", "帧后多余字节")
_NO_FRAME = Text("octets that begin no frame", "非帧数据")

_ADDRESS_WORDS = {
    "aa" * 7: Text("any meter", "通配地址"),
    "99" * 7: Text("all meters", "广播地址"),
}
_ORDERS = {
    "low_first": Text("sent low octet first", "低字节在前"),
    "high_first": Text("sent high octet first", "高字节在前"),
}
_NO_UNITS = frozenset(("1", "bcd", "hex", CLOCK_UNIT, STATUS_UNIT))  # words of JSON that are no units to people
_UNKNOWN_DI = Text("identifier not in the table", "未知数据标识")
_UNKNOWN_FUNCTION = Text("unknown function", "未知功能")


def explain(octets: bytes) -> list[Field]:
    """The fields of a frame, wake-up octets in front allowed; whatever `octets` are, nothing is raised."""
    frame = octets.lstrip(b"\xfe")
    fields = [Field(_WAKE_UP, octets[: len(octets) - len(frame)])] if len(frame) < len(octets) else []
    if frame and frame[0] != START:
        return [*fields, Field(_NO_FRAME, frame, fault=KINDS["bad_start"])]
    fields += _header(frame)
    if len(frame) < HEADER_SIZE:
        return _cut_short(fields)
    length = frame[HEADER_SIZE - 1]
    if length > DATA_MAX:
        fields[-1] = fields[-1].with_fault(KINDS["bad_length"])
        return [*fields, Field(_DATA, frame[HEADER_SIZE:])] if len(frame) > HEADER_SIZE else fields
    return _tail(fields, frame, HEADER_SIZE + length)


def _header(frame: bytes) -> list[Field]:
    """As much of ``68 T A0…A6 C L`` as is there."""
    fields = [Field(_START, frame[:1], "68H")] if frame else []
    if len(frame) > 1:
        fields.append(Field(_TYPE, frame[1:2], f"{frame[1]:02X}H", meaning=meter_kind(frame[1]).meaning))
    if len(frame) > 2:
        address = frame[2:9][::-1].hex()
        fields.append(Field(_ADDRESS, frame[2:9], address.upper(), meaning=_ADDRESS_WORDS.get(address)))
    if len(frame) > 9:
        fields.append(_control(frame[9]))
    if len(frame) > 10:
        fields.append(Field(_LENGTH, frame[10:11], str(frame[10])))
    return fields


def _control(control: int) -> Field:
    frame = Frame(0, "", control)
    function = FUNCTIONS[frame.function][1] if frame.function in FUNCTIONS else _UNKNOWN_FUNCTION
    speaker = Text("answer of the meter", "仪表应答") if frame.answer else Text("request of the master", "主站请求")
    parts = [
        Field(Text("D7 direction", "D7传送方向"), b"", str(control >> 7), meaning=speaker),
        Field(Text("D6 communication", "D6通信状态"), b"", str(control >> 6 & 1), meaning=_refusal(frame)),
        Field(Text("D5…D0 function", "D5…D0功能"), b"", f"{control & 0x3F:02X}H", meaning=function),
    ]
    words = Text(f"{speaker.en}: {function.en}", f"{speaker.zh}：{function.zh}")
    return Field(_CONTROL, bytes([control]), f"{control:02X}H", meaning=words, parts=tuple(parts))


def _refusal(frame: Frame) -> Text:
    return Text("the meter refuses", "通信异常") if frame.error else Text("normal", "通信正常")


def _tail(fields: list[Field], frame: bytes, check_at: int) -> list[Field]:
    """Data, checksum and end of a frame whose header is whole; the checksum stands at `check_at`."""
    data = frame[HEADER_SIZE:check_at]
    if data:
        fields.append(_data(Frame(frame[1], frame[2:9][::-1].hex(), frame[9], data)))
    if len(frame) < check_at + 2:
        if len(frame) > check_at:
            fields.append(Field(_CHECKSUM, frame[check_at:], f"{frame[check_at]:02X}H"))
        return _cut_short(fields)
    fields.append(_checksum(frame[:check_at], frame[check_at]))
    end = frame[check_at + 1]
    fields.append(
        Field(_END, bytes([end]), f"{end:02X}H", fault=None if end == END else KINDS["bad_end"]),
    )
    if rest := frame[check_at + 2 :]:
        fields.append(Field(_REST, rest, fault=KINDS["bad_length"]))
    return fields


def _checksum(body: bytes, found: int) -> Field:
    wanted = sum8(body)
    right = Text(f"{wanted:02X}H is the sum of the octets", f"各字节累加和为{wanted:02X}H")
    fault = None if found == wanted else KINDS["bad_checksum"]
    return Field(_CHECKSUM, bytes([found]), f"{found:02X}H", meaning=right, fault=fault)


def _cut_short(fields: list[Field]) -> list[Field]:
    """The same fields, the last one marked as the place where octets are missing."""
    return [*fields[:-1], fields[-1].with_fault(KINDS["truncated"])] if fields else []


def _data(frame: Frame) -> Field:
    parts = content(frame)
    known = find_layout(frame, parts)
    fields: list[Field] = []
    if parts.di is not None:
        fields.append(_identifier(frame.data[:2], parts))
    if parts.ser is not None:
        fields.append(Field(_SER, bytes([parts.ser]), str(parts.ser)))
    fields += _values(parts.payload, known)
    return Field(_DATA, frame.data, parts=tuple(fields))


def _identifier(octets: bytes, parts: Content) -> Field:
    known = identifiers().get(parts.di) if parts.di is not None else None
    words, order = known.meaning if known else _UNKNOWN_DI, _ORDERS[parts.di_order]
    meaning = Text(f"{words.en}, {order.en}", f"{words.zh}，{order.zh}")
    return Field(_DI, octets, f"{parts.di:04X}H", meaning=meaning)


def _values(payload: bytes, known: Layout | None) -> list[Field]:
    fields = [_value(value) for value in split(payload, known)]
    rest = payload[known.size :] if known else payload
    if rest:
        fields.append(Field(_EXTRAS if known else _PAYLOAD, rest, rest.hex(" ").upper()))
    return fields


def _written(value: Value, text: str | None) -> str:
    """A value as people write it: codes and octets in the standard's hexadecimal."""
    if text is None or value.item.format.unit == "hex" or isinstance(value.item.format, Status):
        return value.octets.hex(" ").upper()
    if isinstance(value.item.format, Valve) and text not in VALVE_COMMANDS:
        return f"{value.octets[0]:02X}H"
    return text


def _value(value: Value) -> Field:
    form = value.item.format
    found = form.to_json(value.octets)
    text, unit = found["value"], found["unit"]
    return Field(
        value.item.meaning,
        value.octets,
        _written(value, text),
        "" if unit in _NO_UNITS else unit,
        form.meaning(found),
    )
