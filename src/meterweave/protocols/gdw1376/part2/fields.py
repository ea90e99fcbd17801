"""Elements and rows of elements that the functions of Q/GDW 1376.2 share."""

from __future__ import annotations

from dataclasses import replace

from meterweave.protocols.gdw1376.part2 import words
from meterweave.protocols.gdw1376.part2.groups import Addresses, Bit, Bits, Repeat, Tail
from meterweave.protocols.gdw1376.part2.inner import InnerMessage
from meterweave.protocols.gdw1376.part2.layout import Layout
from meterweave.protocols.gdw1376.part2.scalars import (
    Address,
    Ascii,
    Code,
    Count,
    Digits,
    FileContent,
    Moment,
    Number,
    Numbers,
    Octets,
)

PROTOCOL = Number("protocol", "protocol", "通信协议类型", words=words.PROTOCOL)
MESSAGE = InnerMessage("message", "message", "报文")
ADDRESS = Address("address", "address", "从节点地址")
TOTAL = Number("total", "total number of nodes", "从节点总数量", 2)
COUNT = Count("count", "nodes in this frame", "本次从节点数量", of="nodes")
START = Number("start", "first node asked for", "从节点起始序号", 2)
LIMIT = Number("count", "nodes asked for", "从节点数量")
TIME_ORDER = "%S%M%H%d%m%y"  # ss mm hh DD MM YY
TIME_ISO = "%Y-%m-%dT%H:%M:%S"
TIME = Moment("time", "time", "时间", 6, order=TIME_ORDER, iso=TIME_ISO)
NODE_SEQUENCE = Number("node_sequence", "number of the node", "从节点序号", 2)
DELAY = Number("delay_seconds", "time the message took", "通信延时时长", 2, unit="s")
DELAY_FLAG = Number("delay_flag", "depends on the delay", "通信延时相关性标志", words=words.DELAY_FLAG, default=0)
SUB_NODES = Addresses("sub_nodes", "attached nodes", "从节点附属节点")
MAIN_NODE = Address("main_node_address", "address of the main node", "主节点地址")
MONITOR_TIMEOUT = Number("monitor_timeout_s", "longest wait for a monitored node", "从节点监控最大超时时间", unit="s")
CHANNEL_GROUP = Number("channel_group", "radio channel group", "无线信道组")
TRANSMIT_POWER = Number("transmit_power", "radio transmit power", "无线发射功率")
BAND = Number("band", "frequency band", "载波频段", words=words.BAND)
FIELD_STRENGTH = Number("field_strength", "field-strength threshold", "场强门限")
ENABLE = Number("enable", "allowed", "使能标志", words=words.ALLOW)
NETWORK_SIZE = Number("network_size", "size of the network", "网络规模", 2)
VENDOR = Ascii("vendor_code", "vendor code", "厂商代码", 2)
ID_LENGTH = Count("id_length", "length of the id", "ID长度", of="id", unit="octets")
ID_FORMAT = Number("id_format", "format of the id", "ID格式", words=words.ID_FORMAT)
ID_TYPE = Number("id_type", "kind of id", "ID类型", words=words.ID_TYPE)
DEVICE = Number("device_type", "kind of device", "设备类型", words=words.DEVICE)

VERSION: Layout = (
    VENDOR,
    Ascii("chip_code", "chip code", "芯片代码", 2),
    Moment("version_date", "date of the version", "版本日期"),
    Digits("version", "version", "版本", 2),
)
WORD_RATES = Bit("rate_count", "number of rates", "速率数量", 0, 4, of="rates")
RATES = Repeat(
    "rates",
    "rate",
    "通信速率",
    (
        Bits(
            "",
            "rate",
            "通信速率",
            2,
            (
                Bit("value", "rate; 0 is the default", "速率，0为默认速率", 0, 15),
                Bit("unit", "unit of the rate", "速率单位", 15, coded=("bit/s", "kbit/s")),
            ),
        ),
    ),
    count="rate_count",
)
FORWARD: Layout = (PROTOCOL, MESSAGE)
ASK_NODES: Layout = (START, LIMIT)
CONFIRM = Tail(
    "",
    "confirmation",
    "确认",
    (
        Bits(
            "channel_status",
            "state of the command and the channels",
            "命令状态与信道状态",
            4,
            (
                Bit("command_done", "command has been carried out", "命令已处理", 0, words=words.YES_NO),
                Bit("channels_idle", "channels 1 to 31 that are idle", "信道1～31空闲", 1, 31),
            ),
            form="octets",
        ),
        Number("wait_seconds", "wait before the next request", "等待时间", 2, unit="s"),
    ),
)
STATE_WORD = Bits(
    "",
    "state word",
    "运行状态字",
    2,
    (
        WORD_RATES,
        Bit("channel_feature", "channel feature", "主信道特征", 4, 2, words=words.CHANNEL_FEATURE),
        Bit("periodic_read_mode", "periodic reading", "周期抄表模式", 6, 2, words=words.PERIODIC_READ),
        Bit("channel_count", "number of channels", "信道数量", 8, 4),
    ),
)
MODE_WORD = Bits(
    "mode_word",
    "running mode word",
    "本地通信模式字",
    6,
    (
        Bit("comm_mode", "communication", "通信方式", 0, 4, words=words.MODE_WORD_COMM),
        Bit("route_management", "manages routes", "路由管理方式", 4, words=words.YES_NO),
        Bit("needs_node_list", "needs the node list", "从节点信息模式", 5, words=words.YES_NO),
        Bit("periodic_read_mode", "periodic reading", "周期抄表模式", 6, 2, words=words.PERIODIC_READ),
        Bit(
            "delay_param_support", "knows the delay of: broadcast, monitoring, route reading", "传输延时参数支持", 8, 3
        ),
        Bit(
            "failed_node_switching",
            "failed nodes are switched by",
            "失败节点切换发起方式",
            11,
            2,
            words=words.SWITCHED_BY,
        ),
        Bit(
            "broadcast_confirm_mode", "a broadcast is confirmed", "广播命令确认方式", 13, words=words.BROADCAST_CONFIRM
        ),
        Bit("broadcast_channel_mode", "channels of a broadcast", "广播命令信道执行方式", 14, 2),
        Bit("channel_count", "number of channels", "信道数量", 16, 5),
        Bit("phases_off", "phases without power: A, B, C", "低压电网掉电信息", 21, 3),
        replace(WORD_RATES, low=24),
    ),
    form="octets",
)

NODE_INFO = Bits(
    "",
    "node information",
    "从节点信息",
    2,
    (
        Bit("relay_level", "relay level", "中继级别", 0, 4),
        Bit("signal_quality", "signal quality", "信号品质", 4, 4, words=words.QUALITY),
        Bit("phase_bits", "phases, bit by bit: A, B, C", "相位", 8, 3),
        Bit("protocol", "protocol", "通信协议类型", 11, 3, words=words.PROTOCOL),
    ),
)
PHASE_WORD = Bits(
    "phase_word",
    "phase information",
    "相线信息",
    2,
    (
        Bit("phase_bits", "phases, bit by bit: A, B, C", "相线标识", 0, 3),
        Bit("three_phase", "three-phase meter", "三相表", 3, words=words.YES_NO),
        Bit("line_abnormal", "line is abnormal", "线路异常", 4, words=words.YES_NO),
        Bit("phase_sequence", "phase sequence", "相序类型", 5, 3, words=words.PHASE_SEQUENCE),
    ),
)
ROUTE_STATE = Bits(
    "",
    "running state",
    "运行状态",
    1,
    (
        Bit("routing_finished", "route learning is finished", "路由完成标志", 0, words=words.YES_NO),
        Bit("working", "working", "工作标志", 1, words=words.YES_NO),
        Bit("event_report", "events wait to be reported", "上报事件标志", 2, words=words.YES_NO),
        Bit("error_correction", "error coding", "纠错编码", 4, 4, words=words.CODING),
    ),
)
WORK_SWITCH = Bits(
    "work_switch",
    "working switches",
    "工作开关",
    1,
    (
        Bit("learning", "route learning", "路由学习", 0, words=words.YES_NO),
        Bit("registration_allowed", "registration of nodes is allowed", "注册允许状态", 1, words=words.YES_NO),
        Bit("current_job", "working on", "工作状态", 6, 2, words=words.CURRENT_JOB),
    ),
)
WORK_MODE = Bits(
    "",
    "working mode",
    "工作模式",
    1,
    (
        Bit("learning", "route learning", "路由学习", 0, words=words.YES_NO),
        Bit("registration_allowed", "registration of nodes is allowed", "注册允许状态", 1, words=words.YES_NO),
        Bit("error_correction", "error coding", "纠错编码", 4, 4, words=words.CODING),
    ),
)

ERROR = Number("error_code", "error", "错误状态字", words=words.ERROR_CODE)
ASKED_AFN = Code("afn", "AFN asked for", "AFN功能码")
ID = Octets("id", "id", "ID信息", length="id_length")
CHIP_ID = Octets("chip_id", "chip id", "芯片ID信息", 24)
LONG_MESSAGE = InnerMessage("message", "message", "报文", 2)
COMM_RATE = Number("comm_rate", "communication rate", "通信速率", 2)
READ_FLAG = Number("read_flag", "reading flag", "抄读标志", words=words.READ_FLAG)
PHASE = Number("phase", "phase", "通信相位", words=words.PHASE)
DATA_KIND = Number("data_type", "kind of data", "数据类型")
DATA_ID = Digits("data_id", "data identifier", "数据标识", 4)
REPORTER = Number("device_type", "reporting device", "设备类型", words=words.REPORTER)
REPORT_PROTOCOL = Number("protocol", "protocol", "通信协议类型", words=words.REPORT_PROTOCOL)
NODE_TYPE = Bits(
    "",
    "node type",
    "节点类型",
    1,
    (
        Bit("node_type", "node type", "节点类型", 0, 4, words=words.NODE_TYPE),
        Bit("stale", "the information is stale", "信息失效", 7, words=words.YES_NO),
    ),
)
HEARD_NODE: Layout = (
    ADDRESS,
    Bits(
        "",
        "how it is heard",
        "侦听信息",
        1,
        (
            Bit("relay_level", "relay level", "中继级别", 0, 4),
            Bit("signal_quality", "signal quality", "侦听信号品质", 4, 4, words=words.QUALITY),
        ),
    ),
    Number("heard_count", "times heard", "侦听次数"),
)
RUNNING_MODE: Layout = (
    MODE_WORD,
    MONITOR_TIMEOUT,
    Number("broadcast_timeout_s", "longest wait for a broadcast", "广播命令最大超时时间", 2, unit="s"),
    Number("max_message_bytes", "longest message", "最大支持报文长度", 2, unit="octets"),
    Number("max_file_packet_bytes", "longest file packet", "文件传输支持的最大单个数据包长度", 2, unit="octets"),
    Number("upgrade_wait_min", "wait after an upgrade", "升级操作等待时间", unit="min"),
    MAIN_NODE,
    Number("max_nodes", "most nodes supported", "支持的最大从节点数量", 2),
    Number("current_nodes", "nodes now", "当前从节点数量", 2),
    Moment("protocol_date", "date of the protocol", "通信模块使用的协议发布日期", order="%y%m%d"),
    Moment("protocol_record_date", "date the protocol was filed", "通信模块使用的协议最后备案日期", order="%y%m%d"),
    *VERSION,
    RATES,
)
ATTACHED: Layout = (
    Number("device_type", "kind of device", "设备类型", words=words.NODE_TYPE),
    Number("sub_node_total", "nodes attached", "下接从节点数量"),
    Count("sub_node_count", "attached nodes in this frame", "本报文传输的下接从节点数量", of="sub_nodes"),
    Repeat("sub_nodes", "attached node", "下接从节点", (ADDRESS, PROTOCOL), count="sub_node_count"),
)
ROUTING_STATE: Layout = (
    ROUTE_STATE,
    Number("total_nodes", "nodes", "从节点总数量", 2),
    Number("read_nodes", "nodes that have been read", "已抄从节点数量", 2),
    Number("relay_read_nodes", "nodes read through relays", "中继抄到从节点数量", 2),
    WORK_SWITCH,
    COMM_RATE,
    Numbers("relay_level", "relay levels", "中继级别", 3),
    Numbers("work_step", "work steps", "工作步骤", 3, words=words.WORK_STEP),
)
TOPOLOGY_NODE: Layout = (
    ADDRESS,
    Number("tei", "TEI", "节点标识", 2),
    Number("proxy_tei", "TEI of its proxy", "代理节点标识", 2),
    Bits(
        "",
        "place in the network",
        "节点信息",
        1,
        (
            Bit("level", "level", "节点层级", 0, 4),
            Bit("role", "role", "节点角色", 4, 4, words=words.ROLE),
        ),
    ),
)
NETWORKS: Layout = (
    # One module is known to say 1 and list none, so the list runs to the end and the number is kept as it is.
    Count("count", "networks around", "多网络节点总数量", of="networks", given=True),
    Digits("network_id", "own network id", "本节点网络标识号", 3),
    MAIN_NODE,
    Repeat("networks", "network", "邻居网络", (Digits("network_id", "network id", "网络标识号", 3),)),
)
REGISTRATION: Layout = (
    Moment("start_time", "begin", "开始时间", 6, order=TIME_ORDER, iso=TIME_ISO),
    Number("duration_min", "duration", "持续时间", 2, unit="min"),
    Number("node_retries", "retries of a node", "从节点重发次数"),
    Number("random_wait_slots", "random wait, slots of 150 ms", "随机等待时间片个数"),
)
FILE_SEGMENT: Layout = (
    Number("file_id", "file", "文件标识", words=words.FILE),
    Number("file_attribute", "attribute", "文件属性", words=words.FILE_ATTRIBUTE),
    Number("file_command", "command", "文件指令", default=0),
    Number("total_segments", "number of segments", "总段数", 2),
    Number("segment", "segment", "第i段标识", 4),
    Count("length", "length of the segment", "第i段数据长度", 2, of="content", unit="octets"),
    FileContent("content", "content", "文件数据", length="length"),
)
