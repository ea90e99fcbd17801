"""The options of ``meterweave simulate``; that it runs a town is proved in `test_network`."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from meterweave.cli import app
from meterweave.cli.simulate import simulate
from meterweave.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "nobody to report to"),
        (["--dlt698", "localhost"], "no HOST:PORT"),
        (["--gdw1376", "localhost:70000"], "no HOST:PORT"),
        (["--gdw1376", ":1"], "no HOST:PORT"),
        (["--dlt698", "[::1]:1", "--speed", "0"], "wanted more than 0"),
        (["--dlt698", "[::1]:1", "--days", "1", "--backlog", "2"], "wanted 0 to the 1"),
        (["--dlt698", "[::1]:1", "--faults", "2"], "wanted 0 to 1"),
        (["--dlt698", "[::1]:1", "--terminals", "0"], "too few"),
        (["--dlt698", "[::1]:1", "--heartbeat", "-1"], "wanted more than 0"),
    ],
)
def test_a_wrong_option_is_told(options, told):
    result = CliRunner().invoke(app, ["simulate", *options])
    assert isinstance(result.exception, ConfigError)
    assert told in str(result.exception)


def test_every_option_is_in_the_how_to():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "simulate-a-town.md"
    text = page.read_text(encoding="utf-8")
    for name in simulate.__annotations__:
        assert name in {"return", "began"} or f"--{name.replace('_', '-')}" in text


def test_the_archives_alone_need_no_centre(tmp_path):
    path = tmp_path / "town.xlsx"
    options = ["--terminals", "2", "--meters", "4", "--others", "2", "--archives", str(path)]
    result = CliRunner().invoke(app, ["simulate", *options])
    assert result.exit_code == 0
    assert str(path) in result.output
    assert path.stat().st_size > 1000
