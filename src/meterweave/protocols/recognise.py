"""Which protocol do these octets speak?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from meterweave.errors import DecodeError
from meterweave.protocols.codec import Codec
from meterweave.protocols.inspect import split

# How much of a frame was found right before it went wrong: the later the check that failed, the likelier the protocol.
_NEARNESS = ("bad_start", "bad_length", "bad_end", "truncated", "bad_hcs", "bad_checksum", "bad_fcs")


_SAMPLE = 1 << 16  # octets; so much of a capture is enough to know its protocol


def covered(codec: Codec, octets: bytes) -> int:
    """How many of `octets` lie in frames whose checks hold and whose content decodes."""
    events, _ = split(codec, octets)
    return sum(len(event) for event in events if isinstance(event, bytes) and _decodes(codec, event))


def recognise(octets: bytes, codecs: Sequence[Codec]) -> Codec | None:
    """The protocol whose good frames cover most of `octets`; without any, the one whose frame went wrong latest.

    None where no protocol finds as much as the beginning of a frame. Equal claims: the earlier codec.
    """
    for part in (octets[:_SAMPLE], octets) if len(octets) > _SAMPLE else (octets,):
        best = max(codecs, key=partial(covered, octets=part))
        if covered(best, part):
            return best
    nearest = max(codecs, key=partial(nearness, octets=octets))
    return nearest if nearness(nearest, octets) >= 0 else None


def nearness(codec: Codec, octets: bytes) -> int:
    """How far `codec` gets into a broken frame; -1 where the octets do not begin like one."""
    if not octets or octets[0] not in codec.decoder.starts or not codec.begins(octets):
        return -1
    try:
        codec.decode(octets)
    except DecodeError as error:
        return _NEARNESS.index(error.kind) if error.kind in _NEARNESS else len(_NEARNESS)
    return len(_NEARNESS)


def _decodes(codec: Codec, frame: bytes) -> bool:
    try:
        codec.decode(frame)
    except DecodeError:
        return False
    return True
