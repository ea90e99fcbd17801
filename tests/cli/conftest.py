"""The command line as it is called, in this process; and a small centre to call it on."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from meterweave.cli import main
from meterweave.cli.moment import ZONE_VARIABLE
from meterweave.cli.options import REGISTRY_VARIABLE
from tests.cli import centre_data


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    out: str
    err: str
    code: int

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Said]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs ``meterweave WORD…``, in English unless told otherwise."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    for name in (REGISTRY_VARIABLE, ZONE_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["meterweave", *map(str, words)])
        code, root = 0, logging.getLogger()
        handlers, level = root.handlers[:], root.level
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        root.handlers, root.level = handlers, level  # a command that logs must not speak in the tests after it
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return Said(out, err, code)

    return run


@pytest.fixture(scope="session")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small centre, for reading; see `centre_data`."""
    path = tmp_path_factory.mktemp("centre")
    centre_data.make(path)
    return path
