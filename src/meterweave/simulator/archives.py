"""The town as the utility's own archives have it, in the form in which a centre imports them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from openpyxl import Workbook

from meterweave.errors import ConfigError
from meterweave.simulator.meter645 import local
from meterweave.simulator.tariff import TARIFFS
from meterweave.simulator.town import Concentrator, Meter, Protocol, Utility

Records = Sequence[Mapping[str, str]]
"""Rows of one table, each with the same columns."""

WORKBOOK, CSV = ".xlsx", ".csv"
_RATING_KVA = "400"
_PHASES = ("ABC", "A", "B", "C")
_BOM = "utf-8-sig"  # so that spreadsheets read a CSV file as UTF-8
_PORTS: Mapping[Protocol, tuple[str, str]] = {Protocol.DLT698: ("F2090201", "F2010201"), Protocol.GDW1376: ("31", "2")}
"""Ports of a concentrator: the power line, to which electricity meters belong, and RS-485."""


def archives_of(town: Sequence[Concentrator], installed_s: int | None = None) -> Mapping[str, Records]:
    """The records of a town by the name of their table: `districts`, `terminals`, `meters`, in the order of import.

    Parameters
    ----------
    installed_s : int, optional
        Since when each meter hangs in its house: the local day is told. None: nobody says where they hang. [s since
        1970, UTC]
    """
    return {
        "districts": [
            {"code": site.district, "name": f"Low-voltage district {site.district}", "rating (kVA)": _RATING_KVA}
            for site in town
        ],
        "terminals": [_terminal(site) for site in town],
        "meters": [_meter(site, meter, installed_s) for site in town for meter in site.meters],
    }


def _terminal(site: Concentrator) -> Mapping[str, str]:
    return {
        "protocol": site.protocol.value,
        "address": site.address,
        "name": f"Concentrator {site.district}",
        "kind": "concentrator",
        "district": site.district,
        "heartbeat (s)": "60",
    }


def _meter(site: Concentrator, meter: Meter, installed_s: int | None) -> Mapping[str, str]:
    electric = meter.utility is Utility.ELECTRICITY
    asset_number = f"MW{meter.address}"
    found = {
        "utility": meter.utility.value,
        "protocol": meter.speaks,
        "address": f"00{meter.address}" if meter.speaks == "cjt188" else meter.address,
        "terminal": site.address,
        "terminal protocol": site.protocol.value,
        "port": _PORTS[site.protocol][not electric],
        "point number": str(meter.point),
        "asset number": asset_number,
        "baud rate": "2400",
        "tariffs": str(TARIFFS) if electric else "",
        "wiring": "" if not electric else "single_phase" if meter.phase else "three_phase_four_wire",
        "phase": _PHASES[meter.phase] if electric else "",
    }
    if installed_s is None:
        return found
    return {
        **found,
        "usage point": f"HOUSE-{asset_number}",
        "installed": local(installed_s).date().isoformat(),
    }


def write(town: Sequence[Concentrator], path: Path, installed_s: int | None = None) -> Sequence[Path]:
    """Write the archives of a town; see `archives_of` and `write_tables`."""
    return write_tables(archives_of(town, installed_s), path)


def write_tables(tables: Mapping[str, Records], path: Path) -> Sequence[Path]:
    """Write archives: one workbook, or a CSV file for each table, named after `path`.

    Returns
    -------
    written : sequence of Path
        The files, in the order in which they are to be imported.

    Raises
    ------
    ConfigError
        If `path` ends neither with ``.xlsx`` nor with ``.csv``.
    OSError
        If a file cannot be written.
    """
    if path.suffix.lower() == WORKBOOK:
        _write_workbook(tables, path)
        return (path,)
    if path.suffix.lower() == CSV:
        return tuple(_write_csv(tables, path))
    raise ConfigError(f"{path}: archives are written to {WORKBOOK} or {CSV}")


def _write_workbook(tables: Mapping[str, Records], path: Path) -> None:
    workbook = Workbook(write_only=True)
    for name, records in tables.items():
        sheet = workbook.create_sheet(name)
        for row in _rows(records):
            sheet.append(row)
    workbook.save(path)


def _write_csv(tables: Mapping[str, Records], path: Path) -> Iterator[Path]:
    for name, records in tables.items():
        target = path.with_name(f"{path.stem}-{name}{path.suffix}")
        with target.open("w", encoding=_BOM, newline="") as file:
            csv.writer(file).writerows(_rows(records))
        yield target


def _rows(records: Records) -> Iterator[list[str]]:
    if records:
        yield list(records[0])
    for record in records:
        yield list(record.values())
