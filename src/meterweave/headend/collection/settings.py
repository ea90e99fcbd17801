"""Every bound and pace of collection, in one frozen place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from meterweave.errors import ConfigError
from meterweave.registry.vocabulary import Channel


def _channel_calls() -> Mapping[Channel, int]:
    return MappingProxyType(
        {
            Channel.ETHERNET: 128,
            Channel.FIBRE: 128,
            Channel.CELLULAR: 64,
            Channel.NB_IOT: 32,
            Channel.RF: 16,
            Channel.PLC: 32,
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSettings:
    """Settings of collection; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If a bound or a pace is not positive.
    """

    calls_max: int = 128
    """Most calls under way at once, all terminals together. More would only wait for the decoder and the disk."""

    channel_calls_max: Mapping[Channel, int] | None = None
    """Most calls under way at once by channel; a channel not named has `calls_max`. None: 128 for ethernet and fibre,
    64 for cellular, 32 for NB-IoT and power line, 16 for radio: what is slow and shared gets less."""

    cell_group_calls_max: int = 8
    """Most calls under way at once to the terminals of one cell group: a cell has few resources to give away."""

    calls_waiting_max: int = 10_000
    """Most calls waiting for their turn; one more is not made now, and is thought of again later."""

    operation_values_max: int = 20_000
    """Most readings asked for in one operation. It holds the terminal for seconds, and whoever is urgent waits."""

    holes_max: int = 32
    """Most different spans into which what is missing of one terminal and day is divided. With more, wider spans are
    asked for, and some readings come twice."""

    fresh_s: float = 60.0
    """Age at which what is known to be missing is counted again before it is asked for: it may have come since. [s]"""

    look_s: float = 15.0
    """Longest time between two looks at what is missing. [s]"""

    pause_s: float = 0.25
    """Shortest time between two looks. [s]"""

    pause_share: float = 3.0
    """The pause after a look, as a multiple of the time it took: looking takes a quarter of one core at most."""

    look_timeout_s: float = 30.0
    """Longest time one question to the lake may take. [s] After a longer one, half as much is asked at a time."""

    look_values_max: int = 10_000_000
    """Most readings looked at in one question; some six octets of memory each. More are looked at in parts."""

    detail_meters_max: int = 1_000_000
    """Most meters, over all gaps, of which it is kept in memory what is missing; of the others it is counted again when
    it is their turn. About 50 octets each."""

    gaps_max: int = 500_000
    """Most gaps (terminal, plan and day) in memory; older days wait until there is room."""

    retry_first_s: float = 30.0
    """Pause after the first attempt that brought nothing, doubled each time. [s]"""

    retry_max_s: float = 6 * 3600.0
    """Longest pause between attempts. [s]"""

    attempts_max: int = 10
    """Attempts in a row that brought nothing after which a gap is given up. With the pauses above, four hours; then
    it is asked for once a day, and what comes by itself is taken anyway."""

    spread_s: float = 900.0
    """Time over which the terminals are spread that lack something at the same moment. [s] The period of the plan, if
    that is shorter. Each terminal has its own place in it, always the same."""

    absent_after: int = 2
    """Answers that hold other quantities of a meter, but not this one, after which the meter is taken to lack it."""

    absent_days: int = 30
    """How long that is believed before it is tried again. [days]"""

    unknown_start_days: int = 0
    """How many days before its terminal was first seen a meter without an installation date is expected. [days]"""

    roster_s: float = 1.0
    """Shortest time between two readings of the archives when they changed. [s] At least twenty times what one took."""

    roster_anew_s: float = 60.0
    """Time after which the archives are read anew in any case. [s] Installations and wirings are no changes that the
    head-end would be told of."""

    stored_s: float = 1.0
    """Shortest time between two writings of what was counted into the archives' database. [s]"""

    kept_days: int = 400
    """How long read success, and gaps that were given up, can be asked for. [days] A year and a month."""

    commission_tries: int = 3
    """Attempts to hand a new terminal its archives and tasks, one at each login."""

    away_heartbeats: float = 2.5
    """A terminal that was heard last so many of its heartbeats before it logs in was away, and may have dropped
    events; two heartbeats lost are common."""

    away_events_days: int = 7
    """Of an absence that was longer, only the events of the last days are read. [days]"""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int | float) and value <= 0 and name != "unknown_start_days":
                raise ConfigError(f"{name} must be positive, not {value}")

    def calls_of(self, channel: Channel) -> int:
        """Most calls under way at once on this channel."""
        limits = self.channel_calls_max if self.channel_calls_max is not None else _channel_calls()
        return limits.get(channel, self.calls_max)
