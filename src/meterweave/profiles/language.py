"""The language of profiles: every section and key, once, for the checker, the JSON Schema and the reference.

The table is `language.csv`, one row a key. Columns: ``section``; ``key``; ``kind`` see `Kind`; ``required`` yes,
empty, or the protocols whose profiles need it; ``protocols`` those whose profiles may have it, empty for all;
``choices`` of a choice; ``low``, ``high`` of a whole number; ``inner`` the section that stands under it; ``en``, ``zh``
the meaning.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from enum import Enum
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.text import Text

MODBUS, DLT645, DLT645_1997, DLT698, CJT188, MBUS = "modbus", "dlt645", "dlt645-1997", "dlt698", "cjt188", "mbus"
JSON = "json"
PROTOCOLS = (DLT645, DLT645_1997, DLT698, CJT188, MBUS, MODBUS, JSON)
WHOLE = "profile"
"""The section that is the whole profile."""


class Kind(Enum):
    """What a key's value has to be."""

    WORDS = Text("text", "文本")
    NAME = Text("a name: lower-case letters, digits and hyphens", "名称：小写字母、数字和连字符")
    INTEGER = Text("a whole number; hexadecimal as 0x1F or 1FH", "整数；十六进制写作0x1F或1FH")
    SCALE = Text("an exact number other than zero: 0.01, 100, 1e-3 or 1/3", "非零的精确数：0.01、100、1e-3或1/3")
    HEX = Text("hexadecimal octets", "十六进制字节")
    CHOICE = Text("one of a few words", "可选词之一")
    TRUTH = Text("yes or no", "yes或no")
    QUANTITY = Text("a quantity: its OBIS code or name", "量：OBIS或名称")
    EVENT = Text("the name of an event that lasts", "持续性事件的名称")
    UNIT = Text("a unit", "单位")
    PATH = Text('a path into a document: "data.energy[0].value"', '文档中的路径："data.energy[0].value"')
    TOPIC = Text("an MQTT topic: site/{address}/up", "MQTT主题：site/{address}/up")
    INTEGERS = Text("a list of whole numbers", "整数列表")
    SECTION = Text("a section: keys and values", "一节：键与值")
    LIST = Text("a list of sections", "节的列表")


class Key(NamedTuple):
    """One key of a section."""

    name: str
    kind: Kind
    required: bool | tuple[str, ...]
    """Whether always, or the protocols whose profiles need it."""
    protocols: tuple[str, ...]
    choices: tuple[str, ...]
    low: int
    high: int
    inner: str
    meaning: Text

    def applies(self, protocol: str) -> bool:
        """Whether a profile of `protocol` may have this key."""
        return not self.protocols or protocol in self.protocols

    def needed(self, protocol: str) -> bool:
        """Whether a profile of `protocol` has to have this key."""
        wanted = self.required if isinstance(self.required, bool) else protocol in self.required
        return wanted and self.applies(protocol)


@cache
def sections() -> Mapping[str, Mapping[str, Key]]:
    """The keys of every section by name, in the order of the table."""
    table: dict[str, dict[str, Key]] = {}
    with files("meterweave.profiles").joinpath("language.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            table.setdefault(row["section"], {})[row["key"]] = _key(row)
    return MappingProxyType(table)


def _key(row: Mapping[str, str]) -> Key:
    return Key(
        row["key"],
        Kind[row["kind"].upper()],
        row["required"] == "yes" or tuple(row["required"].split()),
        tuple(row["protocols"].split()),
        tuple(row["choices"].split()),
        int(row["low"] or 0),
        int(row["high"] or 0),
        row["inner"],
        Text(row["en"], row["zh"]),
    )
