"""``meterweave command``: have a device do something, and see what came of it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meterweave.cli import source
from meterweave.cli.options import DataOption, JsonOption, LangOption, RegistryOption
from meterweave.errors import ConfigError
from meterweave.metering.clock import SHANGHAI

if TYPE_CHECKING:
    from meterweave.cli.command_wait import Wish

OPERATOR_VARIABLE = "METERWEAVE_OPERATOR"
"""The variable of the environment that stands in for ``--operator``."""

LISTED_MAX = 50
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

app = typer.Typer(help="Have a device do something, and see what came of it.", no_args_is_help=True)


class State(StrEnum):
    """The states of a command, as `meterweave.registry.commands.CommandState` has them."""

    QUEUED = "queued"
    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Stored(StrEnum):
    """The series that devices store."""

    CURVE = "curve"
    DAILY = "daily"
    MONTHLY = "monthly"


MeterArgument = Annotated[
    str, typer.Argument(metavar="METER", help="Its asset number, its address in any protocol, or id:NUMBER.")
]
TerminalArgument = Annotated[str, typer.Argument(metavar="TERMINAL", help="Its address, or id:NUMBER.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the command.")]
OperatorOption = Annotated[
    str | None,
    typer.Option(
        "--operator",
        metavar="NAME",
        envvar=OPERATOR_VARIABLE,
        help="Who commands; default: the user of this machine.",
    ),
]
IdOption = Annotated[
    str | None,
    typer.Option("--id", metavar="ID", help="Yours: given twice it is one command. Default: a new one."),
]
WithinOption = Annotated[
    str, typer.Option("--within", metavar="5m", help="It is not sent later than this; s, m, h or d, up to 30d.")
]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Do not wait for what comes of it.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="YYYY-MM-DD or YYYY-MM-DDTHH:MM, local.")
]
ToOption = Annotated[str | None, typer.Option("--to", metavar="TIME", help="As --from, itself left out; default: now.")]
NumberArgument = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="The command's number.")]


_SWITCHES = {
    "trip": "Open a meter's relay, or close its valve: the supply is off.",
    "close": "Close a meter's relay, or open its valve: the supply is on, or may be switched on by hand.",
    "keep": "Keep a meter supplied whatever comes: it refuses to trip until it is released.",
    "release": "End the keeping of a meter's supply.",
}


def _add_switch(kind: str, what: str) -> None:
    """The four that switch a supply take the same words."""

    @app.command(kind, help=what)
    def switch(
        meter: MeterArgument,
        reason: ReasonOption,
        data: DataOption,
        operator: OperatorOption = None,
        caller_id: IdOption = None,
        within: WithinOption = "5m",
        no_wait: NoWaitOption = False,
        yes: YesOption = False,
        registry: RegistryOption = None,
        lang: LangOption = None,
        as_json: JsonOption = False,
    ) -> None:
        wish = _wish(kind, meter, operator, caller_id, within, reason=reason, yes=yes)
        _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


for _kind, _what in _SWITCHES.items():
    _add_switch(_kind, _what)


@app.command("read")
def read(
    meter: MeterArgument,
    data: DataOption,
    quantities: Annotated[
        list[str] | None,
        typer.Argument(metavar="[QUANTITY]...", help="Such as voltage_l1 or 1-0:32.7.0; default: what matters most."),
    ] = None,
    stored: Annotated[
        Stored | None, typer.Option("--stored", help="Not now, but what the device stored from --from to --to.")
    ] = None,
    since: FromOption = None,
    until: ToOption = None,
    period: Annotated[str, typer.Option("--period", metavar="15m", help="From one moment of a curve to the next.")] = (
        "15m"
    ),
    reason: ReasonOption = "",
    operator: OperatorOption = None,
    caller_id: IdOption = None,
    within: WithinOption = "5m",
    no_wait: NoWaitOption = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a meter now, or what it stored; the values are kept like all others, and shown."""
    arguments: dict[str, Any] = {"quantities": _obis(quantities or [])} if quantities else {}
    if stored is not None:
        arguments |= _span(stored, since, until, period)
    elif since or until:
        raise ConfigError("--from and --to are of what is stored; give --stored curve, daily or monthly with them")
    kind = "read" if stored is None else "read_stored"
    wish = _wish(kind, meter, operator, caller_id, within, reason=reason, arguments=arguments)
    _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


@app.command("relay")
def relay(
    meter: MeterArgument,
    data: DataOption,
    reason: ReasonOption = "",
    operator: OperatorOption = None,
    caller_id: IdOption = None,
    within: WithinOption = "5m",
    no_wait: NoWaitOption = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read whether a meter's relay is open or closed."""
    wish = _wish("read_relay", meter, operator, caller_id, within, reason=reason)
    _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


@app.command("clock")
def clock(
    terminal: TerminalArgument,
    data: DataOption,
    set_: Annotated[bool, typer.Option("--set", help="Set it to the time of the centre.")] = False,
    reason: ReasonOption = "",
    operator: OperatorOption = None,
    caller_id: IdOption = None,
    within: WithinOption = "5m",
    no_wait: NoWaitOption = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read how far a terminal's clock is off, or set it."""
    wish = _wish("clock" if set_ else "read_clock", terminal, operator, caller_id, within, reason=reason)
    _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


@app.command("sync")
def sync(
    terminal: TerminalArgument,
    data: DataOption,
    reason: ReasonOption = "",
    operator: OperatorOption = None,
    caller_id: IdOption = None,
    within: WithinOption = "5m",
    no_wait: NoWaitOption = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a terminal's meters those of the archives, and its tasks those of the collection plans."""
    wish = _wish("sync", terminal, operator, caller_id, within, reason=reason)
    _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


@app.command("parameters")
def parameters(
    terminal: TerminalArgument,
    data: DataOption,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="As the protocol calls them: 40000200, F1; default: the usual ones."),
    ] = None,
    reason: ReasonOption = "",
    operator: OperatorOption = None,
    caller_id: IdOption = None,
    within: WithinOption = "5m",
    no_wait: NoWaitOption = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read parameters of a terminal."""
    arguments = {"names": names} if names else {}
    wish = _wish("parameters", terminal, operator, caller_id, within, reason=reason, arguments=arguments)
    _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


@app.command("events")
def events(
    terminal: TerminalArgument,
    data: DataOption,
    since: FromOption = None,
    until: ToOption = None,
    reason: ReasonOption = "",
    operator: OperatorOption = None,
    caller_id: IdOption = None,
    within: WithinOption = "5m",
    no_wait: NoWaitOption = False,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the events that a terminal recorded of itself and its meters, of the last day unless told otherwise."""
    wish = _wish("events", terminal, operator, caller_id, within, reason=reason, arguments=_when(since, until))
    _give(wish, data, registry, lang, no_wait=no_wait, as_json=as_json)


@app.command("list")
def list_(
    data: DataOption,
    state: Annotated[State | None, typer.Option("--state", help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to list.")] = LISTED_MAX,
    offset: Annotated[int, typer.Option(min=0, help="How many to skip.")] = 0,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """List commands, the newest first."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import command_page  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    found = command_page.listed(Folder(data, registry), state=state, limit=limit, offset=offset)
    command_page.show_list(found, spoken, as_json=as_json)


@app.command("show")
def show(
    number: NumberArgument,
    data: DataOption,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one command: what was wanted, every step, what came of it."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import command_page  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    command_page.show(command_page.portrait(Folder(data, registry), number), spoken, as_json=as_json)


@app.command("cancel")
def cancel(
    number: NumberArgument,
    data: DataOption,
    operator: OperatorOption = None,
    registry: RegistryOption = None,
    lang: LangOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a command back that is not sent yet."""
    spoken = source.language(lang)
    # Here and not above: loading storage takes a second that other commands can do without.
    from meterweave.cli import command_page, command_wait  # noqa: PLC0415
    from meterweave.cli.folder import Folder  # noqa: PLC0415

    folder = Folder(data, registry)
    command_wait.cancel(folder, number, operator or command_wait.this_user())
    command_page.show(command_page.portrait(folder, number), spoken, as_json=as_json)


def read_span(text: str) -> timedelta:
    """A length of time such as 90s, 5m, 2h or 1d.

    Raises
    ------
    ConfigError
        If it is none, or nothing.
    """
    match = re.fullmatch(r"([0-9]{1,7})([smhd])", text.strip().lower())
    if match is None or int(match[1]) == 0:
        raise ConfigError(f"{text!r} is no length of time; wanted a number with s, m, h or d, such as 5m")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def read_moment(text: str) -> datetime:
    """An instant as people write it for a program; local, where it has no offset.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no time; wanted YYYY-MM-DD or YYYY-MM-DDTHH:MM, local") from error
    return found if found.tzinfo else found.replace(tzinfo=SHANGHAI)


def _wish(
    kind: str,
    whom: str,
    operator: str | None,
    caller_id: str | None,
    within: str,
    *,
    reason: str,
    yes: bool = True,
    arguments: dict[str, Any] | None = None,
) -> Wish:
    from meterweave.cli.command_wait import Wish, this_user  # noqa: PLC0415 - as above
    from meterweave.registry.commands import CommandKind  # noqa: PLC0415 - as above

    span = read_span(within)
    return Wish(CommandKind(kind), whom, operator or this_user(), caller_id, span, reason, yes, arguments or {})


def _give(wish: Wish, data: Any, registry: str | None, lang: str | None, *, no_wait: bool, as_json: bool) -> None:
    """Give a command, wait for what comes of it, and end with the exit code that says so."""
    spoken = source.language(lang)
    from meterweave.cli import command_wait  # noqa: PLC0415 - as above
    from meterweave.cli.folder import Folder  # noqa: PLC0415 - as above

    code = command_wait.carry_through(Folder(data, registry), wish, spoken, wait=not no_wait, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _obis(words: list[str]) -> list[str]:
    from meterweave.cli import measured  # noqa: PLC0415 - as above
    from meterweave.metering.quantities import obis_text  # noqa: PLC0415 - as above

    codes = {word: measured.quantity_named(word) for word in words}
    unknown = [word for word, code in codes.items() if code is None]
    if unknown:
        raise ConfigError(f"no quantity is called {', '.join(unknown)}; wanted an OBIS code or a name: voltage_l1")
    return [obis_text(code) for code in codes.values() if code is not None]


def _when(since: str | None, until: str | None) -> dict[str, Any]:
    """The ends of a span that were given; the command's own time stands for those that were not."""
    from meterweave.cli import moment  # noqa: PLC0415 - as above
    from meterweave.headend.collection.moments import instant_us  # noqa: PLC0415 - as above

    ends = {"from_us": since, "to_us": until}
    found = {name: read_moment(text) for name, text in ends.items() if text is not None}
    if since is not None and found["from_us"] >= found.get("to_us", moment.now()):
        raise ConfigError(f"--from {since} is not before --to {until or 'now'}")
    return {name: instant_us(when) for name, when in found.items()}


def _span(stored: Stored, since: str | None, until: str | None, period: str) -> dict[str, Any]:
    from meterweave.cli import moment  # noqa: PLC0415 - as above
    from meterweave.headend.collection.moments import instant_us  # noqa: PLC0415 - as above

    if since is None:
        raise ConfigError("--stored needs --from, such as --from 2026-06-01")
    first, last = read_moment(since), read_moment(until) if until else moment.now()
    if first >= last:
        raise ConfigError(f"--from {since} is not before --to {until or 'now'}")
    period_s = round(read_span(period).total_seconds()) if stored is Stored.CURVE else 0
    return {
        "profile": stored.value,
        "period_s": period_s,
        "from_us": instant_us(first),
        "to_us": instant_us(last),
    }
