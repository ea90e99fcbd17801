"""What an import of readings did, or would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from meterweave.registry.entered.entry import Kept
from meterweave.registry.importing.finding import CODES, NOTES, Finding
from meterweave.registry.importing.report import Action
from meterweave.text import Language, Text

_ACTIONS = {
    Action.CREATED: Text("new", "新增"),
    Action.CHANGED: Text("corrected", "更正"),
    Action.UNCHANGED: Text("known already", "已有"),
}
READINGS, EXCHANGES = Text("readings: {}", "读数：{}"), Text("exchanges: {}", "换表：{}")
"""What is counted."""

_UNREAD = Text("{} rows without a reading", "{}行未抄")


@dataclass(frozen=True, slots=True)
class EntryReport:
    """The whole story of one import of readings, or of meter exchanges.

    Attributes
    ----------
    checked_only : bool
        Whether it was only tried.
    applied : bool
        Whether the archives now have all of it.
    counts : Counter
        Readings, or exchanges, by what becomes of them.
    unread : int
        Rows of meters without a reading.
    findings : tuple of Finding
        Problems and notes, by place; at most `finding.KEPT_MAX`.
    problem_count : int
        All problems, those not kept too.
    finding_counts : Counter
        Findings by code, those not kept too.
    kept : tuple of Kept
        The readings of the file as the archives have them; none where it was not applied.
    title : Text
        What is counted.
    """

    checked_only: bool
    applied: bool
    counts: Counter[Action]
    unread: int
    findings: tuple[Finding, ...]
    problem_count: int
    finding_counts: Counter[str]
    kept: tuple[Kept, ...]
    title: Text = READINGS

    @property
    def ok(self) -> bool:
        """Whether nothing stands against the import."""
        return self.problem_count == 0

    @property
    def note_count(self) -> int:
        """Findings that stand against nothing."""
        return sum(count for code, count in self.finding_counts.items() if code in NOTES)

    def lines(self, language: Language) -> Iterator[str]:
        """The report for people: every finding, what becomes of the readings, and the result."""
        for finding in self.findings:
            mark = "" if finding.is_problem else Text("note: ", "提示：").in_language(language)
            yield mark + finding.sentence(language)
        hidden = self.finding_counts - Counter(finding.code for finding in self.findings)
        for code, count in hidden.most_common():
            yield Text(f"{count} more: {CODES[code].en}", f"另有{count}条：{CODES[code].zh}").in_language(language)
        said = [
            f"{self.counts[action]} {words.in_language(language)}"
            for action, words in _ACTIONS.items()
            if action in self.counts
        ]
        if self.unread:
            said.append(_UNREAD.in_language(language).format(self.unread))
        yield self.title.in_language(language).format(", ".join(said))
        yield self._result().in_language(language)

    def _result(self) -> Text:
        count = self.problem_count
        if count:
            plural = "s" * (count != 1)
            return Text(f"{count} problem{plural}; nothing was imported", f"{count}个问题；未导入任何内容")
        if self.checked_only:
            return Text("no problems; nothing was imported, this was a check", "没有问题；仅检查，未导入任何内容")
        return Text("imported", "已导入")

    def to_json(self) -> dict[str, object]:
        """As one JSON object."""
        return {
            "checked_only": self.checked_only,
            "applied": self.applied,
            "problems": self.problem_count,
            "notes": self.note_count,
            "counts": {action.value: self.counts[action] for action in Action},
            "rows_without_reading": self.unread,
            "findings": [finding.to_json() for finding in self.findings],
            "finding_counts": dict(self.finding_counts),
        }
