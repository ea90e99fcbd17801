"""Readings of many meters as one download that is made while it is read: CSV, Arrow or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from meterweave.api.caller import Caller
from meterweave.api.download import download
from meterweave.api.readings import Name, Series
from meterweave.api.shapes import PROBLEMS, Id
from meterweave.api.state import Shared
from meterweave.api.written import FORMS, Form
from meterweave.manager.bulk import DAYS_MAX, readings_of, schema
from meterweave.manager.place import Part
from meterweave.manager.readings import wanted
from meterweave.manager.span import days_between

Organisation = Annotated[Id | None, Query(description="Its id; with all below it.")]
District = Annotated[Id | None, Query(description="Its id.")]
First = Annotated[date, Query(alias="from", description="The first local day.")]
Last = Annotated[date | None, Query(alias="to", description="The last local day, included; else the first one.")]

routes = APIRouter(tags=["readings"], responses=PROBLEMS)


def _download(form: Form) -> None:
    @routes.get(
        f"/readings.{form.name}",
        operation_id=f"readings_{form.name}",
        summary=f"Readings of many meters as {form.title}",
        response_class=StreamingResponse,
        responses={200: {"content": {form.media: {}}, "description": f"{form.title}, made while it is read."}},
    )
    async def downloaded(
        api: Shared,
        identity: Caller,
        first: First,
        last: Last = None,
        organisation: Organisation = None,
        district: District = None,
        quantity: Name = [],  # noqa: B006 - FastAPI copies it
        series: Series = [],  # noqa: B006
    ) -> Response:
        """All readings of a part of the network (of all that is seen, where none is named), day after day."""
        days = days_between(first, last or first, most=DAYS_MAX)
        curves, part = wanted(quantity, series), Part(organisation, district)

        def make() -> Iterator[bytes]:
            batches = readings_of(api.registry, api.lake, identity, part, days, curves)
            return form.pieces(schema(api.zone), batches)

        return await download(api, make, media=form.media, name=f"readings_{days.first}_{days.last}.{form.name}")


for _form in FORMS:
    _download(_form)
