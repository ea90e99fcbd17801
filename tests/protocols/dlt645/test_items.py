import csv
import itertools
import re
from pathlib import Path

import pytest

from meterweave.metering.batch import Profile
from meterweave.metering.quantities import by_code, quantities
from meterweave.protocols.dlt645 import items
from meterweave.protocols.dlt645.formats import Binary, Moment, Number
from meterweave.protocols.dlt645.wildcards import WILDCARDS

ROWS = list(csv.DictReader((Path(items.__file__).parent / "items.csv").read_text(encoding="utf-8").splitlines()))


def identifiers(row: dict) -> list[str]:
    """The first two and the last identifier a row stands for, in each of its letters."""
    letters = list(dict.fromkeys(match[0] for match in re.finditer(r"([g-z])\1?", row["di"])))
    chosen = [[*list(WILDCARDS[one])[:2], list(WILDCARDS[one])[-1]] for one in letters]
    found = []
    for numbers in itertools.product(*chosen):
        di = row["di"]
        for one, number in zip(letters, numbers, strict=True):
            di = di.replace(one, f"{number:0{len(one)}x}")
        found.append(di)
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["way"] + row["di"])
def test_every_row_makes_items(row):
    for di in identifiers(row):
        item = items.find(di, row["way"] or "reply")
        assert item.di == di
        assert item.clause
        assert item.text.en
        assert item.text.zh
        names = [element.name for element in item.elements]
        assert len(set(names)) == len(names) > 0
        assert all(re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)*", name) for name in names)
        assert not row["obis"] or item.elements[0].quantity
        assert all(element.text.en and element.text.zh and element.unit for element in item.elements)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["way"] + row["di"])
def test_quantities_hold_every_step(row):
    for element in items.find(identifiers(row)[0], row["way"] or "reply").elements:
        if element.quantity:
            assert isinstance(element.format, Number | Binary)
            assert element.factor == 10 ** len(str(element.factor)[1:])
            unit = by_code()[element.quantity].unit
            assert (element.unit, unit) in items._STEPS or element.unit == unit


def test_layouts_name_known_quantities():
    layouts = csv.DictReader((Path(items.__file__).parent / "layouts.csv").read_text(encoding="utf-8").splitlines())
    assert {row["obis"] for row in layouts} - {""} <= quantities().keys()


def test_a_factor_counts_in_steps_of_the_quantity():
    voltage, power = items.find("02010100").elements[0], items.find("02030000").elements[0]
    assert (voltage.quantity, voltage.factor) == (quantities()["1-0:32.7.0"].code, 10)
    assert (power.quantity, power.factor) == (quantities()["1-0:16.7.0"].code, 1)


@pytest.mark.parametrize(
    ("di", "profile"),
    [
        ("00010000", Profile.SPOT),
        ("00010001", Profile.SETTLEMENT),
        ("9410", Profile.SETTLEMENT),
        ("05060101", Profile.DAILY),
        ("05040101", Profile.CURVE),
        ("05010101", Profile.EVENT),
    ],
)
def test_profiles(di, profile):
    assert items.find(di).elements[0].profile is profile


@pytest.mark.parametrize(
    ("di", "names"),
    [
        ("0001ff00", ["energy.forward_active.total", "energy.forward_active.t1"]),
        ("000100ff", ["energy.forward_active.total", "settlement.1.energy.forward_active.total"]),
        ("00ff0000", ["energy.combined_active.total", "energy.forward_active.total"]),
        ("0101ff00", ["max_demand.forward_active.total", "max_demand.forward_active.total.time"]),
        ("0201ff00", ["voltage.a", "voltage.b", "voltage.c"]),
        ("0203ff00", ["active_power.total", "active_power.a"]),
        ("020a01ff", ["voltage_harmonic.a.1", "voltage_harmonic.a.2"]),
        ("040005ff", ["status_word_1", "status_word_2"]),
        ("901f", ["energy.forward_active.total", "energy.forward_active.t1"]),
        ("b61f", ["voltage.a", "voltage.b", "voltage.c"]),
        ("05060101", ["freeze.daily.1.energy.forward_active.total", "freeze.daily.1.energy.forward_active.t1"]),
        ("04010000", ["zone_table.1.1.day_table", "zone_table.1.1.start", "zone_table.1.2.day_table"]),
        ("04020008", ["day_table.2.8.1.tariff", "day_table.2.8.1.start"]),
    ],
)
def test_rows_of_values(di, names):
    assert [element.name for element in items.find(di).elements[: len(names)]] == names


@pytest.mark.parametrize(
    ("di", "octet_count"),
    [
        ("03010000", 18),
        ("03010101", 131),
        ("030b0101", 115),
        ("030e0101", 76),
        ("03090001", 78),
        ("03100001", 27),
        ("03120101", 20),
        ("03300001", 50),
        ("03300101", 106),
        ("03300201", 202),
        ("03300d01", 60),
        ("05061001", 24),
        ("0702 01ff".replace(" ", ""), 40),
    ],
)
def test_sizes_of_records(di, octet_count):
    item = items.find(di, "request" if di.startswith("07") else "reply")
    assert sum(element.format.size for element in item.elements) == octet_count


@pytest.mark.parametrize(
    "di",
    ["d16dd0ce", "00014000", "0001000d", "0001ffff", "02ff0f00", "0506ff01", "050601ff", "020a0116", "90ff", "97", ""],
)
def test_what_is_no_item(di):
    assert items.find(di) is None


def test_the_way_decides():
    assert items.find("070101ff", "reply") is None
    assert items.find("070101ff", "request").elements[0].name == "open_account.amount"
    assert items.find("070000ff", "request").elements[0].name == "identity_check.ciphertext"
    assert items.find("070000ff", "reply").elements[0].name == "identity_check.random"


def test_octets_are_cut_as_far_as_they_last():
    elements = items.find("0001ff00").elements
    values, rest = items.split(elements, bytes.fromhex("3036000056020000aa"))
    assert [value.read() for value in values] == ["36.30", "2.56"]
    assert rest == b"\xaa"


def test_a_value_that_takes_what_is_left():
    elements = items.find("04800001").elements
    assert items.split(elements, b"1.1V") == ([items.Value(elements[0], b"1.1V")], b"")
    assert items.split(elements, b"") == ([], b"")


def test_demands_are_dated_by_their_time():
    value, time = items.find("01010000").elements
    assert (value.time_from, time.time_from) == (1, 0)
    assert isinstance(time.format, Moment)
