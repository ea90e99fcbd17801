from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.headend import Counters, HeadEndSettings
from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.gdw1376 import Gdw1376Driver
from meterweave.headend.session import ANOTHER, TRANSITIONS, Admit, Close, Effect, Send, Session, State, Store
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698.association import LinkResponse
from meterweave.registry.terminal_table import TerminalEntry
from meterweave.registry.vocabulary import TerminalKind, TerminalState
from tests.headend import frames

ADDRESS, KEY = 100, 0x100
ENTRY = TerminalEntry(7, "dlt698", KEY, TerminalKind.CONCENTRATOR, TerminalState.ACTIVE, 900, None)
SETTINGS = HeadEndSettings(login_within_s=30, silence_heartbeats=2.5, garbage_octets_max=200, session_pushes_max=2)


def connected() -> Session:
    return Session(Dlt698Driver(SETTINGS.apdu_octets_max), SETTINGS, Counters(), now=0.0)


def online(heartbeat_s: int = 60) -> Session:
    session = connected()
    login = frames.link_request(ADDRESS, heartbeat_s=heartbeat_s)
    assert session.receive(login, now=1.0, now_us=1) == [Admit(KEY)]
    (answer,) = session.admitted(ENTRY, now=2.0, now_us=2)
    assert isinstance(answer, Send)
    return session


def receive(session: Session, octets: bytes, now: float = 3.0) -> list[Effect]:
    return session.receive(octets, now=now, now_us=int(now * 1e6))


def test_the_answer_to_a_login_carries_both_times_in_local_time() -> None:
    session = connected()
    session.receive(frames.link_request(ADDRESS), now=1.0, now_us=1_000_000)
    (answer,) = session.admitted(ENTRY, now=2.0, now_us=61_000_000)
    assert isinstance(answer, Send)
    apdu = dlt698.decode(answer.octets).apdu
    assert isinstance(apdu, LinkResponse)
    assert apdu.result == 0x80
    assert apdu.request_time[:4] == bytes.fromhex("07ea0b14")
    assert apdu.received_time == bytes.fromhex("07b20101040800010000")  # 1970-01-01, a Thursday, 08:00:01
    assert apdu.response_time == bytes.fromhex("07b20101040801010000")


def test_who_does_not_log_in_is_closed_in_time() -> None:
    session = connected()
    assert session.deadline == 30.0
    assert session.expire(29.9) == []
    assert session.expire(30.0) == [Close("no login")]
    assert session.state is State.CLOSED


@pytest.mark.parametrize(("said", "kept"), [(60, 60), (0, 900), (1, 10)])
def test_silence_past_two_and_a_half_heartbeats_closes(said: int, kept: int) -> None:
    session = online(said)
    assert session.deadline == 2.0 + 2.5 * kept
    (answer,) = receive(session, frames.link_request(ADDRESS, frames.HEARTBEAT), now=20.0)
    assert isinstance(answer, Send)
    assert session.deadline == 20.0 + 2.5 * kept
    assert session.expire(session.deadline) == [Close("silent for 2.5 heartbeats")]


def test_octets_that_are_no_frame_are_no_sign_of_life() -> None:
    session = online()
    deadline = session.deadline
    assert receive(session, b"\x00" * 100, now=10.0) == []
    assert session.deadline == deadline


def test_too_much_garbage_closes_and_a_good_frame_forgives() -> None:
    session = online()
    for _ in range(3):
        assert receive(session, b"\x00" * 150) == []
        assert len(receive(session, frames.link_request(ADDRESS, frames.HEARTBEAT))) == 1
    assert receive(session, b"\x00" * 201) == [Close("201 octets and no frame")]
    assert session.counters.garbage_octets == 651


def test_nothing_counts_before_login() -> None:
    session = connected()
    for frame in (
        frames.report(ADDRESS, [1], 1, 1),
        frames.link_request(ADDRESS, frames.HEARTBEAT),
        frames.link_request(ADDRESS, frames.LOGOUT),
        frames.fragments(ADDRESS, frames.day_record([1, 2], 1, 1), 20)[0],
    ):
        assert receive(session, frame) == []
    assert session.counters.frames_ignored == 4
    assert session.deadline == 30.0


def test_pushes_are_kept_first_and_answered_later() -> None:
    session = online()
    push, logout = frames.report(ADDRESS, [1], 1, 1, piid=9), frames.link_request(ADDRESS, frames.LOGOUT)
    store, answer, close = receive(session, push + logout)
    assert isinstance(store, Store)
    assert isinstance(answer, Send)
    assert close == Close("logout")
    assert [one.octets for one in store.pushes] == [push]
    assert session.kept([b"late"], 1) == []


def test_a_session_is_full_until_its_pushes_are_settled() -> None:
    session = online()
    receive(session, frames.report(ADDRESS, [1], 1, 1) * 2)
    assert session.full
    assert session.kept([b"one", b"two"], 2) == [Send(b"onetwo")]
    assert not session.full


def test_nobody_reports_in_anothers_name() -> None:
    session = online()
    assert receive(session, frames.report(ADDRESS + 1, [1], 1, 1)) == []
    assert receive(session, frames.link_request(ADDRESS + 1, frames.LOGOUT)) == []
    assert receive(session, frames.link_request(ADDRESS)) == [Admit(KEY)]


def test_a_connection_is_one_terminals_for_its_life() -> None:
    session = online()
    assert receive(session, frames.link_request(ADDRESS + 1)) == [Close(ANOTHER)]
    assert session.state is State.CLOSED


def test_a_refused_login_is_answered_and_closed() -> None:
    session = connected()
    receive(session, frames.link_request(ADDRESS))
    answer, close = session.refused("unknown terminal", now_us=5)
    assert isinstance(answer, Send)
    assert close == Close("unknown terminal")
    assert session.admitted(ENTRY, now=3.0, now_us=3) == []


def test_a_closed_session_does_nothing_more() -> None:
    session = online()
    assert session.end("enough") == [Close("enough")]
    assert session.end("enough") == []
    assert receive(session, frames.report(ADDRESS, [1], 1, 1)) == []
    assert session.expire(1e9) == []


def test_every_state_can_be_left() -> None:
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.CLOSED}
    for state in set(State) - {State.CLOSED}:
        assert State.CLOSED in {to for (start, _), to in TRANSITIONS.items() if start is state}


@given(st.lists(st.binary(max_size=80), max_size=8), st.sampled_from([Dlt698Driver, Gdw1376Driver]), st.booleans())
def test_nothing_that_comes_in_raises(pieces: list[bytes], driver: type, framed: bool) -> None:
    session = Session(driver(1000), HeadEndSettings(), Counters(), now=0.0)
    for piece in pieces:
        octets = frames.framed(driver.protocol, piece) if framed else piece
        for effect in session.receive(octets, now=1.0, now_us=1):
            if isinstance(effect, Admit):
                session.admitted(ENTRY, now=1.0, now_us=1)


@given(st.integers(1, 40), st.data())
def test_frames_may_come_in_any_pieces(pushes: int, data: st.DataObject) -> None:
    octets = b"".join(frames.report(ADDRESS, [1], day, day) for day in range(pushes))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(octets)), max_size=10)))
    session, found = online(), 0
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        found += sum(len(one.pushes) for one in receive(session, octets[start:end]) if isinstance(one, Store))
    assert found == pushes
