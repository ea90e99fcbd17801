"""Octets in, frames out: the part of stream splitting that all protocols share.

A protocol says, with `FrameDecoder.probe`, what stands at one offset; the search for the next start octet, the waiting,
the bounded buffer and the counting are here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple


class Garbage(NamedTuple):
    """Octets that belong to no frame, and the reason the first of them was given up."""

    octets: bytes
    reason: str


class FrameDecoder(ABC):
    """Splits what a line delivers into frames and garbage; whatever the line sends, nothing is raised.

    Frames come out as the octets they are, checksum verified. On any failure one octet is dropped and the search goes
    on with the next start octet, so that a false start never swallows a frame behind it.
    """

    starts: ClassVar[bytes]  # the octets a frame can start with
    size_max: ClassVar[int]  # the longest frame; between calls the buffer holds less than this [octets]

    def __init__(self) -> None:
        self._held = bytearray()
        self._wanted = 1  # octets that must be held before another look can tell anything new
        self.frame_count = 0
        self.garbage_octet_count = 0

    @property
    def held(self) -> int:
        """Octets waiting for the rest of their frame."""
        return len(self._held)

    @abstractmethod
    def probe(self, octets: bytes, at: int) -> int | str:
        """What stands at offset `at`, which holds one of `starts`.

        Returns
        -------
        int
            Positive: a whole, verified frame of that many octets. Negative: nothing can be said before that many
            more octets have come.
        str
            Why no frame starts here.
        """

    def feed(self, octets: bytes) -> list[bytes | Garbage]:
        """Take the next octets of the line; give what they complete, in order."""
        self._held += octets
        if len(self._held) < self._wanted:
            return []
        return self._scan(final=False)

    def flush(self) -> list[bytes | Garbage]:
        """The line fell silent: what waits for more is no frame; give the frames hidden in it and the garbage."""
        return self._scan(final=True)

    def _scan(self, *, final: bool) -> list[bytes | Garbage]:
        octets = bytes(self._held)
        events: list[bytes | Garbage] = []
        at = lost_from = 0
        reason = ""
        self._wanted = 1
        while True:
            here = self._next_start(octets, at)
            if here > at and not reason:
                reason = "before a start octet"
            at = here
            if at == len(octets):
                break
            found = self.probe(octets, at)
            if isinstance(found, int):
                if found > 0:
                    if at > lost_from:
                        events.append(self._lost(octets[lost_from:at], reason))
                        reason = ""
                    events.append(octets[at : at + found])
                    self.frame_count += 1
                    at = lost_from = at + found
                    continue
                if not final:
                    self._wanted = len(octets) - at - found
                    break
                found = "cut short"
            reason = reason or found
            at += 1
        if at > lost_from:
            events.append(self._lost(octets[lost_from:at], reason))
        self._held = bytearray(octets[at:])
        return events

    def _next_start(self, octets: bytes, at: int) -> int:
        """Offset of the next start octet at or after `at`; the end where there is none."""
        if len(self.starts) == 1:
            here = octets.find(self.starts, at)
            return len(octets) if here < 0 else here
        while at < len(octets) and octets[at] not in self.starts:
            at += 1
        return at

    def _lost(self, octets: bytes, reason: str) -> Garbage:
        self.garbage_octet_count += len(octets)
        return Garbage(octets, reason)
