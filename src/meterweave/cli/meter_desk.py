"""Meters that come and go, entered on the command line: history and readings in one act, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import typer

from meterweave.cli import moment
from meterweave.cli.folder import Folder
from meterweave.cli.reading_desk import (
    desk,
    notes_json,
    octets_of,
    operator_named,
    reading_json,
    register_named,
    said,
    show_notes,
    terms_of,
    when,
)
from meterweave.lake import Lake
from meterweave.mdm.desk import about
from meterweave.registry.changes import ArchiveSession
from meterweave.registry.entered import (
    NOBODY_READ,
    Act,
    Done,
    EntryReport,
    Kept,
    Key,
    Point,
    Stand,
    amount_text,
    put_in,
    read_amount,
    take_out,
)
from meterweave.registry.entered import exchange as exchange_meters
from meterweave.registry.entered.roll import MeterFacts, Roll, facts_of, first_installed
from meterweave.registry.importing.column import CellError
from meterweave.registry.vocabulary import WORDS
from meterweave.text import Language, Text

_AGAIN = Text("usage point {point}: it was entered before, nothing was changed", "用电点{point}：此前已录入，未作更改")
_DONE = Text("usage point {point}: entered", "用电点{point}：已录入")
_LINE = Text("{meter}: {purpose} {value} at {when}", "{meter}：{when} {purpose} {value}")
_UNREAD = Text("nobody read it: consumption will have no value across {when}", "未读到示数：跨越{when}的用量将无法计算")


class Visit(NamedTuple):
    """Somebody at a usage point, as it is typed."""

    at: str
    out: Sequence[str]
    into: Sequence[str]
    reader: str | None
    photo: str | None
    note: str | None
    operator: str | None

    @property
    def unread(self) -> bool:
        """Whether a meter came or went and nobody could read it."""
        return NOBODY_READ in (*self.out, *self.into)


class Shown(NamedTuple):
    """What an act did, with the names of the meters."""

    done: Done
    meters: Mapping[int, str]
    at: datetime
    unread: bool  # whether a meter came or went and nobody read it


def exchange(folder: Folder, old: str, new: str, visit: Visit, language: Language) -> Shown:
    """Put one meter in the place of another.

    Raises
    ------
    MeterweaveError
        If it cannot be, and why; then nothing is changed.
    """

    def do(session: ArchiveSession, lake: Lake, act: Act) -> Done:
        roll = Roll(session, [old, new])
        going, coming = roll.the_one(old), roll.the_one(new)
        out, into = _stand(visit.out, going), _stand(visit.into, coming)
        others = _others(session, lake, {going.id: out, coming.id: into}, act)
        return exchange_meters(session, going.id, coming.id, act, out=out, into=into, others=others)

    return _done(folder, visit, do, language)


def remove(folder: Folder, meter: str, visit: Visit, language: Language) -> Shown:
    """Take a meter off its usage point; as `exchange`."""

    def do(session: ArchiveSession, lake: Lake, act: Act) -> Done:
        going = Roll(session, [meter]).the_one(meter)
        out = _stand(visit.out, going)
        return take_out(session, going.id, act, out=out, others=_others(session, lake, {going.id: out}, act))

    return _done(folder, visit, do, language)


def install(folder: Folder, meter: str, point: str, visit: Visit, language: Language) -> Shown:
    """Put a meter on a usage point; as `exchange`."""

    def do(session: ArchiveSession, lake: Lake, act: Act) -> Done:
        coming = Roll(session, [meter]).the_one(meter)
        into = _stand(visit.into, coming)
        others = _others(session, lake, {coming.id: into}, act)
        return put_in(session, coming.id, point.strip(), act, into=into, others=others)

    return _done(folder, visit, do, language)


def exchange_file(folder: Folder, file: Path, operator: str | None, language: Language, *, check: bool) -> EntryReport:
    """Exchange the meters of a file, or only try it; as `reading_desk.take_in`."""
    octets, terms = octets_of(file), terms_of(operator, check=check)
    with desk(folder, language) as found:
        return found.exchange_octets(octets, file.name, terms)


def _done(folder: Folder, visit: Visit, do: Callable[[ArchiveSession, Lake, Act], Done], language: Language) -> Shown:
    now, entered_by = moment.now(), operator_named(visit.operator)
    with desk(folder, language) as found:
        reader, photo, note = said(visit.reader, visit.photo, visit.note)
        act = Act(when(visit.at, now), entered_by, now, moment.zone(), reader, photo, note)

        def write(session: ArchiveSession, lake: Lake) -> tuple[Shown, Sequence[Kept]]:
            done = do(session, lake, act)
            names = facts_of(session, {one.entry.meter for one in done.kept})
            shown = Shown(done, {meter: one.name for meter, one in names.items()}, act.at, visit.unread)
            return shown, done.kept

        return found.enter(write)


def _stand(words: Sequence[str], meter: MeterFacts) -> Stand:
    """Where the registers stand, from ``VALUE`` or ``QUANTITY=VALUE`` each."""
    found: dict[int, int] = {}
    for word in words:
        if word.strip() == NOBODY_READ:
            continue
        name, equals, value = word.rpartition("=")
        quantity = register_named(name.strip() if equals else None, meter)
        if quantity.code in found:
            raise CellError(
                "import.duplicate",
                Text(f"{quantity.meaning.en} is said twice", f"{quantity.meaning.zh}重复填写"),
            )
        found[quantity.code] = read_amount(value.strip(), None, quantity)
    return found


def _others(
    session: ArchiveSession, lake: Lake, stands: Mapping[int, Stand], act: Act
) -> Mapping[Key, Sequence[Point]]:
    """The readings about the act that came in by themselves, since the meters were first installed."""
    asked = [(meter, quantity, act.at) for meter, stand in stands.items() for quantity in stand]
    return about(lake, asked, first_installed(session, stands))


def show(shown: Shown, language: Language, *, as_json: bool) -> None:
    """What came of it."""
    done = shown.done
    if as_json:
        readings = [reading_json(one, shown.meters[one.entry.meter]) for one in done.kept]
        found = {"usage_point": done.usage_point, "time": moment.local_iso(shown.at), "again": done.again}
        typer.echo(json.dumps({**found, "readings": readings, "notes": notes_json(done.notes)}, ensure_ascii=False))
        return
    show_notes(done.notes, language)
    for kept in done.kept:
        entry = kept.entry
        typer.echo(
            _LINE.in_language(language).format(
                meter=shown.meters[entry.meter],
                purpose=WORDS[entry.purpose].in_language(language),
                value=amount_text(entry.value, entry.quantity),
                when=moment.local(entry.ts),
            )
        )
    if shown.unread:
        typer.echo(_UNREAD.in_language(language).format(when=moment.local(shown.at)))
    words = _AGAIN if done.again else _DONE
    typer.echo(words.in_language(language).format(point=done.usage_point))
