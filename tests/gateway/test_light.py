"""A gateway fits into a small box: it loads neither lake nor archives, only the journal."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("duckdb", "deltalake", "sqlalchemy", "pydantic", "pymodbus.client")


def test_what_a_gateway_has_no_room_for_is_not_loaded() -> None:
    code = "import sys, meterweave.cli.collector_run; print([one for one in sys.argv[1:] if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
