"""The reference of interface N5 has every message, setting and counter, and says what they are."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from meterweave.centre.gateway_link import GatewayCounters
from meterweave.centre.gateway_settings import GatewaysSettings
from meterweave.gateway import wire
from meterweave.gateway.settings import GatewaySettings
from meterweave.gateway.store import JOURNAL, STATE

DOCS = Path(__file__).parents[2] / "docs/reference"
PAGE = (DOCS / "interface-n5.md").read_text(encoding="utf-8")
CENTRE = (DOCS / "settings.md").read_text(encoding="utf-8").partition("Gateways (`[gateways]`)")[2]
NAMES = {"Asked": "wish", "Answered": "happened"}


@pytest.mark.parametrize("name", [field.name for field in fields(GatewaySettings)])
def test_every_setting_of_a_gateway_is_told(name: str) -> None:
    assert f"`{name}`" in PAGE.partition("## Settings of a gateway")[2]


@pytest.mark.parametrize("name", [field.name for field in fields(GatewaysSettings)])
def test_every_setting_of_the_centre_is_told(name: str) -> None:
    assert f"`{name}`" in CENTRE


@pytest.mark.parametrize("name", [field.name for field in fields(GatewayCounters)])
def test_every_counter_is_told(name: str) -> None:
    assert f"`{name}`" in PAGE.partition("## Counters")[2]


def test_every_message_is_told_with_its_number() -> None:
    told = {name: int(number) for number, name in re.findall(r"^\| (\d+) \| (\w+) \|", PAGE, re.MULTILINE)}
    assert told == {NAMES.get(kind.__name__, kind.__name__.lower()): number for kind, number in wire._NUMBERS.items()}


def test_the_files_are_named() -> None:
    assert {JOURNAL, STATE} <= set(re.findall(r"`([\w.]+)`", PAGE))
