"""Log in, log out, and who am I."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from meterweave.api.caller import Caller, csrf_token, drop_cookie, session_token, set_cookie
from meterweave.api.problem import Trouble
from meterweave.api.reply import reply
from meterweave.api.shapes import PROBLEMS, Credentials, Me, NewPassword
from meterweave.api.state import Shared
from meterweave.manager import sessions
from meterweave.manager.door import LoggedIn
from meterweave.manager.identity import Identity
from meterweave.manager.own import change_password
from meterweave.text import Text

routes = APIRouter(tags=["session"], responses=PROBLEMS)

_NO_SESSION = Text("you are not in a session; an API key needs no log-out", "当前不是会话登录，API密钥无需退出")


@routes.post("/session", response_model=Me, operation_id="log_in")
async def log_in(request: Request, api: Shared, who: Credentials) -> Response:
    """Begin a session; its token goes into a cookie, `csrf` is what changes need beside it."""
    found = await api.work.run(api.door.login, who.name, who.password, _other_end(request), code=who.code)
    return _begun(request, found)


@routes.get("/session", response_model=Me, operation_id="who_am_i")
async def who_am_i(request: Request, identity: Caller) -> Response:
    """Who is asking, by session or key."""
    return reply(_me(identity, None if identity.session is None else session_token(request)))


@routes.delete("/session", status_code=204, operation_id="log_out")
async def log_out(request: Request, api: Shared, identity: Caller) -> Response:
    """End the session."""
    if identity.session is None:
        raise Trouble("conflict", _NO_SESSION)
    await api.work.run(sessions.end_session, api.registry, identity, identity.session)
    api.known.forget()
    response = Response(status_code=204)
    drop_cookie(request, response)
    return response


@routes.put("/session/password", response_model=Me, operation_id="change_own_password")
async def change_own_password(request: Request, api: Shared, identity: Caller, password: NewPassword) -> Response:
    """Choose another password; all sessions of the user end, and a new one begins."""
    if identity.session is None:
        raise Trouble("conflict", _NO_SESSION)
    changed = await api.work.run(change_password, api.door, identity, password.old, password.new, _other_end(request))
    api.known.forget()
    return _begun(request, changed)


def _begun(request: Request, found: LoggedIn) -> Response:
    response = reply(_me(found.identity, found.token))
    set_cookie(request, response, found.token)
    return response


def _me(identity: Identity, token: str | None) -> dict[str, object]:
    return {
        "name": identity.name,
        "permissions": sorted(identity.permissions),
        "everywhere": identity.scope.everywhere,
        "organisations": sorted(identity.scope.organisations),
        "must_change": identity.must_change,
        "csrf": None if token is None else csrf_token(token),
    }


def _other_end(request: Request) -> sessions.Caller:
    source = request.client.host if request.client else ""
    return sessions.Caller(source, request.headers.get("user-agent", "")[:200])
