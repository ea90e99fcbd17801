"""``meterweave encode``: an object in the shape of ``meterweave decode --json`` back to octets."""

from __future__ import annotations

import json
import sys
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from meterweave import protocols
from meterweave.cli import source
from meterweave.errors import ConfigError, MeterweaveError


def encode(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JSON|FILE…|-]", help="A JSON object, or files of them; nothing or - reads stdin."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", metavar="NAME", help="Where the object does not name its own.")
    ] = None,
    binary: Annotated[bool, typer.Option("--binary", help="Raw octets instead of hexadecimal lines.")] = False,
) -> None:
    """Build frames from JSON objects: one hex line each.

    The input is one object, an array of objects, or one object a line. Octets given as ``data`` win; leave them out to
    have them built from the named values.
    """
    found = False
    for place, message in _messages(words or [source.STDIN]):
        found = True
        if not isinstance(message, dict):
            raise ConfigError(f"{place}: wanted a JSON object, found {json.dumps(message, ensure_ascii=False)[:60]}")
        if isinstance(message.get("error"), str) and "protocol" not in message:
            raise ConfigError(f"{place}: this is the error {message['error']!r}, not a frame")
        try:
            octets = protocols.encode(message, protocol)
        except MeterweaveError as error:
            raise type(error)(f"{place}: {error}") from error
        sys.stdout.buffer.write(octets if binary else octets.hex().upper().encode() + b"\n")
    if not found:
        raise ConfigError("there is no JSON object in the input")
    sys.stdout.buffer.flush()


def _messages(words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for word in words:
        if word.lstrip().startswith(("{", "[")) and not source.is_file(word):
            yield from _parse("the argument", word)
        else:
            yield from _parse(source.place(word), _text(word))


def _text(name: str) -> str:
    octets = source.read_bytes(name)
    try:
        return octets.decode("utf-16" if octets.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{source.place(name)}: not UTF-8 text ({error.reason} at octet {error.start})") from error


def _parse(place: str, text: str) -> Iterator[tuple[str, Any]]:
    """The objects in `text`: JSON values one after another, arrays taken apart."""
    decoder = json.JSONDecoder()
    at, line = 0, 1
    while (here := _skip_space(text, at)) < len(text):
        line += text.count("\n", at, here)
        try:
            value, at = decoder.raw_decode(text, here)
        except (ValueError, RecursionError) as error:  # a ValueError, too, is a number of thousands of digits
            raise ConfigError(f"{place}, line {line}: not JSON: {error}") from error
        for one in value if isinstance(value, list) else [value]:
            yield f"{place}, line {line}", one
        line += text.count("\n", here, at)


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
