"""One move of a command: a guarded update and a step of its history, in one transaction.

Whoever moves a command says in which state it is now; if it is not, nothing happens, so of two that want to move it one
does. These transactions are not those of `Registry.writing`: a command changes nothing that the directory shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, CursorResult, insert, update
from sqlalchemy.orm import Session

from meterweave.registry.commands import TRANSITIONS, Command, CommandState, CommandStep
from meterweave.registry.database import Registry
from meterweave.text import Text, storable

WORDS_MAX = 1000
"""Most characters of an outcome; the rest is cut off."""

_NO_CLAIM: Mapping[str, Any] = {"claimed_by": None, "claimed_until": None}


class Step(NamedTuple):
    """Why a command moves, as it is written into its history."""

    by: str
    now: datetime
    words: Text
    facts: Mapping[str, Any] | None = None
    due_at: datetime | None = None  # when a head-end has to act next; None: not at all


@contextmanager
def changing(registry: Registry) -> Iterator[Session]:
    """A writing transaction; on SQLite it has the one writer's lock from its beginning."""
    options = {"meterweave_writing": True}
    with registry.engine.connect().execution_options(**options) as connection, Session(connection) as session:
        yield session
        session.commit()


def move(
    session: Session,
    command: int,
    before: CommandState,
    after: CommandState,
    step: Step,
    *guards: ColumnElement[bool],
    claim: Mapping[str, Any] = _NO_CLAIM,
) -> bool:
    """Move a command and note the step; False, and nothing done, where it is not in the state `before` any more."""
    if after not in TRANSITIONS.get(before, ()):
        raise ValueError(f"a command never goes from {before} to {after}")
    words = Text(*(storable(one[:WORDS_MAX]) for one in step.words))  # whoever said them: a move must not fail for it
    facts = None if step.facts is None else dict(step.facts)
    outcome = {"outcome_en": words.en, "outcome_zh": words.zh, "facts": facts}
    values = {"state": after, "state_at": step.now, "due_at": step.due_at, **outcome, **claim}
    if not hold(session, command, before, values, *guards):
        return False
    note(session, command, after, step._replace(words=words, facts=facts))
    return True


def hold(
    session: Session, command: int, before: CommandState, values: Mapping[str, Any], *guards: ColumnElement[bool]
) -> bool:
    """Write `values` into a command that is still in the state `before`; whether it was."""
    done = session.execute(
        update(Command)
        .where(Command.id == command, Command.state == before, *guards)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


def note(session: Session, command: int, state: CommandState, step: Step) -> None:
    """Add a step to the history of a command that is in `state` now."""
    session.execute(
        insert(CommandStep).values(
            command_id=command,
            at=step.now,
            state=state,
            by=step.by,
            en=step.words.en,
            zh=step.words.zh,
            facts=step.facts,
        )
    )
