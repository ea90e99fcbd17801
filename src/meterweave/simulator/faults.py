"""What goes wrong, how often: decided by a hash of the seed and of what it happens to, so that it happens again.

No generator is advanced: whether a frame is spoiled depends on which frame it is, not on how the threads of a run
happened to be woven.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

from meterweave.errors import ConfigError


def chance(seed: int, *what: object) -> float:
    """A number from 0 to below 1 that belongs to `what` under this seed."""
    text = "/".join(map(str, (seed, *what)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big") / (1 << 56)


def pick(seed: int, low: int, high: int, *what: object) -> int:
    """A whole number from `low` to `high` that belongs to `what` under this seed."""
    return low + int(chance(seed, *what) * (high - low + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The share of cases in which each fault happens, 0 to 1."""

    corrupt: float = 0.0
    """Frames of which one octet arrives changed."""
    cut: float = 0.0
    """Frames in the middle of which the connection breaks."""
    duplicate: float = 0.0
    """Confirmed reports that are sent once more."""
    late: float = 0.0
    """Reports that are held back while later ones go out."""
    wrong_clock: float = 0.0
    """Terminals whose clock is off, by up to two hours either way. The meters' own clocks stay right."""
    dead: float = 0.0
    """Meters that fall silent at some moment of the back-fill."""
    happenings: float = 0.0
    """Opened covers, magnets, reversed currents and faults of clocks, of an electricity meter in a day."""
    outage: float = 0.0
    """Outages of a district in a day; 1 at most."""
    dead_link: float = 0.0
    """Of the time, the share in which a terminal's link is dead: half-open, or cut and not dialled again."""
    reboot: float = 0.0
    """Of the dead links, those that are a restart of the terminal: what it was about to report is forgotten."""

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0 <= rate <= 1:
                raise ConfigError(f"fault rate {field.name} is {rate}, wanted 0 to 1")

    @classmethod
    def of(cls, rate: float) -> Faults:
        """Every fault at the same rate; connections are cut a tenth as often, because each costs a new login."""
        return cls(corrupt=rate, cut=rate / 10, duplicate=rate, late=rate, wrong_clock=rate, dead=rate)

    @classmethod
    def bad_town(cls) -> Faults:
        """A bad day everywhere: 5 % of frames spoiled, 5 % of links dead at a time, restarts, repeats, wrong clocks."""
        return cls(
            corrupt=0.05,
            cut=0.005,
            duplicate=0.05,
            late=0.05,
            wrong_clock=0.2,
            happenings=0.02,
            outage=0.05,
            dead_link=0.05,
            reboot=0.3,
        )


NO_FAULTS = Faults()


def corrupted(octets: bytes, seed: int, *what: object) -> bytes:
    """`octets` with one of them changed."""
    at = pick(seed, 0, len(octets) - 1, "at", *what)
    changed = octets[at] ^ pick(seed, 1, 255, "by", *what)
    return octets[:at] + bytes([changed]) + octets[at + 1 :]
