"""06H F5: events of nodes."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part2.functions import layout_of
from meterweave.protocols.gdw1376.part2.layout import MISMATCH, explain, read, write

LAYOUT = layout_of(0x06, 5, uplink=True)
DEVICES = bytes.fromhex("01 04 0d 01 060000000000 070000000000")
COLLECTOR = bytes.fromhex("00 04 0f 02 060000000000 01 070000000000 00")


@pytest.mark.parametrize(
    ("octets", "device", "event"),
    [
        (DEVICES, 1, {"kind": 1, "nodes": [{"address": "000000000006"}, {"address": "000000000007"}]}),
        (
            COLLECTOR,
            0,
            {
                "kind": 2,
                "nodes": [{"address": "000000000006", "powered": 1}, {"address": "000000000007", "powered": 0}],
            },
        ),
    ],
)
def test_power_went_off_or_came_back(octets, device, event):
    values = read(LAYOUT, octets).values
    assert values == {"device_type": device, "protocol": 4, "message": {"hex": octets[3:].hex()}, "event": event}
    assert write(LAYOUT, values, "payload") == octets
    del values["message"]
    assert write(LAYOUT, values, "payload") == octets


def test_a_length_that_promises_too_much_is_flagged_and_the_rest_kept():
    values = read(LAYOUT, DEVICES[:2] + b"\x20" + DEVICES[3:]).values
    assert values["error"] == MISMATCH
    assert values["message"] == {"hex": DEVICES[3:].hex()}
    assert [node["address"] for node in values["event"]["nodes"]] == ["000000000006", "000000000007"]


def test_half_an_address_is_an_error_of_the_event():
    octets = DEVICES[:2] + b"\x0a" + DEVICES[3:13]
    values = read(LAYOUT, octets).values
    assert "error" not in values
    assert values["event"] == {"kind": 1, "nodes": [{"address": "000000000006"}], "error": MISMATCH}


def test_an_event_needs_its_protocol():
    with pytest.raises(EncodeError, match=r"payload.event belongs to protocol 4, found 2"):
        write(LAYOUT, {"device_type": 1, "protocol": 2, "event": {"kind": 1, "nodes": []}}, "payload")
    with pytest.raises(EncodeError, match=r"payload.message is missing"):
        write(LAYOUT, {"device_type": 1, "protocol": 4}, "payload")


def test_what_people_see():
    fields = explain(LAYOUT, DEVICES)
    assert fields[1].meaning.en == "power-off and power-on event"
    kind, nodes = fields[3].parts
    assert kind.meaning.zh == "停电"
    assert [part.parts[0].value for part in nodes.parts] == ["000000000006", "000000000007"]
    message = explain(LAYOUT, b"\x01\x02\x01\xaa")[3]
    assert (message.value, message.parts) == ("AA", ())
