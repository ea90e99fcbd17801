from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from meterweave.headend import Counters, HeadEndSettings

REFERENCE = (Path(__file__).parents[2] / "docs/reference/headend.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [one.name for kind in (HeadEndSettings, Counters) for one in fields(kind)])
def test_every_setting_and_counter_is_told(name: str) -> None:
    assert f"`{name}`" in REFERENCE
