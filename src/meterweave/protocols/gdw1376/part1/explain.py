"""A frame field by field, in English and Chinese; of a bad frame what can be told, with its fault marked."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.checksum import sum8
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part1.catalogue import AFN_NAMES
from meterweave.protocols.gdw1376.part1.control import function_of
from meterweave.protocols.gdw1376.part1.explain_unit import explain_unit
from meterweave.protocols.gdw1376.part1.frame import (
    HEADER_SIZE,
    START,
    TRAILER_SIZE,
    frame_size,
    wrap,
)
from meterweave.protocols.gdw1376.part1.message import (
    ACD_OR_FCB,
    CON,
    DIR,
    FCV,
    FIN,
    FIR,
    PRM,
    TPV,
    Message,
    decode,
)
from meterweave.protocols.gdw1376.part1.view import tag_json
from meterweave.text import Text

_LINK_SIZE = 6  # C and A [octets]
_PROTOCOLS = {
    0: Text("reserved", "保留"),
    1: Text("130-2005 family", "Q/GDW 130-2005系列"),
    2: Text("Q/GDW 1376.1", "Q/GDW 1376.1"),
    3: Text("reserved", "保留"),
}


def explain(octets: bytes) -> list[Field]:
    """The fields of a frame; whatever `octets` are, nothing is raised."""
    try:
        message = decode(octets)
    except DecodeError as error:
        return _broken(octets, error)
    inside = octets[HEADER_SIZE:-TRAILER_SIZE]
    return [
        *_header(octets),
        *_link(inside),
        *_application(message, inside[_LINK_SIZE:]),
        *_trailer(octets[-TRAILER_SIZE:]),
    ]


def _code(octets: bytes) -> str:
    """A number sent low octet first as the standard writes it: ``68H``."""
    return f"{octets[::-1].hex().upper()}H"


def _row(octets: bytes) -> str:
    return octets.hex(" ").upper()


def _header(octets: bytes) -> list[Field]:
    """The six octets before C, as many as there are."""
    word = Text("length L", "长度L")
    fields = [Field(Text("start", "起始字符"), octets[:1], _code(octets[:1]))]
    for at in (1, 3):
        if one := octets[at : at + 2]:
            number = int.from_bytes(one, "little")
            parts = (
                Field(Text("user data length", "用户数据长度"), b"", str(number >> 2), "octets"),
                Field(Text("protocol", "协议标识"), b"", str(number & 3), meaning=_PROTOCOLS[number & 3]),
            )
            fields.append(Field(word, one, _code(one), parts=parts if at == 1 and len(one) == 2 else ()))
    if len(octets) > 5:
        fields.append(Field(Text("second start", "起始字符"), octets[5:6], _code(octets[5:6])))
    return fields


def _trailer(octets: bytes) -> list[Field]:
    fields = [Field(Text("checksum", "校验和CS"), octets[:1], _code(octets[:1]))] if octets else []
    return [*fields, Field(Text("end", "结束字符"), octets[1:], _code(octets[1:]))] if octets[1:] else fields


def _link(octets: bytes) -> list[Field]:
    """C and A: six octets."""
    region, terminal = octets[1:3], octets[3:5]
    return [
        _control(octets[0]),
        Field(Text("region A1", "行政区划码A1"), region, region[::-1].hex().upper()),
        Field(
            Text("terminal A2", "终端地址A2"),
            terminal,
            str(int.from_bytes(terminal, "little")),
            meaning=Text(*2 * (_code(terminal),)),
        ),
        Field(
            Text("master and group A3", "主站地址和组地址标志A3"),
            octets[5:6],
            _code(octets[5:6]),
            parts=(
                Field(Text("master station MSA", "主站地址MSA"), b"", str(octets[5] >> 1)),
                _flag(Text("group address", "组地址标志"), octets[5] & 1),
            ),
        ),
    ]


def _control(control: int) -> Field:
    uplink = control & DIR
    direction = (
        Text("terminal to master", "终端发出的上行报文") if uplink else Text("master to terminal", "主站发出的下行报文")
    )
    bit5 = Text("events wait (ACD)", "要求访问位ACD") if uplink else Text("frame count bit FCB", "帧计数位FCB")
    bit4 = Text("reserved", "保留") if uplink else Text("frame count valid FCV", "帧计数有效位FCV")
    return Field(
        Text("control C", "控制域C"),
        bytes((control,)),
        _code(bytes((control,))),
        meaning=function_of(control)[1],
        parts=(
            Field(Text("direction DIR", "传输方向位DIR"), b"", str(control >> 7), meaning=direction),
            _flag(Text("starts the exchange (PRM)", "启动标志位PRM"), control & PRM),
            _flag(bit5, control & ACD_OR_FCB),
            _flag(bit4, control & FCV),
            Field(Text("function code", "功能码"), b"", str(control & 15), meaning=function_of(control)[1]),
        ),
    )


def _flag(name: Text, bit: int) -> Field:
    return Field(name, b"", str(int(bit > 0)), meaning=Text("yes", "是") if bit else Text("no", "否"))


def _application(message: Message, octets: bytes) -> Iterator[Field]:
    """AFN, SEQ, the data units and AUX."""
    afn = AFN_NAMES.get(message.afn) or Text("reserved", "备用")
    yield Field(Text("application function AFN", "应用层功能码AFN"), octets[:1], _code(octets[:1]), meaning=afn)
    yield _seq(message.seq)
    for unit in message.units:
        yield explain_unit(message, unit)
    if message.rest:
        yield Field(Text("octets of no data unit", "不足一个数据单元的字节"), message.rest, _row(message.rest))
    if message.pw:
        yield Field(Text("message authentication PW", "消息认证码字段PW"), message.pw, _row(message.pw))
    if message.ec:
        yield _event_counters(message.ec)
    if message.tp:
        yield _time_tag(message.tp)


def _seq(seq: int) -> Field:
    return Field(
        Text("sequence SEQ", "帧序列域SEQ"),
        bytes((seq,)),
        _code(bytes((seq,))),
        parts=(
            _flag(Text("time tag valid TpV", "帧时间标签有效位TpV"), seq & TPV),
            _flag(Text("first frame FIR", "首帧标志FIR"), seq & FIR),
            _flag(Text("last frame FIN", "末帧标志FIN"), seq & FIN),
            _flag(Text("confirmation wanted CON", "请求确认标志位CON"), seq & CON),
            Field(Text("number", "启动帧∕响应帧序号"), b"", str(seq & 15)),
        ),
    )


def _event_counters(ec: bytes) -> Field:
    names = (
        Text("important event counter EC1", "重要事件计数器EC1"),
        Text("ordinary event counter EC2", "一般事件计数器EC2"),
    )
    parts = tuple(Field(name, bytes((count,)), str(count)) for name, count in zip(names, ec, strict=True))
    return Field(Text("event counters EC", "事件计数器EC"), ec, parts=parts)


def _time_tag(tp: bytes) -> Field:
    tag = tag_json(tp)
    sent = "" if tag["time"] is None else f"{tag['day_of_month']:02d} {tag['time']}"
    return Field(
        Text("time tag Tp", "时间标签Tp"),
        tp,
        parts=(
            Field(Text("frame counter PFC", "启动帧帧序号计数器PFC"), tp[:1], str(tp[0])),
            Field(Text("sent on day, at", "启动帧发送时标"), tp[1:5], sent),
            Field(Text("delay allowed", "允许发送传输延时时间"), tp[5:], str(tp[5]), "min"),
        ),
    )


def _broken(octets: bytes, error: DecodeError) -> list[Field]:
    """What can be told of a bad frame; the field at fault is marked."""
    if octets[:1] != bytes((START,)):
        return [Field(Text("octets", "字节"), octets, _row(octets), fault=KINDS[error.kind])] if octets else []
    size = len(octets) + TRAILER_SIZE  # unless the header is right, there is no telling where the trailer would be
    if octets[1:3] == octets[3:5] and octets[5:6] == bytes((START,)):
        size = frame_size(octets)
    inside, trailer, behind = (
        octets[HEADER_SIZE : size - TRAILER_SIZE],
        octets[size - TRAILER_SIZE : size],
        octets[size:],
    )
    fields = _header(octets[:HEADER_SIZE])
    if len(inside) == size - TRAILER_SIZE - HEADER_SIZE:
        fields += _user_data(octets[1] & 3, inside)
    else:
        fields += _start_of_user_data(inside)
    fields += _trailer(trailer)
    if behind:
        fields.append(Field(Text("octets behind the frame", "帧后多余字节"), behind, _row(behind)))
    return _mark(fields, error, octets)


def _user_data(protocol: int, inside: bytes) -> list[Field]:
    """The user data of a bad frame: as those of a good one, where they would make one."""
    try:
        message = decode(wrap(protocol, inside))
    except (DecodeError, EncodeError):
        return _start_of_user_data(inside)
    return [*_link(inside), *_application(message, inside[_LINK_SIZE:])]


def _start_of_user_data(inside: bytes) -> list[Field]:
    known = _link(inside) if len(inside) >= _LINK_SIZE else []
    left = inside[_LINK_SIZE:] if known else inside
    return [*known, Field(Text("link user data", "链路用户数据"), left, _row(left))] if left else known


def _mark(fields: list[Field], error: DecodeError, octets: bytes) -> list[Field]:
    """The same fields with the fault at the one that holds offset ``error.at``; without, or behind all, at the last."""
    fault = KINDS[error.kind]
    if error.kind == "bad_checksum":
        total = sum8(octets[HEADER_SIZE : frame_size(octets) - TRAILER_SIZE])
        fault = Text(f"{fault.en}, wanted {total:02X}H", f"{fault.zh}，应为{total:02X}H")
    wanted = len(octets) if error.at is None else error.at
    ends = list(accumulate(len(one.octets) for one in fields))
    place = min(bisect_right(ends, wanted), len(fields) - 1)
    fields[place] = fields[place].with_fault(fault)
    return fields
