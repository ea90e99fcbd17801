"""A module starts, learns its meters and brings the first reading: built from names, read back from octets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from meterweave.metering.batch import Source
from meterweave.metering.quantities import obis_code
from meterweave.protocols.gdw1376.part2 import (
    CODEC,
    Address,
    Message,
    answer,
    confirm,
    decode_batch,
    deny,
    downlink,
    uplink,
)

MAIN = "000000023702"
METERS = ("001707110619", "001707110632")
READ_ENERGY = {"control": "0x11", "di": "00010000"}
ENERGY = {"name": "energy.forward_active.total", "value": "2.45", "unit": "kWh"}
RUNNING_MODE = {
    "comm_mode": 2,
    "route_management": 1,
    "needs_node_list": 1,
    "periodic_read_mode": 3,
    "delay_param_support": 7,
    "broadcast_confirm_mode": 1,
    "channel_count": 1,
    "monitor_timeout_s": 40,
    "broadcast_timeout_s": 50,
    "max_message_bytes": 2012,
    "max_file_packet_bytes": 2012,
    "upgrade_wait_min": 30,
    "main_node_address": "000000000000",
    "max_nodes": 1016,
    "current_nodes": 0,
    "protocol_date": "2018-09-13",
    "protocol_record_date": "2018-09-13",
    "vendor_code": "WZ",
    "chip_code": "12",
    "version_date": "2017-12-12",
    "version": "1801",
    "rates": [{"value": 0, "unit": "kbit/s"}],
}


class Line:
    """The serial line between concentrator and module: what is sent as octets arrives as a message."""

    def __init__(self) -> None:
        self.octets: list[bytes] = []
        self._decoder = CODEC.decoder()

    def carry(self, message: Message) -> Message:
        """Send `message`; give what the other side receives."""
        octets = CODEC.encode(message)
        self.octets.append(octets)
        (frame,) = self._decoder.feed(octets)
        received = CODEC.decode(frame)
        assert received == message
        return received


def by_name(message: Message) -> Mapping[str, Any]:
    """The data unit as the receiver reads it."""
    return CODEC.to_json(message)["payload"]


def test_from_power_up_to_the_first_reading():
    line = Line()

    # 03H F10: the module reports how it runs, and is confirmed under its own sequence number.
    report = line.carry(uplink(0x03, 10, RUNNING_MODE, prm=True, sequence=1))
    assert by_name(report) == RUNNING_MODE | by_name(report)
    assert by_name(report)["rate_count"] == 1
    assert line.carry(confirm(report)).sequence == 1

    # 05H F1: it is not yet the concentrator's own, so it gets its address.
    assert by_name(report)["main_node_address"] != MAIN
    asked = line.carry(downlink(0x05, 1, {"main_node_address": MAIN}, sequence=2))
    assert by_name(asked) == {"main_node_address": MAIN}
    assert by_name(line.carry(confirm(asked)))["command_done"] == 1

    # 10H F1: it knows no meters. 11H F1 adds them; the second time they are there already.
    asked = line.carry(downlink(0x10, 1, sequence=3))
    assert by_name(line.carry(answer(asked, {"nodes": 0, "max_nodes": 1016})))["nodes"] == 0
    nodes = [{"address": meter, "protocol": 2} for meter in METERS]
    asked = line.carry(downlink(0x11, 1, {"nodes": nodes}, sequence=4))
    assert by_name(asked) == {"count": 2, "nodes": nodes}
    line.carry(confirm(asked))
    again = line.carry(downlink(0x11, 1, {"nodes": nodes}, sequence=5))
    assert by_name(line.carry(deny(again, 6))) == {"error_code": 6}

    # 12H F1: reading starts.
    asked = line.carry(downlink(0x12, 1, sequence=6))
    assert by_name(asked) == {}
    line.carry(confirm(asked, wait_seconds=10))

    # 14H F1: the module asks what to read from the first meter.
    question = line.carry(uplink(0x14, 1, {"phase": 1, "address": METERS[0], "node_sequence": 1}, prm=True, sequence=7))
    meter = by_name(question)["address"]
    order = {"read_flag": 2, "message": {"dlt645": READ_ENERGY | {"address": meter}}}
    ordered = line.carry(answer(question, order))
    assert (ordered.uplink, ordered.prm, ordered.sequence) == (False, False, 7)
    assert by_name(ordered)["message"]["dlt645"] | READ_ENERGY == by_name(ordered)["message"]["dlt645"]

    # 06H F2: the meter's answer, confirmed with 00H F1.
    reply = {"address": meter, "control": "0x91", "di": "00010000", "values": [ENERGY]}
    reading = {"node_sequence": 1, "protocol": 2, "elapsed_s": 3, "message": {"dlt645": reply}}
    reading = line.carry(uplink(0x06, 2, reading, prm=True, sequence=8))
    found = by_name(reading)["message"]["dlt645"]
    assert (found["address"], found["values"]) == (meter, [ENERGY])
    confirmed = line.carry(confirm(reading))
    assert (confirmed.afn, confirmed.fn, confirmed.sequence, confirmed.prm) == (0x00, 1, 8, False)

    # 14H F1: the second meter is skipped; 06H F3: reading is done.
    question = line.carry(uplink(0x14, 1, {"phase": 2, "address": METERS[1], "node_sequence": 2}, prm=True, sequence=9))
    assert by_name(line.carry(answer(question, {"read_flag": 0, "message": {"hex": ""}})))["read_flag"] == 0
    done = line.carry(uplink(0x06, 3, {"change": 1}, prm=True, sequence=10))
    line.carry(confirm(done))

    # The whole conversation holds one reading.
    batch = decode_batch(line.octets)
    assert batch.meter.tolist() == [int(meter, 16)]
    assert batch.quantity.tolist() == [obis_code("1-0:1.8.0")]
    assert batch.value.tolist() == [24500]
    assert batch.source.tolist() == [Source.FORWARDED]
    assert batch.bad == ()


def test_concentrator_driven_reading_of_several_meters():
    line = Line()
    line.carry(confirm(line.carry(downlink(0x12, 2, sequence=1))))
    asked = {}
    for sequence, meter in enumerate(METERS, start=2):
        order = {"protocol": 2, "message": {"messages": [{"dlt645": READ_ENERGY | {"address": meter}}] * 2}}
        address = Address(MAIN, meter)
        message = line.carry(downlink(0xF1, 1, order, address=address, sequence=sequence))
        assert len(by_name(message)["message"]["messages"]) == 2
        asked[meter] = message
    for meter in reversed(METERS):
        reply = {"address": meter, "control": "0x91", "di": "00010000", "values": [ENERGY]}
        message = line.carry(answer(asked[meter], {"protocol": 2, "message": {"dlt645": reply}}))
        assert (message.address.source, message.sequence) == (meter, asked[meter].sequence)
    line.carry(confirm(line.carry(downlink(0x12, 3, sequence=9))))
    assert decode_batch(line.octets).meter.tolist() == [int(meter, 16) for meter in reversed(METERS)]


@pytest.mark.parametrize(("code", "words"), [(9, "module is busy"), (111, "this meter is being read")])
def test_a_busy_module_says_so_in_words(code, words):
    line = Line()
    denied = line.carry(deny(line.carry(downlink(0x12, 1, sequence=1)), code))
    fields = [field for top in CODEC.explain(CODEC.encode(denied)) for _, field in top.walk()]
    assert words in [field.meaning.en for field in fields if field.meaning]
