"""Data units field by field, in English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part1.catalogue import AFN_NAMES, name_of
from meterweave.protocols.gdw1376.part1.formats import Bits, Digits, Format, Split
from meterweave.protocols.gdw1376.part1.layout import Cell, Run
from meterweave.protocols.gdw1376.part1.message import Message, Unit, sections
from meterweave.protocols.gdw1376.part1.records import Confirmation, Counted, Designation
from meterweave.text import Text

_UNITS = frozenset({"kW", "kvar", "kVA", "kWh", "kvarh", "%", "V", "A", "deg", "CNY", "min", "ms", "s", "h"})
"""Units that people want behind a number; the other words of `items.csv` say how to read it."""

_WIRING = {
    1: Text("three-phase three-wire", "三相三线"),
    2: Text("three-phase four-wire", "三相四线"),
    3: Text("single-phase", "单相"),
}
_DENSITY = {
    0: Text("no freeze", "不冻结"),
    1: Text("15 minutes", "15分钟"),
    2: Text("30 minutes", "30分钟"),
    3: Text("60 minutes", "60分钟"),
    254: Text("5 minutes", "5分钟"),
    255: Text("1 minute", "1分钟"),
}
_METER_PROTOCOLS = {
    0: Text("none", "不需要终端抄表"),
    1: Text("DL/T 645-1997", "DL/T 645-1997"),
    2: Text("AC sampling", "交流采样装置通信协议"),
    30: Text("DL/T 645-2007", "DL/T 645-2007"),
    31: Text("serial narrow-band power-line module", "串行接口连接窄带低压载波通信模块"),
    32: Text("CJ/T 188", "CJ/T 188"),
}
CODES: Mapping[str, Mapping[int, Text]] = {
    "curve.density": _DENSITY,
    "hour.density": _DENSITY,
    "meter.protocol": _METER_PROTOCOLS,
    "meter_reading_stopped": {0: Text("read", "不停抄"), 1: Text("stopped", "停抄")},
    "relay.state": {0x00: Text("off", "断电"), 0x11: Text("on", "通电")},
    "task_switch": {0x55: Text("start", "启动"), 0xAA: Text("stop", "停止")},
    "confirm_by_unit": AFN_NAMES,
    "wiring": _WIRING,
}
"""What codes stand for, by item and value."""


def explain_unit(message: Message, unit: Unit) -> Field:
    """A data unit with everything in it."""
    where = unit.da.to_bytes(2, "little"), unit.dt.to_bytes(2, "little")
    points = " ".join(f"p{point}" for point in unit.points)
    items = " ".join(f"F{fn}" for fn in unit.items)
    titles = [name_of(message.afn, fn) for fn in unit.items]
    title = Text("; ".join(one.en for one in titles), "；".join(one.zh for one in titles))
    fields = [
        Field(Text("points DA", "信息点标识DA"), where[0], points),
        Field(Text("items DT", "信息类标识DT"), where[1], items, meaning=title),
    ]
    end = 0
    for section in sections(message, unit):
        for run in section.found.runs:
            fields += run_fields(run, unit.data)
        end = section.found.end
    if left := unit.data[end:]:
        fields.append(Field(Text("octets with no known layout", "未解析的数据"), left, left.hex(" ").upper()))
    octets = b"".join((*where, unit.data))
    return Field(Text("data unit", "数据单元"), octets, f"{points} {items}".strip(), meaning=title, parts=tuple(fields))


def run_fields(run: Run, octets: bytes) -> Iterator[Field]:
    """The cells of one run, field by field."""
    cell, size = run.cell, run.size
    for index in range(run.times):
        one = octets[run.at + index * size : run.at + (index + 1) * size]
        yield _cell_field(cell, run.prefix, run.first + index, one)


def _cell_field(cell: Cell, prefix: str, index: int, octets: bytes) -> Field:
    if isinstance(cell.format, Split):
        parts = tuple(
            Field(_words(part.meaning, "", 0, prefix), b"", str(value))
            for part, value in zip(cell.parts, cell.format.values(octets[0]), strict=True)
        )
        return Field(_words(_joined(cell), "", 0, prefix), octets, f"{octets[0]:02X}H", parts=parts)
    name = _words(cell.item.meaning, cell.repeat, index, prefix)
    value = cell.format.text(octets)
    if value is None:
        return Field(name, octets, meaning=Text("no value", "无效值"))
    meaning = _code_words(cell.item.name, octets) or cell.format.meaning(octets)
    return Field(
        name,
        octets,
        _written(cell.format, octets, value),
        _shown(cell.item.unit),
        meaning=meaning,
        parts=cell.format.parts(octets),
    )


def _written(form: Format, octets: bytes, text: str) -> str:
    """The value as people write it: codes and octets in the standard's hexadecimal, ``8AH`` for JSON's ``0x8A``."""
    if isinstance(form, (Bits, Confirmation)):
        return f"{text.removeprefix('0x')}H"
    if type(form) is Format or isinstance(form, Designation):
        return octets.hex(" ").upper()
    if isinstance(form, Counted) and not form.encoding:
        return octets[form.width :].hex(" ").upper()
    return text.upper() if isinstance(form, Digits) else text


def _code_words(name: str, octets: bytes) -> Text | None:
    codes = CODES.get(name)
    return codes.get(octets[0]) if codes else None


def _shown(unit: str) -> str:
    return unit if unit in _UNITS else ""


def _joined(cell: Cell) -> Text:
    return Text(
        ", ".join(part.meaning.en for part in cell.parts),
        "、".join(part.meaning.zh for part in cell.parts),
    )


def _words(meaning: Text, repeat: str, index: int, prefix: str) -> Text:
    """An item's words with the tariff, the point or the place in a list."""
    en, zh = meaning
    if repeat == "t":
        en, zh = (f"{en}, tariff {index}", f"{zh}，费率{index}") if index else (f"{en}, total", f"{zh}，总")
    elif repeat == "p":
        en, zh = f"{en}, point {index}", f"{zh}，点{index}"
    return Text(f"{prefix.rstrip('.')} {en}", f"{prefix.rstrip('.')} {zh}") if prefix else Text(en, zh)
