import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.dlt645.address import BROADCAST, WILDCARD, matches, normal, shortened


def test_addresses_are_filled_with_zeros():
    assert normal("161") == "000000000161"
    assert normal("A1") == "0000000000a1"


@pytest.mark.parametrize("address", ["", "1234567890123", "12x4", "１２"])
def test_what_is_no_address(address):
    with pytest.raises(EncodeError, match="address"):
        normal(address)


def test_shortened_addresses():
    assert shortened("0161") == "aaaaaaaa0161"
    assert shortened("260305510009") == "260305510009"


@pytest.mark.parametrize("address", ["161", "", "0g", "00000000000001"])
def test_what_cannot_be_shortened(address):
    with pytest.raises(EncodeError, match="even"):
        shortened(address)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("260305510009", True),
        ("260305510008", False),
        (BROADCAST, True),
        (WILDCARD, True),
        ("aaaaaaaa0009", True),
        ("aaaaaaaa0008", False),
        ("2603aaaa0009", False),
    ],
)
def test_a_meter_knows_whether_it_is_meant(asked, meant):
    assert matches(asked, "260305510009") is meant
