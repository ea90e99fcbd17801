"""Which layout the data of an item have, by application function, direction and Fn: the table `layouts.csv`.

A row may stand for a family of items, ``81-84``; braces in its layout then choose: the first alternative belongs to
the first item. ``@0C.33`` stands for the layout of another row, ``@0C.129-136`` in a family for that of the item at
the same place; a name before the ``@`` goes in front of the names in it. A ``profile`` names the series
(`meterweave.metering.batch.Profile`) to which readings in the data belong; without it they give no readings.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.protocols.gdw1376.part1.layout import Layout, Step, choose, parse
from meterweave.text import Text

_OPEN_END = "..."
_SEE = re.compile(r"(\S*)@(\w\w)\.(\d+)\S*")

AFN_NAMES: Mapping[int, Text] = MappingProxyType(
    {
        0x00: Text("confirm or deny", "确认∕否认"),
        0x01: Text("reset", "复位"),
        0x02: Text("link interface", "链路接口检测"),
        0x03: Text("relay station", "中继站命令"),
        0x04: Text("set parameters", "设置参数"),
        0x05: Text("control", "控制命令"),
        0x06: Text("identity check and keys", "身份认证及密钥协商"),
        0x08: Text("ask a cascaded terminal to report", "请求被级联终端主动上报"),
        0x09: Text("ask terminal configuration", "请求终端配置"),
        0x0A: Text("query parameters", "查询参数"),
        0x0B: Text("ask task data", "请求任务数据"),
        0x0C: Text("class 1: present data", "请求1类数据（实时数据）"),
        0x0D: Text("class 2: history", "请求2类数据（历史数据）"),
        0x0E: Text("class 3: events", "请求3类数据（事件数据）"),
        0x0F: Text("file transfer", "文件传输"),
        0x10: Text("data forwarding", "数据转发"),
    }
)
"""The application functions AFN (clause 5.3.2)."""

SET, QUERY, PRESENT, HISTORY = 0x04, 0x0A, 0x0C, 0x0D
BARE_REQUESTS = frozenset({0x09, 0x0A, 0x0C})
"""Functions whose requests carry no data for any item, unless a row says otherwise."""


class Key(NamedTuple):
    """What chooses a layout."""

    afn: int
    uplink: bool
    fn: int


class _Row(NamedTuple):
    profile: str
    text: str
    title: Text


@cache
def layouts() -> Mapping[Key, Layout]:
    """Every layout that `layouts.csv` gives, families and references written out."""
    rows = dict(_rows())
    return MappingProxyType({key: _layout(row, rows) for key, row in rows.items()})


def _layout(row: _Row, rows: Mapping[Key, _Row]) -> Layout:
    text = row.text.removesuffix(_OPEN_END)
    return Layout(row.title, _steps(text, rows), row.profile, open_end=text != row.text)


@lru_cache(maxsize=16384)
def layout_of(afn: int, uplink: bool, fn: int) -> Layout | None:
    """The layout of the data of item `fn`; None where it is not known."""
    table = layouts()
    found = table.get(Key(afn, uplink, fn))
    if found is not None:
        return found
    if uplink:
        return table.get(Key(SET, False, fn)) if afn == QUERY else None
    title = name_of(afn, fn)
    if afn in BARE_REQUESTS:
        return Layout(title, ())
    answer = table.get(Key(afn, True, fn)) if afn == HISTORY else None
    return answer.tag() if answer else None


def name_of(afn: int, fn: int) -> Text:
    """What item `fn` of an application function is called, in either direction."""
    keys = [Key(afn, True, fn), Key(afn, False, fn)] + ([Key(SET, False, fn)] if afn == QUERY else [])
    for key in keys:
        if key in layouts():
            return layouts()[key].title
    return Text(f"item F{fn}", f"信息类F{fn}")


def _rows() -> Iterator[tuple[Key, _Row]]:
    with files(__package__).joinpath("layouts.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            first, _, last = row["fn"].partition("-")
            family = range(int(first), int(last or first) + 1)
            directions = {"up": (True,), "down": (False,), "both": (False, True)}[row["direction"]]
            for place, fn in enumerate(family):
                text = _choose(row["layout"], place) if last else row["layout"]
                for uplink in directions:
                    yield Key(int(row["afn"], 16), uplink, fn), _Row(row["profile"], text, Text(row["en"], row["zh"]))


def _choose(text: str, place: int) -> str:
    """A family's layout for its member at `place`."""
    moved = _SEE.sub(lambda match: f"{match[1]}@{match[2]}.{int(match[3]) + place}", text)
    return choose(moved, place)


def _steps(text: str, rows: Mapping[Key, _Row], prefix: str = "") -> tuple[Step, ...]:
    """The steps of `text`, references followed; a reference always stands last."""
    see = _SEE.search(text)
    if not see:
        return parse(text, prefix)
    other = next(rows[key] for uplink in (True, False) if (key := Key(int(see[2], 16), uplink, int(see[3]))) in rows)
    return parse(text[: see.start()], prefix) + _steps(other.text, rows, prefix + see[1])
