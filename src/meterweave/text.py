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
