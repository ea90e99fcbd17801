from __future__ import annotations

import struct
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from meterweave.errors import EncodeError
from meterweave.protocols.mbus.head import Coding
from meterweave.protocols.mbus.moment import BY_SIZE, TYPE_F, TYPE_G, TYPE_I, TYPE_J, full_year
from meterweave.protocols.mbus.record import Record, make_head, make_record
from meterweave.protocols.mbus.value import Number, decode_real, value_text
from tests.protocols.mbus.strategies import records


@pytest.mark.parametrize(
    ("header", "data", "text"),
    [
        ("0413", "31d40000", "54.321"),
        ("0406", "98140000", "5272000"),
        ("042b", "feffffff", "-2"),
        ("0359", "ffffff", "-0.01"),
        ("0c14", "69020000", "2.69"),
        ("0c14", "690200f0", "-2.69"),
        ("0c14", "000000f0", "0.00"),
        ("0c14", "6902000a", None),
        ("0c14", "690200fa", None),
        ("0a5a", "eeee", None),
        ("0c78", "29260300", "00032629"),
        ("0c78", "292603f0", None),
        ("0478", "ffffffff", "4294967295"),
        ("01fd17", "ff", "255"),
        ("01fd0e", "ff", "-1"),
        ("0dfd0c03", "334142", "BA3"),
        ("0dfd0c00", "", ""),
        ("0d13c2", "3412", "1.234"),
        ("0d13d2", "3412", "-1.234"),
        ("0d13e2", "ffff", "-0.001"),
        ("0d13e0", "", None),
        ("0d13c0", "", None),
        ("0dfd67f0", "01" + "00" * 15, "1"),
        ("0013", "", None),
        ("0813", "", None),
        ("7f", "", None),
        ("052e", "748d9141", "18194.069"),
        ("053d", "00000000", "0.0"),
        ("053e", "0000c87a", "519229700000000000000000000000000000"),
        ("053e", "0000c07f", None),
        ("053e", "0000807f", None),
        ("049374", "d2040000", "0.01234"),
        ("04937d", "d2040000", "1234"),
        ("049379", "d2040000", "1.244"),
        ("04937b", "d2040000", "2.234"),
        ("04a67a", "01000000", "1.1"),
        ("049328", "0b000000", "0.011"),
        ("02ff74", "f401", "500"),
        ("02fb9a74", "4801", "328"),
        ("01fd9774", "05", "5"),
        ("049350", "05000000", "5"),
        ("02ec7e", "dc19", "2014-09-28"),
        ("049339", "0b0bcd13", "2014-03-13T11:11"),
        ("029339", "df1c", "2014-12-31"),
        ("016c", "05", "5"),
        ("056c", "0000803f", "1"),
        ("0a6c", "3412", "1234"),
        ("0d6c03", "636261", "abc"),
        ("006c", "", None),
    ],
)
def test_data_become_values(header, data, text):
    assert Record(make_head(bytes.fromhex(header)), bytes.fromhex(data)).text == text


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("049350", "s"),
        ("049357", "d"),
        ("049339", "local time"),
        ("029339", "date"),
        ("049341", "1"),
        ("016c", "raw"),
        ("006c", "date"),
        ("027c02637f", "\x7fc"),
        ("047c00", ""),
        ("04ff50", "raw"),
    ],
)
def test_vife_and_texts_change_the_unit(header, unit):
    assert make_head(bytes.fromhex(header)).unit == unit


@settings(max_examples=200)
@given(st.binary(min_size=4, max_size=4))
def test_a_real_is_the_shortest_decimal_of_its_32_bits(data):
    (real,) = struct.unpack("<f", data)
    found = decode_real(data)
    if not np.isfinite(real):
        assert found is None
        return
    assert found is not None
    digits, exponent = found
    assert np.float32(float(Decimal(digits).scaleb(exponent))) == np.float32(real)
    assert exponent <= 0
    assert digits % 10 or exponent == 0
    shorter = Decimal(digits).scaleb(exponent)
    size = len(str(abs(int(str(digits).rstrip("0") or 0))))
    if size > 1:
        with np.errstate(over="ignore"):
            assert np.float32(float(f"{shorter:.{size - 2}e}")) != np.float32(real)


@settings(max_examples=200, deadline=None)
@given(records())
def test_encoding_a_value_gives_data_of_that_value(record):
    value = record.value
    assume(record.head.coding is not Coding.REAL or not record.head.addends)  # 24 bits do not hold the sum
    assume(value is not None or record.head.coding is not Coding.INTEGER or record.head.moment or not record.head.size)
    try:
        found = make_record(record.head.octets, value)
    except EncodeError:
        # Years that type F writes with centuries, and signs that BCD has no room for.
        assert isinstance(value, datetime) or record.head.coding is Coding.NEGATIVE_BCD
        return
    assert found.value == value
    assert len(found.data) == record.head.size


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("0113", "1"),
        ("0413", "0.0001"),
        ("0413", "x"),
        ("0413", None),
        ("0c13", "100000"),
        ("0a13", "-10"),
        ("0c78", "-5"),
        ("0d1303", "ab"),
        ("0dfd0c01", "表"),
        ("0013", "1"),
        ("0813", "1"),
        ("0513", "1e99"),
        ("0513", "nan"),
        ("0513", "abc"),
        ("026c", "2100-01-01"),
        ("046d", "2024-01-01T00:00:01"),
        ("046d", "2024-01-01T00:00+08:00"),
        ("066d", "2024-01-01T00:00:00.5"),
        ("036d", "12:00:00.5"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(header, value):
    with pytest.raises(EncodeError, match="does not fit"):
        make_record(bytes.fromhex(header), value)


@pytest.mark.parametrize(("header", "data"), [("0513", "0000c07f"), ("0d13d2", "ffff"), ("0d13c0", ""), ("0013", "")])
def test_a_missing_value_has_a_sign(header, data):
    record = make_record(bytes.fromhex(header), None)
    assert record.data.hex() == data
    assert record.value is None


def test_negative_bcd():
    assert make_record(bytes.fromhex("0d13d2"), "-1.234").data.hex() == "3412"


def test_values_are_taken_in_many_forms():
    assert value_text(Decimal("1E+2")) == "100"
    assert value_text(7) == "7"
    assert value_text(Number(5, -1)) == "0.5"
    assert value_text(date(2024, 2, 29)) == "2024-02-29"
    assert value_text(time(1, 2, 3)) == "01:02:03"
    assert value_text(None) is None


@pytest.mark.parametrize("header", ["016c", "04", "0413ff", "2f", "0f", "0df9"])
def test_a_header_is_one_whole_head(header):
    with pytest.raises(EncodeError, match="record header"):
        make_head(bytes.fromhex(header[:2] if header == "016c" else header))


@pytest.mark.parametrize(
    ("kind", "octets", "text"),
    [
        (TYPE_F, "0b0bcd13", "2014-03-13T11:11"),
        (TYPE_F, "32371f15", "2008-05-31T23:50"),
        (TYPE_F, "0000210d", None),
        (TYPE_F, "00006101", "2003-01-01T00:00"),
        (TYPE_F, "000021a1", "1981-01-01T00:00"),
        (TYPE_F, "000001a1", "2080-01-01T00:00"),
        (TYPE_F, "0000e1c1", None),
        (TYPE_F, "00206101", "2003-01-01T00:00"),
        (TYPE_F, "00406101", "2103-01-01T00:00"),
        (TYPE_F, "80006101", None),
        (TYPE_F, "00186101", None),
        (TYPE_F, "3c006101", None),
        (TYPE_G, "bf1c", "2013-12-31"),
        (TYPE_G, "0000", None),
        (TYPE_G, "ffff", None),
        (TYPE_G, "7d12", None),
        (TYPE_I, "050b0bcd1311", "2014-03-13T11:11:05"),
        (TYPE_I, "058b0bcd1311", None),
        (TYPE_I, "3c0b0bcd1311", None),
        (TYPE_I, "050b0b0000ff", None),
        (TYPE_J, "050b0c", "12:11:05"),
        (TYPE_J, "ffffff", None),
    ],
)
def test_moments(kind, octets, text):
    found = kind.decode(bytes.fromhex(octets))
    assert (found if found is None else kind.text(found)) == text


@given(st.datetimes(datetime(1981, 1, 1), datetime(2080, 12, 31)).map(lambda moment: moment.replace(microsecond=0)))
def test_moments_come_back(moment):
    minute = moment.replace(second=0)
    assert TYPE_F.decode(TYPE_F.encode(minute.isoformat())) == minute
    assert TYPE_I.decode(TYPE_I.encode(moment.isoformat())) == moment
    assert TYPE_G.decode(TYPE_G.encode(moment.date().isoformat())) == moment.date()
    assert TYPE_J.decode(TYPE_J.encode(moment.time().isoformat())) == moment.time()


def test_sizes_tell_types():
    assert {size: kind.name for size, kind in BY_SIZE.items()} == {2: "G", 3: "J", 4: "F", 6: "I"}
    assert [full_year(year) for year in (0, 80, 81, 99, 100)] == [2000, 2080, 1981, 1999, 0]
