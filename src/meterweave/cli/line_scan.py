"""Finding the meters on a line, and printing them as a file of meters that can be imported."""

from __future__ import annotations

import asyncio
import csv
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import typer
from rich.console import Console

from meterweave.cli.line import Spoken
from meterweave.errors import ConfigError
from meterweave.field.plan import Bus, DevicePlan, Pace, pace
from meterweave.field.ports import Port
from meterweave.field.reach import DTU, MODBUS_TCP, Reach, plan_of
from meterweave.field.scan import (
    Cjt188Hunt,
    Dlt645Hunt,
    Found,
    Hunt,
    MbusHunt,
    MbusPrimaryHunt,
    ModbusHunt,
    Scanned,
)
from meterweave.field.scan import (
    scan as scan_line,
)
from meterweave.profiles import Profile, find, shipped
from meterweave.protocols.mbus.words import PRIMARY_MAX
from meterweave.protocols.modbus.rtu import UNIT_MAX
from meterweave.registry.port import PortSpec, read_port
from meterweave.text import Language, Text

_PROTOCOL = {Spoken.MBUS_SECONDARY: "mbus"}
_PACED_BY: Mapping[Spoken, str] = {
    Spoken.DLT645: "dlt645-single-phase",
    Spoken.DLT645_1997: "dlt645-1997",
    Spoken.CJT188: "cjt188-water-valve",
    Spoken.MBUS: "mbus-heat",
    Spoken.MBUS_SECONDARY: "mbus-heat",
    Spoken.MODBUS: "prepaid-modbus-single-phase",
}
"""The profile whose speed and pauses are those of the line where none is given."""
_LAST = {Spoken.MBUS: PRIMARY_MAX, Spoken.MODBUS: UNIT_MAX}
_COLUMNS = ("utility", "protocol", "address", "terminal", "terminal protocol", "model")

_PROGRESS = Text("{0} requests, {1} meters found", "已请求{0}次，发现{1}块表")
_END = Text("{0} meters found by {1} requests", "共请求{1}次，发现{0}块表")
_CUT_SHORT = Text("the search was ended: on this line everybody seems to answer", "搜索已中止：线路上似乎总有应答")
_UNRESOLVED = Text(
    "several answer that cannot be told apart, or nobody that can be understood, at: {}; connect fewer at once",
    "以下地址有多台应答无法区分或无法识别：{}；请减少同时接入的表计",
)
_SAYS = Text("{0}: it says it is {1}", "{0}：自述为{1}")
_NO_MODEL = Text(
    "the column model is empty: give --model, or fill it in, before you import this",
    "型号列为空：导入前请用--model指定或自行填写",
)


class Wanted(NamedTuple):
    """What to search, and how; see the options of ``meterweave line scan``."""

    port: str
    protocol: Spoken
    model: str | None
    line: str
    addresses: str | None
    timeout_ms: int | None


def scan(wanted: Wanted, language: Language) -> bool:
    """Find meters and print them; whether there are any, and all could be told apart.

    Raises
    ------
    MeterweaveError
        If what is wanted does not go together.
    OSError
        If the port cannot be opened, or is lost.
    """
    profile, spec, hunt = _profile(wanted), read_port(wanted.port), _hunt(wanted)
    port, own = _port(spec, profile, wanted), _pace(spec, profile, wanted)
    console = Console(stderr=True)
    with console.status("") as status:
        words = _PROGRESS.in_language(language)
        found = asyncio.run(_scanned(port, hunt, own, lambda *counts: status.update(words.format(*counts))))
    _print(found, wanted, profile)
    _tell(found, wanted, language)
    return bool(found.found) and not found.unresolved and found.complete


async def _scanned(port: Port, hunt: Hunt, own: Pace, on_request: Callable[[int, int], None]) -> Scanned:
    link = await port.open()
    try:
        return await scan_line(link, hunt, own, on_request=on_request)
    finally:
        link.close()


def _profile(wanted: Wanted) -> Profile:
    profile = find(wanted.model) if wanted.model else shipped(_PACED_BY[wanted.protocol])
    protocol = _protocol(wanted)
    if profile.protocol != protocol:
        raise ConfigError(f"profile {profile.name} speaks {profile.protocol}, not {protocol}")
    if wanted.timeout_ms is not None:
        profile = replace(profile, settings=replace(profile.settings, timeout_ms=wanted.timeout_ms))
    return profile


def _protocol(wanted: Wanted) -> str:
    return _PROTOCOL.get(wanted.protocol, wanted.protocol.value)


def _port(spec: PortSpec, profile: Profile, wanted: Wanted) -> Port:
    if spec.kind == DTU:
        raise ConfigError("a DTU dials a centre that runs; search through tcp://, modbus-tcp:// or serial:")
    if spec.kind == MODBUS_TCP and wanted.protocol is not Spoken.MODBUS:
        raise ConfigError(f"modbus-tcp carries Modbus only, not {_protocol(wanted)}")
    (port,) = Reach().ports([(spec, profile.settings)])
    if isinstance(port, ConfigError):
        raise port
    return port


def _pace(spec: PortSpec, profile: Profile, wanted: Wanted) -> Pace:
    plan = plan_of("scan", spec, [DevicePlan(meter=1, profile=profile, address="")])
    if wanted.protocol in (Spoken.MBUS, Spoken.MBUS_SECONDARY):
        plan = replace(plan, bus=Bus.MBUS)
    return pace(plan, profile)


def _hunt(wanted: Wanted) -> Hunt:
    numbers = _numbers(wanted)
    match wanted.protocol:
        case Spoken.DLT645:
            return Dlt645Hunt()
        case Spoken.DLT645_1997:
            return Dlt645Hunt("9010")
        case Spoken.CJT188:
            return Cjt188Hunt()
        case Spoken.MBUS_SECONDARY:
            return MbusHunt()
        case Spoken.MBUS:
            return MbusPrimaryHunt(numbers)
    return ModbusHunt(numbers)


def _numbers(wanted: Wanted) -> range:
    last = _LAST.get(wanted.protocol)
    if wanted.addresses is None:
        return range(1, (last or 0) + 1)
    given = re.fullmatch(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", wanted.addresses)
    if last is None or not given or not 1 <= int(given[1]) <= int(given[2] or given[1]) <= last:
        raise ConfigError(
            f"--addresses {wanted.addresses}: wanted FIRST-LAST from 1 to {last}"
            if last
            else f"--addresses is for modbus and mbus; {wanted.protocol} has a search of its own"
        )
    return range(int(given[1]), int(given[2] or given[1]) + 1)


def _print(found: Scanned, wanted: Wanted, profile: Profile) -> None:
    """The meters as CSV on standard output."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(_COLUMNS)
    for one in found.found:
        utility = one.utility or (profile.utility if wanted.model or _protocol(wanted).startswith("dlt645") else "")
        address = _address(one, wanted)
        line = (wanted.line, "bus") if wanted.line else ("", "")
        out.writerow((utility, _protocol(wanted), address, *line, wanted.model or ""))


def _address(one: Found, wanted: Wanted) -> str:
    """As the archives have it."""
    if wanted.protocol is Spoken.MODBUS:
        return f"u{one.address}"
    return one.whole if wanted.protocol is Spoken.MBUS_SECONDARY else one.address


def _tell(found: Scanned, wanted: Wanted, language: Language) -> None:
    """What there is to say beside, on standard error."""
    said = [_END.in_language(language).format(len(found.found), found.request_count)]
    for one in found.found:
        if what := one.what.in_language(language):
            said.append(_SAYS.in_language(language).format(_address(one, wanted), what))
    if found.unresolved:
        said.append(_UNRESOLVED.in_language(language).format(", ".join(found.unresolved)))
    if not found.complete:
        said.append(_CUT_SHORT.in_language(language))
    if found.found and not wanted.model:
        said.append(_NO_MODEL.in_language(language))
    typer.echo("\n".join(said), err=True)
