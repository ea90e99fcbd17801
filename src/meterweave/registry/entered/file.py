"""Reading sheets: the columns of a file of readings, and what its rows say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from meterweave.metering.quantities import Quantity
from meterweave.registry.entered.amount import read_amount, read_quantity, usual
from meterweave.registry.entered.entry import Entry
from meterweave.registry.entered.roll import MeterFacts, Roll
from meterweave.registry.importing import column as cells
from meterweave.registry.importing.column import CellError, Column, malformed
from meterweave.registry.importing.finding import CODES, Finding, Findings
from meterweave.registry.importing.kind import Kind
from meterweave.registry.importing.sheet import Sheet
from meterweave.registry.importing.table import Draft, Table, read_table
from meterweave.registry.models import EnteredReading
from meterweave.registry.vocabulary import WORDS
from meterweave.text import Language, Text

_YES = frozenset({"yes", "y", "true", "1", "是", "√", "估"})
_NO = frozenset({"no", "n", "false", "0", "否"})

ALREADY_THERE = ("utility", "usage_point", "place", "asset_number", "last_value", "last_time")
"""Columns that a reading sheet has for who carries it, and that an import passes over."""


class Line(NamedTuple):
    """A row of a file that is a reading, and where it stands."""

    table: Table
    draft: Draft
    meter: MeterFacts
    entry: Entry


class Lines(NamedTuple):
    """What the tables of a file say."""

    lines: list[Line]
    meters: Mapping[int, MeterFacts]
    unread: int  # rows of meters without a reading


def yes_or_no(cell: str) -> bool:
    """Whether a cell says yes."""
    said = cell.lower()
    if said not in _YES | _NO:
        raise malformed(cell, Text("yes or no", "是或否"))
    return said in _YES


def write_yes(language: Language, value: bool) -> str:
    """Yes in words; nothing for no."""
    return Text("yes", "是").in_language(language) if value else ""


def readings_kind(zone: ZoneInfo) -> Kind:
    """The columns of a reading sheet; times are local in `zone`, a date alone is its midnight."""
    text = cells.text_up_to(500)
    return Kind(
        "readings",
        Text("readings", "抄表"),
        ("reading sheet", "抄表单", "抄表记录", "示数"),
        EnteredReading,
        (
            Column("meter", Text("meter", "表计"), ("meter number", "表号", "表计编号", "电表"), cells.number_text),
            Column("protocol", Text("protocol", "通信规约"), ("规约",), cells.protocol),
            Column("utility", Text("utility", "能源类型"), ("表类型",)),
            Column("usage_point", Text("usage point", "用电点编号"), ("用电点",)),
            Column("place", Text("place", "用电点名称"), ("地点", "位置")),
            Column("asset_number", Text("asset number", "资产编号"), ("资产号",)),
            Column("quantity", Text("quantity", "数据项"), ("register", "obis", "示数类型"), cells.text_up_to(100)),
            Column("last_value", Text("last reading", "上次示数"), ("上次读数",)),
            Column("last_time", Text("last read at", "上次抄表时间"), ("上次抄表日期",)),
            Column("value", Text("value", "本次示数"), ("reading", "示数", "读数", "本次读数"), cells.text_up_to(64)),
            Column("unit", Text("unit", "单位"), (), cells.text_up_to(16)),
            Column(
                "time",
                Text("time", "抄表时间"),
                ("read at", "date", "抄表日期", "时间", "日期"),
                partial(cells.instant, zone=zone),
            ),
            Column("reader", Text("reader", "抄表员"), ("read by", "抄表人"), cells.text_up_to(64)),
            Column("photo", Text("photo", "照片"), ("picture", "图片"), text),
            Column(
                "estimated", Text("estimated", "是否估算"), ("estimate", "估算", "估抄"), yes_or_no, write=write_yes
            ),
            Column("note", Text("note", "备注"), ("remark", "remarks", "说明"), text),
        ),
        identity=("meter",),
    )


def read_lines(session: Session, sheets: list[Sheet], findings: Findings, zone: ZoneInfo) -> Lines:
    """What the sheets say, each row by itself; whatever is wrong with one is a finding.

    A row that names a meter and has no value is one that nobody read: it is counted, and no problem.
    """
    kind = readings_kind(zone)
    tables = [table for sheet in sheets if (table := read_table(sheet, findings, kind=kind)) is not None]
    for table in tables:
        for name in {"value", "time"} - table.headers.keys():
            wanted = kind.by_name[name].header
            text = Text(f"there is no column {wanted.en!r}", f"缺少“{wanted.zh}”列")
            findings.add(Finding("import.missing_column", text, table.name))
    drafts = [(table, draft) for table in tables for draft in table.drafts if _is_read(draft, table)]
    roll = Roll(session, (draft.values["meter"] for _, draft in drafts if "meter" in draft.values))
    lines = [line for table, draft in drafts if (line := _line(table, draft, roll, findings)) is not None]
    unread = sum(len(table.drafts) for table in tables) - len(drafts)
    return Lines(_each_once(lines, findings), {one.meter.id: one.meter for one in lines}, unread)


def _is_read(draft: Draft, table: Table) -> bool:
    """Whether the row has something where the value stands, if only a mistake."""
    at = table.positions.get("value")
    return at is not None and at < len(draft.row.cells) and draft.row.cells[at] != ""


def _line(table: Table, draft: Draft, roll: Roll, findings: Findings) -> Line | None:
    """The reading that a row is; None where a cell of it is at fault, which is told."""
    values, column = draft.values, "meter"
    try:
        if "meter" not in values:
            return None
        meter = roll.the_one(values["meter"], values.get("protocol"))
        column = "quantity"
        quantity = _quantity(values.get("quantity"), meter)
        column = "value"
        value = read_amount(values["value"], values.get("unit"), quantity) if "value" in values else None
        column = "time"
        if "time" not in values and draft.sound:
            raise CellError("import.missing", CODES["import.missing"])
    except CellError as problem:
        findings.add(table.finding(problem.code, problem.text, draft, column))
        return None
    if not draft.sound or value is None:
        return None
    entry = Entry(
        meter.id,
        quantity.code,
        values["time"],
        value,
        values.get("estimated", False),
        reader=values.get("reader"),
        photo=values.get("photo"),
        note=values.get("note"),
    )
    return Line(table, draft, meter, entry)


def _quantity(text: str | None, meter: MeterFacts) -> Quantity:
    if text is None:
        return usual(meter.utility)
    return of_utility(read_quantity(text), meter)


def of_utility(quantity: Quantity, meter: MeterFacts) -> Quantity:
    """`quantity`, if a meter like this can measure it.

    Raises
    ------
    CellError
        If it is of another utility.
    """
    if quantity.utility not in ("", meter.utility.value):
        raise CellError(
            "import.conflict",
            Text(
                f"{quantity.meaning.en} is of {quantity.utility}, {meter.name} measures {meter.utility}",
                f"{quantity.meaning.zh}不是{meter.name}（{WORDS[meter.utility].zh}）的数据项",
            ),
        )
    return quantity


def _each_once(lines: list[Line], findings: Findings) -> list[Line]:
    first: dict[tuple[int, int, datetime], Line] = {}
    for line in lines:
        other = first.setdefault(line.entry.key, line)
        if other is not line:
            place = f"{other.table.name} {other.draft.row.number}"
            text = Text(
                f"{line.meter.name} has a reading of this time in row {place} already", f"与第{place}行重复"
            )  # fmt: skip
            findings.add(line.table.finding("import.duplicate", text, line.draft, "time"))
    return list(first.values())
