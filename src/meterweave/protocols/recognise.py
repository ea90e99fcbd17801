"""Which protocol do these octets speak?"""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.errors import DecodeError
from meterweave.protocols.codec import Codec
from meterweave.protocols.inspect import split

# How much of a frame was found right before it went wrong: the later the check that failed, the likelier the protocol.
_NEARNESS = ("bad_start", "bad_length", "bad_hcs", "truncated", "bad_end", "bad_checksum", "bad_fcs")


_STARTS_MAX = 8
_SAMPLE = 1 << 16  # octets; so much of a capture is enough to know its protocol


def covered(codec: Codec, octets: bytes) -> int:
    """How many of `octets` lie in frames whose checks hold and whose content decodes."""
    events, _ = split(codec, octets)
    return sum(len(event) for event in events if isinstance(event, bytes) and _decodes(codec, event))


def recognise(streams: Sequence[bytes], codecs: Sequence[Codec]) -> Codec | None:
    """The protocol whose good frames cover most of `streams`; without any, the one whose frame went wrong latest.

    None where no protocol finds as much as the beginning of a frame. Equal claims: the earlier codec.
    """
    for part in ([octets[:_SAMPLE] for octets in streams], streams):
        cover = {codec.name: sum(covered(codec, octets) for octets in part) for codec in codecs}
        best = max(codecs, key=lambda codec: cover[codec.name])
        if cover[best.name]:
            return best
    near = {codec.name: max((nearness(codec, octets) for octets in streams), default=-1) for codec in codecs}
    nearest = max(codecs, key=lambda codec: near[codec.name])
    return nearest if near[nearest.name] >= 0 else None


def nearness(codec: Codec, octets: bytes) -> int:
    """How far `codec` gets into a broken frame; -1 where the octets do not begin like one."""
    if len(codec.decoder.starts) > _STARTS_MAX:
        return -1  # where any octet can start a frame, a broken one proves nothing
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
