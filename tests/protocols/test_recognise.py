import pytest

from meterweave import protocols
from meterweave.protocols.recognise import recognise
from meterweave.protocols.registry import builtin

ANSWER = bytes.fromhex("6861010000000068910833333433593333338a16")


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        (ANSWER, "dlt645"),
        (b"\x00\x01" + ANSWER, "dlt645"),
        (bytes.fromhex("683200320068c900023412000271000001008516"), "gdw1376-1"),
        (bytes.fromhex("680f00430000000000001001005416"), "gdw1376-2"),
        (bytes.fromhex("68104433221100337801031f90008016"), "cjt188"),
        (bytes.fromhex("105b015c16"), "mbus"),
        (bytes.fromhex("110309000006c4c4"), "modbus"),
        (bytes.fromhex("681700430507091905162000156005010140010200 00C60716"), "dlt698"),
    ],
)
def test_by_good_frames(octets: bytes, name: str) -> None:
    codec = recognise([octets], builtin())
    assert codec is not None
    assert codec.name == name


def test_the_outer_frame_is_meant_not_the_inner() -> None:
    forward = bytes.fromhex(
        "68ae00ae0068a8000234120410e0000001001f14006861100130121568910833333433ab39333349164f00000650232105ae16"
    )
    codec = recognise([forward], builtin())
    assert codec is not None
    assert codec.name == "gdw1376-1"


def test_by_how_far_a_broken_frame_went() -> None:
    broken = bytearray(ANSWER)
    broken[-2] ^= 1
    found = protocols.decode(bytes(broken))
    assert found["error"] == "bad_checksum"
    assert (found["expected_checksum"], found["found_checksum"]) == ("0x8A", "0x8B")


@pytest.mark.parametrize("octets", [b"", b"\x00\x01\x02"])
def test_not_at_all(octets: bytes) -> None:
    assert recognise([octets], builtin()) is None
    assert protocols.decode(octets)["error"] == "not_recognised"


def test_a_large_capture_is_known_by_its_beginning_or_as_a_whole() -> None:
    for octets in (ANSWER * 5000, b"\x00" * 70_000 + ANSWER):
        codec = recognise([octets], builtin())
        assert codec is not None
        assert codec.name == "dlt645"
