"""A frame field by field, for people, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass

from meterweave.errors import KINDS, DecodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part2 import layout
from meterweave.protocols.gdw1376.part2.frame import LENGTH_MAX, LENGTH_MIN, START, length_of
from meterweave.protocols.gdw1376.part2.functions import AFN, function, layout_of
from meterweave.protocols.gdw1376.part2.header import CONTROL, UPLINK, address_layout, info_layout
from meterweave.protocols.gdw1376.part2.layout import Part, Reader
from meterweave.protocols.gdw1376.part2.message import decode, dt_to_fn
from meterweave.protocols.gdw1376.part2.scalars import Code
from meterweave.text import Text

_START = Text("start", "起始字符")
_LENGTH = Text("length of the frame", "帧长度")
_REST = Text("octets that cannot be told apart", "无法划分的字节")
_DATA_UNIT = Text("data unit", "数据单元")
_CHECKSUM = Text("checksum", "校验和")
_END = Text("end", "结束字符")
_BEHIND = Text("octets behind the frame", "帧后多余字节")
_FAULTY = {"bad_checksum": _CHECKSUM, "bad_end": _END}


@dataclass(frozen=True, slots=True)
class _Function(Part):
    """DT1 and DT2, with the name that the AFN in front gives them."""

    def explain(self, reader: Reader, values: Json) -> list[Field]:
        octets = reader.take(2)
        values["fn"] = fn = dt_to_fn(octets)
        found = function(int(values["afn"], 16), fn)
        shown = octets.hex(" ").upper() if fn is None else f"F{fn}"
        return [Field(self.text, octets, shown, meaning=found.name if found else None)]


_WHAT: tuple[Part, ...] = (
    Code("afn", "application function (AFN)", "应用功能码", words=AFN),
    _Function("fn", "Fn", "数据单元标识"),
)


def explain(octets: bytes) -> list[Field]:
    """The fields of a frame; joined, their octets are `octets`. The fault of a bad frame is marked where it lies."""
    fault = _fault(octets)
    fields = _fields(octets)
    if fault is None or not fields:
        return fields
    text = KINDS[fault.kind]
    wanted = _FAULTY.get(fault.kind)
    where = next((at for at, field in enumerate(fields) if field.fault or field.name == wanted), len(fields) - 1)
    return [field.with_fault(text) if index == where else field for index, field in enumerate(fields)]


def _fault(octets: bytes) -> DecodeError | None:
    try:
        decode(octets)
    except DecodeError as error:
        return error
    return None


def _fields(octets: bytes) -> list[Field]:
    """As many fields as can be told; where something is wrong, it is with the last, or with the checksum or the end."""
    if octets[:1] != bytes([START]) or len(octets) < 3:
        return [Field(_START, octets, octets.hex(" ").upper())] if octets else []
    length = length_of(octets)
    fields = [Field(_START, octets[:1], "68H"), Field(_LENGTH, octets[1:3], str(length), "octets")]
    if not LENGTH_MIN <= length <= LENGTH_MAX:
        rest = [Field(_REST, octets[3:])] if len(octets) > 3 else []
        return [fields[0], fields[1].with_fault(KINDS["bad_length"]), *rest]
    fields += _body(octets[3 : length - 2])
    around = ((_CHECKSUM, octets[length - 2 : length - 1]), (_END, octets[length - 1 : length]))
    fields += [Field(name, part, f"{part[0]:02X}H") for name, part in around if part]
    behind = octets[length:]
    return fields + ([Field(_BEHIND, behind, behind.hex(" ").upper())] if behind else [])


def _body(body: bytes) -> list[Field]:
    """Control, R, A, AFN, DT and the data unit."""
    reader = Reader(body)
    uplink = bool(body[:1] and body[0] & UPLINK)
    row: tuple[Part, ...] = (CONTROL, *info_layout(uplink=uplink), *address_layout(body[:1], body[1:2]), *_WHAT)
    values: Json = {}
    fields = layout.explain_row(row, reader, values)
    if reader.left:
        data = reader.rest()
        known = layout_of(int(values["afn"], 16), values["fn"], uplink=uplink)
        parts = () if known is None else tuple(layout.explain(known, data))
        fields.append(Field(_DATA_UNIT, data, data.hex(" ").upper(), parts=parts))
    return fields
