"""Who is let in, who is not, and how slowly guessing goes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from meterweave.manager import users
from meterweave.manager.door import Door
from meterweave.manager.errors import HeldOff, LoginRefused
from meterweave.manager.keys import add_key, list_keys
from meterweave.manager.own import change_password
from meterweave.manager.permission import permissions, shipped_roles
from meterweave.manager.sessions import IDLE, LIFE, SESSIONS_MAX, Caller, end_session, list_sessions
from meterweave.manager.trail import Wanted, list_entries
from meterweave.manager.users import Wish, add_user
from meterweave.registry import Organisation, Registry
from meterweave.registry.accounts import LoginFailure, LoginSession, User
from tests.manager.people import HOME, PASSWORDS, ROOT, SECRET, Clock, network, settled

pytestmark = pytest.mark.usefixtures("registry")


def held_off(door: Door, name: str, source: str = HOME.source) -> int:
    """For how long; 0: not."""
    try:
        door.login(name, "wrong", Caller(source))
    except HeldOff as error:
        return error.wait_s
    except LoginRefused:
        return 0
    raise AssertionError("let in with a wrong password")


def test_a_one_time_password_lets_in_and_allows_nothing_but_to_change_it(door: Door, clock: Clock) -> None:
    given = add_user(door.registry, PASSWORDS, ROOT, Wish("wang", roles=("operator",), everywhere=True))
    entered = door.login(" Wang ", given.password, HOME)
    assert entered.identity.must_change
    assert entered.identity.permissions == frozenset()
    changed = change_password(door, entered.identity, given.password, SECRET, HOME)
    assert changed.identity.permissions == shipped_roles()["operator"].permissions
    assert not changed.identity.must_change
    with pytest.raises(LoginRefused):
        door.of_session(entered.token, HOME.source)
    assert door.of_session(changed.token, HOME.source) == changed.identity
    with pytest.raises(LoginRefused):
        door.login("wang", given.password, HOME)
    clock.wait(hours=1)
    assert door.login("wang", SECRET, HOME).identity.may("commands.relay")


def test_a_one_time_password_does_not_wait_for_ever(door: Door, clock: Clock) -> None:
    given = add_user(door.registry, PASSWORDS, ROOT, Wish("wang"))
    clock.wait(hours=72, seconds=1)
    with pytest.raises(LoginRefused):
        door.login("wang", given.password, HOME)


@pytest.mark.parametrize("name", ["nobody", "", "x" * 5000, "a\x00b", "\ud800", "' OR 1=1 --", "admin\n", "管理员"])
def test_unknown_and_impossible_names_are_refused_alike(door: Door, name: str) -> None:
    settled(door, "wang")
    with pytest.raises(LoginRefused) as told:
        door.login(name, "a password", HOME)
    with pytest.raises(LoginRefused) as known:
        door.login("wang", "a password", HOME)
    assert told.value.text == known.value.text
    assert type(told.value) is type(known.value) is LoginRefused


@pytest.mark.parametrize("password", ["", "x" * 1_000_000, "\x00", "\ud800"])
def test_impossible_passwords_are_refused(door: Door, password: str) -> None:
    settled(door, "wang")
    with pytest.raises(LoginRefused):
        door.login("wang", password, HOME)


def test_who_is_not_there_takes_as_long_as_who_is(door: Door) -> None:
    settled(door, "wang")
    seen: list[str | None] = []
    agrees = door.passwords.agrees

    class Watched:
        """The real thing, and a note of what it was asked."""

        is_dated = staticmethod(door.passwords.is_dated)

        @staticmethod
        def agrees(kept: str | None, password: str) -> bool:
            seen.append(kept)
            return agrees(kept, password)

    door.passwords = Watched  # type: ignore[assignment]
    for name in ("wang", "nobody"):
        with pytest.raises(LoginRefused):
            door.login(name, "wrong", HOME)
    assert len(seen) == 2
    assert seen[0] is not None
    assert seen[1] is None


@pytest.mark.parametrize("name", ["wang", "nobody"])
def test_guessing_a_name_gets_slower_and_slower(door: Door, clock: Clock, name: str) -> None:
    settled(door, "wang")
    waits = []
    for _ in range(16):
        assert held_off(door, name) == 0
        waits.append(held_off(door, name))
        clock.wait(seconds=waits[-1])
    assert waits[:4] == [0, 0, 0, 3] or waits[:4] == [0, 0, 3, 5]
    assert waits == sorted(waits)
    assert waits[-1] in (900, 901)
    entries = list_entries(door.registry, ROOT, Wanted(action="login.held_off"), limit=9)
    assert [entry.object for entry in entries] == ["wang" if name == "wang" else "?"]


def test_the_right_password_does_not_help_while_held_off(door: Door, clock: Clock) -> None:
    settled(door, "wang")
    for _ in range(5):
        assert held_off(door, "wang") == 0
    with pytest.raises(HeldOff) as told:
        door.login("wang", SECRET, HOME)
    with pytest.raises(HeldOff):
        door.login("WANG", SECRET, Caller("198.51.100.1"))
    clock.wait(seconds=told.value.wait_s)
    door.login("wang", SECRET, HOME)
    for _ in range(5):
        assert held_off(door, "wang") == 0  # forgiven


def test_one_address_is_held_off_whatever_names_it_tries(door: Door, clock: Clock) -> None:
    settled(door, "wang")
    for number in range(30):
        assert held_off(door, f"name{number}", "203.0.113.5") == 0
    assert held_off(door, "wang", "203.0.113.5") > 0
    assert held_off(door, "wang", "203.0.113.6") == 0
    clock.wait(seconds=5)
    door.login("wang", SECRET, Caller("203.0.113.5"))
    # An account of one's own does not wipe out what one did from there; time does, for the sake of a large office.
    assert held_off(door, "other", "203.0.113.5") > 0
    clock.wait(minutes=10)
    for number in range(10):
        assert held_off(door, f"other{number}", "203.0.113.5") == 0
    assert held_off(door, "other", "203.0.113.5") > 0


def test_a_site_has_one_count_however_many_addresses_it_has(door: Door) -> None:
    for number in range(30):
        assert held_off(door, f"name{number}", f"2001:db8::{number:x}") == 0
    assert held_off(door, "name99", "2001:db8::ffff") > 0
    assert held_off(door, "name99", "2001:db8:0:1::1") == 0


def test_a_hundred_at_the_same_moment_get_no_further_than_in_a_row(door: Door) -> None:
    settled(door, "wang")
    tried = []
    agrees = door.passwords.agrees

    class Counted:
        """The real thing, counting."""

        is_dated = staticmethod(door.passwords.is_dated)

        @staticmethod
        def agrees(kept: str | None, password: str) -> bool:
            tried.append(password)
            return agrees(kept, password)

    door.passwords = Counted  # type: ignore[assignment]
    start = threading.Barrier(20)

    def guess(number: int) -> None:
        start.wait()
        for one in range(5):
            with pytest.raises(LoginRefused):
                door.login("wang", f"guess {number} {one}", HOME)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(guess, range(20)))
    assert len(tried) == 5


def test_failures_are_forgotten_after_a_day(door: Door, clock: Clock) -> None:
    for _ in range(4):
        held_off(door, "wang")
    clock.wait(hours=25)
    assert [held_off(door, "wang") for _ in range(5)] == [0] * 5
    with door.registry.reading() as session:
        assert max(session.scalars(select(LoginFailure.failures))) == 5


def test_what_was_typed_for_a_name_is_stored_nowhere(door: Door) -> None:
    typed = "my secret pass phrase"
    for _ in range(6):
        held_off(door, typed)
    with door.registry.reading() as session:
        stored = [row.subject for row in session.scalars(select(LoginFailure))]
    assert all(typed not in one for one in stored)
    assert all(typed not in str(one.to_json()) for one in list_entries(door.registry, ROOT, Wanted(), limit=99))


def test_a_session_ends_unused_and_in_the_end(door: Door, clock: Clock) -> None:
    settled(door, "wang")
    token = door.login("wang", SECRET, HOME).token
    clock.wait(seconds=IDLE.total_seconds() - 1)
    door.of_session(token, HOME.source)
    clock.wait(seconds=IDLE.total_seconds() - 1)
    door.of_session(token, HOME.source)  # used in between, and nothing written yet
    clock.wait(seconds=IDLE.total_seconds())
    with pytest.raises(LoginRefused):
        door.of_session(token, HOME.source)

    token = door.login("wang", SECRET, HOME).token
    end = clock.now + LIFE
    while clock.now + timedelta(minutes=20) < end:
        clock.wait(minutes=20)
        door.of_session(token, HOME.source)
    clock.now = end
    with pytest.raises(LoginRefused):
        door.of_session(token, HOME.source)


def test_the_use_of_a_session_is_written_now_and_then(door: Door, clock: Clock, tmp_path: Path) -> None:
    settled(door, "wang")
    token = door.login("wang", SECRET, HOME).token
    clock.wait(minutes=20)
    door.of_session(token, HOME.source)
    door.flush()
    door.flush()
    clock.wait(minutes=20)
    other = Door(door.registry, tmp_path, PASSWORDS, clock=clock)  # another process, or this one after a new start
    assert other.of_session(token, HOME.source).name == "wang"


def test_each_login_has_a_token_of_its_own_and_none_is_stored(door: Door) -> None:
    settled(door, "wang")
    tokens = [door.login("wang", SECRET, HOME).token for _ in range(3)]
    assert len(set(tokens)) == 3
    with door.registry.reading() as session:
        digests = set(session.scalars(select(LoginSession.digest)))
    assert not digests & set(tokens)
    for digest in digests:
        with pytest.raises(LoginRefused):
            door.of_session(digest, HOME.source)


def test_a_user_has_so_many_sessions_at_most(door: Door, clock: Clock) -> None:
    settled(door, "wang")
    first = door.login("wang", SECRET, HOME)
    for _ in range(SESSIONS_MAX):
        clock.wait(seconds=1)
        last = door.login("wang", SECRET, HOME)
    with pytest.raises(LoginRefused):
        door.of_session(first.token, HOME.source)
    assert door.of_session(last.token, HOME.source) == last.identity
    with door.registry.reading() as session:
        assert len(session.scalars(select(LoginSession.id)).all()) == SESSIONS_MAX


def test_what_is_taken_away_is_gone_half_a_second_later(door: Door, clock: Clock) -> None:
    settled(door, "wang", "operator", everywhere=True)
    token = door.login("wang", SECRET, HOME).token
    for _ in range(2):
        assert door.of_session(token, HOME.source).may("commands.relay")
    users.change_user(door.registry, ROOT, "wang", users.Change(roles=("county_viewer",)))
    clock.wait(seconds=0.5)
    for _ in range(2):
        assert not door.of_session(token, HOME.source).may("commands.relay")
    users.disable_user(door.registry, ROOT, "wang")
    clock.wait(seconds=0.5)
    with pytest.raises(LoginRefused):
        door.of_session(token, HOME.source)
    with pytest.raises(LoginRefused):
        door.login("wang", SECRET, HOME)
    users.enable_user(door.registry, ROOT, "wang")
    with pytest.raises(LoginRefused):
        door.of_session(token, HOME.source)
    door.login("wang", SECRET, HOME)


def test_a_changed_password_ends_all_sessions_and_begins_one(door: Door) -> None:
    settled(door, "wang")
    first, second = (door.login("wang", SECRET, HOME) for _ in range(2))
    third = change_password(door, second.identity, SECRET, "eleven quiet lanterns", HOME)
    for token in (first.token, second.token):
        with pytest.raises(LoginRefused):
            door.of_session(token, HOME.source)
    assert door.of_session(third.token, HOME.source) == third.identity


def test_sessions_are_listed_and_ended(door: Door) -> None:
    settled(door, "wang")
    settled(door, "li")
    one, two = (door.login("wang", SECRET, Caller("192.0.2.9", f"browser {n}")) for n in range(2))
    listed = list_sessions(door.registry, two.identity)
    assert [(card.agent, card.own) for card in listed[:2]] == [("browser 1", True), ("browser 0", False)]
    li = door.login("li", SECRET, HOME).identity
    assert [card.user for card in list_sessions(door.registry, li)] == ["li", "li"]
    with pytest.raises(Exception, match="no session"):
        end_session(door.registry, li, listed[0].id)
    end_session(door.registry, two.identity, listed[1].id)
    with pytest.raises(LoginRefused):
        door.of_session(one.token, HOME.source)
    end_session(door.registry, two.identity, listed[0].id)
    with pytest.raises(LoginRefused):
        door.of_session(two.token, HOME.source)
    told = [entry.action for entry in list_entries(door.registry, ROOT, Wanted(), limit=2)]
    assert told == ["logout", "session.end"]


def test_a_key_may_what_it_says_and_its_user_may(door: Door, clock: Clock) -> None:
    wang = settled(door, "wang", "integrator", everywhere=True)
    key = add_key(door.registry, wang, "billing", ["readings.read", "archives.write"], days=30)
    found = door.of_key(key.text, "198.51.100.4")
    assert found.permissions == {"readings.read", "archives.write"}
    assert (found.name, found.means, found.source, found.session) == (
        "wang", f"key {key.card.prefix}", "198.51.100.4", None,
    )  # fmt: skip
    users.change_user(door.registry, ROOT, "wang", users.Change(roles=("auditor",)))
    assert door.of_key(key.text, HOME.source).permissions == {"readings.read"}
    for wrong in ("", key.text[:-1] + ("A" if key.text[-1] != "A" else "B"), key.text + " ", "mw_", key.card.prefix):
        with pytest.raises(LoginRefused):
            door.of_key(wrong, HOME.source)
    with pytest.raises(LoginRefused):
        door.of_session(key.text, HOME.source)
    clock.wait(days=31)
    with pytest.raises(LoginRefused):
        door.of_key(key.text, HOME.source)


def test_a_hash_of_other_days_is_made_anew_at_the_log_in(door: Door, tmp_path: Path) -> None:
    from argon2 import PasswordHasher

    from meterweave.manager.password import Passwords

    settled(door, "wang")
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    with door.registry.reading() as session:
        assert stronger.is_dated(session.scalars(select(User.password_hash)).one())
    Door(door.registry, tmp_path, stronger, clock=door.clock).login("wang", SECRET, HOME)
    with door.registry.reading() as session:
        assert not stronger.is_dated(session.scalars(select(User.password_hash)).one())


def test_a_scope_holds_all_that_is_below(door: Door, registry: Registry) -> None:
    with registry.writing() as session:
        ids = network(session)
    wang = settled(door, "wang", "operator", organisations=("K1",))
    assert wang.scope.organisations == {ids["K1"], ids["S1"]}
    assert not wang.scope.everywhere
    nobody = settled(door, "nobody", "operator")
    assert nobody.scope.organisations == frozenset()
    assert not nobody.scope.everywhere


def test_a_tree_that_grows_is_seen_within_half_a_minute(door: Door, registry: Registry, clock: Clock) -> None:
    with registry.writing() as session:
        ids = network(session)
    settled(door, "wang", "operator", organisations=("K1",))
    token = door.login("wang", SECRET, HOME).token
    before = door.of_session(token, HOME.source)
    with registry.writing() as session:
        session.add(Organisation(code="S9", name="new", parent_id=ids["K1"]))
    clock.wait(seconds=30)
    after = door.of_session(token, HOME.source)
    assert len(after.scope.organisations) == len(before.scope.organisations) + 1


def test_nobody_may_more_than_there_is(door: Door) -> None:
    assert settled(door, "wang", "administrator", everywhere=True).permissions <= permissions().keys()


def test_a_request_mostly_costs_no_question_to_the_database(door: Door, clock: Clock) -> None:
    from sqlalchemy import event

    settled(door, "wang", "operator", everywhere=True)
    token = door.login("wang", SECRET, HOME).token
    door.of_session(token, HOME.source)
    asked: list[str] = []
    engine = door.registry.engine

    def heard(connection: object, cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    try:
        for _ in range(1000):
            clock.wait(milliseconds=5)
            door.of_session(token, HOME.source)
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    assert 0 < len(asked) <= 2 * 11
    assert {statement.split()[0] for statement in asked} <= {"SELECT", "BEGIN"}


def test_the_use_of_a_key_is_written_now_and_then(door: Door, clock: Clock) -> None:
    wang = settled(door, "wang", "integrator", everywhere=True)
    used, unused = (add_key(door.registry, wang, title, ["archives.read"], days=1) for title in ("used", "unused"))
    clock.wait(minutes=5)
    door.of_key(used.text, HOME.source)
    assert {card.used_at for card in list_keys(door.registry, wang)} == {None}
    door.flush()
    assert {card.title: card.used_at for card in list_keys(door.registry, wang)} == {"used": clock.now, "unused": None}
    assert unused.card.used_at is None
