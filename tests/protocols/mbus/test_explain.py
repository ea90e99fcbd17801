from __future__ import annotations

from meterweave.protocols.explain import Field
from meterweave.protocols.mbus import explain
from meterweave.protocols.mbus.frame import Frame, encode_frame


def told(ci: int, data: str, control: int = 8) -> dict[str, Field]:
    octets = encode_frame(Frame(control, 1, ci, bytes.fromhex(data)))
    return {field.name.en: field for top in explain(octets) for _, field in top.walk()}


def meaning(field: Field) -> str:
    return field.meaning.en if field.meaning else ""


def test_a_record_says_which_value_it_is():
    fields = told(0x78, "9a62fdc8fc014523")
    assert (fields["voltage"].value, fields["voltage"].unit) == ("234.5", "V")
    assert meaning(fields["voltage"]) == "maximum, storage 4, tariff 2, sub-unit 1, extended VIFE follows, phase L1"
    assert meaning(fields["VIFE"]) == "phase L1"


def test_a_later_edition_is_told():
    assert meaning(told(0x78, "02fb2ef401")["frequency"]) == (
        "instantaneous value, by later editions frequency 50.0 Hz"
    )


def test_missing_values_and_plain_numbers():
    fields = told(0x78, "426cffff01fd0e02")
    assert meaning(fields["data"]) == ""
    assert fields["firmware version"].unit == ""
    assert [part.meaning.en for part in told(0x78, "426cffff")["date"].parts if part.meaning][-1] == "no value"


def test_what_ends_the_records():
    assert "more records" in meaning(told(0x78, "1f01")["end of the records"])
    assert "reserved" in meaning(told(0x78, "3f01")["end of the records"])
    assert told(0x78, "0d13f901")["octets"].octets.hex() == "0d13f901"
    assert told(0x78, "2f2f")["filler"].octets == b"\x2f"
    assert meaning(told(0x51, "7f", 0x53)["DIF"]) == "global readout"
    assert told(0x78, "027c000500")["length of the unit"].value == "0"


def test_headers_and_codes():
    header = told(0x72, "785634122d2c0107050b0000")
    assert (header["identification"].value, header["manufacturer"].value) == ("12345678", "KAM")
    assert meaning(header["status"]) == "abnormal condition, permanent error"
    assert meaning(told(0x72, "785634122d2c010705000000")["status"]) == "no error"
    assert meaning(told(0x52, "78563412ffffffff", 0x53)["manufacturer"]) == "any"
    assert meaning(told(0x72, "785634122d2c010705000100")["signature"]) == ""
    assert told(0x76, "123456782c2d010705000100")["signature"].value == "0100H"
    assert told(0x76, "123456782c2d010705000100")["identification"].value == "12345678"
    assert meaning(told(0x70, "08")["error code"]) == "application busy"
    assert meaning(told(0x50, "10", 0x53)["reset subcode"]) == "user data"
    assert told(0x71, "04")["alarm status"].value == "04H"
    assert told(0x5C, "0102", 0x53)["data"].octets == b"\x01"
    assert meaning(told(0xBB, "", 0x53)["CI field"]) == "set speed to 2400 Bd"


def test_the_fixed_structure():
    fields = told(0x73, "93929190100305693165000069000a00")
    assert meaning(fields["status"]) == "binary, of the due date"
    assert fields["counter 1"].value == "25905000 Wh"
    assert meaning(told(0x73, "93929190100005693165000069000a00")["counter 2"]) == "no value"
    assert told(0x73, "9392919010")["access number"].fault is None
    assert told(0x73, "939291901000056931650000690000000102")["octets"].octets == b"\x01\x02"


def test_control_and_address_in_words():
    def first(hexadecimal: str) -> tuple[str, str]:
        fields = {field.name.en: field for field in explain(bytes.fromhex(hexadecimal))}
        return meaning(fields["control field"]), meaning(fields["address"])

    assert first("107bfd7816") == ("REQ_UD2 request for data (class 2), FCB 1", "the selected slave")
    assert first("1040004016") == ("SND_NKE reset of the link", "unconfigured slave")
    assert first("102801") == ("RSP_UD answer with data, access demand", "primary address")
    assert first("105bfb") == ("REQ_UD2 request for data (class 2), FCB 0", "reserved")


def test_faults_stand_where_they_are():
    def fault(hexadecimal: str) -> str:
        found = [field for top in explain(bytes.fromhex(hexadecimal)) for _, field in top.walk() if field.fault]
        assert len(found) == 1
        return found[0].name.en

    assert fault("") == "missing octets"
    assert fault("00") == "octets"
    assert fault("107b00") == "missing octets"
    assert fault("107b007b1600") == "octets"
    assert fault("e500") == "octets"
    assert fault("6804056808") == "length, repeated"
    assert fault("680101") == "length"
    assert fault("68040467") == "start, repeated"
    assert fault("6804046808017008811600") == "octets"
    assert fault("68040468080170088117") == "end"
    assert fault("680404680801700882" + "16") == "checksum"
    assert fault("6805056808017272") == "missing octets"
    assert fault("680808680802727856341224b416") == "checksum"
