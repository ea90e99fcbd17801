"""Taking in who is unknown: what is told of a terminal or meter is kept, and the rest filled in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from meterweave.headend.enrolment import EnrolmentDesk, New, NewMeter, NewTerminal
from meterweave.headend.settings import HeadEndSettings
from meterweave.metering.quantities import obis_code
from meterweave.registry import Directory, Meter, Registry, Terminal
from meterweave.registry.address import name_key
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind, TerminalState, Utility

VOLUME = obis_code("8-0:1.0.0")
DEVICE = NewTerminal("mqtt", name_key("a4:cf:12"), "a4:cf:12")


def enrolled(path: Path, *wanted: Sequence[New]) -> Registry:
    """The archives after these were enrolled, one lot after the other."""
    registry = Registry.open(path / "registry.sqlite")
    directory = Directory(registry)

    async def work() -> None:
        desk = EnrolmentDesk(registry, directory, HeadEndSettings(enrol_within_s=60.0))
        beside = [asyncio.create_task(desk.run()), asyncio.create_task(directory.follow())]
        for some in wanted:
            await desk.enrol(some)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)

    asyncio.run(work())
    return registry


def test_a_device_is_taken_in_under_its_name(tmp_path: Path) -> None:
    registry = enrolled(tmp_path, [DEVICE, NewTerminal("dlt698", 0x12)])
    with registry.reading() as session:
        device, concentrator = session.scalars(select(Terminal).order_by(Terminal.id)).all()
    assert (device.address, device.kind, device.state) == ("a4:cf:12", TerminalKind.METER, TerminalState.ACTIVE)
    assert (concentrator.address, concentrator.kind) == ("000000000012", TerminalKind.CONCENTRATOR)
    registry.close()


def test_a_meter_is_taken_in_with_what_its_message_tells(tmp_path: Path) -> None:
    battery = obis_code("0-0:96.6.3")
    new = [
        NewMeter(1, "mqtt", name_key("a4:cf:12"), VOLUME, False, "a4:cf:12", "json", "json-water-meter"),
        NewMeter(1, "mqtt", name_key("b"), battery, False, "b", "json", "json-water-meter", Utility.GAS),
        NewMeter(1, "mqtt", 5, VOLUME, False, "5", "mbus", "mbus-water"),
        NewMeter(1, "mqtt", 0x161, VOLUME, True),
        NewMeter(1, "mqtt", name_key("c"), VOLUME, False, "c/c", "json"),  # no name: not enrolled, and no harm
    ]
    registry = enrolled(tmp_path, [DEVICE], new)
    with registry.reading() as session:
        meters = session.scalars(select(Meter).order_by(Meter.id)).all()
        found = [(one.protocol, one.address, one.utility.value, one.model, one.local_address) for one in meters]
    assert found == [
        ("json", "a4:cf:12", "water", "json-water-meter", False),
        ("json", "b", "gas", "json-water-meter", False),
        ("mbus", "5", "water", "mbus-water", True),
        ("cjt188", "00000000000161", "water", "", False),
    ]
    registry.close()


def test_a_meter_that_was_entered_without_a_terminal_is_hung_on_it(tmp_path: Path) -> None:
    with Registry.open(tmp_path / "registry.sqlite").writing() as session:
        key = name_key("a4:cf:12")
        session.add(Meter(utility=Utility.WATER, protocol="json", address="a4:cf:12", address_key=key))
    new = NewMeter(1, "mqtt", name_key("a4:cf:12"), VOLUME, False, "a4:cf:12", "json", "json-water-meter")
    registry = enrolled(tmp_path, [DEVICE], [new])
    with registry.reading() as session:
        meter = session.scalars(select(Meter)).one()
    assert (meter.id, meter.terminal_id, meter.model) == (1, 1, "json-water-meter")
    registry.close()


def meters_of(registry: Registry) -> list[tuple[str, str, int | None, str, str]]:
    with registry.reading() as session:
        meters = session.scalars(select(Meter).order_by(Meter.id)).all()
        return [(one.protocol, one.address, one.terminal_id, one.model, one.utility.value) for one in meters]


def stored(path: Path, *terminals: str, **meter: object) -> None:
    """Archives with lines, and one meter."""
    registry = Registry.open(path / "registry.sqlite")
    with registry.writing() as session:
        for name in terminals:
            enrol(session, "bus", name)
        session.add(Meter(**{"utility": Utility.WATER, "protocol": "json", **meter}))
    registry.close()


def test_a_local_address_is_another_meter_on_another_terminal(tmp_path: Path) -> None:
    stored(tmp_path, "l1", "l2", protocol="mbus", address="5", address_key=5, local_address=True, terminal_id=1)
    new = [NewMeter(terminal, "bus", 5, VOLUME, False, "5", "mbus", "mbus-water") for terminal in (2, 1)]
    registry = enrolled(tmp_path, new)
    assert meters_of(registry) == [
        ("mbus", "5", 1, "mbus-water", "water"),  # had no model
        ("mbus", "5", 2, "mbus-water", "water"),
    ]
    registry.close()


@pytest.mark.parametrize(("utility", "taken"), [(Utility.ELECTRICITY, False), (Utility.WATER, True), (None, True)])
def test_a_stored_meter_of_another_utility_is_left_alone(tmp_path: Path, utility: Utility, taken: bool) -> None:
    stored(tmp_path, address="a4:cf:12", address_key=DEVICE.address_key)
    battery = obis_code("0-0:96.6.3")  # which says nothing of the utility
    new = NewMeter(1, "mqtt", DEVICE.address_key, battery, False, "a4:cf:12", "json", "some-model", utility)
    registry = enrolled(tmp_path, [DEVICE], [new])
    assert meters_of(registry) == [("json", "a4:cf:12", *((1, "some-model") if taken else (None, "")), "water")]
    registry.close()


def test_a_model_that_people_entered_and_a_terminal_they_chose_stay(tmp_path: Path) -> None:
    stored(tmp_path, "l1", address="a4:cf:12", address_key=DEVICE.address_key, terminal_id=1)
    new = NewMeter(2, "mqtt", DEVICE.address_key, VOLUME, False, "a4:cf:12", "json", "json-water-meter")
    registry = enrolled(tmp_path, [DEVICE], [new])
    assert meters_of(registry) == [("json", "a4:cf:12", 1, "", "water")]
    registry.close()
