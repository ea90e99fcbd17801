"""The codes of M-Bus in words: control fields, addresses, CI fields, application errors, baud rates."""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.text import Text

SND_NKE, SND_UD, REQ_UD1, REQ_UD2, RSP_UD = 0x40, 0x53, 0x5A, 0x5B, 0x08
FROM_MASTER, FCB, FCV = 0x40, 0x20, 0x10  # bits of the control field
ACD, DFC = 0x20, 0x10  # the same bits when a slave speaks: access demand, data flow control

UNCONFIGURED, PRIMARY_MAX, SELECTED, TEST, BROADCAST = 0x00, 0xFA, 0xFD, 0xFE, 0xFF  # addresses

_MASTER: Mapping[int, tuple[str, Text]] = {
    SND_NKE: ("SND_NKE", Text("reset of the link", "链路复位")),
    SND_UD: ("SND_UD", Text("send data", "发送数据")),
    REQ_UD1: ("REQ_UD1", Text("request for alarms (class 1)", "请求1级数据（告警）")),
    REQ_UD2: ("REQ_UD2", Text("request for data (class 2)", "请求2级数据")),
}
_SLAVE: Mapping[int, tuple[str, Text]] = {RSP_UD: ("RSP_UD", Text("answer with data", "应答数据"))}

CI_WORDS: Mapping[int, Text] = {
    0x50: Text("application reset", "应用复位"),
    0x51: Text("data to the slave", "向从站发送数据"),
    0x52: Text("selection of slaves", "选择从站"),
    0x55: Text("data to the slave, most significant octet first", "向从站发送数据（高字节在前）"),
    0x56: Text("selection of slaves, most significant octet first", "选择从站（高字节在前）"),
    0x5C: Text("synchronise action", "同步动作"),
    0x70: Text("application error", "应用错误"),
    0x71: Text("alarm", "告警"),
    0x72: Text("variable data", "可变数据"),
    0x73: Text("fixed data", "固定数据"),
    0x76: Text("variable data, most significant octet first", "可变数据（高字节在前）"),
    0x77: Text("fixed data, most significant octet first", "固定数据（高字节在前）"),
    0x78: Text("variable data without header", "无数据头的可变数据"),
    0x7A: Text("variable data with short header", "短数据头的可变数据"),
}

BAUD_RATES: Mapping[int, int] = {
    0xB8: 300,
    0xB9: 600,
    0xBA: 1200,
    0xBB: 2400,
    0xBC: 4800,
    0xBD: 9600,
    0xBE: 19200,
    0xBF: 38400,
}
"""The CI field that sets a slave's speed. [Bd]"""

RESETS: Mapping[int, Text] = {
    0x0: Text("all", "全部"),
    0x1: Text("user data", "用户数据"),
    0x2: Text("simple billing", "简单计费"),
    0x3: Text("enhanced billing", "增强计费"),
    0x4: Text("multi tariff billing", "多费率计费"),
    0x5: Text("instantaneous values", "瞬时值"),
    0x6: Text("load management values for management", "负荷管理值"),
    0x8: Text("installation and startup", "安装与启动"),
    0x9: Text("testing", "测试"),
    0xA: Text("calibration", "校准"),
    0xB: Text("manufacturing", "生产"),
    0xC: Text("development", "开发"),
    0xD: Text("selftest", "自检"),
}
"""The upper four bits of the subcode behind an application reset."""

APPLICATION_ERRORS: Mapping[int | None, Text] = {
    None: Text("no code given", "未给出代码"),
    0: Text("unspecified error", "未指明的错误"),
    1: Text("unimplemented CI", "不支持的CI"),
    2: Text("buffer too long", "缓冲区过长"),
    3: Text("too many records", "记录过多"),
    4: Text("premature end of record", "记录提前结束"),
    5: Text("more than 10 DIFE", "DIFE超过10个"),
    6: Text("more than 10 VIFE", "VIFE超过10个"),
    8: Text("application busy", "应用忙"),
    9: Text("too many readouts", "抄读次数过多"),
}
RESERVED = Text("reserved", "保留")


def control_words(control: int) -> tuple[str, Text]:
    """Name and meaning of a control field, its FCB, ACD and DFC bits left aside; the name is empty where unknown."""
    if control & FROM_MASTER:
        return _MASTER.get(control & ~FCB, ("", RESERVED))
    return _SLAVE.get(control & ~(ACD | DFC), ("", RESERVED))


def address_words(address: int) -> Text:
    """What an address means."""
    if address <= PRIMARY_MAX and address != UNCONFIGURED:
        return Text("primary address", "主地址")
    return {
        UNCONFIGURED: Text("unconfigured slave", "未配置的从站"),
        SELECTED: Text("the selected slave", "已选择的从站"),
        TEST: Text("every slave answers", "所有从站应答"),
        BROADCAST: Text("every slave, no answer", "广播，不应答"),
    }.get(address, RESERVED)


def ci_words(ci: int) -> Text:
    """What a CI field announces."""
    if ci in BAUD_RATES:
        return Text(f"set speed to {BAUD_RATES[ci]} Bd", f"设置波特率为{BAUD_RATES[ci]}")
    return CI_WORDS.get(ci, RESERVED)
