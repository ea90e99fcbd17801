"""Conditions by text: which records have it in them, or begin with it; quick on a million records on both engines.

They are answered by what `search_schema` keeps ready; what its trigrams offer is always compared with the text itself.
"""

from __future__ import annotations

import re
from string import ascii_uppercase

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    column,
    false,
    func,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy import table as named
from sqlalchemy.orm import Session

from meterweave.registry.search_schema import CHINESE, SearchedText

TEXT_MAX = 200
"""The longest text of a record; what is longer is nowhere. [characters]"""

PROBED_MAX = 20_000
"""What more records than this have is found by reading the table, since the index would offer half of it."""

_GRAM = 3  # characters
_GRAMS_MAX = 4  # looked for at once: the last, which tell numbers and addresses apart, where beginnings are common
_TERMS_MAX = 200
_LAST = "\U0010ffff"
_PLAIN = {ord(letter): letter.lower() for letter in ascii_uppercase} | {
    code: chr(code - 0xFEE0).lower()
    for first, last in ("０９", "ＡＺ", "ａｚ")
    for code in range(ord(first), ord(last) + 1)
}


def clean(wanted: str) -> str:
    """What people typed, as it is looked for: no control characters, letters and digits in their plain form.

    >>> clean(" ＺＣ０１\\t ")
    'zc01'
    """
    return printable(wanted).translate(_PLAIN)


def printable(wanted: str) -> str:
    """What people typed, without what no text of a record has, nor a database takes."""
    return "".join(letter if letter.isprintable() else " " for letter in wanted[: 4 * TEXT_MAX]).strip()


def folded(session: Session, wanted: str) -> str:
    """What people typed in small letters: of A to Z, and on PostgreSQL of all alphabets, as each engine has them."""
    found = clean(wanted)
    return found.lower() if session.get_bind().dialect.name == "postgresql" else found


def contains(session: Session, of: SearchedText, wanted: str) -> ColumnElement[bool]:
    """The condition that one of a record's columns has `wanted` in it, whatever the case of the letters A to Z.

    Parameters
    ----------
    session : Session
        Asked how often the text is there, which decides how it is best looked for.
    of : SearchedText
        Whose text.
    wanted : str
        Anything; `clean` makes it what is looked for. Nothing left of it: no record has it.
    """
    wanted = folded(session, wanted)
    if not 0 < len(wanted) <= TEXT_MAX:
        return false()
    if session.get_bind().dialect.name == "postgresql":
        return _like(session, of, "%{}%", wanted)
    held = func.instr(literal_column(f"lower({of.joined(of.table, 'char')})", String), wanted, type_=Integer) > 0
    offered = _offered(session, of, wanted)
    if offered is None:
        return held
    probe = select(func.count()).select_from(offered.limit(PROBED_MAX + 1).subquery())
    if (session.scalar(probe) or 0) > PROBED_MAX:
        return held
    return and_(of.field("id").in_(offered), held)


def starts(session: Session, of: SearchedText, wanted: str) -> ColumnElement[bool]:
    """The condition that one of a record's columns begins with `wanted`, as `contains` compares.

    With a Chinese character first PostgreSQL gives none: its index knows each by itself, wherever it stands.
    """
    wanted = folded(session, wanted)
    if not 0 < len(wanted) <= TEXT_MAX:
        return false()
    if session.get_bind().dialect.name == "postgresql":
        if re.match(CHINESE, wanted):
            return false()
        return or_(_like(session, of, "{}%", wanted), _like(session, of, "%\n{}%", wanted))
    spelt = sorted({wanted, wanted.upper()})
    return or_(*(of.field(name).between(one, one + _LAST) for name in of.columns for one in spelt))


def _like(session: Session, of: SearchedText, pattern: str, wanted: str) -> ColumnElement[bool]:
    """On PostgreSQL: by the index where there is one and it helps, else by reading the table."""
    spaced = pattern.format(_escaped(re.sub(f"({CHINESE})", r" \1", wanted)))
    if _is_rare(session, of, spaced):
        return literal_column(of.spaced(of.table), String).like(spaced)
    plain = literal_column(f"lower({of.joined(of.table, 'chr')})", String)
    return plain.like(pattern.format(_escaped(wanted)))


def _escaped(wanted: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", wanted)


def _is_rare(session: Session, of: SearchedText, pattern: str) -> bool:
    if session.scalar(select(func.to_regclass(f"ix_{of.table}_text"))) is None:
        return False
    asked = f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {of.table} WHERE {of.spaced(of.table)} LIKE %s"
    told = session.connection().exec_driver_sql(asked, (pattern,)).scalar_one()
    return bool(told[0]["Plan"]["Plan Rows"] <= PROBED_MAX)


def _offered(session: Session, of: SearchedText, wanted: str) -> Select[int] | None:
    """The ids of records that may have `wanted`, by the trigrams of SQLite; None: too many of them begin like it."""
    if len(wanted) >= _GRAM:
        grams = [wanted[at : at + _GRAM] for at in range(len(wanted) - _GRAM + 1)]
        match = _quoted(grams[-_GRAMS_MAX:], " AND ")
    else:
        terms = select(column("term", String)).select_from(named(f"{of.table}_terms"))
        begun = terms.where(column("term") >= wanted.lower(), column("term") <= wanted.lower() + _LAST)
        found = session.scalars(begun.limit(_TERMS_MAX + 1)).all()
        if len(found) > _TERMS_MAX:
            return None
        match = _quoted(list(found), " OR ") if found else '"\n\n\n"'  # which no record has
    name = f"{of.table}_text"
    ids = select(column("rowid", Integer)).select_from(named(name))
    return ids.where(text(f"{name} MATCH :{name}").bindparams(**{name: match}))


def _quoted(grams: list[str], between: str) -> str:
    """A question to FTS5 that takes every character as it is."""
    return between.join('"' + gram.replace('"', '""') + '"' for gram in dict.fromkeys(grams))
