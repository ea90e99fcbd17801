"""Answers in several frames put together (DL/T 645-2007, clause 7.3).

A pure object: `begin` takes the first reply, `Joining.take` each further one; between them `Joining.request` is what to
send. A part with another number than the one asked for changes nothing, so the same part is asked for again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from meterweave.errors import EncodeError
from meterweave.protocols.dlt645.frame import FOLLOWS, REPLY, Frame
from meterweave.protocols.dlt645.functions import edition

SEQUENCE_MAX = 255
"""The last number a part can have; it also bounds what is held."""


@dataclass(frozen=True, slots=True)
class Joining:
    """An answer of which some parts are there."""

    first: Frame
    octets: bytes
    """DATA of the parts so far, without the identifiers and numbers of the parts after the first."""
    sequence: int
    """The number of the part to ask for next."""
    complete: bool

    def request(self) -> Frame:
        """What asks for the next part.

        Raises
        ------
        EncodeError
            If the answer is complete or has more parts than can be numbered.
        """
        if self.complete or self.sequence > SEQUENCE_MAX:
            raise EncodeError(f"part {self.sequence} of the answer cannot be asked for")
        di = self.octets[: self._di_size]
        if self._di_size == 2:
            return Frame(self.first.address, 0x02, di)
        return Frame(self.first.address, 0x12, di + bytes([self.sequence]))

    @property
    def _di_size(self) -> int:
        return 2 if edition(self.first) == "dlt645-1997" else 4

    def take(self, reply: Frame) -> Joining:
        """The answer with one more part, or unchanged where `reply` is not the part asked for."""
        size = self._di_size
        numbered = size == 4
        wanted = REPLY | (0x12 if numbered else 0x02)
        fits = (
            not self.complete
            and self.sequence <= SEQUENCE_MAX
            and not reply.is_error
            and reply.control & ~FOLLOWS == wanted
            and reply.address == self.first.address
            and len(reply.data) >= size + numbered
            and reply.data[:size] == self.octets[:size]
            and (not numbered or reply.data[-1] == self.sequence)
        )
        if not fits:
            return self
        part = reply.data[size : -1 if numbered else None]
        return replace(self, octets=self.octets + part, sequence=self.sequence + 1, complete=not reply.follows)

    def message(self) -> Frame:
        """The whole answer as one message; longer than a frame can be, it can be read but not sent."""
        return Frame(self.first.address, self.first.control & ~FOLLOWS, self.octets, self.first.wake_up)


def begin(reply: Frame) -> Joining:
    """The answer that `reply`, to a read, opens; complete at once where no more data follow."""
    return Joining(reply, reply.data, 1, not reply.follows)
