"""Ports from port URLs: the same way gives the same port, and what cannot be is told."""

from __future__ import annotations

import asyncio

import pytest

from meterweave.errors import ConfigError
from meterweave.field.dtu import DtuListener
from meterweave.field.plan import Bus, DevicePlan
from meterweave.field.ports import ModbusTcpPort, Port, SerialPort, TcpPort
from meterweave.field.reach import Reach, plan_of
from meterweave.profiles import shipped
from meterweave.registry.port import read_port

MODBUS = shipped("prepaid-modbus-single-phase")


def ports(reach: Reach, *texts: str) -> list[Port | ConfigError]:
    return reach.ports([(read_port(text), MODBUS.settings) for text in texts])


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("tcp://192.0.2.7:8899?baud=2400", TcpPort, "tcp://192.0.2.7:8899"),
        ("modbus-tcp://192.0.2.8", ModbusTcpPort, "modbus-tcp://192.0.2.8:502"),
        ("serial:/dev/ttyS1?parity=even", SerialPort, "serial:/dev/ttyS1"),
    ],
)
def test_every_kind_of_port_is_made(text: str, kind: type[Port], name: str) -> None:
    (port,) = ports(Reach(), text)
    assert isinstance(port, kind)
    assert port.name == name


def test_the_same_way_gives_the_same_port_and_another_another() -> None:
    reach = Reach()
    first = ports(reach, "tcp://h:1?period_s=60", "serial:/dev/ttyS1")
    again = ports(reach, "tcp://h:1?period_s=90", "serial:/dev/ttyS1?baud=9600", "serial:/dev/ttyS1?baud=2400")
    assert first == again[:2]
    assert again[2] not in first
    assert ports(reach, "serial:/dev/ttyS1")[0] is first[1]
    assert ports(reach, "tcp://h:1")[0] is not first[0]  # it was forgotten meanwhile


def test_dtus_come_and_go_with_the_archives() -> None:
    async def test() -> None:
        listener = DtuListener()
        reach = Reach(listener)
        (port,) = ports(reach, "dtu:4d57")
        assert isinstance(port, Port)
        one, alike = ports(reach, "dtu:4d57", "dtu:4d5730")
        assert one is port
        assert isinstance(alike, ConfigError)
        assert "begin alike" in str(alike)
        (longer,) = ports(reach, "dtu:4d5730")
        assert isinstance(longer, Port)
        where = await listener.start("127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*where)
        writer.write(b"MW0")
        async with asyncio.timeout(20):
            link = await longer.open()
        reader, other = await asyncio.open_connection(*where)
        other.write(b"MW1")
        assert await reader.read() == b""
        assert ports(reach) == []
        with pytest.raises(ConnectionError):
            await link.receive(asyncio.get_running_loop().time() + 20)
        for one in (writer, other):
            one.close()
        listener.stop()

    asyncio.run(test())


def test_without_a_listener_no_dtu_can_dial() -> None:
    (error,) = ports(Reach(), "dtu:4d57")
    assert "dtu_port" in str(error)


def test_what_the_port_tells_is_in_the_plan_and_the_rest_is_as_usual() -> None:
    devices = [DevicePlan(meter=1, profile=MODBUS, address="1")]
    text = "tcp://h:1?bus=mbus&baud=2400&latency_ms=1500&turnaround_ms=20&attempts=5&back_off_s=600"
    plan = plan_of("a", read_port(text), devices)
    assert (plan.bus, plan.baud, plan.latency_s, plan.turnaround_s) == (Bus.MBUS, 2400, 1.5, 0.02)
    assert (plan.attempts_max, plan.back_off_max_s, plan.devices) == (5, 600, tuple(devices))
    usual = plan_of("a", read_port("tcp://h:1"), devices)
    assert (usual.bus, usual.baud, usual.attempts_max, usual.latency_s) == (Bus.RS485, 0, 3, 0.05)
    assert plan_of("a", read_port("modbus-tcp://h"), devices).bus is Bus.MODBUS_TCP
