"""One meter's readings, and what can be measured."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from meterweave.api.caller import Caller
from meterweave.api.kept import Answer
from meterweave.api.language import spoken
from meterweave.api.reply import tag_of, tagged, with_tag
from meterweave.api.shapes import PROBLEMS, MeterReadings, PathId
from meterweave.api.state import Shared
from meterweave.manager.readings import DAYS_MAX, PAGE_DAYS_MAX, Curve, Rows, Wanted, curves_of, meter_rows, wanted
from meterweave.manager.span import LAST, Days, days_between, local_day
from meterweave.metering.quantities import quantities
from meterweave.text import Language

Name = Annotated[list[str], Query(max_length=50, description="A quantity's name or OBIS code; repeatable.")]
Series = Annotated[list[str], Query(max_length=6, description="spot, curve, daily, monthly, settlement, event.")]
First = Annotated[date | None, Query(alias="from", description="The first local day; today, where none is given.")]
Last = Annotated[date | None, Query(alias="to", description="The last local day, included; else the first one.")]

routes = APIRouter(tags=["readings"], responses=PROBLEMS)


class Measurable(BaseModel):
    """A quantity that can be measured."""

    name: str
    obis: str
    unit: str
    exponent: int
    kind: str
    utility: str
    phase: str
    tariff: int
    title: str


@routes.get("/quantities", response_model=list[Measurable])
async def measurable(request: Request, identity: Caller) -> Response:
    """What can be measured: names, OBIS codes, units, and the step in which values are kept (10 to the exponent)."""
    language = spoken(request.headers.get("accept-language"))
    names = ("name", "obis", "unit", "exponent", "kind", "utility", "phase", "tariff")
    found = [
        {**{name: getattr(one, name) for name in names}, "title": one.meaning.in_language(language)}
        for one in quantities().values()
    ]
    return tagged(request, found)


@routes.get("/meters/{number}/readings", response_model=MeterReadings)
async def of_meter(
    request: Request,
    api: Shared,
    identity: Caller,
    number: PathId,
    first: First = None,
    last: Last = None,
    quantity: Name = [],  # noqa: B006 - FastAPI copies it
    series: Series = [],  # noqa: B006
    days: Annotated[int, Query(ge=1, le=PAGE_DAYS_MAX, description="Local days on a page.")] = PAGE_DAYS_MAX,
) -> Response:
    """A meter's readings of some local days, exact, with their units; a freeze of day D holds at 00:00 of D + 1."""
    span = span_of(first, last, local_day(api.now_us(), api.zone), most=DAYS_MAX)
    asked = wanted(quantity, series)
    language = spoken(request.headers.get("accept-language"))
    return await api.work.run(_answer, request, api, identity, number, span, asked, days, language)


def _answer(
    request: Request,
    api: Shared,
    identity: Caller,
    number: int,
    span: Days,
    asked: Wanted,
    days: int,
    language: Language,
) -> Response:
    rows = meter_rows(api.registry, api.lake, identity, number, span, page_days=days)
    question = (number, rows.days, rows.next, asked, language)
    found = api.kept.find(question, rows.table)
    if found is None:
        octets = to_json(_written(rows, curves_of(rows.table, asked, api.zone), api.zone.key, language))
        found = Answer(rows.table, octets, tag_of(octets))
        api.kept.keep(question, found)
    return with_tag(request, found.octets, found.tag)


def span_of(first: date | None, last: date | None, today: date, *, most: int) -> Days:
    """The local days from `first` (or today) to `last` (or `first`).

    Raises
    ------
    AskedWrongly
        If there are none, or more than `most`.
    """
    begin = first or min(today, last or LAST)
    return days_between(begin, last or begin, most=most)


def last_days(first: date | None, last: date | None, today: date, *, usual: int, most: int) -> Days:
    """As `span_of`; where no first day is given, `usual` days up to the last one."""
    end = last or today
    begin = first or max(end - timedelta(days=usual - 1), date(1970, 1, 2))
    return days_between(begin, end if last or begin <= end else begin, most=most)


def _written(page: Rows, curves: Sequence[Curve], zone: str, language: Language) -> dict[str, Any]:
    return {
        "meter": page.meter,
        "from": page.days.first,
        "to": page.days.last,
        "zone": zone,
        "curves": [_curve(one, language) for one in curves],
        "next": page.next,
    }


def _curve(curve: Curve, language: Language) -> dict[str, Any]:
    quantity = curve.quantity
    return {
        "quantity": quantity.name,
        "obis": quantity.obis,
        "title": quantity.meaning.in_language(language),
        "unit": quantity.unit,
        "kind": quantity.kind,
        "series": curve.series,
        "points": [
            {"at": at, "value": value, "quality": quality, "source": source}
            for at, value, quality, source in curve.points
        ],
    }
