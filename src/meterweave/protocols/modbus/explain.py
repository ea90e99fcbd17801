"""A message field by field, in English and Chinese; a bad one as far as it can be told, with its fault marked."""

from __future__ import annotations

from meterweave.errors import KINDS, DecodeError
from meterweave.protocols.checksum import crc_modbus
from meterweave.protocols.explain import Field
from meterweave.protocols.modbus import envelope, rtu
from meterweave.protocols.modbus.content import Span, meaning, span
from meterweave.protocols.modbus.envelope import OVERHEAD, Envelope
from meterweave.protocols.modbus.envelope_view import CLOCK, printed
from meterweave.protocols.modbus.pdu import EXCEPTION_WORDS, FUNCTION_WORDS, fields
from meterweave.protocols.modbus.registers import Value
from meterweave.protocols.modbus.rtu import EXCEPTION, Frame
from meterweave.protocols.modbus.rtu_view import value_json
from meterweave.protocols.modbus.upload import Record, read_registration, read_upload
from meterweave.protocols.modbus.words import CLOCK_UNIT, Bits
from meterweave.text import Text

_CRC = Text("CRC, low octet first", "CRC校验，低字节在前")
_DATA = Text("data", "数据")
_KIND_WORDS = {
    "request": Text("request", "请求"),
    "response": Text("answer", "应答"),
    "exception": Text("refusal", "异常应答"),
    "unknown": Text("request or answer, its length does not tell", "请求或应答，长度无法判断"),
}
_UNKNOWN = Text("unknown", "未知")
_UNIT_WORDS = {0: Text("all units", "广播")}
_NO_UNITS = frozenset(("1", "bcd", "bits", CLOCK_UNIT))  # words of JSON that are no units to people


def explain(octets: bytes) -> list[Field]:
    """The fields of an RTU frame or an envelope; whatever `octets` are, nothing is raised."""
    if not octets:
        return []
    return _envelope(octets) if octets[:2] == envelope.START else explain_rtu(octets)


def explain_rtu(octets: bytes) -> list[Field]:
    """The fields of an RTU frame."""
    try:
        frame = rtu.decode(octets)
    except DecodeError as error:
        return _bad_rtu(octets, error)
    return [*_rtu_head(frame), *_rtu_data(frame), _crc(octets[:-2], octets[-2:])]


def _bad_rtu(octets: bytes, error: DecodeError) -> list[Field]:
    fault = KINDS[error.kind]
    fields = [_unit(octets[0])]
    if len(octets) > 1:
        fields.append(_function(Frame(octets[0], octets[1], octets[2:-2])))
    if error.kind == "bad_checksum":
        rest = [*_rtu_data(Frame(octets[0], octets[1], octets[2:-2])), _crc(octets[:-2], octets[-2:])]
    elif error.kind == "bad_length" and error.at is not None:
        rest = [Field(_DATA, octets[2 : error.at])]
        rest.append(Field(Text("octets behind the frame", "帧后多余字节"), octets[error.at :], fault=fault))
    else:
        rest = [Field(_DATA, octets[2:], octets[2:].hex(" ").upper())] if len(octets) > 2 else []
        fields, rest = _marked([*fields, *rest], fault), []
    return fields + rest


def _marked(fields: list[Field], fault: Text) -> list[Field]:
    """The same fields, the last one marked."""
    return [*fields[:-1], fields[-1].with_fault(fault)]


def _unit(unit: int) -> Field:
    return Field(Text("unit address", "从站地址"), bytes([unit]), str(unit), meaning=_UNIT_WORDS.get(unit))


def _function(frame: Frame) -> Field:
    function = frame.function & ~EXCEPTION
    words = FUNCTION_WORDS.get(function if frame.kind == "exception" else frame.function, _UNKNOWN)
    kind = _KIND_WORDS[frame.kind]
    said = Text(f"{words.en}: {kind.en}", f"{words.zh}：{kind.zh}")
    return Field(Text("function", "功能码"), bytes([frame.function]), f"{frame.function:02X}H", meaning=said)


def _rtu_head(frame: Frame) -> list[Field]:
    return [_unit(frame.unit), _function(frame)]


def _rtu_data(frame: Frame) -> list[Field]:
    """The data of a frame by its fields: address, count, octet count, registers or bits."""
    known = fields(frame)
    data, parts = frame.data, []
    if "exception_code" in known:
        words = EXCEPTION_WORDS.get(known["exception_code"], _UNKNOWN)
        return [Field(Text("exception", "异常码"), data, str(known["exception_code"]), meaning=words)]
    if "address" in known:
        parts.append(Field(Text("address", "起始地址"), data[:2], f"{known['address']:04X}H", meaning=meaning(frame)))
        data = data[2:]
    if "count" in known:
        parts.append(Field(Text("count", "数量"), data[:2], str(known["count"])))
        data = data[2:]
    if ("registers" in known or "bits" in known) and frame.function not in _SINGLE:
        parts.append(Field(Text("octets that follow", "字节数"), data[:1], str(data[0])))
        data = data[1:]
    if data:
        parts.append(_payload(frame, data))
    return parts


_SINGLE = (0x05, 0x06)  # writes of one value have no count of octets


def _payload(frame: Frame, data: bytes) -> Field:
    known = span(frame)
    if known is None or known.octets != data:
        return Field(_DATA, data, data.hex(" ").upper())
    words = known.block.meaning
    if known.guessed:
        words = Text(f"{words.en}, by its length", f"{words.zh}（按长度推测）")
    return Field(Text("registers", "寄存器"), data, meaning=words, parts=tuple(_items(known)))


def _items(known: Span) -> list[Field]:
    """The values of a block, and the octets between them."""
    base = 2 * (known.address - known.block.address)
    found: list[Field] = []
    at = 0
    for value in known.values:
        start = value.item.at - base
        if start > at:
            found.append(_gap(known.octets[at:start]))
        found.append(_value(value))
        at = start + len(value.octets)
    if at < len(known.octets):
        found.append(_gap(known.octets[at:]))
    return found


def _gap(octets: bytes) -> Field:
    return Field(Text("not described", "未说明"), octets, octets.hex(" ").upper())


def _value(value: Value) -> Field:
    item, found = value.item, value_json(value)
    flags = found.get("bits", {})
    parts = tuple(Field(bit.meaning, b"", str(int(flags[bit.name]))) for bit in item.bits)
    text, unit = found["value"], "" if item.word.unit in _NO_UNITS else item.word.unit
    if text is None:
        text = value.octets.hex(" ").upper()
    elif isinstance(item.word, Bits):
        text = f"{value.octets.hex().upper()}H"
    return Field(item.meaning, value.octets, text, unit, item.word.meaning(found), parts=parts)


def _crc(body: bytes, found: bytes) -> Field:
    wanted = crc_modbus(body)
    text = f"{int.from_bytes(found, 'little'):04X}H"
    words = Text(f"the octets give {wanted:04X}H", f"计算值{wanted:04X}H")
    fault = None if found == wanted.to_bytes(2, "little") else KINDS["bad_checksum"]
    return Field(_CRC, found, text, meaning=words, fault=fault)


def _envelope(octets: bytes) -> list[Field]:
    start = Field(Text("start", "起始符"), octets[:2], _marks(octets[:2]))
    if len(octets) < OVERHEAD:
        rest = [Field(Text("cut off", "不完整"), octets[2:], octets[2:].hex(" ").upper())] if octets[2:] else []
        return _marked([start, *rest], KINDS["truncated"])
    try:
        envelope.decode(octets)
        fault = None
    except DecodeError as error:
        fault = error.kind
    command = octets[2]
    if fault in ("truncated", "bad_length"):
        rest = [Field(_DATA, octets[3:], octets[3:].hex(" ").upper(), fault=KINDS[fault])]
        return [start, _command(Envelope(command, octets[3:])), *rest]
    message = Envelope(command, octets[3:-4])
    end = Field(Text("end", "结束符"), octets[-2:], _marks(octets[-2:]))
    return [
        start,
        _command(message),
        *([Field(_DATA, message.body, parts=tuple(_body(message)))] if message.body else []),
        _crc(octets[2:-4], octets[-4:-2]),
        end.with_fault(KINDS["bad_end"]) if fault == "bad_end" else end,
    ]


def _marks(octets: bytes) -> str:
    """The octets of a start or an end: ``7BH 7BH``."""
    return " ".join(f"{octet:02X}H" for octet in octets)


def _command(message: Envelope) -> Field:
    words = envelope.meaning(message) or _UNKNOWN
    return Field(Text("command", "命令"), bytes([message.command]), f"{message.command:02X}H", meaning=words)


def _body(message: Envelope) -> list[Field]:
    """The parts of a body; its octets in one piece where it is not as it should be."""
    read = _BODIES.get(message.command)
    parts = read(message.body) if read else []
    return parts or [_gap(message.body)]


def _registration(body: bytes) -> list[Field]:
    said = read_registration(body)
    if said is None:
        return []
    versions = [
        Field(Text(f"firmware version {number}", f"固件版本{number}"), version, version.hex())
        for number, version in enumerate(said.versions, 1)
    ]
    return [
        Field(Text("serial number", "序列号"), said.serial, printed(said.serial)),
        Field(Text("SIM card ICCID", "SIM卡ICCID"), said.iccid, printed(said.iccid)),
        Field(Text("signal strength", "信号强度"), bytes([said.rssi]), str(said.rssi)),
        *versions,
        Field(Text("upload interval", "上传间隔"), bytes([said.interval_min]), str(said.interval_min), "min"),
    ]


def _upload(body: bytes) -> list[Field]:
    said = read_upload(body)
    if said is None:
        return []
    serial = [Field(Text("serial number", "序列号"), said.serial, printed(said.serial))] if said.serial else []
    records = [field for record in said.records for field in _record(record)]
    return [*serial, _mark(b"[["), *records, _mark(b"]]")]


def _record(record: Record) -> list[Field]:
    octets = rtu.encode(record.answer)
    address = (
        [Field(Text("meter address", "表地址"), record.address, printed(record.address))] if record.address else []
    )
    return [*address, _mark(b"(("), _inner_field(octets), _mark(b"))")]


def _inner(body: bytes) -> list[Field]:
    return [_inner_field(body)]


def _inner_field(octets: bytes) -> Field:
    return Field(Text("Modbus frame", "Modbus帧"), octets, parts=tuple(explain_rtu(octets)))


def _time(body: bytes) -> list[Field]:
    if len(body) != CLOCK.size:
        return []
    found = CLOCK.to_json(body)
    text = f"{found['value']}, weekday {found['weekday']}"
    return [Field(Text("time", "时间"), body, text, meaning=CLOCK.meaning(found))]


def _mark(octets: bytes) -> Field:
    return Field(Text("mark", "分隔符"), octets, octets.decode("ascii"))


_BODIES = {0x84: _registration, 0x90: _inner, 0x91: _upload, 0x93: _time}
