"""``meterweave command``: given, waited for, found again, with exit codes that say what came of it."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from meterweave.cli.command import app, read_moment, read_span
from meterweave.cli.folder import Folder
from meterweave.errors import ConfigError
from meterweave.headend.operations import (
    Done,
    NotSent,
    Operation,
    Outcome,
    ReadClock,
    ReadEvents,
    ReadNow,
    ReadStored,
    Refused,
    Relay,
    SetClock,
    Unknown,
)
from meterweave.lake import EVENTS_SCHEMA, Lake
from meterweave.metering.batch import SCHEMA, Profile, Source
from meterweave.metering.events import event_codes
from meterweave.registry import Registry, TransformerDistrict
from meterweave.registry.terminals import enrol
from meterweave.text import Text
from tests.cli.conftest import Call
from tests.headend.dispatching import Answer, StandIn, always, dispatching
from tests.registry.records import add_meter

WHY = Text("the meter says no", "电表拒绝")
TRIP = ("command", "trip", "A-1", "--reason", "unpaid", "--operator", "wang")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A centre with one terminal and one meter, and an empty lake."""
    with Folder(tmp_path).registry() as registry, registry.writing() as session:
        session.add(TransformerDistrict(code="D1", name="Mill Lane"))
        meter = add_meter(session, "55", enrol(session, "dlt698", "100"))
        meter.asset_number = "A-1"
    Lake.open(tmp_path / "lake", maintain=False).close()
    return tmp_path


@contextmanager
def at_work(data: Path, answer: Answer) -> Iterator[StandIn]:
    """Somebody who carries out commands, beside the command line."""
    stand_in = StandIn(answer)
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def work() -> None:
        registry = Registry.open(data / "registry.sqlite")
        async with dispatching(registry, stand_in):
            await stop.wait()
        registry.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(work(),))
    thread.start()
    try:
        yield stand_in
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


# What comes of it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcomes", "code", "words"),
    [
        ([Done()], 0, "confirmed: done"),
        ([Refused(WHY)], 1, "refused: the meter says no"),
        ([Unknown(WHY), Done({"closed": False})], 0, "confirmed: found by reading the relay: it is open"),
        ([Unknown(WHY), Done({"closed": True})], 1, "failed: found by reading the relay: it is closed"),
        ([Unknown(WHY), Refused(WHY)], 3, "unknown: the relay cannot be read"),
    ],
)
def test_each_step_is_shown_and_the_exit_code_says_it(
    call: Call, data: Path, outcomes: list[Outcome], code: int, words: str
) -> None:
    with at_work(data, always(*outcomes)):
        said = call(*TRIP, "--data", data)
    assert said.code == code, said
    lines = said.out.splitlines()
    assert lines[0] == "command 1: trip, dlt645 000000000055 A-1"
    assert lines[1].endswith("queued: given")
    assert any("sent: " in line for line in lines)
    assert words in said.out
    assert said.err == ""


def test_all_four_switches(call: Call, data: Path) -> None:
    with at_work(data, always(Done())) as stand_in:
        for kind in ("trip", "close", "keep", "release"):
            assert call("command", kind, "55", "--reason", "test", "--data", data).code == 0
    assert [one.action.value for one in stand_in.asked if isinstance(one, Relay)] == [
        "trip",
        "close",
        "keep",
        "release",
    ]


def test_given_twice_with_one_id_it_is_carried_out_once(call: Call, data: Path) -> None:
    with at_work(data, always(Done())) as stand_in:
        assert call(*TRIP, "--id", "o-1", "--data", data).code == 0
        again = call(*TRIP, "--id", "o-1", "--data", data)
        other = call("command", "close", "A-1", "--reason", "x", "--operator", "wang", "--id", "o-1", "--data", data)
    assert (again.code, len(stand_in.asked)) == (0, 1)
    assert "given before" in again.out
    assert (other.code, other.err.count("\n")) == (2, 1)
    assert "another command already" in other.err


def test_the_operator_may_stand_in_the_environment(call: Call, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERWEAVE_OPERATOR", "zhao")
    found = call("command", "trip", "A-1", "--reason", "x", "--no-wait", "--json", "--data", data)
    assert found.json["command"]["operator"] == "zhao"


def test_without_waiting_and_then_looked_up(call: Call, data: Path) -> None:
    said = call(*TRIP, "--no-wait", "--data", data)
    assert said.code == 0
    assert f"meterweave command show 1 --data {data}" in said.err
    page = call("command", "show", 1, "--data", data)
    lines = [" ".join(line.split()) for line in page.out.splitlines()]
    assert lines[0] == "command 1: trip"
    assert "state queued" in lines
    assert "meter dlt645 000000000055" in lines
    assert "terminal dlt698 000000000100" in lines
    assert "reason unpaid" in lines
    assert any(line.endswith("queued wang given") for line in lines)


def test_without_a_centre_it_expires(call: Call, data: Path) -> None:
    said = call(*TRIP, "--within", "1s", "--data", data)
    assert said.code == 1
    assert "expired: its deadline passed" in said.out


def test_offline_it_waits_until_its_deadline(call: Call, data: Path) -> None:
    with at_work(data, always(NotSent(Text("away", "离线")))):
        said = call(*TRIP, "--within", "1s", "--data", data)
    assert said.code == 1
    assert "expired" in said.out


def test_ctrl_c_leaves_it_running(data: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "meterweave.cli", *TRIP, "--lang", "en", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith("command 1")
    assert "queued" in child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "the command goes on; see what comes of it with: meterweave command show 1" in said
    with Folder(data).archives() as registry, registry.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT state FROM commands").scalars().all() == ["queued"]


# Asked first ---------------------------------------------------------------------------------------------------------


class Somebody(io.StringIO):
    """Who sits at the terminal and types."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "code"), [("n\n", 1), ("y\n", 0)])
def test_who_sits_there_is_asked(
    call: Call, data: Path, monkeypatch: pytest.MonkeyPatch, typed: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdin", Somebody(typed))
    said = call(*TRIP, "--no-wait", "--data", data)
    assert said.code == code
    assert "trip dlt645 000000000055 A-1? [y/N]" in said.out
    assert ("nothing was done" in said.err) == (code == 1)
    assert len(call("command", "list", "--data", data, "--json").json["commands"]) == 1 - code


def test_yes_and_what_switches_nothing_are_not_asked(call: Call, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Somebody(""))
    assert call(*TRIP, "--yes", "--no-wait", "--data", data).code == 0
    assert call("command", "read", "A-1", "--no-wait", "--data", data).code == 0


# What it brought -----------------------------------------------------------------------------------------------------


def row(value: int, ts: datetime, profile: Profile, source: Source, quantity: int) -> dict[str, Any]:
    at = datetime.now(UTC)
    return dict(zip(SCHEMA.names, (1, quantity, int(profile), ts, value, 0, int(source), at), strict=True))


def reading(data: Path, profile: Profile) -> Answer:
    """Keeps what is asked for in the lake, as a head-end does before it gives the outcome; and a report beside it."""

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        assert isinstance(wanted, ReadNow | ReadStored)
        ts = datetime(2026, 11, 20, tzinfo=UTC)
        rows = [row(12_345 + n, ts, profile, Source.READ, one) for n, one in enumerate(wanted.quantities)]
        rows.append(row(1, ts + timedelta(hours=1), profile, Source.PUSHED, wanted.quantities[0]))
        with Lake.open(data / "lake", maintain=False) as lake:
            lake.append_blocking(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
        return Done()

    return answer


def test_values_that_were_read_are_shown(call: Call, data: Path) -> None:
    with at_work(data, reading(data, Profile.SPOT)):
        said = call("command", "read", "A-1", "active_import_energy", "1-0:32.7.0", "--data", data)
        again = call("command", "show", 1, "--data", data, "--json").json
    assert said.code == 0
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert "active energy import 1.2345 kWh spot 2026-11-20 08:00:00" in lines
    assert "voltage, phase A 123.46 V spot 2026-11-20 08:00:00" in lines
    found = [(one["name"], one["value"], one["unit"]) for one in again["values"]]
    assert found == [("active_import_energy", "1.2345", "kWh"), ("voltage_l1", "123.46", "V")]


def test_what_a_device_stored_is_read_for_a_span(call: Call, data: Path) -> None:
    span = ("--from", "2026-11-20", "--to", "2026-11-21T00:00")
    with at_work(data, reading(data, Profile.CURVE)) as stand_in:
        said = call("command", "read", "A-1", "voltage_l1", "--stored", "curve", *span, "--json", "--data", data)
    (asked,) = stand_in.asked
    assert isinstance(asked, ReadStored)
    assert (asked.profile, asked.period_s, asked.to_us - asked.from_us) == (Profile.CURVE, 900, 86_400_000_000)
    assert asked.from_us == np.datetime64("2026-11-19T16:00", "us").astype(int)
    assert [one["value"] for one in said.json["values"]] == ["123.45"]


def test_the_clock_and_parameters(call: Call, data: Path) -> None:
    with at_work(data, always(Done({"offset_s": -3}), Done(), Done({"40000200": "2026-11-20 08:00:00"}))) as stand_in:
        read = call("command", "clock", "100", "--data", data)
        put = call("command", "clock", "100", "--set", "--data", data)
        parameters = call("command", "parameters", "100", "40000200", "--data", data)
    assert [type(one) for one in stand_in.asked[:2]] == [ReadClock, SetClock]
    assert "clock ahead [s]  -3" in read.out
    assert put.code == 0
    assert "40000200  2026-11-20 08:00:00" in parameters.out


def happening(data: Path, ts: datetime) -> Answer:
    """Keeps two events as a head-end does: one of the terminal, one of its meter, and one of long before."""

    async def answer(terminal: int, wanted: Operation) -> Outcome:
        assert isinstance(wanted, ReadEvents)
        codes, source = event_codes(), int(Source.READ)
        rows = [
            (1, None, codes["power_outage"], ts, None, 1, None, source, datetime.now(UTC)),
            (1, 1, codes["cover_opened"], ts, ts + timedelta(minutes=1), 2, '{"a":1}', source, datetime.now(UTC)),
            (1, 1, codes["cover_opened"], ts - timedelta(days=9), None, 3, None, source, datetime.now(UTC)),
        ]
        named = [dict(zip(EVENTS_SCHEMA.names, one, strict=True)) for one in rows]
        with Lake.open(data / "lake", maintain=False) as lake:
            lake.append_blocking(events=pa.RecordBatch.from_pylist(named, schema=EVENTS_SCHEMA))
        return Done({"events": 2})

    return answer


def test_events_are_read_and_shown_in_words(call: Call, data: Path) -> None:
    ts = datetime(2026, 11, 20, tzinfo=UTC)
    span = ("--from", "2026-11-20", "--to", "2026-11-21T00:00")
    with at_work(data, happening(data, ts)) as stand_in:
        said = call("command", "events", "100", *span, "--data", data)
    midnight_us = int(np.datetime64("2026-11-19T16:00", "us").astype(int))
    assert stand_in.asked == [ReadEvents(midnight_us, midnight_us + 86_400_000_000)]
    assert said.code == 0, said
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert any(line.endswith("confirmed: events read: 2") for line in lines)
    assert any(line.startswith("2026-11-20 08:00:00 the terminal ") for line in lines)
    opened = next(line for line in lines if line.startswith("2026-11-20 08:00:00 dlt645 000000000055 "))
    assert opened.endswith('2026-11-20 08:01:00 {"a":1}')
    found = call("command", "show", 1, "--data", data, "--json").json["events"]
    assert [(one["meter"], one["name"]) for one in found] == [
        (None, "power_outage"),
        ("dlt645 000000000055", "cover_opened"),
    ]


def test_without_a_span_events_are_those_of_the_last_day(call: Call, data: Path) -> None:
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    with at_work(data, happening(data, hour_ago)) as stand_in:
        said = call("command", "events", "100", "--json", "--id", "e-1", "--data", data).json
        again = call("command", "events", "100", "--json", "--id", "e-1", "--data", data)
    (asked,) = stand_in.asked
    assert isinstance(asked, ReadEvents)
    assert asked.to_us - asked.from_us == 86_400_000_000
    assert said["command"]["arguments"] == {}
    assert len(said["events"]) == 2
    assert again.code == 0


def test_the_relay(call: Call, data: Path) -> None:
    with at_work(data, always(Done({"closed": True, "kept": False}))):
        said = call("command", "relay", "A-1", "--data", data, "--lang", "zh")
    assert "合闸状态  是" in said.out
    assert "保电状态  否" in said.out


def test_everything_as_json(call: Call, data: Path) -> None:
    with at_work(data, always(Done({"closed": False}))):
        said = call(*TRIP, "--json", "--data", data)
    # Who carries it out logs a line in this very process.
    (line,) = [one for one in said.out.splitlines() if one.startswith("{")]
    found = json.loads(line)
    assert found["command"]["state"] == "confirmed"
    assert found["command"]["facts"] == {"closed": False}
    assert [step["state"] for step in found["steps"]] == ["queued", "sent", "confirmed"]
    assert found["meter"] == "dlt645 000000000055"


# Found again, taken back ---------------------------------------------------------------------------------------------


def test_listed_by_state_and_page(call: Call, data: Path) -> None:
    assert call("command", "list", "--data", data).out == "no command is like that\n"
    for _ in range(3):
        call(*TRIP, "--no-wait", "--data", data)
    assert call("command", "cancel", 2, "--data", data).code == 0
    said = call("command", "list", "--data", data)
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == ["3", "2", "1"]
    assert "taken back before it was sent" in said.out
    found = call("command", "list", "--state", "queued", "--limit", 1, "--offset", 1, "--json", "--data", data).json
    assert [one["id"] for one in found["commands"]] == [1]
    assert found["commands"][0]["device"] == "dlt645 000000000055"


def test_cancelled_once(call: Call, data: Path) -> None:
    call(*TRIP, "--no-wait", "--data", data)
    assert "取消" in call("command", "cancel", 1, "--operator", "li", "--data", data, "--lang", "zh").out
    again = call("command", "cancel", 1, "--data", data)
    assert again.code == 2
    assert "only one that is queued can be cancelled" in again.err


# Mistakes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("trip", "A-2", "--reason", "x"), "no meter is called"),
        (("trip", "A-1", "--reason", " "), "needs a reason"),
        (("trip", "A-1"), "--reason"),
        (("trip", "A-1", "--reason", "x", "--within", "31d"), "30 days"),
        (("trip", "A-1", "--reason", "x", "--within", "soon"), "no length of time"),
        (("trip", "A-1", "--reason", "x" * 501), "1 to 500 characters"),
        (("read", "A-1", "volts"), "no quantity is called"),
        (("read", "A-1", "--stored", "daily"), "--from"),
        (("read", "A-1", "--from", "2026-01-01"), "--stored"),
        (("read", "A-1", "--stored", "daily", "--from", "2026-02-01", "--to", "2026-01-01"), "not before"),
        (("read", "A-1", "--stored", "daily", "--from", "yesterday"), "no time"),
        (("events", "100", "--from", "2026-02-01", "--to", "2026-01-01"), "not before"),
        (("events", "100", "--from", "9999-01-01"), "not before --to now"),
        (("events", "100", "--to", "soon"), "no time"),
        (("events", "A-1"), "no terminal is called"),
        (("clock", "A-1"), "no terminal is called"),
        (("show", "9"), "there is no command 9"),
        (("show", "99999999999999999999"), "there is no command"),
        (("cancel", "9"), "there is no command 9"),
    ],
)
def test_mistakes_are_told_and_nothing_is_stored(call: Call, data: Path, words: tuple[str, ...], said: str) -> None:
    found = call("command", *words, "--data", data)
    assert found.code == 2
    assert said in found.err
    assert call("command", "list", "--data", data, "--json").json == {"commands": []}


def test_where_there_is_no_centre(call: Call, tmp_path: Path) -> None:
    found = call(*TRIP, "--data", tmp_path)
    assert found.code == 2
    assert "holds no archives" in found.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "5", "0m", "-1m", "1w", "5 m"])
def test_lengths_of_time_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError):
        read_span(text)


def test_lengths_of_time_and_moments() -> None:
    assert [read_span(one).total_seconds() for one in ("90s", "5m", "2h", "1D")] == [90, 300, 7200, 86_400]
    assert read_moment("2026-06-01").astimezone(UTC) == datetime(2026, 5, 31, 16, tzinfo=UTC)
    assert read_moment("2026-06-01T00:00+00:00") == datetime(2026, 6, 1, tzinfo=UTC)


def test_the_reference_names_every_command_option_state_and_column() -> None:
    from typer.main import get_command

    from meterweave.headend.dispatch import LEVEL, OPERATOR, PASSWORD, ControlSettings
    from meterweave.registry.commands import COMMAND_WORDS, Command, CommandStep

    text = (Path(__file__).parents[2] / "docs/reference/commands.md").read_text(encoding="utf-8")
    group: Any = get_command(app)
    wanted = {f"command {name}" for name in group.commands}
    wanted |= {option for one in group.commands.values() for parameter in one.params for option in parameter.opts
               if option.startswith("--")}  # fmt: skip
    wanted |= {f"`{word.value}`" for word in COMMAND_WORDS}
    wanted |= {column.name for table in (Command, CommandStep) for column in table.__table__.columns}
    wanted |= {PASSWORD, LEVEL, OPERATOR}
    wanted |= {f"`{one.name}`" for one in fields(ControlSettings) if not one.name.startswith("relay_")}
    assert sorted(one for one in wanted if one not in text) == []
