"""Bytes to messages and back: one folder a protocol, all of the same shape.

    >>> from meterweave import protocols
    >>> protocols.decode("68 AA AA AA AA AA AA 68 11 04 33 33 34 33 AE 16")["di"]
    '00010000'

`decode` and `encode` here speak JSON-ready objects and find the protocol themselves. A program that knows its protocol
uses its `Codec` (``registry()["dlt645"]``) or the protocol's own package with its typed messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import ConfigError, DecodeError, EncodeError
from meterweave.protocols.capture import read_hex
from meterweave.protocols.codec import Codec, Json
from meterweave.protocols.inspect import inspect
from meterweave.protocols.recognise import recognise
from meterweave.protocols.registry import builtin, named, registry

__all__ = ["Codec", "Json", "decode", "encode", "registry"]


def decode(octets: bytes | str, protocol: str | None = None) -> Json:
    """What `octets` are: a frame's fields, ``{"error": …}`` for a broken frame, ``{"stream": […]}`` for several.

    Parameters
    ----------
    octets : bytes or str
        Octets, or their hexadecimal text.
    protocol : str or None
        A name or alias of a protocol; None: recognised from the octets.

    Raises
    ------
    ConfigError
        If `protocol` is unknown, or the text is not hexadecimal. Whatever the octets say raises nothing.
    """
    octets = read_hex(octets) if isinstance(octets, str) else bytes(octets)
    codecs = named(protocol) if protocol else builtin()
    codec = codecs[0] if len(codecs) == 1 else recognise([octets], codecs)
    return inspect(codec, octets) if codec else DecodeError("not_recognised").to_json()


def encode(message: Mapping[str, Any], protocol: str | None = None) -> bytes:
    """The octets of an object in the shape that `decode` gives; a stream's parts are joined.

    `protocol` is for objects that do not name their own.

    Raises
    ------
    ConfigError
        If the protocol is unknown.
    EncodeError
        If the object cannot be put into octets; the text names the field.
    """
    if isinstance(message.get("stream"), list):
        return b"".join(_part(part) for part in message["stream"])
    word = message.get("protocol", protocol) or ("dlt698" if "apdu" in message else None)
    if not isinstance(word, str):
        raise EncodeError("the object has no 'protocol', and none was given")
    codec, *others = named(word)
    if others:
        raise EncodeError(f"{word!r} means {' or '.join(one.name for one in (codec, *others))}: say which")
    return codec.encode(codec.from_json(message))


def _part(part: object) -> bytes:
    octets = next((part[key] for key in ("frame", "garbage") if key in part), None) if isinstance(part, dict) else None
    if not isinstance(octets, str):
        raise EncodeError(f"a part of a stream wants 'frame' or 'garbage' in hexadecimal, not {part!r}")
    try:
        return read_hex(octets)
    except ConfigError as error:
        raise EncodeError(f"a part of a stream: {error}") from error
