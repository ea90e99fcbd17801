"""A slow or hostile peer costs us its own connection, and the others nothing."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from meterweave.headend import HeadEndSettings
from meterweave.headend.session import State
from tests.headend import frames
from tests.headend.centre import Centre, Terminal, add_terminal, centre, run, until

TERMINAL, METER = 100, 55


async def _honest_day(there: Centre, day: int) -> None:
    """A terminal logs in, reports and is acknowledged."""
    terminal = await there.dial()
    assert await terminal.ask(frames.link_request(TERMINAL))
    assert await terminal.ask(frames.report(TERMINAL, [METER], day, day))
    terminal.close()


async def _random_octets(peer: Terminal) -> None:
    peer.writer.write(random.Random(1).randbytes(3000))
    await peer.closed()


async def _endless_lengths(peer: Terminal) -> None:
    """Headers that promise more than they bring."""
    peer.writer.write(b"\x68\xff\x3f\x83\x05" * 400 + b"\x68\xfe\xff\xfe\xff\x68" * 400)
    await peer.closed()


async def _one_octet_at_a_time(peer: Terminal) -> None:
    """Slow loris: always about to log in."""
    for octet in frames.link_request(TERMINAL)[:-1]:
        peer.writer.write(bytes([octet]))
        await asyncio.sleep(0.001)
    await peer.closed()


async def _says_nothing(peer: Terminal) -> None:
    await peer.closed()


@pytest.mark.parametrize("attack", [_random_octets, _endless_lengths, _one_octet_at_a_time, _says_nothing])
@pytest.mark.parametrize("protocol", ["dlt698", "gdw1376-1"])
def test_only_its_own_connection_ends(
    tmp_path: Path, attack: Callable[[Terminal], Awaitable[None]], protocol: str
) -> None:
    add_terminal(tmp_path, "dlt698", str(TERMINAL), {str(METER): None})
    settings = HeadEndSettings(login_within_s=1.0, sweep_s=0.05, garbage_octets_max=2000)

    async def day() -> None:
        async with centre(tmp_path, settings) as there:
            under_attack = asyncio.create_task(attack(await there.dial(protocol)))
            await _honest_day(there, 1)
            await under_attack
            await _honest_day(there, 2)
            assert there.readings() == [(2,)]
            await until(lambda: not there.head_end.connections)

    run(day)


def test_half_open_connections_end_by_silence(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", str(TERMINAL), {str(METER): None})
    settings = HeadEndSettings(silence_heartbeats=0.1, sweep_s=0.02)  # of 10 s

    async def day() -> None:
        async with centre(tmp_path, settings) as there:
            terminal = await there.dial()
            await terminal.ask(frames.link_request(TERMINAL, heartbeat_s=10))
            await terminal.closed()
            await until(lambda: there.head_end.counters.terminals_online == 0)

    run(day)


def test_who_does_not_read_is_not_read_and_then_closed(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", str(TERMINAL), {str(METER): None})
    settings = HeadEndSettings(silence_heartbeats=0.2, sweep_s=0.05, write_octets_max=1000, session_pushes_max=16)

    async def day() -> None:
        async with centre(tmp_path, settings) as there:
            loop = asyncio.get_running_loop()
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            peer.setblocking(False)
            await loop.sock_connect(peer, ("127.0.0.1", there.ports["dlt698"]))
            await loop.sock_sendall(peer, frames.link_request(TERMINAL, heartbeat_s=10))
            octets = frames.report(TERMINAL, [METER], 1, 1) * 200

            async def flood() -> None:
                while True:
                    await loop.sock_sendall(peer, octets)

            with pytest.raises(OSError):
                await flood()
            peer.close()
            await _honest_day(there, 2)
            assert there.head_end.intake.idle

    run(day)


def test_three_hundred_terminals_call_at_once_and_all_are_served(tmp_path: Path) -> None:
    async def day() -> None:
        async with centre(tmp_path, enrol=True) as there:

            async def call(number: int) -> None:
                terminal = await there.dial()
                assert await terminal.ask(frames.link_request(1000 + number))
                assert await terminal.ask(frames.report(1000 + number, [5000 + number], 1, number))
                terminal.close()

            await asyncio.gather(*(call(number) for number in range(300)))
            assert there.readings("count(*), count(DISTINCT meter), sum(value)") == [(300, 300, 44850 * 100)]

    run(day)


def test_more_connections_than_allowed_are_turned_away(tmp_path: Path) -> None:
    async def day() -> None:
        async with centre(tmp_path, HeadEndSettings(connections_max=2)) as there:
            kept = [await there.dial(), await there.dial()]
            await until(lambda: len(there.head_end.connections) == 2)
            assert await (await there.dial()).closed() == b""
            assert there.head_end.counters.connections_turned_away == 1
            kept[0].close()
            await until(lambda: len(there.head_end.connections) == 1)

    run(day)


def test_what_does_not_fit_is_dropped_unanswered_and_sent_again(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", str(TERMINAL), {str(METER): None})
    size = len(frames.report(TERMINAL, [METER], 1, 1))
    settings = HeadEndSettings(waiting_octets_max=3 * size)

    async def day() -> None:
        async with centre(tmp_path, settings) as there:
            terminal = await there.dial()
            await terminal.ask(frames.link_request(TERMINAL))
            terminal.writer.write(b"".join(frames.report(TERMINAL, [METER], day, day) for day in range(5)))
            for _ in range(3):
                await terminal.frame()
            assert there.head_end.counters.pushes_dropped == 2
            for day in (3, 4):
                await terminal.ask(frames.report(TERMINAL, [METER], day, day))
            assert there.readings() == [(5,)]

    run(day)


def test_who_reads_no_more_is_let_go_however_little_waits_for_him(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "000000000001")

    async def day() -> None:
        loop = asyncio.get_running_loop()
        settings = HeadEndSettings(silence_heartbeats=0.1, sweep_s=0.05, close_within_s=0.2)
        async with centre(tmp_path, settings) as there:
            with socket.socket() as link:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                link.setblocking(False)
                await loop.sock_connect(link, ("127.0.0.1", there.ports["dlt698"]))
                await loop.sock_sendall(link, frames.link_request(1, heartbeat_s=10))
                await until(lambda: there.head_end.counters.logins)
                (connection,) = there.head_end.connections
                beat = frames.link_request(1, frames.HEARTBEAT)
                transport = connection._transport
                assert transport is not None
                while connection.session.state is State.ONLINE and not transport.get_write_buffer_size():
                    await loop.sock_sendall(link, beat * 50)
                    await asyncio.sleep(0)
                assert transport.get_write_buffer_size() < settings.write_octets_max
                await until(lambda: not there.head_end.connections)

    run(day)


def test_an_end_under_load_reads_no_more(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "000000000001", {"000000000101": None})

    async def push(terminal: Terminal) -> None:
        day = 0
        with suppress(ConnectionError):
            while True:
                terminal.writer.write(frames.report(1, [101], day % 500, day))
                await terminal.writer.drain()
                day += 1

    async def day() -> None:
        async with centre(tmp_path) as there:
            terminal = await there.dial()
            assert await terminal.ask(frames.link_request(1))
            pushing = asyncio.create_task(push(terminal))
            drinking = asyncio.create_task(terminal.closed())
            await until(lambda: there.head_end.counters.pushes_kept > 50)
            counters = there.head_end.counters
            stopping = asyncio.create_task(there.head_end.stop())
            await asyncio.sleep(0)
            read = counters.frames
            await stopping
            assert counters.frames == read
            assert counters.pushes_kept == counters.pushes
            pushing.cancel()
            await asyncio.gather(pushing, drinking, return_exceptions=True)

    run(day)


def test_who_is_gone_before_he_is_taken_costs_nothing(tmp_path: Path) -> None:
    async def day() -> None:
        broken: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
        async with centre(tmp_path) as there:
            for _ in range(100):
                with socket.create_connection(("127.0.0.1", there.ports["dlt698"])) as link:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            terminal = await there.dial()
            terminal.writer.write(frames.link_request(1))
            await terminal.closed()  # refused, after all who came before
            await until(lambda: not there.head_end.connections)
        assert broken == []

    run(day)
