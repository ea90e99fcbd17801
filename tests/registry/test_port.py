"""Ports: what is accepted, its kept form, and that every mistake is told in both languages."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.registry.errors import AddressError
from meterweave.registry.port import OPTIONS, TEXT_MAX, PortSpec, read_port

WHOLE = "tcp://192.0.2.7:8899?bus=mbus&baud=2400&latency_ms=50&turnaround_ms=60&attempts=3&period_s=300&back_off_s=3600"


@pytest.mark.parametrize(
    ("text", "wanted", "kept"),
    [
        ("tcp://192.0.2.7:8899", PortSpec("tcp", host="192.0.2.7", port=8899), None),
        ("TCP://Server.Example:1", PortSpec("tcp", host="server.example", port=1), "tcp://server.example:1"),
        ("tcp://[2001:db8::1]:9", PortSpec("tcp", host="2001:db8::1", port=9), None),
        ("modbus-tcp://plc-7", PortSpec("modbus-tcp", host="plc-7", port=502), "modbus-tcp://plc-7:502"),
        ("modbus-tcp://plc:1502", PortSpec("modbus-tcp", host="plc", port=1502), None),
        ("serial:/dev/ttyS1", PortSpec("serial", path="/dev/ttyS1"), None),
        (
            " serial:/dev/ttyUSB0?stop_bits=2&parity=Even&baud=2400 ",
            PortSpec("serial", path="/dev/ttyUSB0", baud=2400, parity="even", stop_bits=2),
            "serial:/dev/ttyUSB0?baud=2400&parity=even&stop_bits=2",
        ),
        (
            "dtu:4D57?heartbeat=FF00&bus=rs485",
            PortSpec("dtu", packet=b"MW", heartbeat=b"\xff\0", bus="rs485"),
            "dtu:4d57?bus=rs485&heartbeat=ff00",
        ),
        (
            WHOLE,
            PortSpec(
                "tcp", "192.0.2.7", 8899, None, None, None, "mbus", 2400, None, None, 50, 60, 3, 300, 3600
            ),
            None,
        ),
    ],
)  # fmt: skip
def test_ports_as_people_write_them(text: str, wanted: PortSpec, kept: str | None) -> None:
    found = read_port(text)
    assert found == wanted
    assert found.text == (kept or text)
    assert read_port(found.text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "printable"),
        ("tcp://a:1 ?baud=300", "without blanks"),
        ("tcp://" + "a" * TEXT_MAX + ":1", "200"),
        ("modbus-tcp://" + "a" * (TEXT_MAX - 14), "200"),
        ("udp://a:1", "wanted tcp://host:port"),
        ("/dev/ttyS1", "serial:/dev/ttyS1"),
        ("tcp", "wanted tcp://host:port"),
        ("tcp://a", "wanted tcp://host:port"),
        ("tcp:a:1", "wanted tcp://host:port"),
        ("tcp://a:0", "1 to 65535"),
        ("tcp://a:65536", "1 to 65535"),
        ("tcp://a:x", "1 to 65535"),
        ("tcp://:1", "host"),
        ("tcp://user:word@a:1", "wanted tcp"),
        ("tcp://a:1/path", "wanted tcp"),
        ("tcp://a:1#x", "wanted tcp"),
        ("tcp://[::1:1", "wanted tcp"),
        ("tcp://a;b:1", "wanted tcp"),
        ("modbus-tcp://a:", "wanted modbus-tcp://host"),
        ("serial:", "name of a serial port"),
        ("serial:///dev/ttyS1", "name of a serial port"),
        ("dtu:", "registration packet"),
        ("dtu:4d5", "registration packet"),
        ("dtu:" + "00" * 65, "64 octets"),
        ("tcp://a:1?", "there is no option ''"),
        ("tcp://a:1?speed=9600", "there is no option 'speed'; there are: bus, baud"),
        ("tcp://a:1?baud=2400&baud=2400", "baud is given twice"),
        ("tcp://a:1?baud=fast", "baud is 'fast'; wanted a whole number from 300 to 1000000 Bd"),
        ("tcp://a:1?baud=-1", "wanted a whole number"),
        ("tcp://a:1?bus=can", "wanted one of rs485, mbus"),
        ("tcp://a:1?parity=even", "tcp has no option parity"),
        ("tcp://a:1?heartbeat=00", "tcp has no option heartbeat"),
        ("modbus-tcp://a?bus=rs485", "modbus-tcp has no option bus"),
        ("dtu:00?heartbeat=zz", "hexadecimal"),
        ("tcp://a:1?attempts=0", "1 to 10"),
    ],
)
def test_every_mistake_is_told_in_both_languages(text: str, said: str) -> None:
    with pytest.raises(AddressError) as caught:
        read_port(text)
    assert said in caught.value.text.en
    assert text.strip()[:TEXT_MAX] in caught.value.text.zh
    assert caught.value.text.zh != caught.value.text.en


_PARTS = st.sampled_from(
    ["tcp", "://", ":", "dtu", "serial", "modbus-tcp", "[", "]", "::1", "?", "&", "=", "/", "a", "0", "ff", *OPTIONS]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_PARTS, max_size=8).map("".join) | st.text(max_size=30))
def test_no_text_does_harm(text: str) -> None:
    try:
        found = read_port(text)
    except AddressError:
        return
    assert read_port(found.text) == found
