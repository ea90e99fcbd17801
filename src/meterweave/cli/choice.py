"""Which one is meant, where a word of the command line may mean several records of the archives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from meterweave.errors import ConfigError
from meterweave.registry.lookup import FOUND_MAX, MeterCard, TerminalCard
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Language, Text

BY_ID = "id:"
"""Begins a word that names a record by its id; the archives' own ``#`` begins a comment in a shell."""

_SEVERAL = Text(
    "{word!r} may mean {count} records; name the one you mean by its id:\n{lines}",
    "“{word}”对应{count}条档案，请用id指定其中一条：\n{lines}",
)

Card = TypeVar("Card", MeterCard, TerminalCard)


def search_word(word: str) -> str:
    """`word` as the archives' search takes it."""
    return f"#{word.removeprefix(BY_ID)}" if word.startswith(BY_ID) else word


def the_one(found: Sequence[Card], word: str, language: Language) -> Card:
    """The only record found.

    Raises
    ------
    ConfigError
        If there are several; the message lists them with the words that mean each of them alone.
    """
    if len(found) == 1:
        return found[0]
    lines = "\n".join(f"  {BY_ID}{one.id}  {_said(one, language)}" for one in found)
    count = f"{FOUND_MAX}+" if len(found) == FOUND_MAX else str(len(found))
    raise ConfigError(_SEVERAL.in_language(language).format(word=word, count=count, lines=lines))


def _said(card: MeterCard | TerminalCard, language: Language) -> str:
    if isinstance(card, TerminalCard):
        return f"{card.protocol} {card.address}  {card.name}".rstrip()
    parts = [f"{card.protocol} {card.address}", WORDS[Utility(card.utility)].in_language(language)]
    if card.terminal is not None:
        parts.append(f"@ {card.terminal.protocol} {card.terminal.address}")
    if card.asset_number:
        parts.append(card.asset_number)
    return "  ".join(parts)
