"""Anything by a part of its number, name, address, asset number or code, the best fitting first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.orm import Session

from meterweave.registry.address import PROTOCOLS, read_address
from meterweave.registry.base import Base
from meterweave.registry.errors import AddressError
from meterweave.registry.models import Meter, Organisation, Terminal, TransformerDistrict, UsagePoint
from meterweave.registry.planning import plan_for_these_values
from meterweave.registry.search_schema import TEXTS, SearchedText
from meterweave.registry.search_text import TEXT_MAX, clean, contains, printable, starts
from meterweave.text import Text

FOUND_MAX = 100
"""Most records one search gives."""

_RANKED_MAX = 1000  # records of one kind that are compared with each other

Seen = Callable[[Select[Any], type[Base]], Sequence[Select[Any]]]
"""A question about a table as one or several, which together have its rows that the caller may see."""


class Fit(StrEnum):
    """How what was typed fits what was found, the best first."""

    EXACT = "exact"
    START = "start"
    END = "end"  # the last digits are what people know of a number
    WITHIN = "within"


_FITS = tuple(Fit)

KINDS: dict[type[Base], Text] = {
    Meter: Text("meter", "表计"),
    UsagePoint: Text("usage point", "用电点"),
    Terminal: Text("terminal", "终端"),
    TransformerDistrict: Text("district", "台区"),
    Organisation: Text("organisation", "单位"),
}
"""What the records of `TEXTS` are called."""

FIT_WORDS: dict[Fit, Text] = {
    Fit.EXACT: Text("exact", "完全一致"),
    Fit.START: Text("beginning", "开头一致"),
    Fit.END: Text("end", "末尾一致"),
    Fit.WITHIN: Text("part", "部分一致"),
}


class Hit(NamedTuple):
    """A record that was found."""

    table: str
    id: int
    kind: Text
    name: str  # what it is called by: its address or code
    also: str  # its name or asset number; empty: none
    fit: Fit

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        return {**self._asdict(), "kind": self.kind._asdict(), "fit": self.fit.value}


class Found(NamedTuple):
    """What a search gave."""

    hits: tuple[Hit, ...]
    more: bool  # there is more than this; typing more of it narrows it down


def search(
    session: Session,
    wanted: str,
    *,
    kinds: Iterable[type[Base]] | None = None,
    limit: int = 20,
    seen: Seen | None = None,
) -> Found:
    """The records in whose texts `wanted` is, whatever the case of the letters A to Z.

    Parameters
    ----------
    session : Session
        Of `Registry.reading`.
    wanted : str
        A part of an address, asset number, code or name; an address as people write it; or ``#`` and an id.
    kinds : classes of `TEXTS`, optional
        Which records; None: all.
    limit : int
        How many to give, at most `FOUND_MAX`.
    seen : Seen, optional
        What the caller may see; None: everything.
    """
    limit = max(1, min(limit, FOUND_MAX))
    among = None if kinds is None else set(kinds)
    chosen = [of for of in TEXTS if among is None or of.model in among]
    if not 0 < len(clean(wanted)) <= TEXT_MAX:
        return Found((), False)
    plan_for_these_values(session)
    ranked: list[tuple[tuple[Any, ...], Hit]] = []
    more = False
    for order, of in enumerate(chosen):
        hits, cut = _search_one(session, of, wanted, seen)
        ranked += [((_FITS.index(hit.fit), order, len(hit.name), hit.name, hit.id), hit) for hit in hits]
        more = more or cut
    ranked.sort(key=lambda one: one[0])
    return Found(tuple(hit for _, hit in ranked[:limit]), more or len(ranked) > limit)


def _search_one(session: Session, of: SearchedText, wanted: str, seen: Seen | None) -> tuple[list[Hit], bool]:
    """Hits among the records of one kind, and whether there are more than were looked at."""
    found = _rows(session, of, contains(session, of, wanted), wanted, seen)
    cut = len(found) >= _RANKED_MAX
    if cut:  # the best may not be among them
        found += _rows(session, of, starts(session, of, wanted), wanted, seen)
    found += _rows(session, of, _named(of, wanted), wanted, seen, exact=True)
    best: dict[int, Hit] = {}
    for hit in sorted(found, key=lambda hit: _FITS.index(hit.fit), reverse=True):
        best[hit.id] = hit
    return list(best.values()), cut


def _rows(
    session: Session,
    of: SearchedText,
    condition: ColumnElement[bool],
    wanted: str,
    seen: Seen | None,
    *,
    exact: bool = False,
) -> list[Hit]:
    own = of.field("id")
    query = select(own, *(of.field(name) for name in of.columns)).where(condition).limit(_RANKED_MAX)
    typed = clean(wanted).lower()
    return [
        _hit(of, row[0], row[1:], typed, exact=exact)
        for one in ([query] if seen is None else seen(query, of.model))
        for row in session.execute(one)
    ]


def _hit(of: SearchedText, number: int, texts: Sequence[str | None], typed: str, *, exact: bool) -> Hit:
    fits = [_fit(one.lower(), typed) for one in texts if one]
    best = Fit.EXACT if exact else min((one for one in fits if one), key=_FITS.index, default=Fit.WITHIN)
    return Hit(of.table, number, KINDS[of.model], texts[0] or "", next((one for one in texts[1:] if one), ""), best)


def _fit(held: str, typed: str) -> Fit | None:
    if held == typed:
        return Fit.EXACT
    if held.startswith(typed):
        return Fit.START
    if held.endswith(typed):
        return Fit.END
    return Fit.WITHIN if typed in held else None


def _named(of: SearchedText, wanted: str) -> ColumnElement[bool]:
    """The condition that a record is called just so: by its id, as stored, or by an address in any form there is."""
    typed = printable(wanted)
    spelt = sorted({typed, clean(wanted), clean(wanted).upper()})
    same: list[ColumnElement[bool]] = [of.field(name).in_(spelt) for name in of.columns]
    if "address" in of.columns:
        kept = {text for text in (_kept(protocol, typed) for protocol in PROTOCOLS) if text}
        same.append(of.field("address").in_(sorted(kept)) if kept else false())
    if re.fullmatch(r"#[0-9]{1,18}", typed):
        same.append(of.field("id") == int(typed[1:]))
    return or_(*same)


def _kept(protocol: str, typed: str) -> str | None:
    try:
        return read_address(protocol, typed).text
    except AddressError:
        return None
