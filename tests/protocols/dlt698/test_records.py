"""Results: what they answer to programs, and what does not fit them."""

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.dlt698.get import BlockFailed, GetResponseNext, GetResponseNormal, GetResponseRecord
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.selection import REMEMBERED_MAX
from meterweave.protocols.dlt698.services import apdu_from_json, apdu_json, decode_apdu, encode_apdu

VOLTAGE = (18, 2200)


def test_a_result_has_data_or_a_dar():
    good, bad = ResultNormal(0x20000200, VOLTAGE), ResultNormal(0x20000200, 4)
    assert (good.data, good.dar) == (VOLTAGE, 0)
    assert (bad.data, bad.dar) == (None, 4)


def test_a_table_has_rows_or_a_dar():
    good, bad = ResultRecord(0x50040200, (0x20000200,), ((VOLTAGE,),)), ResultRecord(0x50040200, (0x20000200,), 6)
    assert (good.rows, good.dar) == (((VOLTAGE,),), 0)
    assert (bad.rows, bad.dar) == ((), 6)


@pytest.mark.parametrize("count", [REMEMBERED_MAX, REMEMBERED_MAX + 1])
def test_long_lists_of_columns(count):
    apdu = GetResponseRecord(1, ResultRecord(0x50040200, tuple(range(count)), (((17, 1),) * count,) * 3))
    assert decode_apdu(encode_apdu(apdu)) == apdu


def test_a_row_is_as_wide_as_there_are_columns():
    apdu = GetResponseRecord(1, ResultRecord(0x50040200, (0x20000200,), ((VOLTAGE,), (VOLTAGE, VOLTAGE))))
    with pytest.raises(EncodeError, match="result: rows: 1: 2 values for 1 columns"):
        encode_apdu(apdu)


def test_a_result_is_no_service():
    with pytest.raises(EncodeError, match="is no service"):
        encode_apdu(ResultNormal(0x20000200, VOLTAGE))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ({"data": {"type": "null"}}, "result: oad: None"),
        ({"oad": "20000200"}, "result: data: None is no object"),
        ({"oad": "20000200", "dar": 256}, "result: dar: 256"),
        ({"oad": "20000200", "dar": {"name": "success"}}, "result: dar: code is missing"),
    ],
)
def test_json_that_is_no_result(result, words):
    with pytest.raises(EncodeError, match=words):
        apdu_from_json({"tag": 0x85, "choice": 1, "piid_acd": 1, "result": result})


def test_a_value_of_the_wrong_kind():
    apdu = GetResponseNormal(1, ResultNormal(0x20000200, (4, (9, b""))))
    with pytest.raises(EncodeError, match="GetResponseNormal: a value is of a kind"):
        encode_apdu(apdu)


def test_the_last_block_is_any_octet_but_00():
    apdu = decode_apdu(bytes.fromhex("850501FF0001000A0000"))
    shown = apdu_json(apdu)
    assert (shown["last"], shown["last_octet"]) == (True, 255)
    assert apdu_from_json(shown) == apdu
    del shown["last_octet"]
    assert apdu_from_json(shown) == GetResponseNext(1, 1, 1, BlockFailed(10))


def test_a_choice_takes_only_its_alternatives():
    with pytest.raises(EncodeError, match="follow_report: 5 is no choice here"):
        encode_apdu(GetResponseNormal(1, ResultNormal(0x20000200, VOLTAGE), 5))  # type: ignore[arg-type]
