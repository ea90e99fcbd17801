"""What users do with their own account: the password, and one-time codes."""

from __future__ import annotations

from pathlib import Path

import pyotp
import pytest
from sqlalchemy import select

from meterweave.manager import users
from meterweave.manager.code import RECOVERY_CODES, STEP_S
from meterweave.manager.door import Door
from meterweave.manager.errors import AccountError, CodeNeeded, HeldOff, KeyFileError, LoginRefused, PasswordRefused
from meterweave.manager.identity import Identity
from meterweave.manager.keys import add_key
from meterweave.manager.own import begin_codes, change_password, confirm_codes, remove_codes
from meterweave.manager.secret import KEY_FILE
from meterweave.manager.sessions import Caller
from meterweave.manager.trail import Wanted, list_entries
from meterweave.registry.accounts import RecoveryCode, User
from tests.manager.people import HOME, PASSWORDS, ROOT, SECRET, Clock, settled


def code(secret: str, clock: Clock) -> str:
    return pyotp.TOTP(secret).at(clock.now)


def with_codes(door: Door, clock: Clock) -> tuple[Identity, str, list[str]]:
    """A user with one-time codes, the secret and the recovery codes; the clock is past the code that was used."""
    wang = settled(door, "wang", "operator", everywhere=True)
    secret = begin_codes(door, wang, SECRET).secret
    recovery = confirm_codes(door, wang, code(secret, clock))
    clock.wait(seconds=STEP_S)
    return wang, secret, recovery


def test_a_wrong_old_password_changes_nothing_and_is_counted(door: Door) -> None:
    wang = settled(door, "wang")
    for _ in range(5):
        with pytest.raises(LoginRefused, match="password is wrong"):
            change_password(door, wang, "wrong", "eleven quiet lanterns", HOME)
    with pytest.raises(HeldOff):
        change_password(door, wang, SECRET, "eleven quiet lanterns", HOME)
    with pytest.raises(HeldOff):
        door.login("wang", SECRET, HOME)


@pytest.mark.parametrize(("new", "rule"), [("short", "short"), (SECRET, "same"), ("this is wang speaking", "own_name")])
def test_a_new_password_follows_the_rules(door: Door, new: str, rule: str) -> None:
    wang = settled(door, "wang")
    with pytest.raises(PasswordRefused) as told:
        change_password(door, wang, SECRET, new, HOME)
    assert told.value.code == rule
    door.login("wang", SECRET, HOME)


def test_codes_are_asked_for_once_they_were_shown(door: Door, clock: Clock) -> None:
    wang = settled(door, "wang")
    new = begin_codes(door, wang, SECRET)
    assert new.address.startswith("otpauth://totp/Meterweave:wang?")
    assert new.secret in new.address
    door.login("wang", SECRET, HOME)  # set up, and not yet confirmed
    with pytest.raises(LoginRefused, match="clock"):
        confirm_codes(door, wang, "000000" if code(new.secret, clock) != "000000" else "000001")
    recovery = confirm_codes(door, wang, code(new.secret, clock))
    assert len(set(recovery)) == RECOVERY_CODES
    assert users.show_user(door.registry, ROOT, "wang").one_time_codes
    with pytest.raises(CodeNeeded):
        door.login("wang", SECRET, HOME)
    with pytest.raises(LoginRefused):  # the one that confirmed is used up
        door.login("wang", SECRET, HOME, code=code(new.secret, clock))
    clock.wait(seconds=STEP_S)
    door.login("wang", SECRET, HOME, code=f" {code(new.secret, clock)[:3]} {code(new.secret, clock)[3:]} ")
    with pytest.raises(LoginRefused):
        door.login("wang", SECRET, HOME, code=code(new.secret, clock))
    with pytest.raises(AccountError):
        begin_codes(door, wang, SECRET)
    with pytest.raises(AccountError):
        confirm_codes(door, wang, code(new.secret, clock))
    told = [entry.action for entry in list_entries(door.registry, ROOT, Wanted(action="user.totp"), limit=9)]
    assert told == ["user.totp.confirm", "user.totp.begin"]


def test_a_wrong_password_does_not_tell_that_codes_are_wanted(door: Door, clock: Clock) -> None:
    _, secret, _ = with_codes(door, clock)
    with pytest.raises(LoginRefused):
        door.login("wang", "wrong", HOME)
    with pytest.raises(LoginRefused):
        door.login("wang", "wrong", HOME, code=code(secret, clock))
    door.login("wang", SECRET, HOME, code=code(secret, clock))  # it was not used up by that


def test_codes_cannot_be_guessed_by_who_has_the_password(door: Door, clock: Clock) -> None:
    _, secret, _ = with_codes(door, clock)
    wrong = "000000" if code(secret, clock) != "000000" else "000001"
    for _ in range(4):
        with pytest.raises(CodeNeeded):  # asking for the code in between gives no new tries
            door.login("wang", SECRET, HOME)
        with pytest.raises(LoginRefused) as told:
            door.login("wang", SECRET, HOME, code=wrong)
        assert not isinstance(told.value, HeldOff)
    with pytest.raises(CodeNeeded):
        door.login("wang", SECRET, HOME)
    with pytest.raises(LoginRefused):
        door.login("wang", SECRET, HOME, code=wrong)
    with pytest.raises(HeldOff):
        door.login("wang", SECRET, HOME, code=code(secret, clock))


def test_a_recovery_code_stands_in_once(door: Door, clock: Clock) -> None:
    _, _, recovery = with_codes(door, clock)
    typed = recovery[3].replace("-", " ").upper()
    assert door.login("wang", SECRET, HOME, code=typed).identity.may("commands.relay")
    with pytest.raises(LoginRefused):
        door.login("wang", SECRET, HOME, code=typed)
    door.login("wang", SECRET, HOME, code=recovery[4])
    assert len(list_entries(door.registry, ROOT, Wanted(action="user.recovery"), limit=9)) == 2
    with door.registry.reading() as session:
        kept = session.scalars(select(RecoveryCode.digest)).all()
    assert len(kept) == RECOVERY_CODES - 2
    assert not set(kept) & set(recovery)


@pytest.mark.parametrize("typed", ["", "x", "\x00", "0" * 10_000, "１２３４５６", "-----", "\ud800"])
def test_impossible_codes_are_refused(door: Door, clock: Clock, typed: str) -> None:
    with_codes(door, clock)
    with pytest.raises((LoginRefused, CodeNeeded)):
        door.login("wang", SECRET, HOME, code=typed)


def test_codes_are_removed_with_the_password_and_by_who_manages(door: Door, clock: Clock) -> None:
    wang, _, _ = with_codes(door, clock)
    with pytest.raises(LoginRefused):
        remove_codes(door, wang, "wrong")
    remove_codes(door, wang, SECRET)
    door.login("wang", SECRET, HOME)
    secret = begin_codes(door, wang, SECRET).secret
    confirm_codes(door, wang, code(secret, clock))
    kept = users.reset_password(door.registry, PASSWORDS, ROOT, "wang")
    with pytest.raises(CodeNeeded):
        door.login("wang", kept.password, HOME)
    gone = users.reset_password(door.registry, PASSWORDS, ROOT, "wang", codes_too=True)
    assert door.login("wang", gone.password, HOME).identity.must_change
    with door.registry.reading() as session:
        assert session.scalars(select(RecoveryCode)).all() == []


def test_a_secret_is_sealed_for_its_user_with_the_key_of_the_folder(door: Door, clock: Clock, tmp_path: Path) -> None:
    _, secret, _ = with_codes(door, clock)
    li = settled(door, "li")
    begin_codes(door, li, SECRET)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    with door.registry.writing() as session:
        one, two = session.scalars(select(User).order_by(User.name))
        assert secret not in (two.totp_sealed or "")
        one.totp_sealed, one.totp_confirmed = two.totp_sealed, True  # li's row with wang's secret
    with pytest.raises(KeyFileError):
        door.login("li", SECRET, HOME, code=code(secret, clock))
    (tmp_path / KEY_FILE).write_bytes(bytes(32))
    other = Door(door.registry, tmp_path, PASSWORDS, clock=clock)
    with pytest.raises(KeyFileError, match="not the key"):
        other.login("wang", SECRET, HOME, code=code(secret, clock))
    with pytest.raises(CodeNeeded):
        other.login("wang", SECRET, HOME)


def test_a_changed_password_takes_the_session_along(door: Door) -> None:
    wang = settled(door, "wang")
    new = change_password(door, wang, SECRET, "eleven quiet lanterns", Caller("192.0.2.8"))
    assert new.identity.source == "192.0.2.8"
    assert door.of_session(new.token, "192.0.2.8").session == new.identity.session != wang.session


def test_what_is_secret_is_in_no_words_about_it(door: Door, clock: Clock) -> None:
    given = users.add_user(door.registry, PASSWORDS, ROOT, users.Wish("wang", roles=("integrator",), everywhere=True))
    entered = door.login("wang", given.password, HOME)
    settled_in = change_password(door, entered.identity, given.password, SECRET, HOME)
    key = add_key(door.registry, settled_in.identity, "k", ["archives.read"], days=1)
    codes = begin_codes(door, settled_in.identity, SECRET)
    for thing, secret in (
        (given, given.password),
        (entered, entered.token),
        (settled_in, settled_in.token),
        (key, key.text),
        (codes, codes.secret),
    ):
        assert secret not in f"{thing} {thing!r}"
