"""What is wrong with a file, by row and column, in both languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from meterweave.text import Language, Text

CODES: Mapping[str, Text] = MappingProxyType(
    {
        "import.file_too_large": Text("the file is larger than an import may be", "文件超出导入上限"),
        "import.unreadable": Text("the file is no table that can be read", "文件无法读取"),
        "import.encoding": Text("the text is neither UTF-8 nor GB18030", "文本编码既不是UTF-8也不是GB18030"),
        "import.too_many_rows": Text("more rows than an import may have", "行数超出上限"),
        "import.too_many_columns": Text("more columns than a table may have", "列数超出上限"),
        "import.cell_too_long": Text("more text in a cell than there may be", "单元格文字过长"),
        "import.no_kind": Text("it cannot be told what the table lists", "无法判断表格内容的种类"),
        "import.unknown_column": Text("a column that means nothing here; it is left out", "无法识别的列，已忽略"),
        "import.missing_column": Text("a column that must be there is not", "缺少必需的列"),
        "import.column_twice": Text("two columns mean the same", "列重复"),
        "import.missing": Text("the cell must not be empty", "单元格不能为空"),
        "import.malformed": Text("the cell is not of the form wanted", "单元格格式错误"),
        "import.digits_lost": Text("a spreadsheet has rounded the digits away", "数字位数已被电子表格丢失"),
        "import.duplicate": Text("two rows of the file say it", "文件内重复"),
        "import.conflict": Text("it contradicts what is stored", "与已有档案冲突"),
        "import.unknown_reference": Text("what is referred to is not stored", "引用的档案不存在"),
        "import.ambiguous_reference": Text("several stored records are meant", "引用不唯一"),
        "import.refused_by_database": Text("the database refused the change", "数据库拒绝了更改"),
        "reading.in_future": Text("the reading is of a time to come", "抄表时间在将来"),
        "reading.beyond_register": Text("more than the register can show", "超出计数器的显示范围"),
        "reading.other_value": Text("another value was entered for this time", "同一时间已录入不同的读数"),
        "reading.withdrawn": Text("a reading of this time was taken back", "该时间的读数已撤回"),
        "reading.only_estimated": Text("an estimate does not take the place of what was read", "估算值不能替代实抄值"),
        "reading.device_differs": Text("the meter itself said another value", "表计自身上报了不同的读数"),
        "reading.below_last": Text("less than an earlier reading", "小于此前的读数"),
        "reading.above_next": Text("more than a later reading", "大于其后的读数"),
        "reading.rolled_over": Text("the register is taken to have rolled over", "按计数器翻转处理"),
        "reading.unusual": Text("far more than usual", "用量远高于平常"),
        "reading.not_installed": Text("the meter was on no usage point then", "当时该表未安装"),
    }
)
"""What each code means. Codes are never used again for anything else."""

NOTES = frozenset(
    {
        "import.unknown_column",
        "reading.device_differs",
        "reading.below_last",
        "reading.above_next",
        "reading.rolled_over",
        "reading.unusual",
        "reading.not_installed",
    }
)
"""Codes that stand against nothing: the import goes on."""

KEPT_MAX = 10_000
"""Findings kept with their place; the rest is counted only, so that a hostile file cannot fill the memory."""


class Finding(NamedTuple):
    """One thing to know about one cell, row or table."""

    code: str  # of `CODES`
    text: Text  # with the value seen and the value wanted
    sheet: str = ""
    row: int | None = None  # as a spreadsheet numbers rows: the header is 1
    column: str = ""  # the header as it stands in the file
    value: str = ""

    @property
    def is_problem(self) -> bool:
        """Whether it stands against the import."""
        return self.code not in NOTES

    def sentence(self, language: Language) -> str:
        """Place and text in one line."""
        if language == "zh":
            place = "，".join([self.sheet] * bool(self.sheet) + [f"第{self.row}行"] * bool(self.row))
            column = f"“{self.column}”列" if self.column else ""
            return f"{place}{column}：{self.text.zh}" if place or column else self.text.zh
        parts = [self.sheet] * bool(self.sheet) + [f"row {self.row}"] * bool(self.row)
        parts += [f"column {self.column!r}"] * bool(self.column)
        return f"{', '.join(parts)}: {self.text.en}" if parts else self.text.en

    def to_json(self) -> dict[str, object]:
        """As one JSON object; ``en`` and ``zh`` are the text."""
        found = {name: value for name, value in self._asdict().items() if name != "text"}
        return found | {"en": self.text.en, "zh": self.text.zh, "problem": self.is_problem}


class Findings:
    """A bounded collection of findings."""

    def __init__(self) -> None:
        self.kept: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.problems = 0

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it as long as there is room."""
        self.counts[finding.code] += 1
        self.problems += finding.is_problem
        if len(self.kept) < KEPT_MAX:
            self.kept.append(finding)
