"""Every function there is, built and read back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.protocols.gdw1376.part2 import words
from meterweave.protocols.gdw1376.part2.functions import AFN, FUNCTIONS, function, layout_of
from meterweave.protocols.gdw1376.part2.layout import explain, read, write
from tests.protocols.gdw1376.part2.strategies import LAYOUTS, layout_values
from tests.vectors import differences


def name(one):
    return f"{one[0][0]:02X}F{one[0][1]}{'up' if one[1] else 'down'}"


@pytest.mark.parametrize("one", LAYOUTS, ids=name)
@given(data=st.data())
@settings(max_examples=12, deadline=None)
def test_reading_undoes_writing(one, data):
    layout = layout_of(*one[0], uplink=one[1])
    values = data.draw(layout_values(layout))
    octets = write(layout, values, "payload")
    found = read(layout, octets)
    assert found.trailing == b""
    assert differences(values, found.values) == []
    assert write(layout, found.values, "payload") == octets
    assert b"".join(field.octets for field in explain(layout, octets)) == octets


@pytest.mark.parametrize(
    ("key", "uplink", "octets", "values"),
    [
        ((0x00, 1), True, "ffffffff0a00", {"channel_status": "ffffffff", "command_done": 1, "wait_seconds": 10}),
        ((0x00, 1), False, "", {}),
        ((0x03, 2), True, "07", {"noise": 7}),
        (
            (0x03, 3),
            True,
            "0201 060000000000 83 05",
            {
                "total": 2,
                "count": 1,
                "nodes": [{"address": "000000000006", "relay_level": 3, "signal_quality": 8, "heard_count": 5}],
            },
        ),
        (
            (0x03, 5),
            True,
            "9201 0a00 0580",
            {
                "rate_count": 2,
                "channel_feature": 1,
                "periodic_read_mode": 2,
                "channel_count": 1,
                "rates": [{"value": 10, "unit": "bit/s"}, {"value": 5, "unit": "kbit/s"}],
            },
        ),
        ((0x03, 9), True, "0400", {"delay_seconds": 4}),
        ((0x03, 11), True, "03 0302" + "00" * 30, {"afn": "0x03", "functions": [1, 2, 10]}),
        ((0x03, 12), True, "5a57 03 02 010203", {"vendor_code": "WZ", "id_length": 3, "id_format": 2, "id": "030201"}),
        ((0x05, 101), False, "301311290717", {"time": "2017-07-29T11:13:30"}),
        (
            (0x06, 4),
            True,
            "01 060000000000 02 0100 00 02 01 070000000000 02",
            {
                "count": 1,
                "nodes": [
                    {
                        "address": "000000000006",
                        "protocol": 2,
                        "node_sequence": 1,
                        "device_type": 0,
                        "sub_node_total": 2,
                        "sub_node_count": 1,
                        "sub_nodes": [{"address": "000000000007", "protocol": 2}],
                    }
                ],
            },
        ),
        (
            (0x10, 7),
            True,
            "0100 01 060000000000 80 5a57 02 02 0a0b",
            {
                "total": 1,
                "count": 1,
                "nodes": [
                    {
                        "address": "000000000006",
                        "node_type": 0,
                        "stale": 1,
                        "vendor_code": "WZ",
                        "id_length": 2,
                        "id_format": 2,
                        "id": "0a0b",
                    }
                ],
            },
        ),
        (
            (0x10, 31),
            True,
            "0100 0100 01 060000000000 3f00",
            {
                "total": 1,
                "start": 1,
                "count": 1,
                "nodes": [
                    {
                        "address": "000000000006",
                        "phase_word": "0x003F",
                        "phase_bits": 7,
                        "three_phase": 1,
                        "line_abnormal": 1,
                        "phase_sequence": 1,
                    }
                ],
            },
        ),
        (
            (0x10, 111),
            True,
            "02 010203 060000000000 040506 070809",
            {
                "count": 2,
                "network_id": "030201",
                "main_node_address": "000000000006",
                "networks": [{"network_id": "060504"}, {"network_id": "090807"}],
            },
        ),
        (
            (0x10, 112),
            True,
            "0100 0100 01 060000000000 03 " + "ab" * 24 + " 0118",
            {
                "total": 1,
                "start": 1,
                "count": 1,
                "nodes": [{"address": "000000000006", "device_type": 3, "chip_id": "ab" * 24, "version": "1801"}],
            },
        ),
        ((0x11, 3), False, "060000000000 01 070000000000", {"address": "000000000006", "relays": ["000000000007"]}),
        (
            (0x11, 4),
            False,
            "13 b004",
            {"learning": 1, "registration_allowed": 1, "error_correction": 1, "comm_rate": 1200},
        ),
        (
            (0x14, 1),
            False,
            "02 01 02 abcd 01 070000000000",
            {"read_flag": 2, "delay_flag": 1, "message": {"hex": "abcd"}, "sub_nodes": ["000000000007"]},
        ),
        ((0x14, 4), False, "01 01020304 0506", {"data_type": 1, "data_id": "04030201", "data": "0506"}),
    ],
)
def test_what_a_data_unit_says(key, uplink, octets, values):
    layout = layout_of(*key, uplink=uplink)
    found = read(layout, bytes.fromhex(octets))
    assert differences(values, found.values) == []
    assert "error" not in found.values
    assert found.trailing == b""
    assert write(layout, values, "payload") == bytes.fromhex(octets)


def test_functions_nobody_knows():
    assert function(0xF0, 1) is None
    assert function(0x10, None) is None
    assert layout_of(0xF0, 1, uplink=True) is None
    assert layout_of(0x10, 101, uplink=True) is None


def test_everything_has_a_name_in_both_languages():
    assert {afn for afn, _ in FUNCTIONS} <= set(AFN)
    names = [*AFN.values(), *(one.name for one in FUNCTIONS.values())]
    tables = [table for name, table in vars(words).items() if name.isupper() and isinstance(table, dict)]
    assert len(tables) > 20
    names += [text for table in tables for text in table.values()]
    assert all(text.en and text.zh for text in names)
