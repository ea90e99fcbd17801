"""What is wrong with a profile: every mistake with its place, a sentence, and a hint how to put it right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from meterweave.errors import ConfigError
from meterweave.text import Language, Text

NO_HINT = Text("", "")
_NEAREST_MAX = 3
_LOOKED_UP_MAX = 40
"""Longer words are no misspelt ones. [characters]"""
TEXT_MAX = 300
"""A sentence quotes what stands in the file, which may be long. [characters]"""


class Place(NamedTuple):
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


class Mistake(NamedTuple):
    """One thing that is wrong, or, where `grave` is false, one that deserves a look."""

    place: Place
    text: Text
    hint: Text = NO_HINT
    grave: bool = True

    def words(self, file: str, language: Language = "en") -> str:
        """``file:line:column: sentence; hint``."""
        line, column = self.place
        sentence, hint = self.text.in_language(language), self.hint.in_language(language)
        return f"{file}:{line}:{column}: {sentence}" + (f"; {hint}" if hint else "")


class ProfileError(ConfigError):
    """A profile that cannot be used; nothing of it was loaded. `mistakes` has all that is wrong with it."""

    def __init__(self, file: str, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(one.words(file) for one in mistakes))
        self.file = file
        self.mistakes = tuple(mistakes)


@dataclass(slots=True)
class Mistakes:
    """The mistakes found so far."""

    found: list[Mistake] = field(default_factory=list)

    def add(self, place: Place, en: str, zh: str, hint: Text = NO_HINT) -> None:
        """Something is wrong."""
        self.found.append(Mistake(place, Text(_short(en), _short(zh)), hint))

    def remark(self, place: Place, en: str, zh: str, hint: Text = NO_HINT) -> None:
        """Something deserves a look."""
        self.found.append(Mistake(place, Text(_short(en), _short(zh)), hint, grave=False))

    def at(self, place: Place) -> bool:
        """Whether anything was said of this place already."""
        return any(one.place == place for one in self.found)

    @property
    def grave(self) -> bool:
        """Whether anything is wrong, beside remarks."""
        return any(one.grave for one in self.found)

    def in_order(self) -> list[Mistake]:
        """All of them by their place in the file."""
        return sorted(self.found, key=lambda one: one.place)


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"


def nearest(word: str, known: Iterable[str]) -> Text:
    """A hint at the known words that look like `word`; without any, and with few known, all of them."""
    names = list(known)
    close = difflib.get_close_matches(word, names, _NEAREST_MAX, 0.5) if len(word) <= _LOOKED_UP_MAX else []
    if close:
        return Text(f"did you mean {' or '.join(close)}?", f"是否指{'、'.join(close)}？")
    if len(names) <= 3 * _NEAREST_MAX:
        return Text(f"wanted one of {', '.join(names)}", f"可用：{'、'.join(names)}")
    return NO_HINT
