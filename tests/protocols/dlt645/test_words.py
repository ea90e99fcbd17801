import pytest

from meterweave.protocols.dlt645.words import WIDTH_MAX, word


def test_a_tripped_meter():
    states = word("status_word_3").states(0x0050)
    assert (states["relay_open"], states["relay_command_open"], states["meter_type"]) == (True, True, "not_prepaid")


def test_groups_of_bits():
    states = word("status_word_3").states(0x0204)
    assert (states["power_source"], states["meter_type"]) == ("battery", "money_prepaid")
    assert word("status_word_3").states(0x0006)["power_source"] == "reserved"


def test_names_and_back():
    table = word("error_2007")
    assert table.names(0x86) == ["no_such_data", "not_authorised", "reserved_7"]
    assert table.number(["reserved_7", "not_authorised", "no_such_data"]) == 0x86


@pytest.mark.parametrize("name", ["nonsense", f"reserved_{WIDTH_MAX}", "reserved_1"])
def test_a_name_that_is_none(name):
    with pytest.raises(ValueError, match=name):
        word("error_2007").number([name])


def test_a_word_without_a_table():
    assert word("vendor_word").states(0xFFFF) == {}
