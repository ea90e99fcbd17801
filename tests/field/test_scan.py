from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from meterweave.field.plan import Pace
from meterweave.field.ports import Link
from meterweave.field.scan import Cjt188Hunt, Dlt645Hunt, Hunt, MbusHunt, MbusPrimaryHunt, ModbusHunt, Scanned, scan
from meterweave.profiles import Device, shipped
from tests.field.wire import Bus

PACE = Pace(character_s=0.0, silence_s=0.0, reply_s=0.0, gap_s=0.0)
METER, GAS, WATER = shipped("dlt645-single-phase"), shipped("cjt188-gas"), shipped("cjt188-water-valve")
MODBUS = shipped("prepaid-modbus-single-phase")


class Near(Link):
    """A line without any way to it: answers are there at once, or never."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer, self._coming = answer, b""

    def send(self, octets: bytes) -> None:
        self._coming = self._answer(octets)

    async def receive(self, until: float) -> bytes:
        octets, self._coming = self._coming, b""
        return octets

    def close(self) -> None:
        raise AssertionError("the caller's to close")


def scanned(hunt: Hunt, *devices: Device, requests_max: int = 1000) -> Scanned:
    return asyncio.run(scan(Near(Bus(devices).feed), hunt, PACE, requests_max=requests_max))


def test_the_one_meter_on_a_line_is_found_at_once() -> None:
    found = scanned(Dlt645Hunt(), Device(METER, "12345678"))
    assert [one.address for one in found.found] == ["000012345678"]
    assert (found.request_count, found.complete) == (1, True)


def test_meters_that_answer_together_are_told_apart_by_their_low_digits() -> None:
    found = scanned(Dlt645Hunt(), Device(METER, "12345678"), Device(METER, "12345699"), Device(METER, "5"))
    assert {one.address for one in found.found} == {"000012345678", "000012345699", "000000000005"}
    assert (found.request_count, found.unresolved) == (101, ())


def test_meters_of_the_first_edition_are_found_by_an_item_of_theirs() -> None:
    found = scanned(Dlt645Hunt("9010"), Device(shipped("dlt645-1997"), "77"))
    assert [one.address for one in found.found] == ["000000000077"]


def test_an_empty_line_has_nobody() -> None:
    assert scanned(Dlt645Hunt()) == Scanned((), (), 1, True)


def test_the_one_water_meter_is_found_with_its_type() -> None:
    found = scanned(Cjt188Hunt((0xAA, 0x10, 0x30)), Device(WATER, "1234567"))
    assert [one.address for one in found.found] == ["00000001234567"]
    assert "water" in found.found[0].what.en


def test_several_meters_of_cjt188_cannot_be_told_apart_and_that_is_said() -> None:
    found = scanned(Cjt188Hunt((0x30,)), Device(GAS, "1"), Device(GAS, "2"))
    assert found.found == ()
    assert found.unresolved == ("aaaaaaaaaaaaaa 30",)


def test_units_of_modbus_are_found_also_those_that_refuse() -> None:
    refusing = Device(shipped("sunspec-inverter"), "9")
    found = scanned(ModbusHunt(range(1, 12)), Device(MODBUS, "3"), refusing)
    assert [one.address for one in found.found] == ["3", "9"]
    assert found.request_count == 11


def test_slaves_of_m_bus_are_found_by_secondary_address() -> None:
    profile = shipped("mbus-water")
    secondary = replace(profile, settings=replace(profile.settings, secondary=True))
    found = scanned(MbusHunt(), *(Device(secondary, one) for one in ("12345678", "12349999", "80000001")))
    assert {one.address for one in found.found} == {"12345678", "12349999", "80000001"}
    assert found.complete
    assert found.found[0].what.en.startswith("MTW 1")


@pytest.mark.parametrize("hunt", [Dlt645Hunt(), MbusHunt()])
def test_a_search_in_noise_comes_to_an_end(hunt: Hunt) -> None:
    noise = Near(lambda octets: b"\x55\xaa")
    found = asyncio.run(scan(noise, hunt, PACE, requests_max=30))
    assert (found.request_count, found.complete) == (30, False)


def test_primary_addresses_of_m_bus_are_asked_one_by_one() -> None:
    heat = shipped("mbus-heat")
    found = scanned(
        MbusPrimaryHunt(range(1, 11)), Device(heat, "3"), Device(heat, "9"), Device(heat, "5"), Device(heat, "5")
    )
    assert [one.address for one in found.found if one.address != "5"] == ["3", "9"]
    assert (found.found[0].whole, found.found[0].utility) == ("MTW-00000003-01-04", "heat")
    assert (found.request_count, found.complete) == (10, True)


def test_what_a_meter_counts_is_told_where_it_says_so() -> None:
    gas = scanned(Cjt188Hunt(), Device(GAS, "12345678901234"))
    assert {one.utility for one in gas.found} == {"gas"}


def test_every_request_is_told_of() -> None:
    told: list[tuple[int, int]] = []
    devices = [Device(MODBUS, "2")]
    hunt = ModbusHunt(range(1, 4))
    asyncio.run(scan(Near(Bus(devices).feed), hunt, PACE, on_request=lambda asked, found: told.append((asked, found))))
    assert told == [(1, 0), (2, 1), (3, 1)]
