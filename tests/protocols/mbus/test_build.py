from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.mbus import Header, SecondaryAddress, build_answer, build_record, decode, encode
from meterweave.protocols.mbus.items import UNKNOWN, Format, items

HEADER = Header(SecondaryAddress("12345678", 0x2C2D, 1, 7), 5, 0, 0)


@pytest.mark.parametrize(
    ("quantity", "value", "options", "header", "data"),
    [
        ("volume", "12.345", {}, "0413", "39300000"),
        ("volume", "12", {}, "0416", "0c000000"),
        ("volume", "12.3456789", {"unit": "m3"}, None, None),
        ("energy", 5, {}, "0403", "05000000"),
        ("energy", "0.5", {"unit": "MWh"}, "04fb00", "05000000"),
        ("energy", Decimal("1.5"), {"unit": "GJ", "storage": 3, "tariff": 2, "subunit": 1}, "c461fb08", "0f000000"),
        ("energy", 10**10, {}, "0703", "00e40b5402000000"),
        ("power", "2", {"function": "maximum"}, "142b", "02000000"),
        ("voltage", "230.1", {"vife": b"\xff\x01"}, "04fdc8ff01", "fd080000"),
        ("volume", "12.345", {"dif": 0x0C}, "0c13", "45230100"),
        ("volume", "12.345", {"dif": 0x05}, "0513", "00e44046"),
        ("volume", None, {}, "0c16", "ffffffff"),
        ("date", "2014-03-13", {}, "026c", "cd13"),
        ("date", None, {"storage": 1}, "426c", "ffff"),
        ("datetime", "2014-03-13T11:11", {}, "046d", "0b0bcd13"),
        ("datetime", "2014-03-13T11:11:05", {}, "066d", "050b0bcd1300"),
        ("datetime", "11:11:05", {}, "036d", "050b0b"),
        ("fabrication_number", "00001234", {}, "0c78", "34120000"),
        ("fabrication_number", "X1", {}, "0d7802", "3158"),
        ("firmware_version", "1.2", {"dif": 0x0D}, "0dfd0e03", "322e31"),
        ("firmware_version", "v2", {}, "0dfd0e02", "3276"),
        ("error_flags", 5, {}, "01fd17", "05"),
        ("error_flags", 300, {}, "02fd17", "2c01"),
        ("text_unit", "46.60", {"unit": "%RH", "vife": b"\x74"}, "04fc0348522574", "34120000"),
        ("text_unit", "7", {"unit": "km"}, "047c026d6b", "07000000"),
        ("on_time", "3", {"unit": "h"}, "0422", "03000000"),
    ],
)
def test_records_from_names(quantity, value, options, header, data):
    if header is None:
        with pytest.raises(EncodeError, match="does not fit"):
            build_record(quantity, value, **options)
        return
    record = build_record(quantity, value, **options)
    assert (record.head.octets.hex(), record.data.hex()) == (header, data)


@pytest.mark.parametrize(
    ("quantity", "value", "options", "words"),
    [
        ("happiness", "1", {}, "'happiness' with unit None has no VIF"),
        ("energy", "1", {"unit": "kWh"}, "unit 'kWh' has no VIF"),
        ("energy", "1", {"function": "mean"}, "function is 'mean'"),
        ("energy", "1", {"storage": -1}, "not negative"),
        ("energy", "1", {"storage": 1 << 41}, "needs 11 DIFE"),
        ("energy", "1", {"subunit": 1 << 10}, "needs 11 DIFE"),
        ("energy", "1", {"tariff": 1 << 20}, "needs 11 DIFE"),
        ("text_unit", "1", {"unit": "表"}, "ISO 8859-1"),
        ("text_unit", "1", {"unit": "x" * 256}, "255 characters"),
        ("firmware_version", "x" * 192, {}, "has no VIF"),
        ("firmware_version", "表", {}, "does not fit"),
        ("text_unit", "x", {"unit": "km", "dif": 0x04}, "does not fit"),
    ],
)
def test_what_cannot_be_built_is_told(quantity, value, options, words):
    with pytest.raises(EncodeError, match=words):
        build_record(quantity, value, **options)


NAMES = sorted(
    {(one.name, one.unit) for one in items().values() if one.format is Format.NUMBER and one.name != UNKNOWN.name}
)


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    digits=st.integers(-(10**9), 10**9),
    storage=st.integers(0, (1 << 41) - 1),
    tariff=st.integers(0, (1 << 20) - 1),
    subunit=st.integers(0, (1 << 10) - 1),
)
def test_what_was_built_says_what_was_asked(name, digits, storage, tariff, subunit):
    quantity, unit = name
    record = build_record(
        quantity,
        digits * 100_000,
        unit=None if quantity == "text_unit" else unit,
        function="minimum",
        storage=storage,
        tariff=tariff,
        subunit=subunit,
    )
    head = record.head
    assert (head.item.name, head.function) == (quantity, "minimum")
    assert (head.storage, head.tariff, head.subunit) == (storage, tariff, subunit)
    assert Decimal(record.text or "") == digits * 100_000


def test_an_answer_is_split_into_telegrams_that_join_again():
    wanted = [build_record("volume", f"{index}.000", storage=index) for index in range(100)]
    answer = build_answer(HEADER, wanted, address=9, manufacturer_data=b"\x01\x02")
    assert [message.body.records.more_follow for message in answer] == [True] * (len(answer) - 1) + [False]
    assert [record for message in answer for record in message.body.records.records] == wanted
    assert answer[-1].body.records.manufacturer_data == b"\x01\x02"
    assert all(decode(encode(message)) == message for message in answer)
    assert all(len(encode(message)) <= 261 for message in answer)


def test_manufacturer_data_can_need_a_telegram_of_their_own():
    records = [build_record("volume", "1.000")] * 39
    first, second = build_answer(HEADER, records, manufacturer_data=bytes(20))
    assert first.body.records.more_follow
    assert second.body.records.records == ()
    assert second.body.records.manufacturer_data == bytes(20)


def test_an_answer_without_records_is_one_telegram():
    (only,) = build_answer(HEADER, [])
    assert encode(only).hex().startswith("680f0f68080072")


def test_what_no_telegram_holds_is_refused():
    with pytest.raises(EncodeError, match="longer than the 240 octets"):
        build_answer(HEADER, [], manufacturer_data=bytes(240))
    text = build_record("text_unit", "1", unit="x" * 240)
    with pytest.raises(EncodeError, match="longer than the 240 octets"):
        build_answer(HEADER, [text])
