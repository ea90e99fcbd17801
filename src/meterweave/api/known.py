"""Who was let in a moment ago: a program that asks four hundred times a second is looked up once.

It saves the way to another thread and back. What is taken away from somebody (a right, a session, a key) is gone a
second later at the latest, half of it the door's; a session that is ended here, at once.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from meterweave.manager.identity import Identity

BELIEVED_S = 0.5
"""How long. [s]"""


class Known:
    """Identities by credential and address, no more than `known_max`; for one thread."""

    def __init__(self, known_max: int) -> None:
        self._known_max = known_max
        self._known: OrderedDict[tuple[bytes, str], tuple[Identity, float]] = OrderedDict()

    def find(self, credential: str, source: str, now: float) -> Identity | None:
        """Who had this credential, if that was asked a moment ago."""
        found = self._known.get(_name(credential, source))
        return found[0] if found is not None and 0 <= now - found[1] < BELIEVED_S else None

    def keep(self, credential: str, source: str, identity: Identity, now: float) -> None:
        """Remember whom the door let in."""
        name = _name(credential, source)
        self._known.pop(name, None)
        self._known[name] = (identity, now)
        if len(self._known) > self._known_max:
            self._known.popitem(last=False)

    def forget(self) -> None:
        """Ask anew for everybody."""
        self._known.clear()


def _name(credential: str, source: str) -> tuple[bytes, str]:
    return sha256(credential.encode("utf-8", "surrogatepass")).digest(), source
