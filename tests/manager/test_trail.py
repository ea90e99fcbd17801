"""The audit trail as it is read: filtered, page by page, by who may."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from meterweave.errors import ConfigError
from meterweave.manager.change import account_change, note
from meterweave.manager.errors import NotAllowed
from meterweave.manager.identity import Identity, Scope
from meterweave.manager.permission import actions
from meterweave.manager.trail import Wanted, list_entries
from meterweave.registry import Registry
from tests.manager.people import ROOT

START = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def trail(registry: Registry) -> Registry:
    """Six entries, an hour apart."""
    wang = Identity(
        user=1, name="wang", permissions=frozenset(), scope=Scope(), means="session", source="192.0.2.7", session=3
    )
    deeds = [
        (ROOT, "user.add", "user", "wang", None, {"title": "王"}),
        (wang, "login", "user", "wang", None, None),
        (ROOT, "user.change", "user", "wang", {"title": "王"}, {"title": "Wang"}),
        (ROOT, "role.add", "role", "wang", None, {"permissions": []}),
        (wang, "logout", "user", "wang", None, None),
        (ROOT, "user.disable", "user", "li", None, None),
    ]
    with account_change(registry) as session:
        for hour, (who, action, kind, name, before, after) in enumerate(deeds):
            note(session, who, action, kind, name, before=before, after=after, at=START + timedelta(hours=hour))
    return registry


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (Wanted(), [6, 5, 4, 3, 2, 1]),
        (Wanted(who="wang"), [5, 2]),
        (Wanted(action="user"), [6, 3, 1]),
        (Wanted(action="user.change"), [3]),
        (Wanted(kind="role"), [4]),
        (Wanted(kind="user", object="wang"), [5, 3, 2, 1]),
        (Wanted(since=START + timedelta(hours=2), until=START + timedelta(hours=4)), [4, 3]),
        (Wanted(below=3), [2, 1]),
        (Wanted(who="' OR 1=1 --"), []),
    ],
)
def test_entries_are_found(trail: Registry, wanted: Wanted, numbers: list[int]) -> None:
    assert [entry.number for entry in list_entries(trail, ROOT, wanted, limit=99)] == numbers


def test_pages_follow_each_other(trail: Registry) -> None:
    found: list[int] = []
    below = None
    while page := list_entries(trail, ROOT, Wanted(below=below), limit=4):
        found += [entry.number for entry in page]
        below = page[-1].number
    assert found == [6, 5, 4, 3, 2, 1]


def test_an_entry_says_who_what_before_after_from_where_and_when(trail: Registry) -> None:
    change = list_entries(trail, ROOT, Wanted(action="user.change"), limit=1)[0]
    assert (change.before, change.after) == ({"title": "王"}, {"title": "Wang"})
    login = list_entries(trail, ROOT, Wanted(action="login"), limit=1)[0]
    assert (login.who, login.means, login.source, login.at) == (
        "wang", "session", "192.0.2.7", START + timedelta(hours=1),
    )  # fmt: skip
    assert login.to_json()["at"] == "2026-06-01T01:00:00+00:00"


def test_who_may_read_it(trail: Registry) -> None:
    def who(*permissions: str, everywhere: bool) -> Identity:
        scope = Scope(everywhere=everywhere, organisations=frozenset([1]))
        return Identity(user=1, name="x", permissions=frozenset(permissions), scope=scope, means="session")

    for identity in (who("users.manage", everywhere=True), who("audit.read", everywhere=False)):
        with pytest.raises(NotAllowed):
            list_entries(trail, identity, Wanted(), limit=9)
    assert len(list_entries(trail, who("audit.read", everywhere=True), Wanted(), limit=9)) == 6


def test_an_unknown_action_is_told(trail: Registry) -> None:
    for wrong in ("users", "user.", "", "%"):
        with pytest.raises(ConfigError, match="no action"):
            list_entries(trail, ROOT, Wanted(action=wrong), limit=9)
    assert "login" in actions()
