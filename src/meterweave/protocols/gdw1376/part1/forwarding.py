"""Frames of meters inside AFN 10H: which protocol they are of, found by trying."""

from __future__ import annotations

from typing import Any

from meterweave.errors import DecodeError
from meterweave.protocols import cjt188, dlt645
from meterweave.protocols.codec import Codec, Json
from meterweave.protocols.explain import Field
from meterweave.protocols.inspect import inspect
from meterweave.text import Text

INNER: tuple[Codec, ...] = (dlt645.CODEC, cjt188.CODEC)
"""The protocols a terminal forwards, the likelier first."""


def recognise(octets: bytes) -> tuple[Codec, Any] | None:
    """The protocol of a whole good frame and its message; None where no protocol takes the octets."""
    for codec in INNER:
        try:
            return codec, codec.decode(octets)
        except DecodeError:
            continue
    return None


def likeliest(octets: bytes) -> Codec | None:
    """The protocol that takes the octets, else the first whose frames begin like them."""
    found = recognise(octets)
    if found:
        return found[0]
    return next((codec for codec in INNER if codec.begins(octets)), None)


def inner_json(octets: bytes) -> Json | None:
    """What a forwarded frame says, as its own decoder prints it; the error of a frame that is broken."""
    found = recognise(octets)
    if found:
        codec, message = found
        return codec.to_json(message)
    broken = likeliest(octets)
    return inspect(broken, octets) if broken else None


def inner_fields(octets: bytes) -> tuple[Field, ...]:
    """A forwarded frame field by field, as its own protocol explains it."""
    codec = likeliest(octets)
    if codec is None:
        return (Field(Text("forwarded octets", "转发内容"), octets, octets.hex(" ").upper()),)
    return tuple(codec.explain(octets))
