import pytest

from meterweave.metering.quantities import Kind, by_code, obis_code, obis_text, quantities


def test_the_known_ones() -> None:
    table = quantities()
    energy = table["1-0:1.8.0"]
    assert (energy.name, energy.unit, energy.exponent, energy.kind) == (
        "active_import_energy",
        "kWh",
        -4,
        Kind.CUMULATIVE,
    )
    assert table["1-0:32.7.0"].phase == "l1"
    assert table["8-0:1.0.0"].utility == "water"
    assert table["1-0:1.8.63"].tariff == 63
    assert table["1-0:1.8.2"].meaning.zh.endswith("费率2")


def test_names_are_unique_and_every_text_is_there() -> None:
    table = quantities().values()
    assert len({one.name for one in table}) == len(table)
    assert all(one.meaning.en and one.meaning.zh and one.unit for one in table)
    assert {one.utility for one in table} <= {"electricity", "water", "gas", "heat", ""}
    assert {one.phase for one in table} <= {"l1", "l2", "l3", "n", ""}


def test_codes_and_texts_undo_each_other() -> None:
    assert len(by_code()) == len(quantities())
    for obis, quantity in quantities().items():
        assert obis_text(quantity.code) == obis
        assert 0 <= quantity.code < 2**31
        assert by_code()[quantity.code] is quantity


@pytest.mark.parametrize(
    "obis", ["", "1.8.0", "1-0:1.8", "16-0:1.8.0", "1-8:1.8.0", "1-0:256.8.0", "1-0:1.8.0*255", "a"]
)
def test_refuses_what_is_no_obis_code(obis: str) -> None:
    with pytest.raises(ValueError, match="is not an OBIS code"):
        obis_code(obis)
