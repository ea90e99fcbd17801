"""``meterweave encode``: an object in the shape of ``meterweave decode --json`` back to octets."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from meterweave import protocols
from meterweave.cli import source
from meterweave.errors import ConfigError


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
    for place, message in _messages(words or [source.STDIN]):
        if not isinstance(message, dict):
            raise ConfigError(f"{place}: wanted a JSON object, found {json.dumps(message, ensure_ascii=False)[:60]}")
        octets = protocols.encode(message, protocol)
        sys.stdout.buffer.write(octets if binary else octets.hex().upper().encode() + b"\n")
    sys.stdout.buffer.flush()


def _messages(words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for word in words:
        if word.lstrip().startswith(("{", "[")) and not source.is_file(word):
            yield from _parse("the argument", word)
        else:
            try:
                text = source.read_bytes(word).decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise ConfigError(f"{word}: not UTF-8 text ({error.reason} at octet {error.start})") from error
            yield from _parse("standard input" if word == source.STDIN else word, text)


def _parse(place: str, text: str) -> Iterator[tuple[str, Any]]:
    """The objects in `text`: JSON values one after another, arrays taken apart."""
    decoder = json.JSONDecoder()
    at = 0
    while (at := _skip_space(text, at)) < len(text):
        line = text.count("\n", 0, at) + 1
        try:
            value, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ConfigError(f"{place}, line {line}: not JSON: {error}") from error
        for one in value if isinstance(value, list) else [value]:
            yield f"{place}, line {line}", one


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
