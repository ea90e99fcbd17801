"""Live readings as server-sent events (WHATWG HTML, 9.2): what comes on disk, told within moments.

Events of the stream: ``readings`` with a list of them; ``end`` with the reason, after which nothing comes. A comment
every few seconds keeps proxies from closing it. Nothing is repeated: who missed something asks for the curve.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic_core import to_json
from starlette.responses import StreamingResponse

from meterweave.api.caller import Caller, caller
from meterweave.api.language import spoken
from meterweave.api.live import Some, Watcher
from meterweave.api.piecewise import Piecewise
from meterweave.api.problem import Trouble
from meterweave.api.shapes import PROBLEMS, Id
from meterweave.api.state import Api, Shared
from meterweave.errors import MeterweaveError
from meterweave.manager.identity import Identity
from meterweave.manager.place import Part
from meterweave.manager.readings import SERIES, described, quality_words
from meterweave.manager.span import local_text
from meterweave.manager.watching import METERS_MAX, watched
from meterweave.metering.batch import Source
from meterweave.metering.decimal import to_text
from meterweave.text import Language, Text

HEARTBEAT_S = 15.0
CHECK_S = 30.0
"""How often it is looked again who is watching, and whose readings they may see. [s]"""

MEDIA = "text/event-stream"

_SLOW = Text("the stream was read too slowly; something is missing from here on", "读取过慢，数据流已中断")
_OVER = Text("you may not watch this any more", "您已无权继续查看")

routes = APIRouter(tags=["readings"], responses=PROBLEMS)

_SERIES = {int(profile): name for name, profile in SERIES.items()}
_SOURCES = {int(source): source.name.lower() for source in Source}


@routes.get(
    "/live/readings",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA: {}}, "description": "Server-sent events."}},
)
async def readings(
    request: Request,
    api: Shared,
    identity: Caller,
    meter: Annotated[list[Id], Query(max_length=METERS_MAX, description="Ids; repeatable.")] = [],  # noqa: B006
    organisation: Annotated[Id | None, Query(description="Its id; with all below it.")] = None,
    district: Annotated[Id | None, Query(description="Its id.")] = None,
) -> Response:
    """Readings of some meters, or of a part of the network, as they come in."""
    if api.collecting is None:
        raise Trouble("busy", Text("nothing is collected here", "本服务不采集数据"))
    part = Part(organisation, district)
    meters = await api.work.run(watched, api.registry, identity, meter, part)
    watching = api.live.watching(f"{identity.user} {identity.means}", meters)
    watcher = watching.__enter__()

    async def over() -> None:
        watching.__exit__(None, None, None)

    return Piecewise(
        _pieces(request, api, watcher, meter, part), over, media_type=MEDIA, headers={"X-Accel-Buffering": "no"}
    )


async def _pieces(request: Request, api: Api, watcher: Watcher, meters: list[int], part: Part) -> AsyncIterator[bytes]:
    language = spoken(request.headers.get("accept-language"))
    check_at = api.now_s() + CHECK_S
    yield b": here\n\n"
    while True:
        some = await watcher.next(min(HEARTBEAT_S, CHECK_S))
        if some is not None:
            yield _event("readings", _written(some, api))
        elif watcher.missed:
            yield _end(_SLOW, language)
            return
        else:
            yield b": here\n\n"
        if api.now_s() >= check_at:
            check_at = api.now_s() + CHECK_S
            if not await _may_still(request, api, watcher, meters, part):
                yield _end(_OVER, language)
                return


async def _may_still(request: Request, api: Api, watcher: Watcher, meters: list[int], part: Part) -> bool:
    """Look anew who is watching; the meters watched become those that may be seen now."""
    try:
        identity: Identity = await caller(request, api)
        watcher.meters = await api.work.run(watched, api.registry, identity, meters, part)
    except (MeterweaveError, Trouble):
        return False
    return True


def _written(some: Some, api: Api) -> list[dict[str, Any]]:
    batch, rows = some
    found = []
    for row in rows.tolist():
        quantity = described(int(batch.quantity[row]))
        found.append(
            {
                "meter": int(batch.meter[row]),
                "quantity": quantity.name,
                "obis": quantity.obis,
                "unit": quantity.unit,
                "series": _SERIES[int(batch.profile[row])],
                "at": local_text(int(batch.ts[row]), api.zone),
                "value": None if batch.missing[row] else to_text(int(batch.value[row]), quantity.exponent),
                "quality": quality_words(int(batch.quality[row])),
                "source": _SOURCES[int(batch.source[row])],
            }
        )
    return found


def _event(name: str, content: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + to_json(content) + b"\n\n"


def _end(why: Text, language: Language) -> bytes:
    return _event("end", {"reason": why.in_language(language)})
