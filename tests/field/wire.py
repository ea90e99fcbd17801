"""Simulated devices on one line: in time of their own for what decides, behind a real socket for what carries out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from meterweave.field.line import Line, Send, Wait
from meterweave.field.poller import Poller
from meterweave.profiles import Device

PIECE = 8  # octets that a serial server hands on together
Spoil = Callable[[bytes], bytes]


class Bus:
    """What devices on one line answer together.

    Attributes
    ----------
    dead : set of str
        Addresses of devices that keep silent.
    spoil : callable
        What the line makes of an answer.
    """

    def __init__(self, devices: Sequence[Device]) -> None:
        self.devices = [(device, device.line()) for device in devices]
        self.dead: set[str] = set()
        self.spoil: Spoil = lambda octets: octets
        self.asked: list[bytes] = []

    def feed(self, octets: bytes, now_s: float = 0.0) -> bytes:
        self.asked.append(octets)
        heard = [(device, line.feed(octets, int(now_s))) for device, line in self.devices]
        said = [answer for device, answer in heard if answer and device.address not in self.dead]
        return self.spoil(collided(said)) if said else b""


def collided(answers: Sequence[bytes]) -> bytes:
    """Answers that are sent at one time: where two differ, neither comes through."""
    longest = max(map(len, answers))
    columns = zip(*(one.ljust(longest, b"\x00") for one in answers), strict=True)
    return bytes(
        octets[0] if len(set(octets)) == 1 else octets[0] & octets[1] ^ 7 * at % 256
        for at, octets in enumerate(columns)
    )


class Wire:
    """A line in a time of its own: octets take as long as they do at `baud`, and devices as long as `turnaround_s`."""

    def __init__(self, master: Poller | Line[Any], bus: Bus, *, baud: int = 9600, turnaround_s: float = 0.05) -> None:
        self.master, self.bus, self.turnaround_s = master, bus, turnaround_s
        self.character_s = 11 / baud
        self.now = 1000.0
        self.coming: list[tuple[float, bytes]] = []
        self.sent: list[tuple[float, bytes]] = []
        self.busy_until = 0.0

    def run(self, until: float) -> None:
        """Let time pass."""
        while self.now < until:
            step = self.master.step(self.now)
            if isinstance(step, Send):
                self.send(step.octets)
                continue
            assert isinstance(step, Wait)
            self.sleep(min(step.until, until))

    def send(self, octets: bytes) -> None:
        assert self.now >= self.busy_until, "spoke while the line was busy"
        self.sent.append((self.now, octets))
        out = self.now + len(octets) * self.character_s
        answer = self.bus.feed(octets, self.now)
        for at in range(0, len(answer), PIECE):
            piece = answer[at : at + PIECE]
            self.coming.append((out + self.turnaround_s + (at + len(piece)) * self.character_s, piece))
        self.busy_until = self.coming[-1][0] if answer else out

    def sleep(self, until: float) -> None:
        """To the next octets, or `until`."""
        if self.coming and self.coming[0][0] <= until:
            at, octets = self.coming.pop(0)
            self.now = max(self.now, at)
            self.master.heard(octets, self.now)
        else:
            self.now = max(until, self.now + 1e-6)


class SerialServer:
    """A serial server on a real socket."""

    def __init__(self, bus: Bus, *, baud: int = 0, delay_s: float = 0.0) -> None:
        self.bus, self.character_s, self.delay_s = bus, 11 / baud if baud else 0.0, delay_s
        self.port = 0
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> SerialServer:
        await self.start()
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Vanish, connections and all."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(OSError):
            await self.carry(reader, writer)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(4096):
            answer = self.bus.feed(octets)
            await asyncio.sleep(self.delay_s + (len(octets) + len(answer)) * self.character_s)
            if answer:
                half = len(answer) // 2
                writer.write(answer[:half])
                await asyncio.sleep(0)
                writer.write(answer[half:])
