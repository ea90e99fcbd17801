"""The functions of DL/T 645: what each control code asks or answers, and how its DATA are divided.

DL/T 645-2007, clause 7 and annex D; DL/T 645-1997, clause 6. The two editions share the frame and are told apart by
the function number in the control code: 1997 has 01 to 04, 0A, 0C, 0F and 10, 2007 has 03, 08 and 11 to 1D. Function 03
is the security authentication of 2007, or the re-read of 1997 where there is no identifier of DI3 07.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from meterweave.protocols.dlt645.formats import Code, Count, Data, Digits, Flags, Format, Moment, Octet, Octets, Rate
from meterweave.protocols.dlt645.frame import ERROR, FUNCTION, REPLY, Frame
from meterweave.text import Text

Edition = Literal["dlt645-2007", "dlt645-1997"]


@dataclass(frozen=True, slots=True)
class Part:
    """One field of DATA."""

    name: str
    text: Text
    format: Format
    names: Mapping[int, tuple[str, Text]] | None = None
    """What the values of a code are called."""


Layout = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """One function: what master and meter send. Of several layouts the first that fits is meant."""

    name: str
    text: Text
    request: tuple[Layout, ...] = ((),)
    reply: tuple[Layout, ...] = ((),)
    error: tuple[Layout, ...] = ()


COMMANDS: Mapping[int, tuple[str, Text]] = MappingProxyType(
    {
        0x1A: ("trip", Text("trip", "跳闸")),
        0x1B: ("close_permit", Text("permit closing by the user", "合闸允许")),
        0x1C: ("close_direct", Text("close", "直接合闸")),
        0x1D: ("pre_trip_close_direct", Text("pre-trip, afterwards close", "预跳闸1（之后直接合闸）")),
        0x1E: ("pre_trip_close_permit", Text("pre-trip, afterwards permit closing", "预跳闸2（之后合闸允许）")),
        0x2A: ("alarm_on", Text("alarm on", "报警")),
        0x2B: ("alarm_off", Text("alarm off", "报警解除")),
        0x3A: ("keep_power_on", Text("keep power on", "保电")),
        0x3B: ("keep_power_off", Text("end of keep power on", "保电解除")),
    }
)
"""N1 of the control command 1CH (2007, annex D)."""

SIGNALS: Mapping[int, tuple[str, Text]] = MappingProxyType(
    {
        0: ("second_pulse", Text("second pulse of the clock", "时钟秒脉冲")),
        1: ("demand_period", Text("demand period", "需量周期")),
        2: ("tariff_switch", Text("tariff switch", "时段投切")),
    }
)
"""What the multi-function output gives (2007, clause 7.14)."""

_SHARED = 0x03
"""The one function number both editions use, each for its own."""
_SECURITY = b"\x07"
"""DI3 of the identifiers of security authentication."""

_DI = Part("di", Text("data identifier", "数据标识"), Digits(4))
_DI_1997 = Part("di", Text("data identifier", "数据标识"), Digits(2))
_VALUES = Part("values", Text("data", "数据"), Data())
_PAYLOAD = Part("payload", Text("data", "数据"), Data(shown=True))
_MORE = Part("payload", Text("further data", "后续数据"), Octets())
_REST = Part("rest", Text("octets not read", "未解析的字节"), Octets())
_SEQUENCE = Part("sequence", Text("frame number SEQ", "帧序号"), Octet())
_COUNT = Part("count", Text("number of blocks", "负荷记录块数"), Count())
_LEVEL = Part("password_level", Text("password level PA", "密码权限"), Octet())
_PASSWORD = Part("password", Text("password", "密码"), Digits(3))
_OPERATOR = Part("operator", Text("operator code", "操作者代码"), Digits(4))
_PASSWORD_1997 = Part("password", Text("password with its level", "密码及权限"), Digits(4))
_ADDRESS = Part("new_address", Text("new address", "新通信地址"), Digits(6))
_RATE = Part("baud", Text("speed word", "通信速率特征字"), Rate())
_RATE_1997 = Part("baud_word", Text("speed word", "通信速率特征字"), Code())
_SIGNAL = Part("signal", Text("output signal", "输出信号类别"), Code(), SIGNALS)
_AUTHORISED: Layout = (_LEVEL, _PASSWORD, _OPERATOR)

_NEW_PASSWORD: Layout = (
    Part("new_password_level", Text("new password level", "新密码权限"), Octet()),
    Part("new_password", Text("new password", "新密码"), Digits(3)),
)
_NEW_PASSWORD_1997 = Part("new_password", Text("new password with its level", "新密码及权限"), Digits(4))

_ERROR: tuple[Layout, ...] = ((Part("error_bits", Text("error word ERR", "错误信息字"), Flags("error_2007", 1)),),)
_ERROR_1997: tuple[Layout, ...] = ((Part("error_bits", Text("error word ERR", "错误信息字"), Flags("error_1997", 1)),),)
_ERROR_SECURITY: tuple[Layout, ...] = tuple(
    (Part("error_bits", Text("security error word SERR", "安全认证错误信息字"), Flags("error_security", size)),)
    for size in (2, 1)
)

FUNCTIONS_2007: Mapping[int, Function] = MappingProxyType(
    {
        0x03: Function(
            "security_authentication",
            Text("security authentication", "安全认证"),
            ((_DI, _OPERATOR, _PAYLOAD),),
            ((_DI, _VALUES),),
            _ERROR_SECURITY,
        ),
        0x08: Function(
            "broadcast_time",
            Text("broadcast time", "广播校时"),
            ((Part("time", Text("time", "时间"), Moment("YYMMDDhhmmss")),),),
        ),
        0x11: Function(
            "read_data",
            Text("read data", "读数据"),
            (
                (_DI,),
                (_DI, _COUNT),
                (_DI, _COUNT, Part("time", Text("from this time on", "给定时间"), Moment("YYMMDDhhmm"))),
                (_DI, _REST),
            ),
            ((_DI, _VALUES), ()),
            _ERROR,
        ),
        0x12: Function(
            "read_follow",
            Text("read the following data", "读后续数据"),
            ((_DI, _SEQUENCE),),
            ((_DI, _MORE, _SEQUENCE),),
            _ERROR,
        ),
        0x13: Function(
            "read_address",
            Text("read the address", "读通信地址"),
            reply=((Part("values", Text("address", "通信地址"), Data(di="04000401")),),),
        ),
        0x14: Function(
            "write_data",
            Text("write data", "写数据"),
            ((_DI, *_AUTHORISED, _PAYLOAD),),
            error=_ERROR,
        ),
        0x15: Function("write_address", Text("write the address", "写通信地址"), ((_ADDRESS,),)),
        0x16: Function(
            "freeze",
            Text("freeze", "冻结命令"),
            ((Part("freeze_time", Text("freeze time MMDDhhmm, 99 for any", "冻结时间"), Digits(4)),),),
            error=_ERROR,
        ),
        0x17: Function("change_baud", Text("change the speed", "更改通信速率"), ((_RATE,),), ((_RATE,),), _ERROR),
        0x18: Function(
            "change_password",
            Text("change a password", "修改密码"),
            (
                (
                    _DI,
                    _LEVEL,
                    _PASSWORD,
                    *_NEW_PASSWORD,
                ),
            ),
            (_NEW_PASSWORD,),
            _ERROR,
        ),
        0x19: Function("clear_demand", Text("clear maximum demand", "最大需量清零"), (_AUTHORISED,), error=_ERROR),
        0x1A: Function("clear_meter", Text("clear the meter", "电表清零"), (_AUTHORISED,), error=_ERROR),
        0x1B: Function("clear_events", Text("clear events", "事件清零"), ((*_AUTHORISED, _DI),), error=_ERROR),
        0x1C: Function(
            "control",
            Text("trip, close, alarm, keep power on", "跳合闸、报警、保电"),
            (
                (
                    *_AUTHORISED,
                    Part("command", Text("control command N1", "控制命令类型"), Code(), COMMANDS),
                    Part("n2", Text("reserved N2", "保留"), Code()),
                    Part("valid_until", Text("valid until", "命令有效截止时间"), Moment("YYMMDDhhmmss")),
                ),
                (
                    *_AUTHORISED,
                    Part("ciphertext", Text("encrypted command", "密文"), Octets(16)),
                    Part("mac", Text("MAC", "MAC"), Octets(4)),
                ),
            ),
            error=_ERROR,
        ),
        0x1D: Function(
            "multi_function_output",
            Text("multi-function output", "多功能端子输出控制命令"),
            ((_SIGNAL,),),
            ((), (_SIGNAL,)),
            _ERROR,
        ),
    }
)

FUNCTIONS_1997: Mapping[int, Function] = MappingProxyType(
    {
        0x01: Function(
            "read_data",
            Text("read data", "读数据"),
            ((_DI_1997,), (_DI_1997, _REST)),
            ((_DI_1997, _VALUES), ()),
            _ERROR_1997,
        ),
        0x02: Function(
            "read_follow",
            Text("read the following data", "读后续数据"),
            ((_DI_1997,),),
            ((_DI_1997, _MORE),),
            _ERROR_1997,
        ),
        0x03: Function("reread_data", Text("read again", "重读数据"), reply=((_DI_1997, _VALUES),), error=_ERROR_1997),
        0x04: Function(
            "write_data",
            Text("write data", "写数据"),
            ((_DI_1997, _PASSWORD_1997, _PAYLOAD),),
            error=_ERROR_1997,
        ),
        0x0A: Function("write_address", Text("write the address", "写设备地址"), ((_ADDRESS,),), error=_ERROR_1997),
        0x0C: Function(
            "change_baud", Text("change the speed", "更改通信速率"), ((_RATE_1997,),), ((_RATE_1997,), ()), _ERROR_1997
        ),
        0x0F: Function(
            "change_password",
            Text("change a password", "修改密码"),
            ((_PASSWORD_1997, _NEW_PASSWORD_1997),),
            ((_NEW_PASSWORD_1997,), ()),
            _ERROR_1997,
        ),
        0x10: Function(
            "clear_demand", Text("clear maximum demand", "最大需量清零"), ((_PASSWORD_1997,), ()), error=_ERROR_1997
        ),
    }
)

RESERVED = Function("reserved", Text("reserved", "保留"), error=_ERROR)
"""A function the standard does not define."""


def edition(frame: Frame) -> Edition:
    """Which edition of the standard a frame speaks."""
    return "dlt645-1997" if frame.function == _SHARED and _is_reread(frame) else edition_of(frame.control)


def edition_of(control: int) -> Edition:
    """The edition that has the function of a control code; that of 2007 where both have it."""
    number = control & FUNCTION
    return "dlt645-1997" if number in FUNCTIONS_1997 and number != _SHARED else "dlt645-2007"


def _is_reread(frame: Frame) -> bool:
    """Whether a frame of the shared function is the re-read of 1997."""
    if frame.is_error:
        return False
    if frame.is_reply:
        return len(frame.data) >= 2 and frame.data[3:4] != _SECURITY
    return not frame.data


def function(control: int, spoken: Edition) -> Function:
    """The function of a control code."""
    table = FUNCTIONS_1997 if spoken == "dlt645-1997" else FUNCTIONS_2007
    return table.get(control & FUNCTION, RESERVED)


def layouts(control: int, spoken: Edition) -> tuple[Layout, ...]:
    """The layouts DATA can have under a control code."""
    found = function(control, spoken)
    if not control & REPLY:
        return found.request
    return found.error if control & ERROR else found.reply
