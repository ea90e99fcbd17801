"""What the tutorial says is what happens."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.system.test_commands import ask
from tests.system.test_kill import WAIT_S, Process

TUTORIAL = (Path(__file__).parents[2] / "docs/tutorial/collect-your-first-readings.md").read_text(encoding="utf-8")


def test_the_tutorial(tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", TUTORIAL, re.DOTALL)
    (sql,) = re.findall(r'"\n(  SELECT.*?)"\n', TUTORIAL, re.DOTALL)
    process = Process(tmp_path)
    try:
        here = script.replace("9698", str(process.port))
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", here], capture_output=True, text=True, timeout=WAIT_S, check=True
            )
            assert done.stdout.count("acknowledged\n") == 7
            assert "'name': 'ok'" in done.stdout
        assert json.loads(ask(tmp_path, "SELECT count(*) AS n FROM readings")) == [{"n": 21}]
        assert ask(tmp_path, sql).count(b"active_import_energy") == 5
    finally:
        process.stop()
