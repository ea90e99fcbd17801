from __future__ import annotations

import pytest

from meterweave.metering.quantities import by_code, obis_code
from meterweave.protocols.dlt698.attributes import attributes_for
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.measured import measure, values


@pytest.mark.parametrize(
    ("obis", "oad"),
    [
        ("1-0:1.8.0", 0x0010_0200),
        ("1-0:1.8.4", 0x0010_0200),
        ("1-0:61.8.2", 0x0013_0200),
        ("1-0:52.7.0", 0x2000_0200),
        ("1-0:91.7.0", 0x2001_0400),
        ("1-0:1.6.1", 0x1010_0200),
        ("8-0:1.0.0", 0x2500_0200),
        ("0-0:19.10.6", 0x202C_0200),
    ],
)
def test_the_attribute_of_a_quantity(obis: str, oad: int) -> None:
    assert attributes_for([obis_code(obis)]) == (oad,)


def test_quantities_of_one_attribute_are_asked_for_once_and_others_are_left_out() -> None:
    wanted = [obis_code(one) for one in ("1-0:72.7.0", "1-0:1.8.0", "1-0:32.7.0", "1-0:1.8.63", "1-0:15.8.0")]
    assert attributes_for([*wanted, 7]) == (0x0010_0200, 0x2000_0200)
    assert attributes_for([]) == ()


def test_what_is_asked_for_reads_back_as_the_quantity() -> None:
    """Reading and asking follow the same table: an attribute that is asked for gives the quantity it was asked for."""
    for code in by_code():
        for oad in attributes_for([code]):
            plain = measure(oad)
            listed = (Tag.ARRAY, ((Tag.DOUBLE_LONG_UNSIGNED, 1),) * 64)
            found = {one.quantity for one, _, _ in values(oad, listed)} | {plain.quantity if plain else None}
            demands = (Tag.ARRAY, ((Tag.STRUCTURE, ((Tag.DOUBLE_LONG_UNSIGNED, 1),)),) * 64)
            found |= {one.quantity for one, _, _ in values(oad, demands)}
            assert code in found
