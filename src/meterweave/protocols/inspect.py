"""One line of octets to one JSON object: a frame, a bad frame or a stream of frames and garbage."""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.errors import DecodeError
from meterweave.protocols.codec import Codec, Json
from meterweave.protocols.stream import Garbage

WAKE_UP = 0xFE


def split(codec: Codec, octets: bytes) -> tuple[list[bytes | Garbage], bool]:
    """All frames and garbage in `octets`, neighbouring garbage joined; and whether only silence settled the end."""
    decoder = codec.decoder()
    events = decoder.feed(octets)
    waited = decoder.held > 0
    return join_garbage([*events, *decoder.flush()]), waited


def join_garbage(events: Sequence[bytes | Garbage]) -> list[bytes | Garbage]:
    """The same events with neighbouring garbage made one."""
    joined: list[bytes | Garbage] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, Garbage) and isinstance(last, Garbage):
            joined[-1] = Garbage(last.octets + event.octets, last.reason)
        else:
            joined.append(event)
    return joined


def inspect(codec: Codec, octets: bytes) -> Json:
    """What `octets` are, as the decoder prints it.

    One frame gives its message, one broken frame its error, anything else the stream of frames and garbage in order.
    """
    if not octets:
        return DecodeError("truncated", "there are no octets").to_json()
    frame = octets.lstrip(bytes([WAKE_UP])) if codec.wake_up else octets
    events, waited = split(codec, frame)
    if not any(isinstance(event, bytes) for event in events) or events == [frame]:
        try:
            return codec.to_json(codec.decode(octets))
        except DecodeError as error:
            if events == [frame] or (frame and codec.begins(frame)):
                return error.to_json()
    if frame != octets:
        events, waited = split(codec, octets)
    return stream_json(codec, events, waited)


def stream_json(codec: Codec, events: Sequence[bytes | Garbage], waited: bool) -> Json:
    """A stream's JSON: ``{"stream": [{"frame": hex, "decoded": {…}}, {"garbage": hex, "reason": …}], …}``."""
    more = codec.stream_json(events) if codec.stream_json else {}
    return {"stream": [_event_json(codec, event) for event in events], "after_timeout": waited} | more


def _event_json(codec: Codec, event: bytes | Garbage) -> Json:
    if isinstance(event, Garbage):
        return {"garbage": event.octets.hex(), "reason": event.reason}
    try:
        return {"frame": event.hex(), "decoded": codec.to_json(codec.decode(event))}
    except DecodeError as error:
        return {"frame": event.hex(), "decoded": error.to_json()}
