"""Octets being read and octets being written, with the lengths of A-XDR."""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.dlt698.frame import malformed
from meterweave.protocols.dlt698.given import integer

DEPTH_MAX = 32  # levels of Data inside Data


class Reader:
    """Octets and the place up to which they are read."""

    __slots__ = ("at", "base", "depth", "end", "octets", "wide")

    def __init__(self, octets: bytes, base: int = 0) -> None:
        self.octets = octets
        self.at = 0
        self.end = len(octets)
        self.base = base  # where the octets begin in the frame, for errors
        self.depth = 0
        self.wide: list[tuple[int, int]] = []

    def octet(self) -> int:
        """The next octet."""
        at = self.at
        if at >= self.end:
            raise self.truncated(1)
        self.at = at + 1
        return self.octets[at]

    def take(self, size: int) -> bytes:
        """The next `size` octets."""
        at = self.at
        end = at + size
        if end > self.end:
            raise self.truncated(size)
        self.at = end
        return self.octets[at:end]

    def length(self) -> int:
        """A length or count, 1 to 5 octets; a form longer than needed is noted in `wide`, to be written again."""
        start = self.at
        first = self.octet()
        if first < 0x80:
            return first
        if not 0x81 <= first <= 0x84:
            raise self.fault("bad_axdr_length", f"a length begins with {first:02X}H", start)
        value = int.from_bytes(self.take(first - 0x80), "big")
        if first != 0x80 + _length_octets(value):
            self.wide.append((start, self.at - start))
        return value

    def count(self) -> int:
        """A count of things that take an octet or more each, checked against what is left."""
        value = self.length()
        if value > self.end - self.at:
            raise self.truncated(value)
        return value

    def flag(self) -> bool:
        """The octet of an OPTIONAL: 00 absent, 01 present."""
        octet = self.octet()
        if octet > 1:
            raise self.fault("bad_choice", f"a presence octet is {octet:02X}H, not 00 or 01", self.at - 1)
        return octet == 1

    def descend(self) -> None:
        """One level deeper into nested Data."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self.fault("too_deep", f"more than {DEPTH_MAX} levels of data", self.at)

    def truncated(self, wanted: int) -> DecodeError:
        """The error of octets that are not there."""
        message = f"{wanted} octets wanted, {self.end - self.at} left"
        return self.fault("apdu_truncated", message, self.at)

    def fault(self, kind: str, message: str, at: int) -> DecodeError:
        """An error at offset `at` of these octets, where the reader stays."""
        self.at = at
        return malformed(kind, message, self.base + at)


class Writer:
    """Octets being written."""

    __slots__ = ("depth", "octets", "wide")

    def __init__(self, wide: Sequence[tuple[int, int]] = ()) -> None:
        self.octets = bytearray()
        self.depth = 0
        self.wide = dict(wide)

    def length(self, value: int) -> None:
        """A length or count, in as few octets as hold it, or as many as `wide` wants at this place."""
        following = _length_octets(value)
        width = self.wide.pop(len(self.octets), None)
        if width is not None:
            if not following + 1 < width <= 5:
                raise EncodeError(f"a length of {value} is not written wide in {width} octets")
            following = width - 1
        if following == 0:
            self.octets.append(value)
        else:
            self.octets.append(0x80 + following)
            self.octets += value.to_bytes(following, "big")

    def descend(self) -> None:
        """One level deeper into nested Data."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise EncodeError(f"more than {DEPTH_MAX} levels of data")

    def unsigned(self, value: int, size: int) -> None:
        """`value` in `size` octets, high octet first."""
        self.octets += integer(value, 0, (1 << 8 * size) - 1).to_bytes(size, "big")


def _length_octets(value: int) -> int:
    """How many octets follow the first of the shortest form of a length: 0 means that the first is the length."""
    return 0 if value < 0x80 else (value.bit_length() + 7) // 8
