"""Frames inside frames: what a transparent octet-string carries, and how deep it is looked into."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.codec import Codec
from meterweave.protocols.dlt698.cursor import Reader
from meterweave.protocols.dlt698.given import member
from meterweave.protocols.dlt698.wire import Octets, explain_length, group
from meterweave.protocols.explain import Field
from meterweave.text import Text

WAKE_UP = b"\xfe"

INNER_MAX = 4  # frames or APDUs inside one another that are looked into

_level: ContextVar[int] = ContextVar("level", default=0)


@contextmanager
def inside() -> Iterator[bool]:
    """One level further in; gives whether that is still to be looked into."""
    token = _level.set(_level.get() + 1)
    try:
        yield _level.get() <= INNER_MAX
    finally:
        _level.reset(token)


def _codecs() -> tuple[Codec, ...]:
    # Imported when needed: this protocol's codec knows this module.
    from meterweave.protocols import cjt188, dlt645, dlt698  # noqa: PLC0415

    return dlt645.CODEC, dlt698.CODEC, cjt188.CODEC


def recognised(octets: bytes) -> tuple[Codec, Any] | None:
    """The codec and the message of a whole meter frame, with or without wake-up octets; None where it is none."""
    if octets.lstrip(WAKE_UP)[:1] != b"\x68":
        return None
    for codec in _codecs():
        try:
            return codec, codec.decode(octets)
        except DecodeError:
            continue
    return None


class Transparent(Octets):
    """An octet-string that mostly is a frame for or from a meter; JSON shows the frame too, as ``inner``."""

    flat = True

    def __init__(self, key: str) -> None:
        self.key = key

    def to_json(self, value: bytes) -> Any:
        found = {self.key: super().to_json(value)}
        with inside() as looked_into:
            known = recognised(value) if looked_into else None
            if known:
                codec, message = known
                found["inner"] = {"protocol": codec.name, **codec.to_json(message)}
        return found

    def from_json(self, found: Any) -> bytes:
        if self.key in found or "inner" not in found:
            return super().from_json(member(found, self.key))
        inner = found["inner"]
        for codec in _codecs():
            if member(inner, "protocol") in (codec.name, *codec.aliases):
                return codec.encode(codec.from_json(inner))
        raise EncodeError(f"inner: no protocol {inner['protocol']!r} is known here")

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        with group(reader, name, fields) as parts:
            size = explain_length(reader, parts)
            octets = reader.take(size)
            with inside() as looked_into:
                known = recognised(octets) if looked_into else None
                whole = Field(Text("octets", "数据内容"), octets, octets.hex(" ").upper())
                parts.extend(known[0].explain(octets) if known else [whole])
