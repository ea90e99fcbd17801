"""Readings entered on the command line: who enters what, and what came of it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import typer

from meterweave.cli import moment
from meterweave.cli.archive_file import busy
from meterweave.cli.folder import REGISTRY, Folder
from meterweave.errors import ConfigError
from meterweave.lake import Lake, LakeSettings
from meterweave.mdm.desk import Desk, about
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import Quantity, by_code
from meterweave.registry import RegistryError
from meterweave.registry.changes import ArchiveSession
from meterweave.registry.entered import (
    Book,
    Entry,
    EntryReport,
    Kept,
    Remark,
    Terms,
    Verdict,
    Withdrawn,
    amount_text,
    of_utility,
    read_amount,
    read_quantity,
    usual,
    withdraw,
)
from meterweave.registry.entered.roll import MeterFacts, Roll, facts_of
from meterweave.registry.errors import ReadingError
from meterweave.registry.importing import ImportLimits
from meterweave.registry.importing.column import CellError, instant, text_up_to
from meterweave.registry.importing.report import Action
from meterweave.text import Language, Text

Json = dict[str, Any]

_IMPORTING = Text("entering {}", "正在录入{}")
_ADDED = {
    Action.CREATED: Text("entered", "已录入"),
    Action.CHANGED: Text("corrected", "已更正"),
    Action.UNCHANGED: Text("known already, nothing was changed", "已有相同读数，未作更改"),
}
_TAKEN, _TAKEN_BEFORE = Text("taken back", "已撤回"), Text("taken back before", "此前已撤回")
_LINE = Text("{meter}: {what}, {value} at {when}", "{meter}：{when} {what} {value}")
_NOTE = Text("note: {}", "提示：{}")


class Slip(NamedTuple):
    """One reading as it is typed."""

    meter: str
    value: str
    time: str | None
    quantity: str | None
    reader: str | None
    photo: str | None
    note: str | None
    estimated: bool
    correct: bool


class Added(NamedTuple):
    """What became of it."""

    meter: MeterFacts
    verdict: Verdict
    kept: Kept


class Taken(NamedTuple):
    """What became of a reading that was taken back."""

    meter: str
    done: Withdrawn


@contextmanager
def in_words(language: Language) -> Iterator[None]:
    """Say in the language that is spoken what archives or a reading are refused for."""
    try:
        yield
    except (RegistryError, CellError) as error:
        raise ConfigError(error.text.in_language(language)) from error


@contextmanager
def desk(folder: Folder, language: Language) -> Iterator[Desk]:
    """Archives and lake of a centre, to enter readings into.

    Raises
    ------
    MeterweaveError
        If there are no archives, or they cannot be used.
    """
    if not folder.has_archives:
        raise ConfigError(f"{folder.path} holds no archives: there is no file {REGISTRY} in it")
    with in_words(language), folder.registry() as registry:
        yield Desk(registry, folder.lake_path, LakeSettings(zone=moment.zone()))


def operator_named(name: str | None) -> str:
    """Who enters: the one named, else the user of this machine."""
    found = (name or getpass.getuser()).strip()
    if not 0 < len(found) <= 64 or not found.isprintable():
        raise ConfigError(f"{found!r} is no name of an operator; wanted 1 to 64 characters")
    return found


def when(text: str | None, now: datetime) -> datetime:
    """The instant that is typed, local where it has no offset; nothing: `now`, to the second.

    Raises
    ------
    CellError
        If it is none.
    """
    return now.replace(microsecond=0) if text is None else instant(text.strip(), moment.zone())


def said(reader: str | None, photo: str | None, note: str | None) -> tuple[str | None, str | None, str | None]:
    """Who read a meter, with which photo, and what else there is to say, if the archives have room for it.

    Raises
    ------
    CellError
        If one is too long, or no text.
    """
    short, long = text_up_to(64), text_up_to(500)
    return (
        None if reader is None else short(reader.strip()),
        None if photo is None else long(photo.strip()),
        None if note is None else long(note.strip()),
    )


def take_in(
    folder: Folder, file: Path, operator: str | None, language: Language, *, check: bool, correct: bool
) -> EntryReport:
    """Enter the readings of a file, or only try it.

    Raises
    ------
    OSError
        If the file cannot be read.
    MeterweaveError
        If archives or lake cannot be used.
    """
    octets, terms = octets_of(file), terms_of(operator, check=check, correct=correct)
    with desk(folder, language) as found, busy(_IMPORTING.in_language(language).format(file.name)):
        return found.import_octets(octets, file.name, terms)


def octets_of(file: Path) -> bytes:
    """What is in a file, as much of it as an import may have, and one octet more.

    Raises
    ------
    ConfigError, OSError
        If there is none, or it cannot be read.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: there is no such file")
    with file.open("rb") as stream:
        return stream.read(ImportLimits().octets_max + 1)


def terms_of(operator: str | None, *, check: bool, correct: bool = False) -> Terms:
    """Who enters, now and here."""
    return Terms(operator_named(operator), moment.now(), moment.zone(), check=check, correct=correct)


def tell(report: EntryReport, language: Language, *, as_json: bool) -> None:
    """What came of a file."""
    if as_json:
        typer.echo(json.dumps(report.to_json(), ensure_ascii=False))
        return
    for line in report.lines(language):
        typer.echo(line)


def add(folder: Folder, slip: Slip, operator: str | None, language: Language) -> Added:
    """Enter one reading.

    Raises
    ------
    MeterweaveError
        If it cannot be, and why.
    """
    entered_by, now = operator_named(operator), moment.now()

    def write(session: ArchiveSession, lake: Lake) -> tuple[Added, Sequence[Kept]]:
        meter = Roll(session, [slip.meter]).the_one(slip.meter)
        quantity = register_named(slip.quantity, meter)
        entry = _entry(slip, meter, quantity, now)
        others = about(lake, [(meter.id, quantity.code, entry.ts)])
        book = Book(session, {meter.id: meter}, entry.ts, others, moment.zone())
        (verdict,) = book.judge([entry], now=now, correct=slip.correct)
        for remark in verdict.remarks:
            if remark.is_problem:
                raise ReadingError(remark.code, remark.text)
        kept = book.write([verdict], entered_by=entered_by, now=now)
        return Added(meter, verdict, kept[0]), kept

    with desk(folder, language) as found:
        return found.enter(write)


def withdraw_one(folder: Folder, number: int, note: str | None, operator: str | None, language: Language) -> Taken:
    """Take back an entered reading.

    Raises
    ------
    MeterweaveError
        If there is none with this number.
    """
    entered_by, now = operator_named(operator), moment.now()

    def write(session: ArchiveSession, lake: Lake) -> tuple[Taken, Sequence[Kept]]:
        _, _, why = said(None, None, note)
        done = withdraw(session, number, note=why, entered_by=entered_by, now=now)
        meter = facts_of(session, [done.kept.entry.meter])[done.kept.entry.meter]
        return Taken(meter.name, done), [done.kept]

    with desk(folder, language) as found:
        return found.enter(write)


def show_withdrawn(taken: Taken, language: Language, *, as_json: bool) -> None:
    """What came of taking a reading back."""
    kept = taken.done.kept
    if as_json:
        found = {"again": taken.done.again, "reading": reading_json(kept, taken.meter)}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    what = (_TAKEN_BEFORE if taken.done.again else _TAKEN).in_language(language)
    value, when_read = amount_text(kept.entry.value, kept.entry.quantity), moment.local(kept.entry.ts)
    typer.echo(_LINE.in_language(language).format(meter=taken.meter, what=what, value=value, when=when_read))


def register_named(word: str | None, meter: MeterFacts) -> Quantity:
    """The quantity that is meant of a meter; nothing: its utility's usual one.

    Raises
    ------
    CellError
        If there is none of that name, or it is of another utility.
    """
    return usual(meter.utility) if word is None else of_utility(read_quantity(word), meter)


def _entry(slip: Slip, meter: MeterFacts, quantity: Quantity, now: datetime) -> Entry:
    reader, photo, note = said(slip.reader, slip.photo, slip.note)
    value = read_amount(slip.value.strip(), None, quantity)
    ts = when(slip.time, now)
    return Entry(meter.id, quantity.code, ts, value, slip.estimated, reader=reader, photo=photo, note=note)


def show_added(added: Added, language: Language, *, as_json: bool) -> None:
    """What came of one reading."""
    entry = added.kept.entry
    if as_json:
        found = {"action": added.verdict.action.value, "reading": reading_json(added.kept, added.meter.name)}
        typer.echo(json.dumps(found | {"notes": notes_json(added.verdict.remarks)}, ensure_ascii=False))
        return
    show_notes(added.verdict.remarks, language)
    what = _ADDED[added.verdict.action].in_language(language)
    value = amount_text(entry.value, entry.quantity)
    line = _LINE.in_language(language)
    typer.echo(line.format(meter=added.meter.name, what=what, value=value, when=moment.local(entry.ts)))


def show_notes(remarks: Sequence[Remark], language: Language) -> None:
    """What stands against nothing, and should be known."""
    for remark in remarks:
        typer.echo(_NOTE.in_language(language).format(remark.text.in_language(language)))


def notes_json(remarks: Sequence[Remark]) -> list[Json]:
    """The same for programs."""
    return [{"code": one.code, "en": one.text.en, "zh": one.text.zh} for one in remarks]


def reading_json(kept: Kept, meter: str) -> Json:
    """An entered reading as one JSON object; times are local, with their offset."""
    entry, quantity = kept.entry, by_code()[kept.entry.quantity]
    return {
        "meter_id": entry.meter,
        "meter": meter,
        "obis": quantity.obis,
        "name": quantity.name,
        "value": to_text(entry.value, quantity.exponent),
        "unit": quantity.unit,
        "time": moment.local_iso(entry.ts),
        "estimated": entry.estimated,
        "purpose": entry.purpose.value,
        "reader": entry.reader or "",
        "photo": entry.photo,
        "note": entry.note or "",
        "revision": kept.revision,
        "withdrawn": kept.withdrawn,
        "entered_by": kept.entered_by,
        "entered_at": moment.local_iso(kept.entered_at),
    }
