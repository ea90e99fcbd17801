"""Users: what is written of them, and that nobody gives or manages what they do not have."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from meterweave.manager import keys, roles, sessions, users
from meterweave.manager.door import Door
from meterweave.manager.errors import AccountError, ManagerError, NotAllowed, NotVisible
from meterweave.manager.identity import Identity, Scope
from meterweave.manager.permission import permissions, shipped_roles
from meterweave.manager.trail import Wanted, list_entries
from meterweave.manager.users import Change, OneTime, Wish
from meterweave.registry import Registry
from meterweave.registry.accounts import User
from tests.manager.people import HOME, PASSWORDS, ROOT, Clock, network, settled, unguarded


def add(registry: Registry, name: str, *given: str, by: Identity = ROOT, **more: object) -> OneTime:
    return users.add_user(registry, PASSWORDS, by, Wish(name, roles=given, **more))  # type: ignore[arg-type]


def who(*granted: str, organisations: tuple[int, ...] = (), everywhere: bool = False) -> Identity:
    scope = Scope(everywhere=everywhere, organisations=frozenset(organisations))
    return Identity(user=4711, name="boss", permissions=frozenset(granted), scope=scope, means="session", session=1)


def county(registry: Registry) -> dict[str, int]:
    with registry.writing() as session:
        return network(session)


def test_the_first_user_may_everything_and_there_is_one(registry: Registry) -> None:
    start = threading.Barrier(6)

    def begin(_: int) -> OneTime | None:
        start.wait()
        return users.first_administrator(registry, PASSWORDS)

    with ThreadPoolExecutor(6) as pool:
        given = [one for one in pool.map(begin, range(6)) if one is not None]
    assert len(given) == 1
    assert given[0].user.roles == ("administrator",)
    assert given[0].user.everywhere
    with registry.reading() as session:
        stored = session.scalars(select(User)).one()
        assert given[0].password not in stored.password_hash
        assert PASSWORDS.agrees(stored.password_hash, given[0].password)
    assert users.first_administrator(registry, PASSWORDS) is None


def test_a_user_is_what_was_asked_for(registry: Registry) -> None:
    county(registry)
    wish = Wish(" Wang@Example.cn ", "王 工", ("operator", "auditor", "operator"), ("K2", "K1"))
    card = users.add_user(registry, PASSWORDS, ROOT, wish).user
    assert (card.name, card.title, card.everywhere) == ("wang@example.cn", "王 工", False)
    assert card.roles == ("auditor", "operator")
    assert card.organisations == ("K1", "K2")
    assert card.password_until is not None
    assert users.show_user(registry, ROOT, "WANG@example.cn") == card
    assert users.list_users(registry, ROOT) == [card]
    (entry,) = list_entries(registry, ROOT, Wanted(), limit=9)
    assert (entry.who, entry.action, entry.kind, entry.object, entry.before) == (
        "local:tests", "user.add", "user", "wang@example.cn", None,
    )  # fmt: skip
    assert entry.after == {
        "title": "王 工", "roles": ["auditor", "operator"], "organisations": ["K1", "K2"], "everywhere": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish("x"), "no user's name"),
        (Wish("a" * 65), "no user's name"),
        (Wish("local:root"), "no user's name"),
        (Wish("wang li"), "no user's name"),
        (Wish("-wang"), "no user's name"),
        (Wish("wang\n"), None),  # blanks around a name do no harm
        (Wish("王工"), "no user's name"),
        (Wish("wang\x00"), "no user's name"),
        (Wish("there"), "already"),
        (Wish("THERE"), "already"),
        (Wish("wang", title="x" * 201), "title"),
        (Wish("wang", title="a\x1bb"), "title"),
        (Wish("wang", roles=("king",)), "no role 'king'"),
        (Wish("wang", organisations=("XX",)), "no organisation 'XX'"),
    ],
)
def test_what_cannot_be_is_refused(registry: Registry, wish: Wish, told: str | None) -> None:
    add(registry, "there")
    if told is None:
        users.add_user(registry, PASSWORDS, ROOT, wish)
        return
    with pytest.raises(AccountError, match=told) as refused:
        users.add_user(registry, PASSWORDS, ROOT, wish)
    assert refused.value.text.zh
    assert len(users.list_users(registry, ROOT)) == 1


def test_a_change_tells_what_was_before(registry: Registry) -> None:
    county(registry)
    add(registry, "wang", "operator", organisations=("K1",))
    card = users.change_user(registry, ROOT, "wang", Change(roles=("auditor",), organisations=()))
    assert (card.roles, card.organisations, card.everywhere) == (("auditor",), (), False)
    users.change_user(registry, ROOT, "wang", Change(roles=("auditor",)))  # nothing new: nothing to tell
    entries = list_entries(registry, ROOT, Wanted(action="user.change"), limit=9)
    assert len(entries) == 1
    assert entries[0].before["roles"] == ["operator"]
    assert entries[0].after["organisations"] == []


def test_no_secret_is_in_the_trail(door: Door) -> None:
    given = add(door.registry, "wang", "integrator", everywhere=True)
    reset = users.reset_password(door.registry, PASSWORDS, ROOT, "wang")
    li = settled(door, "li", "integrator", everywhere=True)
    key = keys.add_key(door.registry, li, "k", ["archives.read"], days=1)
    with door.registry.reading() as session:
        hashes = set(session.scalars(select(User.password_hash)))
    told = str([entry.to_json() for entry in list_entries(door.registry, ROOT, Wanted(), limit=99)])
    assert "key.add" in told
    for secret in (given.password, reset.password, key.text, *hashes):
        assert secret not in told


OTHERS: dict[str, Callable[[Registry, Identity], object]] = {
    "change": lambda registry, boss: users.change_user(registry, boss, "wang", Change(title="mine")),
    "disable": lambda registry, boss: users.disable_user(registry, boss, "wang"),
    "enable": lambda registry, boss: users.enable_user(registry, boss, "wang"),
    "reset": lambda registry, boss: users.reset_password(registry, PASSWORDS, boss, "wang"),
    "codes": lambda registry, boss: users.reset_password(registry, PASSWORDS, boss, "wang", codes_too=True),
}


@pytest.mark.parametrize("act", OTHERS)
def test_who_may_less_does_not_rule_who_may_more(registry: Registry, act: str) -> None:
    ids = county(registry)
    add(registry, "wang", "operator", organisations=("K1",))
    own = shipped_roles()["operator"].permissions
    enough = (*own, "users.manage")
    here = (ids["K1"], ids["S1"])
    for boss, refusal in (
        (who(*own, organisations=here), NotAllowed),  # may not manage users at all
        (who("users.manage", organisations=here), NotAllowed),  # may less than wang
        (who(*enough, organisations=(ids["K2"], ids["S2"])), NotVisible),  # of the other county
        (who(*enough, organisations=(ids["K1"],)), NotVisible),  # sees only a part of what wang sees
        (who(*enough), NotVisible),
    ):
        before = users.show_user(registry, ROOT, "wang")
        with pytest.raises(refusal):
            OTHERS[act](registry, boss)
        assert users.show_user(registry, ROOT, "wang") == before
    OTHERS[act](registry, who(*enough, organisations=here))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_nobody_gives_what_they_do_not_have(registry: Registry, data: st.DataObject) -> None:
    with unguarded(registry) as connection:
        connection.exec_driver_sql("DELETE FROM audit_entries")
        for table in ("user_roles", "user_organisations", "users", "organisations"):
            if table == "organisations":
                connection.exec_driver_sql("UPDATE transformer_districts SET organisation_id = NULL")
                connection.exec_driver_sql("DELETE FROM transformer_districts")
                connection.exec_driver_sql("UPDATE organisations SET parent_id = NULL")
            connection.exec_driver_sql(f"DELETE FROM {table}")
    ids = county(registry)
    organisations = ("P", "K1", "K2", "S1", "S2")
    some_roles = st.lists(st.sampled_from(sorted(shipped_roles())), max_size=2).map(tuple)
    granted = frozenset[str]().union(
        {"users.manage", "users.read"}, *(shipped_roles()[one].permissions for one in data.draw(some_roles))
    )
    boss = who(
        *granted,
        organisations=tuple(ids[one] for one in data.draw(st.sets(st.sampled_from(organisations)))),
        everywhere=data.draw(st.booleans()),
    )
    wish = Wish(
        "wang",
        roles=data.draw(some_roles),
        organisations=tuple(sorted(data.draw(st.sets(st.sampled_from(organisations), max_size=2)))),
        everywhere=data.draw(st.booleans()),
    )
    try:
        if data.draw(st.booleans()):
            add(registry, "wang")
            change = Change(None, wish.roles, wish.organisations, wish.everywhere)
            users.change_user(registry, boss, "wang", change)
        else:
            users.add_user(registry, PASSWORDS, boss, wish)
    except ManagerError:
        pass
    with registry.reading() as session:
        user = session.scalars(select(User)).one_or_none()
        if user is None:
            return
        from meterweave.manager.rights import Rights, rights_of

        assert Rights(boss.permissions, boss.scope).cover(rights_of(session, user))


def test_one_sees_the_users_of_ones_part(registry: Registry) -> None:
    ids = county(registry)
    add(registry, "one", organisations=("K1",))
    add(registry, "two", organisations=("K2",))
    add(registry, "all", everywhere=True)
    boss = who("users.read", organisations=(ids["K1"], ids["S1"]))
    assert [card.name for card in users.list_users(registry, boss)] == ["one"]
    for name in ("two", "all", "nobody"):
        with pytest.raises(NotVisible):
            users.show_user(registry, boss, name)
    with pytest.raises(NotAllowed, match=r"users\.read"):
        users.list_users(registry, who())


def test_somebody_is_left_who_may_manage_users(registry: Registry) -> None:
    add(registry, "admin", "administrator", everywhere=True)
    add(registry, "wang", "operator", everywhere=True)
    for act in (
        lambda: users.disable_user(registry, ROOT, "admin"),
        lambda: users.change_user(registry, ROOT, "admin", Change(roles=("operator",))),
        lambda: users.change_user(registry, ROOT, "admin", Change(everywhere=False)),
    ):
        with pytest.raises(AccountError, match="nobody would be left"):
            act()
    users.change_user(registry, ROOT, "wang", Change(roles=("administrator",)))
    users.disable_user(registry, ROOT, "admin")
    assert users.show_user(registry, ROOT, "admin").disabled_at is not None


def test_two_administrators_do_not_disable_each_other(registry: Registry) -> None:
    for _ in range(5):
        for name in ("one", "two"):
            if not any(card.name == name for card in users.list_users(registry, ROOT)):
                add(registry, name, "administrator", everywhere=True)
            users.enable_user(registry, ROOT, name)
        start = threading.Barrier(2)

        def disable(name: str, start: threading.Barrier = start) -> bool:
            start.wait()
            try:
                users.disable_user(registry, ROOT, name)
            except AccountError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(disable, ("one", "two"))) == [False, True]


def test_roles_of_ones_own(registry: Registry) -> None:
    roles.put_role(registry, ROOT, "meter_reader", "抄表员", ["readings.enter", "archives.read"])
    add(registry, "wang", "meter_reader", everywhere=True)
    listed = {card.code: card for card in roles.list_roles(registry, ROOT)}
    assert set(listed) == {*shipped_roles(), "meter_reader"}
    assert listed["meter_reader"].permissions == {"readings.enter", "archives.read"}
    roles.put_role(registry, ROOT, "meter_reader", "抄表员", ["readings.enter"])
    roles.remove_role(registry, ROOT, "meter_reader")
    assert users.show_user(registry, ROOT, "wang").roles == ()
    told = [
        (entry.action, entry.before, entry.after)
        for entry in list_entries(registry, ROOT, Wanted(kind="role"), limit=9)
    ]
    assert [one[0] for one in told] == ["role.remove", "role.change", "role.add"]
    assert told[1][1:] == (
        {"title": "抄表员", "permissions": ["archives.read", "readings.enter"]},
        {"title": "抄表员", "permissions": ["readings.enter"]},
    )


def test_a_role_is_no_way_to_more(registry: Registry) -> None:
    roles.put_role(registry, ROOT, "strong", "s", ["commands.relay"])
    boss = who("users.manage", "users.read", "readings.read", everywhere=True)
    for act in (
        lambda: roles.put_role(registry, boss, "mine", "m", ["commands.relay"]),
        lambda: roles.put_role(registry, boss, "strong", "s", ["readings.read"]),
        lambda: roles.remove_role(registry, boss, "strong"),
        lambda: roles.put_role(registry, who("users.manage", "readings.read"), "mine", "m", ["readings.read"]),
        lambda: roles.put_role(registry, who(everywhere=True), "mine", "m", []),
    ):
        with pytest.raises(NotAllowed):
            act()
    roles.put_role(registry, boss, "mine", "m", ["readings.read"])


@pytest.mark.parametrize("code", ["administrator", "X", "a", "a b", "ä" * 3, "a" * 33, ""])
def test_a_role_has_a_code_of_its_own(registry: Registry, code: str) -> None:
    with pytest.raises(AccountError):
        roles.put_role(registry, ROOT, code, "t", [])
    with pytest.raises(AccountError):
        roles.put_role(registry, ROOT, "fine", "t", ["no.such"])
    with pytest.raises(AccountError):
        roles.put_role(registry, ROOT, "fine", " ", [])
    with pytest.raises(AccountError):
        roles.remove_role(registry, ROOT, "administrator")


def test_the_last_who_manages_may_hold_a_role_of_ones_own(registry: Registry) -> None:
    roles.put_role(registry, ROOT, "chief", "chief", ["users.manage"])
    add(registry, "wang", "chief", everywhere=True)
    for act in (
        lambda: roles.remove_role(registry, ROOT, "chief"),
        lambda: roles.put_role(registry, ROOT, "chief", "chief", ["users.read"]),
    ):
        with pytest.raises(AccountError, match="nobody would be left"):
            act()


def test_keys_are_made_by_who_is_logged_in(door: Door) -> None:
    registry = door.registry
    li = settled(door, "li", "integrator", everywhere=True)
    made = keys.add_key(registry, li, "billing", ["archives.read"], days=366)
    assert keys.list_keys(registry, li) == keys.list_keys(registry, ROOT, "li") == [made.card]
    speaking = door.of_key(made.text, HOME.source)
    more = keys.add_key(registry, li, "all", li.permissions, days=1)
    for identity, granted, days, refusal in (
        (ROOT, ["archives.read"], 1, AccountError),
        (door.of_key(more.text, HOME.source), ["archives.read"], 1, AccountError),  # keys make no keys
        (speaking, ["archives.read"], 1, NotAllowed),
        (li, ["commands.relay"], 1, NotAllowed),
        (li, [], 1, AccountError),
        (li, ["archives.read"], 0, AccountError),
        (li, ["archives.read"], 367, AccountError),
    ):
        with pytest.raises(refusal):
            keys.add_key(registry, identity, "x", granted, days=days)
    with pytest.raises(ValueError, match="no permission"):
        keys.add_key(registry, li, "x", ["no.such"], days=1)


def test_keys_are_revoked_by_their_owner_and_by_who_manages(door: Door, clock: Clock) -> None:
    registry = door.registry
    li, wang = (settled(door, name, "integrator", everywhere=True) for name in ("li", "wang"))
    one, two = (keys.add_key(registry, li, "k", ["archives.read"], days=1) for _ in range(2))
    with pytest.raises(NotVisible):
        keys.revoke_key(registry, wang, one.card.prefix)
    with pytest.raises(NotAllowed):
        keys.revoke_key(registry, who("users.manage", everywhere=True), one.card.prefix)
    with pytest.raises(NotVisible):
        keys.revoke_key(registry, li, "nothing")
    for key in (one, one, two):
        door.of_key(key.text, HOME.source)
    keys.revoke_key(registry, li, one.card.prefix)
    keys.revoke_key(registry, li, one.card.prefix)  # once is enough
    keys.revoke_key(registry, ROOT, two.card.prefix)
    clock.wait(seconds=0.5)
    for key in (one, two):
        with pytest.raises(ManagerError, match="not valid"):
            door.of_key(key.text, HOME.source)
    assert len(list_entries(registry, ROOT, Wanted(action="key.revoke"), limit=9)) == 2


def test_the_sessions_of_others_are_for_who_manages(door: Door) -> None:
    registry = door.registry
    settled(door, "li", "operator", everywhere=True)
    (card,) = sessions.list_sessions(registry, ROOT, "li")
    weak = who("users.manage", "users.read", everywhere=True)
    with pytest.raises(NotAllowed):
        sessions.end_session(registry, weak, card.id)
    with pytest.raises(NotAllowed):
        sessions.list_sessions(registry, who("users.read", everywhere=True), "li")
    sessions.end_session(registry, ROOT, card.id)
    assert sessions.list_sessions(registry, ROOT, "li") == []


def test_every_permission_is_in_some_role() -> None:
    assert shipped_roles()["administrator"].permissions == permissions().keys()
