"""Answers that are still right: each is kept with what it was made from, and holds as long as that is the same.

Files of the lake never change, so the names of the files and the rows of the journal's tail say all of where an answer
comes from. Nothing has to be told that something changed, and no answer is ever older than the question.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

import pyarrow as pa


class Origin(NamedTuple):
    """What an answer was made from."""

    files: tuple[str, ...]
    tail: pa.Table

    def same(self, other: Origin) -> bool:
        """Whether the same answer comes of both."""
        return self.files == other.files and self.tail.equals(other.tail)


class Question(NamedTuple):
    """One meter's readings of some local days, both days included, as ordinals of `datetime.date`."""

    meter: int
    first: int
    last: int


class Remembered:
    """The answers asked for last, as many as fit; any thread may use it.

    Parameters
    ----------
    octets_max : int
        Most memory for answers and what they came from.
    """

    def __init__(self, octets_max: int) -> None:
        self._octets_max, self._octets = octets_max, 0
        self._answers: OrderedDict[Question, tuple[Origin, pa.Table]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, question: Question, origin: Origin) -> pa.Table | None:
        """The answer, if it is there and made from `origin`."""
        with self._lock:
            found = self._answers.get(question)
            if found is None or not found[0].same(origin):
                return None
            self._answers.move_to_end(question)
            return found[1]

    def keep(self, question: Question, origin: Origin, answer: pa.Table) -> None:
        """Remember an answer; those not asked for longest make room."""
        octets = _octets(origin, answer)
        if octets > self._octets_max:
            return
        with self._lock:
            before = self._answers.pop(question, None)
            self._octets += octets - (_octets(*before) if before is not None else 0)
            self._answers[question] = (origin, answer)
            while self._octets > self._octets_max:
                _, oldest = self._answers.popitem(last=False)
                self._octets -= _octets(*oldest)


_ENTRY_OCTETS = 2048  # what an entry takes beside its columns


def _octets(origin: Origin, answer: pa.Table) -> int:
    return int(answer.nbytes + origin.tail.nbytes) + sum(map(len, origin.files)) + _ENTRY_OCTETS
