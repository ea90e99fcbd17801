"""What an import did, or would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from meterweave.registry.importing.finding import CODES, Finding
from meterweave.registry.importing.kind import KINDS
from meterweave.text import Language, Text


class Action(StrEnum):
    """What becomes of the record a row names."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


_ACTIONS = {
    Action.CREATED: Text("created", "新建"),
    Action.CHANGED: Text("changed", "更改"),
    Action.UNCHANGED: Text("unchanged", "不变"),
}


USAGE_POINTS = "usage_points"
"""What an import makes beside the records that rows name."""

_TITLES = {kind.name: kind.title for kind in KINDS} | {USAGE_POINTS: Text("usage points", "用电点")}


class Change(NamedTuple):
    """One stored value that becomes another."""

    field: str  # of the database
    old: str
    new: str


class Outcome(NamedTuple):
    """What becomes of one row that is sound; of unchanged ones only the number is kept."""

    kind: str
    sheet: str
    row: int
    action: Action
    name: str  # of the record: code, or protocol and address
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The whole story of one import.

    Attributes
    ----------
    dry_run : bool
        Whether it was only tried.
    applied : bool
        Whether the archives are now as the file says; false after a dry run and where there are problems.
    counts : Counter
        Records by (kind, action); of sound rows.
    outcomes : tuple of Outcome
        Every record created or changed.
    findings : tuple of Finding
        Problems and notes, by place; at most `finding.KEPT_MAX`.
    problem_count : int
        All problems, those not kept too.
    finding_counts : Counter
        Findings by code, those not kept too.
    """

    dry_run: bool
    applied: bool
    counts: Counter[tuple[str, Action]]
    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    problem_count: int
    finding_counts: Counter[str]

    @property
    def ok(self) -> bool:
        """Whether nothing stands against the import."""
        return self.problem_count == 0

    def lines(self, language: Language) -> Iterator[str]:
        """The report for people: every finding, what becomes of the records, and the result."""
        for finding in self.findings:
            yield finding.sentence(language)
        hidden = sum(self.finding_counts.values()) - len(self.findings)
        if hidden:
            rest = self.finding_counts - Counter(finding.code for finding in self.findings)
            named = "; ".join(f"{count} × {CODES[code].in_language(language)}" for code, count in rest.most_common())
            yield Text(f"{hidden} more: {named}", f"另有{hidden}条：{named}").in_language(language)
        for kind in dict.fromkeys(kind for kind, _ in self.counts):
            said = ", ".join(
                f"{self.counts[kind, action]} {words.in_language(language)}" for action, words in _ACTIONS.items()
            )
            yield f"{_TITLES[kind].in_language(language)}: {said}"
        yield self._result().in_language(language)

    def _result(self) -> Text:
        count = self.problem_count
        if count:
            plural = "s" * (count != 1)
            return Text(f"{count} problem{plural}; nothing was imported", f"{count}个问题；未导入任何内容")
        if self.dry_run:
            return Text("no problems; nothing was imported, this was a dry run", "没有问题；试运行，未导入任何内容")
        return Text("imported", "已导入")

    def to_json(self) -> dict[str, object]:
        """As one JSON object."""
        return {
            "dry_run": self.dry_run,
            "applied": self.applied,
            "problems": self.problem_count,
            "counts": {
                kind: {action.value: self.counts[kind, action] for action in Action}
                for kind in dict.fromkeys(kind for kind, _ in self.counts)
            },
            "findings": [finding.to_json() for finding in self.findings],
            "finding_counts": dict(self.finding_counts),
            "outcomes": [
                {**outcome._asdict(), "changes": [change._asdict() for change in outcome.changes]}
                for outcome in self.outcomes
            ],
        }
