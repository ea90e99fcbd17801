"""Messages as JSON-ready objects, and back.

Keys: ``direction``, ``prm``, ``comm_mode`` of the control octet; ``info`` the field R by name; ``address``; ``afn``,
``fn`` (null with ``dt`` beside it where DT1 has no bit or several); ``data`` the data unit's octets; ``payload`` the
data unit by name where its layout is known, with ``error`` where it ends too early; ``payload_trailing`` octets
behind the layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.gdw1376.part2 import layout
from meterweave.protocols.gdw1376.part2.frame import LENGTH_MIN
from meterweave.protocols.gdw1376.part2.header import ADDRESS_SIZE, Address, control_octet, info_layout, info_octets
from meterweave.protocols.gdw1376.part2.layout import sized_octets, wanted, wanted_int, wanted_list, wanted_octets
from meterweave.protocols.gdw1376.part2.message import FN_MAX, Message, data_of, dt_to_fn, encode, fn_to_dt
from meterweave.protocols.gdw1376.part2.scalars import word_octets

NAME = "gdw1376-2"

_DIRECTIONS = ("downlink", "uplink")


def to_json(message: Message) -> Json:
    """A message as a JSON-ready object."""
    found: Json = {
        "protocol": NAME,
        "length": _length(message),
        "direction": _DIRECTIONS[message.uplink],
        "prm": int(message.prm),
        "comm_mode": message.comm_mode,
        "info": layout.read(info_layout(uplink=message.uplink), message.info).values,
    }
    if message.address is not None:
        found["address"] = _address_json(message.address, message.uplink)
    found |= {"afn": f"0x{message.afn:02X}", "fn": message.fn}
    if message.fn is None:
        found["dt"] = message.dt.hex()
    found["data"] = message.data.hex()
    payload = message.payload
    if payload is not None:
        found["payload"] = payload.values
        if payload.trailing:
            found["payload_trailing"] = payload.trailing.hex()
    return found


def _length(message: Message) -> int:
    nodes = 2 + len(message.address.relays) if message.address else 0
    return LENGTH_MIN + ADDRESS_SIZE * nodes + len(message.data)


def _address_json(address: Address, uplink: bool) -> Json:
    found: Json = {"source": address.source}
    if not uplink:
        found["relays"] = list(address.relays)
    return found | {"destination": address.destination}


def from_json(json: Mapping[str, Any]) -> Message:
    """`to_json` undone; without ``data`` the data unit is built from ``payload``.

    Needed are ``direction``, ``afn`` and ``fn`` (or ``dt``); ``prm`` is 1 down and 0 up unless given, ``comm_mode`` 3
    (HPLC), every field of ``info`` 0 but for what ``address`` says.

    Raises
    ------
    EncodeError
        If something is missing, impossible or contradictory; the sentence names it.
    """
    if json.get("protocol", NAME) != NAME:
        raise EncodeError(f"protocol is {json['protocol']!r}, wanted {NAME!r}")
    direction = wanted(json, "direction", "message")
    if direction not in _DIRECTIONS:
        raise EncodeError(f"direction is {direction!r}, wanted {' or '.join(_DIRECTIONS)}")
    uplink = direction == "uplink"
    address = _address(json["address"]) if "address" in json else None
    afn = word_octets(wanted(json, "afn", "message"), 1, "afn")[0]
    dt = _dt(json)
    message = Message(
        control=control_octet(json, uplink=uplink),
        info=info_octets(json.get("info", {}), address, uplink=uplink),
        address=address,
        afn=afn,
        dt=dt,
        data=_data(json, afn, dt, uplink),
    )
    encode(message)  # what contradicts itself is told here, where the names are still at hand
    return message


def _address(value: object) -> Address:
    if not isinstance(value, Mapping):
        raise EncodeError(f"address is {value!r}, wanted an object")
    return Address(
        wanted(value, "source", "address"),
        wanted(value, "destination", "address"),
        tuple(wanted_list(value.get("relays", []), "address.relays")),
    )


def _dt(json: Mapping[str, Any]) -> bytes:
    fn = json.get("fn")
    if fn is not None:
        return fn_to_dt(wanted_int(fn, FN_MAX, "fn"))
    return sized_octets(wanted(json, "dt" if "fn" in json else "fn", "message"), 2, "dt")


def _data(json: Mapping[str, Any], afn: int, dt: bytes, uplink: bool) -> bytes:
    if "data" in json:
        return wanted_octets(json["data"], "data")
    trailing = wanted_octets(json.get("payload_trailing", ""), "payload_trailing")
    return data_of(afn, dt_to_fn(dt), json.get("payload", {}), uplink=uplink) + trailing
