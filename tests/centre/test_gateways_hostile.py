"""What should not come to the port for gateways, and what a gateway should not believe."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from meterweave.centre.certificate import own_identity
from meterweave.centre.gateway_link import LOGGED_LINES_MAX
from meterweave.gateway import plan
from meterweave.gateway.gateway import Gateway
from meterweave.gateway.plan import SitePlan
from meterweave.gateway.settings import GatewaySettings
from meterweave.gateway.status import LineStatus, SiteStatus
from meterweave.gateway.store import Store, look
from meterweave.gateway.trust import Trust
from meterweave.gateway.wire import (
    FROM_STRANGERS,
    HELLO_OCTETS_MAX,
    ROWS_OCTETS_MAX,
    VERSION,
    Again,
    Bad,
    Decoder,
    Hello,
    Kept,
    Message,
    Ping,
    Plan,
    Pong,
    Refusal,
    Rows,
    Status,
    Welcome,
    encode,
)
from meterweave.headend.networks import server_tls
from meterweave.registry import Registry
from tests.centre.buses import WAIT_S, Hung, add_line, meters_of, run, until
from tests.gateway.rows import now_us, readings
from tests.gateway.site import LISTENING, QUICK, Peer, add_gateway, centre, gateways, settings_of, site

PREPAID = Hung("u1", "prepaid-modbus-single-phase")


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry.open(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


# The centre -----------------------------------------------------------------------------------------------------------


def test_a_wrong_key_is_counted_slowed_down_and_logged_once_without_the_key(
    tmp_path: Path, archives: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        _, key = add_gateway(archives, "mill")
        slow = replace(LISTENING, wrong_key_s=0.3)
        async with centre(tmp_path, archives, gateways=slow) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            loop = asyncio.get_running_loop()
            for name, wrong in (
                ("mill", "wr0ng"),
                ("mill", "wr0ng"),
                ("nobody", key),
                ("mill", ""),
                ("MILL\n", "é" * 9),
            ):
                peer, before = await Peer.connect(settings), loop.time()
                peer.say(Hello(VERSION, name, wrong, "j"))
                assert await peer.heard() == Refusal("unknown, suspended, or a wrong key")
                assert loop.time() - before >= 0.3
                assert await peer.closed()
            assert gateways(here).counters.keys_wrong == 5
            assert gateways(here).counters.logins == 0
            said = capsys.readouterr().out
            assert said.count("gateway refused") == 3  # once for each name
            assert "wr0ng" not in said
            (await Peer.let_in(settings)).close()

    run(test)


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x68" * 3000,
        b"\x16\x03\x01\xff\xff" + bytes(100),
    ],
)
def test_garbage_before_tls_is_counted_and_closed(tmp_path: Path, archives: Registry, octets: bytes) -> None:
    async def test() -> None:
        async with centre(tmp_path, archives, gateways=replace(LISTENING, login_within_s=2.0)) as here:
            port = here.centre.ports[-1].port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(octets)
            async with asyncio.timeout(WAIT_S):
                await reader.read(-1)
            writer.close()
            await until(lambda: gateways(here).counters.broken == 1)

    run(test)


def test_who_says_nothing_is_closed_before_and_after_tls(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        _, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives, gateways=replace(LISTENING, login_within_s=0.3)) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
            async with asyncio.timeout(WAIT_S):
                assert await reader.read(-1) == b""
            writer.close()
            for said in (b"", encode(Hello(VERSION, "mill", key, "j"))[:20]):
                with suppress(OSError):  # on a slow machine it is closed while TLS is on its way
                    peer = await Peer.connect(settings)
                    peer.writer.write(said)
                    assert await peer.closed()
            assert gateways(here).counters.logins == 0

    run(test)


def test_a_gateway_that_falls_silent_is_given_up(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives, gateways=replace(LISTENING, silence_s=1.5)) as here:
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            assert await peer.closed()
            await until(lambda: not gateways(here).online(gateway))

    run(test)


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack("!IB", HELLO_OCTETS_MAX + 1, 1),
        encode(Ping()),
        struct.pack("!IB", 5, 1) + b"[[[[",
    ],
)
def test_what_is_no_hello_ends_the_connection(tmp_path: Path, archives: Registry, octets: bytes) -> None:
    async def test() -> None:
        _, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            peer = await Peer.connect(settings_of(here, tmp_path, "mill", key))
            peer.writer.write(octets)
            assert await peer.closed()
            assert gateways(here).counters.broken == 1

    run(test)


@pytest.mark.parametrize(
    "octets",
    [
        struct.pack("!IB", ROWS_OCTETS_MAX + 1, 5),
        struct.pack("!IB", 1 << 31, 5),
        encode(Welcome(0)),
        encode(Hello(VERSION, "mill", "k", "j")),
        struct.pack("!IB", 3, 11) + b"{}",
        b"\xff" * 100,
    ],
)
def test_what_a_gateway_may_not_say_ends_its_connection(tmp_path: Path, archives: Registry, octets: bytes) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            peer.writer.write(octets)
            assert await peer.closed()
            await until(lambda: not gateways(here).online(gateway))
            assert gateways(here).counters.broken == 1

    run(test)


def test_another_version_is_told_so(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        _, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            peer = await Peer.connect(settings_of(here, tmp_path, "mill", key))
            peer.say(Hello(VERSION + 1, "mill", key, "j"))
            refusal = await peer.heard()
            assert isinstance(refusal, Refusal)
            assert "version 2" in refusal.reason

    run(test)


def test_strangers_are_bounded_and_networks_kept_out(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        _, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives, gateways=replace(LISTENING, strangers_max=2)) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            idle = [await asyncio.open_connection("127.0.0.1", settings.port) for _ in range(2)]
            reader, writer = await asyncio.open_connection("127.0.0.1", settings.port)
            async with asyncio.timeout(WAIT_S):
                assert await reader.read(-1) == b""
            assert gateways(here).counters.turned_away == 1
            for _, one in (*idle, (reader, writer)):
                one.close()
            await until(lambda: gateways(here).counters.broken == 2)
            (await Peer.let_in(settings)).close()
        async with centre(tmp_path, archives, gateways=replace(LISTENING, allow=("10.0.0.0/8",))) as here:
            with pytest.raises(OSError):
                await Peer.connect(settings_of(here, tmp_path, "mill", key))
            assert gateways(here).counters.turned_away == 1

    run(test)


def test_old_tls_is_not_spoken(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        async with centre(tmp_path, archives) as here:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.1", here.centre.ports[-1].port, ssl=context)

    run(test)


def test_a_gateway_that_takes_nothing_does_not_fill_the_memory(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        async with centre(tmp_path, archives) as here:
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
            link = gateways(here)._links[gateway]
            big = Plan({"x": "x" * (1 << 22)})
            for _ in range(20):
                link._say(big)
                await asyncio.sleep(0)
            await until(lambda: not gateways(here).online(gateway))
            peer.close()

    run(test)


def test_a_gateway_that_raves_does_not_fill_the_log(
    tmp_path: Path, archives: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        line = add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID, collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        async with centre(tmp_path, archives) as here:
            peer = await Peer.let_in(settings_of(here, tmp_path, "mill", key))
            for number in range(200):
                why = f"{number} " + "x" * 390
                lines = {one: LineStatus(False, False, None, why) for one in (line, line + 1000)}
                status = SiteStatus("r", lines, dict.fromkeys((meter, meter + 1000), why))
                peer.say(Status(status.to_json()), Rows(number + 1, "readings", why.encode()))
                assert isinstance(await peer.heard(), Bad)
            peer.close()
            await until(lambda: not gateways(here).online(gateway))
        said = capsys.readouterr().out
        ours = [one for one in said.splitlines() if "gateway" in one]
        assert len(ours) < LOGGED_LINES_MAX + 10
        assert "more than is logged" in said
        assert f"={line + 1000}" not in said
        assert f"={meter + 1000}" not in said
        assert all(len(one) < 400 for one in ours)

    run(test)


# The gateway ----------------------------------------------------------------------------------------------------------


Met = tuple[GatewaySettings, list[Hello]]


@asynccontextmanager
async def false_centre(folder: Path, says: Sequence[Message | bytes]) -> AsyncIterator[Met]:
    """Something with a certificate of its own that welcomes everybody and says these things; who said hello to it."""
    identity = own_identity(folder)
    met: list[Hello] = []
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        decoder = Decoder(FROM_STRANGERS)
        while (hello := decoder.next()) is None:
            octets = await reader.read(4096)
            if not octets:
                return
            decoder.feed(octets)
        assert isinstance(hello, Hello)
        met.append(hello)
        for one in says:
            writer.write(one if isinstance(one, bytes) else encode(one))
        while await reader.read(4096):
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls(*identity))
    port = server.sockets[0].getsockname()[1]
    yield GatewaySettings(host="127.0.0.1", port=port, name="mill", key="k", certificate=identity.pem(), **QUICK), met
    server.close()
    for task in tasks:
        task.cancel()


def test_another_certificate_is_not_believed_and_hears_no_key(tmp_path: Path) -> None:
    async def test() -> None:
        wanted = own_identity(tmp_path / "centre").pem()
        with Store(tmp_path / "site") as store:
            store.append(readings([1]), None)
        async with false_centre(tmp_path / "false", [Welcome(now_us())]) as (settings, met):
            other = replace(settings, certificate=wanted)
            async with site(tmp_path / "site", other) as box:
                await until(lambda: "certificate" in (_reason(tmp_path) or ""))
                assert not box.uplink.online
            assert met == []
            # Of several certificates the centre may have any.
            async with site(tmp_path / "site", replace(settings, certificate=wanted + settings.certificate)) as box:
                await until(lambda: box.uplink.online)
            assert met
        assert look(tmp_path / "site").held.rows == 1

    run(test)


def _reason(tmp_path: Path) -> str | None:
    contact = look(tmp_path / "site").contact
    return None if contact is None else contact.reason


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ([Kept(3)], "before the welcome"),
        ([Refusal("no room")], "no room"),
        ([Welcome(0), Kept(77)], "not on their way"),
        ([Welcome(0), Again(77)], "not on their way"),
        ([Welcome(0), Bad(77, "x")], "not on their way"),
        ([Welcome(0), Welcome(0)], "once more"),
        ([Welcome(0), b"\xff" * 50], "not what may come now"),
        ([b"HTTP/1.1 400 Bad Request"], "not what may come now"),
        ([Welcome(0), Pong(5), Refusal("go away")], "go away"),
    ],
)
def test_a_centre_that_talks_nonsense_costs_the_gateway_a_connection_and_no_reading(
    tmp_path: Path, says: list[Message | bytes], why: str
) -> None:
    async def test() -> None:
        with Store(tmp_path / "site") as store:
            store.append(readings([1]), None)
        async with false_centre(tmp_path / "false", says) as (settings, met), site(tmp_path / "site", settings):
            await until(lambda: len(met) >= 2)  # it tries again
            await until(lambda: why in (_reason(tmp_path) or ""))
        assert look(tmp_path / "site").held.rows == 1

    run(test)


@pytest.mark.parametrize("disk_is_full", [False, True])
def test_a_plan_that_cannot_be_used_or_written_down_does_not_hold_up_rows(
    tmp_path: Path, archives: Registry, monkeypatch: pytest.MonkeyPatch, disk_is_full: bool
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID, collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        if not disk_is_full:
            told = SitePlan.to_json
            monkeypatch.setattr(SitePlan, "to_json", lambda plan: {**told(plan), "newer": 1})
        with Store(tmp_path / "site") as store:
            for number in range(20):
                store.append(readings([meter], value=number), None)
            if disk_is_full:
                (pages,) = store._state.execute("PRAGMA page_count").fetchone()
                store._state.execute(f"PRAGMA max_page_count = {pages}")
            async with centre(tmp_path, archives) as here:
                box = Gateway(settings_of(here, tmp_path, "mill", key), store)
                task = asyncio.create_task(box.run())
                await until(lambda: here.count(meter) == 20 and box.rows_held == 0)
                assert box.uplink.counters.connections == 1
                assert (box.status().plan != "") == disk_is_full
                task.cancel()
                await asyncio.wait((task,))

    run(test)


def test_a_gateway_with_more_than_it_takes_hands_on_what_it_has_read(
    tmp_path: Path, archives: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        monkeypatch.setattr(plan, "DEVICES_MAX", 0)
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID, collector=gateway)
        (meter,) = meters_of(archives, "cellar").values()
        with Store(tmp_path / "site") as store:
            store.append(readings([meter]), None)
        async with (
            centre(tmp_path, archives) as here,
            site(tmp_path / "site", settings_of(here, tmp_path, "mill", key)) as box,
        ):
            await until(lambda: here.count(meter) == 1 and box.rows_held == 0)
            add_gateway(archives, "mill")  # a new key
            await until(lambda: not gateways(here).online(gateway))

    run(test)


def test_a_centre_that_falls_silent_is_tried_anew(tmp_path: Path) -> None:
    async def test() -> None:
        for says in ([Welcome(now_us())], []):
            async with (
                false_centre(tmp_path / "false", says) as (settings, met),
                site(tmp_path / "site", replace(settings, silence_s=0.2, connect_within_s=2.0)),
            ):
                await until(lambda: len(met) >= 2)

    run(test)


def test_a_clock_that_is_not_set_reads_nothing_until_the_centre_tells_the_time(
    tmp_path: Path, archives: Registry
) -> None:
    async def test() -> None:
        gateway, key = add_gateway(archives, "mill")
        add_line(archives, "cellar", "tcp://127.0.0.1:1", PREPAID, collector=gateway)
        assert meters_of(archives, "cellar")
        async with centre(tmp_path, archives) as here:
            settings = settings_of(here, tmp_path, "mill", key)
            async with site(tmp_path / "site", settings) as box:
                await until(lambda: "cellar" in box.collector.lanes)
            with Store(tmp_path / "site") as store:
                store.set_contact(store_contact(now_us() + 3_600_000_000))
            async with site(tmp_path / "site", replace(settings, port=1)) as box:
                await until(lambda: box._site is not None)
                assert not box.clock.is_set
                assert box.collector.lanes == {}
            with Store(tmp_path / "site") as store:
                store.set_contact(store_contact(now_us() + 3_600_000_000))
            async with site(tmp_path / "site", settings) as box:
                await until(lambda: "cellar" in box.collector.lanes)
                assert box.clock.is_set

    run(test)


def store_contact(at_us: int) -> object:
    from meterweave.gateway.store import Contact

    return Contact(at_us, True, "")


def test_trust_wants_the_very_certificate(tmp_path: Path) -> None:
    one, other = own_identity(tmp_path / "a"), own_identity(tmp_path / "b")
    trust = Trust(one.pem())
    assert trust.context.verify_mode is ssl.CERT_REQUIRED
    assert trust.context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert one.pem() != other.pem()
