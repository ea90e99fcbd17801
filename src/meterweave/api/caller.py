"""Who is asking: an API key, or the cookie of a session; found out once, before anything else of a request.

A browser sends a cookie whoever made it ask. So what a session changes needs the session's token against forgery as
well, in the header ``X-CSRF-Token``: it is told at log-in, and no other site can read it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer

from meterweave.api.problem import Trouble
from meterweave.api.state import Api, Shared
from meterweave.manager.identity import Identity
from meterweave.text import Text

COOKIE = "meterweave"
SECURE_COOKIE = "__Host-meterweave"
"""The cookie's name over HTTPS: with it browsers refuse a cookie that was set for another path or host."""

CSRF = "X-CSRF-Token"
_SECRET_MAX = 200  # characters; no key or token is so long
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_UNKNOWN = Text(
    "give an API key (Authorization: Bearer …) or log in; this one is unknown, ended or missing",
    "请提供API密钥（Authorization: Bearer …）或登录；当前身份缺失、无效或已过期",
)
_FORGED = Text(f"a session needs the header {CSRF} to change anything", f"使用会话修改数据时须携带请求头{CSRF}")
_TOO_FAST = Text("too many requests of this user or key", "该用户或密钥请求过于频繁")


async def caller(request: Request, api: Shared) -> Identity:
    """Who is asking.

    Raises
    ------
    LoginRefused
        If nobody has that key or session.
    Trouble
        If neither is given, the request may be forged, or comes too soon after others.
    """
    source = request.client.host if request.client else ""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        identity = await _of_key(api, authorization, source)
    else:
        token = session_token(request)
        if request.method not in _SAFE and not hmac.compare_digest(
            csrf_token(token).encode(), request.headers.get(CSRF, "").encode()
        ):
            raise Trouble("csrf", _FORGED)
        identity = await _known(api, api.door.of_session, token, source)
    request.scope["meterweave.who"] = identity.name
    wait_s = api.by_identity.wait_s(f"{identity.user} {identity.means}", api.now_s())
    if wait_s:
        raise Trouble("too-many", _TOO_FAST, retry_s=wait_s)
    return identity


async def _of_key(api: Api, authorization: str, source: str) -> Identity:
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(key.strip()) <= _SECRET_MAX:
        raise Trouble("not-identified", _UNKNOWN)
    return await _known(api, api.door.of_key, key.strip(), source)


async def _known(api: Api, look: Callable[[str, str], Identity], credential: str, source: str) -> Identity:
    """Who has a credential, as the door said a moment ago, or says now."""
    found = api.known.find(credential, source, api.now_s())
    if found is None:
        found = await api.work.run(look, credential, source)
        api.known.keep(credential, source, found, api.now_s())
    return found


def session_token(request: Request) -> str:
    """The token in the cookie.

    Raises
    ------
    Trouble
        If there is none.
    """
    token = request.cookies.get(_cookie(request), "")
    if not 0 < len(token) <= _SECRET_MAX:
        raise Trouble("not-identified", _UNKNOWN)
    return token


def csrf_token(token: str) -> str:
    """What proves that a page of ours made the request; it tells nothing of the session's token."""
    return hmac.new(token.encode(), b"meterweave csrf", sha256).hexdigest()


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Give the browser a session's token: for no script, for no other site, and over HTTPS for nothing less."""
    response.set_cookie(
        _cookie(request), token, path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def drop_cookie(request: Request, response: Response) -> None:
    """Take it away."""
    response.delete_cookie(
        _cookie(request), path="/", httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def _cookie(request: Request) -> str:
    return SECURE_COOKIE if request.url.scheme == "https" else COOKIE


_bearer = HTTPBearer(auto_error=False, scheme_name="key", description="An API key.")
_cookie_scheme = APIKeyCookie(name=COOKIE, auto_error=False, scheme_name="session", description="A session's cookie.")

Caller = Annotated[Identity, Depends(caller)]
"""For routes: who is asking."""

SECURITY = (Depends(_bearer), Depends(_cookie_scheme))
"""For the OpenAPI document: how one can be known."""
