"""Commands to meters on lines: given to the archives, carried out through a centre over real sockets."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterweave.centre.router import NO_KEEP, Router, wishes
from meterweave.field.order import Happened, Outcome, Wish
from meterweave.headend import operations as op
from meterweave.metering.batch import Profile
from meterweave.profiles import texts
from meterweave.registry import Registry, Terminal
from meterweave.registry.command_orders import Order, give
from meterweave.registry.commands import METER_KINDS, CommandCard, CommandKind, CommandState, find_command, steps_of
from meterweave.registry.meter_entries import MeterEntry, meter_entry
from meterweave.registry.terminals import enrol
from meterweave.text import Text
from tests.centre.buses import QUICK, Hung, Running, add_line, bus_of, hang, meters_of, run, running, until
from tests.field.wire import SerialServer

PREPAID = Hung("u1", "prepaid-modbus-single-phase")
SINGLE = Hung("000012345678", "dlt645-single-phase")
AUTHORITY = op.Authority(4, bytes.fromhex("a1b2c3"), bytes.fromhex("00000007"))


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry.open(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


async def commanded(here: Running, kind: CommandKind, target: int, **arguments: Any) -> CommandCard:
    """Give a command to a meter, or a line, and wait for its end."""
    now = datetime.now(UTC)
    which = {"meter" if kind in METER_KINDS else "terminal": target}
    order = Order(
        "test", uuid.uuid4().hex, kind, now + timedelta(hours=1), arguments=arguments, reason="a test", **which
    )
    command = give(here.registry, order, now=now).command.id

    def card() -> CommandCard:
        with here.registry.reading() as session:
            return find_command(session, command)

    await until(lambda: card().ended)
    return card()


def line_with(archives: Registry, server: SerialServer, *meters: Hung) -> dict[str, int]:
    add_line(archives, "a", f"tcp://127.0.0.1:{server.port}?{QUICK}", *meters)
    return meters_of(archives, "a")


def test_trip_state_close_and_read_over_a_line(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        bus = bus_of(PREPAID)
        async with SerialServer(bus) as server:
            meter = line_with(archives, server, PREPAID)["u1"]
            async with running(tmp_path, archives) as here:
                tripped = await commanded(here, CommandKind.TRIP, meter)
                assert (tripped.state, bus.devices[0][0].closed) == (CommandState.CONFIRMED, False)
                seen = await commanded(here, CommandKind.READ_RELAY, meter)
                assert (seen.state, seen.facts) == (CommandState.CONFIRMED, {"closed": False})
                closed = await commanded(here, CommandKind.CLOSE, meter)
                assert (closed.state, bus.devices[0][0].closed) == (CommandState.CONFIRMED, True)
                before = here.count(meter)
                read = await commanded(here, CommandKind.READ, meter)
                assert read.state is CommandState.CONFIRMED
                assert here.count(meter) > before  # kept before it was said to be done
        assert [one.name for one in bus.devices[0][0].given] == ["trip", "close"]

    run(test)


def test_an_order_whose_answer_is_swallowed_is_sent_once_and_found_out_about(
    tmp_path: Path, archives: Registry
) -> None:
    async def test() -> None:
        bus = bus_of(PREPAID)
        trip = PREPAID.profile.trip("1").octets
        bus.spoil = lambda octets: b"" if bus.asked[-1] == trip else octets
        async with SerialServer(bus) as server:
            meter = line_with(archives, server, PREPAID)["u1"]
            async with running(tmp_path, archives) as here:
                card = await commanded(here, CommandKind.TRIP, meter)
                assert card.state is CommandState.CONFIRMED
                assert card.outcome is not None
                assert "found by reading the relay" in card.outcome.en
                with archives.reading() as session:
                    states = [step.state for step in steps_of(session, card.id)]
        assert states == [CommandState.QUEUED, CommandState.SENT, CommandState.UNKNOWN, CommandState.CONFIRMED]
        assert bus.asked.count(trip) == 1

    run(test)


def test_an_order_that_never_arrived_is_found_to_have_failed(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        bus = bus_of(PREPAID)
        trip, feed = PREPAID.profile.trip("1").octets, bus.feed
        heard: list[bytes] = []

        def lossy(octets: bytes, now_s: float = 0.0) -> bytes:
            heard.append(octets)
            return b"" if octets == trip else feed(octets, now_s)

        bus.feed = lossy  # type: ignore[method-assign]
        async with SerialServer(bus) as server:
            meter = line_with(archives, server, PREPAID)["u1"]
            async with running(tmp_path, archives) as here:
                card = await commanded(here, CommandKind.TRIP, meter)
        assert (card.state, card.facts) == (CommandState.FAILED, {"closed": True})
        assert heard.count(trip) == 1

    run(test)


def test_the_authority_goes_with_the_order(tmp_path: Path, archives: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERWEAVE_RELAY_LEVEL", "04")
    monkeypatch.setenv("METERWEAVE_RELAY_PASSWORD", "a1b2c3")
    monkeypatch.setenv("METERWEAVE_RELAY_OPERATOR", "00000007")

    async def test() -> None:
        bus = bus_of(SINGLE)
        async with SerialServer(bus) as server:
            meter = line_with(archives, server, SINGLE)[SINGLE.address]
            async with running(tmp_path, archives) as here:
                card = await commanded(here, CommandKind.TRIP, meter)
        assert card.state is CommandState.CONFIRMED
        (sent,) = [octets for octets in bus.asked if octets.lstrip(b"\xfe")[8] == 0x1C]
        data = bytes((octet - 0x33) % 256 for octet in sent.lstrip(b"\xfe")[10:-2])
        assert data[:8] == bytes.fromhex("04c3b2a107000000")

    run(test)


def test_what_a_line_cannot_do_is_refused_in_words(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        folder = tmp_path / "profiles"
        folder.mkdir()
        unproven = texts()[PREPAID.model].replace(", proven: yes", "")
        (folder / "untried.yaml").write_text(unproven, encoding="utf-8")
        bus = bus_of(PREPAID, Hung("u2", PREPAID.model))
        async with SerialServer(bus) as server:
            line = add_line(archives, "a", f"tcp://127.0.0.1:{server.port}?{QUICK}", PREPAID)
            with archives.writing() as session:
                terminal = session.get(Terminal, line)
                assert terminal is not None
                untried = hang(session, terminal, Hung("u2", PREPAID.model), model="untried")
                nameless = hang(session, terminal, Hung("u3", PREPAID.model), model="")
            meter = meters_of(archives, "a")["u1"]
            async with running(tmp_path, archives) as here:
                for kind, target, words in (
                    (CommandKind.KEEP, meter, NO_KEEP.en),
                    (CommandKind.CLOCK, line, "a line has no clock"),
                    (CommandKind.SYNC, line, "a line has no archives to be sent"),
                    (CommandKind.PARAMETERS, line, "a line has no parameters"),
                    (CommandKind.EVENTS, line, "a line records no events"),
                    (CommandKind.TRIP, untried, "add proven: yes to it in a copy"),
                    (CommandKind.TRIP, nameless, "it has no model"),
                ):
                    card = await commanded(here, kind, target)
                    assert card.state is CommandState.REFUSED, kind
                    assert card.outcome is not None
                    assert words in card.outcome.en
        assert bus.devices[0][0].given == bus.devices[1][0].given == []

    run(test)


def test_a_line_that_is_not_run_says_why_and_the_command_waits(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        line = add_line(archives, "a", "dtu:4d57", PREPAID)
        meter = meters_of(archives, "a")["u1"]
        async with running(tmp_path, archives) as here:
            lines = here.centre.lines
            await until(lambda: lines.problem(line))
            router = Router(here.centre.head_end, lines)
            assert router.online(line)
            outcome = await router.call(line, op.ReadRelay(entry(archives, meter)))
            assert isinstance(outcome, op.NotSent)
            assert "set dtu_port" in outcome.reason.en
            assert not router.online(line + 100)
            assert isinstance(await router.call(line + 100, op.ReadClock()), op.NotSent)

    run(test)


class Afar:
    """A gateway that has one line, and says what it is told to say."""

    def __init__(self, line: int, says: Happened) -> None:
        self.line, self.says = line, says
        self.asked: list[Wish] = []

    def online(self, terminal: int) -> bool:
        return terminal == self.line

    async def call_line(self, line: int, wish: Wish, *, begin_s: float | None = None) -> Happened:
        self.asked.append(wish)
        return self.says


REASON = Text("because", "因为")


@pytest.mark.parametrize(
    ("says", "outcome"),
    [
        (Happened(Outcome.DONE), op.Done({})),
        (Happened(Outcome.DONE, None, True), op.Done({"closed": True})),
        (Happened(Outcome.REFUSED, REASON), op.Refused(REASON)),
        (Happened(Outcome.UNKNOWN, REASON), op.Unknown(REASON)),
        (Happened(Outcome.NOT_SENT, REASON), op.NotSent(REASON)),
    ],
)
def test_a_line_behind_a_gateway_is_asked_there(
    tmp_path: Path, archives: Registry, says: Happened, outcome: op.Outcome
) -> None:
    async def test() -> None:
        with archives.writing() as session:
            gateway = enrol(session, "n5", "block-3").id
        line = add_line(archives, "a", "tcp://127.0.0.1:9", PREPAID, collector=gateway)
        meter = entry(archives, meters_of(archives, "a")["u1"])
        async with running(tmp_path, archives) as here:
            afar = Afar(line, says)
            router = Router(here.centre.head_end, here.centre.lines, afar)
            assert router.online(line)
            assert not here.centre.lines.has(line)
            relay = op.Relay(meter, op.RelayAction.TRIP, AUTHORITY)
            assert await router.call(line, relay) == outcome
            (wish,) = afar.asked
            assert (wish.action, wish.level, wish.password, wish.operator) == ("trip", *AUTHORITY)

    run(test)


def entry(archives: Registry, meter: int) -> MeterEntry:
    with archives.reading() as session:
        found = meter_entry(session, meter)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "wanted",
    [
        op.ReadStored((), (), Profile.DAILY, 0, 0, 1),
        op.ReadEvents(0, 1),
        op.SyncArchives(()),
        op.SyncTasks((), ()),
        op.ReadClock(),
        op.SetClock(),
        op.ReadParameters(),
    ],
)
def test_every_other_operation_is_refused(wanted: op.Operation) -> None:
    found = wishes(wanted)
    assert isinstance(found, op.Refused)
    assert found.reason.en.startswith("a line ")
    assert found.reason.zh
