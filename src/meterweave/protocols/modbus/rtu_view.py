"""An RTU frame as a JSON object, and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.modbus.content import meaning, span
from meterweave.protocols.modbus.json_fields import (
    bits_of,
    hex_of,
    number_of,
    octets_of,
    registers_of,
    rows_of,
    text_of,
)
from meterweave.protocols.modbus.pdu import EXCEPTION_WORDS, build, fields
from meterweave.protocols.modbus.registers import Block, Item, Value, blocks, find_block, join
from meterweave.protocols.modbus.rtu import EXCEPTION, Frame, Kind

Json = dict[str, Any]

PROTOCOL = "modbus-rtu"
KINDS: tuple[Kind, ...] = ("request", "response", "exception", "unknown")


def to_json(frame: Frame, *, request: Frame | None = None, model: str | None = None) -> Json:
    """Every field of `frame`, with the values of its registers as far as they are known; see `content.span`."""
    kind = frame.kind
    found: Json = {
        "protocol": PROTOCOL,
        "kind": kind,
        "unit": frame.unit,
        "function": frame.function & ~EXCEPTION if kind == "exception" else frame.function,
        "data": frame.data.hex(),
    }
    found |= _fields_json(fields(frame))
    if words := meaning(frame):
        found["meaning"] = words.en
    if known := span(frame, request=request, model=model):
        found |= {"block": known.block.name, "block_guessed": known.guessed}
        found["values"] = [value_json(value) for value in known.values]
    return found


def _fields_json(known: Mapping[str, Any]) -> Json:
    found: Json = {}
    for name, value in known.items():
        match name:
            case "address":
                found[name] = f"0x{value:04X}"
            case "registers":
                found[name] = [f"0x{register:04X}" for register in value]
            case "exception_code":
                words = EXCEPTION_WORDS.get(value)
                found |= {name: value, "exception": words.en if words else "unknown"}
            case _:
                found[name] = value
    return found


def value_json(value: Value) -> Json:
    """A value with its name; of a register of flags also every flag."""
    found = {"name": value.item.name} | value.item.word.to_json(value.octets)
    flags = int.from_bytes(value.octets, "big")
    bits = {bit.name: bool(flags >> bit.bit & 1) for bit in value.item.bits}
    return found | {"bits": bits} if bits else found


def from_json(found: Mapping[str, Any]) -> Frame:
    """`to_json` undone.

    The octets come from the first that is given of ``data``, the fields, and for ``registers`` the ``values`` of a
    ``block``.

    Raises
    ------
    EncodeError
        If a field is missing or impossible; the sentence names it.
    """
    unit, function = number_of(found, "unit"), number_of(found, "function")
    kind = next((one for one in KINDS if one == text_of(found, "kind")), None)
    if kind is None:
        raise EncodeError(f"kind is {found['kind']!r}, none of {', '.join(KINDS)}")
    if "data" in found:
        return Frame(unit, function | EXCEPTION if kind == "exception" else function, octets_of(found, "data"))
    return build(unit, kind, function, _fields(found))


_READERS = {
    "address": hex_of,
    "count": number_of,
    "exception_code": number_of,
    "registers": registers_of,
    "bits": bits_of,
}


def _fields(found: Mapping[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {name: read(found, name) for name, read in _READERS.items() if name in found}
    if "registers" not in known and "values" in found:
        octets = _block_octets(found, known)
        known["registers"] = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]
    return known


def _block_octets(found: Mapping[str, Any], known: Mapping[str, Any]) -> bytes:
    """The octets of a whole block, from its values."""
    rows = {text_of(row, "name"): row for row in rows_of(found, "values")}
    block = _block(found, known)
    items = {item.name: item for item in block.items}
    if strange := [name for name in rows if name not in items]:
        raise EncodeError(f"values {strange} are not in block {block.name}")
    return join([(items[name], _octets(items[name], row)) for name, row in rows.items()], block)


def _block(found: Mapping[str, Any], known: Mapping[str, Any]) -> Block:
    block = None
    if "block" in found:
        block = blocks().get(text_of(found, "block"))
    elif "address" in known and "count" in known:
        block = find_block(known["address"], known["count"])
    if block is None:
        raise EncodeError("values need a block that is known, by its name or by address and count")
    return block


def _octets(item: Item, row: Mapping[str, Any]) -> bytes:
    try:
        octets = item.word.from_json(row)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, struct.error) as error:
        raise EncodeError(f"value of {item.name} cannot be written: {error}") from None
    if len(octets) != item.word.size:
        raise EncodeError(f"value of {item.name} has {len(octets)} octets, not {item.word.size}")
    return octets
