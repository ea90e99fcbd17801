"""How long failures hold off, and whom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from meterweave.manager import throttle
from meterweave.manager.throttle import WAIT_MAX_S, count, give_back, held_off_s, site, subjects, wait_s
from meterweave.registry import Registry
from meterweave.registry.accounts import LoginFailure

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_each_failure_doubles_the_wait() -> None:
    assert [wait_s(number, 5) for number in range(16)] == [
        0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, WAIT_MAX_S, WAIT_MAX_S,
    ]  # fmt: skip
    assert wait_s(10**9, 5) == WAIT_MAX_S


def test_a_guesser_gets_a_hundred_tries_a_day() -> None:
    """What the waits come to: of one name, whoever asks and from wherever."""
    second, tries = 0, 0
    while second < 86_400:
        tries += 1
        second += wait_s(tries, 5)
    assert tries < 120


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "elsewhere"),
        ("a unix socket", "elsewhere"),
        ("\x00", "elsewhere"),
    ],
)
def test_what_an_address_counts_for(source: str, found: str) -> None:
    assert site(source) == found


@given(st.text(), st.text())
def test_any_name_and_address_can_be_counted(name: str, source: str) -> None:
    for one in subjects(name, source):
        assert len(one.key) <= 100
        assert one.key.isascii()


def test_what_is_given_back_does_not_count(registry: Registry) -> None:
    asked = subjects("wang", "192.0.2.7")
    with registry.writing() as session:
        for _ in range(20):
            count(session, asked, NOW)
            give_back(session, asked)
        assert held_off_s(session, asked, NOW) == 0
        for _ in range(4):
            assert count(session, asked, NOW) == []
        assert count(session, asked, NOW) == [asked[0]]
        assert count(session, asked, NOW) == []
        assert held_off_s(session, asked, NOW) == 5
        assert held_off_s(session, asked[1:], NOW) == 0
        assert held_off_s(session, asked, NOW + timedelta(seconds=4)) == 0


def test_no_more_are_remembered_than_there_is_room_for(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "SUBJECTS_MAX", 20)
    with registry.writing() as session:
        for number in range(50):
            count(session, subjects(f"name{number}", f"192.0.2.{number}"), NOW + timedelta(seconds=number))
        kept = session.scalars(select(LoginFailure.subject)).all()
        assert len(kept) == 20
        assert {one.key for one in subjects("name49", "192.0.2.49")} <= set(kept)
        count(session, subjects("later", "192.0.2.7"), NOW + timedelta(days=2))
        assert session.scalar(select(func.count()).select_from(LoginFailure)) == 2
