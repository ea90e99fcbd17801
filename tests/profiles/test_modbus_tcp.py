from __future__ import annotations

import pytest

from meterweave.errors import DecodeError
from meterweave.profiles.modbus_tcp import Carried, Unwrapper, wrap

RTU = bytes.fromhex("110309000006c4c4")
TCP = bytes.fromhex("0007" + "0000" + "0006" + "1103" + "09000006")


def test_the_header_takes_the_place_of_the_crc() -> None:
    assert wrap(RTU, 7) == TCP
    assert Unwrapper().feed(TCP) == [Carried(7, RTU)]


def test_frames_come_out_however_they_are_cut() -> None:
    for cut in range(len(TCP)):
        unwrapper = Unwrapper()
        assert unwrapper.feed(TCP[:cut]) + unwrapper.feed(TCP[cut:] + TCP) == [Carried(7, RTU)] * 2


@pytest.mark.parametrize("octets", ["00070001000611", "00070000000111", "000700000fff11"])
def test_what_is_not_modbus_tcp_is_told(octets: str) -> None:
    with pytest.raises(DecodeError):
        Unwrapper().feed(bytes.fromhex(octets))


def test_transactions_begin_again_after_the_last() -> None:
    assert wrap(RTU, 65_536)[:2] == b"\0\0"
