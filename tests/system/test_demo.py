"""``meterweave demo`` as a newcomer runs it: to its end, to Ctrl-C, and where it cannot end well."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WAIT_S = 180.0
SMALL = ("--meters", "12", "--others", "6", "--terminals", "2")


def started(*options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "meterweave.cli", "demo", *SMALL, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def asked(data: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "meterweave.cli", *command, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=True,
    )
    return done.stdout


def test_it_ends_when_everything_is_there_and_can_be_looked_at(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    demo = started("--until-complete", "--data", str(data))
    said, logged = demo.communicate(timeout=WAIT_S)
    assert demo.returncode == 0, (said, logged)
    assert "every reading that was due is stored" in said
    assert "Traceback" not in logged
    rows = "SELECT DISTINCT m.asset_number AS number FROM readings r JOIN meters m ON m.id = r.meter"
    found = [row["number"] for row in json.loads(asked(data, "query", "--format", "json", rows))]
    assert sum(number.startswith("MW") for number in found) == 18
    assert any(number.startswith("SHOP") for number in found)
    status = json.loads(asked(data, "collection", "status", "--json"))
    assert status
    assert "MW" in asked(data, "terminal", "show", "id:1")


def test_ctrl_c_ends_it_and_its_town(tmp_path: Path) -> None:
    demo = started("--data", str(tmp_path / "demo"))
    assert demo.stdout is not None
    assert "2 / 2" in next(line for line in demo.stdout if "2 / 2" in line)
    children = subprocess.run(
        ["pgrep", "-P", str(demo.pid)], capture_output=True, text=True, check=True
    ).stdout.split()  # fmt: skip
    os.kill(demo.pid, signal.SIGINT)
    _, logged = demo.communicate(timeout=WAIT_S)
    assert demo.returncode == 0, logged
    assert "Traceback" not in logged
    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    demo = started("--until-complete", "--limit", "1")
    said, logged = demo.communicate(timeout=WAIT_S)
    assert demo.returncode == 1, (said, logged)
    assert "missing" in said
    assert "MW" in said or "terminal" in said


@pytest.mark.parametrize("kept", ["notes.txt", "lake"])
def test_it_leaves_the_folders_of_others_alone(tmp_path: Path, kept: str) -> None:
    (tmp_path / kept).write_text("mine")
    demo = started("--data", str(tmp_path))
    _, logged = demo.communicate(timeout=WAIT_S)
    assert demo.returncode == 2
    assert "not empty" in logged
    assert [one.name for one in tmp_path.iterdir()] == [kept]
