from __future__ import annotations

import struct
from fractions import Fraction

import pytest

from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, Profile, parse, shipped
from meterweave.protocols import modbus
from meterweave.protocols.modbus.rtu import Frame
from tests.profiles.talk import HEAD, frame_of, values

ENERGY = obis_code("1-0:1.8.0")
VOLTAGE = obis_code("1-0:32.7.0")
REVOLVING = """\
name: three-tariffs
utility: electricity
protocol: modbus
readings:
  - {quantity: 1-0:1.8.0, register: 0900H, type: u32, scale: 0.01, unit: kWh}
  - {quantity: 1-0:1.8.1, register: 0902H, type: u32, scale: 0.01, unit: kWh}
  - {quantity: 1-0:1.8.2, register: 0904H, type: u32, scale: 0.01, unit: kWh}
"""


def of(text: str, more: str = "") -> Profile:
    return parse(f"{HEAD}  - {{{text}}}\n{more}")


def read(profile: Profile, registers: list[int]) -> tuple[int | None, Quality]:
    (request,) = profile.requests("1")
    reply = modbus.encode(modbus.read_reply(modbus.decode(request.octets), registers))
    (row,) = profile.answer(request, reply).rows
    return row.value, row.quality


def test_the_worked_example_of_a_manual_reads_as_it_says() -> None:
    profile = parse(REVOLVING)
    (request,) = profile.requests("17")
    assert request.octets.hex() == "110309000006c4c4"
    reply = bytes.fromhex("11030c0000007f000000640000001b968d")
    rows = profile.answer(request, reply).rows
    assert [row.value for row in rows] == [12_700, 10_000, 2700]
    (first, *_) = profile.readings(request, reply, received=5)
    assert (first.meter, first.quantity, first.ts, first.value, first.quality) == (17, ENERGY, 5, 12_700, 0)


@pytest.mark.parametrize(
    ("order", "frame"),
    [("trip", "01100057000204000100012775"), ("close", "0110005700020400010000e6b5")],
)
def test_relay_orders_are_the_manuals_frames(order: str, frame: str) -> None:
    assert shipped("prepaid-modbus-single-phase").order(order, "1").octets.hex() == frame


@pytest.mark.parametrize(
    ("type_", "order", "octets", "number"),
    [
        ("u16", "ABCD", "FFFE", 65534),
        ("i16", "ABCD", "FFFE", -2),
        ("u16", "BADC", "0102", 0x0201),
        ("u32", "ABCD", "01020304", 0x01020304),
        ("u32", "CDAB", "03040102", 0x01020304),
        ("u32", "BADC", "02010403", 0x01020304),
        ("u32", "DCBA", "04030201", 0x01020304),
        ("i32", "CDAB", "FFFEFFFF", -2),
        ("u64", "ABCD", "0000000000000102", 0x102),
        ("i64", "DCBA", "FEFFFFFFFFFFFFFF", -2),
        ("high8", "ABCD", "1234", 0x12),
        ("low8", "ABCD", "1234", 0x34),
        ("bcd16", "ABCD", "1234", 1234),
        ("bcd32", "CDAB", "56781234", 12_345_678),
        ("f32", "ABCD", struct.pack(">f", 2.5).hex(), Fraction(5, 2)),
        ("f64", "ABCD", struct.pack(">d", -0.25).hex(), Fraction(-1, 4)),
    ],
)
def test_every_type_lies_in_registers_as_its_name_says(type_: str, order: str, octets: str, number: Fraction) -> None:
    more = "" if type_ in ("high8", "low8") else f", order: {order}"
    profile = of(f"quantity: voltage_l1, register: 3, type: {type_}{more}, unit: V")
    found = bytes.fromhex(octets)
    registers = [int.from_bytes(found[at : at + 2], "big") for at in range(0, len(found), 2)]
    assert read(profile, registers) == (int(number * 100), Quality.GOOD)


def test_halves_round_away_from_zero_and_say_so() -> None:
    profile = of("quantity: voltage_l1, register: 0, type: i16, scale: 0.001, unit: V")
    assert read(profile, [1005]) == (101, Quality.ROUNDED)
    assert read(profile, [0x10000 - 1005]) == (-101, Quality.ROUNDED)
    assert read(profile, [1010]) == (101, Quality.GOOD)


def test_a_third_is_exact_before_it_is_rounded_once() -> None:
    profile = of("quantity: voltage_l1, register: 0, type: u16, scale: 1/3, unit: V")
    assert read(profile, [3]) == (100, Quality.GOOD)
    assert read(profile, [1]) == (33, Quality.ROUNDED)


def test_what_does_not_fit_64_bits_is_no_value() -> None:
    profile = of("quantity: 1-0:1.8.0, register: 0, type: u64, unit: kWh")
    assert read(profile, [0xFFFF] * 4) == (None, Quality.OUT_OF_RANGE)


@pytest.mark.parametrize("octets", ["7FC00000", "7F800000", "FF800000"])
def test_no_number_is_no_value(octets: str) -> None:
    profile = of("quantity: voltage_l1, register: 0, type: f32, unit: V")
    assert read(profile, [int(octets[:4], 16), int(octets[4:], 16)]) == (None, Quality.NO_VALUE)


def test_digits_that_are_none_are_no_value() -> None:
    assert read(of("quantity: voltage_l1, register: 0, type: bcd16, unit: V"), [0x12A4]) == (None, Quality.NO_VALUE)


def test_the_sign_for_no_value() -> None:
    profile = of("quantity: voltage_l1, register: 0, type: i16, unit: V, missing: 0x8000")
    assert read(profile, [0x8000]) == (None, Quality.NO_VALUE)
    assert read(profile, [0x8001]) == (-3_276_700, Quality.GOOD)


@pytest.mark.parametrize(
    ("power", "wanted"),
    [(0, (23_000, Quality.GOOD)), (0xFFFF, (2300, Quality.GOOD)), (1, (230_000, Quality.GOOD)),
     (0xFFFD, (23, Quality.GOOD)), (0x8000, (None, Quality.NO_VALUE)), (11, (None, Quality.NO_VALUE))],
)  # fmt: skip
def test_a_scale_register_is_a_power_of_ten(power: int, wanted: tuple[int | None, Quality]) -> None:
    profile = of("quantity: voltage_l1, register: 0, type: u16, unit: V, scale_register: 1")
    assert read(profile, [230, power]) == wanted


def test_base_is_added_to_every_register() -> None:
    profile = of("quantity: voltage_l1, register: 40001, type: u16, unit: V", "base: -40001\n")
    (request,) = profile.requests("1")
    assert modbus.fields(modbus.decode(request.octets)) == {"address": 0, "count": 1}


def test_registers_are_gathered_within_the_limits() -> None:
    lines = "".join(
        f"  - {{quantity: 1-0:1.8.{tariff}, register: {2 * tariff}, type: u32, unit: kWh}}\n" for tariff in range(10)
    )
    far = (
        "  - {quantity: voltage_l1, register: 24, type: u16, unit: V}\n"
        "  - {quantity: frequency, register: 0, table: input, type: u16, unit: Hz}\n"
    )

    def asked(more: str) -> list[tuple[int, int, int]]:
        requests = [modbus.decode(one.octets) for one in parse(HEAD + lines + far + more).requests("1")]
        return [
            (one.function, int.from_bytes(one.data[:2], "big"), int.from_bytes(one.data[2:], "big")) for one in requests
        ]

    assert asked("") == [(3, 0, 20), (3, 24, 1), (4, 0, 1)]
    assert asked("polling: {gap_max: 4}\n") == [(3, 0, 25), (4, 0, 1)]
    assert asked("polling: {registers_max: 8}\n") == [(3, 0, 8), (3, 8, 8), (3, 16, 4), (3, 24, 1), (4, 0, 1)]


def test_only_what_is_wanted_is_asked() -> None:
    (request,) = shipped("prepaid-modbus-three-phase").requests("1", {VOLTAGE})
    assert modbus.fields(modbus.decode(request.octets)) == {"address": 0x0201, "count": 1}


def test_a_refusal_is_told_in_words() -> None:
    profile = of("quantity: voltage_l1, register: 3, type: u16, unit: V")
    (request,) = profile.requests("9")
    answer = profile.answer(request, modbus.encode(Frame(9, 0x83, b"\x02")))
    assert answer.refused
    assert answer.problem is not None
    assert "illegal data address" in answer.problem.en


@pytest.mark.parametrize("reply", ["", "00", "0903", "090302010077", "ff" * 300])
def test_broken_answers_hurt_nobody(reply: str) -> None:
    profile = of("quantity: voltage_l1, register: 3, type: u16, unit: V")
    (request,) = profile.requests("9")
    answer = profile.answer(request, bytes.fromhex(reply))
    assert answer.problem is not None
    assert not answer.refused


def test_an_answer_of_another_length_is_not_taken() -> None:
    profile = of("quantity: voltage_l1, register: 3, type: u16, unit: V")
    (request,) = profile.requests("9")
    answer = profile.answer(request, modbus.encode(Frame(9, 3, bytes.fromhex("0400010002"))))
    assert answer.rows == ()


def test_a_device_refuses_registers_it_does_not_have() -> None:
    profile = of("quantity: voltage_l1, register: 3, type: u16, unit: V")
    device = Device(profile, "9")
    said = modbus.decode(device.feed(modbus.encode(modbus.read_request(9, 4, 1))))
    assert modbus.fields(said) == {"exception_code": 2}
    said = modbus.decode(device.feed(modbus.encode(modbus.write_request(9, 3, [1]))))
    assert modbus.fields(said) == {"exception_code": 2}


def test_money_goes_out_exactly_and_only_when_asked_for_as_unproven() -> None:
    profile = shipped("prepaid-modbus-cabinet-user")
    with pytest.raises(ConfigError, match="not proven"):
        profile.order("credit", "4", {"amount": "100.00", "count": "7"})
    request = profile.order("credit", "4", {"amount": "100.00", "count": "7"}, unproven=True)
    assert request.octets[:-2].hex() == "0410050d000306" + "00002710" + "0007"
    device = Device(profile, "4")
    assert profile.answer(request, frame_of(profile, request, device.feed(request.octets))).problem is None
    assert device.given[0].numbers == (10_000, 7)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"amount": "100.001", "count": "7"}, "steps of 0.01"),
        ({"amount": "1", "count": "65536"}, "0 to 65535"),
        ({"amount": "-1", "count": "7"}, "cannot be sent"),
        ({"amount": "1"}, "count is missing"),
        ({"amount": "1", "count": "7", "price": "2"}, "price is not wanted"),
        ({"amount": "lots", "count": "7"}, "no decimal number"),
        ({"amount": "1/0", "count": "7"}, "amount"),
    ],
)
def test_what_cannot_be_sent_exactly_is_not_sent(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shipped("prepaid-modbus-cabinet-user").order("credit", "4", given, unproven=True)


def test_an_order_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="has no order 'trip'; it has: credit, price"):
        shipped("prepaid-modbus-cabinet-user").trip("4")


@pytest.mark.parametrize(("function", "text"), [(6, "values: [1]"), (5, "values: [1]"), (16, "values: [1, 2, 3]")])
def test_every_way_of_writing_is_obeyed(function: int, text: str) -> None:
    profile = of(
        "quantity: voltage_l1, register: 3, type: u16, unit: V",
        f"control: {{trip: {{register: 9, function: {function}, {text}, proven: yes}}}}\n",
    )
    device = Device(profile, "9")
    request = profile.trip("9")
    assert request.octets[1] == function
    assert profile.answer(request, frame_of(profile, request, device.feed(request.octets))).problem is None
    assert not device.closed


@pytest.mark.parametrize("address", ["0", "248", "x", "", "-1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="no Modbus unit"):
        shipped("sunspec-inverter").requests(address)


def test_halves_and_gaps_of_a_simulated_device() -> None:
    profile = parse(
        HEAD
        + "  - {quantity: voltage_l1, register: 5, type: high8, unit: V}\n"
        + "  - {quantity: voltage_l2, register: 5, type: low8, unit: V}\n"
        + "  - {quantity: voltage_l3, register: 8, type: u16, order: BADC, unit: V}\n"
        + "polling: {gap_max: 2}\n"
    )
    device = Device(profile, "9", {VOLTAGE: 100 * 0x12, obis_code("1-0:52.7.0"): 100 * 0x34})
    said = modbus.decode(device.feed(modbus.encode(modbus.read_request(9, 5, 4))))
    assert modbus.fields(said)["registers"][:3] == [0x1234, 0, 0]
    assert values(profile, device, "9")[VOLTAGE] == (1800, 0)
