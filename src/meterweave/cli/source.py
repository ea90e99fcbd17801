"""Where commands take their input from, and in which language they answer."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from meterweave.errors import ConfigError
from meterweave.protocols.capture import Chunk, read_capture, read_hex
from meterweave.text import Language

STDIN = "-"
INPUT_MAX = 64 << 20
"""The largest file or input that is read at once. [octets]"""
LINE_MAX = 1 << 20
"""The longest line of an input that is read line by line. [octets]"""

_FILE_NAME = re.compile(r"\S*(?:/|\\(?!x)|\.[A-Za-z]\w*$)\S*")
_LOG_LINE = re.compile(r"[\s,:：;{}\[\]()\"']")


def language(wanted: str | None) -> Language:
    """The language asked for, else that of the environment, else English.

    Raises
    ------
    ConfigError
        If it is neither ``en`` nor ``zh``.
    """
    if wanted is None:
        spoken = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
        return "zh" if spoken.lower().startswith("zh") else "en"
    if wanted not in ("en", "zh"):
        raise ConfigError(f"the language is 'en' or 'zh', not {wanted!r}")
    return "zh" if wanted == "zh" else "en"


def place(name: str) -> str:
    """What an error message calls the input."""
    return "standard input" if name == STDIN else name


def read_bytes(name: str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Raises
    ------
    ConfigError
        If it cannot be read, or is larger than `INPUT_MAX`; the message says why.
    """
    with _opened(name) as octets:
        content = octets.read(INPUT_MAX + 1)
    if len(content) > INPUT_MAX:
        limit = f"{INPUT_MAX >> 20} MiB"
        raise ConfigError(f"{place(name)}: more than {limit}; split it, or decode it with --json --each-line")
    return content


def lines_of(name: str) -> Iterator[bytes | None]:
    """The lines of an input, however long it is, without white space around them; None for one beyond `LINE_MAX`.

    Raises
    ------
    ConfigError
        If it cannot be read; the message says why.
    """
    with _opened(name) as octets:
        while line := octets.readline(LINE_MAX + 1):
            if len(line) <= LINE_MAX or line.endswith(b"\n"):
                yield line.strip()
                continue
            yield None
            while line and not line.endswith(b"\n"):
                line = octets.readline(LINE_MAX)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == STDIN:
        if sys.stdin.isatty():
            raise ConfigError("nothing to read: give octets in hexadecimal, a file, or pipe something in")
        yield sys.stdin.buffer
        return
    try:
        with open(name, "rb") as octets:
            yield octets
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name
        raise ConfigError(f"{name!r}: {error}") from error


def is_file(word: str) -> bool:
    """Whether `word` names something that can be opened, a pipe or a device too."""
    try:
        return bool(word) and Path(word).exists()
    except (OSError, ValueError):
        return False


def chunks_of(words: Sequence[str]) -> list[Chunk]:
    """The octets that the words of a command line mean: files, one hex string in any number of words, or a log line.

    Raises
    ------
    ConfigError
        If a word is neither of these, or there are no octets in it all.
    """
    if not words:
        words = [STDIN]
    if all(word == STDIN or is_file(word) for word in words):
        chunks = [chunk for word in words for chunk in read_capture(read_bytes(word))]
    else:
        chunks = _pasted(words)
    if not any(chunk.octets for chunk in chunks):
        raise ConfigError("there are no hexadecimal octets in the input")
    return chunks


def _pasted(words: Sequence[str]) -> list[Chunk]:
    """What was pasted on the command line: hex, or lines of a log."""
    wrong = next(((word, error) for word in words if (error := _hex_error(word))), None)
    if wrong is None:
        return [Chunk(read_hex(" ".join(words)))]
    text = " ".join(words)
    if _LOG_LINE.search(text) and not any(_FILE_NAME.fullmatch(word) and _hex_error(word) for word in words):
        chunks = read_capture(text.encode(errors="replace"))
        if any(chunk.octets for chunk in chunks):
            return chunks
    word, error = wrong
    raise ConfigError(f"{word!r} is neither a file nor octets in hexadecimal: {error}") from error


def _hex_error(word: str) -> ConfigError | None:
    """Why `word` is no part of a hex string; half an octet may stand in it."""
    try:
        read_hex(word + "0" * (sum(map(str.isalnum, word)) % 2))
    except ConfigError as error:
        return error
    return None
