"""How much one address may send: a bucket of tokens for each, and one for all together."""

from __future__ import annotations

from collections import OrderedDict


class Bucket:
    """Fills with `per_s` tokens a second up to `most`; each datagram takes one."""

    __slots__ = ("_at", "_tokens", "most", "per_s")

    def __init__(self, per_s: float, most: float, now: float) -> None:
        self.per_s, self.most = per_s, most
        self._tokens, self._at = most, now

    def take(self, now: float) -> bool:
        """Take a token; whether there was one. `now` is of a clock that never goes back. [s]"""
        self._tokens = min(self.most, self._tokens + (now - self._at) * self.per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Rate:
    """Of one port.

    Parameters
    ----------
    per_s : float
        Datagrams of one address. [1/s] Ten seconds' worth may come at once.
    all_per_s : float
        Datagrams of all addresses, since a sender may forge those.
    addresses_max : int
        Most addresses remembered; the one that was silent longest is forgotten first.
    """

    def __init__(self, per_s: float, all_per_s: float, addresses_max: int, now: float) -> None:
        self._per_s, self._addresses_max = per_s, addresses_max
        self._all = Bucket(all_per_s, all_per_s, now)
        self._of: OrderedDict[str, Bucket] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Whether a datagram from this address is taken."""
        bucket = self._of.pop(address, None) or Bucket(self._per_s, max(1.0, 10 * self._per_s), now)
        self._of[address] = bucket
        if len(self._of) > self._addresses_max:
            self._of.popitem(last=False)
        return bucket.take(now) and self._all.take(now)
