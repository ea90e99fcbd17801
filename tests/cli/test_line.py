"""``meterweave line``: lists, pages, arithmetic, and searching a line on a real socket."""

from __future__ import annotations

import asyncio
import csv
import io
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from meterweave.cli.folder import Folder
from meterweave.lake import Lake
from meterweave.profiles import Device, shipped
from meterweave.registry import Terminal
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalState
from tests.centre.buses import Hung, add_line, hang, meters_of
from tests.cli.conftest import Call
from tests.field.wire import Bus, SerialServer
from tests.lake.rows import curve

PREPAID = "prepaid-modbus-single-phase"
SLOW = [Hung(f"u{number}", PREPAID) for number in range(1, 31)]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Archives with lines of every sort, and a lake with some readings of one."""
    path = tmp_path_factory.mktemp("lines")
    now = datetime.now(UTC)
    with Folder(path).registry() as registry:
        cellar = add_line(
            registry, "cellar", "tcp://192.0.2.7:4001?period_s=60", Hung("u1", PREPAID), Hung("u2", PREPAID)
        )
        add_line(registry, "busy", "tcp://192.0.2.7:4002?baud=2400&period_s=5", *SLOW)
        add_line(registry, "twin", "tcp://192.0.2.7:4001?baud=4800", Hung("u1", PREPAID))
        old = add_line(registry, "old", "serial:/dev/ttyS1", Hung("u1", PREPAID))
        with registry.writing() as session:
            gateway = enrol(session, "n5", "block-3").id
            for terminal, state in ((cellar, TerminalState.ACTIVE), (old, TerminalState.RETIRED)):
                found = session.get(Terminal, terminal)
                assert found is not None
                found.state = state
                if terminal == cellar:
                    found.last_seen_at = now - timedelta(minutes=5)
                    hang(session, found, Hung("u3", PREPAID), model="nobody-knows")
        add_line(registry, "roof", "modbus-tcp://192.0.2.9", Hung("u1", PREPAID), collector=gateway)
        meters = meters_of(registry, "cellar")
    with Lake.open(path / "lake", maintain=False) as lake:
        for address, ago in (("u1", timedelta(seconds=30)), ("u2", timedelta(hours=2))):
            at = round((now - ago).timestamp()) * 10**6
            meter = meters[address]
            lake.append_blocking(curve(range(meter, meter + 1), first_us=at, points=1, received_us=at))
    return path


def test_the_list_has_every_line_and_what_is_amiss(call: Call, lines: Path) -> None:
    said = call("line", "list", "--data", lines, "--json")
    found = {one["name"]: one for one in said.json["lines"]}
    assert list(found) == ["busy", "cellar", "old", "roof", "twin"]
    assert (found["cellar"]["meters"], found["cellar"]["meters_not_read"]) == (3, 1)
    assert found["cellar"]["problem"] is None
    assert (found["roof"]["gateway"], found["roof"]["bus"], found["cellar"]["gateway"]) == (
        "block-3",
        "modbus-tcp",
        None,
    )
    assert found["busy"]["busy"] > 1
    assert "cannot keep its plan" in found["busy"]["problem"]["en"]
    assert "that of line cellar" in found["twin"]["problem"]["en"]
    assert found["old"]["problem"] == {"en": "it is retired", "zh": "该线路已拆除"}
    shown = call("line", "list", "--data", lines).out
    assert "5 min ago" in shown
    assert "1 meters are not read" in " ".join(shown.split())
    assert "meterweave line check" in " ".join(shown.split())
    assert "占用率" in call("line", "list", "--data", lines, "--lang", "zh").out


def test_the_page_of_a_line_has_every_meter_and_when_it_was_read(call: Call, lines: Path) -> None:
    devices = call("line", "show", "CELLAR", "--data", lines, "--json").json["devices"]
    assert [(one["address"], one["every_s"]) for one in devices] == [("u1", 60.0), ("u2", 60.0), ("u3", None)]
    assert devices[0]["problem"] is None
    assert devices[1]["problem"]["en"].startswith("no reading for 2 h 0 min")
    assert "no profile is called 'nobody-knows'" in devices[2]["problem"]["en"]
    shown = call("line", "show", "cellar", "--data", lines).out
    assert "tcp://192.0.2.7:4001" in shown
    assert "2 h ago" in shown or "119 min ago" in shown or "120 min ago" in shown
    never = call("line", "show", "roof", "--data", lines, "--json").json["devices"]
    assert never[0]["problem"]["en"] == "no reading in the last 31 days"
    assert "近31天无读数" in call("line", "show", "roof", "--data", lines, "--lang", "zh").out
    (retired,) = call("line", "show", "old", "--data", lines, "--json").json["devices"]
    assert retired["problem"] is None  # nobody reads it: what is amiss is said of the line
    wrong = call("line", "show", "celar", "--data", lines)
    assert (wrong.code, "did you mean cellar" in wrong.err) == (2, True)


def test_the_arithmetic_of_lines_and_whether_they_can_be_kept(call: Call, lines: Path) -> None:
    said = call("line", "check", "--data", lines, "--json")
    assert said.code == 1
    found = {one["name"]: one for one in said.json["lines"]}
    assert "old" not in found  # nobody wants it to run
    (term,) = found["busy"]["terms"]
    assert (term["meters"], term["every_s"], term["baud"]) == (30, 5.0, 2400)
    each_s = (term["octets_out"] + term["octets_in"]) * 11 / 2400 + term["silences_s"] + term["replies_s"]
    assert term["busy"] == pytest.approx(30 * each_s / 5)
    shown = call("line", "check", "--data", lines).out
    assert "line busy cannot keep its plan" in " ".join(shown.split())
    assert "nobody-knows" in shown
    chinese = call("line", "check", "--data", lines, "--lang", "zh").out
    assert "线路busy无法按计划抄读" in chinese
    assert "没有名为'nobody-knows'的设备配置" in chinese


def test_lines_that_can_all_be_kept_are_exit_code_0(call: Call, tmp_path: Path) -> None:
    with Folder(tmp_path).registry() as registry:
        assert "no line" in call("line", "list", "--data", tmp_path).out
        add_line(registry, "a", "tcp://192.0.2.7:4001", Hung("u1", PREPAID))
    said = call("line", "check", "--data", tmp_path)
    assert (said.code, PREPAID in said.out) == (0, True)


# Searching ------------------------------------------------------------------------------------------------------------


class Server(threading.Thread):
    """A serial server beside the command that searches it."""

    def __init__(self, devices: Sequence[Device]) -> None:
        super().__init__(daemon=True)
        self.server = SerialServer(Bus(devices))
        self.loop, self.ready = asyncio.new_event_loop(), threading.Event()

    def run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.server.start())
        self.ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(self.server.stop())
        self.loop.close()

    def __enter__(self) -> str:
        self.start()
        assert self.ready.wait(60)
        return f"tcp://127.0.0.1:{self.server.port}?latency_ms=0"

    def __exit__(self, *args: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.join(60)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def units() -> Iterator[str]:
    with Server([Device(shipped(PREPAID), str(number)) for number in (2, 5)]) as port:
        yield port


def test_what_a_search_finds_can_be_imported_as_it_is(call: Call, units: str, tmp_path: Path) -> None:
    said = call(
        "line", "scan", units, "-p", "modbus", "--addresses", "1-6", "--model", PREPAID, "--line", "a", "--timeout", 200
    )
    assert said.code == 0
    assert [one["address"] for one in rows(said.out)] == ["u2", "u5"]
    assert "2 meters found by 6 requests" in said.err
    (tmp_path / "terminals.csv").write_text("protocol,address,port\nbus,a,tcp://192.0.2.7:1\n", encoding="utf-8")
    (tmp_path / "meters.csv").write_text(said.out, encoding="utf-8")
    for name in ("terminals.csv", "meters.csv"):
        assert call("archives", "import", tmp_path / name, "--data", tmp_path).code == 0
    check = call("line", "check", "--data", tmp_path, "--json")
    assert (check.code, check.json["lines"][0]["meters"]) == (0, 2)


def test_meters_of_other_protocols_say_what_they_count(call: Call) -> None:
    with Server([Device(shipped("cjt188-gas"), "12345678901234")]) as port:
        said = call("line", "scan", port, "-p", "cjt188", "--timeout", 200)
    (row,) = rows(said.out)
    assert (row["utility"], row["address"], row["model"]) == ("gas", "12345678901234", "")
    assert "it says it is gas meter" in said.err
    assert "give --model" in said.err
    with Server([Device(shipped("mbus-heat"), "3")]) as port:
        (row,) = rows(call("line", "scan", port, "-p", "mbus", "--addresses", "2-4", "--timeout", 200).out)
    assert (row["protocol"], row["address"]) == ("mbus", "3")


def test_who_cannot_be_told_apart_or_is_not_there_is_exit_code_1(call: Call) -> None:
    twins = [Device(shipped(PREPAID), "1", {}), Device(shipped(PREPAID), "1", {})]
    twins[1].set(shipped(PREPAID).points[0].quantity.code, 0)
    with Server(twins) as port:
        said = call("line", "scan", port, "-p", "modbus", "--addresses", "1-1", "--timeout", 200)
        assert said.code == 0 or "told apart" in said.err
        empty = call("line", "scan", port, "-p", "modbus", "--addresses", "9", "--timeout", 100)
    assert (empty.code, rows(empty.out)) == (1, [])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dtu:4d57", "-p", "modbus"], "a DTU dials"),
        (["modbus-tcp://h", "-p", "dlt645"], "carries Modbus only"),
        (["tcp://h:1", "-p", "dlt645", "--addresses", "1-2"], "for modbus and mbus"),
        (["tcp://h:1", "-p", "modbus", "--addresses", "0-2"], "from 1 to 247"),
        (["tcp://h:1", "-p", "modbus", "--model", "mbus-heat"], "speaks mbus, not modbus"),
        (["tcp://h", "-p", "modbus"], "is no port"),
    ],
)
def test_what_does_not_go_together_is_told(call: Call, words: list[str], told: str) -> None:
    said = call("line", "scan", *words)
    assert (said.code, told in said.err) == (2, True), said.err
