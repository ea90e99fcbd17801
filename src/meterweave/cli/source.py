"""Where commands take their input from, and in which language they answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from meterweave.errors import ConfigError
from meterweave.protocols.capture import Chunk, read_capture, read_hex
from meterweave.text import Language

STDIN = "-"


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


def read_bytes(name: str) -> bytes:
    """The content of a file, or of standard input for ``-``.

    Raises
    ------
    ConfigError
        If it cannot be read; the message says why.
    """
    if name == STDIN:
        if sys.stdin.isatty():
            raise ConfigError("nothing to read: give octets in hexadecimal, a file, or pipe something in")
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}") from error


def is_file(word: str) -> bool:
    """Whether `word` names a file; a word that cannot be a name does not."""
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False


def chunks_of(words: Sequence[str]) -> list[Chunk]:
    """The octets that the words of a command line mean: one hex string in any number of words, or files.

    Raises
    ------
    ConfigError
        If a word is neither hexadecimal nor a file, or there are no octets in it all.
    """
    if not words:
        words = [STDIN]
    if all(word == STDIN or is_file(word) for word in words):
        chunks = [chunk for word in words for chunk in read_capture(read_bytes(word))]
    else:
        chunks = [Chunk(_hex_or_missing_file(words))]
    if not any(chunk.octets for chunk in chunks):
        raise ConfigError("there are no hexadecimal octets in the input")
    return chunks


def _hex_or_missing_file(words: Sequence[str]) -> bytes:
    for word in words:
        try:
            read_hex(word + "0" * (sum(map(str.isalnum, word)) % 2))
        except ConfigError as error:
            raise ConfigError(f"{word!r} is neither a file nor octets in hexadecimal: {error}") from error
    return read_hex(" ".join(words))
