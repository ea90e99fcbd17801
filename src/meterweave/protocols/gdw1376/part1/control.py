"""What the function codes of the control octet C are called (Q/GDW 1376.1 clause 5.2.5)."""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.text import Text

CONTROL_NAMES: Mapping[tuple[bool, int], tuple[str, Text]] = {
    (True, 1): ("reset", Text("reset of link or terminal, confirmation wanted", "复位命令（发送∕确认）")),
    (True, 4): ("user_data_no_reply", Text("user data without answer", "用户数据（发送∕无回答）")),
    (True, 9): ("link_test", Text("link test", "链路测试（请求∕响应帧）")),
    (True, 10): ("request_class_1", Text("request of class 1 data", "请求1级数据（请求∕响应帧）")),
    (True, 11): ("request_class_2", Text("request of class 2 data", "请求2级数据（请求∕响应帧）")),
    (False, 0): ("acknowledge", Text("acknowledgement", "认可（确认）")),
    (False, 8): ("user_data", Text("user data", "用户数据（响应帧）")),
    (False, 9): ("no_data", Text("no such data", "否认：无所召唤的数据（响应帧）")),
    (False, 11): ("link_status", Text("link state", "链路状态（响应帧）")),
}
"""JSON name and meaning by PRM and function code; all other codes are reserved."""

RESERVED = ("reserved", Text("reserved function", "备用"))


def function_of(control: int) -> tuple[str, Text]:
    """JSON name and meaning of the function of a control octet."""
    return CONTROL_NAMES.get((bool(control & 0x40), control & 0x0F), RESERVED)
