"""Whatever a profile says, it is refused in words or it works."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.metering.quantities import quantities
from meterweave.profiles import Device, Profile, check, parse, texts
from meterweave.profiles.speech.base import Sent
from meterweave.profiles.unit import UNITS, ratio
from tests.profiles.talk import HEAD, said, values

WORDS = [
    "0",
    "1",
    "-1",
    "65535",
    "65536",
    "0xFFFF",
    "u16",
    "u32",
    "f64",
    "bcd64",
    "high8",
    "901F",
    "00010000",
    "A017",
    "status",
    "volume.current",
    "04FF20",
    "0D13",
    "0F13",
    "1/3",
    "1e18",
    "-0.1",
    "kWh",
    "m3",
    "J",
    "W",
    "V",
    "%",
    "XXXX",
    "±X",
    "BIN9",
    "BIN4.2",
    "YYMMDD",
    "holding",
    "BADC",
    "yes",
    "no",
    "{}",
    "[]",
    "~",
    "null",
    "credit",
    "trip",
    "5",
    "FFFF0200",
    "255",
    "data.x[0]",
    "$.y",
    "$",
    "a.b",
    "m/{address}/#",
    "iso",
    "YYYYMMDDhhmm",
    "rows",
    "hex",
]
SIGNS = "{}[],:-#\"'&*!|>%@`\n \tx0"
TYPES = ["u16", "i16", "u32", "i32", "u64", "i64", "high8", "low8", "bcd16", "bcd32", "bcd48", "bcd64"]
ELECTRIC = [one for one in quantities().values() if one.utility in ("", "electricity")]


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A shipped profile with a few words exchanged, or signs put in."""
    text = draw(st.sampled_from(list(texts().values())))
    for _ in range(draw(st.integers(1, 4))):
        first, end = draw(st.sampled_from([match.span() for match in re.finditer(r"[\w.:+±%/-]+", text)]))
        other = draw(
            st.sampled_from(WORDS) | st.sampled_from(re.findall(r"[\w.:+±%/-]+", text)) | st.sampled_from(SIGNS)
        )
        text = text[:first] + other + text[end:]
    return text


def address_of(profile: Profile) -> str:
    return {"modbus": "3", "mbus": "3"}.get(profile.protocol, "12345678")


@given(spoiled())
@settings(max_examples=150, deadline=None)
def test_a_spoiled_profile_is_refused_with_a_place_or_works(text: str) -> None:
    profile, mistakes = check(text)
    lines = text.count("\n") + 2
    assert all(1 <= one.place.line <= lines and one.place.column >= 1 and one.text.en for one in mistakes)
    assert (profile is None) == any(one.grave for one in mistakes)
    if profile is not None and not profile.settings.secondary:
        device = Device(profile, address_of(profile))
        if profile.messages is not None:
            said(profile, device)
        assert set(values(profile, device, address_of(profile))) == {one.quantity.code for one in profile.points}


@st.composite
def readings(draw: st.DrawFn) -> tuple[str, int]:
    """A reading of registers, and a number for it."""
    quantity = draw(st.sampled_from(ELECTRIC))
    unit = draw(st.sampled_from([unit for unit in UNITS if ratio(unit, quantity.unit) is not None]))
    type_, order = draw(st.sampled_from(TYPES)), draw(st.sampled_from(["ABCD", "CDAB", "BADC", "DCBA"]))
    scale = draw(st.sampled_from(["1", "0.1", "1e-3", "1/3", "2/7", "10", "100"]))
    words = f"quantity: {quantity.obis}, register: 7, type: {type_}, scale: {scale}, unit: '{unit}'"
    more = "" if type_ in ("high8", "low8") else f", order: {order}"
    return f"{HEAD}  - {{{words}{more}}}\n", draw(st.integers(-(1 << 63), (1 << 64) - 1))


@given(readings())
@settings(max_examples=150, deadline=None)
def test_every_number_comes_through_exactly_or_rounded_once(case: tuple[str, int]) -> None:
    text, number = case
    profile, _ = check(text)
    if profile is None:  # the scale is none that the quantity can keep
        return
    point = profile.points[0]
    low, high = point.cell.limits()
    number = low + number % (high - low + 1)
    factor, unit = point.cell.step()
    worth = ratio(unit, point.quantity.unit)
    assert worth is not None
    exact = number * factor * worth * Fraction(10) ** -point.quantity.exponent
    stored, _ = Sent(b"", number, factor, unit).stored(point.quantity)
    if stored is not None:
        assert abs(stored - exact) <= Fraction(1, 2)
    device = Device(profile, "3")
    if exact.denominator == 1 and stored is not None:
        device.set(point.quantity.code, stored)
        assert values(profile, device, "3")[point.quantity.code] == (stored, 0)


MODBUS = "name: x\nutility: electricity\nprotocol: modbus\n"
V, A = "quantity: voltage_l1, register: 0, unit: V", "quantity: current_l1, unit: A"
DLT645 = "name: x\nutility: electricity\nprotocol: dlt645\n"
WATER = "name: x\nutility: water\nprotocol: cjt188\naddress: {meter_type: 0x10}\n"
DLT698 = "name: x\nutility: electricity\nprotocol: dlt698\n"
MBUS = "name: x\nutility: heat\nprotocol: mbus\n"


@pytest.mark.parametrize(
    ("head", "text", "said"),
    [
        (MODBUS, f"{{{V}, type: u16, scale_register: 5}}, {{{A}, register: 5, type: u16}}", "overlaps"),
        (DLT698, "{quantity: voltage_l1, item: '20000201'}, {quantity: voltage_l2, item: '20000201'}", "overlaps"),
        (
            WATER,
            "{quantity: 8-0:1.0.0, item: 901F, field: volume.current}, "
            "{quantity: 8-0:1.2.0, item: 901F, field: volume.current}",
            "overlaps",
        ),
        (MBUS, "{quantity: heat_volume, record: 0C14}, {quantity: operating_time, record: 0413, unit: h}", "overlaps"),
        (
            DLT698,
            "{quantity: voltage_l1, item: '20000200', element: 1}, {quantity: voltage_l2, item: '20000200'}",
            "overlaps",
        ),
        (
            WATER,
            "{quantity: 8-0:1.0.0, item: 901F, field: volume.current}, "
            "{quantity: 8-0:2.0.0, item: 901F, at: 30, format: XXXX.XXXX, unit: m3/h}",
            "overlaps",
        ),
        (MODBUS, f"{{{V}, type: high8, order: CDAB}}", "no order"),
        (MODBUS, f"{{{V}, type: u16, scale_register: 200}}", "201 registers in one request"),
        (DLT645, "{quantity: voltage_l1, item: 0201FF00, element: 2, format: XXX.X, unit: V}", "does not go with"),
        (DLT645, "{quantity: voltage_l1, item: '02010100', at: 2}", "at goes with format"),
        (WATER, "{quantity: cold_water_volume, item: 901F, field: volume.current, unit: L}", "brings the unit"),
        (WATER, "{quantity: cold_water_volume, item: '8103', field: settlement_day}", "no such field"),
        (MBUS, "{quantity: heat_energy, record: 0D06C0}", "no measured number"),
        (MBUS, "{quantity: heat_energy, record: 0C8618}", "no measured number"),
        (MBUS, "{quantity: heat_volume, record: 0C947B}", "no measured number"),
    ],
)
def test_what_cannot_work_is_refused(head: str, text: str, said: str) -> None:
    profile, mistakes = check(f"{head}readings: [{text}]\n")
    assert profile is None
    assert any(said in one.text.en for one in mistakes), [one.text.en for one in mistakes]


def test_the_sign_for_no_value_is_never_shown_as_a_value() -> None:
    profile = parse(f"{MODBUS}readings: [{{{V}, type: u16, missing: 220}}]\n")
    code = profile.points[0].quantity.code
    found = [values(profile, Device(profile, "3"), "3", now_s)[code] for now_s in range(0, 120, 3)]
    assert all(value is not None and quality == 0 for value, quality in found)


@pytest.mark.parametrize("number", [-99_999_999, 9_999_999])
def test_both_signs_of_negative_digits(number: int) -> None:
    profile = parse("name: x\nutility: heat\nprotocol: mbus\nreadings: [{quantity: heat_flow, record: 0D3ED4}]\n")
    code = profile.points[0].quantity.code
    device = Device(profile, "3", {code: number * 10**6})
    assert values(profile, device, "3")[code] == (number * 10**6, 0)
