from __future__ import annotations

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1 import build_unit, decode, encode
from meterweave.protocols.gdw1376.part1.service import answer, confirm, heartbeat, login, logout, report, request


def test_a_terminal_logs_in_beats_and_leaves():
    assert encode(login(0x0200, 0x1234, number=1)).hex() == "683200320068c900023412000271000001008516"
    assert encode(heartbeat(0x0200, 0x1234, number=1)).hex() == "683200320068c900023412000271000004008816"
    clock = heartbeat(0x0200, 0x1234, clock="2018-10-07T23:20:51")
    assert decode(encode(clock)).units[0].data.hex() == "512023071018"
    assert decode(encode(logout(0x0200, 0x1234))).units[0].items == (2,)


def test_the_master_confirms():
    back = confirm(login(0x0200, 0x1234, number=1))
    assert encode(back).hex() == "6832003200680b0002341200006100000100b516"
    by_unit = confirm(heartbeat(0x2120, 7, number=1), [0])
    assert encode(by_unit).hex() == "684a004a00680b2021070000006100000400020000040000be16"
    with pytest.raises(EncodeError, match="2 errors for 1 units"):
        confirm(login(0x0200, 1), [0, 0])


def test_a_question_and_its_answer():
    ask = request(0x7101, 0x0822, 0x0D, [build_unit(0x0D, False, [1], [1], {"freeze.day": "2018-08-27"})], number=5)
    assert decode(encode(ask)) == ask
    assert (ask.control, ask.pw, ask.seq) == (0x4B, b"", 0x65)
    reply = answer(ask, [], ec=b"\x4f\0", tp=bytes(6))
    assert decode(encode(reply)) == reply
    assert (reply.control, reply.seq, reply.master, reply.afn) == (0xA8, 0xE5, ask.master, 0x0D)


def test_a_command_carries_a_password():
    unit = build_unit(0x05, False, [0], [31], {"clock": "2018-10-07T23:20:51", "clock.weekday": 7})
    command = request(0x7101, 1, 0x05, [unit], confirm=True, tp=bytes(6))
    assert (len(command.pw), command.control, command.seq) == (16, 0x4A, 0xF0)
    assert decode(encode(command)) == command
    old = request(0x7101, 1, 0x05, [unit], protocol=1)
    assert len(decode(encode(old)).pw) == 2
    own = request(0x7101, 1, 0x05, [unit], pw=b"\x1e" * 16)
    assert decode(encode(own)).pw == b"\x1e" * 16
    assert confirm(command).control == 0x80


def test_a_report_comes_unasked():
    unit = build_unit(0x0C, True, [0], [7], {"important_event_counter": 1, "ordinary_event_counter": 0})
    message = report(0x0200, 1, 0x0C, [unit], number=3)
    assert decode(encode(message)) == message
    assert (message.initiated, message.master) == (True, 0)


@pytest.mark.parametrize("more", [{"number": 16}, {"number": -1}, {"msa": 128}])
def test_numbers_that_do_not_fit(more):
    with pytest.raises(EncodeError, match="wanted"):
        request(0x0200, 1, 0x0C, [], **more)
