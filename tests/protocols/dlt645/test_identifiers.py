from __future__ import annotations

import pytest

from meterweave.metering.quantities import obis_code, quantities
from meterweave.protocols.dlt645 import items
from meterweave.protocols.dlt645.functions import Edition
from meterweave.protocols.dlt645.identifiers import identifiers_for


def codes(*obis: str) -> list[int]:
    return [obis_code(one) for one in obis]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["1-0:1.8.0"], ("00010000",)),
        (["1-0:1.8.63"], ("00013f00",)),
        (["1-0:1.8.0", "1-0:1.8.2", "1-0:2.8.0"], ("0001ff00", "00020000")),
        (["1-0:1.6.0", "1-0:1.6.1"], ("0101ff00",)),
        (["1-0:16.7.0", "1-0:36.7.0"], ("0203ff00",)),
        (["1-0:14.7.0", "0-0:96.9.0"], ("02800002", "02800007")),
        (["8-0:1.0.0"], ()),
    ],
)
def test_one_value_alone_and_several_as_their_block(wanted: list[str], found: tuple[str, ...]) -> None:
    assert identifiers_for(codes(*wanted)) == found


def test_the_identifiers_of_1997() -> None:
    wanted = codes("1-0:1.8.0", "1-0:1.8.1", "1-0:3.8.0", "1-0:32.7.0", "1-0:1.6.0", "1-0:14.7.0")
    assert identifiers_for(wanted, "dlt645-1997") == ("901f", "9110", "b611", "a010")


@pytest.mark.parametrize("edition", ["dlt645-2007", "dlt645-1997"])
def test_every_identifier_gives_what_it_is_asked_for(edition: Edition) -> None:
    found = 0
    for code in (one.code for one in quantities().values() if one.tariff in (0, 1, 14)):
        for di in identifiers_for([code], edition):
            item = items.find(di)
            assert item is not None
            assert code in {element.quantity for element in item.elements}
            found += 1
    assert found > (100 if edition == "dlt645-2007" else 30)
