"""Words people see, in the two languages Meterweave speaks."""

from __future__ import annotations

from typing import Literal, NamedTuple

Language = Literal["en", "zh"]


class Text(NamedTuple):
    """One meaning in English and in Chinese."""

    en: str
    zh: str

    def in_language(self, language: Language) -> str:
        """The words in `language`."""
        return self.zh if language == "zh" else self.en


def storable(text: str) -> str:
    """Words from elsewhere without what a database or UTF-8 does not take, NUL and surrogates; each becomes U+FFFD.

    >>> storable("a\\x00b") == "a\\ufffdb"
    True
    """
    return text.replace("\x00", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
