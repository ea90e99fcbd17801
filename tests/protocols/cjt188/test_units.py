from __future__ import annotations

import pytest

from meterweave.metering.quantities import obis_code
from meterweave.protocols.cjt188.units import UNITS, conversion


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0x01, "J"),
        (0x02, "Wh"),
        (0x05, "kWh"),
        (0x08, "MWh"),
        (0x0A, "MWh x100"),
        (0x0B, "kJ"),
        (0x0E, "MJ"),
        (0x11, "GJ"),
        (0x13, "GJ x100"),
        (0x14, "W"),
        (0x17, "kW"),
        (0x1A, "MW"),
        (0x29, "L"),
        (0x2B, "L x100"),
        (0x2C, "m3"),
        (0x32, "L/h"),
        (0x35, "m3/h"),
        (0x49, "GJ/h"),
    ],
)
def test_the_codes_of_the_standard(code, text):
    assert UNITS[code].text == text


@pytest.mark.parametrize(
    ("code", "exponent", "obis", "wanted"),
    [
        (0x01, -2, "6-0:1.0.0", (1, 10)),  # 0.01 J is a tenth of the stored 0.1 J
        (0x02, -2, "6-0:1.0.0", (360, 1)),
        (0x05, -2, "6-0:1.0.0", (360_000, 1)),
        (0x08, -2, "6-0:1.0.0", (360_000_000, 1)),
        (0x0A, -2, "6-0:1.0.0", (36_000_000_000, 1)),
        (0x0E, -2, "6-0:1.0.0", (100_000, 1)),
        (0x13, -2, "6-0:1.0.0", (10_000_000_000, 1)),
        (0x17, -2, "6-0:8.0.0", (10_000, 1)),
        (0x49, -2, "6-0:8.0.0", (25_000_000, 9)),
        (0x2C, -2, "8-0:1.0.0", (10_000, 1)),
        (0x29, -2, "7-0:3.0.0", (10, 1)),
        (0x35, -4, "6-0:9.0.0", (100, 1)),
        (0x32, -4, "6-0:9.0.0", (1, 10)),
        (0x2C, -2, "6-0:1.0.0", None),  # cubic metres measure no heat
    ],
)
def test_conversion_is_exact(code, exponent, obis, wanted):
    assert conversion(UNITS[code], exponent, obis_code(obis)) == wanted
