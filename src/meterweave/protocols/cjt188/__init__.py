"""CJ/T 188-2004 and -2018: water, gas and heat meters.

>>> from meterweave.protocols import cjt188
>>> asked = cjt188.request(0x01, 0x10, "78330011223344", 0x901F, ser=7)
>>> cjt188.encode(asked).hex()
'68104433221100337801031f90078716'
"""

from meterweave.protocols.cjt188.batch import decode_batch
from meterweave.protocols.cjt188.content import Content, Value, content, reply, request, values
from meterweave.protocols.cjt188.explain import explain
from meterweave.protocols.cjt188.frame import START, Frame, FrameDecoder, decode, encode
from meterweave.protocols.cjt188.readings import readings
from meterweave.protocols.cjt188.view import from_json, to_json
from meterweave.protocols.codec import Codec
from meterweave.text import Text

__all__ = [
    "CODEC",
    "Content",
    "Frame",
    "FrameDecoder",
    "Value",
    "content",
    "decode",
    "decode_batch",
    "encode",
    "explain",
    "from_json",
    "readings",
    "reply",
    "request",
    "to_json",
    "values",
]


def _begins(octets: bytes) -> bool:
    return octets[:1] == bytes([START])


def _meter_text(key: int) -> str:
    return f"{key:014x}"


CODEC = Codec(
    name="cjt188",
    title=Text("CJ/T 188 water, gas and heat meters", "CJ/T 188 户用计量仪表数据传输"),
    aliases=("188",),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=_begins,
    wake_up=True,
    meter_text=_meter_text,
)
