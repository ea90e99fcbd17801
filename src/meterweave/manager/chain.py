"""The audit trail checked: is every row what it was, where it was, and is none missing?

What a chain of hashes can tell: a row altered, removed, inserted or moved anywhere but at the end. What it cannot tell
by itself: whether the last rows were cut off, or everything was written anew by somebody who can compute hashes. For
that an anchor is needed, the number and hash of some row, kept where the database's owner cannot reach it: `verify`
gives one each time, and checks against any that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import String, select, type_coerce
from sqlalchemy.orm import Session

from meterweave.errors import ConfigError
from meterweave.registry import Registry
from meterweave.registry.audit import FIRST_PREVIOUS, HASHED, AuditEntry, entry_hash
from meterweave.text import Text

FOUND_MAX = 100
"""Faults that are told; where there are more, the trail is in ruins anyway."""

_ROWS = 5_000  # read at a time
_ANCHOR = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")

CODES = {
    "altered": Text("was altered: its hash is not that of what it says", "内容被篡改：哈希与内容不符"),
    "missing": Text("is missing", "缺失"),
    "unlinked": Text(
        "does not follow the row before it: one of the two was exchanged, moved or inserted",
        "与前一条不衔接：其中之一被替换、移动或插入",
    ),
    "cut_off": Text("is missing at the end: the trail was cut off behind it, or before", "在末尾缺失：记录被截断"),
    "rewritten": Text("is not the row that the anchor is of: the trail was written anew", "与锚点不符：记录被整体改写"),
}
"""What may be found, by a code that is never used again for anything else."""


class Anchor(NamedTuple):
    """A row of the trail as it was when somebody looked."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


class Fault(NamedTuple):
    """Something that is not as it has to be."""

    code: str  # of `CODES`
    number: int  # of the row
    until: int  # of the last row of a gap; else the same

    @property
    def text(self) -> Text:
        """The finding in words."""
        rows = str(self.number) if self.until == self.number else f"{self.number}-{self.until}"
        words = CODES[self.code]
        return Text(f"entry {rows} {words.en}", f"第{rows}条{words.zh}")


class Verdict(NamedTuple):
    """What `verify` found."""

    entries: int
    anchor: Anchor | None  # of the last row; None: there is none
    faults: tuple[Fault, ...]  # the first `FOUND_MAX`

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def read_anchor(text: str) -> Anchor:
    """An anchor as `verify` gave it.

    Raises
    ------
    ConfigError
        If it is none.
    """
    found = _ANCHOR.fullmatch(text.strip().lower())
    if found is None:
        raise ConfigError(f"{text!r} is no anchor; wanted NUMBER:HASH, as audit verify printed it")
    return Anchor(int(found[1]), found[2])


def verify(registry: Registry, anchors: Sequence[Anchor] = ()) -> Verdict:
    """Check the whole trail, as it is at this moment, against itself and against anchors."""
    wanted = {one.number: one.hash for one in anchors if one.number > 0}
    faults: list[Fault] = []
    entries, last = 0, Anchor(0, FIRST_PREVIOUS)
    with registry.reading() as session:
        for row in _rows(session):
            faults += _faults_of(row, last, wanted)
            entries, last = entries + 1, Anchor(row["number"], str(row["hash"]))
    lost = [number for number in wanted if number > last.number]
    if lost:
        faults.append(Fault("cut_off", last.number + 1, max(lost)))
    return Verdict(entries, last if entries else None, tuple(faults[:FOUND_MAX]))


def _rows(session: Session) -> Iterator[dict[str, Any]]:
    """All rows by their numbers, some at a time, as they are stored: SQLite holds whatever somebody wrote there."""
    columns = [type_coerce(getattr(AuditEntry, name), String).label(name) for name in (*HASHED[1:], "at", "hash")]
    query = select(AuditEntry.number, *columns).order_by(AuditEntry.number).execution_options(yield_per=_ROWS)
    for row in session.execute(query):
        yield dict(row._mapping)


def _faults_of(row: dict[str, Any], last: Anchor, wanted: dict[int, str]) -> Iterator[Fault]:
    number = row["number"]
    if number > last.number + 1:
        yield Fault("missing", last.number + 1, number - 1)
    elif number <= last.number or row["previous"] != last.hash:  # no entry has a number below 1
        yield Fault("unlinked", number, number)
    if row["hash"] != _hash_of(row):
        yield Fault("altered", number, number)
    if wanted.get(number, row["hash"]) != row["hash"]:
        yield Fault("rewritten", number, number)


def _hash_of(row: dict[str, Any]) -> str | None:
    """The hash that the row has to have; None: what is stored cannot have been an entry."""
    try:
        at = row["at"] if isinstance(row["at"], datetime) else datetime.fromisoformat(row["at"]).replace(tzinfo=UTC)
        return entry_hash(row | {"at": at})
    except (TypeError, ValueError):
        return None
