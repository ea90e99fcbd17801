"""Events that devices reported."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from meterweave.api.archives import Cursor
from meterweave.api.caller import Caller
from meterweave.api.language import spoken
from meterweave.api.readings import First, Last, last_days
from meterweave.api.reply import reply
from meterweave.api.shapes import PROBLEMS, Events, Id
from meterweave.api.state import Shared
from meterweave.manager.events import DAYS_MAX, PAGE_ROWS_MAX, Asked, Happening, events
from meterweave.manager.span import local_day
from meterweave.text import Language

USUAL_DAYS = 7
"""Days up to the last one, where no first day is named."""

routes = APIRouter(tags=["events"], responses=PROBLEMS)


@routes.get("/events", response_model=Events)
async def listed(
    request: Request,
    api: Shared,
    identity: Caller,
    first: First = None,
    last: Last = None,
    terminal: Annotated[Id | None, Query(description="Its id.")] = None,
    meter: Annotated[Id | None, Query(description="Its id.")] = None,
    event: Annotated[str | None, Query(max_length=64, description="An event's name, such as power_outage.")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)] = 100,
    cursor: Cursor = None,
) -> Response:
    """Events, the newest first; of the last seven days, where no days are named."""
    days = last_days(first, last, local_day(api.now_us(), api.zone), usual=USUAL_DAYS, most=DAYS_MAX)
    asked = Asked(days, terminal, meter, event)
    page = await api.work.run(events, api.registry, api.lake, identity, asked, limit=limit, cursor=cursor)
    language = spoken(request.headers.get("accept-language"))
    return reply({"events": [_written(one, language) for one in page.events], "next": page.next})


def _written(one: Happening, language: Language) -> dict[str, Any]:
    return {
        "terminal": one.terminal,
        "meter": one.meter,
        "code": one.code,
        "name": one.name,
        "severity": one.severity,
        "title": one.meaning.in_language(language) if one.meaning else None,
        "at": one.at,
        "ended_at": one.ended_at,
        "number": one.number,
        "detail": one.detail,
        "source": one.source,
        "received_at": one.received_at,
    }
