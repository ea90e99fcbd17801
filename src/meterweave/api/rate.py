"""How often somebody may come: a bucket each, of those heard of last."""

from __future__ import annotations

from collections import OrderedDict


class Rate:
    """Buckets that fill at `per_s` up to `burst`; each request takes one drop. For one thread.

    Parameters
    ----------
    known_max : int
        Buckets that are remembered. One that is forgotten is full again, so it has to be many times more than callers
        that come in a burst; memory is bounded by it.
    """

    def __init__(self, per_s: float, burst: int, known_max: int) -> None:
        self._per_s, self._burst, self._known_max = per_s, burst, known_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is in it, and when that was so

    def wait_s(self, name: str, now: float) -> float:
        """Take a drop; 0, or how long to wait until there is one. [s]"""
        level, since = self._buckets.pop(name, (float(self._burst), now))
        level = min(float(self._burst), level + max(0.0, now - since) * self._per_s)
        allowed = level >= 1
        self._buckets[name] = (level - 1 if allowed else level, now)
        if len(self._buckets) > self._known_max:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - level) / self._per_s

    def __len__(self) -> int:
        return len(self._buckets)
