"""The code tables of DL/T 698.45-2017: every number with its English and Chinese words.

The English words of the tables that the decoder's JSON prints (`DAR`, `LINK_TYPES`, `LINK_RESULTS`, `CONNECT_RESULTS`,
`MECHANISMS`, `ERROR_TYPES`, `ADDRESS_TYPES`, `TI_UNITS`, `PARITY`, `FLOW_CONTROL`) are its vocabulary: programs compare
them, so they do not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meterweave.text import Text

UNKNOWN = Text("unknown", "未知")


def word(table: Mapping[int, Text], code: int) -> Text:
    """The words of `code`; `UNKNOWN` where the table has none."""
    return table.get(code, UNKNOWN)


DAR: Mapping[int, Text] = {
    0: Text("success", "成功"),
    1: Text("hardware failure", "硬件失效"),
    2: Text("temporary failure", "暂时失效"),
    3: Text("read-write denied", "拒绝读写"),
    4: Text("object undefined", "对象未定义"),
    5: Text("interface class mismatch", "对象接口类不符合"),
    6: Text("object does not exist", "对象不存在"),
    7: Text("type mismatch", "类型不匹配"),
    8: Text("out of range", "越界"),
    9: Text("data block unavailable", "数据块不可用"),
    10: Text("segmented transfer cancelled", "分帧传输已取消"),
    11: Text("not in segmented transfer", "不处于分帧传输状态"),
    12: Text("block write cancelled", "块写取消"),
    13: Text("no block write in progress", "不存在块写状态"),
    14: Text("block number invalid", "数据块序号无效"),
    15: Text("password wrong or not authorised", "密码错/未授权"),
    16: Text("baud rate cannot be changed", "通信速率不能更改"),
    17: Text("too many year zones", "年时区数超"),
    18: Text("too many day periods", "日时段数超"),
    19: Text("too many tariffs", "费率数超"),
    20: Text("security authentication mismatch", "安全认证不匹配"),
    21: Text("repeated top-up", "重复充值"),
    22: Text("ESAM verification failed", "ESAM验证失败"),
    23: Text("security authentication failed", "安全认证失败"),
    24: Text("customer number mismatch", "客户编号不匹配"),
    25: Text("top-up count wrong", "充值次数错误"),
    26: Text("purchase exceeds hoarding limit", "购电超囤积"),
    27: Text("address abnormal", "地址异常"),
    28: Text("symmetric decryption error", "对称解密错误"),
    29: Text("asymmetric decryption error", "非对称解密错误"),
    30: Text("signature error", "签名错误"),
    31: Text("meter suspended", "电能表挂起"),
    32: Text("time tag invalid", "时间标签无效"),
    33: Text("request timed out", "请求超时"),
    34: Text("ESAM P1P2 incorrect", "ESAM的P1P2不正确"),
    35: Text("ESAM LC incorrect", "ESAM的LC错误"),
    36: Text("comparison failed", "比对失败"),  # draft of 2021
    255: Text("other", "其它"),
}
"""Data access results (DAR). Devices also send codes outside this table; they keep their number."""

UNITS: Mapping[int, Text] = {
    1: Text("year", "年"),
    2: Text("month", "月"),
    3: Text("week", "周"),
    4: Text("day", "日"),
    5: Text("hour", "小时"),
    6: Text("min", "分"),
    7: Text("s", "秒"),
    8: Text("degree", "度"),
    9: Text("°C", "摄氏度"),
    10: Text("currency", "元"),
    11: Text("m", "米"),
    12: Text("m/s", "米/秒"),
    13: Text("m³", "立方米"),
    14: Text("m³ (corrected)", "立方米（修正）"),
    15: Text("m³/h", "立方米/小时"),
    16: Text("m³/h (corrected)", "立方米/小时（修正）"),
    17: Text("m³/d", "立方米/日"),
    18: Text("m³/d (corrected)", "立方米/日（修正）"),
    19: Text("litre", "升"),
    20: Text("kg", "千克"),
    21: Text("N", "牛顿"),
    22: Text("Nm", "牛顿米"),
    23: Text("Pa", "帕斯卡"),
    24: Text("bar", "巴"),
    25: Text("J", "焦耳"),
    26: Text("J/h", "焦耳/小时"),
    27: Text("W", "瓦"),
    28: Text("kW", "千瓦"),
    29: Text("VA", "伏安"),
    30: Text("kVA", "千伏安"),
    31: Text("var", "乏"),
    32: Text("kvar", "千乏"),
    33: Text("kWh", "千瓦时"),
    34: Text("kVAh", "千伏安时"),
    35: Text("kvarh", "千乏时"),
    36: Text("A", "安培"),
    37: Text("C", "库仑"),
    38: Text("V", "伏特"),
    39: Text("V/m", "伏特/米"),
    40: Text("F", "法拉"),
    41: Text("ohm", "欧姆"),
    42: Text("ohm·m²/m", "欧姆平方米/米"),
    43: Text("Wb", "韦伯"),
    44: Text("T", "特斯拉"),
    45: Text("A/m", "安培/米"),
    46: Text("H", "亨利"),
    47: Text("Hz", "赫兹"),
    48: Text("1/Wh", "1/瓦时"),
    49: Text("1/varh", "1/乏时"),
    50: Text("1/VAh", "1/伏安时"),
    51: Text("%", "百分数"),
    52: Text("byte", "字节"),
    53: Text("dBm", "分贝毫瓦"),
    54: Text("yuan/kWh", "元/千瓦时"),
    55: Text("Ah", "安时"),
    56: Text("ms", "毫秒"),
}
"""Unit codes of Scaler_Unit. The readings of 14, 16 and 18 as corrected volumes, and of 23, rest on one source."""

ADDRESS_TYPES: Mapping[int, Text] = {
    0: Text("single", "单地址"),
    1: Text("wildcard", "通配地址"),
    2: Text("group", "组地址"),
    3: Text("broadcast", "广播地址"),
}
"""Bits 7-6 of the address feature octet."""

LINK_TYPES: Mapping[int, Text] = {0: Text("login", "登录"), 1: Text("heartbeat", "心跳"), 2: Text("logout", "退出登录")}

LINK_RESULTS: Mapping[int, Text] = {
    0: Text("ok", "成功"),
    1: Text("address duplicate", "地址重复"),
    2: Text("illegal device", "非法设备"),
    3: Text("capacity exceeded", "容量不足"),
}
"""Bits 2-0 of the result of LINK-Response."""

CONNECT_RESULTS: Mapping[int, Text] = {
    0: Text("allowed", "允许建立应用连接"),
    1: Text("password error", "密码错误"),
    2: Text("symmetric decryption error", "对称解密错误"),
    3: Text("asymmetric decryption error", "非对称解密错误"),
    4: Text("signature error", "签名错误"),
    5: Text("protocol version mismatch", "协议版本不匹配"),
    255: Text("other", "其它错误"),
}

MECHANISMS: Mapping[int, Text] = {
    0: Text("null", "公共连接"),
    1: Text("password", "一般密码"),
    2: Text("symmetric", "对称加密"),
    3: Text("signature", "数字签名"),
}
"""How a CONNECT-Request proves who asks."""

ERROR_TYPES: Mapping[int, Text] = {
    1: Text("APDU cannot be parsed", "APDU无法解析"),
    2: Text("service not supported", "服务不支持"),
    255: Text("other", "其它"),
}
"""What an ERROR-Response complains of."""

TI_UNITS: Mapping[int, Text] = {
    0: Text("second", "秒"),
    1: Text("minute", "分"),
    2: Text("hour", "时"),
    3: Text("day", "日"),
    4: Text("month", "月"),
    5: Text("year", "年"),
}
"""Units of a time interval (TI)."""

REGION_BOUNDS: Mapping[int, Text] = {
    0: Text("[start, end)", "前闭后开"),
    1: Text("(start, end]", "前开后闭"),
    2: Text("[start, end]", "前闭后闭"),
    3: Text("(start, end)", "前开后开"),
}
"""Which ends belong to a Region."""

BAUD: Mapping[int, int] = {
    0: 300,
    1: 600,
    2: 1200,
    3: 2400,
    4: 4800,
    5: 7200,
    6: 9600,
    7: 19200,
    8: 38400,
    9: 57600,
    10: 115200,
}
"""Bit rates of COMDCB and of the archive. [bit/s] 255 stands for automatic."""

PARITY: Mapping[int, Text] = {0: Text("none", "无校验"), 1: Text("odd", "奇校验"), 2: Text("even", "偶校验")}

FLOW_CONTROL: Mapping[int, Text] = {0: Text("none", "无"), 1: Text("hardware", "硬件"), 2: Text("software", "软件")}

PROTOCOLS: Mapping[int, Text] = {
    0: UNKNOWN,
    1: Text("DL/T 645-1997", "DL/T 645-1997"),
    2: Text("DL/T 645-2007", "DL/T 645-2007"),
    3: Text("DL/T 698.45", "DL/T 698.45"),
    4: Text("CJ/T 188-2004", "CJ/T 188-2004"),
}
"""What a meter of the archive speaks (6000)."""

WIRING: Mapping[int, Text] = {
    0: UNKNOWN,
    1: Text("single-phase", "单相"),
    2: Text("three-phase three-wire", "三相三线"),
    3: Text("three-phase four-wire", "三相四线"),
}
"""How a meter of the archive is wired (6000)."""

FEATURES: Mapping[int, Text] = {
    1: Text("before the event started", "事件发生前"),
    2: Text("after the event started", "事件发生后"),
    3: Text("before the event ended", "事件结束前"),
    4: Text("after the event ended", "事件结束后"),
}
"""Bits 7-5 of an attribute octet in the columns of an event."""

FILE_RESULTS: Mapping[int, Text] = {
    100: Text("success", "传输或升级成功"),
    101: Text("connecting", "正在建立连接"),
    102: Text("logging in", "正在登录"),
    103: Text("executing", "正在执行文件传输"),
    104: Text("file not found", "文件不存在"),
    105: Text("not allowed", "操作不允许"),
    106: Text("interrupted", "传输中断"),
    107: Text("verification failed", "文件校验失败"),
    108: Text("forwarding failed", "文件转发失败"),
    109: Text("fetch failed", "文件代收失败"),
    110: Text("connect failed", "建立连接失败"),
    111: Text("login failed", "登录失败"),
    112: Text("no space", "空间不足"),
    255: Text("after reset", "复位后默认"),
}
"""Attribute 3 of the file objects; 0 to 99 is the progress. [%]"""

REPORT_FLAGS: Mapping[int, Text] = {
    0: Text("no report", "不上报"),
    1: Text("report the beginning", "事件发生上报"),
    2: Text("report the end", "事件恢复上报"),
    3: Text("report beginning and end", "事件发生恢复均上报"),
}
"""Attribute 8 of an event object (attribute 11 of a sub-item event)."""

TASK_SCHEMES: Mapping[int, Text] = {
    1: Text("ordinary collection", "普通采集方案"),
    2: Text("event collection", "事件采集方案"),
    3: Text("transparent", "透明方案"),
    4: Text("report", "上报方案"),
    5: Text("script", "脚本方案"),
}
"""Which table of schemes a task refers to (6013)."""

TIME_STAMP_RULES: Mapping[int, Text] = {
    0: Text("none", "未定义"),
    1: Text("task start", "任务开始时间"),
    2: Text("today 00:00", "相对当日0点0分"),
    3: Text("yesterday 23:59", "相对上日23点59分"),
    4: Text("yesterday 00:00", "相对上日0点0分"),
    5: Text("first of the month 00:00", "相对当月1日0点0分"),
    6: Text("freeze time", "数据冻结时标"),
    7: Text("end of last month 00:00", "相对上月月末0点0分"),
}
"""How an ordinary scheme stamps what it stores (6015)."""

PROTOCOL_CONFORMANCE: Sequence[Text] = (
    Text("application association", "应用连接协商"),
    Text("Get normal", "请求对象属性Get-Normal"),
    Text("Get list", "请求对象属性Get-NormalList"),
    Text("Get record", "请求对象属性Get-Record"),
    Text("proxy Get", "代理请求对象属性"),
    Text("proxy Get record", "代理请求对象属性记录"),
    Text("Get next", "请求对象属性下一帧"),
    Text("Set normal", "设置对象属性Set-Normal"),
    Text("Set list", "设置对象属性Set-NormalList"),
    Text("Set then Get", "设置后读取"),
    Text("proxy Set", "代理设置对象属性"),
    Text("proxy Set then Get", "代理设置后读取对象属性"),
    Text("Action normal", "执行对象方法Action-Normal"),
    Text("Action list", "执行对象方法Action-NormalList"),
    Text("Action then Get", "执行方法后读取"),
    Text("proxy Action", "代理执行对象方法"),
    Text("proxy Action then Get", "代理执行后读取"),
    Text("active report", "事件主动上报"),
    Text("follow report", "事件尾随上报"),
    Text("ACD", "事件请求访问位ACD上报"),
    Text("segmented transfer", "分帧数据传输"),
    Text("segmented Get request", "Get-Request分帧"),
    Text("segmented Get response", "Get-Response分帧"),
    Text("segmented Set request", "Set-Request分帧"),
    Text("segmented Set response", "Set-Response分帧"),
    Text("segmented Action request", "Action-Request分帧"),
    Text("segmented Action response", "Action-Response分帧"),
    Text("segmented Proxy request", "Proxy-Request分帧"),
    Text("segmented Proxy response", "Proxy-Response分帧"),
    Text("segmented report", "事件上报分帧"),
    Text("DL/T 645-2007", "DL/T 645-2007"),
    Text("secured transfer", "安全方式传输"),
    Text("read of attribute 0", "对象属性ID为0的读取访问"),
    Text("write of attribute 0", "对象属性ID为0的设置访问"),
)
"""Bits of the protocol conformance block, bit 0 first (the most significant bit of the first octet)."""

FUNCTIONAL_CONFORMANCE: Sequence[Text] = (
    Text("energy", "电能量计量"),
    Text("bidirectional active", "双向有功计量"),
    Text("reactive energy", "无功电能计量"),
    Text("apparent energy", "视在电能计量"),
    Text("active demand", "有功需量"),
    Text("reactive demand", "无功需量"),
    Text("apparent demand", "视在需量"),
    Text("multi-rate", "复费率"),
    Text("valve control", "阀控"),
    Text("local prepayment", "本地费控"),
    Text("remote prepayment", "远程费控"),
    Text("fundamental energy", "基波电能"),
    Text("harmonic energy", "谐波电能"),
    Text("harmonic content", "谐波含量"),
    Text("waveform distortion", "波形失真度"),
    Text("multifunction terminal output", "多功能端子输出"),
    Text("event record", "事件记录"),
    Text("event report", "事件上报"),
    Text("temperature", "温度测量"),
    Text("state monitoring", "状态量监测"),
    Text("Ethernet", "以太网通信"),
    Text("infrared", "红外通信"),
    Text("Bluetooth", "蓝牙通信"),
    Text("multimedia", "多媒体采集"),
    Text("cascade", "级联"),
    Text("DC analogue", "直流模拟量"),
    Text("12 V output", "弱电端子12V输出"),
    Text("meter search", "搜表"),
    Text("three-phase load balance", "三相负载平衡"),
    Text("upgrade", "升级"),
)
"""Bits of the functional conformance block, bit 0 first; the numbering rests on one source."""
