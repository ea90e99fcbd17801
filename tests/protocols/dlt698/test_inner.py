"""Frames inside frames, and APDUs inside SECURITY: shown, built from what is shown, and looked into only so far."""

import pytest

from meterweave.errors import DecodeError, EncodeError
from meterweave.metering.batch import Source
from meterweave.protocols.dlt698 import CODEC
from meterweave.protocols.dlt698.frame import Link
from meterweave.protocols.dlt698.get import GetRequestNormal
from meterweave.protocols.dlt698.inner import INNER_MAX
from meterweave.protocols.dlt698.message import Message, encode
from meterweave.protocols.dlt698.proxy import ProxyTransCommandRequest, ProxyTransCommandResponse
from meterweave.protocols.dlt698.security import (
    Mac,
    RandomNumber,
    SecurityRequestCipher,
    SecurityRequestPlain,
    SecurityResponsePlain,
    inner_apdu,
)
from meterweave.protocols.dlt698.services import apdu_from_json, apdu_json, encode_apdu, explain_apdu
from tests.protocols.dlt698.test_vectors import assert_joined

LINK = Link(0x43, 5, bytes.fromhex("010000000000"), 0x10)
GET = GetRequestNormal(6, 0x43000400)
FRAME_645 = bytes.fromhex("6801010000000068110433333433B416")
COMDCB = bytes.fromhex("0302080100")
RN = RandomNumber(bytes(16))


def command(octets: bytes) -> ProxyTransCommandRequest:
    return ProxyTransCommandRequest(1, 0xF2010201, COMDCB, 5, 500, octets)


def names(apdu) -> list[str]:
    octets = encode_apdu(apdu)
    fields = explain_apdu(octets)
    assert_joined(fields, octets)
    return [one.name.en for field in fields for _, one in field.walk()]


def test_a_645_frame_is_shown_and_built():
    apdu = command(FRAME_645)
    shown = apdu_json(apdu)
    assert shown["inner"]["protocol"] == "dlt645-2007"
    assert shown["inner"]["address"] == "000000000101"
    assert "checksum CS" in names(apdu)
    del shown["command"]
    assert apdu_from_json(shown) == apdu


def test_wake_up_octets_belong_to_the_inner_frame():
    apdu = command(b"\xfe" * 4 + FRAME_645)
    shown = apdu_json(apdu)
    assert shown["inner"]["protocol"] == "dlt645-2007"
    assert apdu_from_json(shown) == apdu
    assert "checksum CS" in names(apdu)


def test_a_698_frame_is_shown_and_built():
    inner = Message(LINK, GET)
    apdu = ProxyTransCommandResponse(1, 0xF2010201, encode(inner))
    shown = apdu_json(apdu)
    assert shown["inner"]["protocol"] == "dlt698"
    assert shown["inner"]["apdu"]["service"] == "GetRequestNormal"
    del shown["reply"]
    assert apdu_from_json(shown) == apdu
    assert "header check (HCS)" in names(apdu)


@pytest.mark.parametrize("octets", [b"", b"\xfe", b"\x01\x02", b"\x68" * 20, b"\x68\x00"])
def test_octets_that_are_no_frame_are_just_octets(octets):
    apdu = command(octets)
    assert "inner" not in apdu_json(apdu)
    assert apdu_from_json(apdu_json(apdu)) == apdu
    assert "octets" in names(apdu)


def test_an_inner_frame_of_no_known_protocol():
    shown = apdu_json(command(b"")) | {"inner": {"protocol": "morse"}}
    del shown["command"]
    with pytest.raises(EncodeError, match="'morse'"):
        apdu_from_json(shown)
    del shown["inner"]
    with pytest.raises(EncodeError, match="command is missing"):
        apdu_from_json(shown)


def test_a_proxy_error_has_no_reply():
    apdu = ProxyTransCommandResponse(1, 0xF2010201, 33)
    assert apdu_json(apdu)["dar"] == {"code": 33, "name": "request timed out"}
    assert apdu_from_json(apdu_json(apdu)) == apdu


def test_frames_inside_frames_are_looked_into_only_so_far():
    apdu = command(FRAME_645)
    for _ in range(INNER_MAX + 3):
        apdu = command(encode(Message(LINK, apdu)))
    depth, shown = 0, apdu_json(apdu)
    while "inner" in shown:
        depth, shown = depth + 1, shown["inner"].get("apdu", {})
    assert depth == INNER_MAX
    assert apdu_from_json(apdu_json(apdu)) == apdu
    assert names(apdu).count("header check (HCS)") == INNER_MAX


def test_security_in_the_clear():
    apdu = SecurityRequestPlain(encode_apdu(GET), RN)
    shown = apdu_json(apdu)
    assert shown["inner"]["service"] == "GetRequestNormal"
    assert inner_apdu(apdu) == GET
    assert inner_apdu(SecurityResponsePlain(encode_apdu(GET), Mac(b"1234"))) == GET
    del shown["plaintext"]
    assert apdu_from_json(shown) == apdu


def test_security_that_cannot_be_looked_into():
    cipher = SecurityRequestCipher(b"\x01\x02", RN)
    assert inner_apdu(cipher) is None
    broken = SecurityRequestPlain(b"\x05\x01", RN)
    shown = apdu_json(broken)
    assert shown["inner"]["error"] == "apdu_truncated"
    assert apdu_from_json(shown) == broken
    assert "not understood" in names(broken)
    with pytest.raises(DecodeError):
        inner_apdu(broken)
    with pytest.raises(EncodeError, match="plaintext is missing"):
        apdu_from_json({"tag": 16, "choice": 0, "verification": shown["verification"]})


def test_security_inside_security_is_looked_into_only_so_far():
    apdu = SecurityRequestPlain(encode_apdu(GET), RN)
    for _ in range(200):
        apdu = SecurityRequestPlain(encode_apdu(apdu), RN)
    depth, shown = 0, apdu_json(apdu)
    while "inner" in shown:
        depth, shown = depth + 1, shown["inner"]
    assert depth == INNER_MAX
    assert apdu_from_json(apdu_json(apdu)) == apdu
    assert names(apdu).count("plaintext APDU") == INNER_MAX + 1
    assert CODEC.decode(CODEC.encode(Message(LINK, apdu))).apdu == apdu


def test_a_188_frame_is_shown_built_and_read():
    octets = bytes.fromhex("68100100001000220081161F9000133814002C000000002C2023012209262000005D16")
    apdu = ProxyTransCommandResponse(1, 0xF2010201, octets)
    shown = apdu_json(apdu)
    assert shown["inner"]["protocol"] == "cjt188"
    del shown["reply"]
    assert apdu_from_json(shown) == apdu
    found = CODEC.decode_batch([encode(Message(Link(0xC3, 5, LINK.sa, 0x10), apdu))])
    assert found.meter.tolist() == [0x220010000001] * 2
    assert found.value[0] == 1438_130_000
    assert set(found.source.tolist()) == {Source.FORWARDED}
