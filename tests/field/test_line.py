from __future__ import annotations

from dataclasses import replace

import pytest

from meterweave.field.line import HUSH_MAX_S, End, Line, Question, Result, Send, Wait
from meterweave.field.plan import DevicePlan, LinePlan, Pace, pace
from meterweave.field.poller import taker
from meterweave.profiles import Answer, Device, Request, shipped

PROFILE = shipped("prepaid-modbus-single-phase")
PACE = Pace(character_s=11 / 9600, silence_s=0.02, reply_s=0.5, gap_s=0.1)
FIRST, SECOND = PROFILE.requests("17")[:2]
ANSWER = Answer()


def question(request: Request, who: int = 1, attempts_max: int = 3) -> Question[Answer]:
    return Question(who, request.octets, taker(PROFILE, request), PACE, attempts_max)


def reply(request: Request, address: str = "17") -> bytes:
    return Device(PROFILE, address).feed(request.octets, 5)


def sent(line: Line[Answer], now: float) -> float:
    """When the request goes out, not before `now`."""
    step = line.step(now)
    if isinstance(step, Wait):
        now = step.until
        step = line.step(now)
    assert isinstance(step, Send)
    return now


def missed(line: Line[Answer], now: float) -> float:
    """The line waits in vain; when it stops."""
    step = line.step(now)
    assert isinstance(step, Wait)
    return step.until


def result(line: Line[Answer], now: float) -> Result[Answer]:
    step = line.step(now)
    assert isinstance(step, Result)
    return step


@pytest.fixture
def line() -> Line[Answer]:
    return Line(PROFILE.speech.codec.decoder)


def test_a_request_waits_for_the_silence_after_what_was_heard(line: Line[Answer]) -> None:
    line.ask(question(FIRST), 10.0)
    assert sent(line, 10.0) == 10.0
    line.heard(reply(FIRST), 10.2)
    assert result(line, 10.2).end is End.ANSWERED
    line.ask(question(SECOND), 10.2)
    assert line.step(10.2) == Wait(pytest.approx(10.22))
    line.heard(b"\x00", 10.21)
    assert line.step(10.22) == Wait(pytest.approx(10.23))
    assert sent(line, 10.23) == 10.23


def test_modbus_is_silent_for_three_and_a_half_characters_at_any_speed() -> None:
    quick = PROFILE.settings.__class__(silence_ms=0)
    profile = PROFILE.__class__(**{name: getattr(PROFILE, name) for name in PROFILE.__slots__} | {"settings": quick})
    device = DevicePlan(meter=1, profile=profile, address="17")
    for baud, silence_s in ((1200, 3.5 * 11 / 1200), (9600, 3.5 * 11 / 9600), (115200, 0.00175)):
        plan = LinePlan(name="a", devices=(device,), baud=baud)
        assert pace(plan, profile).silence_s == pytest.approx(silence_s)


def test_a_silent_device_is_asked_so_often_and_no_more(line: Line[Answer]) -> None:
    line.ask(question(FIRST), 0.0)
    now = 0.0
    for _ in range(3):
        now = sent(line, now)
        until = missed(line, now)
        assert until == pytest.approx(now + len(FIRST.octets) * PACE.character_s + PACE.reply_s)
        now = until
    ended = result(line, now)
    assert (ended.end, ended.answer, ended.silent_count) == (End.SILENT, None, 3)
    assert (line.counters.asked, line.counters.timeouts) == (3, 3)
    assert line.step(now) is None


def test_noise_around_an_answer_is_counted_and_the_answer_taken(line: Line[Answer]) -> None:
    line.ask(question(FIRST), 0.0)
    sent(line, 0.0)
    octets = reply(FIRST)
    line.heard(b"\xf9\xff" + octets[:7], 0.1)
    line.heard(octets[7:], 0.15)
    assert result(line, 0.15).end is End.ANSWERED
    assert line.counters.garbage_octets == 2


def test_half_a_frame_is_a_bad_frame_and_the_request_is_repeated(line: Line[Answer]) -> None:
    line.ask(question(FIRST), 0.0)
    sent(line, 0.0)
    line.heard(reply(FIRST)[:9], 0.1)
    again = sent(line, missed(line, 0.1))
    line.heard(reply(FIRST), again + 0.1)
    ended = result(line, again + 0.1)
    assert (ended.end, ended.broken_count, ended.silent_count) == (End.ANSWERED, 1, 0)
    assert line.counters.bad_frames == 1


def test_an_echo_of_the_request_is_no_answer(line: Line[Answer]) -> None:
    line.ask(question(FIRST), 0.0)
    sent(line, 0.0)
    line.heard(FIRST.octets, 0.01)
    assert isinstance(line.step(0.01), Wait)
    line.heard(reply(FIRST), 0.1)
    assert result(line, 0.1).end is End.ANSWERED
    assert line.counters.frames_foreign == 0


def test_an_answer_of_the_device_asked_before_is_not_taken(line: Line[Answer]) -> None:
    line.ask(question(FIRST, attempts_max=1), 0.0)
    sent(line, 0.0)
    now = missed(line, 0.0)
    assert result(line, now).end is End.SILENT
    other = PROFILE.requests("18")[0]
    line.ask(question(other, who=2), now)
    now = sent(line, now)
    line.heard(reply(FIRST), now + 0.1)
    assert isinstance(line.step(now + 0.1), Wait)
    line.heard(reply(other, "18"), now + 0.2)
    assert result(line, now + 0.2).end is End.ANSWERED
    assert line.counters.frames_foreign == 1


def test_a_second_answer_to_a_repeated_request_is_waited_for(line: Line[Answer]) -> None:
    """It says which device, not which registers: the next request's answer would look the same."""
    line.ask(question(FIRST), 0.0)
    sent(line, 0.0)
    now = sent(line, missed(line, 0.0))
    line.heard(reply(FIRST), now + 0.05)
    assert result(line, now + 0.05).end is End.ANSWERED
    line.ask(question(SECOND), now + 0.05)
    step = line.step(now + 0.05)
    assert isinstance(step, Wait)
    assert step.until == pytest.approx(now + 0.05 + PACE.reply_s)
    line.heard(reply(FIRST), now + 0.3)
    assert line.counters.answers_late == 1
    assert sent(line, now + 0.3) == pytest.approx(now + 0.3 + PACE.silence_s)  # it came: nothing more to wait for


def test_two_answers_to_one_request_are_two_devices(line: Line[Answer]) -> None:
    doubled: list[int] = []
    line.on_doubled = doubled.append
    line.ask(question(FIRST), 0.0)
    sent(line, 0.0)
    line.heard(reply(FIRST) + reply(FIRST), 0.1)
    assert result(line, 0.1).end is End.ANSWERED
    assert doubled == [1]
    assert (line.counters.answered, line.counters.answers_doubled) == (1, 1)


def test_a_line_that_never_falls_silent_is_spoken_on_and_listened_to_for_so_long_only(line: Line[Answer]) -> None:
    line.heard(b"\x00", 0.0)
    line.ask(question(FIRST, attempts_max=1), 0.0)
    now = 0.0
    while not isinstance(step := line.step(now), Send):
        now += 0.01
        line.heard(b"\xff" * 10, now)
        assert now < 2 * HUSH_MAX_S
    assert step.octets == FIRST.octets
    begun = now
    while not isinstance(step := line.step(now), Result):
        now += 0.01
        line.heard(b"\xff" * 10, now)
        assert now < begun + 3
    assert step.end is End.BROKEN


def test_what_was_on_its_way_over_a_lost_port_is_forgotten(line: Line[Answer]) -> None:
    line.ask(question(FIRST), 0.0)
    sent(line, 0.0)
    line.heard(reply(FIRST)[:9], 0.1)
    line.forget()
    assert line.step(0.1) is None
    line.ask(question(FIRST), 0.2)
    sent(line, 0.2)
    line.heard(reply(FIRST), 0.3)
    assert result(line, 0.3).end is End.ANSWERED


def test_after_an_opening_nothing_is_asked_and_nothing_heard_is_an_answer_for_a_while(line: Line[Answer]) -> None:
    line.hush(11.0)
    line.ask(question(FIRST), 10.0)
    assert line.step(10.0) == Wait(11.0)
    assert not line.is_sent
    line.heard(reply(FIRST), 10.9)
    assert sent(line, 10.9) == 11.0
    assert line.is_sent
    assert (line.counters.frames_foreign, line.counters.answered) == (1, 0)
    line.heard(reply(FIRST), 11.1)
    assert result(line, 11.1).end is End.ANSWERED


def mirrored(line: Line[Answer], now: float, copies: int) -> End:
    """How an order ends that is answered by its own octets so often, the line's echo included."""
    asked = replace(question(FIRST, attempts_max=1), take=lambda frame: ANSWER, mirrored=True)
    line.ask(asked, now)
    now = sent(line, now)
    line.heard(FIRST.octets * copies, now + 0.05)
    step = line.step(now + 0.05)
    return (step if isinstance(step, Result) else result(line, missed(line, now + 0.05))).end


def test_an_answer_that_is_the_request_once_more_is_told_from_an_echo(line: Line[Answer]) -> None:
    line.ask(question(SECOND), 0.0)
    sent(line, 0.0)
    line.heard(reply(SECOND), 0.1)
    result(line, 0.1)
    assert mirrored(line, 1.0, 1) is End.ANSWERED  # the line was seen to echo nothing


def test_on_a_line_that_echoes_the_echo_of_an_order_is_no_answer(line: Line[Answer]) -> None:
    line.ask(question(SECOND), 0.0)
    sent(line, 0.0)
    line.heard(SECOND.octets + reply(SECOND), 0.1)
    result(line, 0.1)
    assert mirrored(line, 1.0, 1) is End.BROKEN
    assert mirrored(line, 10.0, 2) is End.ANSWERED


def test_where_nobody_knows_whether_a_line_echoes_a_copy_is_no_answer(line: Line[Answer]) -> None:
    assert mirrored(line, 0.0, 1) is End.BROKEN
