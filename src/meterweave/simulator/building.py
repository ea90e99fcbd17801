"""A building of shops without a concentrator: meters of three makes of bus, each line behind a serial server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

from meterweave.profiles import Device, shipped
from meterweave.simulator.archives import Records
from meterweave.simulator.bus import serve
from meterweave.simulator.town import Utility

SHOPS = 8
STEP_S = 60
"""So many seconds move a register by one step: 0.01 kWh a minute is what a small shop draws."""
PERIOD_S = 30
"""From one reading of a meter to the next, of our time."""


class Run(NamedTuple):
    """One line through the building."""

    name: str
    profile: str
    utility: Utility
    address: str  # of a shop's meter in the archives, by the shop's number
    bus: str
    title: str

    def device(self, shop: int) -> Device:
        """The meter of a shop."""
        return Device(shipped(self.profile), self.address.format(shop).removeprefix("u"))


RUNS = (
    Run(
        "shops-power",
        "prepaid-modbus-single-phase",
        Utility.ELECTRICITY,
        "u{}",
        "rs485",
        "Shops, electricity (Modbus RTU)",
    ),
    Run("shops-water", "cjt188-water-valve", Utility.WATER, "5501{:010d}", "rs485", "Shops, water (CJ/T 188)"),
    Run("shops-heat", "mbus-heat", Utility.HEAT, "{}", "mbus", "Shops, heat (M-Bus)"),
)


class Building:
    """The lines on ports of this machine, as long as it is entered.

    Parameters
    ----------
    now_s : callable
        The time of the meters. [s since 1970, UTC]
    """

    meters = SHOPS * len(RUNS)

    def __init__(self, now_s: Callable[[], int]) -> None:
        begun_s = now_s()
        self._steps: Callable[[], int] = lambda: (now_s() - begun_s) // STEP_S
        self._servers: list[asyncio.Server] = []

    async def __aenter__(self) -> Self:
        """Open the ports; raises `OSError` where that is not possible."""
        for run in RUNS:
            devices = [run.device(shop) for shop in range(1, SHOPS + 1)]
            self._servers.append(await serve(devices, "127.0.0.1", 0, self._steps))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        for server in self._servers:
            server.close()

    def archives(self, installed: str) -> Mapping[str, Records]:
        """The records of the building, in the order of import, installed on a local day; the ports have to be open."""
        ports = [server.sockets[0].getsockname()[1] for server in self._servers]
        return {
            "terminals": [_line(run, port) for run, port in zip(RUNS, ports, strict=True)],
            "meters": [_meter(run, shop, installed) for run in RUNS for shop in range(1, SHOPS + 1)],
        }


def _line(run: Run, port: int) -> Mapping[str, str]:
    where = f"tcp://127.0.0.1:{port}?bus={run.bus}&period_s={PERIOD_S}&latency_ms=0"
    return {"protocol": "bus", "address": run.name, "name": run.title, "port": where}


def _meter(run: Run, shop: int, installed: str) -> Mapping[str, str]:
    return {
        "utility": run.utility.value,
        "protocol": shipped(run.profile).protocol,
        "address": run.address.format(shop),
        "terminal": run.name,
        "model": run.profile,
        "asset number": f"SHOP{shop}-{run.utility.value.upper()}",
        "usage point": f"SHOP-{shop}",
        "installed": installed,
    }
