"""A real process that runs out of file handles and gets them back."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_without_file_handles_the_lake_waits_and_then_takes_everything(tmp_path: Path, state: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.lake.starved_writer", str(tmp_path / "lake"), state],
        capture_output=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    said = json.loads(ended.stdout.splitlines()[-1])
    assert said["starved"]
    assert said["recovered"], ended.stderr.decode()
    assert said["failed"] is None
    assert said["in_tables"] == said["kept"] > 4
