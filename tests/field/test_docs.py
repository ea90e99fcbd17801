from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from meterweave.field import scan
from meterweave.field.collector import CollectorSettings
from meterweave.field.line import LineCounters
from meterweave.field.plan import DevicePlan, LinePlan
from meterweave.field.poller import DeviceCounters, Told

PAGE = (Path(__file__).parents[2] / "docs/reference/field-collector.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [CollectorSettings, LineCounters, DeviceCounters, DevicePlan, LinePlan])
def test_every_setting_and_counter_is_on_the_page(kind: type) -> None:
    assert [one.name for one in fields(kind) if f"`{one.name}`" not in PAGE] == []


def test_everything_told_and_every_hunt_is_on_the_page() -> None:
    names = [one.name for one in Told] + [one.__name__ for one in scan.Hunt.__subclasses__()]
    assert [name for name in names if name not in PAGE] == []
