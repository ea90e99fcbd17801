import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.dlt645.formats import Code, Count, Flags, Moment, Octet, Rate, parse
from tests.protocols.dlt645.strategies import patient


@pytest.mark.parametrize(
    ("notation", "octets", "value"),
    [
        ("XXXXXX.XX", "26000000", "0.26"),
        ("XXXXXX.XX", "00000080", "800000.00"),
        ("±XXXXXX.XX", "26000080", "-0.26"),
        ("±XXXXXX.XX", "26000000", "0.26"),
        ("±XXX.X", "5602", "25.6"),
        ("XXX.X", "ffff", None),
        ("±XXX.X", "ffff", None),
        ("XXX.X", "a122", None),
        ("XXX", "0001", "100"),
        ("NN", "15", "15"),
        ("NNNNNN.N", "12345678", "7856341.2"),
        ("INTEGER", "05", "5"),
        ("INTEGER", "0502", "205"),
        ("INTEGER", "00" * 9, None),
        ("BIN4.2", "10270000", "100.00"),
        ("BIN4", "10270000", "10000"),
        ("BIN4", "ffffffff", None),
        ("BCD6", "129078563412", "123456789012"),
        ("HEX4", "01020304", "01020304"),
        ("HEX", "010203", "010203"),
        ("ASCII6", "000056303232", "220V"),
        ("ASCII6", "ffffffffffff", None),
        ("ASCII", "312e3156", "V1.1"),
        ("YYMMDDhhmmss", "244115120518", "2018-05-12T15:41:24"),
        ("YYMMDDhhmm", "0000010118", "2018-01-01T00:00"),
        ("YYMMDD", "290219", None),
        ("YYMMDD", "290220", "2020-02-29"),
        ("MMDDhhmm", "59232902", "02-29T23:59"),
        ("MMDD", "0103", "03-01"),
        ("hhmm", "3008", "08:30"),
        ("hhmmss", "045614", "14:56:04"),
        ("hhmmss", "006014", None),
        ("hhmmss", "0a0014", None),
        ("DDhh", "0001", "01T00"),
        ("DDhh", "9999", None),
        ("YYMMDDWW", "06060719", "2019-07-06"),
        ("YYMMDDWW", "07060719", None),
        ("BITS2:status_word_3", "5000", "0x0050"),
        ("BITS1:rate", "08", "0x08"),
        ("REPORT", "00" * 12, "00" * 12),
        ("REPORT", "00" * 11, None),
    ],
)
def test_values_are_read(notation, octets, value):
    assert parse(notation).read(bytes.fromhex(octets)) == value


@pytest.mark.parametrize(
    ("notation", "value", "octets"),
    [
        ("XXXXXX.XX", "0.26", "26000000"),
        ("±XX.XXXX", "-1.5", "005081"),
        ("INTEGER", "205", "0502"),
        ("BIN4.2", "100.00", "10270000"),
        ("BCD6", "123456789012", "129078563412"),
        ("HEX4", "01020304", "01020304"),
        ("ASCII6", "220V", "000056303232"),
        ("YYMMDDhhmm", "2018-01-01T00:00", "0000010118"),
        ("YYMMDDWW", "2019-07-06", "06060719"),
        ("DDhh", "01T00", "0001"),
        ("BITS2:status_word_3", "0x0050", "5000"),
        ("REPORT", "00" * 12, "00" * 12),
    ],
)
def test_values_are_written(notation, value, octets):
    assert parse(notation).write(value) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("notation", "value"),
    [
        ("XXX.X", "1000.0"),
        ("XXX.X", "1.23"),
        ("XXX.X", "-1.0"),
        ("XXX.X", "many"),
        ("±XXX.X", "800.0"),
        ("±XXX.X", "-800.0"),
        ("INTEGER", "-1"),
        ("BIN4", "-1"),
        ("BIN4", "4294967295"),
        ("BCD6", "12"),
        ("BCD6", "no digits at"),
        ("HEX4", "0102"),
        ("ASCII6", "too long"),
        ("ASCII6", "220伏"),
        ("YYMMDD", "2019-02-29"),
        ("YYMMDD", "2019-02"),
        ("YYMMDD", "20190201"),
        ("YYMMDDhhmm", "1918-01-01T00:00"),
        ("YYMMDDWW", "2019-02-29"),
        ("BITS1:rate", "0x100"),
        ("BITS1:rate", "-1"),
        ("BITS1:rate", "fast"),
        ("REPORT", "00"),
    ],
)
def test_what_does_not_fit(notation, value):
    with pytest.raises(ValueError):
        parse(notation).write(value)


@pytest.mark.parametrize(
    ("format_", "octets", "value"),
    [
        (Octet(), "98", 0x98),
        (Code(), "1a", "0x1A"),
        (Count(), "12", 12),
        (Rate(), "08", 2400),
        (Rate(), "40", 19200),
        (Flags("error_2007", 1), "06", ["no_such_data", "not_authorised"]),
        (Flags("error_security", 2), "0280", ["repeated_recharge", "password_error"]),
    ],
)
def test_codes_both_ways(format_, octets, value):
    assert format_.read(bytes.fromhex(octets)) == value
    assert format_.write(value) == bytes.fromhex(octets)


@pytest.mark.parametrize(
    ("format_", "octets"), [(Rate(), "00"), (Rate(), "0c"), (Rate(), "01"), (Rate(), "80"), (Count(), "1a")]
)
def test_codes_that_mean_nothing(format_, octets):
    assert format_.read(bytes.fromhex(octets)) is None


@pytest.mark.parametrize(
    ("format_", "value"),
    [
        (Octet(), 256),
        (Octet(), -1),
        (Octet(), True),
        (Code(), "0x100"),
        (Code(), None),
        (Count(), 100),
        (Rate(), 300),
        (Flags("error_2007", 1), "no_such_data"),
        (Flags("error_2007", 1), ["reserved_9"]),
    ],
)
def test_codes_that_do_not_fit(format_, value):
    with pytest.raises(ValueError):
        format_.write(value)


def test_more_facts():
    assert parse("YYMMDDWW").more(bytes.fromhex("06060719")) == {"weekday": 6}
    assert parse("YYMMDDWW").more(b"\xff" * 4) == {}
    assert parse("YYMMDD").more(b"\x01\x01\x01") == {}
    assert parse("NN").more(b"\x01") == {}
    speeds = {"600": False, "1200": False, "2400": True, "4800": False, "9600": False, "19200": False}
    assert parse("BITS1:rate").more(b"\x08") == {"bits": speeds}


def test_active_reports_with_counts():
    status = bytes.fromhex("000c" + "00" * 10)
    assert parse("REPORT").more(status + bytes.fromhex("aa0103aa")) == {
        "set_bits": [10, 11],
        "set_names": ["meter_cover_open", "terminal_cover_open"],
        "counts": [1, 3],
    }
    assert "counts" not in parse("REPORT").more(status + b"\xaa")
    assert parse("REPORT").more(b"\x40")["set_names"] == ["reserved_6"]


@pytest.mark.parametrize("notation", ["", "XX.YY", "FLOAT4", "YYX"])
def test_what_is_no_notation(notation):
    with pytest.raises(ValueError, match="format"):
        parse(notation)


@patient
@given(st.sampled_from(["±XX.XXXX", "XXXXXX.XX", "NN", "BIN4.2", "BCD6", "HEX4", "ASCII6", "BITS2:x"]), st.data())
def test_what_is_written_is_read(notation, data):
    format_ = parse(notation)
    octets = data.draw(st.binary(min_size=format_.size, max_size=format_.size))
    value = format_.read(octets)
    if value is not None:
        assert format_.read(format_.write(value)) == value


@patient
@given(st.sampled_from(["YYMMDDhhmmss", "YYMMDDWW", "MMDDhhmm", "DDhh", "hhmm"]), st.data())
def test_times_that_are_written_are_read(notation, data):
    format_ = Moment(notation)
    octet = st.integers(0, 31).map(lambda number: bytes.fromhex(f"{number:02d}"))
    octets = b"".join(data.draw(octet) for _ in range(format_.size))
    value = format_.read(octets)
    if value is not None:
        assert format_.read(format_.write(value)) == value
