"""06H F5: what a node reports by itself: a meter's message, or that power went off or came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part2 import layout, words
from meterweave.protocols.gdw1376.part2.groups import Repeat
from meterweave.protocols.gdw1376.part2.inner import InnerMessage
from meterweave.protocols.gdw1376.part2.layout import Layout
from meterweave.protocols.gdw1376.part2.scalars import Address, Number

POWER_EVENT = 4  # the "protocol" that means a power event
COLLECTOR = 0  # the device type whose event lists the meters behind it, each with its state

_KIND = Number("kind", "event", "事件类型", words=words.POWER)
_NODE = Address("address", "address", "通信地址")
_POWERED = Number("powered", "power", "带电状态", words=words.POWERED)
_BY_DEVICES: Layout = (_KIND, Repeat("nodes", "node", "从节点", (_NODE,)))
_BY_COLLECTOR: Layout = (_KIND, Repeat("nodes", "meter", "电能表", (_NODE, _POWERED)))


@dataclass(frozen=True, slots=True)
class EventContent(InnerMessage):
    """The content of a report: always in JSON as a message; a power event stands beside it as ``event``."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset((self.name, "event"))

    def put(self, content: bytes, values: Json) -> None:
        InnerMessage.put(self, content, values)
        if row := _power_layout(values):
            values["event"] = layout.read(row, content).values

    def content(self, values: Mapping[str, Any], path: str) -> bytes:
        if self.name in values or "event" not in values:
            return InnerMessage.content(self, values, path)
        row = _power_layout(values)
        if not row:
            raise EncodeError(f"{path}.event belongs to protocol {POWER_EVENT}, found {values.get('protocol')!r}")
        return layout.write(row, values["event"], f"{path}.event")

    def explained(self, content: bytes, values: Json) -> Field:
        row = _power_layout(values)
        if not row:
            return InnerMessage.explained(self, content, values)
        return Field(self.text, content, content.hex(), parts=tuple(layout.explain(row, content)))


def _power_layout(values: Mapping[str, Any]) -> Layout | None:
    if values.get("protocol") != POWER_EVENT:
        return None
    return _BY_COLLECTOR if values.get("device_type") == COLLECTOR else _BY_DEVICES
