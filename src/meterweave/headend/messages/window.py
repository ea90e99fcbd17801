"""What a broker has delivered and waits to be acknowledged: in the order in which it came, whatever is ready first.

MQTT 5 wants acknowledgements in the order of the messages (MQTT-4.6.0-2), so one that is ready waits for all before it.
A message that is refused is never acknowledged, and so nothing after it: the connection has to be made anew, and the
broker delivers again what is left.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class _Waiting(NamedTuple):
    number: int
    mid: int  # the broker's number of the message


class Window:
    """The messages of one connection that are not acknowledged."""

    def __init__(self) -> None:
        self._order: deque[_Waiting] = deque()
        self._ready: set[int] = set()
        self._number = 0

    def __len__(self) -> int:
        return len(self._order)

    def delivered(self, mid: int) -> int:
        """A message came; our own number of it, since the broker's is used again."""
        self._number += 1
        self._order.append(_Waiting(self._number, mid))
        return self._number

    def ready(self, number: int) -> list[int]:
        """This message may be acknowledged; the broker's numbers of all that are to be acknowledged now, in order."""
        self._ready.add(number)
        mids = []
        while self._order and self._order[0].number in self._ready:
            first = self._order.popleft()
            self._ready.discard(first.number)
            mids.append(first.mid)
        return mids
