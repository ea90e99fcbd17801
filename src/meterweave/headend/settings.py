"""Every bound and pace of the head-end, in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass

from meterweave.errors import ConfigError

_KIB, _MIB = 1 << 10, 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadEndSettings:
    """Settings of a head-end; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If a bound or a pace is not positive.
    """

    connections_max: int = 50_000
    """Most connections open at once; one more is closed as it comes."""

    login_within_s: float = 30.0
    """How long a new connection may take to log in. [s] Slow mobile links need a few seconds."""

    silence_heartbeats: float = 2.5
    """After how many heartbeats without a good frame a session is closed: two may get lost, the third may be late."""

    garbage_octets_max: int = 64 * _KIB
    """Most octets without a good frame among them before a connection is closed. [octets] Four times the longest
    frame, so that a false start never costs an honest terminal its session."""

    apdu_octets_max: int = 64 * _KIB
    """Longest APDU joined from fragments. [octets] What a terminal of DL/T 698.45 itself can hold is less."""

    session_pushes_max: int = 1024
    """Pushes of one session that wait for the disk; with more, its connection is not read until they are kept."""

    waiting_octets_max: int = 64 * _MIB
    """Most octets of pushes of all sessions that wait. [octets] A push beyond is dropped without an answer, and the
    terminal sends it again. From half of it on, connections that push are not read."""

    tick_s: float = 0.02
    """Longest time for which pushes are gathered before they are decoded. [s] An idle centre decodes at once, a busy
    one gathers, since a decoding costs a millisecond before its first reading."""

    tick_pushes_max: int = 4096
    """Most pushes decoded in one go, which bounds how long the loop does nothing else."""

    tick_octets_max: int = 4 * _MIB
    """Most octets of pushes decoded in one go, for the same reason."""

    batches_max: int = 32
    """Most batches on their way to the disk; with more, decoding waits."""

    write_octets_max: int = 64 * _KIB
    """Octets to a peer that does not read; with more, it is not read either, until silence closes it. [octets]"""

    close_within_s: float = 5.0
    """How long a connection that is closed waits for its peer to read what was sent to it. [s]"""

    unknown_max: int = 1000
    """How many unknown terminals, and how many unknown meters, are remembered."""

    answer_s: float = 20.0
    """How long a terminal may take to answer from its own memory. [s] Slow mobile links need most of it."""

    forwarded_answer_s: float = 60.0
    """How long it may take where it has to ask a meter first. [s] A power-line carrier with relays needs that long."""

    session_calls_max: int = 32
    """Calls that wait for one terminal, which is asked one thing at a time; one more is not taken."""

    enrol_waiting_max: int = 10_000
    """Most terminals and meters waiting to be enrolled; one more is treated as unknown."""

    enrol_within_s: float = 10.0
    """How long enrolling may take before the terminal is refused, or the push is left unanswered. [s]"""

    enrol_again_s: float = 600.0
    """How long a terminal or meter that could not be enrolled is not tried again. [s]"""

    sweep_s: float = 1.0
    """How often silent sessions are looked for. [s]"""

    seen_s: float = 10.0
    """How often it is noted in the archives which terminals were heard. [s]"""

    stop_within_s: float = 10.0
    """How long an orderly end waits for the disk. [s]"""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if (value := getattr(self, name)) <= 0:
                raise ConfigError(f"{name} must be positive, not {value}")
