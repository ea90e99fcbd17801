"""Which slaves are on a bus: the search by secondary address, digit by digit (EN 13757-3, wildcard searching).

A selection by ``ffffffff`` reaches everybody. As long as several slaves answer, the first wildcard digit is replaced by
each digit in turn. The search decides, a master acts: it sends `Search.request`, and tells what it `heard`.

Slaves that answer together can look like one: their E5 fall on each other and stay E5. So whoever acknowledges is read,
and only a readable answer with an address that the selection covers is one slave.
"""

from __future__ import annotations

from meterweave.protocols.mbus import words
from meterweave.protocols.mbus.header import ANY_ID, ANYBODY, Header, SecondaryAddress
from meterweave.protocols.mbus.master import deselect, select
from meterweave.protocols.mbus.message import Acknowledge, Message, Short, VariableData

DECIMAL = "0123456789"
HEXADECIMAL = "0123456789abcde"  # f is the wildcard


class Search:
    """One walk through the tree of selections.

    >>> search = Search()
    >>> search.request.body.address.identification
    'ffffffff'
    """

    def __init__(self, start: SecondaryAddress = ANYBODY, *, digits: str = DECIMAL) -> None:
        self.found: list[SecondaryAddress] = []
        self.unresolved: list[SecondaryAddress] = []  # several slaves, or one that cannot be read, at eight digits
        self._digits = digits
        self._waiting = [start]  # selections still to try, the next one last
        self._reading = False
        self.select_count = 0

    @property
    def selection(self) -> SecondaryAddress | None:
        """The selection being tried; None when the search is over."""
        return self._waiting[-1] if self._waiting else None

    @property
    def request(self) -> Message | None:
        """What to send: a selection, or, to those who acknowledged it, a request for data; None: the search is over.

        A master ends the search with `deselect`, and also sends that before every selection if its slaves need it.
        """
        if self.selection is None:
            return None
        if self._reading:
            return Short(words.REQ_UD2 | words.FCB, words.SELECTED)
        return select(self.selection)

    @property
    def farewell(self) -> Short:
        """What to send when the search is over."""
        return deselect()

    def heard(self, answer: Message | None) -> None:
        """Take what came: a message, or None for octets that are no frame (a collision). For silence, see `silence`."""
        if self.selection is None:
            return
        if not self._reading:
            self._selected(answer)
        else:
            self._read(answer)

    def silence(self) -> None:
        """Nobody answered in time."""
        if self._reading:
            self._read(None)
        elif self._waiting:
            self._waiting.pop()
            self.select_count += 1

    def _selected(self, answer: Message | None) -> None:
        self.select_count += 1
        if isinstance(answer, Acknowledge):
            self._reading = True
        else:
            self._divide()

    def _read(self, answer: Message | None) -> None:
        self._reading = False
        address = _address_of(answer)
        selection = self._waiting[-1]
        if address is None or not selection.covers(address):
            self._divide()
            return
        self._waiting.pop()
        self.found.append(address)

    def _divide(self) -> None:
        """Replace the selection by those with one more digit; where there is none left, give it up."""
        selection = self._waiting.pop()
        wildcard = selection.identification.find(ANY_ID[0])
        if wildcard < 0:
            self.unresolved.append(selection)
            return
        before, after = selection.identification[:wildcard], selection.identification[wildcard + 1 :]
        for digit in reversed(self._digits):
            self._waiting.append(selection._replace(identification=before + digit + after))


def _address_of(answer: Message | None) -> SecondaryAddress | None:
    body = getattr(answer, "body", None)
    if isinstance(body, VariableData) and isinstance(body.header, Header):
        return body.header.address
    return None
