"""Octets out of whatever people keep them in: hex strings, hex dumps, log lines, binary captures.

Text is read line by line. A row of a hex dump (``xxd``, ``hexdump``, ``od``, Wireshark) continues the dump before it. Of
any other line the longest run of hexadecimal octets counts, and every other run that is long enough for a frame; the
time and the direction before it are kept, all else is commentary. A line of nothing but octets continues what the line
above it said of time and direction, as terminal programs write them.
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


_SURE = 5  # octets; the shortest frame but for the M-Bus acknowledgement
_SURE_BESIDE = 12  # octets; beside a longer run in the same line, less is an address or a number
_NUMBER_MAX = 8  # octets; so long can a decimal number in a sentence be

# Commas, colons and the like stand between single octets only: "000123-68 61 …" is a counter and a frame.
_SINGLE_BEFORE, _SINGLE_AFTER = r"(?<![0-9A-Fa-f]{3})", r"(?![0-9A-Fa-f]{3})"
_SEPARATOR = rf"(?:{_SINGLE_BEFORE}(?:[ \t]*[,;][ \t]*|[:\-_]|\]\[|><){_SINGLE_AFTER}|[ \t]+)?"
_OCTET = r"(?:0[xX]|\\x)?[0-9A-Fa-f]{2}[Hh]?"
_RUN = re.compile(rf"(?<![0-9A-Za-z])(?:{_OCTET}{_SEPARATOR})*{_OCTET}(?![0-9A-Za-z])")
_COUNTER = re.compile(r"(?:\d\d){2,}[ \t]+(?=[0-9A-Fa-f]{2}(?:[ \t]+[0-9A-Fa-f]{2})+$)")  # "8080 68 61 …"
_PREFIX = re.compile(r"0[xX]|\\x")
_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_WORD = re.compile(r"[^\W\d_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

_COMPACT_DATE = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_DATE = rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{4}}年\d{{1,2}}月\d{{1,2}}日|{_COMPACT_DATE}|\d{{1,2}}[-/]\d{{1,2}})"
_FRACTION = r"(?:[.,:]\d{1,9})?"
_CLOCK = rf"(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d{_FRACTION}(?:Z|[+-]\d{{2}}:?\d{{2}})?"
_TIME = re.compile(
    rf"(?<![\w:.\-])(?:(?:{_DATE}[T _\-]+)?{_CLOCK}|{_DATE}\s*\d{{1,2}}时\d{{1,2}}分(?:\d{{1,2}}秒)?|\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}})"
    r"(?![\w:\-])"
)
# What could be octets as well is a time only where it opens the line and something follows.
_OPENING_TIME = re.compile(
    rf"\W*({_COMPACT_DATE}[ _\-T]?[0-2]\d[0-5]\d[0-5]\d{_FRACTION}|1[5-9]\d{{8}}(?:\.\d{{1,9}}|\d{{3}})?"
    r"|(?:[01]?\d|2[0-3]):[0-5]\d(?=[\s\]]))(?=\W+\w)(?![:\-])"
)

# What was certainly said of the direction outweighs what may only describe the message.
_MARKS = [
    (
        re.compile(r"->|→|>>|=>|⇒|\b(?:TX|SEND|SENT)\b|发送|下行|发出|下发|(?<!\w)发(?!\w)", re.IGNORECASE),
        re.compile(r"<-|←|<<|<=|⇐|\b(?:RX|RECV|RECEIVED?)\b|接收|收到|上行|上报|(?<!\w)收(?!\w)", re.IGNORECASE),
    ),
    (
        re.compile(r"\b(?:OUT|DOWN|REQ|REQUEST|WRITE|S(?=\s*[\]:：]))\b|请求|^\W*>\s*$", re.IGNORECASE),
        re.compile(
            r"\b(?:IN|UP|RSP|RESP|RESPONSE|READ|R(?=\s*[\]:：]))\b|应答|响应|回复|^\W*<\s*$", re.IGNORECASE
        ),
    ),
]

_DUMP_ROW = re.compile(
    r"([ \t]*)(?:0x)?([0-9A-Fa-f]{4,8})"
    r"(?::[ \t]*((?:[0-9A-Fa-f]{2}[ \t]?)+)(?:[ \t].*)?"  # xxd, tcpdump: two spaces end the octets
    r"|(?:[ \t]{2,}|(?<=[0-9A-Fa-f]{6})[ \t])((?:[0-9A-Fa-f]{2}[ \t]{0,2}|-[ \t]*)+)(?:[ \t|>].*)?)"
)
_DUMP_END = re.compile(r"([ \t]*)([0-9A-Fa-f]{4,8})[ \t]*")
_DUMP_ROW_SIZE = 16  # octets
_DUMP_REPEAT_MAX = 1 << 20  # octets for which one "*" may stand


def read_capture(data: bytes) -> list[Chunk]:
    """Every run of octets in `data`, in order; binary data are one chunk."""
    text = _as_text(data)
    if text is None:
        return [Chunk(data)] if data else []
    return list(_read_lines(text))


def read_hex(text: str) -> bytes:
    """The octets of one hex string: spaces, commas, colons, dashes, ``0x`` before and ``H`` after an octet are fine.

    Raises
    ------
    ConfigError
        If anything else is in it, or half an octet is left over.
    """
    digits = re.sub(r"0[xX]|\\x|(?<=[0-9A-Fa-f]{2})[Hh]|[\s,;:\-_]", "", text)
    wrong = re.search(r"[^0-9A-Fa-f]", digits)
    if wrong:
        raise ConfigError(f"{wrong[0]!r} is no hexadecimal digit")
    if len(digits) % 2:
        raise ConfigError(f"half an octet is missing: {len(digits)} hexadecimal digits are not an even number")
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
    dump = _Dump()
    time = direction = ""  # what the line above said
    for number, line in enumerate(text.splitlines(), 1):
        if dump.takes(line):
            yield from dump.add(line, number, time, direction)
            continue
        yield from dump.end()
        chunks, time_here, direction_here = _log_line(line, number)
        said = time_here or direction_here
        if said or not (chunks and _is_bare(line)):
            time, direction = time_here, direction_here
        yield from chunks if said else (chunk._replace(time=time, direction=direction) for chunk in chunks)
    yield from dump.end()


class _Dump:
    """The rows of a hex dump, put together as long as their offsets go on.

    Rows are counted for each indentation of its own: Wireshark indents what the other side of a connection says.
    """

    def __init__(self) -> None:
        self._octets = bytearray()
        self._chunk = Chunk(b"")
        self._indent = ""
        self._sizes: dict[str, int] = {}
        self._repeat = False  # a row "*" stands for more of the row before it

    def takes(self, line: str) -> bool:
        """Whether `line` is the next row."""
        if line.strip() == "*":
            return bool(self._octets)
        row = _DUMP_ROW.fullmatch(line) or _DUMP_END.fullmatch(line)
        return bool(row and self._goes_on(row[1], row[2], is_end=row.re is _DUMP_END))

    def add(self, line: str, number: int, time: str, direction: str) -> Iterator[Chunk]:
        """Take the row; give the octets before it where it begins anew."""
        if line.strip() == "*":
            self._repeat = True
            return
        row = _DUMP_ROW.fullmatch(line)
        if row is None:
            self._fill_up_to(_DUMP_END.fullmatch(line))
            return
        indent = row[1]
        if indent != self._indent or not self._offset_is(row[2], self._sizes.get(indent, 0), exactly=not self._repeat):
            yield from self._give()
            self._indent = indent
        self._fill_up_to(row)
        if not self._octets:
            self._chunk = Chunk(b"", number, time, direction)
        octets = _row_octets(row)
        self._octets += octets
        self._sizes[indent] = self._sizes.get(indent, 0) + len(octets)

    def end(self) -> Iterator[Chunk]:
        """The line is no row: give what there is."""
        yield from self._give()
        self._sizes.clear()
