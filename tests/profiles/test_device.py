from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, shipped
from tests.profiles.talk import values

ENERGY = obis_code("1-0:1.8.0")
VOLTAGE = obis_code("1-0:32.7.0")


def test_registers_climb_and_instant_values_sway() -> None:
    profile = shipped("prepaid-modbus-single-phase")
    device = Device(profile, "3")
    seen = [values(profile, device, "3", now_s) for now_s in range(0, 120, 20)]
    energies = [one[ENERGY][0] or 0 for one in seen]
    assert energies == sorted(set(energies))
    assert len({one[VOLTAGE][0] for one in seen}) > 1
    assert all(20_000 < (one[VOLTAGE][0] or 0) < 24_000 for one in seen)


def test_what_is_set_stays() -> None:
    profile = shipped("prepaid-modbus-single-phase")
    device = Device(profile, "3", {ENERGY: 48_213_700})
    assert {values(profile, device, "3", now_s)[ENERGY] for now_s in (0, 1000)} == {(48_213_700, 0)}


@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        (ENERGY, 1, "cannot show 1"),
        (ENERGY, -100, "cannot show"),
        (ENERGY, None, "no sign for no value"),
        (obis_code("1-0:2.8.0"), 0, "has no quantity"),
    ],
)
def test_what_the_device_cannot_show_is_refused(code: int, value: int | None, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Device(shipped("prepaid-modbus-single-phase"), "3", {code: value})


def test_octets_may_come_one_by_one_on_lines_of_their_own() -> None:
    profile = shipped("dlt645-single-phase")
    device = Device(profile, "161")
    first, second = device.line(), device.line()
    octets = profile.requests("161")[0].octets
    said = [(first.feed(octets[at : at + 1]), second.feed(octets[at : at + 1])) for at in range(len(octets))]
    assert all(pair == (b"", b"") for pair in said[:-1])
    assert said[-1][0] == said[-1][1] != b""


def test_half_a_frame_is_forgotten_in_the_silence() -> None:
    profile = shipped("dlt645-single-phase")
    device = Device(profile, "161")
    line = device.line()
    octets = profile.requests("161")[0].octets
    assert line.feed(octets[:-3]) == b""
    assert line.silence() == b""
    assert line.feed(octets) != b""
