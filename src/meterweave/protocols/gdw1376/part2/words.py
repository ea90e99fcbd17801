"""What the codes of Q/GDW 1376.2 stand for."""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.text import Text

Words = Mapping[int, Text]

YES_NO: Words = {0: Text("no", "否"), 1: Text("yes", "是")}

ALLOW: Words = {0: Text("forbid", "禁止"), 1: Text("allow", "允许")}

DIRECTION: Words = {
    0: Text("downlink: concentrator to module", "下行：集中器到本地模块"),
    1: Text("uplink: module to concentrator", "上行：本地模块到集中器"),
}

PRM: Words = {0: Text("answers", "从动站"), 1: Text("starts an exchange", "启动站")}

COMM_MODE: Words = {
    1: Text("narrow-band power line", "窄带电力线载波"),
    2: Text("broadband power line", "宽带电力线载波"),
    3: Text("high-speed power line (HPLC)", "高速电力线载波"),
    10: Text("micro-power radio", "微功率无线"),
    20: Text("Ethernet", "以太网"),
}

PROTOCOL: Words = {
    0: Text("transparent", "透明传输"),
    1: Text("DL/T 645-1997", "DL/T 645-1997"),
    2: Text("DL/T 645-2007", "DL/T 645-2007"),
    3: Text("DL/T 698.45", "DL/T 698.45"),
}

REPORT_PROTOCOL: Words = {
    **PROTOCOL,
    4: Text("power-off and power-on event", "停复电事件"),
    5: Text("nodes rejected from this transformer area", "拒绝从节点信息"),
}

ERROR_CODE: Words = {
    0: Text("timeout", "通信超时"),
    1: Text("invalid data unit", "无效数据单元"),
    2: Text("wrong length", "长度错"),
    3: Text("wrong checksum", "校验错误"),
    4: Text("no such Fn", "信息类不存在"),
    5: Text("wrong format", "格式错误"),
    6: Text("address is there already", "表号重复"),
    7: Text("address is not there", "表号不存在"),
    8: Text("the meter's application does not answer", "电表应用层无应答"),
    9: Text("module is busy", "主节点忙"),
    10: Text("not supported", "主节点不支持此命令"),
    11: Text("the node does not answer", "从节点不应答"),
    12: Text("the node is not in the network", "从节点不在网内"),
    109: Text("too many meters read at once", "超过最大并发数"),
    110: Text("too many messages in one frame", "超过单个帧最大允许的电表协议报文条数"),
    111: Text("this meter is being read", "此表正在抄读"),
}

PHASE: Words = {0: Text("unknown", "不确定"), 1: Text("A", "A相"), 2: Text("B", "B相"), 3: Text("C", "C相")}

CODING: Words = {0: Text("none", "未编码"), 1: Text("Reed-Solomon", "RS编码")}

CHANNEL_FEATURE: Words = {
    0: Text("micro-power radio", "微功率无线"),
    1: Text("single-phase supply, single-phase sending", "单相供电单相传输"),
    2: Text("single-phase supply, three-phase sending", "单相供电三相传输"),
    3: Text("three-phase supply, three-phase sending", "三相供电三相传输"),
}

MODE_WORD_COMM: Words = {
    1: Text("narrow-band power line", "窄带电力线载波通信"),
    2: Text("broadband power line", "宽带电力线载波通信"),
    3: Text("micro-power radio", "微功率无线通信"),
}

PERIODIC_READ: Words = {
    1: Text("driven by the concentrator", "集中器主导"),
    2: Text("driven by the routing module", "路由主导"),
    3: Text("either", "两种模式都支持"),
}

SWITCHED_BY: Words = {
    1: Text("the module by itself", "通信模块自主切换"),
    2: Text("the concentrator", "集中器通知切换"),
}

BROADCAST_CONFIRM: Words = {
    0: Text("after the channel has finished", "广播命令在本地通信信道执行完毕后返回确认"),
    1: Text("at once, with the time to wait", "立即返回确认，并带广播执行时间"),
}

BAND: Words = {
    0: Text("1.953 to 11.96 MHz", "1.953～11.96MHz"),
    1: Text("2.441 to 5.615 MHz", "2.441～5.615MHz"),
    2: Text("0.781 to 2.930 MHz", "0.781～2.930MHz"),
    3: Text("1.758 to 2.930 MHz", "1.758～2.930MHz"),
}

ID_FORMAT: Words = {
    0: Text("mixed", "组合格式"),
    1: Text("BCD", "BCD"),
    2: Text("binary", "BIN"),
    3: Text("ASCII", "ASCII"),
}

ID_TYPE: Words = {1: Text("chip id", "芯片ID"), 2: Text("module id", "模块ID")}

NODE_TYPE: Words = {0: Text("meter", "电能表"), 1: Text("collector", "采集器"), 15: Text("unknown", "未知")}

REPORTER: Words = {
    0: Text("collector", "采集器"),
    1: Text("meter", "电能表"),
    2: Text("HPLC unit", "HPLC通信单元"),
}

DEVICE: Words = {
    1: Text("hand-held unit", "抄控器"),
    2: Text("concentrator module", "集中器本地通信模块"),
    3: Text("single-phase meter", "单相表通信模块"),
    4: Text("repeater", "中继器"),
    5: Text("collector II", "II型采集器"),
    6: Text("collector I", "I型采集器"),
    7: Text("three-phase meter", "三相表通信模块"),
}

ROUTE_EVENT: Words = {
    1: Text("reading is done", "抄读任务结束"),
    2: Text("search is done", "搜表任务结束"),
    3: Text("area identification is done", "台区识别任务结束"),
}

POWER: Words = {1: Text("power went off", "停电"), 2: Text("power came back", "复电")}

POWERED: Words = {0: Text("without power", "未带电"), 1: Text("powered", "带电")}

ROLE: Words = {
    1: Text("station", "末梢节点（STA）"),
    2: Text("proxy", "代理节点（PCO）"),
    4: Text("main node", "主节点（CCO）"),
}

PHASE_SEQUENCE: Words = {
    0: Text("ABC", "ABC"),
    1: Text("ACB", "ACB"),
    2: Text("BAC", "BAC"),
    3: Text("BCA", "BCA"),
    4: Text("CAB", "CAB"),
    5: Text("CBA", "CBA"),
    6: Text("line and neutral reversed", "零火反接"),
}

CURRENT_JOB: Words = {0: Text("reading", "抄表"), 1: Text("searching", "搜表"), 2: Text("upgrading", "升级")}

WORK_STEP: Words = {1: Text("initial", "初始状态"), 8: Text("idle", "空闲状态")}

READ_FLAG: Words = {
    0: Text("cannot be read, skip it", "抄读失败"),
    1: Text("has been read", "抄读成功"),
    2: Text("read this", "可以抄读"),
}

DELAY_FLAG: Words = {
    0: Text("the message does not depend on the delay", "数据不与通信延时相关"),
    1: Text("the message is to be corrected by the delay", "数据与通信延时相关"),
}

FILE: Words = {
    0: Text("clear the download", "清除下装文件"),
    3: Text("local module", "本地通信模块升级文件"),
    7: Text("module and nodes", "主节点和子节点模块升级"),
    8: Text("nodes", "子节点模块升级"),
}

FILE_ATTRIBUTE: Words = {0: Text("more follow", "起始帧、中间帧"), 1: Text("the last", "结束帧")}

QUALITY: Words = {0: Text("not told", "无信号品质"), 1: Text("worst", "最低"), 15: Text("best", "最高")}

EVENT_FLAG: Words = {
    0: Text("nothing to report", "无上报事件"),
    1: Text("an event waits to be asked for", "有上报事件"),
}
