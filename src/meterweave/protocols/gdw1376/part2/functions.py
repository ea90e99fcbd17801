"""Every function of Q/GDW 1376.2: its AFN and Fn, its name, and the layout of its data unit in each direction.

A layout of ``()`` has no data; None means that the layout is the vendor's own or not known: the octets stay raw.
To add a function, add a row to `FUNCTIONS`; decoding, building, JSON and the explanation follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from meterweave.protocols.gdw1376.part2 import fields as f
from meterweave.protocols.gdw1376.part2 import words
from meterweave.protocols.gdw1376.part2.event import EventContent
from meterweave.protocols.gdw1376.part2.groups import Addresses, Bit, Bits, Repeat, Tail
from meterweave.protocols.gdw1376.part2.layout import Element, Layout
from meterweave.protocols.gdw1376.part2.scalars import Digits, FunctionSet, Number, Octets
from meterweave.text import Text


class Function(NamedTuple):
    """One function."""

    name: Text
    down: Layout | None  # concentrator to module
    up: Layout | None  # module to concentrator


AFN: Mapping[int, Text] = MappingProxyType(
    {
        0x00: Text("confirm or deny", "确认/否认"),
        0x01: Text("initialise", "初始化"),
        0x02: Text("forward", "数据转发"),
        0x03: Text("query", "查询数据"),
        0x04: Text("link test", "链路接口检测"),
        0x05: Text("control", "控制命令"),
        0x06: Text("report", "主动上报"),
        0x10: Text("routing query", "路由查询"),
        0x11: Text("routing setup", "路由设置"),
        0x12: Text("routing control", "路由控制"),
        0x13: Text("forward by route", "路由数据转发"),
        0x14: Text("module asks", "路由数据抄读"),
        0x15: Text("file transfer", "文件传输"),
        0xF0: Text("vendor debug", "内部调试"),
        0xF1: Text("parallel reading", "并发抄表"),
    }
)
"""The application functions."""

_NONE: Layout = ()
_NODE_PROTOCOL: Layout = (f.ADDRESS, f.PROTOCOL)


def _nodes(*row: Element) -> Repeat:
    """As many nodes as the `COUNT` in front says."""
    return Repeat("nodes", "node", "从节点", row, count="count")


_NODES_UP: Layout = (f.TOTAL, f.COUNT, _nodes(f.ADDRESS, f.NODE_INFO))

FUNCTIONS: Mapping[tuple[int, int], Function] = MappingProxyType(
    {
        (0x00, 1): Function(Text("confirm", "确认"), down=(f.CONFIRM,), up=(f.CONFIRM,)),
        (0x00, 2): Function(Text("deny", "否认"), down=(f.ERROR,), up=(f.ERROR,)),
        (0x01, 1): Function(Text("hardware reset", "硬件初始化"), down=_NONE, up=None),
        (0x01, 2): Function(Text("clear the node list", "参数区初始化"), down=_NONE, up=None),
        (0x01, 3): Function(Text("clear the routing data", "数据区初始化"), down=_NONE, up=None),
        (0x02, 1): Function(Text("forward a message", "转发通信协议数据帧"), down=f.FORWARD, up=f.FORWARD),
        (0x03, 1): Function(Text("vendor and version", "厂商代码和版本信息"), down=_NONE, up=f.VERSION),
        (0x03, 2): Function(
            Text("noise", "噪声值"),
            down=_NONE,
            up=(Bits("", "noise", "噪声值", 1, (Bit("noise", "noise, 0 to 15", "噪声强度", 0, 4),)),),
        ),
        (0x03, 3): Function(
            Text("heard nodes", "从节点侦听信息"),
            down=(Number("start", "first node asked for", "开始节点指针"), f.LIMIT),
            up=(Number("total", "total number of nodes", "侦听到的从节点总数"), f.COUNT, _nodes(*f.HEARD_NODE)),
        ),
        (0x03, 4): Function(Text("main address", "主节点地址"), down=_NONE, up=(f.MAIN_NODE,)),
        (0x03, 5): Function(Text("state and rates", "主节点状态字和通信速率"), down=_NONE, up=(f.STATE_WORD, f.RATES)),
        (0x03, 6): Function(
            Text("interference", "主节点干扰状态"),
            down=_NONE,
            up=(Number("interference", "interference", "干扰状态", words=words.YES_NO),),
        ),
        (0x03, 7): Function(Text("monitor timeout", "从节点监控最大超时时间"), down=_NONE, up=(f.MONITOR_TIMEOUT,)),
        (0x03, 8): Function(
            Text("radio parameters", "无线通信参数"), down=_NONE, up=(f.CHANNEL_GROUP, f.TRANSMIT_POWER)
        ),
        (0x03, 9): Function(
            Text("broadcast delay", "通信延时相关广播通信时长"),
            down=f.FORWARD,
            up=(f.DELAY, Tail("", "message", "报文", f.FORWARD)),
        ),
        (0x03, 10): Function(Text("running mode", "本地通信模块运行模式信息"), down=_NONE, up=f.RUNNING_MODE),
        (0x03, 11): Function(
            Text("supported functions", "本地通信模块AFN索引"),
            down=(f.ASKED_AFN,),
            up=(f.ASKED_AFN, FunctionSet("functions", "functions that are supported", "支持的数据单元标识")),
        ),
        (0x03, 12): Function(
            Text("module id", "本地主节点通信模块ID号"),
            down=_NONE,
            up=(f.VENDOR, f.ID_LENGTH, f.ID_FORMAT, Octets("id", "id", "ID号", length="id_length", low_first=True)),
        ),
        (0x03, 16): Function(Text("frequency band", "宽带载波通信参数"), down=_NONE, up=(f.BAND,)),
        (0x03, 100): Function(Text("field-strength threshold", "场强门限"), down=_NONE, up=(f.FIELD_STRENGTH,)),
        (0x04, 1): Function(
            Text("send test", "发送测试"), down=(Number("duration_s", "time to send", "持续时间", unit="s"),), up=None
        ),
        (0x04, 2): Function(Text("call the nodes", "从节点点名"), down=_NONE, up=None),
        (0x04, 3): Function(
            Text("message test", "本地通信模块报文通信测试"),
            down=(Number("rate", "test rate", "测试通信速率"), f.ADDRESS, *f.FORWARD),
            up=None,
        ),
        (0x05, 1): Function(Text("set the main address", "设置主节点地址"), down=(f.MAIN_NODE,), up=None),
        (0x05, 2): Function(Text("allow event reports", "允许/禁止从节点上报"), down=(f.ENABLE,), up=None),
        (0x05, 3): Function(Text("broadcast", "启动广播"), down=f.FORWARD, up=None),
        (0x05, 4): Function(
            Text("set the monitor timeout", "设置从节点监控最大超时时间"), down=(f.MONITOR_TIMEOUT,), up=None
        ),
        (0x05, 5): Function(
            Text("set the radio parameters", "设置无线通信参数"), down=(f.CHANNEL_GROUP, f.TRANSMIT_POWER), up=None
        ),
        (0x05, 6): Function(Text("allow area identification", "允许/禁止台区识别"), down=(f.ENABLE,), up=None),
        (0x05, 16): Function(Text("set the frequency band", "设置宽带载波通信参数"), down=(f.BAND,), up=None),
        (0x05, 100): Function(
            Text("set the field-strength threshold", "设置场强门限"), down=(f.FIELD_STRENGTH,), up=None
        ),
        (0x05, 101): Function(Text("set the centre's time", "设置中心节点时间"), down=(f.TIME,), up=None),
        (0x05, 200): Function(
            Text("allow reports of rejected nodes", "允许/禁止拒绝节点信息上报"), down=(f.ENABLE,), up=None
        ),
        (0x06, 1): Function(
            Text("node information", "上报从节点信息"),
            down=None,
            up=(f.COUNT, _nodes(*_NODE_PROTOCOL, f.NODE_SEQUENCE)),
        ),
        (0x06, 2): Function(
            Text("meter reading", "上报抄读数据"),
            down=None,
            up=(
                f.NODE_SEQUENCE,
                f.PROTOCOL,
                Number("elapsed_s", "time on the way", "上行时长", 2, unit="s"),
                f.MESSAGE,
            ),
        ),
        (0x06, 3): Function(
            Text("routing state has changed", "上报路由工况变动信息"),
            down=None,
            up=(Number("change", "what has happened", "路由工作任务变动类型", words=words.ROUTE_EVENT),),
        ),
        (0x06, 4): Function(
            Text("node information with type", "上报从节点信息及设备类型"),
            down=None,
            up=(f.COUNT, _nodes(*_NODE_PROTOCOL, f.NODE_SEQUENCE, *f.ATTACHED)),
        ),
        (0x06, 5): Function(
            Text("node event", "上报从节点事件"),
            down=None,
            up=(f.REPORTER, f.REPORT_PROTOCOL, EventContent("message", "content", "报文内容")),
        ),
        (0x10, 1): Function(
            Text("number of nodes", "从节点数量"),
            down=_NONE,
            up=(
                Number("nodes", "number of nodes", "从节点总数量", 2),
                Number("max_nodes", "most nodes supported", "路由支持最大从节点数量", 2),
            ),
        ),
        (0x10, 2): Function(Text("nodes", "从节点信息"), down=f.ASK_NODES, up=_NODES_UP),
        (0x10, 3): Function(
            Text("route of a node", "指定从节点的上一级中继路由信息"),
            down=(f.ADDRESS,),
            up=(f.COUNT, _nodes(f.ADDRESS, f.NODE_INFO)),
        ),
        (0x10, 4): Function(Text("state of the routing", "路由运行状态"), down=_NONE, up=f.ROUTING_STATE),
        (0x10, 5): Function(Text("nodes not read", "未抄读成功的从节点信息"), down=f.ASK_NODES, up=_NODES_UP),
        (0x10, 6): Function(Text("registered nodes", "主动注册的从节点信息"), down=f.ASK_NODES, up=_NODES_UP),
        (0x10, 7): Function(
            Text("ids of the nodes", "从节点ID信息"),
            down=f.ASK_NODES,
            up=(f.TOTAL, f.COUNT, _nodes(f.ADDRESS, f.NODE_TYPE, f.VENDOR, f.ID_LENGTH, f.ID_FORMAT, f.ID)),
        ),
        (0x10, 9): Function(Text("network size", "网络规模"), down=_NONE, up=(f.NETWORK_SIZE,)),
        (0x10, 21): Function(
            Text("network topology", "网络拓扑信息"),
            down=f.ASK_NODES,
            up=(f.TOTAL, f.START, f.COUNT, _nodes(*f.TOPOLOGY_NODE)),
        ),
        (0x10, 31): Function(
            Text("phases of the nodes", "相线信息"),
            down=f.ASK_NODES,
            up=(f.TOTAL, f.START, f.COUNT, _nodes(f.ADDRESS, f.PHASE_WORD)),
        ),
        (0x10, 40): Function(
            Text("id of a device", "流水线查询ID信息"),
            down=(f.DEVICE, f.ADDRESS, f.ID_TYPE),
            up=(f.DEVICE, f.ADDRESS, f.ID_TYPE, f.ID_LENGTH, f.ID),
        ),
        (0x10, 100): Function(
            Text("size of the radio network", "微功率无线网络规模"), down=_NONE, up=(f.NETWORK_SIZE,)
        ),
        (0x10, 101): Function(Text("nodes of the radio network", "微功率无线从节点信息"), down=f.ASK_NODES, up=None),
        (0x10, 104): Function(Text("versions of the nodes", "升级后模块版本信息"), down=_NONE, up=None),
        (0x10, 111): Function(Text("networks around", "多网络信息"), down=_NONE, up=f.NETWORKS),
        (0x10, 112): Function(
            Text("chips of the nodes", "宽带载波芯片信息"),
            down=f.ASK_NODES,
            up=(
                f.TOTAL,
                f.START,
                f.COUNT,
                _nodes(f.ADDRESS, f.DEVICE, f.CHIP_ID, Digits("version", "version", "版本", 2)),
            ),
        ),
        (0x11, 1): Function(Text("add nodes", "添加从节点"), down=(f.COUNT, _nodes(*_NODE_PROTOCOL)), up=None),
        (0x11, 2): Function(Text("delete nodes", "删除从节点"), down=(f.COUNT, _nodes(f.ADDRESS)), up=None),
        (0x11, 3): Function(
            Text("set a fixed path", "设置从节点固定中继路径"),
            down=(f.ADDRESS, Addresses("relays", "relays", "中继从节点")),
            up=None,
        ),
        (0x11, 4): Function(Text("set the working mode", "设置路由工作模式"), down=(f.WORK_MODE, f.COMM_RATE), up=None),
        (0x11, 5): Function(Text("start registration", "激活从节点主动注册"), down=f.REGISTRATION, up=None),
        (0x11, 6): Function(Text("stop registration", "终止从节点主动注册"), down=_NONE, up=None),
        (0x11, 100): Function(Text("set the network size", "设置网络规模"), down=(f.NETWORK_SIZE,), up=None),
        (0x11, 101): Function(Text("start network maintenance", "启动网络维护进程"), down=_NONE, up=None),
        (0x11, 102): Function(Text("start networking", "启动组网"), down=_NONE, up=None),
        (0x12, 1): Function(Text("restart", "重启"), down=_NONE, up=None),
        (0x12, 2): Function(Text("pause", "暂停"), down=_NONE, up=None),
        (0x12, 3): Function(Text("resume", "恢复"), down=_NONE, up=None),
        (0x13, 1): Function(
            Text("monitor a node", "监控从节点"),
            down=(f.PROTOCOL, f.DELAY_FLAG, f.SUB_NODES, f.MESSAGE),
            up=(f.DELAY, f.PROTOCOL, f.MESSAGE),
        ),
        (0x14, 1): Function(
            Text("what to read", "路由请求抄读内容"),
            down=(f.READ_FLAG, f.DELAY_FLAG, f.MESSAGE, f.SUB_NODES),
            up=(f.PHASE, f.ADDRESS, f.NODE_SEQUENCE),
        ),
        (0x14, 2): Function(Text("clock of the concentrator", "路由请求集中器时钟"), down=(f.TIME,), up=_NONE),
        (0x14, 3): Function(
            Text("message corrected by the delay", "请求依通信延时修正通信数据"),
            down=(f.MESSAGE,),
            up=(f.ADDRESS, f.DELAY, f.MESSAGE),
        ),
        (0x14, 4): Function(
            Text("measurements of the concentrator", "路由请求交采信息"),
            down=(f.DATA_KIND, f.DATA_ID, Octets("data", "data", "数据内容")),
            up=(f.DATA_KIND, f.DATA_ID),
        ),
        (0x15, 1): Function(
            Text("file transfer", "文件传输方式1"),
            down=f.FILE_SEGMENT,
            up=(Number("current_segment", "segment received; 4294967295 is a refusal", "收到的当前段标识", 4),),
        ),
        (0xF1, 1): Function(
            Text("read meters in parallel", "并发抄表"),
            down=(f.PROTOCOL, Number("reserved", "reserved", "保留", default=0), f.LONG_MESSAGE),
            up=(f.PROTOCOL, f.LONG_MESSAGE),
        ),
    }
)
"""What is known of each AFN and Fn."""


def function(afn: int, fn: int | None) -> Function | None:
    """The function of an AFN and Fn; None where it is not known, as all of the vendors' F0H are not."""
    return FUNCTIONS.get((afn, fn)) if fn is not None else None


def layout_of(afn: int, fn: int | None, *, uplink: bool) -> Layout | None:
    """The layout of a data unit; None where it is not known."""
    found = function(afn, fn)
    return None if found is None else found.up if uplink else found.down
