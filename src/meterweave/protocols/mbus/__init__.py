"""Wired M-Bus, EN 13757-2 (link) and EN 13757-3 (application): water, heat, gas and electricity meters on two wires.

Octets become messages and back with `decode` and `encode`; `to_json` and `explain` show them; `decode_batch` makes
readings of many telegrams. Beside: `Link`, `Readout` and `Search` decide what a master says next, `build_record` and
`build_answer` make what a slave says.
"""

from meterweave.protocols.codec import Codec
from meterweave.protocols.mbus.batch import decode_batch
from meterweave.protocols.mbus.build import build_answer, build_record
from meterweave.protocols.mbus.explain import explain
from meterweave.protocols.mbus.fixed import FixedData
from meterweave.protocols.mbus.frame import FrameDecoder
from meterweave.protocols.mbus.header import ANYBODY, Header, SecondaryAddress, ShortHeader, manufacturer_code
from meterweave.protocols.mbus.master import Link, Readout
from meterweave.protocols.mbus.message import (
    Acknowledge,
    Long,
    Message,
    Plain,
    Selection,
    Short,
    VariableData,
    decode,
    encode,
)
from meterweave.protocols.mbus.record import Record, Records, make_record
from meterweave.protocols.mbus.search import Search
from meterweave.protocols.mbus.view import from_json, to_json
from meterweave.text import Text

__all__ = [
    "ANYBODY",
    "CODEC",
    "Acknowledge",
    "FixedData",
    "FrameDecoder",
    "Header",
    "Link",
    "Long",
    "Message",
    "Plain",
    "Readout",
    "Record",
    "Records",
    "Search",
    "SecondaryAddress",
    "Selection",
    "Short",
    "ShortHeader",
    "VariableData",
    "build_answer",
    "build_record",
    "decode",
    "decode_batch",
    "encode",
    "explain",
    "from_json",
    "make_record",
    "to_json",
]


def _meter_text(key: int) -> str:
    """Manufacturer and identification; a telegram without them names a primary address."""
    return str(key) if key <= 0xFF else f"{manufacturer_code(key >> 48)} {key & 0xFFFF_FFFF:08x}"


CODEC = Codec(
    name="mbus",
    title=Text("Wired M-Bus, EN 13757", "有线M-Bus（EN 13757）"),
    aliases=("m-bus", "mbus-en13757"),
    decoder=FrameDecoder,
    decode=decode,
    encode=encode,
    to_json=to_json,
    from_json=from_json,
    explain=explain,
    decode_batch=decode_batch,
    begins=lambda octets: True,
    meter_text=_meter_text,
)
