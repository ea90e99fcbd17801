"""Who called and is not in the archives: a bounded list, the longest silent forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Sighting(NamedTuple):
    """How often a stranger was met, and when. [us since 1970, UTC]"""

    times: int
    first_us: int
    last_us: int


class Unknown(Generic[Name]):
    """Strangers by name."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.forgotten = 0
        self._seen: OrderedDict[Name, Sighting] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def meet(self, name: Name, now_us: int) -> bool:
        """Note a sighting; whether it is worth a line in the log: the first one, while nobody was forgotten yet."""
        before = self._seen.pop(name, None)
        if before is not None:
            self._seen[name] = Sighting(before.times + 1, before.first_us, now_us)
            return False
        self._seen[name] = Sighting(1, now_us, now_us)
        if len(self._seen) > self.size_max:
            self._seen.popitem(last=False)
            self.forgotten += 1
        return not self.forgotten

    def forget(self, name: Name) -> None:
        """Take off the list who is a stranger no more."""
        self._seen.pop(name, None)

    def lately(self, name: Name, since_us: int) -> bool:
        """Whether a stranger was met first after `since_us`; one met before is forgotten, to be met anew."""
        seen = self._seen.get(name)
        if seen is not None and seen.first_us <= since_us:
            self.forget(name)
            return False
        return seen is not None

    def listed(self) -> list[tuple[Name, Sighting]]:
        """All that are remembered, the one met last at the end."""
        return list(self._seen.items())
