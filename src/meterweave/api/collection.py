"""How collection goes; plans and gaps themselves are tables, see `archives`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response

from meterweave.api.caller import Caller
from meterweave.api.readings import First, Last, last_days
from meterweave.api.reply import reply
from meterweave.api.shapes import PROBLEMS, Id, Standing
from meterweave.api.state import Shared
from meterweave.manager.place import Part
from meterweave.manager.span import local_day
from meterweave.manager.success import DAYS_MAX, success

USUAL_DAYS = 7
"""Days up to the last one, where no first day is named."""

routes = APIRouter(tags=["collection"], responses=PROBLEMS)


@routes.get("/collection/success", response_model=Standing)
async def standing(
    api: Shared,
    identity: Caller,
    first: First = None,
    last: Last = None,
    organisation: Annotated[Id | None, Query(description="Its id; with all below it.")] = None,
    district: Annotated[Id | None, Query(description="Its id.")] = None,
) -> Response:
    """Of each plan and local day: readings due, reported in time, stored, missing; the newest day first."""
    days = last_days(first, last, local_day(api.now_us(), api.zone), usual=USUAL_DAYS, most=DAYS_MAX)
    found = await api.work.run(success, api.registry, identity, days, Part(organisation, district))
    return reply({"days": [asdict(one) for one in found]})
