"""Q/GDW 1376.1-2013: the command centre and its terminals (interface N1); the 130-2005 family on the same link.

`decode` and `encode` turn frames into messages and back, `build_unit` makes data units from named values, `unit_values`
reads them; `service` has the few messages every exchange needs. Data layouts are tables: `layouts.csv`, `items.csv`.
"""

from __future__ import annotations

from meterweave.protocols.codec import Codec
from meterweave.protocols.gdw1376.part1.batch import decode_batch
from meterweave.protocols.gdw1376.part1.explain import explain
from meterweave.protocols.gdw1376.part1.frame import FrameDecoder, begins
from meterweave.protocols.gdw1376.part1.message import Message, Unit, decode, encode
from meterweave.protocols.gdw1376.part1.readings import readings
from meterweave.protocols.gdw1376.part1.values import build_unit, unit_numbers, unit_values
from meterweave.protocols.gdw1376.part1.view import NAME, from_json, to_json
from meterweave.text import Text

__all__ = [
    "CODEC",
    "FrameDecoder",
    "Message",
    "Unit",
    "build_unit",
    "decode",
    "decode_batch",
    "encode",
    "explain",
    "from_json",
    "readings",
    "to_json",
    "unit_numbers",
    "unit_values",
]


def _meter_text(key: int) -> str:
    """Region, terminal and measuring point."""
    return f"{key >> 32:04X}-{key >> 16 & 0xFFFF} p{key & 0xFFFF}"


CODEC = Codec(
    name=NAME,
    title=Text("Q/GDW 1376.1-2013, master station to terminal", "Q/GDW 1376.1-2013 主站与采集终端通信协议"),
    aliases=("gdw1376.1", "gdw1376_1", "1376.1", "376.1"),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=begins,
    meter_text=_meter_text,
)
