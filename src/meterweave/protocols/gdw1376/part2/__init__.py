"""Q/GDW 1376.2-2013 and Q/GDW 10376.2-2019: a concentrator and its local module (power line, HPLC, radio).

    >>> from meterweave.protocols.gdw1376 import part2
    >>> part2.encode(part2.downlink(0x10, 1)).hex()
    '680f00430000000000001001005416'

`decode` and `encode` turn frames into `Message` and back; `downlink`, `uplink`, `answer`, `confirm` and `deny` build
messages from names.
"""

from __future__ import annotations

from meterweave.protocols.codec import Codec
from meterweave.protocols.gdw1376.part2.batch import decode_batch
from meterweave.protocols.gdw1376.part2.explain import explain
from meterweave.protocols.gdw1376.part2.frame import FrameDecoder, begins
from meterweave.protocols.gdw1376.part2.header import BROADCAST, Address
from meterweave.protocols.gdw1376.part2.message import Message, decode, encode
from meterweave.protocols.gdw1376.part2.service import answer, confirm, deny, downlink, uplink
from meterweave.protocols.gdw1376.part2.view import NAME, from_json, to_json
from meterweave.text import Text

__all__ = [
    "BROADCAST",
    "CODEC",
    "Address",
    "FrameDecoder",
    "Message",
    "answer",
    "confirm",
    "decode",
    "decode_batch",
    "deny",
    "downlink",
    "encode",
    "explain",
    "from_json",
    "to_json",
    "uplink",
]

CODEC = Codec(
    name=NAME,
    title=Text("Q/GDW 1376.2 (concentrator and local module)", "Q/GDW 1376.2 集中器本地通信模块接口协议"),
    aliases=("gdw1376.2", "gdw1376_2", "1376.2", "376.2"),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=begins,
)
