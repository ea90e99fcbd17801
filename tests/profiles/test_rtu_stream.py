from __future__ import annotations

from meterweave.profiles import Device, parse, shipped
from meterweave.profiles.speech.rtu_stream import QuestionDecoder
from meterweave.protocols import modbus
from meterweave.protocols.modbus.rtu import Frame
from tests.profiles.talk import HEAD, values


def test_an_answer_that_begins_like_a_request_is_still_the_answer() -> None:
    profile = parse(HEAD + "  - {quantity: 1-0:1.8.0, register: 7, type: bcd32, unit: Wh}\n")
    device = Device(profile, "3", {profile.points[0].quantity.code: 4440})
    (request,) = profile.requests("3")
    reply = device.feed(request.octets)
    assert modbus.decode(reply[:8]) == modbus.read_request(3, 0x0400, 4)  # by its CRC alone
    assert values(profile, device, "3")[profile.points[0].quantity.code] == (4440, 0)


def test_every_answer_of_a_register_comes_through() -> None:
    profile = parse(HEAD + "  - {quantity: voltage_l1, register: 7, type: u16, unit: V}\n")
    (request,) = profile.requests("3")
    for number in range(0, 65_536, 7):
        frame = modbus.encode(modbus.read_reply(modbus.read_request(3, 7, 1), [number]))
        assert profile.decoder(request).feed(b"\x00\x03" + frame)[-1] == frame


def test_echoes_others_and_noise_are_passed_over() -> None:
    profile = shipped("prepaid-modbus-three-phase")
    (request,) = profile.requests("3")
    answer = Device(profile, "3").feed(request.octets)
    other = Device(profile, "4").feed(profile.requests("4")[0].octets)
    line = request.octets + other + b"\x03\x03\xff" + answer
    for step in (1, 3, 200):
        decoder = profile.decoder(request)
        found = [event for at in range(0, len(line), step) for event in decoder.feed(line[at : at + step])]
        assert [event for event in found if isinstance(event, bytes)] == [answer]


def test_an_exception_ends_the_waiting() -> None:
    profile = shipped("prepaid-modbus-three-phase")
    (request,) = profile.requests("3")
    frame = modbus.encode(Frame(3, 0x83, b"\x02"))
    assert profile.decoder(request).feed(frame) == [frame]
    order = profile.trip("3")
    frame = modbus.encode(Frame(3, 0x90, b"\x04"))
    assert profile.decoder(order).feed(frame) == [frame]


def test_questions_come_out_however_they_are_cut() -> None:
    profile = shipped("prepaid-modbus-single-phase")
    line = b"".join(one.octets for one in (*profile.requests("3"), profile.trip("3")))
    for step in (1, 2, 5, 100):
        decoder = QuestionDecoder()
        found = [event for at in range(0, len(line), step) for event in decoder.feed(line[at : at + step])]
        assert b"".join(event for event in found if isinstance(event, bytes)) == line
