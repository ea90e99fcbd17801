"""Which meters hang on which terminals, and since when they are to be read: in columns, because there are millions.

Memory: 40 octets a meter and about 500 a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import String, select, type_coerce
from sqlalchemy.orm import Session

from meterweave.headend.collection.gate import Lane
from meterweave.headend.collection.moments import instant_us
from meterweave.headend.collection.plan import MeterKind, Plan
from meterweave.registry.address import DLT698, GDW1376
from meterweave.registry.models import Installation, Meter, Terminal, TransformerDistrict
from meterweave.registry.vocabulary import Enrolment, Phase, TerminalState, Utility, Wiring

Ints = NDArray[np.int64]
Places = NDArray[np.intp]

NEVER = 1 << 62
"""Later than any moment. [us since 1970, UTC]"""

_DAY_US = 86_400_000_000
_ROWS_AT_ONCE = 50_000
_COLLECTED = (TerminalState.PLANNED, TerminalState.ACTIVE)
_ASKED = (DLT698, GDW1376)  # who keeps series that can be asked for; lines are read, and devices report, as they are


class Post(NamedTuple):
    """A terminal as collection has to know it."""

    id: int
    protocol: str
    address: str
    lane: Lane
    district: int | None  # id
    organisation: int | None  # id
    enrolled_by: Enrolment


@dataclass(frozen=True, slots=True, eq=False)
class Roster:
    """All meters that are read, sorted by terminal and id; never changes.

    Attributes
    ----------
    posts : sequence of Post
        The terminals that may log in and can be asked for what they have stored, by id.
    meter : int64[m]
        Ids.
    post : intp[m]
        The terminal of each meter: its place in `posts`.
    kind : intp[m]
        The place in `kinds`.
    since_us, until_us : int64[m]
        A reading is expected of moments from the one to before the other. [us since 1970, UTC]
    """

    posts: tuple[Post, ...]
    kinds: tuple[MeterKind, ...]
    meter: Ints
    post: Places
    kind: Places
    since_us: Ints
    until_us: Ints

    def place_of(self) -> dict[int, int]:
        """Where each terminal, by its id, stands in `posts`."""
        return {post.id: place for place, post in enumerate(self.posts)}

    def of_plan(self, plan: Plan) -> Places:
        """The places of the meters that a plan wants something of, in their order."""
        of_kind = np.array([bool(plan.wanted(kind)) for kind in self.kinds], np.bool_)
        of_post = np.array([in_scope(plan, post) for post in self.posts], np.bool_)
        if not len(self.meter):
            return np.empty(0, np.intp)
        return np.flatnonzero(of_kind[self.kind] & of_post[self.post] & (self.since_us < NEVER))

    def marks(self) -> Ints:
        """A number for each terminal that changes, but for a miracle, when anything of its meters does."""
        words = [self.meter, self.since_us, self.until_us, np.array([hash(one) for one in self.kinds], np.int64)]
        mixed = words[0] * 0x9E3779B97F4A7C1 ^ words[1] * 0x2545F4914F6CDD1 ^ words[2] * 0x1B873593CC9E2D5
        if len(self.meter):
            mixed ^= words[3][self.kind] * 0x27D4EB2F165667C
        marks = np.zeros(len(self.posts), np.int64)
        np.add.at(marks, self.post, mixed ^ mixed >> 29)
        return marks


def in_scope(plan: Plan, post: Post) -> bool:
    """Whether a plan covers the terminal."""
    return (plan.district is None or post.district == plan.district) and (
        plan.organisations is None or post.organisation in plan.organisations
    )


def load(session: Session, *, unknown_start_days: int = 0) -> Roster:
    """The roster as the archives have it now. Blocks.

    A meter is expected from its installation to its removal. One that was never installed anywhere, as far as the
    archives know, is expected from `unknown_start_days` before its terminal was first seen, and not at all before that
    happened.
    """
    posts, first_seen = _posts(session)
    places: dict[int | None, int] = {post.id: place for place, post in enumerate(posts)}
    spans = _spans(session)
    kinds: dict[tuple[str | int | None, ...], int] = {}
    rows: list[tuple[int, int, int, int, int]] = []
    # As stored, since there are many meters and few kinds of them.
    words = (type_coerce(column, String) for column in (Meter.utility, Meter.wiring, Meter.phase))
    query = (
        select(Meter.terminal_id, Meter.id, *words, Meter.tariff_count)
        .where(Meter.terminal_id.is_not(None))
        .order_by(Meter.terminal_id, Meter.id)
    )
    for terminal, meter, *kind in session.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        place = places.get(terminal)
        if place is None:
            continue
        seen_us = first_seen[place]
        since_us = NEVER if seen_us is None else seen_us - unknown_start_days * _DAY_US
        rows.append((meter, place, kinds.setdefault(tuple(kind), len(kinds)), *spans.get(meter, (since_us, NEVER))))
    columns = np.array(rows, np.int64).reshape(-1, 5).T
    meter_ids, post, kind_of, since_of, until_of = (np.ascontiguousarray(column) for column in columns)
    return Roster(
        tuple(posts),
        tuple(map(_kind, kinds)),
        meter_ids,
        post.astype(np.intp),
        kind_of.astype(np.intp),
        since_of,
        until_of,
    )


def _kind(stored: tuple[Any, ...]) -> MeterKind:
    utility, wiring, phase, tariff_count = stored
    return MeterKind(
        Utility(utility),
        None if wiring is None else Wiring(wiring),
        None if phase is None else Phase(phase),
        tariff_count,
    )


def _posts(session: Session) -> tuple[list[Post], list[int | None]]:
    """The terminals that are collected from, by id, and when each was first seen."""
    query = (
        select(
            Terminal.id,
            Terminal.protocol,
            Terminal.address,
            Terminal.channel,
            Terminal.cell_group,
            Terminal.district_id,
            TransformerDistrict.organisation_id,
            Terminal.enrolled_by,
            Terminal.first_seen_at,
        )
        .outerjoin(TransformerDistrict, TransformerDistrict.id == Terminal.district_id)
        .where(Terminal.state.in_(_COLLECTED), Terminal.protocol.in_(_ASKED))
        .order_by(Terminal.id)
    )
    posts: list[Post] = []
    seen: list[int | None] = []
    for row in session.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        lane = Lane(row.channel, row.cell_group)
        posts.append(
            Post(row.id, row.protocol, row.address, lane, row.district_id, row.organisation_id, row.enrolled_by)
        )
        seen.append(None if row.first_seen_at is None else instant_us(row.first_seen_at))
    return posts, seen


def _spans(session: Session) -> dict[int, tuple[int, int]]:
    """From when to when each meter that ever was installed is there: its last installation, with those before it that
    ended when the next began, as where it moved from one usage point to another.
    """
    query = select(Installation.meter_id, Installation.installed_at, Installation.removed_at).order_by(
        Installation.meter_id, Installation.installed_at
    )
    spans: dict[int, tuple[int, int]] = {}
    for meter, installed, removed in session.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE}):
        since_us = instant_us(installed)
        before = spans.get(meter)
        if before is not None and before[1] == since_us:
            since_us = before[0]
        spans[meter] = (since_us, NEVER if removed is None else instant_us(removed))
    return spans


def changed_posts(before: Roster, after: Roster) -> Sequence[int]:
    """The ids of the terminals whose meters look different, those that are new among them."""
    old = dict(zip((post.id for post in before.posts), before.marks().tolist(), strict=True))
    marks = after.marks().tolist()
    return [post.id for post, mark in zip(after.posts, marks, strict=True) if old.get(post.id) != mark]
