"""The application: all routes, behind the shield, with one shape for whatever goes wrong."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from meterweave import __version__
from meterweave.api import archives, bulk, collection, commands, events, health, readings, session, stream
from meterweave.api.caller import SECURITY
from meterweave.api.problem import answer
from meterweave.api.shield import Shield
from meterweave.api.state import Api

ROOT = "/api/v1"
_ABOUT = """Archives, readings, events, commands and collection of a Meterweave centre.

Give an API key as `Authorization: Bearer …`, or log in and send the session's cookie. What you see is your part of the
network; what is outside it is *not found*. Values are exact decimal text with a unit. Errors are problem+json in
English or Chinese (`Accept-Language`)."""


def create_app(api: Api) -> FastAPI:
    """The application over a centre's archives and lake."""
    app = FastAPI(
        title="Meterweave",
        version=__version__,
        description=_ABOUT,
        openapi_url=f"{ROOT}/openapi.json",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _told, RequestValidationError: _told},
    )
    app.state.api = api
    for known in (archives, readings, bulk, stream, events, commands, collection):
        app.include_router(known.routes, prefix=ROOT, dependencies=SECURITY)
    app.include_router(session.routes, prefix=ROOT)
    app.include_router(health.routes)
    app.add_middleware(Shield, api=api)
    return app


async def _told(request: Request, error: Exception) -> Response:
    return answer(request, error)
