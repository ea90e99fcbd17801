from __future__ import annotations

from meterweave.metering.quantities import obis_code
from meterweave.protocols.cjt188.identifiers import PRESENT, gives, identifiers_for
from meterweave.protocols.cjt188.meter import Medium

WATER, HEAT = (Medium.COLD_WATER, Medium.HOT_WATER), (Medium.HEAT, Medium.COOLING)


def codes(*obis: str) -> list[int]:
    return [obis_code(one) for one in obis]


def test_as_few_as_there_are() -> None:
    assert identifiers_for(codes("8-0:1.0.0", "9-0:1.0.0", "8-0:1.2.0"), WATER) == (0x901F,)
    assert identifiers_for(codes("7-0:3.0.0", "0-0:19.10.1"), [Medium.GAS]) == (0x901F, 0x8105)
    assert identifiers_for(codes("6-0:1.0.0", "6-0:10.0.0"), HEAT) == (0x901F,)
    assert identifiers_for(codes("6-0:1.0.0", "5-0:1.0.0"), HEAT) == (0x911F,)


def test_what_no_identifier_gives_is_left_out() -> None:
    assert identifiers_for(codes("1-0:1.8.0"), WATER) == ()
    assert identifiers_for(codes("1-0:1.8.0", "8-0:1.0.0"), WATER) == (0x901F,)


def test_all_that_is_given_is_found() -> None:
    for di in PRESENT:
        for medium in Medium:
            for code in gives(di, medium):
                assert any(code in gives(found, medium) for found in identifiers_for([code], [medium]))
