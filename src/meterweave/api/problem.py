"""Whatever goes wrong, in one shape: ``application/problem+json`` (RFC 9457), in the language asked for.

A problem tells its kind (`type`, one of `KINDS`, for programs), what happened (`detail`, for people) and the request
(`instance`, for who reads the log). It never tells how the inside looks: what is ours to fix is logged, not sent.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from meterweave.api.language import spoken
from meterweave.lake import LakeError
from meterweave.manager.errors import (
    AccountError,
    AskedWrongly,
    CodeNeeded,
    HeldOff,
    LoginRefused,
    ManagerError,
    NotAllowed,
    NotVisible,
    PasswordRefused,
)
from meterweave.manager.listing.errors import ListingError
from meterweave.registry import RegistryBusy, RegistryError, UnknownRecord
from meterweave.registry.errors import CommandError
from meterweave.text import Language, Text

MEDIA = "application/problem+json"
MISTAKES_MAX = 20
"""Most mistakes of one request that are told."""

_log = structlog.get_logger(__name__)


class Kind(NamedTuple):
    """A kind of problem."""

    status: int
    title: Text


KINDS: Mapping[str, Kind] = {
    "asked-wrongly": Kind(400, Text("the question cannot be put so", "请求不合法")),
    "not-identified": Kind(401, Text("who is asking is not known", "未提供有效身份")),
    "code-needed": Kind(401, Text("a one-time code is needed", "需要动态验证码")),
    "not-allowed": Kind(403, Text("not allowed", "没有权限")),
    "csrf": Kind(403, Text("the request does not prove that it was meant", "缺少防伪令牌")),
    "not-found": Kind(404, Text("not found", "未找到")),
    "wrong-method": Kind(405, Text("not so", "不支持该方法")),
    "too-slow": Kind(408, Text("the request did not arrive in time", "请求未能及时到达")),
    "conflict": Kind(409, Text("not in this state", "当前状态下不能执行")),
    "too-large": Kind(413, Text("too large", "请求过大")),
    "wrong-content": Kind(415, Text("not in this form", "不支持该内容类型")),
    "not-possible": Kind(422, Text("not possible so", "无法处理")),
    "too-many": Kind(429, Text("too many requests", "请求过于频繁")),
    "fault": Kind(500, Text("something is wrong here", "服务器内部错误")),
    "busy": Kind(503, Text("not just now", "服务暂不可用")),
}
"""Every kind there is."""

_ERRORS: Mapping[type[Exception], str] = {
    AskedWrongly: "asked-wrongly",
    ListingError: "asked-wrongly",
    CodeNeeded: "code-needed",
    LoginRefused: "not-identified",
    HeldOff: "too-many",
    NotAllowed: "not-allowed",
    NotVisible: "not-found",
    UnknownRecord: "not-found",
    PasswordRefused: "not-possible",
    AccountError: "not-possible",
    CommandError: "not-possible",
    RegistryBusy: "busy",
    RegistryError: "not-possible",
    LakeError: "busy",
    OperationalError: "busy",
    InterfaceError: "busy",
}
_STATUS_KINDS = {
    401: "not-identified",
    403: "not-allowed",
    404: "not-found",
    405: "wrong-method",
    408: "too-slow",
    413: "too-large",
    415: "wrong-content",
    429: "too-many",
    503: "busy",
}
_RETRY_S = 5
_BUSY = Text("readings or archives cannot be asked just now; try again soon", "数据或档案暂时无法读取，请稍后再试")
_FAULT = Text(
    "it is not your fault; the log has more under the number of this request",
    "服务器内部错误，请将请求编号告知管理员查日志",
)


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    where: str
    detail: str


class Problem(BaseModel):
    """What went wrong, as RFC 9457 writes it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Mistake] | None = None


class Trouble(Exception):  # noqa: N818 - raised by the API itself, and always told
    """A problem that the API itself finds.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    retry_s : float, optional
        When to come again. [s]
    """

    def __init__(self, kind: str, text: Text, *, retry_s: float | None = None) -> None:
        super().__init__(text.en)
        self.kind, self.text, self.retry_s = kind, text, retry_s


def answer(request: Request, error: Exception) -> Response:
    """The response to `error`; what is ours to fix is logged."""
    if isinstance(error, Trouble):
        return problem(request, error.kind, error.text, retry_s=error.retry_s)
    if isinstance(error, RequestValidationError):
        return _of_validation(request, error.errors())
    if isinstance(error, HTTPException):
        kind = _STATUS_KINDS.get(error.status_code, "asked-wrongly" if error.status_code < 500 else "fault")
        return problem(request, kind, KINDS[kind].title, headers=error.headers)
    kind = next((_ERRORS[one] for one in type(error).__mro__ if one in _ERRORS), "fault")
    if kind == "fault":
        _log.error("a request failed", request=request_id(request), exc_info=error)
        return problem(request, kind, _FAULT)
    if kind == "busy":
        _log.warning("a request could not be answered", request=request_id(request), error=str(error)[:500])
        told = error.text if isinstance(error, RegistryBusy) else _BUSY
        return problem(request, kind, told, retry_s=_RETRY_S)
    assert isinstance(error, ManagerError | RegistryError)
    retry_s = float(error.wait_s) if isinstance(error, HeldOff) else None
    return problem(request, kind, error.text, retry_s=retry_s)


def problem(
    request: Request,
    kind: str,
    detail: Text,
    *,
    retry_s: float | None = None,
    headers: Mapping[str, str] | None = None,
    mistakes: Sequence[Mistake] | None = None,
) -> Response:
    """A problem of `kind`, in the language of the request."""
    language = spoken(request.headers.get("accept-language"))
    status, title = KINDS[kind]
    content: dict[str, Any] = {
        "type": f"urn:meterweave:problem:{kind}",
        "title": title.in_language(language),
        "status": status,
        "detail": detail.in_language(language),
        "instance": f"urn:meterweave:request:{request_id(request)}",
    }
    if mistakes is not None:
        content["errors"] = [one.model_dump() for one in mistakes]
    more = dict(headers or {}) | {"Content-Language": language, "Vary": "Accept-Language"}
    if status == 401:
        more["WWW-Authenticate"] = "Bearer"
    if retry_s is not None:
        more["Retry-After"] = str(max(1, math.ceil(retry_s)))
    return JSONResponse(content, status, media_type=MEDIA, headers=more)


def request_id(request: Request) -> str:
    """The number under which the log knows a request."""
    return str(request.scope.get("meterweave.request", "-"))


def _of_validation(request: Request, errors: Sequence[Mapping[str, Any]]) -> Response:
    language = spoken(request.headers.get("accept-language"))
    mistakes = [
        Mistake(where=".".join(str(part)[:64] for part in one["loc"]), detail=_told(one, language))
        for one in errors[:MISTAKES_MAX]
    ]
    told = Text("the request is not as it has to be", "请求内容不符合要求")
    return problem(request, "not-possible", told, mistakes=mistakes)


def _told(error: Mapping[str, Any], language: Language) -> str:
    """What is wrong, without the value that was sent: it may be a password."""
    words = _mistakes().get(str(error["type"]), Text("the value is not as it has to be", "取值不符合要求"))
    try:
        return words.in_language(language).format(**(error.get("ctx") or {}))
    except (KeyError, IndexError, ValueError):
        return words.in_language(language)


@cache
def _mistakes() -> Mapping[str, Text]:
    text = (files("meterweave.api") / "mistakes.csv").read_text(encoding="utf-8")
    return {row["type"]: Text(row["en"], row["zh"]) for row in csv.DictReader(text.splitlines())}
