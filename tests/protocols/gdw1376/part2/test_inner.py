"""The meters' messages inside."""

from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols import dlt645
from meterweave.protocols.gdw1376.part2.functions import layout_of
from meterweave.protocols.gdw1376.part2.inner import (
    CODECS,
    InnerMessage,
    explain_message,
    message_json,
    message_octets,
    unwrap,
)
from meterweave.protocols.gdw1376.part2.layout import MISMATCH, MISMATCH_TEXT, explain, read, write
from tests.vectors import load

REQUEST = bytes.fromhex("68320611071700681104333334331916")
ANSWER = bytes.fromhex("6819061107170068910833333433783533339716")
STATUS = bytes.fromhex("6806000000000068911234483337333333333333333333333333dddd7d16")
FIXED = next(bytes.fromhex(one["hex"]) for one in load("dlt698-45") if one["decoded"].get("link"))


class TestOneFrame:
    @pytest.mark.parametrize("lead", [b"", b"\xfe", b"\xfe" * 4])
    def test_a_645_frame_stands_beside_its_octets(self, lead):
        found = message_json(lead + REQUEST)
        assert found["hex"] == (lead + REQUEST).hex()
        assert found["dlt645"]["address"] == "001707110632"
        assert found["dlt645"]["di"] == "00010000"

    def test_a_measured_value(self):
        (value,) = message_json(ANSWER)["dlt645"]["values"]
        assert (value["name"], value["value"], value["unit"]) == ("energy.forward_active.total", "2.45", "kWh")

    def test_a_word_of_bits_is_raw_with_its_details_beside(self):
        found = message_json(STATUS)["dlt645"]
        assert found["values"] == [{"name": "raw", "value": "00" * 12 + "aaaa", "unit": "hex"}]
        assert found["details"][0]["name"] == "active_report_status"

    def test_an_item_nobody_knows_is_raw(self):
        frame = bytes.fromhex("6809000000001068910d0103a0043c333333334336ffffae16")
        assert message_json(frame)["dlt645"]["values"] == [
            {"name": "raw", "value": "09000000001003cccc", "unit": "hex"}
        ]

    @pytest.mark.parametrize("data", ["", "000001", "00000100"])
    def test_a_read_or_an_answer_without_a_value(self, data):
        for control in (0x11, 0x91):
            frame = dlt645.encode(dlt645.Frame("000000000001", control, bytes.fromhex(data)))
            assert "raw" not in str(message_json(frame)["dlt645"].get("values"))

    def test_a_read_of_1997_is_left_as_it_is(self):
        frame = dlt645.encode(dlt645.Frame("000000000001", 0x81, bytes.fromhex("109016050000")))
        assert message_json(frame)["dlt645"] == dlt645.CODEC.to_json(dlt645.decode(frame))

    def test_a_698_frame_without_a_good_apdu_is_only_octets(self):
        (octets, *_) = (
            bytes.fromhex(one["hex"]) for one in load("dlt698-45") if one["decoded"].get("error") == "apdu_truncated"
        )
        assert message_json(octets) == {"hex": octets.hex()}

    def test_a_698_frame(self):
        assert message_json(FIXED)["dlt698"]["link"]
        assert message_octets({"dlt698": message_json(FIXED)["dlt698"]}, "payload.message") == FIXED

    @pytest.mark.parametrize(
        "octets", [b"", b"\x01\x02", b"\xfe\xfe", REQUEST + b"\x01", REQUEST[:-1], b"\x00" + REQUEST]
    )
    def test_anything_else_is_only_octets(self, octets):
        assert message_json(octets) == {"hex": octets.hex()}
        assert unwrap(octets) == []
        assert explain_message(octets) == ()

    def test_wake_up_octets_behind(self):
        assert [piece.key for piece in unwrap(REQUEST + b"\xfe")] == ["dlt645", ""]
        assert message_json(REQUEST + b"\xfe")["dlt645"]["control"] == "0x11"


class TestSeveralFrames:
    octets = b"\xfe\xfe" + REQUEST + ANSWER + b"\xfe" + REQUEST

    def test_each_in_its_own_shape(self):
        found = message_json(self.octets)
        assert "dlt645" not in found
        assert [one["dlt645"]["address"] for one in found["messages"]] == [
            "001707110632",
            "001707110619",
            "001707110632",
        ]
        assert "".join(one["hex"] for one in found["messages"]) == found["hex"]

    def test_built_from_names(self):
        messages = [{"dlt645": one["dlt645"]} for one in message_json(self.octets)["messages"]]
        assert message_octets({"messages": messages}, "payload.message") == self.octets

    def test_what_people_see(self):
        fields = explain_message(self.octets)
        assert b"".join(field.octets for field in fields) == self.octets
        assert [field.name for field in fields] == [CODECS["dlt645"].title] * 3
        assert all(field.parts for field in fields)
        assert explain_message(REQUEST + b"\xfe")[-1].name.en == "wake-up"


class TestBuilding:
    def test_from_the_names_of_a_645_frame(self):
        wanted = {"address": "001707110632", "control": "0x11", "di": "00010000"}
        assert message_octets({"dlt645": wanted}, "payload.message") == REQUEST

    def test_octets_win(self):
        assert message_octets({"hex": "aa", "dlt645": {}}, "payload.message") == b"\xaa"

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            ("aa", "payload.message is 'aa', wanted an object"),
            ({}, "payload.message wants one of hex, messages, dlt645, dlt698"),
            ({"hex": "a"}, "payload.message.hex is 'a'"),
            ({"dlt645": 1}, "payload.message.dlt645 is 1, wanted an object"),
            ({"dlt645": {"address": "x"}}, "payload.message.dlt645: "),
            ({"messages": [{"hex": 1}]}, r"payload.message.messages\[0\].hex is 1"),
            ({"messages": {}}, r"payload.message.messages is \{\}, wanted a list"),
        ],
    )
    def test_what_cannot_be_built(self, value, said):
        with pytest.raises(EncodeError, match=said):
            message_octets(value, "payload.message")


class TestElement:
    short = (InnerMessage("message", "message", "报文"),)
    long = layout_of(0xF1, 1, uplink=True)

    def test_lengths_of_one_and_two_octets(self):
        assert write(self.short, {"message": {"hex": "aabb"}}, "payload") == b"\x02\xaa\xbb"
        octets = write(self.long, {"protocol": 2, "message": {"hex": "aa" * 300}}, "payload")
        assert octets[:3] == b"\x02\x2c\x01"
        assert read(self.long, octets).values["message"] == {"hex": "aa" * 300}
        with pytest.raises(EncodeError, match=r"payload.message has 256 octets, wanted at most 255"):
            write(self.short, {"message": {"hex": "aa" * 256}}, "payload")
        with pytest.raises(EncodeError, match=r"payload.message is missing"):
            write(self.short, {}, "payload")

    def test_a_length_that_promises_too_much(self):
        octets = bytes([len(ANSWER) + 1]) + ANSWER
        values = read(self.short, octets).values
        assert values["error"] == MISMATCH
        assert values["message"]["dlt645"]["address"] == "001707110619"
        length, message = explain(self.short, octets)
        assert (length.fault, message.octets, len(message.parts)) == (MISMATCH_TEXT, ANSWER, 1)
        assert read(self.long, b"\x02\x05").values == {"protocol": 2, "error": MISMATCH}
        assert explain(self.long, b"\x02\x05")[-1].fault == MISMATCH_TEXT
