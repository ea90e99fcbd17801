"""``meterweave decode``: what do these octets say?"""

from __future__ import annotations

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Sequence
from importlib.resources import files
from typing import Annotated

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
        typer.Argument(
            metavar="[HEX…|FILE…|-]", help="Octets in hexadecimal, a log line, or files; nothing or - reads stdin."
        ),
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
    example: Annotated[
        bool, typer.Option("--example", help="Frames of real meters that come along, instead of your own.")
    ] = False,
    lang: Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Language of the words.")] = None,
) -> None:
    """Explain frames of DL/T 645, DL/T 698.45, Q/GDW 1376.1 and .2, CJ/T 188, M-Bus and Modbus, field by field.

    Hex dumps and log lines with times and arrows are fine, binary captures too. The protocol is recognised, what is
    inside is unwrapped, what is wrong is shown where it is. Exit code 1: there was no good frame.
    """
    if example:
        if words:
            raise ConfigError("--example has its own frames; leave yours away")
        words = [str(files("meterweave.examples").joinpath("conversation.log"))]
    codecs = named(protocol) if protocol else builtin()
    spoken = source.language(lang)
    if each_line:
        if readings or not as_json:
            raise ConfigError("--each-line goes with --json, and not with --readings")
        _print_each_line(words or [source.STDIN], protocol)
        return
    chunks = source.chunks_of(words or [])
    if as_json and not readings:
        _print_whole(chunks, codecs, protocol)
        return
    entries = read_session(chunks, codecs)
    if readings:
        render.readings(entries, spoken, as_json=as_json)
    else:
        render.entries(entries, spoken)
    if not as_json and not any(entry.codec and not entry.garbage for entry in entries):
        raise typer.Exit(1)


def _print_whole(chunks: Sequence[Chunk], codecs: Sequence[Codec], protocol: str | None) -> None:
    """One object for all the input: a frame, a bad frame, or the stream of frames and garbage in order."""
    if len(chunks) == 1:
        _print_json(protocols.decode(chunks[0].octets, protocol))
        return
    entries = read_session(chunks, codecs)
    if len(entries) == 1:
        _print_json(protocols.decode(entries[0].octets, protocol))
        return
    # Part by part: a long log's objects need not be in memory together.
    for number, entry in enumerate(entries):
        _write(", " if number else '{"stream": [', _entry_json(entry))
    _write("]}\n")


def _entry_json(entry: Entry) -> Json:
    where = {"time": entry.chunk.time, "direction": entry.chunk.direction, "line": entry.chunk.line}
    if entry.codec is None:
        return {"garbage": entry.octets.hex(), "reason": entry.garbage} | where
    event = Garbage(entry.octets, entry.garbage) if entry.garbage else entry.octets
    part: Json = stream_json(entry.codec, [event], waited=False)["stream"][0]
    return part | where


def _print_each_line(words: Sequence[str], protocol: str | None) -> None:
    for word in words:
        for number, line in enumerate(source.lines_of(word)):
            # Some editors on Windows mark the beginning of a text.
            _print_json(_line_json(line if number or line is None else line.removeprefix(BOM_UTF8), protocol))


def _line_json(line: bytes | None, protocol: str | None) -> Json:
    if line is None:
        return DecodeError("not_hex", f"the line is longer than {source.LINE_MAX} octets").to_json()
    try:
        return protocols.decode(line.decode("ascii"), protocol)
    except UnicodeDecodeError:
        return DecodeError("not_hex").to_json()
    except ConfigError as error:
        return DecodeError("not_hex", str(error)).to_json()


def _print_json(value: Json) -> None:
    _write(value, "\n")


def _write(*parts: str | Json) -> None:
    for part in parts:
        text = part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
        sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
