"""What a head-end counts; everything that is not done is counted as surely as what is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Since the start, except the two first, which hold now."""

    connections: int = 0
    terminals_online: int = 0
    connections_made: int = 0
    connections_turned_away: int = 0
    """Closed as they came: too many are open."""
    connections_closed: int = 0
    """Closed by us, for silence, garbage, a refused or a second login."""
    logins: int = 0
    logins_refused: int = 0
    heartbeats: int = 0
    frames: int = 0
    frames_ignored: int = 0
    """Good frames that the state of the session, or this centre, has no use for."""
    garbage_octets: int = 0
    pushes: int = 0
    pushes_kept: int = 0
    """All that is in it is on disk; acknowledged, where the terminal wants that."""
    pushes_broken: int = 0
    """A good frame around content that cannot be decoded; not acknowledged."""
    pushes_empty: int = 0
    """Nothing in it that would be kept, such as event records; not acknowledged."""
    pushes_unknown_meter: int = 0
    """At least one meter is not in the archives; the others' readings are kept, the push is not acknowledged."""
    pushes_dropped: int = 0
    """No room to wait; not acknowledged."""
    pushes_not_kept: int = 0
    """The journal refused; not acknowledged."""
    readings: int = 0
    """On disk."""
    readings_unknown_meter: int = 0
