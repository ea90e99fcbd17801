"""A centre in this process, with a real lake, real archives and real sockets, and terminals that dial in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from meterweave.headend import HeadEnd, HeadEndSettings
from meterweave.lake import Lake, LakeSettings
from meterweave.registry import Directory, Meter, Registry
from meterweave.registry.address import read_address
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import Utility

WAIT_S = 30.0
"""Longer than anything takes; only a failing test waits for it."""


@dataclass
class Centre:
    """A running head-end and where it listens."""

    head_end: HeadEnd
    lake: Lake
    registry: Registry
    ports: dict[str, int]

    async def dial(self, protocol: str = "dlt698") -> Terminal:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[protocol])
        return Terminal(reader, writer)

    def readings(self, what: str = "count(*)") -> list[tuple[object, ...]]:
        found = self.lake.query(f"SELECT {what} FROM readings ORDER BY ALL")
        return [tuple(row.values()) for row in found.to_pylist()]


@dataclass
class Terminal:
    """The other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, octets: bytes) -> bytes:
        """Send a frame, give the frame that comes back."""
        self.writer.write(octets)
        return await self.frame()

    async def frame(self) -> bytes:
        """The next frame; of both protocols the octets 1 and 2 tell the length."""
        async with asyncio.timeout(WAIT_S):
            head = await self.reader.readexactly(6)
            word = int.from_bytes(head[1:3], "little")
            size = (word >> 2) + 8 if head[5] == 0x68 and head[1:3] == head[3:5] else word + 2
            return head + await self.reader.readexactly(size - 6)

    async def closed(self) -> bytes:
        """Wait for the centre to close; what came before."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read(-1)
            except ConnectionResetError:
                return b""

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def centre(
    folder: Path,
    settings: HeadEndSettings | None = None,
    *,
    enrol: bool = False,
    lake_settings: LakeSettings | None = None,
) -> AsyncIterator[Centre]:
    """A centre on ports of the kernel's choice."""
    registry = Registry.open(folder / "registry.sqlite")
    with Lake.open(folder / "lake", lake_settings, maintain=False) as lake:
        head_end = HeadEnd(registry, Directory(registry), lake, settings, enrol=enrol)
        await head_end.start()
        ports = {name: (await head_end.listen(name, "127.0.0.1", 0))[1] for name in ("dlt698", "gdw1376-1")}
        try:
            yield Centre(head_end, lake, registry, ports)
        finally:
            await head_end.stop()
    registry.close()


def add_terminal(folder: Path, protocol: str, address: str, meters: dict[str, int | None] | None = None) -> None:
    """A terminal, and meters of DL/T 645 (with their measuring points) behind it, before the centre starts."""
    registry = Registry.open(folder / "registry.sqlite")
    with registry.writing() as session:
        terminal = enrol(session, protocol, address)
        for text, point in (meters or {}).items():
            known = read_address("dlt645", text)
            session.add(
                Meter(
                    utility=Utility.ELECTRICITY,
                    protocol="dlt645",
                    address=known.text,
                    address_key=known.key,
                    terminal_id=terminal.id,
                    point_number=point,
                )
            )
    registry.close()


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(WAIT_S):
        while not true():
            await asyncio.sleep(0.005)


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine function; pytest needs no plug-in for it."""

    async def bounded() -> None:
        async with asyncio.timeout(2 * WAIT_S):
            await work()

    uvloop.run(bounded())  # as the centre itself is run: its transports are not asyncio's
