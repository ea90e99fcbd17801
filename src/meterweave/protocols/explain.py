"""What a frame says, field by field, for people: every field with its octets, meaning, value and unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from meterweave.text import Text


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a frame.

    The octets of a frame's fields, joined in order, are the frame; the octets of a field's parts, joined in order,
    are the field's own where it has parts with octets at all. A part without octets explains bits of its parent.
    """

    name: Text
    octets: bytes
    value: str = ""  # as a person writes it: a scaled decimal, an address, a time, a code
    unit: str = ""
    meaning: Text | None = None  # what the value stands for, in words
    fault: Text | None = None  # what is wrong here
    parts: tuple[Field, ...] = ()

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Field]]:
        """This field and all below it, in order, each with its depth."""
        yield depth, self
        for part in self.parts:
            yield from part.walk(depth + 1)

    def with_fault(self, fault: Text) -> Field:
        """The same field, marked as the place where something is wrong."""
        return replace(self, fault=fault)
