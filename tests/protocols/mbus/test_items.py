from __future__ import annotations

import pytest

from meterweave.metering.quantities import quantities
from meterweave.protocols.mbus.head import Coding, lvar_coding, parse_head
from meterweave.protocols.mbus.items import FB, FD, PRIMARY, Format, item, items, qualifiers, qualify
from meterweave.protocols.mbus.quantity import _codes


@pytest.mark.parametrize(
    ("table", "code", "name", "unit", "exponent"),
    [
        (PRIMARY, 0x00, "energy", "Wh", -3),
        (PRIMARY, 0x07, "energy", "Wh", 4),
        (PRIMARY, 0x08, "energy", "J", 0),
        (PRIMARY, 0x0F, "energy", "J", 7),
        (PRIMARY, 0x13, "volume", "m3", -3),
        (PRIMARY, 0x1B, "mass", "kg", 0),
        (PRIMARY, 0x21, "on_time", "min", 0),
        (PRIMARY, 0x27, "operating_time", "d", 0),
        (PRIMARY, 0x2E, "power", "W", 3),
        (PRIMARY, 0x33, "power", "J/h", 3),
        (PRIMARY, 0x47, "volume_flow", "m3/min", 0),
        (PRIMARY, 0x48, "volume_flow", "m3/s", -9),
        (PRIMARY, 0x53, "mass_flow", "kg/h", 0),
        (PRIMARY, 0x5A, "flow_temperature", "Cel", -1),
        (PRIMARY, 0x5F, "return_temperature", "Cel", 0),
        (PRIMARY, 0x60, "temperature_difference", "K", -3),
        (PRIMARY, 0x67, "external_temperature", "Cel", 0),
        (PRIMARY, 0x6A, "pressure", "bar", -1),
        (PRIMARY, 0x6E, "heat_cost_units", "1", 0),
        (PRIMARY, 0x70, "averaging_duration", "s", 0),
        (PRIMARY, 0x76, "actuality_duration", "h", 0),
        (PRIMARY, 0x7A, "bus_address", "1", 0),
        (PRIMARY, 0x6F, "unknown", "unknown", 0),
        (PRIMARY, 0x7B, "unknown", "unknown", 0),
        (FB, 0x01, "energy", "MWh", 0),
        (FB, 0x08, "energy", "GJ", -1),
        (FB, 0x11, "volume", "m3", 3),
        (FB, 0x19, "mass", "t", 3),
        (FB, 0x1A, "unknown", "unknown", 0),
        (FB, 0x29, "power", "MW", 0),
        (FB, 0x31, "power", "GJ/h", 0),
        (FB, 0x5B, "flow_temperature", "[degF]", 0),
        (FB, 0x74, "cold_warm_temperature_limit", "Cel", -3),
        (FB, 0x7F, "cumulated_maximum_power", "W", 4),
        (FD, 0x03, "credit", "currency", 0),
        (FD, 0x17, "error_flags", "bits", 0),
        (FD, 0x29, "storage_interval", "a", 0),
        (FD, 0x2D, "duration_since_readout", "min", 0),
        (FD, 0x31, "tariff_duration", "min", 0),
        (FD, 0x48, "voltage", "V", -1),
        (FD, 0x5C, "current", "A", 0),
        (FD, 0x6A, "duration_since_cumulation", "mo", 0),
        (FD, 0x74, "battery_remaining", "d", 0),
        (FD, 0x7C, "unknown", "unknown", 0),
    ],
)
def test_codes_mean_what_the_standard_says(table, code, name, unit, exponent):
    found = item(table, code)
    assert (found.name, found.unit, found.exponent) == (name, unit, exponent)


def test_every_row_has_words_in_both_languages():
    for meaning in [entry.meaning for table in (items(), qualifiers()) for entry in table.values()]:
        assert meaning.en
        assert meaning.zh


def test_a_code_of_a_later_edition_is_unknown_with_its_later_meaning_beside():
    later = item(FB, 0x2C).later
    assert later is not None
    assert (later.name, later.unit, later.exponent, later.format) == ("frequency", "Hz", -3, Format.NUMBER)
    assert item(FB, 0x10).later is None


@pytest.mark.parametrize(
    ("vifes", "roles"),
    [
        ("74", ["scale"]),
        ("fc01", ["none", "l1"]),
        ("bbfc02", ["import", "none", "l2"]),
        ("ff74", ["", ""]),
        ("f47f", ["scale", ""]),
        ("3c", ["export"]),
        ("15", ["error"]),
        ("08", [""]),
        ("fc7f", ["none", ""]),
        ("50", ["number"]),
    ],
)
def test_vife_are_read_in_their_tables(vifes, roles):
    assert [qualifier.role for qualifier in qualify(bytes.fromhex(vifes))] == roles


@pytest.mark.parametrize(
    ("octets", "function", "storage", "tariff", "subunit", "size"),
    [
        ("0413", "instantaneous", 0, 0, 0, 4),
        ("da023b", "maximum", 5, 0, 0, 2),
        ("8b6004", "instantaneous", 0, 2, 1, 3),
        ("8e80508400", "instantaneous", 0, 4, 2, 6),
        ("848f0f13", "instantaneous", 510, 0, 0, 4),
        ("b20165", "error", 2, 0, 0, 2),
        ("2465", "minimum", 0, 0, 0, 4),
        ("0678", "instantaneous", 0, 0, 0, 6),
        ("0778", "instantaneous", 0, 0, 0, 8),
        ("0878", "instantaneous", 0, 0, 0, 0),
        ("7f", "instantaneous", 0, 0, 0, 0),
    ],
)
def test_dif_and_dife_say_which_value_of_the_meter(octets, function, storage, tariff, subunit, size):
    head = parse_head(bytes.fromhex(octets))
    assert (head.function, head.storage, head.tariff, head.subunit, head.size) == (
        function,
        storage,
        tariff,
        subunit,
        size,
    )


@pytest.mark.parametrize(
    ("lvar", "coding", "size"),
    [
        (0x00, Coding.TEXT, 0),
        (0xBF, Coding.TEXT, 191),
        (0xC4, Coding.BCD, 4),
        (0xDF, Coding.NEGATIVE_BCD, 15),
        (0xE8, Coding.INTEGER, 8),
        (0xF0, Coding.INTEGER, 16),
        (0xF4, Coding.INTEGER, 32),
        (0xF5, Coding.INTEGER, 48),
        (0xF6, Coding.INTEGER, 64),
        (0xF7, Coding.RESERVED, 0),
    ],
)
def test_lvar_tells_coding_and_size(lvar, coding, size):
    assert lvar_coding(lvar) == (coding, size)


def test_heads_are_equal_when_their_octets_are():
    assert parse_head(b"\x04\x13") == parse_head(b"\x04\x13")
    assert parse_head(b"\x04\x13") != parse_head(b"\x04\x93\x00")


def test_every_reading_has_a_quantity():
    for obis in _codes().values():
        assert obis in quantities()
