"""Login, heartbeats, repeats: each row of the table in `session`, for both protocols."""

from __future__ import annotations

import pytest

from meterweave.errors import ConfigError
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Link, Message, association
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.message import Unit
from meterweave.simulator import Habits, Instant, Protocol, Terminal
from meterweave.simulator.session import LATE_S, SENDS_MAX, HangUp, Send, State
from tests.simulator.centre import ANY_TIME, DAY_S, MIDNIGHT_S, Centre, Faults, small_town

NOW_S = MIDNIGHT_S + DAY_S


@pytest.fixture(params=[0, 1], ids=["dlt698", "gdw1376"])
def terminal(request) -> Terminal:
    return small_town(window=1)[1][request.param]


def octets_of(effects: list[object]) -> list[bytes]:
    assert all(isinstance(effect, Send) for effect in effects)
    return [effect.octets for effect in effects]


def online(terminal: Terminal, wait_s: float = 0.0) -> list[bytes]:
    """Log in; gives what the terminal says when it is accepted."""
    (login,) = octets_of(terminal.connected(Instant(wait_s, NOW_S)))
    assert terminal.state is State.LOGGING_IN
    said = octets_of(terminal.receive(Centre(terminal.site.protocol).hear(login), Instant(wait_s, NOW_S)))
    assert terminal.state is State.ONLINE
    return said


def test_a_login_comes_first_and_reports_follow_its_answer(terminal):
    assert len(online(terminal)) == 1
    assert terminal.counts.logins == 1


def test_a_login_without_answer_is_given_up(terminal):
    terminal.connected(Instant(0.0, NOW_S))
    assert terminal.tick(Instant(4.9, NOW_S)) == []
    assert terminal.tick(Instant(5.0, NOW_S)) == [HangUp("no answer to the login")]
    assert terminal.state is State.OFFLINE


def test_a_refused_login_is_given_up(terminal):
    (login,) = octets_of(terminal.connected(Instant(0.0, NOW_S)))
    if terminal.site.protocol is Protocol.DLT698:
        message = dlt698.decode(login)
        link = Link(0x01, message.link.af, message.link.sa, 0)
        refusal = dlt698.encode(Message(link, association.LinkResponse(1, 2, ANY_TIME, ANY_TIME, ANY_TIME)))
    else:
        denial = service.confirm(part1.decode(login))._replace(units=(Unit(0, 0x0002),))
        refusal = part1.encode(denial)
    (effect,) = terminal.receive(refusal, Instant(1.0, NOW_S))
    assert isinstance(effect, HangUp)
    assert terminal.state is State.OFFLINE


def test_a_report_is_repeated_until_the_line_is_given_up_and_again_after_the_next_login(terminal):
    (report,) = online(terminal)
    for count in range(1, SENDS_MAX):
        assert terminal.tick(Instant(5.0 * count - 0.1, NOW_S)) == []
        assert octets_of(terminal.tick(Instant(5.0 * count, NOW_S))) == [report]
    assert terminal.tick(Instant(5.0 * SENDS_MAX, NOW_S)) == [HangUp("a report was not confirmed")]
    terminal.lost()
    assert online(terminal, 30.0) == [report]


def test_a_confirmation_brings_the_next_report_and_an_old_one_nothing(terminal):
    (first,) = online(terminal)
    centre = Centre(terminal.site.protocol)
    confirmation = centre.hear(first)
    (second,) = octets_of(terminal.receive(confirmation, Instant(1.0, NOW_S)))
    assert second != first
    assert terminal.receive(confirmation, Instant(1.1, NOW_S)) == []
    assert terminal.counts.reports_confirmed == 1


def test_heartbeats_go_on_and_a_deaf_centre_is_left(terminal):
    (report,) = online(terminal)
    centre = Centre(terminal.site.protocol)
    terminal.receive(centre.hear(report), Instant(1.0, NOW_S))
    wait_s, beats = 1.0, 0
    terminal.habits = type(terminal.habits)(heartbeat_s=60.0, answer_s=1000.0)
    effects: list[object] = []
    while not any(isinstance(effect, HangUp) for effect in effects):
        wait_s += 30
        effects = terminal.tick(Instant(wait_s, NOW_S))
        beats += any(isinstance(effect, Send) and effect.octets != report for effect in effects)
        assert wait_s < 1000
    assert beats >= 3


def test_it_sleeps_until_something_is_due(terminal):
    now = Instant(0.0, NOW_S)
    terminal.connected(now)
    assert terminal.wake_s(now, 1.0) == pytest.approx(5.0)
    centre = Centre(terminal.site.protocol)
    effects = terminal.receive(centre.hear(terminal.login(1, now)), now)
    while effects:
        effects = [more for one in octets_of(effects) for more in terminal.receive(centre.hear(one) or b"\0", now)]
    assert terminal.idle(NOW_S)
    assert not terminal.idle(NOW_S + DAY_S)
    assert terminal.wake_s(now, 1.0) == pytest.approx(60.0)
    assert terminal.wake_s(now, 900.0) == pytest.approx(1.0)


def test_a_late_report_comes_after_later_ones():
    _, fleet = small_town(window=1, meters=4, others=0, faults=Faults(late=1.0))
    for terminal in fleet:
        said = online(terminal)
        assert len(said) <= 1  # all are late, but only so many are held back
        assert not terminal.idle(NOW_S)
        before = Instant(LATE_S - 0.1, NOW_S)
        assert terminal.wake_s(before, 1.0) <= LATE_S


def test_a_duplicate_is_the_same_frame_again():
    _, fleet = small_town(window=1, faults=Faults(duplicate=1.0))
    for terminal in fleet:
        (first,) = online(terminal)
        again, _ = octets_of(terminal.receive(Centre(terminal.site.protocol).hear(first), Instant(1.0, NOW_S)))
        assert again == first


def test_a_cut_ends_in_the_middle_of_a_frame():
    _, fleet = small_town(window=1, faults=Faults(cut=1.0))
    for terminal in fleet:
        said, end = terminal.connected(Instant(0.0, NOW_S))
        assert isinstance(said, Send)
        assert end == HangUp("the line broke")
        assert len(said.octets) > 5


def test_a_window_of_reports_is_on_its_way_and_each_is_confirmed_by_its_number():
    _, fleet = small_town(window=3)
    for terminal in fleet:
        first, second, third = online(terminal)
        centre = Centre(terminal.site.protocol)
        (fourth,) = octets_of(terminal.receive(centre.hear(second), Instant(1.0, NOW_S)))
        assert len({first, second, third, fourth}) == 4
        assert octets_of(terminal.tick(Instant(5.5, NOW_S))) == [first, third]


@pytest.mark.parametrize("wrong", [{"window": 0}, {"window": 9}, {"heartbeat_s": 0.0}, {"answer_s": -1.0}])
def test_impossible_habits_are_told(wrong):
    with pytest.raises(ConfigError, match="wanted"):
        Habits(**wrong)
