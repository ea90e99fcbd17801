"""``meterweave audit``: the trail listed, and the trail checked."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from meterweave.cli.folder import Folder
from meterweave.manager import users
from tests.cli.conftest import Call
from tests.manager.people import PASSWORDS, ROOT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three entries: two users added, one disabled."""
    path = tmp_path_factory.mktemp("audit")
    with Folder(path).registry() as registry:
        users.first_administrator(registry, PASSWORDS)
        users.add_user(registry, PASSWORDS, ROOT, users.Wish("wang", title="王工"))
        users.disable_user(registry, ROOT, "wang")
    return path


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to do with as one likes."""
    return shutil.copytree(made, tmp_path / "centre")


def tamper(folder: Path, statement: str) -> None:
    """What somebody does who has the file."""
    connection = sqlite3.connect(folder / "registry.sqlite")
    for name in ("update", "delete", "replace"):
        connection.execute(f"DROP TRIGGER audit_entries_kept_{name}")
    connection.execute(statement)
    connection.commit()
    connection.close()


def numbers(call: Call, folder: Path, *words: object) -> list[int]:
    said = call("audit", "list", "--data", folder, "--json", *words)
    assert said.code == 0, said.err
    return [one["number"] for one in said.json["entries"]]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), [3, 2, 1]),
        (("--limit", 1), [3]),
        (("--before", 3), [2, 1]),
        (("--action", "user.add"), [2, 1]),
        (("--action", "user"), [3, 2, 1]),
        (("--object", "wang"), [3, 2]),
        (("--kind", "role"), []),
        (("--who", "local:first start"), [1]),
        (("--from", "2020-01-01"), [3, 2, 1]),
        (("--to", "2020-01-01T12:00"), []),
    ],
)
def test_the_list_is_cut_as_asked(call: Call, folder: Path, words: tuple[object, ...], found: list[int]) -> None:
    assert numbers(call, folder, *words) == found


def test_the_list_is_for_people_in_their_language(call: Call, folder: Path) -> None:
    said = call("audit", "list", "--data", folder).out
    header, disabled, *_ = said.splitlines()
    assert " ".join(header.split()) == "number time who from where what object before and after"
    assert "user disabled" in disabled
    assert "title=王工" in said
    assert "停用用户" in call("audit", "list", "--data", folder, "--lang", "zh").out
    assert call("audit", "list", "--data", folder, "--kind", "x").out == "no entry is like that\n"


@pytest.mark.parametrize(
    "words",
    [("--from", "tomorrow"), ("--to", "0001-01-01"), ("--action", "made.up"), ("--limit", "0"), ("--before", "0")],
)
def test_what_cannot_be_asked_is_told(call: Call, folder: Path, words: tuple[str, ...]) -> None:
    assert call("audit", "list", "--data", folder, *words).code == 2


def test_a_trail_that_is_what_it_was(call: Call, folder: Path) -> None:
    said = call("audit", "verify", "--data", folder)
    assert said.code == 0
    assert said.out.startswith("3 entries, all as they were written\n")
    assert "cut off" in said.out  # what it cannot tell
    found = call("audit", "verify", "--data", folder, "--json").json
    assert found["anchor"].startswith("3:")
    assert found["anchor"] in said.out
    anchored = call("audit", "verify", "--data", folder, "--anchor", found["anchor"])
    assert anchored.code == 0
    assert "cut off" not in anchored.out
    assert "均未被改动" in call("audit", "verify", "--data", folder, "--lang", "zh").out


def test_a_row_that_was_altered_is_named(call: Call, folder: Path) -> None:
    tamper(folder, "UPDATE audit_entries SET who = 'somebody else' WHERE number = 2")
    said = call("audit", "verify", "--data", folder)
    assert said.code == 1
    assert "entry 2 was altered" in said.out
    found = call("audit", "verify", "--data", folder, "--json")
    assert found.code == 1
    assert [(one["code"], one["number"]) for one in found.json["faults"]] == [("altered", 2)]
    assert "第2条" in call("audit", "verify", "--data", folder, "--lang", "zh").out


def test_a_trail_that_was_cut_off_shows_against_the_anchor(call: Call, folder: Path) -> None:
    anchor = call("audit", "verify", "--data", folder, "--json").json["anchor"]
    tamper(folder, "DELETE FROM audit_entries WHERE number > 1")
    assert call("audit", "verify", "--data", folder).code == 0
    said = call("audit", "verify", "--data", folder, "--anchor", anchor)
    assert said.code == 1
    assert "entry 2-3 is missing at the end" in said.out
    assert call("audit", "verify", "--data", folder, "--anchor", "3:xyz").code == 2


def test_an_empty_trail_is_sound(call: Call, tmp_path: Path) -> None:
    with Folder(tmp_path).registry():
        pass
    assert call("audit", "verify", "--data", tmp_path, "--json").json == {
        "sound": True, "entries": 0, "anchor": None, "anchored": False, "faults": [],
    }  # fmt: skip
