from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1 import decode, encode, from_json, to_json
from meterweave.protocols.gdw1376.part1.frame import wrap
from tests.protocols.gdw1376.part1.test_vectors import GOOD

FREEZE = next(vector for vector in GOOD if vector["id"] == "gdw1376-1-098")


def changed(**more):
    return FREEZE["decoded"] | more


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({}, "direction is None"),
        (changed(direction="sideways"), "direction is 'sideways'"),
        (changed(prm=2), "prm is 2"),
        (changed(prm="1"), "prm is '1'"),
        (changed(function_code=16), "function_code is 16"),
        (changed(fcb=2), "fcb is 2"),
        (changed(region="17100"), "region is 94464"),
        (changed(region="xyz"), "region is 'xyz'"),
        (changed(region=171), "region is 171"),
        (changed(terminal=None), "terminal is None"),
        (changed(afn="0x1CC"), "afn is 460"),
        (changed(afn="D"), "afn is 'D'"),
        (changed(msa=128), "msa is 128"),
        (changed(group=2), "group is 2"),
        (changed(seq={}), "number is missing"),
        (changed(seq=5), "seq is 5"),
        (changed(aux=[]), "aux is"),
        (changed(aux={"pw": "zz"}), "pw is 'zz'"),
        (changed(aux={"pw": 3}), "pw is 3"),
        (changed(aux={"ec": {"ec1": 256, "ec2": 0}}), "ec1 is 256"),
        (
            changed(aux={"tp": {"pfc": 0, "day_of_month": 100, "time": "00:00:00", "delay_minutes": 0}}),
            "day of at most 99",
        ),
        (changed(aux={"tp": {"pfc": 0, "day_of_month": 1, "time": None, "delay_minutes": 0}}), "time is None"),
        (changed(aux={"tp": {"pfc": 256, "day_of_month": 1, "time": "00:00:00", "delay_minutes": 0}}), "pfc is 256"),
        (
            changed(aux={"tp": {"pfc": 0, "day_of_month": None, "time": None, "delay_minutes": 0}}),
            "day_of_month is None",
        ),
        (changed(units=5), "units is 5"),
        (changed(units=[5]), "units holds 5"),
        (changed(units=[{"pn": [1]}]), "which pn and fn"),
        (changed(units=[{"pn": [1], "fn": [2], "values": 5}]), "values is 5"),
        (changed(units=[{"pn": [1], "fn": [2], "values": [5]}]), "values is"),
        (
            changed(units=[{"pn": [1], "fn": [2], "values": [{"name": "freeze.day", "value": "now"}]}]),
            "freeze.day cannot be",
        ),
        (changed(units=[{"pn": [1], "fn": [2]}]), "'the end' where 'freeze.day'"),
        (changed(units=[{"pn": [1], "fn": [2], "data": "2"}]), "data is '2'"),
    ],
)
def test_objects_that_are_no_messages(found, words):
    with pytest.raises(EncodeError, match=words):
        encode(from_json(found))


def test_the_function_s_name_will_do():
    found = {key: value for key, value in FREEZE["decoded"].items() if key not in {"function_code", "protocol_bits"}}
    assert encode(from_json(found)).hex() == FREEZE["hex"]
    with pytest.raises(EncodeError, match="function is 'user_data'"):
        from_json(found | {"function": "user_data"})


def test_reserved_functions_and_bits_are_kept():
    octets = wrap(0, bytes.fromhex("d7ffffffff010360"))
    found = to_json(decode(octets))
    assert (found["function"], found["reserved"], found["group"], found["protocol_bits"]) == ("reserved", 1, 1, 0)
    assert encode(from_json(found)) == octets


def test_a_time_tag_of_no_digits_is_kept_raw():
    octets = wrap(2, bytes.fromhex("8800100100020ce001eeeeeeee05"))
    found = to_json(decode(octets))
    assert found["aux"]["tp"] == {
        "pfc": 1,
        "day_of_month": None,
        "time": None,
        "delay_minutes": 5,
        "raw": "01eeeeeeee05",
    }
    assert encode(from_json(found)) == octets
