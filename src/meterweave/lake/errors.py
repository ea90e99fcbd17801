"""What can go wrong between an acknowledgement and an answer.

LakeError
├── JournalError     rows were not kept: disk full, read-only or broken; their sender must not be acknowledged
│   └── JournalFull  rows were not kept because a bound of ours is reached; they may be sent again later
├── CommitError      the lake's folder cannot be written just now; the journal goes on holding the rows
└── QueryError       the question is at fault, or too large for the limits it was asked under
"""

from __future__ import annotations

from meterweave.errors import MeterweaveError


class LakeError(MeterweaveError):
    """The root of all errors of journal and lake."""


class JournalError(LakeError):
    """Rows were not kept; whoever sent them must not be told otherwise."""


class JournalFull(JournalError):  # noqa: N818 - a state that passes, named as operators name it
    """Rows were not kept because a bound is reached: the text says which bound, what is held and what was asked."""


class CommitError(LakeError):
    """The lake could not be read or written; nothing of the commit is visible, and it may be tried again."""


class QueryError(LakeError):
    """A question that cannot be answered: not a single SELECT, wrong, too slow or too large."""
