"""What was used, as a table, as CSV and for programs."""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.cli import columns, moment, page, render
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.cli.reading_desk import in_words
from meterweave.errors import ConfigError
from meterweave.mdm import WORDS as FLAG_WORDS
from meterweave.mdm import Flag, Terms, consumption_of, local_days, local_months
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import Kind, Quantity
from meterweave.registry import Installation, UsagePoint
from meterweave.registry.entered import read_quantity, usual
from meterweave.registry.entered.roll import Roll
from meterweave.registry.importing.column import CellError
from meterweave.registry.importing.export import BOM, csv_line
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Language, Text

Json = dict[str, Any]

POINT = "point:"
"""Begins a word that names a usage point, where a meter is called the same."""

_DAYS, _MONTHS = 31, 12  # shown where nobody says from when
_TABLE = (
    Text("from", "自"),
    Text("used", "用量"),
    Text("unit", "单位"),
    Text("measured of it", "其中实测"),
    Text("complete", "完整率"),
    Text("remarks", "说明"),
)
_CSV = (Text("from", "自"), Text("until", "止于"), *_TABLE[1:])
_TITLE = {
    True: Text("usage point {name}: {quantity}", "用电点{name}：{quantity}"),
    False: Text("meter {name}: {quantity}", "表{name}：{quantity}"),
}
_SUM, _UNKNOWN, _AND = Text("all", "合计"), Text("not known", "未知"), Text("; ", "；")
_HINT = Text(
    "no reading falls on a boundary: --interpolate DAYS estimates between readings, and says so",
    "边界处没有读数：--interpolate DAYS可在两次读数之间插值估算，并予以标注",
)


class Wanted(NamedTuple):
    """What is asked."""

    word: str
    by_month: bool
    first: date | None
    last: date | None
    quantity: str | None
    reach_days: int | None  # over which the register may be estimated


class Owner(NamedTuple):
    """Whose consumption it is."""

    id: int
    name: str
    is_point: bool


class Used(NamedTuple):
    """What was used in an interval; in stored steps."""

    start: datetime
    end: datetime
    value: int | None
    part: int
    flags: Flag
    completeness: float


class Reckoned(NamedTuple):
    """The answer."""

    owner: Owner
    quantity: Quantity
    by_month: bool
    intervals: list[Used]
    total: Used  # from the first boundary to the last


def reckoned(folder: Folder, wanted: Wanted, language: Language) -> Reckoned:
    """What was used.

    Raises
    ------
    MeterweaveError
        If nobody, or several, are called so, or archives or lake cannot be read.
    """
    boundaries = _boundaries(wanted)
    terms = Terms()
    if wanted.reach_days is not None:
        terms = Terms(interpolate=True, reach=timedelta(days=wanted.reach_days))
    with in_words(language), folder.archives() as registry, folder.lake() as lake:
        with registry.reading() as session:
            owner, quantity = _meant(session, wanted, language)
        if quantity.kind is not Kind.CUMULATIVE:
            name = quantity.meaning
            raise ConfigError(
                Text(
                    f"{name.en} is no register that goes up; name one such as {usual(Utility.ELECTRICITY).name}",
                    f"“{name.zh}”不是累计量，请指定累计数据项，如“{usual(Utility.ELECTRICITY).meaning.zh}”",
                ).in_language(language)
            )
        whose: dict[str, list[int]] = {"usage_points" if owner.is_point else "meters": [owner.id]}
        rows, (total,) = (
            [
                Used(row["start"], row["end"], row["value"], row["part"], Flag(row["flags"]), row["completeness"])
                for row in consumption_of(lake, registry, quantity, asked, terms=terms, **whose).to_pylist()
            ]
            for asked in (boundaries, boundaries[[0, -1]])
        )
    return Reckoned(owner, quantity, wanted.by_month, rows, total)


def _boundaries(wanted: Wanted) -> NDArray[np.int64]:
    last = wanted.last or moment.today(moment.now()) - moment.DAY
    if wanted.by_month:
        months = last.year * 12 + last.month - _MONTHS
        first = wanted.first or date(months // 12, months % 12 + 1, 1)
        return local_months(first, last, moment.zone())
    return local_days(wanted.first or last - (_DAYS - 1) * moment.DAY, last, moment.zone())


def _meant(session: Session, wanted: Wanted, language: Language) -> tuple[Owner, Quantity]:
    word = wanted.word.strip()
    code = word.removeprefix(POINT)
    point = session.execute(select(UsagePoint.id, UsagePoint.code).where(UsagePoint.code == code)).one_or_none()
    meter = None
    try:
        meter = None if word.startswith(POINT) else Roll(session, [word]).the_one(word)
    except CellError as problem:
        if problem.code != "import.unknown_reference":
            raise
    if point is not None and meter is not None:
        raise ConfigError(
            Text(
                f"{word!r} is a usage point and a meter: say {POINT}{word} or id:{meter.id}",
                f"“{word}”既是用电点又是表：请写{POINT}{word}或id:{meter.id}",
            ).in_language(language)
        )
    if meter is not None:
        quantity = usual(meter.utility) if wanted.quantity is None else read_quantity(wanted.quantity)
        return Owner(meter.id, meter.name, False), quantity
    if point is None:
        raise ConfigError(
            Text(f"no usage point and no meter is called {code!r}", f"没有名为“{code}”的用电点或表").in_language(
                language
            )
        )
    quantity = _of_point(session, point.id, language) if wanted.quantity is None else read_quantity(wanted.quantity)
    return Owner(point.id, point.code, True), quantity


def _of_point(session: Session, point: int, language: Language) -> Quantity:
    """The usual register of the only utility on a usage point."""
    query = select(Installation.utility).where(Installation.usage_point_id == point).distinct()
    found = sorted(session.scalars(query), key=[*Utility].index)
    if len(found) == 1:
        return usual(found[0])
    said = ", ".join(f"{WORDS[one].in_language(language)} {usual(one).obis}" for one in found or Utility)
    raise ConfigError(
        Text(f"say which register with --quantity: {said}", f"请用--quantity指定数据项：{said}").in_language(language)
    )


def show(found: Reckoned, language: Language, *, as_json: bool, as_csv: bool) -> None:
    """Print the answer."""
    if as_json:
        typer.echo(json.dumps(_json(found), ensure_ascii=False))
    elif as_csv:
        lines = [[one.in_language(language) for one in _CSV]]
        for one in found.intervals:
            first, *others = _cells(one, found, language)
            lines.append([first, _day(one.end, found), *others])
        sys.stdout.buffer.write((BOM + "".join(map(csv_line, lines))).encode())
        sys.stdout.buffer.flush()
    else:
        _show_table(found, language)


def _show_table(found: Reckoned, language: Language) -> None:
    out, owner = render.console(), found.owner
    quantity = found.quantity.meaning.in_language(language)
    page.title(out, _TITLE[owner.is_point].in_language(language).format(name=owner.name, quantity=quantity))
    header = [Cell(one.in_language(language), "bold") for one in _TABLE]
    rows = [list(map(Cell, _cells(one, found, language))) for one in found.intervals]
    total = [Cell(_SUM.in_language(language), "bold"), *map(Cell, _cells(found.total, found, language)[1:])]
    columns.write(out, [header, *rows, total], right=[1, 3, 4])
    if any(Flag.GAP in one.flags for one in found.intervals):
        page.note(out, _HINT.in_language(language))


def _cells(one: Used, found: Reckoned, language: Language) -> list[str]:
    part, unit = _amount(one.part, found.quantity, language)
    value = _UNKNOWN.in_language(language) if one.value is None else _amount(one.value, found.quantity, language)[0]
    said = [FLAG_WORDS[flag].in_language(language) for flag in Flag if flag in one.flags]
    complete = f"{int(one.completeness * 100)} %"
    return [_day(one.start, found), value, unit, part, complete, _AND.in_language(language).join(said)]


def _amount(value: int, quantity: Quantity, language: Language) -> tuple[str, str]:
    return render.amount(to_text(value, quantity.exponent), quantity.unit, language)


def _day(instant: datetime, found: Reckoned) -> str:
    local = instant.astimezone(moment.zone())
    return local.strftime("%Y-%m" if found.by_month else "%Y-%m-%d")


def _json(found: Reckoned) -> Json:
    quantity, owner = found.quantity, found.owner
    return {
        "of": {"kind": "usage_point" if owner.is_point else "meter", "id": owner.id, "name": owner.name},
        "obis": quantity.obis,
        "name": quantity.name,
        "unit": quantity.unit,
        "intervals": [_used_json(one, quantity) for one in found.intervals],
        "total": _used_json(found.total, quantity),
    }


def _used_json(one: Used, quantity: Quantity) -> Json:
    return {
        "start": moment.local_iso(one.start),
        "end": moment.local_iso(one.end),
        "value": None if one.value is None else to_text(one.value, quantity.exponent),
        "part": to_text(one.part, quantity.exponent),
        "flags": [flag.name.lower() for flag in Flag if flag in one.flags and flag.name],
        "completeness": one.completeness,
    }
