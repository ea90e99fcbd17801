"""Messages as JSON-ready objects, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.gdw1376.part1.control import CONTROL_NAMES, function_of
from meterweave.protocols.gdw1376.part1.formats import Entry
from meterweave.protocols.gdw1376.part1.message import (
    ACD_OR_FCB,
    CON,
    DIR,
    FCV,
    FIN,
    FIR,
    PRM,
    TPV,
    Message,
    Unit,
)
from meterweave.protocols.gdw1376.part1.moments import Moment
from meterweave.protocols.gdw1376.part1.records import designation, pack_designation, raw_designation
from meterweave.protocols.gdw1376.part1.values import build_data, unit_values

NAME = "gdw1376-1"
TAG_TIME = Moment(4, order="smhD", template="{D} {h}:{m}:{s}")
"""The day of the month and the time in a time tag Tp."""


def to_json(message: Message) -> Json:
    """`message` as a JSON-ready object."""
    return {
        "protocol": NAME,
        "protocol_bits": message.protocol,
        "user_data_length": _length(message),
        **_control_json(message.control),
        "region": f"{message.region:04x}",
        "terminal": message.terminal,
        "terminal_hex": f"{message.terminal:04X}",
        "msa": message.master >> 1,
        "group": message.master & 1,
        "afn": f"0x{message.afn:02X}",
        "seq": _seq_json(message.seq),
        "aux": _aux_json(message),
        "units": [_unit_json(message, unit) for unit in message.units],
        **({"rest": message.rest.hex()} if message.rest else {}),
    }


def from_json(found: Mapping[str, Any]) -> Message:
    """The message of such an object.

    Raw octets (``data``, ``da``, ``dt``, ``raw``) win where they are given. Without ``data``, the octets of a unit
    are built from its ``values``, in the order and with the names of its layout.

    Raises
    ------
    EncodeError
        With the field that is missing or cannot be.
    """
    control = _control_from(found)
    afn = _number(found, "afn")
    aux = _mapping(found, "aux")
    message = Message(
        protocol=_number(found, "protocol_bits") if "protocol_bits" in found else 2,
        control=control,
        region=_number(found, "region", base=16),
        terminal=_number(found, "terminal"),
        master=_bits(found, "msa", 7) << 1 | _bits(found, "group", 1),
        afn=afn,
        seq=_seq_from(_mapping(found, "seq")),
        rest=_octets(found, "rest"),
        pw=_octets(aux, "pw"),
        ec=_ec_from(_mapping(aux, "ec")) if "ec" in aux else b"",
        tp=_tp_from(_mapping(aux, "tp")) if "tp" in aux else b"",
    )
    units = found.get("units", [])
    if not isinstance(units, list | tuple):
        raise EncodeError(f"units is {units!r}, wanted a list")
    return message._replace(units=tuple(_unit_from(message, unit) for unit in units))


def _length(message: Message) -> int:
    parts = (message.rest, message.pw, message.ec, message.tp)
    return 8 + sum(4 + len(unit.data) for unit in message.units) + sum(map(len, parts))


def _control_json(control: int) -> Json:
    uplink, bit5, bit4 = control & DIR, int(control & ACD_OR_FCB > 0), int(control & FCV > 0)
    return {
        "direction": "uplink" if uplink else "downlink",
        "prm": int(control & PRM > 0),
        **({"acd": bit5, "reserved": bit4} if uplink else {"fcb": bit5, "fcv": bit4}),
        "function_code": control & 0x0F,
        "function": function_of(control)[0],
    }


def _control_from(found: Mapping[str, Any]) -> int:
    direction = found.get("direction")
    if direction not in ("uplink", "downlink"):
        raise EncodeError(f"direction is {direction!r}, wanted 'uplink' or 'downlink'")
    uplink = direction == "uplink"
    control = (DIR if uplink else 0) | (PRM if _bits(found, "prm", 1) else 0)
    if "function_code" in found:
        control |= _bits(found, "function_code", 4)
    else:
        codes = [
            code
            for (prm, code), (name, _) in CONTROL_NAMES.items()
            if prm == bool(control & PRM) and name == found.get("function")
        ]
        if not codes:
            raise EncodeError(
                f"function is {found.get('function')!r}, which is no function of this direction of exchange"
            )
        control |= codes[0]
    bit5, bit4 = ("acd", "reserved") if uplink else ("fcb", "fcv")
    return control | _bits(found, bit5, 1, default=0) << 5 | _bits(found, bit4, 1, default=0) << 4


def _seq_json(seq: int) -> Json:
    bits = {name: int(seq & mask > 0) for name, mask in (("tpv", TPV), ("fir", FIR), ("fin", FIN), ("con", CON))}
    return {**bits, "number": seq & 0x0F}


def _seq_from(found: Mapping[str, Any]) -> int:
    seq = _bits(found, "number", 4)
    for name, mask in (("tpv", TPV), ("fir", FIR), ("fin", FIN), ("con", CON)):
        seq |= mask if _bits(found, name, 1) else 0
    return seq


def _aux_json(message: Message) -> Json:
    aux: Json = {}
    if message.pw:
        aux["pw"] = message.pw.hex()
    if message.ec:
        aux["ec"] = {"ec1": message.ec[0], "ec2": message.ec[1]}
    if message.tp:
        aux["tp"] = tag_json(message.tp)
    return aux


def tag_json(tp: bytes) -> Json:
    """A time tag Tp: the starting side's frame counter, day of the month, time, and the delay allowed."""
    text = TAG_TIME.text(tp[1:5])
    tag: Json = {"pfc": tp[0], "day_of_month": None, "time": None, "delay_minutes": tp[5]}
    if text is None:
        return tag | {"raw": tp.hex()}
    day, _, time = text.partition(" ")
    return tag | {"day_of_month": int(day), "time": time}


def _tp_from(found: Mapping[str, Any]) -> bytes:
    if "raw" in found:
        return _octets(found, "raw")
    try:
        time = TAG_TIME.pack(f"{_bits(found, 'day_of_month', 7):02d} {found.get('time')}")
    except ValueError as error:
        raise EncodeError(f"aux.tp.time is {found.get('time')!r}, wanted hh:mm:ss of a day of at most 99") from error
    return bytes((_bits(found, "pfc", 8), *time, _bits(found, "delay_minutes", 8)))


def _ec_from(found: Mapping[str, Any]) -> bytes:
    return bytes((_bits(found, "ec1", 8), _bits(found, "ec2", 8)))


def _unit_json(message: Message, unit: Unit) -> Json:
    where = unit.da.to_bytes(2, "little") + unit.dt.to_bytes(2, "little")
    entries, left = unit_values(message, unit)
    return {
        **designation(where),
        **raw_designation(where),
        "data": unit.data.hex(),
        **({"values": entries} if entries else {}),
        **({"undecoded": left.hex()} if left else {}),
    }


def _unit_from(message: Message, found: Any) -> Unit:
    if not isinstance(found, Mapping):
        raise EncodeError(f"units holds {found!r}, wanted objects")
    where = pack_designation(found, "units")
    da, dt = int.from_bytes(where[:2], "little"), int.from_bytes(where[2:], "little")
    if "data" in found:
        return Unit(da, dt, _octets(found, "data"))
    values: list[Entry] = found.get("values", [])
    if not isinstance(values, list | tuple) or not all(isinstance(entry, Mapping) for entry in values):
        raise EncodeError(f"units.values is {values!r}, wanted a list of objects")
    built = build_data(message.afn, message.uplink, da, dt, values)
    return Unit(da, dt, built + _octets(found, "undecoded"))


def _mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = found.get(name, {})
    if not isinstance(value, Mapping):
        raise EncodeError(f"{name} is {value!r}, wanted an object")
    return value


def _number(found: Mapping[str, Any], name: str, *, base: int = 0) -> int:
    """The number of a field, given as an integer or as text; ``base`` 0 lets the text say (``0x0C``)."""
    if name not in found:
        raise EncodeError(f"{name} is missing")
    value = found[name]
    try:
        if type(value) is int and base == 0:
            return value
        if isinstance(value, str):
            return int(value, base)
    except ValueError:
        pass
    raise EncodeError(f"{name} is {value!r}, wanted a number")


def _bits(found: Mapping[str, Any], name: str, width: int, *, default: int | None = None) -> int:
    if default is None and name not in found:
        raise EncodeError(f"{name} is missing")
    value = found.get(name, default)
    if not isinstance(value, int) or not 0 <= value < 1 << width:
        raise EncodeError(f"{name} is {value!r}, wanted 0 to {(1 << width) - 1}")
    return int(value)


def _octets(found: Mapping[str, Any], name: str) -> bytes:
    value = found.get(name, "")
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise EncodeError(f"{name} is {value!r}, wanted octets in hexadecimal") from error
