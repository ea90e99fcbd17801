"""Octets out of whatever people keep them in: hex strings, hex dumps, log lines, binary captures.

Text is read line by line. A row of a hex dump (``xxd``, ``hexdump``, ``od``, Wireshark) continues the dump before it.
Of any other line the longest run of hexadecimal octets counts, and every other run that is long enough for a frame;
the time and the direction before it are kept, all else is commentary. A line of nothing but octets takes time and
direction from the line above, as terminal programs write them.
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
_COUNTER = re.compile(r"^(?!68)(?:\d\d){2,}[ \t]+(?=[0-9A-Fa-f]{2}(?:[ \t]+[0-9A-Fa-f]{2})+$)")  # "8080 68 61 …"
_PREFIX = re.compile(r"0[xX]|\\x")
_PAIR = re.compile(r"[0-9A-Fa-f]{2}")
_WORD = re.compile(r"[^\W\d_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")

_COMPACT_DATE = r"20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_DATE = (
    rf"(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{4}}年\d{{1,2}}月\d{{1,2}}日|{_COMPACT_DATE}|\d{{1,2}}[-/]\d{{1,2}})"
)
_FRACTION = r"(?:[.,:]\d{1,9})?"
_CLOCK = rf"(?:[01]?\d|2[0-3]):[0-5]\d:[0-5]\d{_FRACTION}(?:Z|[+-]\d{{2}}:?\d{{2}})?"
_CLOCK_ZH = r"\d{1,2}时\d{1,2}分(?:\d{1,2}秒)?"
_TIME = re.compile(
    rf"(?<![\w:.\-])(?:(?:{_DATE}[T _\-]+)?{_CLOCK}|{_DATE}\s*{_CLOCK_ZH}|\d{{4}}[-/]\d{{1,2}}[-/]\d{{1,2}})(?![\w:\-])"
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
        re.compile(r"\b(?:IN|UP|RSP|RESP|RESPONSE|READ|R(?=\s*[\]:：]))\b|应答|响应|回复|^\W*<\s*$", re.IGNORECASE),
    ),
]

_DUMP_ROW = re.compile(
    r"([ \t]*)(?:0x)?([0-9A-Fa-f]{4,8})"
    r"(?::[ \t]*((?:[0-9A-Fa-f]{2}[ \t]?)+)(?:[ \t].*)?"  # xxd, tcpdump: two spaces end the octets
    r"|(?:[ \t]{2,}|(?<=[0-9A-Fa-f]{6})[ \t])((?:[0-9A-Fa-f]{2}[ \t]{0,2}|-[ \t]*)+)(?:[ \t|>].*)?)"
)
_DUMP_END = re.compile(r"[ \t]*([0-9A-Fa-f]{4,8})[ \t]*")
_DUMP_ROW_SIZE = 16  # octets
_DUMP_REPEAT_MAX = 1 << 20  # octets for which one "*" may stand
_OCTAL_DIGITS = 7  # od counts in octal, with so many; plain hexdump counts in hexadecimal with as many


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
    above = Chunk(b"")  # what the line above said of time and direction
    for number, line in enumerate(text.splitlines(), 1):
        finished = dump.feed(line, above._replace(line=number))
        if finished is not None:
            yield from finished
            continue
        yield from dump.end()
        said, runs = _log_line(line)
        if runs and not said.time and not said.direction and _is_bare(line):
            said = above
        for octets, direction in runs:
            yield Chunk(octets, number, said.time, direction or said.direction)
        above = said
    yield from dump.end()


class _Dump:
    """The rows of a hex dump, put together as long as their offsets go on.

    Offsets are counted for each indentation: Wireshark indents what the other side of a connection says.
    """

    def __init__(self) -> None:
        self._rows = bytearray()
        self._first = Chunk(b"")  # where the first of them stands
        self._indent = ""
        self._sizes: dict[str, int] = {}
        self._starred = False  # a row "*" stands for as many rows like the one before it as the next offset tells

    def feed(self, line: str, here: Chunk) -> list[Chunk] | None:
        """The chunks that end where `line` begins; None where it is no row of a dump."""
        if self._rows and line.strip() == "*":
            self._starred = True
            return []
        end = _DUMP_END.fullmatch(line)
        if end:
            return self._last_offset(end[1])
        row = _DUMP_ROW.fullmatch(line)
        if not row:
            return None
        indent, octets = row[1], _row_octets(row)
        offset = self._offset(row[2], self._sizes.get(indent, 0))
        if offset is None:
            return None
        finished = self._take_rows() if indent != self._indent or not offset else []
        self._repeat_up_to(offset)
        self._first = self._first if self._rows else here
        self._rows += octets
        self._indent = indent
        self._sizes[indent] = offset + len(octets)
        return finished

    def end(self) -> list[Chunk]:
        """What is there, as no row follows."""
        self._sizes.clear()
        return self._take_rows()

    def _last_offset(self, offset: str) -> list[Chunk] | None:
        """Nothing; None where a line that holds only `offset` does not tell the size of the rows before it."""
        size = self._sizes.get(self._indent, 0)
        # hexdump fills the last word of an odd number of octets.
        found = next((one for one in (size, size - 1) if self._rows and self._offset(offset, one) == one), None)
        if found is None:
            found = self._offset(offset, size) or None
        if found is None:
            return None
        self._repeat_up_to(found)
        if found < size:
            self._rows.pop()
        self._sizes[self._indent] = found
        return []

    def _offset(self, digits: str, size: int) -> int | None:
        """The offset that `digits` say after `size` octets: the next, one beyond repeated rows, or 0 for a new dump."""
        offsets = [int(digits, 16)]
        if len(digits) == _OCTAL_DIGITS and not set(digits) - set("01234567"):
            offsets.append(int(digits, 8))
        if size in offsets:
            return size
        if self._starred:
            return next((one for one in reversed(offsets) if size < one <= size + _DUMP_REPEAT_MAX), None)
        return 0 if 0 in offsets else None

    def _repeat_up_to(self, offset: int) -> None:
        missing = offset - self._sizes.get(self._indent, 0)
        if self._starred and self._rows and missing > 0:
            row = bytes(self._rows[-_DUMP_ROW_SIZE:])
            self._rows += (row * (missing // len(row) + 1))[:missing]
        self._starred = False

    def _take_rows(self) -> list[Chunk]:
        found = [self._first._replace(octets=bytes(self._rows))] if self._rows else []
        self._rows.clear()
        return found


def _row_octets(row: re.Match[str]) -> bytes:
    words = (row[3] or row[4]).replace("-", " ").split()
    if len(row[2]) == _OCTAL_DIGITS and all(len(word) == 4 for word in words):
        words = [word[2:] + word[:2] for word in words]  # plain hexdump and od -x: words, low octet first
    return bytes.fromhex("".join(words))


def _log_line(line: str) -> tuple[Chunk, list[tuple[bytes, str]]]:
    """Time and direction of a line as a chunk without octets, and its runs of octets with their own direction."""
    opening = _OPENING_TIME.match(line)
    time = _TIME.search(line)
    stamp = (opening[1] if opening else "") or (time[0] if time else "")
    rest = line.replace(stamp, " | ", 1) if stamp else line
    direction = ""
    found: list[tuple[bytes, str]] = []
    runs = list(_RUN.finditer(rest))
    longest = max(runs, key=lambda run: len(run[0]), default=None)
    end = 0
    for run in runs:
        octets = _octets(run[0])
        if run is not longest and len(octets) < _SURE_BESIDE:
            continue
        here = _direction(rest[end : run.start()])
        if _is_octets(octets, run, rest, said=bool(here)):
            found.append((octets, here))
            end = run.end()
            direction = direction or here
    return Chunk(b"", 0, stamp, direction if found else _direction(rest)), found


def _octets(run: str) -> bytes:
    return bytes.fromhex("".join(_PAIR.findall(_PREFIX.sub(" ", _COUNTER.sub("", run)))))


def _is_octets(octets: bytes, run: re.Match[str], line: str, *, said: bool) -> bool:
    """Whether a run is octets and no word such as "be" or number in a sentence; `said`: a direction stands before."""
    if _PREFIX.search(run[0]):
        return True
    words_after = bool(_WORD.search(line[run.end() :]))
    if len(octets) < _SURE:
        return not words_after and (said or not _WORD.search(line[: run.start()]))
    in_sentence = words_after and not said and bool(_WORD.search(line[: run.start()]))
    return not (in_sentence and run[0].isdecimal() and len(octets) <= _NUMBER_MAX)


def _is_bare(line: str) -> bool:
    """Whether a line is nothing but octets."""
    return _RUN.fullmatch(line.strip()) is not None


def _direction(words: str) -> str:
    """What the words before the octets say: of the marks that are certain, else of the others, the last counts."""
    for outward, inward in _MARKS:
        out = max((mark.end() for mark in outward.finditer(words)), default=-1)
        back = max((mark.end() for mark in inward.finditer(words)), default=-1)
        if out != back:
            return "out" if out > back else "in"
    return ""
