"""Meters that report over MQTT through a real Mosquitto: what they cost at their pace, and how many one centre bears.

Run: ``python -m benchmarks.mqtt [--devices N] [--every S] [--times K …] [--seconds S] [--json FILE]``. Devices of the
archives report every `S` seconds, their time running K times as fast (a K of 0: as fast as it goes), over two
connections, with QoS 1; broker and centre are processes of their own. Latency is from the message's own time, which is
when it was handed to the client that publishes it, to when the centre decoded it; a fsync follows.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from rich.console import Console
from rich.table import Table
from tests.mosquitto import Mosquitto

from benchmarks.push import resident_mib
from meterweave.lake import Lake
from meterweave.registry import Meter, Registry, Terminal
from meterweave.registry.address import name_key
from meterweave.registry.changes import touch
from meterweave.registry.vocabulary import TerminalKind, TerminalState, Utility

PUBLISHERS = 2  # processes
WAIT_S = 600.0
READINGS = 5  # in a message
PROFILE = """\
name: bench
title: {en: "Meter of the benchmark", zh: "基准电表"}
utility: electricity
protocol: json
messages:
  topic: bench/{address}/up
  time: {path: t, format: unix_ms}
readings:
  - {quantity: 1-0:1.8.0, path: e, unit: kWh}
  - {quantity: voltage_l1, path: u, unit: V}
  - {quantity: current_l1, path: i, unit: A}
  - {quantity: active_power, path: p, unit: W}
  - {quantity: frequency, path: f, unit: Hz}
"""


class Run(NamedTuple):
    """One pace, measured."""

    times: int
    wanted_per_s: float
    sent: int
    kept: int
    per_s: float  # from the first sent to the last kept
    p50_ms: float
    p99_ms: float
    cpu_percent: float  # of one core, of the centre
    broker_cpu_percent: float
    memory_mib: float


def fill(data: Path, devices: int) -> None:
    """Archives with these devices, and the profile."""
    (data / "profiles").mkdir(parents=True)
    (data / "profiles" / "bench.yaml").write_text(PROFILE, encoding="utf-8")
    registry = Registry.open(data / "registry.sqlite")
    with registry.writing() as session:
        names = [f"m{number}" for number in range(devices)]
        terminals = [
            {
                "id": number,
                "protocol": "mqtt",
                "address": name,
                "address_key": name_key(name),
                "kind": TerminalKind.METER,
                "state": TerminalState.ACTIVE,
            }
            for number, name in enumerate(names, 1)
        ]
        meters = [
            {
                "utility": Utility.ELECTRICITY,
                "protocol": "json",
                "address": name,
                "address_key": name_key(name),
                "wire_key": name_key(name),
                "terminal_id": number,
                "model": "bench",
            }
            for number, name in enumerate(names, 1)
        ]
        session.bulk_insert_mappings(Terminal.__mapper__, terminals)
        session.bulk_insert_mappings(Meter.__mapper__, meters)
        touch(session, [None])
    registry.close()


def publish(port: int, first: int, devices: int, per_s: float, seconds: float) -> None:
    """Report for so long, at this pace; `per_s` 0: as fast as the broker takes it. Runs in a process of its own."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    begun, number, last = time.monotonic(), 0, None
    while (elapsed := time.monotonic() - begun) < seconds:
        due = int(elapsed * per_s) if per_s else number + 100
        while number < due:
            device = (first + number * PUBLISHERS) % devices
            now_ms = time.time_ns() // 1_000_000
            text = f'{{"t":{now_ms},"e":{number}.25,"u":228.5,"i":1.25,"p":285,"f":50}}'
            last = client.publish(f"bench/m{device}/up", text, qos=1)
            number += 1
        while not per_s and len(client._out_messages) > 2000:
            time.sleep(0.001)
        time.sleep(0.002)
    if last is not None:
        last.wait_for_publish(WAIT_S)
    client.disconnect()
    client.loop_stop()
    with _sent.get_lock():
        _sent.value += number


_sent = multiprocessing.Value("q", 0)


def cpu_s(process: int) -> float:
    """CPU time that a process had. [s]"""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def kept(data: Path) -> int:
    """Messages whose readings are in the lake."""
    with Lake.open(data / "lake", write=False) as lake:
        return int(lake.query("SELECT count(*) AS n FROM raw_readings").to_pylist()[0]["n"]) // READINGS


def latencies_ms(data: Path, since_us: int) -> tuple[float, float]:
    """Median and 99th percentile of what was sent since then."""
    sql = (
        "SELECT quantile_cont(epoch_us(received) - epoch_us(ts), [0.5, 0.99]) AS us FROM raw_readings "
        f"WHERE epoch_us(ts) >= {since_us}"
    )
    with Lake.open(data / "lake", write=False) as lake:
        found = lake.query(sql).to_pylist()[0]["us"]
    return (found[0] / 1000, found[1] / 1000) if found else (0.0, 0.0)


def measure(data: Path, broker: Mosquitto, centre: int, given: argparse.Namespace, times: int) -> Run:
    """One pace."""
    devices, seconds = given.devices, given.seconds
    per_s = devices / given.every * times
    before, since_us, begun = kept(data), time.time_ns() // 1_000_000 * 1000, time.monotonic()
    cpu, broker_cpu = cpu_s(centre), cpu_s(broker.process)
    _sent.value = 0
    parts = [
        multiprocessing.Process(target=publish, args=(broker.port, number, devices, per_s / PUBLISHERS, seconds))
        for number in range(PUBLISHERS)
    ]
    for one in parts:
        one.start()
    for one in parts:
        one.join()
    sent, until = _sent.value, time.monotonic() + WAIT_S
    while (arrived := kept(data) - before) < sent and time.monotonic() < until:
        time.sleep(0.3)
    took = time.monotonic() - begun
    p50, p99 = latencies_ms(data, since_us)
    share, broker_share = (cpu_s(centre) - cpu) / took, (cpu_s(broker.process) - broker_cpu) / took
    memory = resident_mib(centre)
    return Run(
        times, per_s, sent, arrived, arrived / took, p50, p99, 100 * share, 100 * broker_share, memory
    )  # fmt: skip


def start(data: Path, broker: Mosquitto) -> subprocess.Popen[bytes]:
    """``meterweave serve`` as users run it, subscribed."""
    config = data / "centre.toml"
    config.write_text(f'[[mqtt]]\nurl = "{broker.url}"\nprofiles = ["bench"]\n', encoding="utf-8")
    command = [sys.executable, "-m", "meterweave.cli", "serve", "--data", str(data), "--config", str(config)]
    process = subprocess.Popen(
        [*command, "--dlt698", "127.0.0.1:0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + WAIT_S
    while not (data / "lake").exists() or not kept(data):
        if time.monotonic() > until:
            raise TimeoutError("the centre does not subscribe")
        publish(broker.port, 0, 1, 1.0, 1.1)
    return process


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=100_000)
    parser.add_argument("--every", type=float, default=900.0, help="seconds of the devices' own time")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10, 0])
    parser.add_argument("--seconds", type=float, default=30.0, help="for each pace")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data, broker = Path(folder) / "data", Mosquitto(Path(folder) / "broker")
        fill(data, given.devices)
        broker.start()
        centre = start(data, broker)
        try:
            runs = [measure(data, broker, centre.pid, given, times) for times in given.times]
        finally:
            centre.send_signal(signal.SIGTERM)
            centre.wait()
            broker.stop()
    show(runs, given.devices)
    if given.json:
        given.json.write_text(json.dumps([one._asdict() for one in runs], indent=1), encoding="utf-8")


def show(runs: list[Run], devices: int) -> None:
    """The table."""
    table = Table(title=f"{devices:,} devices, {READINGS} readings a message, through Mosquitto")
    columns = ("times as fast", "due/s", "sent", "lost", "kept/s", "p50 ms", "p99 ms", "CPU %", "broker CPU %", "MiB")
    for name in columns:
        table.add_column(name, justify="right")
    for one in runs:
        numbers = (one.p50_ms, one.p99_ms, one.cpu_percent, one.broker_cpu_percent, one.memory_mib)
        table.add_row(
            str(one.times) if one.times else "as it goes",
            f"{one.wanted_per_s:,.0f}" if one.times else "",
            f"{one.sent:,}",
            str(one.sent - one.kept),
            f"{one.per_s:,.0f}",
            *(f"{number:,.0f}" for number in numbers),
        )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
