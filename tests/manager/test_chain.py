"""Whatever somebody does to the audit trail behind our back is found, and the row is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError

from meterweave.errors import ConfigError
from meterweave.manager.chain import CODES, Anchor, Verdict, read_anchor, verify
from meterweave.manager.change import account_change, note
from meterweave.registry import Organisation, Registry
from meterweave.registry.audit import (
    FIRST_PREVIOUS,
    HASHED,
    REFUSAL,
    STATE_OCTETS_MAX,
    AuditEntry,
    canonical,
    entry_hash,
)
from tests.manager.people import ROOT, unguarded

START = datetime(2026, 6, 1, tzinfo=UTC)


def fill(registry: Registry, count: int = 9) -> Verdict:
    """A trail of so many entries, and what is found of it."""
    for number in range(1, count + 1):
        with account_change(registry) as session:
            at = START + timedelta(microseconds=number * 1_000_003)
            note(
                session, ROOT, "user.change", "user", f"王 {number}", before={"n": number}, after={"n": -number}, at=at
            )
    found = verify(registry)
    assert found.sound
    assert found.entries == count
    return found


def faults(registry: Registry, *anchors: Anchor | None) -> list[tuple[str, int, int]]:
    found = verify(registry, [one for one in anchors if one is not None])
    for one in found.faults:
        assert one.text.en.startswith("entry ")
        assert one.text.zh.startswith("第")
    return [tuple(one) for one in found.faults]  # type: ignore[misc]


def test_an_empty_trail_is_sound(registry: Registry) -> None:
    assert verify(registry) == Verdict(0, None, ())


def test_the_first_entry_begins_the_chain(registry: Registry) -> None:
    fill(registry, 2)
    with registry.reading() as session:
        first, second = session.scalars(select(AuditEntry).order_by(AuditEntry.number))
        assert (first.number, first.previous) == (1, FIRST_PREVIOUS)
        assert second.previous == first.hash
        assert first.at == START + timedelta(microseconds=1_000_003)
        assert json.loads(first.before or "") == {"n": 1}


ALTERATIONS: dict[str, str] = {
    "who": "'somebody else'",
    "means": "'session'",
    "source": "'192.0.2.1'",
    "action": "'login'",
    "kind": "'role'",
    "object": "'王  4'",
    "before": "'{\"n\": 4}'",  # the same, written otherwise
    "after": "NULL",
    "at": "'2026-06-01 00:00:04.000017+00:00'",
    "hash": f"'{'a' * 64}'",
    "previous": f"'{'b' * 64}'",
}


def test_every_column_is_under_the_hash() -> None:
    assert {column.name for column in AuditEntry.__table__.columns} == {*HASHED, "at", "hash"}
    assert set(ALTERATIONS) == {*HASHED, "at", "hash"} - {"number"}


@pytest.mark.parametrize("column", ALTERATIONS)
def test_an_altered_column_is_found(registry: Registry, column: str) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        connection.execute(text(f"UPDATE audit_entries SET {column} = {ALTERATIONS[column]} WHERE number = 4"))
    found = faults(registry)
    assert ("altered", 4, 4) in found
    assert {number for _, number, _ in found} <= {4, 5}


@pytest.mark.parametrize("column", sorted({*HASHED, "at", "hash"} - {"number"}))
def test_what_can_be_no_entry_at_all_is_found_and_stops_nothing(registry: Registry, column: str) -> None:
    if registry.engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL stores no value of another type")
    fill(registry)
    with unguarded(registry) as connection:
        for number, value in ((3, "x'ff00'"), (5, "'no time'"), (7, "17")):
            connection.execute(text(f"UPDATE audit_entries SET {column} = {value} WHERE number = {number}"))
    assert {number for code, number, _ in faults(registry) if code == "altered"} == {3, 5, 7}


@pytest.mark.parametrize("number", [1, 4, 8])
def test_a_removed_row_is_found(registry: Registry, number: int) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        connection.execute(text(f"DELETE FROM audit_entries WHERE number = {number}"))
    assert faults(registry) == [("missing", number, number)]


def test_a_removed_row_is_found_when_the_others_move_up(registry: Registry) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        connection.execute(text("DELETE FROM audit_entries WHERE number = 4"))
        for number in range(5, 10):
            connection.execute(text(f"UPDATE audit_entries SET number = {number - 1} WHERE number = {number}"))
    found = faults(registry)
    assert ("unlinked", 4, 4) in found
    assert {number for code, number, _ in found if code == "altered"} == {4, 5, 6, 7, 8}


def _copy(connection: Connection, number: int, to: int, **changes: object) -> None:
    row = dict(connection.execute(select(AuditEntry.__table__).where(AuditEntry.number == number)).one()._mapping)
    row |= {"number": to} | changes
    row["hash"] = entry_hash(row)
    connection.execute(AuditEntry.__table__.insert().values(row))


def test_an_inserted_row_is_found(registry: Registry) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        for number in range(9, 4, -1):
            connection.execute(text(f"UPDATE audit_entries SET number = {number + 1} WHERE number = {number}"))
        before = connection.scalar(select(AuditEntry.hash).where(AuditEntry.number == 4))
        _copy(connection, 4, 5, who="an inventor", previous=before)
    assert {code for code, number, _ in faults(registry) if number == 6} == {"unlinked", "altered"}


@pytest.mark.parametrize("number", [0, -3])
def test_a_row_before_the_first_is_found(registry: Registry, number: int) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        _copy(connection, 4, number, previous=FIRST_PREVIOUS)
    found = faults(registry)
    assert ("unlinked", number, number) in found


def test_rows_that_changed_places_are_found(registry: Registry) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        for old, new in ((4, 99), (6, 4), (99, 6)):
            connection.execute(text(f"UPDATE audit_entries SET number = {new} WHERE number = {old}"))
    found = faults(registry)
    assert {number for code, number, _ in found if code == "altered"} == {4, 6}
    assert {number for code, number, _ in found if code == "unlinked"} == {4, 5, 6, 7}


def test_a_row_written_anew_with_its_hash_is_found_by_the_next(registry: Registry) -> None:
    fill(registry)
    with unguarded(registry) as connection:
        connection.execute(text("UPDATE audit_entries SET number = 99 WHERE number = 4"))
        _copy(connection, 99, 4, who="somebody else")
        connection.execute(text("DELETE FROM audit_entries WHERE number = 99"))
    assert faults(registry) == [("unlinked", 5, 5)]


def _rewrite(connection: Connection, first: int) -> None:
    """All rows from one on, with hashes that fit: what only an anchor finds."""
    rows = connection.execute(select(AuditEntry.__table__).order_by(AuditEntry.number)).all()
    previous = FIRST_PREVIOUS
    for row in (dict(one._mapping) for one in rows):
        if row["number"] >= first:
            row |= {"who": "somebody else", "previous": previous}
            row["hash"] = entry_hash(row)
            connection.execute(AuditEntry.__table__.update().where(AuditEntry.number == row["number"]).values(row))
        previous = row["hash"]


def test_a_trail_written_anew_is_found_by_an_anchor_and_by_nothing_else(registry: Registry) -> None:
    anchor = fill(registry).anchor
    with unguarded(registry) as connection:
        _rewrite(connection, 3)
    assert faults(registry) == []
    assert faults(registry, anchor) == [("rewritten", 9, 9)]


def test_a_trail_cut_off_is_found_by_an_anchor_and_by_nothing_else(registry: Registry) -> None:
    early = fill(registry, 5).anchor
    with account_change(registry) as session:
        note(session, ROOT, "login", "user", "wang")
    late = verify(registry).anchor
    with unguarded(registry) as connection:
        connection.execute(text("DELETE FROM audit_entries WHERE number > 4"))
    assert faults(registry) == []
    assert faults(registry, early) == [("cut_off", 5, 5)]
    assert faults(registry, early, late) == [("cut_off", 5, 6)]
    with account_change(registry) as session:
        note(session, ROOT, "login", "user", "li")
    assert faults(registry, early) == [("rewritten", 5, 5)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_change_of_any_cell_is_found(registry: Registry, data: st.DataObject) -> None:
    with unguarded(registry) as connection:
        connection.execute(text("DELETE FROM audit_entries"))
    fill(registry, 5)
    number = data.draw(st.integers(1, 5))
    column = data.draw(st.sampled_from(sorted({*HASHED, "hash"} - {"number"})))
    with registry.reading() as session:
        stored = session.scalar(select(getattr(AuditEntry, column)).where(AuditEntry.number == number))
    longest = AuditEntry.__table__.columns[column].type.length or 200  # type: ignore[attr-defined]
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    other = data.draw(st.text(letters, max_size=longest).filter(lambda one: one != stored))
    with unguarded(registry) as connection:
        connection.execute(AuditEntry.__table__.update().where(AuditEntry.number == number).values({column: other}))
    assert ("altered", number, number) in faults(registry)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entries SET who = 'x' WHERE number = 2",
        "UPDATE audit_entries SET number = 50 WHERE number = 2",
        "DELETE FROM audit_entries WHERE number = 3",
        "DELETE FROM audit_entries",
    ],
)
def test_the_database_refuses_to_change_what_is_there(registry: Registry, statement: str) -> None:
    fill(registry, 3)
    with pytest.raises(DBAPIError, match=REFUSAL), registry.engine.begin() as connection:
        connection.execute(text(statement))
    assert verify(registry).entries == 3


def test_the_database_refuses_what_goes_around_the_triggers(registry: Registry) -> None:
    fill(registry, 3)
    columns = "number, at, who, means, source, action, kind, object, previous, hash"
    row = "2, '2026-01-01 00:00:00', 'x', '', '', '', '', '', '', ''"
    statement = (
        "TRUNCATE audit_entries"
        if registry.engine.dialect.name == "postgresql"
        else f"INSERT OR REPLACE INTO audit_entries ({columns}) VALUES ({row})"
    )
    with pytest.raises(DBAPIError, match=REFUSAL), registry.engine.begin() as connection:
        connection.execute(text(statement))
    assert verify(registry).sound


def test_an_entry_is_there_with_its_change_or_not_at_all(registry: Registry) -> None:
    def change(fail: bool) -> None:
        with registry.writing() as session:
            session.add(Organisation(code="P", name="P"))
            session.flush()
            note(session, ROOT, "user.change", "organisation", "P")
            if fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        change(fail=True)
    assert verify(registry).entries == 0
    change(fail=False)
    assert verify(registry).entries == 1


def _writers(registry: Registry, write: Callable[[int], None]) -> None:
    start = threading.Barrier(8)

    def many(writer: int) -> None:
        start.wait()
        for number in range(10):
            write(writer * 100 + number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(many, range(8)))
    found = verify(registry)
    assert (found.entries, found.faults) == (80, ())
    with registry.reading() as session:
        assert len(set(session.scalars(select(AuditEntry.object)))) == 80


def test_writers_at_the_same_time_keep_one_chain(registry: Registry) -> None:
    def write(number: int) -> None:
        """Some through the archives' own transaction, some beside it."""
        with registry.writing() if number % 2 else account_change(registry) as session:
            note(session, ROOT, "login", "user", str(number))

    _writers(registry, write)


def test_processes_at_the_same_time_keep_one_chain(registry: Registry) -> None:
    where = registry.engine.url
    others = [Registry.open(where) for _ in range(3)]  # connections of their own, as other processes have
    try:

        def write(number: int) -> None:
            with account_change(others[number % 3]) as session:
                note(session, ROOT, "login", "user", str(number))

        _writers(registry, write)
    finally:
        for one in others:
            one.close()


@pytest.mark.parametrize("facts", [{"a": 1.5}, {"a": [{"b": float("nan")}]}, {"a": (1, 2.0)}, {"a": "\ud800"}])
def test_what_has_no_canonical_form_is_refused(facts: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        canonical(facts)


def test_an_entry_has_its_bounds(registry: Registry) -> None:
    with pytest.raises(ValueError, match="octets"):
        canonical({"a": "x" * STATE_OCTETS_MAX})
    with account_change(registry) as session:
        note(session, ROOT, "login", "user", "x" * 5000 + "\0", after={"a": "\0"})
    with account_change(registry) as session:
        note(session, ROOT, "login", "user", "a\nb\x1b[31m\ud800")
    assert verify(registry).sound
    with registry.reading() as session:
        assert session.scalar(select(AuditEntry.object).where(AuditEntry.number == 2)) == "a\ufffdb\ufffd[31m\ufffd"
    with account_change(registry) as session, pytest.raises(ValueError, match="no action"):
        note(session, ROOT, "made.up", "user", "x")


def test_an_anchor_is_read_back(registry: Registry) -> None:
    anchor = fill(registry, 1).anchor
    assert anchor is not None
    assert read_anchor(f" {str(anchor).upper()}\n") == anchor
    for wrong in ("", "1", "1:", "1:xyz", f"-1:{anchor.hash}", f"1:{anchor.hash}0"):
        with pytest.raises(ConfigError, match="anchor"):
            read_anchor(wrong)
    assert set(CODES) == {"altered", "missing", "unlinked", "cut_off", "rewritten"}
