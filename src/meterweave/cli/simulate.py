"""``meterweave simulate``: a town of meters that reports to any centre."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meterweave.errors import ConfigError


def simulate(
    dlt698: Annotated[
        str | None, typer.Option("--dlt698", metavar="HOST:PORT", help="Where the centre takes DL/T 698.45 terminals.")
    ] = None,
    gdw1376: Annotated[
        str | None,
        typer.Option("--gdw1376", metavar="HOST:PORT", help="Where the centre takes Q/GDW 1376.1 terminals."),
    ] = None,
    terminals: Annotated[int, typer.Option(help="Concentrators; they speak the protocols in turn.")] = 20,
    meters: Annotated[int, typer.Option(help="Electricity meters of the whole town.")] = 1000,
    others: Annotated[
        int, typer.Option(help="Water, gas and heat meters; all behind the DL/T 698.45 concentrators.")
    ] = 600,
    seed: Annotated[int, typer.Option(help="The same seed builds the same town, with the same faults.")] = 1,
    days: Annotated[int, typer.Option(help="Local days before today of which meters have readings.")] = 7,
    backlog: Annotated[
        int, typer.Option(metavar="DAYS", help="Of these, days that the concentrators report unasked.")
    ] = 0,
    speed: Annotated[float, typer.Option(help="Time lapse: seconds in the town for each of ours.")] = 1.0,
    start: Annotated[
        float | None, typer.Option(metavar="UNIX_S", help="The town's time when it begins; now, unless told.")
    ] = None,
    began: Annotated[
        float | None, typer.Option(metavar="UNIX_S", help="Our time at which that was; now, unless told.", hidden=True)
    ] = None,
    faults: Annotated[
        float,
        typer.Option(metavar="RATE", help="Spoiled frames, repeats, late reports, wrong clocks, dead meters; 0 to 1."),
    ] = 0.0,
    bad_town: Annotated[
        bool, typer.Option("--bad-town", help="A bad day: spoiled frames, dead links, restarts, repeats, wrong clocks.")
    ] = False,
    bare: Annotated[
        bool, typer.Option("--bare", help="Nobody has told the concentrators yet which meters and tasks they have.")
    ] = False,
    heartbeat: Annotated[float, typer.Option(metavar="SECONDS", help="From heartbeat to heartbeat.")] = 60.0,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE.parquet", help="Write what every meter really had, at the end.")
    ] = None,
    truth_events: Annotated[
        Path | None,
        typer.Option("--truth-events", metavar="FILE.parquet", help="Write everything that happened, at the end."),
    ] = None,
    archives: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the town's archives first, to an .xlsx or to .csv files.")
    ] = None,
) -> None:
    """Run a town of concentrators and meters against a centre, until Ctrl-C.

    Every concentrator logs in, reports the days of the backlog, if any, then each reading as it falls due. What the
    centre does not confirm is sent again; what it asks for is answered from the memory of the last days.
    """
    from meterweave.cli.fleet import address, work  # noqa: PLC0415 - loading a town takes a second that others can spare
    from meterweave.simulator import Faults, Habits, Plan, Protocol, TownClock, build, terminals_of  # noqa: PLC0415
    from meterweave.simulator import archives as town_archives  # noqa: PLC0415
    from meterweave.simulator import truth as ground_truth  # noqa: PLC0415
    from meterweave.simulator.town import DAY_S, LOCAL_S  # noqa: PLC0415

    centres = {
        protocol: address(text) for protocol, text in zip(Protocol, (dlt698, gdw1376), strict=True) if text is not None
    }
    if not centres and archives is None:
        raise ConfigError("nobody to report to: give --dlt698 HOST:PORT, --gdw1376 HOST:PORT or both")
    if not 0 <= backlog <= days:
        raise ConfigError(f"backlog is {backlog} days, wanted 0 to the {days} that meters have readings of")
    if speed <= 0 or heartbeat <= 0:
        raise ConfigError(f"speed is {speed} and heartbeat {heartbeat}, wanted more than 0")
    clock = TownClock.beginning(start, speed, began)
    now_s = int(clock.start_s)
    today_s = (now_s + LOCAL_S) // DAY_S * DAY_S - LOCAL_S
    first_s = today_s - days * DAY_S
    wanted = Plan(
        terminals=terminals,
        meters=meters,
        others=others,
        seed=seed,
        first_s=first_s,
        days=days,
        protocols=tuple(centres or Protocol),
        faults=Faults.bad_town() if bad_town else Faults.of(faults),
    )
    town = build(wanted)
    left_out = others - sum(len(site.meters) for site in town) + meters
    if left_out:
        typer.echo(f"{left_out} water, gas and heat meters are left out: no concentrator speaks DL/T 698.45", err=True)
    if archives is not None:
        for file in town_archives.write(town, archives, first_s):
            typer.echo(f"archives of the town in {file}")
        if not centres:
            return
    fleet = terminals_of(
        town,
        first_s,
        seed=seed,
        faults=wanted.faults,
        habits=Habits(heartbeat_s=heartbeat, bare=bare),
        report_from_s=today_s - backlog * DAY_S if backlog else now_s,
    )
    work(fleet, centres, clock, seed)
    if truth:
        count = ground_truth.write(town, first_s, clock.now().town_s, truth)
        typer.echo(f"{count} true readings in {truth}")
    if truth_events:
        count = ground_truth.write_events(fleet, now_s, clock.now().town_s, truth_events)
        typer.echo(f"{count} true events in {truth_events}")
