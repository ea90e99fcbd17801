"""The reference of the command line has every command, and every option in the command's own section."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from meterweave.cli import answer, app

REFERENCE = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text(encoding="utf-8")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield name, command
        return
    for word, one in below.items():
        yield from commands(one, f"{name} {word}")


ALL = dict(commands(get_command(app), "meterweave"))


def section(name: str) -> str:
    """What stands under the heading that has the command."""
    parts = re.split(r"^#{2,3} ", REFERENCE, flags=re.MULTILINE)
    found = [part for part in parts if re.search(rf"`{name}[ `]", part.partition("\n")[0])]
    assert len(found) == 1, f"{name} has {len(found)} headings in docs/reference/cli.md"
    return found[0]


def options(name: str) -> list[str]:
    """Every option of a command, and of a pair both."""
    given = [one for one in ALL[name].params if one.param_type_name == "option"]
    return [word for one in given for word in (*one.opts, *one.secondary_opts)]


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_a_section_with_all_its_options(name: str) -> None:
    text = section(name)
    options = [one for one in ALL[name].params if one.param_type_name == "option"]
    lacking = [
        word for one in options for word in (*one.opts, *one.secondary_opts) if not re.search(rf"`{word}[ `]", text)
    ]
    assert lacking == []


@pytest.mark.parametrize("name", ALL)
def test_no_section_has_an_option_that_is_not_there(name: str) -> None:
    told = set(re.findall(r"^\| `(--[a-z0-9-]+)", section(name), flags=re.MULTILINE))
    assert told <= set(options(name))


@pytest.mark.parametrize("name", answer.ARCHIVES)
def test_every_table_of_the_archives_is_told_with_its_columns(name: str) -> None:
    row = next(line for line in section("meterweave query").splitlines() if line.startswith(f"| `{name}` |"))
    assert re.findall(r"`(\w+)`", row)[1:] == answer.ARCHIVES[name][1].names
