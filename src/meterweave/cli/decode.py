"""``meterweave decode``: what do these octets say?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, BinaryIO

import typer

from meterweave import protocols
from meterweave.cli import render, source
from meterweave.errors import ConfigError, DecodeError
from meterweave.protocols.capture import Chunk
from meterweave.protocols.codec import Codec, Json
from meterweave.protocols.inspect import stream_json
from meterweave.protocols.registry import builtin, named
from meterweave.protocols.session import Entry, read_session
from meterweave.protocols.stream import Garbage


def decode(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[HEX…|FILE…|-]", help="Octets in hexadecimal, or files; nothing or - reads stdin."),
    ] = None,
    protocol: Annotated[
        str | None, typer.Option("--protocol", "-p", metavar="NAME", help="Do not recognise the protocol, use this.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    each_line: Annotated[
        bool, typer.Option("--each-line", help="With --json: every line is one hex string and gives one JSON line.")
    ] = False,
    readings: Annotated[
        bool, typer.Option("--readings", help="Only the readings: meter, quantity, value, unit.")
    ] = False,
    lang: Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Language of the words.")] = None,
) -> None:
    """Explain frames of DL/T 645, DL/T 698.45, Q/GDW 1376.1 and .2, CJ/T 188, M-Bus and Modbus, field by field.

    Hex dumps and log lines with times and arrows are fine, binary captures too. The protocol is recognised, what is
    inside is unwrapped, what is wrong is shown where it is. Exit code 1: there was no good frame.
    """
    codecs = named(protocol) if protocol else builtin()
    spoken = source.language(lang)
    if each_line:
        if not as_json:
            raise ConfigError("--each-line goes with --json")
        _print_each_line(words or [source.STDIN], protocol)
        return
    chunks = source.chunks_of(words or [])
    if as_json and not readings:
        _print_json(_json_of(chunks, codecs, protocol))
        return
    entries = read_session(chunks, codecs)
    if readings:
        render.readings(entries, spoken, as_json=as_json)
    else:
        render.entries(entries, spoken)
    if not any(entry.codec and not entry.garbage for entry in entries):
        raise typer.Exit(1)


def _json_of(chunks: Sequence[Chunk], codecs: Sequence[Codec], protocol: str | None) -> Json:
    """One object for all the input: a frame, a bad frame, or the stream of frames and garbage in order."""
    if len(chunks) == 1:
        return protocols.decode(chunks[0].octets, protocol)
    entries = read_session(chunks, codecs)
    if len(entries) == 1:
        return protocols.decode(entries[0].octets, protocol)
    return {"stream": [_entry_json(entry) for entry in entries]}


def _entry_json(entry: Entry) -> Json:
    where = {"time": entry.chunk.time, "direction": entry.chunk.direction, "line": entry.chunk.line}
    if entry.codec is None:
        return {"garbage": entry.octets.hex(), "reason": entry.garbage} | where
    event = Garbage(entry.octets, entry.garbage) if entry.garbage else entry.octets
    part: Json = stream_json(entry.codec, [event], waited=False)["stream"][0]
    return part | where


def _print_each_line(words: Sequence[str], protocol: str | None) -> None:
    for line in _lines(words):
        _print_json(_line_json(line, protocol))


def _lines(words: Sequence[str]) -> Iterator[bytes]:
    for word in words:
        if word == source.STDIN:
            yield from _without_ends(sys.stdin.buffer)
            continue
        try:
            with open(word, "rb") as lines:
                yield from _without_ends(lines)
        except OSError as error:
            raise ConfigError(f"{word}: {error.strerror}") from error


def _without_ends(lines: BinaryIO) -> Iterable[bytes]:
    return (line.strip() for line in lines)


def _line_json(line: bytes, protocol: str | None) -> Json:
    try:
        return protocols.decode(line.decode("ascii"), protocol)
    except UnicodeDecodeError:
        return DecodeError("not_hex").to_json()
    except ConfigError as error:
        return DecodeError("not_hex", str(error)).to_json()


def _print_json(value: Any) -> None:
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")
    sys.stdout.buffer.flush()
