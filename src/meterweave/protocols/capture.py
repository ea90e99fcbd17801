"""Octets out of whatever people keep them in: hex strings, hex dumps, log lines, binary captures.

Text is read line by line. A line of a hex dump (``xxd``, ``hexdump -C``) continues the dump before it. Of any other
line the longest run of hexadecimal octets counts, a time and a direction before it are kept, all else is commentary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from meterweave.errors import ConfigError


class Chunk(NamedTuple):
    """Octets that were found together."""

    octets: bytes
    line: int = 1  # where they stand, counted from 1; for a dump its first line
    time: str = ""  # as written there
    direction: str = ""  # "in", "out" or "" where nothing is said


_SEPARATOR = r"(?:[ \t]*,[ \t]*|[ \t]+|[:\-_])?"
_OCTET = r"(?:0[xX]|\\x)?[0-9A-Fa-f]{2}"
_RUN = re.compile(rf"(?<![0-9A-Za-z])(?:{_OCTET}{_SEPARATOR})*{_OCTET}(?![0-9A-Za-z])")
_PREFIX = re.compile(r"0[xX]|\\x")
_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_TIME = re.compile(
    r"(?<![\w:.\-])(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[T ]+)?\d{1,2}:\d{2}:\d{2}(?:[.,:]\d{1,9})?"
    r"(?:Z|[+-]\d{2}:?\d{2})?(?![\w:\-])"
)
_OUT = re.compile(r"->|→|>>|=>|⇒|\b(?:TX|SEND|SENT|OUT|DOWN|REQ|REQUEST)\b|发送|下行|发出", re.IGNORECASE)
_IN = re.compile(r"<-|←|<<|<=|⇐|\b(?:RX|RECV|RECEIVED?|IN|UP|RSP|RESP|RESPONSE)\b|接收|收到|上行", re.IGNORECASE)
_DUMP = re.compile(r"\s*([0-9A-Fa-f]{4,8})(?::[ \t]*|[ \t]{2,})((?:[0-9A-Fa-f]{2}[ \t]{0,2}|-[ \t]*)+)(?:[ \t|].*)?")
_DUMP_END = re.compile(r"\s*([0-9A-Fa-f]{4,8})\s*")
_WORD = re.compile(r"[^\W\d_]")
_SURE = 5  # octets; the shortest frame but for the M-Bus acknowledgement
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def read_capture(data: bytes) -> list[Chunk]:
    """Every run of octets in `data`, in order; binary data are one chunk."""
    text = _as_text(data)
    if text is None:
        return [Chunk(data)] if data else []
    return list(_read_lines(text))


def read_hex(text: str) -> bytes:
    """The octets of one hex string: spaces, commas, colons, dashes and ``0x`` between octets are fine.

    Raises
    ------
    ConfigError
        If anything else is in it, or half an octet is left over.
    """
    digits = re.sub(r"0[xX]|\\x|[\s,;:\-_]", "", text)
    wrong = re.search(r"[^0-9A-Fa-f]", digits)
    if wrong:
        raise ConfigError(f"{wrong[0]!r} is no hexadecimal digit")
    if len(digits) % 2:
        raise ConfigError(f"{len(digits)} hexadecimal digits: half an octet is missing")
    return bytes.fromhex(digits)


def _as_text(data: bytes) -> str | None:
    """`data` as text, or None where it is binary."""
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if _CONTROL.search(text) else text
    return None


def _read_lines(text: str) -> Iterator[Chunk]:
    dump = bytearray()
    dump_line = 0
    for number, line in enumerate(text.splitlines(), 1):
        row = _dump_row(line, len(dump))
        if row is not None:
            dump_line = dump_line if dump else number
            dump += row
            continue
        if dump:
            yield Chunk(bytes(dump), dump_line)
            dump.clear()
        chunk = _log_line(line, number)
        if chunk.octets:
            yield chunk
    if dump:
        yield Chunk(bytes(dump), dump_line)


def _dump_row(line: str, offset: int) -> bytes | None:
    """The octets of a dump's row that stands at `offset`; None where the line is no such row."""
    end = _DUMP_END.fullmatch(line)
    if end and offset and int(end[1], 16) == offset:
        return b""
    match = _DUMP.fullmatch(line)
    if not match or int(match[1], 16) != offset:
        return None
    return bytes.fromhex("".join(_PAIR.findall(match[2])))


def _log_line(line: str, number: int) -> Chunk:
    time = _TIME.search(line)
    rest = line.replace(time[0], " | ", 1) if time else line
    run = max(_RUN.finditer(rest), key=lambda run: len(run[0]), default=None)
    octets = bytes.fromhex("".join(_PAIR.findall(_PREFIX.sub(" ", run[0])))) if run else b""
    before, after = (rest[: run.start()], rest[run.end() :]) if run else ("", "")
    direction = _direction(before)
    if len(octets) < _SURE and (_WORD.search(after) or (not direction and _WORD.search(before))):
        octets = b""  # a word such as "be" or a number in a sentence
    return Chunk(octets, number, time[0] if time else "", direction)


def _direction(words: str) -> str:
    """What the words before the octets say: the last mark of a direction counts."""
    out = max((mark.end() for mark in _OUT.finditer(words)), default=-1)
    back = max((mark.end() for mark in _IN.finditer(words)), default=-1)
    if out == back:
        return ""
    return "out" if out > back else "in"
