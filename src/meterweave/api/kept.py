"""Answers written out, for as long as what they were written from is the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

OCTETS_MAX = 32 << 20
"""Most memory for them. [octets]"""

_ENTRY_OCTETS = 1000  # what one takes beside its octets


class Answer(NamedTuple):
    """An answer as it goes out."""

    origin: object  # what it was written from; held, so that no other object takes its place
    octets: bytes
    tag: str


class Kept:
    """The answers asked for last; any thread may use it."""

    def __init__(self, octets_max: int = OCTETS_MAX) -> None:
        self._octets_max, self._octets = octets_max, 0
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, question: Hashable, origin: object) -> Answer | None:
        """The answer to a question, if it was written from this very object."""
        with self._lock:
            found = self._answers.get(question)
            if found is None or found.origin is not origin:
                return None
            self._answers.move_to_end(question)
            return found

    def keep(self, question: Hashable, answer: Answer) -> None:
        """Keep an answer; those not asked for longest make room."""
        with self._lock:
            before = self._answers.pop(question, None)
            self._octets += _octets(answer) - (_octets(before) if before else 0)
            self._answers[question] = answer
            while self._octets > self._octets_max:
                self._octets -= _octets(self._answers.popitem(last=False)[1])


def _octets(answer: Answer) -> int:
    return len(answer.octets) + _ENTRY_OCTETS
