"""Lines of the archives, mastered by a centre: real archives, a real lake, serial servers on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from meterweave.centre import LineSettings
from meterweave.centre.lasting import lasting_of
from meterweave.centre.lines import FOLLOW_S
from meterweave.errors import ConfigError
from meterweave.field.poller import Told
from meterweave.field.ports import Link, Port
from meterweave.headend.lake_rows import event_rows
from meterweave.lake import Lake
from meterweave.metering.batch import Source
from meterweave.metering.events import Event, event_codes
from meterweave.profiles import texts
from meterweave.registry import Registry, Terminal
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalState
from tests.centre.buses import QUICK, Hung, add_line, bus_of, hang, meters_of, run, running, until, whole
from tests.field.wire import SerialServer

NOW_US = 1_700_000_000_000_000
PREPAID = [Hung(f"u{number}", "prepaid-modbus-single-phase") for number in (1, 2, 3)]
ELECTRICITY = Hung("000012345678", "dlt645-single-phase")
WATER = Hung("00000000012345", "cjt188-water-valve")
HEAT = Hung("7", "mbus-heat")


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry.open(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


def tcp(server: SerialServer, more: str = "") -> str:
    return f"tcp://127.0.0.1:{server.port}?{QUICK}{more}"


def test_lines_of_four_protocols_are_read_into_the_lake(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        kinds = {"a": ELECTRICITY, "b": WATER, "c": HEAT, "d": PREPAID[0]}
        servers = {name: SerialServer(bus_of(one)) for name, one in kinds.items()}
        for server in servers.values():
            await server.start()
        ids = {}
        for name, one in kinds.items():
            terminal = add_line(archives, name, tcp(servers[name], "&bus=mbus" if one is HEAT else ""), one)
            ids[name] = terminal, meters_of(archives, name)[one.address]
        async with running(tmp_path, archives) as here:
            told: list[int] = []
            here.centre.head_end.intake.on_kept.append(lambda batch: told.append(len(batch)))
            for name, one in kinds.items():
                await until(lambda name=name, one=one: [here.read(ids[name][1])] == whole(one))  # type: ignore[misc]
            await here.centre.lines.collector.kept()
            assert here.centre.head_end.counters.readings == sum(told) == sum(map(len, whole(*kinds.values())))
        for server in servers.values():
            await server.stop()
        with archives.reading() as session:  # heard, and so no longer only planned
            for terminal, _ in ids.values():
                found = session.get(Terminal, terminal)
                assert found is not None
                assert (found.state, found.last_seen_at is not None) == (TerminalState.ACTIVE, True)

    run(test)


def test_changes_of_the_archives_are_followed_and_other_lines_undisturbed(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        one, two, three = PREPAID
        async with SerialServer(bus_of(one, two, three)) as first, SerialServer(bus_of(one)) as second:
            add_line(archives, "a", tcp(first), one)
            add_line(archives, "b", tcp(second), one)
            async with running(tmp_path, archives) as here:
                (meter,) = meters_of(archives, "a").values()
                await until(lambda: [here.read(meter)] == whole(one))
                other = here.centre.lines.collector.lanes["b"]
                with archives.writing() as session:
                    line = session.get(Terminal, 1)
                    assert line is not None
                    new, nameless = hang(session, line, two), hang(session, line, three, model="")
                await until(lambda: [here.read(new)] == whole(two))
                why = here.centre.lines.meter_problem(nameless)
                assert why is not None
                assert "it has no model" in why.en
                with archives.writing() as session:
                    line = session.get(Terminal, 1)
                    assert line is not None
                    line.state = TerminalState.SUSPENDED
                await until(lambda: set(here.centre.lines.collector.lanes) == {"b"})
                assert not here.centre.lines.online(1)
                assert here.centre.lines.collector.lanes["b"] is other
            assert second.connections == 1

    run(test)


def test_a_profile_of_the_data_folder_is_used_and_followed_as_its_file_changes(
    tmp_path: Path, archives: Registry
) -> None:
    async def test() -> None:
        folder = tmp_path / "profiles"
        folder.mkdir()
        path = folder / "our-meter.yaml"
        path.write_text("name: our-meter\nprotocol: modbuss\n", encoding="utf-8")
        async with SerialServer(bus_of(PREPAID[0])) as server:
            line = add_line(archives, "a", tcp(server))
            with archives.writing() as session:
                terminal = session.get(Terminal, line)
                assert terminal is not None
                meter = hang(session, terminal, PREPAID[0], model="our-meter")
            async with running(tmp_path, archives) as here:
                lines = here.centre.lines
                await until(lambda: lines.meter_problem(meter))
                assert "our-meter.yaml:2:11" in str(lines.meter_problem(meter))
                assert "none of its meters" in str(lines.problem(line))
                path.write_text(texts()["prepaid-modbus-single-phase"], encoding="utf-8")
                await until(lambda: [here.read(meter)] == whole(PREPAID[0]))
                assert (lines.problem(line), lines.meter_problem(meter)) == (None, None)

    run(test)


def test_a_line_that_cannot_be_is_told_of_with_the_arithmetic_and_the_others_are_read(
    tmp_path: Path, archives: Registry
) -> None:
    async def test() -> None:
        async with SerialServer(bus_of(PREPAID[0])) as server:
            many = [Hung(f"u{number}", "prepaid-modbus-single-phase") for number in range(1, 31)]
            busy = add_line(archives, "busy", f"tcp://127.0.0.1:{server.port}?baud=2400&period_s=5", *many)
            dtu = add_line(archives, "dtu", "dtu:4d57", PREPAID[0])
            add_line(archives, "good", tcp(server), PREPAID[0])
            same = add_line(archives, "same", tcp(server).replace("tcp:", "modbus-tcp:"), PREPAID[1])
            (meter,) = meters_of(archives, "good").values()
            async with running(tmp_path, archives) as here:
                await until(lambda: here.read(meter))
                lines = here.centre.lines
                assert "30 × prepaid-modbus-single-phase every 5 s" in str(lines.problem(busy))
                assert "set dtu_port" in str(lines.problem(dtu))
                assert "that of line good" in str(lines.problem(same))

    run(test)


def test_a_dtu_dials_in_and_only_from_where_it_may(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        add_line(archives, "a", f"dtu:4d57?{QUICK}", PREPAID[0])
        (meter,) = meters_of(archives, "a").values()
        elsewhere = LineSettings(dtu_port=0, allow=("192.0.2.0/24",))
        async with running(tmp_path, archives, lines=elsewhere) as here:
            ((_, host, port),) = here.centre.ports
            reader, writer = await asyncio.open_connection(host, port)
            assert await reader.read() == b""
            writer.close()
        async with running(tmp_path, archives, lines=LineSettings(dtu_port=0)) as here:
            await until(lambda: "a" in here.centre.lines.collector.lanes)
            ((_, host, port),) = here.centre.ports
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(b"MW")
            carrying = asyncio.create_task(SerialServer(bus_of(PREPAID[0])).carry(reader, writer))
            await until(lambda: [here.read(meter)] == whole(PREPAID[0]))
            with pytest.raises(ConfigError, match="cannot be opened for DTUs"):
                async with running(tmp_path / "other", archives, lines=LineSettings(dtu_port=port)):
                    pass
            carrying.cancel()

    run(test)


def test_what_lasts_is_an_event_once_over_restarts_and_its_end_another(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        overload = event_codes()["overload"]
        bus = bus_of(PREPAID[0])
        device = bus.devices[0][0]
        async with SerialServer(bus) as server:
            add_line(archives, "a", tcp(server, "&period_s=1"), PREPAID[0])
            (meter,) = meters_of(archives, "a").values()
            device.lasting = {overload}
            for _ in range(2):
                async with running(tmp_path, archives) as here:
                    await until(lambda: "a" in here.centre.lines.collector.lanes)
                    lane = here.centre.lines.collector.lanes["a"]
                    await until(lambda: lane.devices[meter].polls > 1)  # noqa: B023
                    await here.centre.lines.collector.kept()
                    assert here.events(meter) == [overload]
            device.lasting = set()
            for _ in range(2):
                async with running(tmp_path, archives) as here:
                    await until(lambda: len(here.events(meter)) == 2)
                    assert here.events(meter) == [overload, overload + 5]

    run(test)


def test_a_line_that_vanishes_and_comes_back_is_read_on(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        server = SerialServer(bus_of(PREPAID[0]))
        await server.start()
        line = add_line(archives, "a", tcp(server, "&period_s=1"), PREPAID[0])
        (meter,) = meters_of(archives, "a").values()
        async with running(tmp_path, archives) as here:
            await until(lambda: here.read(meter))
            await server.stop()
            await until(lambda: not here.centre.lines.online(line))
            before = here.count(meter)
            await server.start()
            await until(lambda: here.count(meter) > before)
            assert here.centre.lines.online(line)
        await server.stop()

    run(test)


def test_noise_half_frames_and_two_of_one_address_are_told_of_and_cost_the_others_nothing(
    tmp_path: Path, archives: Registry
) -> None:
    async def test() -> None:
        one, two, three = PREPAID
        bus = bus_of(one, two, two, three)
        bus.devices[2][0].now_s = 77  # answers otherwise than the other one of its address, so both are spoilt
        bus.devices[2][0].set(whole_code(two), 123_400)
        noise = [b"\xff\x00\x12", b"", b"\x01\x03"]

        def spoil(octets: bytes) -> bytes:
            kind = len(bus.asked) % 5
            if bus.asked[-1][0] != 3 or kind > 1:
                return octets
            return noise[kind] + octets[: len(octets) // 2] if kind else noise[0] + octets

        bus.spoil = spoil
        async with SerialServer(bus) as server:
            add_line(archives, "a", tcp(server, "&period_s=1"), one, two, three)
            meters = meters_of(archives, "a")
            async with running(tmp_path, archives) as here:
                await until(lambda: [here.read(meters["u1"]), here.read(meters["u3"])] == whole(one, three))
                lane = here.centre.lines.collector.lanes["a"]
                await until(lambda: lane.known(meters["u2"]) in (Told.BROKEN, Told.PARTLY))
                await until(lambda: lane.devices[meters["u3"]].polls > 2)
                assert lane.counters.garbage_octets > 0
                values = here.lake.query(
                    f"SELECT DISTINCT value FROM readings WHERE meter = {meters['u2']} AND quantity = {whole_code(two)}"
                )
                assert 123_400 not in values["value"].to_pylist()  # nobody's value under the other's name

    run(test)


def whole_code(meter: Hung) -> int:
    """The first quantity of a meter."""
    return meter.profile.points[0].quantity.code


def test_the_centre_notices_when_its_lines_fail(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        async with SerialServer(bus_of(PREPAID[0])) as server:
            add_line(archives, "a", tcp(server), PREPAID[0])
            async with running(tmp_path, archives) as here:
                here.centre.lines.collector._keep = None  # type: ignore[assignment]  # a fault of ours
                with pytest.raises(ExceptionGroup):
                    async with asyncio.timeout(60):
                        await here.centre.watch()

    run(test)


def test_a_fault_in_one_line_costs_the_others_nothing(tmp_path: Path, archives: Registry) -> None:
    class Faulty(Port):
        name = "faulty"

        async def open(self) -> Link:
            raise KeyError("a fault of ours")

    async def test() -> None:
        async with SerialServer(bus_of(PREPAID[0])) as server:
            add_line(archives, "a", tcp(server), PREPAID[0])
            add_line(archives, "b", "tcp://127.0.0.1:9", PREPAID[1])
            (meter,) = meters_of(archives, "a").values()
            async with running(tmp_path, archives) as here:
                collector = here.centre.lines.collector
                await until(lambda: "b" in collector.lanes)
                lane = collector.lanes["b"]
                collector.set_lines([(lane.plan, Faulty()), (collector.lanes["a"].plan, collector.lanes["a"].port)])
                await until(lambda: collector.lanes["b"].is_lost)
                await until(lambda: [here.read(meter)] == whole(PREPAID[0]))

    run(test)


def test_a_change_that_has_nothing_to_do_with_lines_plans_nothing_anew(tmp_path: Path, archives: Registry) -> None:
    async def test() -> None:
        async with SerialServer(bus_of(PREPAID[0])) as server:
            add_line(archives, "a", tcp(server), PREPAID[0])
            add_line(archives, "b", tcp(server).replace("tcp:", "modbus-tcp:"), PREPAID[1])
            async with running(tmp_path, archives) as here:
                lines = here.centre.lines
                await until(lambda: "a" in lines.collector.lanes)
                planned = lines.collector.refused
                with archives.writing() as session:
                    enrol(session, "n5", "block-3")
                await asyncio.sleep(4 * FOLLOW_S)  # long enough for it to be seen and looked at
                assert lines.collector.refused is planned
                third = add_line(archives, "c", "serial:/dev/none", PREPAID[0])
                await until(lambda: lines.has(third))
                assert lines.collector.refused is not planned

    run(test)


def test_what_lasts_is_not_asked_for_any_more_once_the_centre_ends(tmp_path: Path) -> None:
    overload = event_codes()["overload"]
    with Lake.open(tmp_path / "lake", maintain=False) as lake:
        rows = event_rows(
            [Event(0, 7, False, overload, NOW_US, None, None, None, int(Source.READ))],
            np.array([1]),
            np.array([7]),
            NOW_US,
        )
        lake.append_blocking(None, events=rows)
        assert lasting_of(lake, [7]) == {7: {overload}}
        assert lasting_of(lake, [7], lambda: True) == {7: frozenset()}
