"""``meterweave user``: the first one, others, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterweave.cli.folder import Folder
from meterweave.manager.door import Door
from meterweave.manager.errors import LoginRefused
from meterweave.manager.sessions import Caller
from tests.cli.conftest import Call

HOME = Caller("192.0.2.7")


def may_enter(path: Path, name: str, password: str) -> bool:
    with Folder(path).registry() as registry:
        try:
            return Door(registry, path).login(name, password, HOME).identity.must_change
        except LoginRefused:
            return False


def test_the_first_user_has_a_password_that_is_shown_once(call: Call, tmp_path: Path) -> None:
    said = call("user", "first", "--data", tmp_path)
    assert said.code == 0
    password = next(line.split()[-1] for line in said.out.splitlines() if "one-time password" in line)
    assert may_enter(tmp_path, "admin", password)
    again = call("user", "first", "--data", tmp_path)
    assert (again.code, again.out) == (0, "there are users already; nothing was done\n")
    assert call("user", "first", "--data", tmp_path, "--json").json == {"user": None, "password": None}
    shown = call("user", "show", "admin", "--data", tmp_path, "--json").json
    assert shown["roles"] == ["administrator"]
    assert shown["everywhere"] is True
    assert password.encode() not in (tmp_path / "registry.sqlite").read_bytes()


def test_a_user_is_added_changed_disabled_and_enabled(call: Call, tmp_path: Path) -> None:
    words = ("--role", "operator", "--role", "auditor", "--everywhere", "--title", "王工", "--json")
    given = call("user", "add", "Wang", "--data", tmp_path, *words).json
    assert given["user"]["name"] == "wang"
    assert given["user"]["roles"] == ["auditor", "operator"]
    assert may_enter(tmp_path, "wang", given["password"])

    assert call("user", "disable", "wang", "--data", tmp_path, "--json").json["disabled_at"] is not None
    assert not may_enter(tmp_path, "wang", given["password"])
    assert "disabled" in call("user", "list", "--data", tmp_path).out
    assert call("user", "enable", "wang", "--data", tmp_path, "--json").json["disabled_at"] is None
    assert may_enter(tmp_path, "wang", given["password"])

    new = call("user", "reset-password", "wang", "--codes", "--data", tmp_path, "--json").json["password"]
    assert not may_enter(tmp_path, "wang", given["password"])
    assert may_enter(tmp_path, "wang", new)

    found = call("user", "change", "wang", "--role", "-", "--not-everywhere", "--data", tmp_path, "--json").json
    assert (found["roles"], found["everywhere"], found["title"]) == ([], False, "王工")
    told = call("audit", "list", "--data", tmp_path, "--json").json["entries"]
    assert [one["action"] for one in told if one["who"].startswith("local:")] == [
        "user.change", "user.password.reset", "user.enable", "user.disable", "user.add",
    ]  # fmt: skip


def test_the_list_is_for_people_in_their_language(call: Call, tmp_path: Path) -> None:
    call("user", "first", "--data", tmp_path)
    header, admin = call("user", "list", "--data", tmp_path).out.splitlines()
    assert " ".join(header.split()) == "name title roles organisations one-time codes last log-in state"
    assert " ".join(admin.split()) == "admin administrator everywhere no never has a one-time password"
    chinese = call("user", "list", "--data", tmp_path, "--lang", "zh").out
    assert "待修改一次性密码" in chinese
    assert "全部" in chinese


def test_roles_say_what_they_allow(call: Call, tmp_path: Path) -> None:
    call("user", "first", "--data", tmp_path)
    said = call("user", "roles", "--data", tmp_path)
    assert "switch supplies off and on" in said.out
    listed = {one["role"]: one for one in call("user", "roles", "--data", tmp_path, "--json").json["roles"]}
    assert set(listed) == {"administrator", "operator", "county_viewer", "auditor", "integrator"}
    assert "commands.relay" in listed["operator"]["permissions"]
    assert "拉闸" in call("user", "roles", "--data", tmp_path, "--lang", "zh").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "x"), "no user's name"),
        (("add", "admin"), "already"),
        (("add", "wang", "--role", "king"), "no role 'king'"),
        (("add", "wang", "--organisation", "XX"), "no organisation 'XX'"),
        (("show", "nobody"), "no user 'nobody'"),
        (("disable", "admin"), "nobody would be left"),
        (("reset-password", "nobody"), "no user 'nobody'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(call: Call, tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    call("user", "first", "--data", tmp_path)
    said = call("user", *words, "--data", tmp_path)
    assert said.code == 2
    assert said.out == ""
    assert told in said.err
    assert said.err.count("\n") == 1
    chinese = call("user", *words, "--data", tmp_path, "--lang", "zh")
    assert chinese.code == 2
    assert not chinese.err.removeprefix("meterweave: ").isascii()


def test_where_nobody_began_there_is_nobody(call: Call, tmp_path: Path) -> None:
    said = call("user", "list", "--data", tmp_path)
    assert said.code == 2
    assert "holds no archives" in said.err
    assert list(tmp_path.iterdir()) == []
