"""DL/T 698.45-2017, the object-oriented protocol between head-ends, terminals and electricity meters.

A `Message` is a frame's link layer with an APDU or a fragment of one, or an APDU alone. Every service is a class of its
own (`get`, `access`, `proxy`, `association`, `security`); the grammar they share is `wire`, the data types are `data`,
and what an OAD means is in `objects`. `segment` joins what comes in fragments or blocks.
"""

from __future__ import annotations

from meterweave.protocols.codec import Codec
from meterweave.protocols.dlt698.batch import decode_batch
from meterweave.protocols.dlt698.explain import explain
from meterweave.protocols.dlt698.frame import FrameDecoder, Link
from meterweave.protocols.dlt698.message import Fragment, Message, decode, encode
from meterweave.protocols.dlt698.services import decode_apdu, encode_apdu
from meterweave.protocols.dlt698.view import from_json, stream_json, to_json
from meterweave.text import Text

__all__ = [
    "CODEC",
    "Fragment",
    "FrameDecoder",
    "Link",
    "Message",
    "decode",
    "decode_apdu",
    "decode_batch",
    "encode",
    "encode_apdu",
    "explain",
    "from_json",
    "to_json",
]


def _begins(octets: bytes) -> bool:  # an APDU without link layer may begin with anything
    return True


CODEC = Codec(
    name="dlt698",
    title=Text(
        "DL/T 698.45 object-oriented data exchange for electricity metering",
        "DL/T 698.45 面向对象的用电信息数据交换协议",
    ),
    aliases=("dlt698-45", "698", "698.45"),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=_begins,
    stream_json=stream_json,
)
