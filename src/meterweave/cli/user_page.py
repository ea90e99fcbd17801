"""Users and roles for people at the machine: lists, one user, a one-time password to hand over."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from meterweave.cli import columns, moment, page, render
from meterweave.cli.columns import Cell
from meterweave.errors import ConfigError
from meterweave.manager import users
from meterweave.manager.errors import ManagerError
from meterweave.manager.identity import Identity, at_the_machine
from meterweave.manager.password import Passwords
from meterweave.manager.permission import permissions
from meterweave.manager.roles import RoleCard, list_roles
from meterweave.manager.users import Change, OneTime, UserCard, Wish
from meterweave.registry import Registry
from meterweave.text import Language, Text

NONE = "-"
"""Stands for no role and no organisation at all."""

_NAME, _TITLE, _ROLES = Text("name", "用户名"), Text("title", "姓名"), Text("roles", "角色")
_ORGANISATIONS, _CODES = Text("organisations", "单位"), Text("one-time codes", "动态验证码")
_LOGIN, _STATE = Text("last log-in", "最近登录"), Text("state", "状态")
_EVERYWHERE, _NEVER = Text("everywhere", "全部"), Text("never", "从未")
_YES, _NO = Text("yes", "是"), Text("no", "否")
_ACTIVE, _DISABLED = Text("may log in", "可登录"), Text("disabled", "已停用")
_MUST_CHANGE = Text("has a one-time password", "待修改一次性密码")
_NOBODY = Text("there are no users; meterweave user first makes one", "没有用户；可用 meterweave user first 创建")
_THERE_IS = Text("there are users already; nothing was done", "已有用户，未做任何操作")
_PASSWORD = Text("one-time password", "一次性密码")
_ONCE = Text(
    "It is shown this once, lets in until {until}, and has to be changed then.",
    "该密码仅显示一次，有效期至{until}，首次登录后须修改。",
)
_ROLE, _MAY = Text("role", "角色"), Text("may", "权限")


@contextmanager
def told(language: Language) -> Iterator[None]:
    """Say in the language that is spoken why it cannot be."""
    try:
        yield
    except ManagerError as error:
        raise ConfigError(error.text.in_language(language)) from error


def caller() -> Identity:
    """Who sits at the machine."""
    try:
        return at_the_machine(getpass.getuser())
    except (OSError, KeyError):  # a process of no user, as in some containers
        return at_the_machine("unknown")


def first(registry: Registry) -> OneTime | None:
    """The first user, if there was none."""
    return users.first_administrator(registry, Passwords())


def wish(
    name: str, title: str | None, roles: Sequence[str] | None, organisations: Sequence[str] | None, *, everywhere: bool
) -> Wish:
    """A new user as the options have it."""
    return Wish(name, title or "", tuple(roles or ()), tuple(organisations or ()), everywhere)


def change(
    title: str | None, roles: Sequence[str] | None, organisations: Sequence[str] | None, everywhere: bool | None
) -> Change:
    """A change as the options have it; what is not given stays."""
    return Change(title, _several(roles), _several(organisations), everywhere)


def _several(words: Sequence[str] | None) -> tuple[str, ...] | None:
    if not words:
        return None
    return () if list(words) == [NONE] else tuple(words)


def add(registry: Registry, new: Wish) -> OneTime:
    """Add a user."""
    return users.add_user(registry, Passwords(), caller(), new)


def changed(registry: Registry, name: str, new: Change) -> UserCard:
    """Change a user."""
    return users.change_user(registry, caller(), name, new)


def disabled(registry: Registry, name: str) -> UserCard:
    """Disable a user."""
    return users.disable_user(registry, caller(), name)


def enabled(registry: Registry, name: str) -> UserCard:
    """Enable a user."""
    return users.enable_user(registry, caller(), name)


def reset(registry: Registry, name: str, *, codes_too: bool) -> OneTime:
    """Give a user a one-time password."""
    return users.reset_password(registry, Passwords(), caller(), name, codes_too=codes_too)


def listed(registry: Registry) -> list[UserCard]:
    """All users."""
    return users.list_users(registry, caller())


def found(registry: Registry, name: str) -> UserCard:
    """One user."""
    return users.show_user(registry, caller(), name)


def roles(registry: Registry) -> list[RoleCard]:
    """All roles."""
    return list_roles(registry, caller())


def show_first(given: OneTime | None, language: Language, *, as_json: bool) -> None:
    """Print what became of the first user."""
    if given is not None:
        show_password(given, language, as_json=as_json)
    elif as_json:
        _print_json({"user": None, "password": None})
    else:
        typer.echo(_THERE_IS.in_language(language))


def show_password(given: OneTime, language: Language, *, as_json: bool) -> None:
    """Print a user and their one-time password."""
    if as_json:
        _print_json({"user": given.user.to_json(), "password": given.password})
        return
    out = render.console()
    page.facts(out, [(_NAME, given.user.name), (_PASSWORD, given.password)], language)
    assert given.user.password_until is not None
    page.note(out, _ONCE.in_language(language).format(until=moment.local(given.user.password_until)))


def show_list(cards: Sequence[UserCard], language: Language, *, as_json: bool) -> None:
    """Print the list of users."""
    if as_json:
        _print_json({"users": [card.to_json() for card in cards]})
        return
    if not cards:
        typer.echo(_NOBODY.in_language(language))
        return
    headers = (_NAME, _TITLE, _ROLES, _ORGANISATIONS, _CODES, _LOGIN, _STATE)
    rows = [[Cell(one.in_language(language), "bold cyan") for one in headers]]
    for card in cards:
        cells = (card.name, *(value for _, value in _facts(card, language)))
        rows.append([Cell(one) for one in cells])
    columns.write(render.console(), rows)


def show(card: UserCard, language: Language, *, as_json: bool) -> None:
    """Print one user."""
    if as_json:
        _print_json(card.to_json())
        return
    out = render.console()
    page.title(out, card.name)
    page.facts(out, _facts(card, language), language)


def _facts(card: UserCard, language: Language) -> list[page.Fact]:
    seen = _NEVER.in_language(language) if card.last_login_at is None else moment.local(card.last_login_at)
    return [
        (_TITLE, card.title),
        (_ROLES, " ".join(card.roles)),
        (_ORGANISATIONS, _EVERYWHERE.in_language(language) if card.everywhere else " ".join(card.organisations)),
        (_CODES, (_YES if card.one_time_codes else _NO).in_language(language)),
        (_LOGIN, seen),
        (_STATE, _state(card).in_language(language)),
    ]


def _state(card: UserCard) -> Text:
    if card.disabled_at is not None:
        return _DISABLED
    return _ACTIVE if card.password_until is None else _MUST_CHANGE


def show_roles(cards: Sequence[RoleCard], language: Language, *, as_json: bool) -> None:
    """Print the roles, and below each what it may do."""
    if as_json:
        _print_json(
            {
                "roles": [
                    {
                        "role": card.code,
                        "title": card.title._asdict(),
                        "shipped": card.shipped,
                        "permissions": sorted(card.permissions),
                    }
                    for card in cards
                ]
            }
        )
        return
    rows = [[Cell(one.in_language(language), "bold cyan") for one in (_ROLE, _MAY)] + [Cell("")]]
    for card in cards:
        rows.append([Cell(card.code, "bold"), Cell(card.title.in_language(language)), Cell("")])
        rows += [
            [Cell(""), Cell(word), Cell(words.in_language(language), "dim")]
            for word, words in permissions().items()
            if word in card.permissions
        ]
    columns.write(render.console(), rows)


def _print_json(whole: dict[str, Any]) -> None:
    typer.echo(json.dumps(whole, ensure_ascii=False))
