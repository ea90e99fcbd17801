"""``meterweave profile try --message`` and ``simulate --mqtt``: messages of devices that speak by themselves."""

from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import aiomqtt
import pytest

from meterweave.cli.profile_mqtt import Broker, broker
from meterweave.errors import ConfigError
from meterweave.metering.batch import Quality
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, Heard, shipped
from tests.cli.conftest import Call
from tests.mosquitto import Mosquitto

NOW_S = 1_767_225_600
WAIT_S = 60
VOLTAGE = obis_code("1-0:32.7.0")
JSON = b'{"time": 1767225600, "id": "A1", "energy": {"import": "4821.37"}, "power": null, "alarms": {"cover": true}}'
WATER = (
    b'{"imei": "9", "battery": 3.61, "status": 2, "records": [{"t": 1767222000, "v": 1.5}, {"t": 1767225600, "v": 2}]}'
)


@pytest.fixture
def message(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes a payload into a file."""

    def written(payload: bytes) -> Path:
        file = tmp_path / "payload"
        file.write_bytes(payload)
        return file

    return written


# One message ----------------------------------------------------------------------------------------------------------


def test_what_was_sent_stands_beside_what_it_means(call: Call, message: Callable[[bytes], Path]) -> None:
    said = call("profile", "try", "json-meter", "--message", message(JSON))
    assert said.code == 0, said
    lines = said.out.splitlines()
    assert lines[:2] == ["device a1", "2026-01-01 08:00:00"]
    assert lines[3].split() == ["active_import_energy", "energy.import", "4821.37", "4821.3700", "kWh"]
    assert lines[4].split()[:5] == ["active_power", "power", "null", "-", "W"]
    assert "2026-01-01 08:00:00  meter cover opened" in said.out


def test_records_are_shown_with_their_times(call: Call, message: Callable[[bytes], Path]) -> None:
    said = call("profile", "try", "json-water-meter", "--message", message(WATER), "--lang", "zh")
    assert said.code == 0, said
    assert "设备 9" in said.out
    assert "泄漏" in said.out
    found = call("profile", "try", "json-water-meter", "--message", message(WATER), "--json").json
    assert [(one["name"], one["sent"], one["value"], one["time"]) for one in found["values"]] == [
        ("cold_water_volume", "1.5", "1.500000", "2026-01-01T07:00:00+08:00"),
        ("cold_water_volume", "2", "2.000000", "2026-01-01T08:00:00+08:00"),
        ("battery_reading_voltage", "3.61", "3.61", "2026-01-01T08:00:00+08:00"),
    ]
    assert found["conditions"][0]["leak"] is True


def test_frames_are_shown(call: Call, message: Callable[[bytes], Path]) -> None:
    payload = Device(shipped("mqtt-dlt645"), "161", {VOLTAGE: 22_850}).message(NOW_S).payload
    found = call("profile", "try", "mqtt-dlt645", "--message", message(payload), "--json").json
    voltage = next(one for one in found["values"] if one["name"] == "voltage_l1")
    assert (voltage["value"], voltage["item"]) == ("228.50", "3")
    assert bytes.fromhex(voltage["sent"]) in payload


def test_a_birth_is_told(call: Call, message: Callable[[bytes], Path]) -> None:
    words = ("--message", message(b"offline"), "--topic", "meters/A1/state")
    assert "the device is offline" in call("profile", "try", "json-meter", *words).out
    assert call("profile", "try", "json-meter", *words, "--json").json["online"] is False


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"id": "a1", "voltage": "high", "power": 3}', "voltage: 'high' is no number"),
        (b"{", "no JSON"),
        (b"{}", "does not tell which device"),
    ],
)
def test_what_is_wrong_is_told(call: Call, message: Callable[[bytes], Path], payload: bytes, said: str) -> None:
    found = call("profile", "try", "json-meter", "--message", message(payload))
    assert found.code == 1
    assert said in found.out
    assert said in call("profile", "try", "json-meter", "--message", message(payload), "--json").json["problem"]


def test_a_message_comes_from_standard_input(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"id": "a1", "other": 1}')))
    said = call("profile", "try", "json-meter", "--message", "-")
    assert said.code == 0, said
    assert "nothing in it is what the profile describes" in said.out


@pytest.mark.parametrize(
    "words",
    [
        ("try", "json-meter"),
        ("try", "json-meter", "--message", "-", "--port", "tcp://127.0.0.1:1"),
        ("try", "json-meter", "--port", "tcp://127.0.0.1:1", "--address", "a"),
        ("try", "mbus-water", "--port", "tcp://127.0.0.1:1"),
        ("try", "mbus-water", "--message", "/dev/null"),
        ("try", "json-meter", "--message", "/nowhere/at/all"),
        ("simulate", "mbus-water"),
        ("simulate", "mbus-water", "--devices", "3"),
        ("simulate", "json-meter", "--address", "a1"),
        ("simulate", "mbus-water", "--mqtt", "mqtt://127.0.0.1:1"),
        ("simulate", "json-meter", "--mqtt", "mqtt://127.0.0.1:1", "--port", "tcp://127.0.0.1:0"),
        ("simulate", "json-meter", "--mqtt", "mqtt://127.0.0.1:1", "--address", "a", "--devices", "2"),
        ("simulate", "json-meter", "--mqtt", "mqtt://127.0.0.1:1", *["--address", "a"] * 501),
        ("simulate", "json-meter", "--mqtt", "mqtt://127.0.0.1:1", "--address", "no name"),
        ("simulate", "json-meter", "--mqtt", "http://127.0.0.1:1"),
        ("simulate", "json-meter", "--mqtt", "mqtt://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(call: Call, words: tuple[str, ...]) -> None:
    said = call("profile", *words)
    assert said.code == 2
    assert said.err.startswith("meterweave: ")
    assert len(said.err.splitlines()) == 1


def test_how_many_devices_there_may_be_is_looked_at_before_any_is_made(call: Call) -> None:
    said = call("profile", "simulate", "json-meter", "--mqtt", "mqtt://127.0.0.1:1", "--devices", "999999999999")
    assert said.code == 2
    assert "500" in said.err


def test_records_without_a_time_are_shown_as_they_are_taken(call: Call, message: Callable[[bytes], Path]) -> None:
    payload = WATER.replace(b"1767222000", b"1").replace(b"1767225600", b"2")
    found = call("profile", "try", "json-water-meter", "--message", message(payload), "--json").json
    assert [(one["sent"], one["quality"]) for one in found["values"]] == [("2", Quality.TIME_INVALID), ("3.61", 0)]
    assert "1 record without a possible time" in found["problem"]


# A broker -------------------------------------------------------------------------------------------------------------


def test_brokers_are_understood_and_keep_their_secrets() -> None:
    assert broker("mqtt://b") == Broker("b", 1883, False, None, None)
    found = broker("mqtts://u%40x:s%2Fc@[::1]:8884")
    assert found == Broker("::1", 8884, True, "u@x", "s/c")
    assert "s/c" not in found.text
    for text in ("mqtt://", "mqtt:b", "tcp://b:1", "mqtt://b:x", "mqtt://b/x", "", "mqtt://b:99999"):
        with pytest.raises(ConfigError, match="no broker"):
            broker(text)


@pytest.fixture
def simulated() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Runs ``meterweave profile simulate WORD…``; gives the process, which may have ended by itself."""
    running: list[subprocess.Popen[str]] = []

    def started(*words: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "meterweave.cli", "profile", "simulate", *words]
        running.append(subprocess.Popen(line, stdout=subprocess.PIPE, text=True))
        return running[-1]

    yield started
    for process in running:
        process.kill()
        process.communicate()


async def listen(where: Mosquitto, name: str, wanted: Callable[[list[Heard]], bool], filters: list[str]) -> list[Heard]:
    """What comes under these topics until it is what is `wanted`, understood by a shipped profile."""
    profile, found = shipped(name), list[Heard]()
    async with asyncio.timeout(WAIT_S), aiomqtt.Client("127.0.0.1", where.port) as client:
        for one in filters:
            await client.subscribe(one, 1)
        async for message in client.messages:
            assert isinstance(message.payload, bytes)
            heard = profile.understand(str(message.topic), message.payload, received=time.time_ns() // 1000)
            assert heard.problem is None
            found.append(heard)
            if wanted(found):
                break
    return found


def names(found: list[Heard], *, online: bool | None) -> set[str]:
    return {one.address for one in found if one.online is online}


@pytest.mark.parametrize("name", ["json-meter", "mqtt-dlt645"])
def test_simulated_devices_publish_come_and_go(
    mosquitto: Mosquitto, simulated: Callable[..., subprocess.Popen[str]], name: str
) -> None:
    messages = shipped(name).messages
    assert messages is not None
    filters = list(messages.filters)
    words = ("--devices", "3", "--every", "0.2", "--set", "voltage_l1=228.5")
    process = simulated(name, "--mqtt", mosquitto.url, *words)
    devices = {Device(shipped(name), str(number)).address for number in (1, 2, 3)}

    def all_there(found: list[Heard]) -> bool:
        return names(found, online=True) == names(found, online=None) == devices

    found = asyncio.run(listen(mosquitto, name, all_there, filters))
    values = {value.value for one in found for value in one.readings if value.quantity == VOLTAGE}
    assert values == {22_850}
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_S) == 0
    # The leave is retained, so that it does not matter when one begins to listen.
    asyncio.run(listen(mosquitto, name, lambda found: names(found, online=False) == devices, filters[1:]))


def test_the_broker_carries_out_the_will_of_who_is_killed(
    mosquitto: Mosquitto, simulated: Callable[..., subprocess.Popen[str]]
) -> None:
    process = simulated("json-meter", "--mqtt", mosquitto.url, "--address", "a1", "--every", "0.2")
    state = ["meters/+/state"]
    asyncio.run(listen(mosquitto, "json-meter", lambda found: names(found, online=True) == {"a1"}, state))
    process.kill()
    asyncio.run(listen(mosquitto, "json-meter", lambda found: names(found, online=False) == {"a1"}, state))


def test_simulated_devices_come_back_after_the_broker(
    mosquitto: Mosquitto, simulated: Callable[..., subprocess.Popen[str]]
) -> None:
    process = simulated("json-meter", "--mqtt", mosquitto.url, "--address", "a1", "--every", "0.2")
    data = ["meters/+/up"]
    asyncio.run(listen(mosquitto, "json-meter", lambda found: len(found) > 1, data))
    mosquitto.kill()
    mosquitto.start()
    asyncio.run(listen(mosquitto, "json-meter", lambda found: len(found) > 1, data))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert said.splitlines()[0] == said.splitlines()[-1] == mosquitto.url
    assert len(said.splitlines()) == 3
