"""``meterweave profile``: files checked, devices tried over real sockets and a real terminal line."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meterweave.cli.profile_port import Place, place
from meterweave.errors import ConfigError
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, shipped, texts
from meterweave.profiles.modbus_tcp import Unwrapper, wrap
from tests.cli.conftest import Call

VOLTAGE = obis_code("1-0:32.7.0")
ENERGY = obis_code("1-0:1.8.0")


@pytest.fixture
def quick(tmp_path: Path) -> Callable[..., str]:
    """Writes a shipped profile without pauses, and with its own time to wait for answers; gives its file."""

    def written(name: str, timeout_ms: int = 20_000) -> str:
        lines = [line for line in texts()[name].splitlines() if not line.startswith(("serial:", "polling:"))]
        file = tmp_path / f"{name}.yaml"
        file.write_text("\n".join(lines) + f"\nserial: {{timeout_ms: {timeout_ms}}}\n", encoding="utf-8")
        return str(file)

    return written


class Server:
    """A listening port whose one connection is answered by a function."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            link, _ = self._listening.accept()
        except OSError:
            return
        with link:
            while octets := link.recv(4096):
                link.sendall(self._answer(octets))

    def close(self) -> None:
        self._listening.close()
        self._thread.join(5)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes], bytes]], Server]]:
    servers: list[Server] = []

    def started(answer: Callable[[bytes], bytes]) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield started
    for one in servers:
        one.close()


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_good_file_is_called_good(call: Call, quick: Callable[..., str]) -> None:
    said = call("profile", "check", quick("mbus-water"))
    assert said.code == 0
    assert "good: mbus-water, 2 quantities, 3 events, 0 orders" in said.out


def test_every_mistake_of_every_file_is_told(call: Call, tmp_path: Path, quick: Callable[..., str]) -> None:
    bad, worse = tmp_path / "bad.yaml", tmp_path / "worse.yaml"
    bad.write_text("name: x\nutility: water\nprotocol: modbus\nreadings:\n  - {quantity: volt}\n", encoding="utf-8")
    worse.write_bytes(b"\xff\xfe")
    said = call("profile", "check", str(bad), str(worse), quick("mbus-water"))
    assert said.code == 1
    assert f"{bad}:5:16: there is no quantity 'volt'" in said.out
    assert f"{bad}:5:5: register is missing" in said.out
    assert f"{worse}:1:1: the file is no UTF-8 text" in said.out
    assert "good: mbus-water" in said.out
    found = call("profile", "check", str(bad), "--json").json["profiles"][0]
    assert found["good"] is False
    assert {(one["line"], one["column"]) for one in found["mistakes"]} >= {(5, 16), (5, 5)}
    assert "没有量" in call("profile", "check", str(bad), "--lang", "zh").out


def test_a_file_that_is_not_there_is_an_error(call: Call, tmp_path: Path) -> None:
    said = call("profile", "check", str(tmp_path / "none.yaml"))
    assert said.code == 2
    assert "none.yaml" in said.err


def test_what_ships_is_listed_and_shown(call: Call) -> None:
    assert [one["name"] for one in call("profile", "list", "--json").json["profiles"]] == list(texts())
    assert "M-Bus heat meter" in call("profile", "list").out
    assert call("profile", "show", "mbus-heat").out == texts()["mbus-heat"]
    said = call("profile", "show", "mbus-heet")
    assert said.code == 2
    assert "did you mean mbus-heat" in said.err


def test_names_are_not_cut_on_a_usual_terminal(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = call("profile", "list").out.splitlines()
    assert {line.split()[0] for line in lines if not line.startswith(" ")} == set(texts())


def test_the_schema_is_one_json_object(call: Call) -> None:
    assert call("profile", "schema").json["title"] == "Meterweave device profile"


# Trying ---------------------------------------------------------------------------------------------------------------


def test_a_device_is_read_over_tcp(
    call: Call, quick: Callable[..., str], serve: Callable[[Callable[[bytes], bytes]], Server]
) -> None:
    device = Device(shipped("prepaid-modbus-single-phase"), "3", {ENERGY: 48_213_700, VOLTAGE: 22_850})
    server = serve(lambda octets: octets + device.feed(octets))  # the line echoes, as half-duplex adapters do
    file = quick("prepaid-modbus-single-phase")
    said = call("profile", "try", file, "--port", f"tcp://{server.address}", "--address", "3")
    assert said.code == 0, said
    energy = next(line for line in said.out.splitlines() if line.startswith("active_import_energy "))
    assert energy.split() == ["active_import_energy", "0000H", "00", "07", "5b", "59", "482137", "4821.3700", "kWh"]
    assert "the customer is supplied" in said.out


def test_a_device_is_read_over_modbus_tcp(
    call: Call, quick: Callable[..., str], serve: Callable[[Callable[[bytes], bytes]], Server]
) -> None:
    device = Device(shipped("sunspec-inverter"), "3", {VOLTAGE: 23_010})
    unwrapper = Unwrapper()

    def answer(octets: bytes) -> bytes:
        return b"".join(wrap(device.feed(one.frame), one.transaction) for one in unwrapper.feed(octets))

    server = serve(answer)
    words = ("--port", f"modbus-tcp://{server.address}", "--address", "3", "--json")
    found = call("profile", "try", quick("sunspec-inverter"), *words).json["exchanges"]
    values = {one["name"]: one for exchange in found for one in exchange["values"]}
    assert (values["voltage_l1"]["value"], values["voltage_l1"]["sent"]) == ("230.10", "2301")
    assert all("problem" not in exchange for exchange in found)


def test_a_device_is_read_over_a_serial_line(call: Call, quick: Callable[..., str], terminal: tuple[int, int]) -> None:
    device = Device(shipped("dlt645-single-phase"), "161", {VOLTAGE: 22_850})
    ours, theirs = terminal
    stop_read, stop_write = os.pipe()

    def run() -> None:
        while stop_read not in select.select([ours, stop_read], [], [])[0]:
            os.write(ours, device.feed(os.read(ours, 4096)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        port = f"serial:{os.ttyname(theirs)}?baud=2400&parity=none"
        said = call("profile", "try", quick("dlt645-single-phase"), "--port", port, "--address", "161")
    finally:
        os.write(stop_write, b"x")
        thread.join(5)
        os.close(stop_read)
        os.close(stop_write)
    assert said.code == 0, said
    assert "228.50" in said.out


def test_a_silent_device_is_asked_again_and_told_in_words(
    call: Call, quick: Callable[..., str], serve: Callable[[Callable[[bytes], bytes]], Server]
) -> None:
    asked: list[bytes] = []
    server = serve(lambda octets: asked.append(octets) or b"")
    words = ("--port", f"tcp://{server.address}", "--address", "5", "--tries", "3")
    said = call("profile", "try", quick("cjt188-gas", 150), *words)
    assert said.code == 1
    assert "no answer within 150 ms" in said.out
    assert len(asked) == 3


def test_a_noisy_line_and_another_device_do_not_disturb(
    call: Call, quick: Callable[..., str], serve: Callable[[Callable[[bytes], bytes]], Server]
) -> None:
    profile = shipped("mbus-water")
    device, other = Device(profile, "5"), Device(profile, "6")

    def answer(octets: bytes) -> bytes:
        foreign = b"".join(other.feed(one.octets) for one in profile.requests("6"))
        return b"\x00\x68\x68" + foreign[1:] + device.feed(octets)

    server = serve(answer)
    said = call("profile", "try", quick("mbus-water"), "--port", f"tcp://{server.address}", "--address", "5")
    assert said.code == 0, said


def test_a_peer_that_is_no_modbus_tcp_is_told(
    call: Call, quick: Callable[..., str], serve: Callable[[Callable[[bytes], bytes]], Server]
) -> None:
    server = serve(lambda octets: b"HTTP/1.1 400 Bad Request\r\n\r\n")
    words = ("--port", f"modbus-tcp://{server.address}", "--address", "5", "--tries", "1")
    said = call("profile", "try", quick("sunspec-inverter"), *words)
    assert said.code == 1
    assert "not Modbus TCP" in said.out


def test_a_port_that_is_closed_is_one_line_of_error(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = call("profile", "try", "mbus-water", "--port", f"tcp://127.0.0.1:{port}", "--address", "5")
    assert said.code == 2
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("mbus-water", "--port", "tcp://127.0.0.1:1", "--address", "300"),
        ("mbus-water", "--port", "modbus-tcp://127.0.0.1:1", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?speed=9600", "--address", "3"),
        ("mbus-water", "--port", "serial:/nowhere/at/all", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?baud=fast", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?baud=0", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?baud=99999999999", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?baud=٩٦٠٠", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?parity=", "--address", "3"),
        ("mbus-water", "--port", "serial:/dev/null?stop_bits=3", "--address", "3"),
        ("mbus-watr", "--port", "tcp://127.0.0.1:1", "--address", "3"),
    ],
)
def test_what_cannot_be_tried_is_told(call: Call, words: tuple[str, ...]) -> None:
    said = call("profile", "try", *words)
    assert said.code == 2
    assert said.err.startswith("meterweave: ")


@pytest.mark.parametrize(
    "text", ["", "tcp", "tcp://", "tcp://host", "tcp://host:0", "tcp://host:99999", "udp://h:1", "serial:"]
)
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="wanted serial:"):
        place(text)


def test_ports_are_understood() -> None:
    assert place("tcp://[::1]:0", listening=True) == Place("tcp", host="::1", port=0)
    assert place("serial:/dev/ttyS0?baud=1200").settings == {"baud": 1200}


# Simulating -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal line, that stands for a serial one; ask for it before what uses it."""
    ours, theirs = os.openpty()
    tty.setraw(ours)
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


@pytest.fixture
def simulated() -> Iterator[Callable[..., str]]:
    """Runs ``meterweave profile simulate WORD…``; gives the port."""
    running: list[subprocess.Popen[str]] = []

    def started(*words: str) -> str:
        line = [sys.executable, "-m", "meterweave.cli", "profile", "simulate", *words]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        running.append(process)
        assert process.stdout is not None
        return process.stdout.readline().strip()

    yield started
    for process in running:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout is not None
        process.stdout.close()


def test_several_simulated_devices_share_a_line(
    call: Call, simulated: Callable[..., str], quick: Callable[..., str]
) -> None:
    port = simulated("dlt645-1997", "--address", "161", "--address", "162", "--set", "voltage_l1=231", "--cut-off")
    for address in ("161", "162"):
        said = call("profile", "try", quick("dlt645-1997"), "--port", port, "--address", address)
        assert said.code == 0, said
        assert "231.00" in said.out


def test_a_simulated_device_on_modbus_tcp(call: Call, simulated: Callable[..., str], quick: Callable[..., str]) -> None:
    words = ("--address", "7", "--port", "modbus-tcp://127.0.0.1:0", "--cut-off")
    port = simulated("prepaid-modbus-three-phase", *words)
    said = call("profile", "try", quick("prepaid-modbus-three-phase"), "--port", port, "--address", "7")
    assert said.code == 0, said
    assert "the customer is cut off" in said.out


def test_a_simulated_device_on_a_serial_line(terminal: tuple[int, int], simulated: Callable[..., str]) -> None:
    ours, theirs = terminal
    path = os.ttyname(theirs)
    assert simulated("dlt645-1997", "--address", "161", "--port", f"serial:{path}?parity=none") == f"serial:{path}"
    profile = shipped("dlt645-1997")
    request = profile.requests("161", {VOLTAGE})[0]
    os.write(ours, request.octets)
    decoder = profile.decoder(request)
    frames: list[bytes] = []
    while not frames and select.select([ours], [], [], 20)[0]:
        frames = [event for event in decoder.feed(os.read(ours, 4096)) if isinstance(event, bytes)]
    assert profile.answer(request, frames[0]).rows


@pytest.mark.parametrize(
    "words",
    [
        ("mbus-water", "--address", "5", "--set", "voltage_l1=3"),
        ("mbus-water", "--address", "5", "--set", "cold_water_volume"),
        ("mbus-water", "--address", "5", "--set", "cold_water_volume=much"),
        ("mbus-water", "--address", "5", "--set", "cold_water_volume=0.000001"),
        ("mbus-water", "--address", "5", "--port", "modbus-tcp://127.0.0.1:0"),
        ("mbus-water", *(word for _ in range(33) for word in ("--address", "5"))),
    ],
)
def test_what_cannot_be_simulated_is_told(call: Call, words: tuple[str, ...]) -> None:
    said = call("profile", "simulate", *words)
    assert said.code == 2
    assert said.err.startswith("meterweave: ")
