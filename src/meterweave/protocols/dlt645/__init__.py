"""DL/T 645-2007 and DL/T 645-1997: the protocol of Chinese electricity meters, for master and meter.

A message is its link frame, `Frame`; `contents` gives the values of the data item in it, `readings` those that measure
something, `commands` builds messages, `follow` puts answers in several frames together.
"""

from __future__ import annotations

from meterweave.protocols.codec import Codec
from meterweave.protocols.dlt645.batch import decode_batch
from meterweave.protocols.dlt645.explain import explain
from meterweave.protocols.dlt645.frame import START, Frame, FrameDecoder, decode, encode
from meterweave.protocols.dlt645.message import contents
from meterweave.protocols.dlt645.readings import readings
from meterweave.protocols.dlt645.view import from_json, to_json
from meterweave.text import Text


def _begins(octets: bytes) -> bool:
    return octets[:1] == bytes([START])


CODEC = Codec(
    name="dlt645",
    title=Text("DL/T 645 multi-function electricity meter protocol", "DL/T 645 多功能电能表通信协议"),
    aliases=("dlt645-2007", "dlt645-1997", "645"),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=_begins,
    wake_up=True,
)

__all__ = [
    "CODEC",
    "Frame",
    "FrameDecoder",
    "contents",
    "decode",
    "decode_batch",
    "encode",
    "explain",
    "from_json",
    "readings",
    "to_json",
]
