"""Simulated devices behind a serial server."""

from __future__ import annotations

import pytest

from meterweave.errors import DecodeError
from meterweave.profiles import Device, shipped
from meterweave.profiles.modbus_tcp import wrap
from meterweave.simulator.bus import APART_S, Bus

METER = shipped("prepaid-modbus-single-phase")
DEVICES = [Device(METER, "1"), Device(METER, "2")]


def _energy(bus: Bus, unit: str) -> int | None:
    request = METER.requests(unit)[0]
    return next(iter(METER.answer(request, bus.feed(request.octets)).rows)).value


def test_devices_of_a_line_do_not_read_alike():
    bus = Bus(DEVICES, lambda: 0)
    first, second = _energy(bus, "1"), _energy(bus, "2")
    assert first is not None
    assert second is not None
    assert second - first == APART_S * 100  # steps of 0.01 kWh, stored in 0.0001 kWh


def test_half_a_frame_ends_with_silence():
    bus = Bus(DEVICES, lambda: 0)
    octets = METER.requests("1")[0].octets
    assert bus.feed(octets[:3]) == b""
    assert bus.silence() == b""
    assert bus.feed(octets) != b""


def test_modbus_tcp_answers_in_its_transaction():
    bus = Bus(DEVICES, lambda: 0, modbus_tcp=True)
    assert bus.feed(wrap(METER.requests("1")[0].octets, 7))[:2] == b"\x00\x07"
    with pytest.raises(DecodeError):
        bus.feed(b"GET / HTTP/1.1\r\n\r\n")
