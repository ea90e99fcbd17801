"""`from meterweave import protocols`."""

import pytest

from meterweave import protocols
from meterweave.errors import ConfigError, EncodeError

ASK_FRAME = "68610100000000681104333334331416"


def test_two_lines_are_enough() -> None:
    found = protocols.decode(ASK_FRAME)
    assert (found["protocol"], found["address"], found["di"]) == ("dlt645-2007", "000000000161", "00010000")
    assert protocols.encode(found).hex() == ASK_FRAME


def test_a_stream_is_joined_again() -> None:
    stream = f"0102{ASK_FRAME}55{ASK_FRAME}"
    found = protocols.decode(stream, "dlt645")
    assert [next(iter(part)) for part in found["stream"]] == ["garbage", "frame", "garbage", "frame"]
    assert protocols.encode(found).hex() == stream


def test_a_family_is_told_apart_by_the_octets() -> None:
    assert protocols.decode("683200320068c900023412000271000001008516", "gdw1376")["protocol"] == "gdw1376-1"
    found = protocols.decode("680f00430000000000001001005416", "gdw1376")
    assert found["protocol"] == "gdw1376-2"
    assert protocols.encode(found, "gdw1376").hex() == "680f00430000000000001001005416"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({}, "no 'protocol'"),
        ({"protocol": 7}, "no 'protocol'"),
        ({"protocol": "gdw1376"}, "gdw1376-1 or gdw1376-2"),
        ({"stream": [7]}, "a part of a stream"),
        ({"stream": [{"frame": "6"}]}, "half an octet"),
        ({"protocol": "dlt645-2007"}, "address"),
    ],
)
def test_what_cannot_be_encoded_is_said(message: dict[str, object], text: str) -> None:
    with pytest.raises(EncodeError, match=text):
        protocols.encode(message)


def test_wrong_arguments() -> None:
    with pytest.raises(ConfigError, match="no protocol is called"):
        protocols.decode(ASK_FRAME, "nonsense")
    with pytest.raises(ConfigError, match="hexadecimal"):
        protocols.decode("xyz")
