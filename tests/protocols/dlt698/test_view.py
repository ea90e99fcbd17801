"""JSON: what may be left away, what is refused and how it is told, and the errors of a stream."""

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698 import CODEC
from meterweave.protocols.dlt698.frame import Frame, Link, encode_frame
from meterweave.protocols.dlt698.get import GetRequestNormal
from meterweave.protocols.dlt698.message import Fragment, Message
from meterweave.protocols.dlt698.view import from_json, to_json
from meterweave.protocols.inspect import inspect

GET = {"tag": 5, "choice": 1, "piid": 1, "oad": "40010200"}
CONTROL = {"raw": 0x43}
ADDRESS = {"raw": "0507091905162000"}
FRAME = bytes.fromhex("68170043050709190516200015600501014001020000C60716")


def built(**keys):
    return from_json({"link": {"control": CONTROL, "address": ADDRESS}, "apdu": GET} | keys)


def linked(**keys):
    return built(link={"control": CONTROL, "address": ADDRESS} | keys).link


def test_a_frame_from_few_keys():
    assert CODEC.encode(built()) == FRAME
    assert to_json(built())["link"]["fcs"] == "07C6"


def test_scrambled_and_wake_up():
    link = Link(0x4B, 5, bytes.fromhex("120000000033"), 0x10)
    message = Message(link, GetRequestNormal(1, 0x40000200), wake_up=4)
    shown = to_json(message)
    assert shown["unscrambled_user_data"] == "0501014000020000"
    assert shown["wake_up"] == 4
    assert shown["link"]["frame_bytes"] == 25
    assert from_json(shown) == message


@pytest.mark.parametrize(
    ("address", "af", "sa"),
    [
        ({"sa": "330000000012"}, 0x05, "120000000033"),
        ({"sa": "330000000012", "logical": 1}, 0x15, "120000000033"),
        ({"sa": "330000000012", "logical": 7}, 0x26, "07120000000033"),
        ({"sa": "AA", "type": "broadcast"}, 0xC0, "AA"),
        ({"sa": "123", "type": "group"}, 0x81, "23F1"),
        ({"sa": "330000000012", "af": 0x35, "logical": 1}, 0x35, "120000000033"),
    ],
)
def test_addresses_from_names(address, af, sa):
    link = linked(address=address)
    assert (link.af, link.sa.hex().upper(), link.ca) == (af, sa, 0)


@pytest.mark.parametrize(
    ("control", "raw"),
    [
        ({"dir": 1, "prm": 1}, 0xC3),
        ({"dir": 0, "prm": 0, "function": 1}, 0x01),
        ({"dir": 0, "prm": 1, "fragment": False, "scrambled": True}, 0x4B),
    ],
)
def test_controls_from_names(control, raw):
    assert linked(control=control).control == raw


def test_fragments_from_names():
    link = {"control": {"raw": 0xE3}, "address": ADDRESS}
    found = {"link": link, "fragment": {"seq": 2, "kind": "last", "payload": "0102"}, "apdu": None}
    assert from_json(found).fragment == Fragment(0x4002, b"\x01\x02")
    odd = Message(from_json(found).link, fragment=Fragment(0x7002, b""))
    assert to_json(odd)["fragment"] == {"seq": 2, "kind": "last", "payload": "", "reserved": 3}
    assert from_json(to_json(odd)) == odd


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"apdu": 5}, "apdu: 5 is no object"),
        ({"apdu": {}}, "apdu: more than one service has no name"),
        ({"apdu": {"tag": 5, "choice": 9}}, "apdu: no service has tag 5, choice 9"),
        ({"apdu": {"service": "Get"}}, "apdu: no service has service 'Get'"),
        ({"apdu": GET | {"oad": "4001"}}, "apdu: GetRequestNormal: oad: .* is not 4 octets"),
        ({"apdu": GET | {"piid": None}}, "apdu: GetRequestNormal: piid: None is no integer from 0 to 255"),
        ({"apdu": GET | {"piid": {"seq": 64}}}, "piid: 64 is no integer from 0 to 63"),
        ({"apdu": GET | {"time_tag": {"send_time": None}}}, "time_tag: max_delay: unit is missing|max_delay: None"),
        ({"apdu": GET | {"wide_lengths": [[1]]}}, "wide_lengths: None is no integer"),
        ({"link": {}}, "link: control is missing"),
        ({"link": {"control": {}, "address": ADDRESS}}, "link: control: dir is missing"),
        ({"link": {"control": CONTROL}}, "link: address is missing"),
        ({"link": {"control": CONTROL, "address": {"raw": "0500"}}}, "link: address: raw: '0500' is shorter"),
        ({"link": {"control": CONTROL, "address": {}}}, "link: address: sa is missing"),
        ({"link": {"control": CONTROL, "address": {"sa": "x"}}}, "link: address: sa: 'Fx' is no hexadecimal"),
        ({"link": {"control": CONTROL, "address": {"sa": "01", "type": "any"}}}, "link: address: 'any' is none of"),
        ({"link": {"control": CONTROL, "address": {"sa": "01", "logical": -1}}}, "link: address: logical: -1"),
        ({"fragment": {"seq": 4096}}, "fragment: seq: 4096"),
        ({"fragment": {"seq": 0, "kind": "only"}}, "fragment: kind: 'only' is none of first, last, ack, middle"),
        ({"wake_up": -1}, "wake_up: -1"),
    ],
)
def test_what_is_wrong_is_named(keys, words):
    with pytest.raises(EncodeError, match=words):
        built(**keys)


def test_json_nested_beyond_all_bounds():
    data = {"type": "null", "value": None}
    for _ in range(5000):
        data = {"type": "array", "value": [data]}
    with pytest.raises(EncodeError, match="nested too deep"):
        built(apdu={"tag": 6, "choice": 1, "piid": 0, "oad": "00100200", "value": data})


def test_piid_and_link_result_from_names():
    apdu = {"service": "LINK-Response", "piid": {"seq": 3, "priority": 1}, "result": {"clock_trusted": True, "code": 0}}
    times = {key: {"time": None} for key in ("request_time", "received_time", "response_time")}
    message = from_json({"apdu": apdu | times})
    assert CODEC.encode(message)[:3].hex() == "818380"
    assert from_json({"apdu": apdu | times | {"result": 0x80, "piid": 0x83}}) == message


# The errors of a stream

BAD_HCS = FRAME[:11] + b"\x01" + FRAME[12:]
BAD_FCS = FRAME[:-3] + b"\x00\x00\x16"
BAD_END = FRAME[:-1] + b"\x17"


@pytest.mark.parametrize(
    ("octets", "errors"),
    [
        (b"\x00" + FRAME, []),
        (BAD_HCS + FRAME, ["bad_hcs"]),
        (BAD_FCS + FRAME, ["bad_fcs"]),
        (BAD_END + FRAME, ["bad_end"]),
        (BAD_FCS + BAD_HCS + FRAME, ["bad_fcs", "bad_hcs"]),
        (b"\x68\x16" + BAD_FCS + b"\x68" + FRAME, ["bad_fcs"]),
        (FRAME[:20] + FRAME, ["bad_end"]),
        (FRAME + FRAME[:20], []),
        (FRAME + FRAME[:4], []),
        (FRAME + FRAME[:3] + b"\x53\x05" + FRAME[5:], []),  # the reserved bit: no frame at all
        (FRAME + FRAME[:3] + b"\x42\x05" + FRAME[5:], []),  # the function is reserved
    ],
)
def test_a_stream_tells_the_errors_of_what_came_as_a_frame(octets, errors):
    shown = inspect(CODEC, octets)
    assert shown["kind"] == "stream"
    assert shown["errors"] == errors
    assert FRAME.hex().upper() in shown["frames"]


def test_a_frame_of_wrong_apdu_is_a_frame_of_the_stream():
    wrong = encode_frame(Frame(Link(0x43, 5, bytes(6), 0), b"\x7b"))
    shown = inspect(CODEC, wrong + FRAME)
    assert shown["frames"] == [wrong.hex().upper(), FRAME.hex().upper()]
    assert shown["errors"] == []
