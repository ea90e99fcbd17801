"""Which messages were kept lately, so that one that comes again is not stored again; bounded in number and in time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b

import pyarrow as pa

from meterweave.lake import Lake

DIGEST_OCTETS = 16

_LAST = """
SELECT terminal, octets FROM frames JOIN devices USING (terminal)
WHERE received > (SELECT max(received) FROM frames JOIN devices USING (terminal)) - INTERVAL 1 MINUTE
ORDER BY received
"""
_ROWS_MAX = 100_000


def digest(*parts: bytes) -> bytes:
    """What a message is remembered by; 16 octets make two messages that share one a matter of cosmology."""
    sum_ = blake2b(digest_size=DIGEST_OCTETS)
    for part in parts:
        sum_.update(len(part).to_bytes(4, "big"))
        sum_.update(part)
    return sum_.digest()


def known_by(terminal: int, octets: bytes, mid: int = 0) -> bytes:
    """What a message of the terminal with this id is remembered by.

    Its number at the broker, which a repeat keeps, tells it from another with the same content; 0: it is not known.
    """
    return digest(terminal.to_bytes(8, "big"), mid.to_bytes(2, "big"), octets)


class Memory:
    """Digests, each remembered for a while, with the answer that the message had.

    Parameters
    ----------
    size_max : int
        Most digests remembered; beyond, the oldest is forgotten.
    keep_us : int
        How long one is remembered after it was last noted. [us]
    """

    def __init__(self, size_max: int, keep_us: int) -> None:
        self._size_max, self._keep_us = size_max, keep_us
        self._noted: OrderedDict[bytes, tuple[int, tuple[bytes, ...]]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._noted)

    def restore(self, lake: Lake, terminals: Iterable[int], now_us: int) -> None:
        """Take up what the lake kept last of these terminals; blocks, raises `LakeError` where it cannot tell.

        What a centre kept in its last seconds may not be acknowledged, and then comes again. The lake does not know
        the numbers of messages at the broker.
        """
        devices = pa.table({"terminal": pa.array(list(terminals), pa.int64())})
        for row in lake.query(_LAST, tables={"devices": devices}, rows_max=_ROWS_MAX).to_pylist():
            self.note(known_by(row["terminal"], row["octets"]), now_us)

    def note(self, key: bytes, now_us: int, answers: Iterable[bytes] = ()) -> None:
        """Remember a message, and what was answered to it."""
        self._noted.pop(key, None)
        self._noted[key] = (now_us, tuple(answers))
        self._forget_old(now_us)

    def forget(self, key: bytes) -> None:
        """The message is about to be kept anew; until it is, a repeat has to be kept."""
        self._noted.pop(key, None)

    def answers(self, key: bytes, now_us: int) -> tuple[bytes, ...] | None:
        """What a message was answered that is remembered; None: it is not remembered."""
        self._forget_old(now_us)
        found = self._noted.get(key)
        return None if found is None else found[1]

    def _forget_old(self, now_us: int) -> None:
        while self._noted:
            when, _ = next(iter(self._noted.values()))
            if len(self._noted) <= self._size_max and when > now_us - self._keep_us:
                return
            self._noted.popitem(last=False)
