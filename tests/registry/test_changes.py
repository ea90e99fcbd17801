"""The log of changes: every transaction that matters, in the order of the commits, and none that does not."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, text

from meterweave.registry import Meter, PlacementError, Registry, RegistryBusy, Terminal, UnknownRecord, changes
from meterweave.registry.changes import changes_since, newest, touch
from meterweave.registry.database import open_engine
from meterweave.registry.terminals import enrol, note_seen
from meterweave.registry.vocabulary import TerminalState
from tests.registry.records import add_meter, add_terminal, day


def _since(registry: Registry, known: int) -> tuple[int, frozenset[int] | None]:
    with registry.reading() as session:
        return changes_since(session, known)


def test_what_the_directory_shows_is_noted_once_a_transaction(registry: Registry) -> None:
    with registry.writing() as session:
        first, second = add_terminal(session, "1"), add_terminal(session, "2")
        meter = add_meter(session, "77", first)
        one, two, number = first.id, second.id, meter.id
    assert _since(registry, 0) == (1, {one, two})
    with registry.writing() as session:
        session.get_one(Meter, number).terminal_id = two
    assert _since(registry, 1) == (2, {one, two})  # it left the one and came to the other
    with registry.writing() as session:
        session.get_one(Meter, number).asset_number = "A-1"
        session.get_one(Terminal, one).name = "cellar"
    assert _since(registry, 2) == (2, frozenset())  # no business of the head-end
    with registry.writing() as session:
        session.delete(session.get_one(Meter, number))
    assert _since(registry, 2) == (3, {two})
    with registry.writing() as session:
        session.delete(session.get_one(Terminal, one))
    assert _since(registry, 1) == (4, {one, two})


def test_what_a_line_is_planned_from_is_noted_for_the_line_and_its_gateways(registry: Registry) -> None:
    with registry.writing() as session:
        line = add_terminal(session, "cellar", "bus")
        first, second = add_terminal(session, "site-1", "n5"), add_terminal(session, "site-2", "n5")
        meter = add_meter(session, "u7", line, protocol="modbus")
        line_id, one, two, number = line.id, first.id, second.id, meter.id
    with registry.writing() as session:
        session.get_one(Terminal, line_id).port = "tcp://192.0.2.7:8899"
    assert _since(registry, 1) == (2, {line_id})
    with registry.writing() as session:
        session.get_one(Terminal, line_id).collector_id = one
    assert _since(registry, 2) == (3, {line_id, one})
    with registry.writing() as session:
        session.get_one(Terminal, line_id).collector_id = two
    assert _since(registry, 3) == (4, {line_id, one, two})
    with registry.writing() as session:
        session.get_one(Meter, number).model = "prepaid-modbus-single-phase"
    assert _since(registry, 4) == (5, {line_id})
    with registry.writing() as session:
        session.get_one(Terminal, two).key_digest = "0" * 64
    assert _since(registry, 5) == (6, {two})
    with registry.writing() as session:
        session.delete(session.get_one(Meter, number))
        session.delete(session.get_one(Terminal, line_id))
    assert _since(registry, 6) == (7, {line_id, two})


def test_who_loses_a_line_or_a_meter_is_noted_though_nobody_had_read_that(registry: Registry) -> None:
    with registry.writing() as session:
        line, other = add_terminal(session, "cellar", "bus"), add_terminal(session, "roof", "bus")
        first, second = add_terminal(session, "site-1", "n5"), add_terminal(session, "site-2", "n5")
        line.collector_id = first.id
        meter = add_meter(session, "u7", line, protocol="modbus")
        ids, number = [line.id, other.id, first.id, second.id], meter.id
    with registry.writing() as session:
        line, meter = session.get_one(Terminal, ids[0]), session.get_one(Meter, number)
        session.expire_all()
        line.collector_id, meter.terminal_id = ids[3], ids[1]
    assert _since(registry, 1) == (2, frozenset(ids))


def test_what_is_rolled_back_is_not_noted(registry: Registry) -> None:
    def fail() -> None:
        with registry.writing() as session:
            add_terminal(session, "1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert _since(registry, 0) == (0, frozenset())
    with registry.writing() as session:
        add_terminal(session, "1")
        session.rollback()
    assert _since(registry, 0) == (0, frozenset())


def test_reading_changes_nothing(registry: Registry) -> None:
    with registry.reading() as session:
        session.add(Terminal(protocol="dlt698", address="1", address_key=1))
        session.flush()
    with registry.reading() as session:
        assert session.scalars(select(Terminal)).all() == []


def test_a_follower_too_far_behind_reads_everything(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "KEPT_NUMBERS", 3)
    for number in range(6):
        with registry.writing() as session:
            add_terminal(session, str(number + 1))
    assert _since(registry, 2)[1] is None
    assert len(_since(registry, 3)[1] or ()) == 3
    assert _since(registry, 7)[1] is None  # a number from before a backup was restored
    with registry.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM registry_changes")) == 3


def test_bulk_statements_are_noted_by_hand(registry: Registry) -> None:
    with registry.writing() as session:
        touch(session, [None, 5])
    assert _since(registry, 0) == (1, None)


def test_writers_take_turns_and_lose_no_number(registry: Registry) -> None:
    def write(prefix: int) -> None:
        for number in range(10):
            with registry.writing() as session:
                add_terminal(session, f"{prefix}{number}")

    threads = [threading.Thread(target=write, args=(prefix,)) for prefix in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    number, terminals = _since(registry, 0)
    assert number == 30
    assert len(terminals or ()) == 30


def test_a_writer_that_waits_too_long_is_told_so(registry: Registry) -> None:
    where = registry.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    impatient = Registry(open_engine(where, busy_timeout_s=0.05))
    with registry.writing() as session:
        add_terminal(session, "1")
        with pytest.raises(RegistryBusy), impatient.writing():
            pass
        with impatient.reading() as other:  # a reader waits for nobody
            assert newest(other) == 0
    with impatient.writing() as session:
        add_terminal(session, "2")
    impatient.close()


def test_meters_get_the_key_under_which_they_are_reported(registry: Registry) -> None:
    with registry.writing() as session:
        modern, older = add_terminal(session, "1"), add_terminal(session, "3301-7", "gdw1376-1")
        assert add_meter(session, "77").wire_key is None
        meter = add_meter(session, "78", modern)
        assert meter.wire_key == 0x78
        meter.terminal_id, meter.point_number = older.id, 5
        session.flush()
        assert meter.wire_key == 0x3301_0007_0005
        assert meter.address_key == 0x78
        with pytest.raises(PlacementError, match="measuring points") as caught, session.begin_nested():
            add_meter(session, "79", older)
        assert "测量点" in caught.value.text.zh
        with pytest.raises(UnknownRecord, match="4711"), session.begin_nested():
            add_meter(session, "80", Terminal(id=4711))


def test_a_terminal_is_enrolled_once_and_becomes_active_when_seen(registry: Registry) -> None:
    with registry.writing() as session:
        terminal = enrol(session, "dlt698", "1")
        assert enrol(session, "dlt698", "000000000001") is terminal
        asleep = enrol(session, "dlt698", "2", state=TerminalState.SUSPENDED)
        one, two = terminal.id, asleep.id
    with registry.writing() as session:
        note_seen(session, {one: day(1), two: day(1)})
    assert _since(registry, 1) == (2, {one})
    with registry.writing() as session:
        note_seen(session, {one: day(2)})
        note_seen(session, {one: day(0)})
        note_seen(session, {})
    assert _since(registry, 2) == (2, frozenset())
    with registry.reading() as session:
        found = session.get_one(Terminal, one)
        assert (found.first_seen_at, found.last_seen_at, found.state) == (day(1), day(2), TerminalState.ACTIVE)
        assert session.get_one(Terminal, two).state is TerminalState.SUSPENDED
