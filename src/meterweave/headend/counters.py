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
    connections_not_allowed: int = 0
    """Closed as they came: not from a network that may call."""
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
    """Neither readings nor events in it: kept as its frame and acknowledged; neither, where no frames are kept."""
    pushes_unknown_meter: int = 0
    """At least one meter is not in the archives; what is of the others is kept, the push is not acknowledged."""
    pushes_dropped: int = 0
    """No room to wait; not acknowledged."""
    pushes_not_kept: int = 0
    """The journal refused; not acknowledged."""
    readings: int = 0
    """On disk."""
    readings_unknown_meter: int = 0
    events: int = 0
    """On disk."""
    events_unknown_meter: int = 0
    messages: int = 0
    """Of devices that speak without a session: MQTT messages on the topics of profiles, and datagrams."""
    messages_not_understood: int = 0
    """Acknowledged where they can be, since a repeat would be understood no better."""
    messages_unknown_device: int = 0
    """The device is not in the archives, or suspended or retired there; the same."""
    messages_again: int = 0
    """Repeats of what was kept before; not kept again."""
    datagrams_not_allowed: int = 0
    """Not from a network that may send."""
    datagrams_over_rate: int = 0
    """More from one address than the port takes; dropped."""
    calls: int = 0
    """Conversations that the centre began."""
    calls_unknown: int = 0
    """Of these, how many ended without an answer that tells what came of it."""
    answers_missed: int = 0
    """Questions to which no answer came in time; they may have been asked again."""
