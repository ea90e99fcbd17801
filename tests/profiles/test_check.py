from __future__ import annotations

import pytest

from meterweave.profiles import Mistake, ProfileError, check, parse
from meterweave.profiles.mistake import Place
from tests.profiles.talk import HEAD

GOOD = "  - {quantity: voltage_l1, register: 0, type: u16, scale: 0.1, unit: V}\n"


def mistakes(text: str) -> list[Mistake]:
    profile, found = check(text)
    assert (profile is None) == any(one.grave for one in found)
    return found


def one(text: str) -> Mistake:
    found = mistakes(text)
    assert len(found) == 1, [(str(each.place), each.text.en) for each in found]
    return found[0]


def reading(text: str) -> Mistake:
    return one(f"{HEAD}  - {{{text}}}\n")


def test_the_smallest_profile_is_good() -> None:
    assert mistakes(HEAD + GOOD) == []
    assert parse(HEAD + GOOD).points[0].quantity.name == "voltage_l1"


PREFIX = "  - {"


@pytest.mark.parametrize(
    ("text", "at", "said", "hint"),
    [
        (
            "quantity: voltage_11, register: 0, type: u16, unit: V",
            "voltage_11",
            "no quantity 'voltage_11'",
            "voltage_l1",
        ),
        ("quantity: 1-0:1.8, register: 0, type: u16, unit: kWh", "1-0:1.8", "no quantity", "1-0:"),
        ("quantity: voltage_l1, register: 0, type: u16", "", "unit is missing", "unit: kWh"),
        ("quantity: voltage_l1, register: 0, type: u16, unit: kWh", "kWh", "kWh does not measure voltage_l1", "mV"),
        ("quantity: voltage_l1, register: 0, type: u16, unit: volts", "volts", "no unit 'volts'", ""),
        ("quantity: voltage_l1, register: 1, type: u16, scale: 0, unit: V", "0,", "no possible scale", "0.01"),
        ("quantity: voltage_l1, register: 0, type: u16, scale: 1/0, unit: V", "1/0", "no possible scale", "0.01"),
        ("quantity: voltage_l1, register: 0, type: u16, scale: lots, unit: V", "lots", "no possible scale", "0.01"),
        ("quantity: voltage_l1, register: 0, type: u32, scale: 1e12, unit: V", "1e12", "larger than can be", "10^-2"),
        ("quantity: voltage_l1, register: 0, type: u16, scale: 1e-9, unit: V", "1e-9", "every value is zero", "10^-2"),
        ("quantity: 1-0:1.8.0, register: 0, type: u32, scale: -1, unit: kWh", "-1,", "negative scale", ""),
        ("quantity: voltage_l1, register: 65536, type: u16, unit: V", "65536", "65536 is not 0 to 65535", ""),
        ("quantity: voltage_l1, register: -1, type: u16, unit: V", "-1", "register -1 is not 0 to 65535", ""),
        ("quantity: voltage_l1, register: FFFFH, type: u32, unit: V", "FFFFH", "ends behind register 65535", ""),
        ("quantity: voltage_l1, register: x, type: u16, unit: V", "x,", "no whole number", "0200H"),
        ("quantity: voltage_l1, register: [0], type: u16, unit: V", "[0]", "one value, not a list", "whole number"),
        ("quantity: voltage_l1, register: 0, type: u17, unit: V", "u17", "type cannot be 'u17'", "u16"),
        ("quantity: voltage_l1, register: 0, type: u16, order: BACD, unit: V", "BACD", "order cannot be", "ABCD"),
        ("quantity: voltage_l1, register: 0, type: u16, unit: V, scal: 0.1", "scal:", "no key 'scal'", "scale"),
        (
            "quantity: voltage_l1, register: 0, type: u16, unit: V, item: 1234",
            "item",
            "modbus has no key 'item'",
            "dlt645",
        ),
        ("quantity: voltage_l1, type: u16, unit: V", "", "register is missing", "first register"),
        ("register: 0, type: u16, unit: V", "", "quantity is missing", "OBIS"),
        ("quantity: cold_water_volume, register: 0, type: u32, unit: m3", "cold", "measured by water meters", ""),
        ("quantity: voltage_l1, register: 0, type: u16, unit: V, missing: 65536", "65536", "missing does not fit", ""),
    ],
)
def test_a_mistake_is_told_where_it_stands(text: str, at: str, said: str, hint: str) -> None:
    found = one(f"{HEAD}{PREFIX}{text}}}\n")
    column = len(PREFIX) + 1 + text.index(at) if at else len(PREFIX)
    assert found.place == Place(5, column)
    assert said in found.text.en
    assert hint in found.hint.en
    assert found.text.zh != found.text.en


def test_all_mistakes_come_at_once_in_their_order() -> None:
    text = (
        "name: Test Meter\n"
        "utility: electric\n"
        "protocol: modbus\n"
        "serial: {baud: fast, parity: maybe}\n"
        "colour: red\n"
        "readings:\n"
        "  - {quantity: volt, register: 0, type: u16, unit: V}\n"
        "  - {quantity: current_l1, register: 99999, type: u16, unit: A}\n"
    )
    found = mistakes(text)
    assert [one.place for one in found] == [
        Place(1, 7), Place(2, 10), Place(4, 16), Place(4, 30), Place(5, 1), Place(7, 16), Place(8, 38),
    ]  # fmt: skip
    with pytest.raises(ProfileError) as caught:
        parse(text, "meter.yaml")
    assert str(caught.value).splitlines()[0].startswith("meter.yaml:1:7: name 'Test Meter' is no name")


def test_words_are_in_two_languages() -> None:
    found = reading("quantity: voltage_l1, register: 0, type: u16, unit: kWh")
    assert found.words("a.yaml", "en").startswith("a.yaml:5:58: kWh does not measure voltage_l1")
    assert "不是voltage_l1的单位" in found.words("a.yaml", "zh")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("{quantity: voltage_l2, register: 0, type: u16, unit: V}", "overlaps voltage_l1 (0000H) in line 5"),
        ("{quantity: voltage_l2, register: 0, type: low8, unit: V}", "overlaps"),
        ("{quantity: voltage_l1, register: 9, type: u16, unit: V}", "was read already in line 5"),
        ("{quantity: '1-0:32.7.0', register: 9, type: u16, unit: V}", "was read already in line 5"),
    ],
)
def test_two_readings_do_not_share(second: str, said: str) -> None:
    found = one(HEAD + GOOD + f"  - {second}\n")
    assert found.place.line == 6
    assert said in found.text.en


def test_a_long_value_overlaps_the_next() -> None:
    text = HEAD + "  - {quantity: 1-0:1.8.0, register: 0, type: u32, unit: kWh}\n"
    assert "overlaps" in one(text + "  - {quantity: voltage_l1, register: 1, type: u16, unit: V}\n").text.en
    assert mistakes(text + "  - {quantity: voltage_l1, register: 1, type: u16, unit: V, table: input}\n") == []


def test_the_halves_of_a_register_do_not_overlap() -> None:
    text = HEAD + "  - {quantity: voltage_l1, register: 0, type: high8, unit: V}\n"
    assert mistakes(text + "  - {quantity: voltage_l2, register: 0, type: low8, unit: V}\n") == []


def test_counting_finer_than_is_kept_is_a_remark() -> None:
    found = reading("quantity: voltage_l1, register: 0, type: u16, scale: 0.001, unit: V")
    assert not found.grave
    assert "rounded" in found.text.en


def test_a_key_that_comes_twice_is_told() -> None:
    found = one("name: a\nname: b\n" + HEAD.partition("\n")[2] + GOOD)
    assert found.place == Place(2, 1)
    assert "second time (first in line 1)" in found.text.en


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just words", "list of keys"),
        ("- a\n- b", "list of keys"),
        ("name: x", "protocol is missing"),
        ("protocol: modus", "no protocol 'modus'"),
        ("protocol: [modbus]", "protocol is missing"),
    ],
)
def test_without_a_protocol_nothing_else_is_judged(text: str, said: str) -> None:
    assert said in one(text).text.en


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("events: [{register: 9, type: u16, bits: [{bit: 16, event: overload}]}]", "not in a word of 16 bits"),
        ("events: [{register: 9, type: i16, bits: [{bit: 1, event: overload}]}]", "a word of bits is"),
        ("events: [{register: 9, type: u16, bits: [{bit: 1, event: overlod}]}]", "no event 'overlod'"),
        ("events: [{register: 9, type: u16, bits: [{bit: 1, event: meter_cleared}]}]", "at one moment"),
        ("events: [{register: 9, type: u16, bits: []}]", "at least one member"),
        ("events: [{register: 9, type: u16, bits: [{bit: 1, event: overload}, {bit: 2, event: overload}]}]", "already"),
        ("control: {trip: {register: 9}}", "either values or parts"),
        ("control: {trip: {register: 9, values: [1], function: 7}}", "does not write"),
        ("control: {trip: {register: 9, values: [1, 2], function: 6}}", "writes one value"),
        ("control: {trip: {register: 9, values: [65536]}}", "not 0 to 65535"),
        ("control: {trip: {register: 9, parts: [{type: u16}]}}", "either a value or a constant"),
        ("control: {trip: {register: 9, parts: [{type: f32, value: amount}]}}", "integers"),
        ("control: {trip: {register: 9, parts: [{type: u16, constant: 65536}]}}", "not 0 to 65535"),
        ("control: {trip: {register: 9, values: [1], proven: perhaps}}", "neither yes nor no"),
        ("control: {state: {register: 9, type: u16, bit: 20, closed: 1}}", "not in a word"),
        ("base: 70000", "not -65535 to 65535"),
    ],
)
def test_events_and_orders_are_checked(text: str, said: str) -> None:
    assert said in one(HEAD + GOOD + text + "\n").text.en


@pytest.mark.parametrize(
    ("protocol", "utility", "text", "said"),
    [
        ("dlt645", "electricity", "{quantity: voltage_l1, item: '0201'}", "has 4 digits, wanted 8"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: FEDCBA98}", "no table has the item"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: '04000101'}", "no measured number"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: 0201FF00, element: 9}", "has 3 values, not 9"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: '00010000'}", "kWh does not measure"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: '04990000', format: XXX.X}", "unit is missing"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: '04990000', format: what, unit: V}", "no number"),
        ("dlt645", "electricity", "{quantity: voltage_l1, item: xyz}", "hexadecimal octets"),
        ("dlt698", "electricity", "{quantity: voltage_l1, item: '2000'}", "has 4 digits, wanted 8"),
        ("dlt698", "electricity", "{quantity: voltage_l1, item: 'FFFF0200'}", "no table tells the unit"),
        ("mbus", "water", "{quantity: cold_water_volume, record: '0C'}", "not DIF, DIFE, VIF"),
        ("mbus", "water", "{quantity: cold_water_volume, record: 0C78}", "no measured number"),
        ("mbus", "water", "{quantity: cold_water_volume, record: 0C06}", "Wh does not measure"),
        ("mbus", "water", "{quantity: cold_water_volume, record: 04FF20}", "unit is missing"),
    ],
)
def test_every_protocol_checks_its_own(protocol: str, utility: str, text: str, said: str) -> None:
    found = mistakes(f"name: x\nutility: {utility}\nprotocol: {protocol}\nreadings:\n  - {text}\n")
    assert any(said in each.text.en for each in found), [each.text.en for each in found]


@pytest.mark.parametrize(
    ("address", "text", "said"),
    [
        ("", "{quantity: cold_water_volume, item: 901F, field: volume.current}", "address is missing"),
        (
            "address: {meter_type: 0x10}",
            "{quantity: cold_water_volume, item: 901F, field: volume.curent}",
            "no such field",
        ),
        ("address: {meter_type: 0x10}", "{quantity: cold_water_volume, item: 901F}", "field, or by at and format"),
        ("address: {meter_type: 0x10}", "{quantity: cold_water_volume, item: 901F00, field: status}", "wanted 4"),
    ],
)
def test_cjt188_checks_its_own(address: str, text: str, said: str) -> None:
    found = mistakes(f"name: x\nutility: water\nprotocol: cjt188\n{address}\nreadings:\n  - {text}\n")
    assert any(said in each.text.en for each in found), [each.text.en for each in found]
