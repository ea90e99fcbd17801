"""Messages as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.dlt698 import frame as link_layer
from meterweave.protocols.dlt698.frame import (
    END,
    EXTENDED,
    LENGTH_MAX,
    LINK_MANAGEMENT,
    START,
    USER_DATA,
    Link,
    decode_frame,
)
from meterweave.protocols.dlt698.given import integer, mapping, member, naming, octets_of
from meterweave.protocols.dlt698.message import FRAGMENT_NUMBER, Fragment, Message, encode
from meterweave.protocols.dlt698.services import apdu_from_json, apdu_json
from meterweave.protocols.dlt698.tables import ADDRESS_TYPES
from meterweave.protocols.dlt698.values import code_of
from meterweave.protocols.stream import Garbage

FRAGMENT_KINDS = ("first", "last", "ack", "middle")


def to_json(message: Message) -> dict[str, Any]:
    """A message as a JSON-ready object."""
    link = message.link
    found: dict[str, Any] = {"kind": "frame" if link else "apdu", "link": None}
    if link:
        octets = encode(message)[message.wake_up :]
        found["link"] = _link_json(link, octets)
        if message.wake_up:
            found["wake_up"] = message.wake_up
        if link.scrambled:
            found["unscrambled_user_data"] = decode_frame(octets).user_data.hex().upper()
    if message.fragment:
        found["fragment"] = _fragment_json(message.fragment)
    return found | {"apdu": apdu_json(message.apdu) if message.apdu else None}


def _link_json(link: Link, octets: bytes) -> dict[str, Any]:
    header = 8 + len(link.sa)
    return {
        "length": len(octets) - 2,
        "frame_bytes": len(octets),
        "control": {
            "raw": link.control,
            "dir": int(link.from_server),
            "prm": int(link.begun_by_client),
            "fragment": link.fragment,
            "scrambled": link.scrambled,
            "function": link.function,
        },
        "address": {
            "raw": octets[4 : header - 2].hex().upper(),
            "af": link.af,
            "type": ADDRESS_TYPES[link.address_type].en,
            "sa_bytes": len(link.sa),
            "logical": link.logical,
            "sa": link.address,
            "ca": link.ca,
        },
        "hcs": octets[header - 2 : header][::-1].hex().upper(),
        "fcs": octets[-3:-1][::-1].hex().upper(),
    }


def _fragment_json(fragment: Fragment) -> dict[str, Any]:
    found = {"seq": fragment.seq, "kind": FRAGMENT_KINDS[fragment.kind], "payload": fragment.payload.hex().upper()}
    reserved = fragment.header >> 12 & 3
    return found | {"reserved": reserved} if reserved else found


def from_json(found: Mapping[str, Any]) -> Message:
    """`to_json` undone.

    Checks, lengths and what else follows from other keys are not asked for. Of an address ``raw`` wins.

    Raises
    ------
    EncodeError
        If a key is missing or wrong; the text names it.
    """
    try:
        return _message(mapping(found))
    except RecursionError:
        raise EncodeError("the data are nested too deep") from None


def _message(table: Mapping[str, Any]) -> Message:
    link = fragment = apdu = None
    with naming("apdu"):
        if table.get("apdu") is not None:
            apdu = apdu_from_json(table["apdu"])
    if table.get("link") is None:
        return Message(None, apdu)
    with naming("fragment"):
        if table.get("fragment") is not None:
            fragment = _fragment(table["fragment"])
    with naming("link"):
        link = _link(table["link"])
    with naming("wake_up"):
        wake_up = integer(table.get("wake_up", 0), 0, LENGTH_MAX)
    return Message(link, apdu, fragment, wake_up)


def _link(found: Any) -> Link:
    controls, addresses = member(found, "control"), member(found, "address")
    with naming("control"):
        control = _control(mapping(controls))
    with naming("address"):
        return Link(control, *_address(mapping(addresses)))


def _control(table: Mapping[str, Any]) -> int:
    if "raw" in table:
        return integer(table["raw"], 0, 0xFF)
    bits = {"dir": link_layer.DIR, "prm": link_layer.PRM}
    flags = {"fragment": link_layer.FRAGMENT, "scrambled": link_layer.SCRAMBLE}
    control = integer(table.get("function", USER_DATA), 0, link_layer.FUNCTION)
    for key, bit in bits.items():
        found = member(table, key)
        with naming(key):
            control |= bit * integer(found, 0, 1)
    for key, bit in flags.items():
        control |= bit if table.get(key) is True else 0
    return control


def _address(table: Mapping[str, Any]) -> tuple[int, bytes, int]:
    """AF, SA and CA."""
    if "raw" in table:
        raw = octets_of(table["raw"])
        if len(raw) < 3:
            raise EncodeError(f"raw: {table['raw']!r} is shorter than AF, SA and CA")
        return raw[0], raw[1:-1], raw[-1]
    digits = str(member(table, "sa"))
    with naming("sa"):
        sa = octets_of("F" * (len(digits) % 2) + digits)[::-1]
    with naming("logical"):
        logical = integer(table.get("logical", 0), 0, 0xFF)
    if logical > 1:
        sa = bytes([logical]) + sa
    kind = code_of(ADDRESS_TYPES, table.get("type", "single"))
    af = kind << 6 | (EXTENDED if logical > 1 else logical << 4) | (len(sa) - 1 & 0x0F)
    with naming("af"):
        af = integer(table.get("af", af), 0, 0xFF)
    with naming("ca"):
        return af, sa, integer(table.get("ca", 0), 0, 0xFF)


def _fragment(found: Any) -> Fragment:
    table = mapping(found)
    with naming("seq"):
        seq = integer(table.get("seq"), 0, FRAGMENT_NUMBER)
    kind = table.get("kind")
    if kind not in FRAGMENT_KINDS:
        raise EncodeError(f"kind: {kind!r} is none of {', '.join(FRAGMENT_KINDS)}")
    with naming("reserved"):
        reserved = integer(table.get("reserved", 0), 0, 3)
    with naming("payload"):
        payload = octets_of(table.get("payload", ""))
    return Fragment(FRAGMENT_KINDS.index(kind) << 14 | reserved << 12 | seq, payload)


def stream_json(events: Sequence[bytes | Garbage]) -> dict[str, Any]:
    """More keys for a stream: the frames, and the errors of what came as a frame but was none.

    Octets that merely hold 68H are no error, and neither is a frame whose end has not come.
    """
    octets = b"".join(event if isinstance(event, bytes) else event.octets for event in events)
    errors: list[str] = []
    at = 0
    for event in events:
        end = at + len(event if isinstance(event, bytes) else event.octets)
        if isinstance(event, Garbage):
            errors += _faults(octets, at, end)
        at = end
    frames = [event.hex().upper() for event in events if isinstance(event, bytes)]
    return {"kind": "stream", "frames": frames, "errors": errors}


def _faults(octets: bytes, at: int, end: int) -> list[str]:
    """The faults of the frames that begin in the garbage from `at` to `end`; inside a frame none is looked for."""
    faults = []
    while (at := octets.find(START, at, end)) >= 0:
        size = int.from_bytes(octets[at + 1 : at + 3], "little") + 2
        fault = _fault(octets[at : at + size]) if _frame_like(octets[at : at + 5]) else ""
        if fault:
            faults.append(fault)
        at += size if fault and octets[at + size - 1 : at + size] == bytes([END]) else 1
    return faults


def _frame_like(header: bytes) -> bool:
    """Whether L and C can be those of a frame; L takes in the frame but for its first and last octet."""
    if len(header) < 5:
        return False
    length, control = header[1] | header[2] << 8, header[3]
    function = control & link_layer.FUNCTION
    return (
        link_layer.OVERHEAD + (header[4] & 0x0F) < length <= LENGTH_MAX
        and not control & link_layer.RESERVED
        and function in (LINK_MANAGEMENT, USER_DATA)
    )


def _fault(octets: bytes) -> str:
    """What is wrong with a frame; nothing where it is not whole."""
    kind = ""
    try:
        decode_frame(octets)
    except DecodeError as error:
        kind = error.kind
    return "" if kind == "truncated" else kind
