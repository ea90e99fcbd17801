"""Answers in JSON, and the tags by which a caller finds out that nothing changed."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

_MEDIA = "application/json"


def reply(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`content` as JSON."""
    return Response(to_json(content), status, media_type=_MEDIA, headers=headers)


def tagged(request: Request, content: Any) -> Response:
    """`content` as JSON with an ETag; 304 and nothing, where the caller has just that (RFC 9110, 13.1.2)."""
    octets = to_json(content)
    return with_tag(request, octets, tag_of(octets))


def tag_of(octets: bytes) -> str:
    """The ETag of an answer: other octets have another one."""
    return f'"{sha256(octets).hexdigest()[:32]}"'


def with_tag(request: Request, octets: bytes, tag: str) -> Response:
    """JSON that is written out already, or 304."""
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept-Language"}
    if has_it(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(octets, media_type=_MEDIA, headers=headers)


def has_it(header: str | None, tag: str) -> bool:
    """Whether ``If-None-Match`` names a tag."""
    if header is None:
        return False
    named = [one.strip().removeprefix("W/") for one in header[:4000].split(",")]
    return "*" in named or tag in named
