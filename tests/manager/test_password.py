"""Passwords: what is too easy, and what is kept of the others."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from meterweave.manager.errors import PasswordRefused
from meterweave.manager.password import (
    LENGTH_MAX,
    LENGTH_MIN,
    RULES,
    Passwords,
    check_password,
    normal,
    one_time_password,
)
from tests.manager.people import PASSWORDS, SECRET

EASY = {
    "short": ["", "x", "eleven char", "七个字的密码呀"],
    "long": ["four kettles sing loudly " * 6],
    "unprintable": ["four kettles\nsing", "four kettles\x00sing", "four kettles \u202e sing"],
    "own_name": ["i am wang today", "GNAW the bones now", "Wang-wang-wang-2026"],
    "repeated": ["aaaaaaaaaaaaaaaa", "abababababababab", "hello!hello!hello!", "ab12ab12ab12ab12"],
    "sequence": [
        "123456789012", "987654321098", "abcdefghijkl", "qwertyuiopasdf", "1qaz2wsx3edc4rfv", "qwerty123456",
        "abcdef123456", "asdfghjkl;12", "lkjhgfdsapoi",
    ],
    "common": [
        "password2026!", "PASSWORD-1234", "P@ssw0rd!2026", "Meterweave-2026", "admin.admin.2026", "welcome_123456!",
        "1994-2026-1994", "stategrid-2026", "iloveyou!!!!!2", "dragonmonkey12",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("rule", "password"), [(rule, one) for rule, some in EASY.items() for one in some])
def test_what_is_easy_is_refused(rule: str, password: str) -> None:
    with pytest.raises(PasswordRefused) as told:
        check_password(password, "wang")
    assert told.value.code == rule
    assert told.value.text == RULES[rule]


@pytest.mark.parametrize(
    "password",
    [
        SECRET, "correct horse battery", "eleven quiet lanterns", "春天的花园里有七只小鸟在唱歌", "zX9-kettle-Moon",
        "passwordless kettles sing", "a" + "b1c!d2" * 2 + "e", "wagon wheels 77 turn",
    ],
)  # fmt: skip
def test_what_is_long_and_of_ones_own_is_good(password: str) -> None:
    check_password(password, "wang")


def test_every_rule_can_be_broken() -> None:
    assert set(EASY) | {"same"} == set(RULES)


@given(st.text(max_size=3 * LENGTH_MAX), st.text(max_size=64))
def test_any_text_is_judged(password: str, name: str) -> None:
    try:
        check_password(password, name)
    except PasswordRefused:
        return
    assert LENGTH_MIN <= len(normal(password)) <= LENGTH_MAX


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=40))
def test_a_hash_agrees_with_its_password_and_no_other(password: str) -> None:
    kept = PASSWORDS.hash(password)
    assert PASSWORDS.agrees(kept, password)
    assert not PASSWORDS.agrees(kept, password + "x")
    assert not PASSWORDS.agrees(None, password)
    assert kept != PASSWORDS.hash(password)
    assert password not in kept or len(password) < 4


def test_every_keyboard_gives_the_same() -> None:
    assert PASSWORDS.agrees(PASSWORDS.hash("Ａｎｇｓｔｒｏｍ Å ｋｅｔｔｌｅ"), "Angstrom Å kettle")


@pytest.mark.parametrize("kept", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$AAAA$", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_damaged_hash_agrees_with_nothing(kept: str) -> None:
    assert not PASSWORDS.agrees(kept, "")
    assert not PASSWORDS.agrees(kept, "x")


def test_the_usual_parameters_are_those_of_rfc_9106() -> None:
    kept = Passwords().hash(SECRET)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert Passwords().is_dated(PASSWORDS.hash(SECRET))
    assert not Passwords().is_dated(kept)


def test_one_time_passwords_are_good_and_differ() -> None:
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    for one in made:
        check_password(one, "wang")
        assert not set(one) & set("0o1li")


def test_hashes_are_computed_a_few_at_a_time() -> None:
    import threading
    import time

    busy, most, lock = [0], [0], threading.Lock()

    class Slow(PasswordHasher):
        """Takes its time, and notes how many do."""

        def hash(self, *args: object, **options: object) -> str:  # type: ignore[override]
            with lock:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            time.sleep(0.02)
            with lock:
                busy[0] -= 1
            return "kept"

    slow = Passwords(Slow(time_cost=1, memory_cost=8, parallelism=1))
    threads = [threading.Thread(target=slow.hash, args=("x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 2
