"""Alive, ready, and how it fares: for what watches over processes, and for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Response

from meterweave.api.caller import Caller
from meterweave.api.metrics import MEDIA
from meterweave.api.reply import reply
from meterweave.api.shapes import PROBLEMS, Alive, Ready
from meterweave.api.state import Shared
from meterweave.manager.health import parts, require_health

routes = APIRouter(tags=["health"])


@routes.get("/healthz", response_model=Alive)
async def alive() -> Response:
    """The process answers."""
    return reply({"alive": True})


@routes.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
async def ready(api: Shared) -> Response:
    """Whether archives and lake can be asked; 503 where one cannot."""
    found = await api.work.run(parts, api.registry, api.lake)
    good = all(found.values())
    content = {"ready": good, "parts": [{"name": name, "ok": ok} for name, ok in found.items()]}
    return reply(content, 200 if good else 503)


@routes.get("/metrics", response_class=Response, responses={**PROBLEMS, 200: {"content": {MEDIA: {}}}})
async def metrics(api: Shared, identity: Caller) -> Response:
    """Numbers for Prometheus; none of a person, a meter or an address."""
    require_health(identity)
    return Response(await api.work.run(api.metrics.text), media_type=MEDIA)
