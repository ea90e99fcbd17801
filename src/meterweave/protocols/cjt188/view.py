"""A frame as a JSON object, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.cjt188.content import ORDERS, Content, Order, content, find_layout, split, write_data
from meterweave.protocols.cjt188.formats import Valve
from meterweave.protocols.cjt188.frame import ANSWER, ERROR, FUNCTIONS, Frame, encode
from meterweave.protocols.cjt188.items import Layout, identifiers, layout
from meterweave.protocols.cjt188.meter import meter_kind

Json = dict[str, Any]

PROTOCOL = "cjt188"
UNKNOWN_FUNCTION = "unknown"


def to_json(frame: Frame) -> Json:
    """Every field of `frame`, with the values the table knows.

    ``payload`` are the octets behind SER; ``payload_trailing`` those of them behind the last known item.
    """
    found: Json = {
        "protocol": PROTOCOL,
        "meter_type": f"0x{frame.meter_type:02X}",
        "meter_kind": meter_kind(frame.meter_type).name,
        "address": frame.address,
        "control": f"0x{frame.control:02X}",
        "function": FUNCTIONS[frame.function][0] if frame.function in FUNCTIONS else UNKNOWN_FUNCTION,
        "direction": "response" if frame.answer else "request",
    }
    if frame.answer:
        found["error"] = frame.error
    if frame.wake_up:
        found["wake_up"] = frame.wake_up
    found["data"] = frame.data.hex()
    parts = content(frame)
    known = find_layout(frame, parts)
    found |= _parts_json(parts)
    return found | _known_json(parts.payload, known) if known else found


def _parts_json(parts: Content) -> Json:
    found: Json = {}
    if parts.di is not None:
        found |= {"di": f"{parts.di:04x}", "di_order": parts.di_order}
    if parts.ser is not None:
        found["ser"] = parts.ser
    if parts.payload:
        found["payload"] = parts.payload.hex()
    return found


def _known_json(payload: bytes, known: Layout) -> Json:
    found: Json = {"layout": known.name}
    values = split(payload, known)
    if isinstance(values[0].item.format, Valve):
        found |= {values[0].item.name: values[0].item.format.to_json(values[0].octets)["value"]}
    else:
        found["values"] = [{"name": value.item.name} | value.item.format.to_json(value.octets) for value in values]
    rest = payload[known.size :]
    return found | {"payload_trailing": rest.hex()} if rest else found


def from_json(found: Mapping[str, Any]) -> Frame:
    """`to_json` undone.

    ``control`` may be given by ``function``, ``direction`` and ``error``. The octets come from the first that is given
    of ``data``; ``di``, ``di_order``, ``ser`` and ``payload``; the same with ``values`` or ``valve_command`` and
    ``payload_trailing``. Where more than one layout has those values, the first of ``identifiers.csv`` is taken unless
    ``layout`` names another.

    Raises
    ------
    EncodeError
        If a field is missing or impossible; the sentence names it.
    """
    frame = Frame(
        meter_type=_hex(found, "meter_type"),
        address=_text(found, "address").lower().zfill(14),
        control=_control(found),
        data=_octets(found, "data") if "data" in found else b"",
        wake_up=_number(found, "wake_up") if "wake_up" in found else 0,
    )
    if "data" not in found:
        frame = Frame(frame.meter_type, frame.address, frame.control, _data(found, frame), frame.wake_up)
    encode(frame)  # to refuse here what no frame can carry
    return frame


def _control(found: Mapping[str, Any]) -> int:
    if "control" in found:
        return _hex(found, "control")
    name = _text(found, "function")
    for function, (known, _) in FUNCTIONS.items():
        if known == name:
            if _text(found, "direction") == "request":
                return function
            return function | ANSWER | (ERROR if found.get("error") else 0)
    raise EncodeError(f"function {name!r} is none of {', '.join(known for known, _ in FUNCTIONS.values())}")


def _data(found: Mapping[str, Any], frame: Frame) -> bytes:
    """The data field from its named parts."""
    if "di" not in found and "ser" not in found:
        return _payload(found, frame, None)
    di = _hex(found, "di") if "di" in found else None
    ser = _number(found, "ser") if "ser" in found else 0
    data = write_data(0 if di is None else di, _order(found), ser, _payload(found, frame, di))
    if di is None:
        return data[2:]
    return data if "ser" in found else data[:2]


def _order(found: Mapping[str, Any]) -> Order:
    order = found.get("di_order", "low_first")
    if order not in ORDERS:
        raise EncodeError(f"di_order is {order!r}, not {' or '.join(ORDERS)}")
    return ORDERS[ORDERS.index(order)]


def _payload(found: Mapping[str, Any], frame: Frame, di: int | None) -> bytes:
    if "payload" in found:
        return _octets(found, "payload")
    rows: Sequence[Any] = found.get("values", ())
    if "valve_command" in found:
        rows = ({"name": "valve_command", "value": found["valve_command"]},)
    if not isinstance(rows, Sequence) or not all(isinstance(row, Mapping) for row in rows):
        raise EncodeError("values are not a list of objects")
    if not rows:
        return b""
    names = [row.get("name") for row in rows]
    fitting = [one for one in _layouts(frame, di) if [item.name for item in one.items] == names]
    known = next((one for one in fitting if one.name == found.get("layout", one.name)), None)
    if known is None:
        raise EncodeError(f"values {names} are not what {'an error answer' if di is None else f'{di:04X}'} carries")
    octets = b"".join(_write(item, row) for item, row in zip(known.items, rows, strict=True))
    return octets + (_octets(found, "payload_trailing") if "payload_trailing" in found else b"")


def _layouts(frame: Frame, di: int | None) -> list[Layout]:
    """What a frame with this header and identifier can carry."""
    if frame.error:
        return [layout("status"), layout("error_status")]
    identifier = identifiers().get(-1 if di is None else di)
    rules = identifier.rules if identifier else ()
    return [rule.layout for rule in rules if rule.fits(frame.meter_type, frame.answer, rule.layout.size)]


def _write(item: Any, row: Mapping[str, Any]) -> bytes:
    try:
        octets: bytes = item.format.from_json(row)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EncodeError(f"value of {item.name} cannot be written: {error}") from None
    return octets


def _needed(found: Mapping[str, Any], key: str) -> object:
    if key not in found:
        raise EncodeError(f"{key} is missing")
    return found[key]


def _text(found: Mapping[str, Any], key: str) -> str:
    value = _needed(found, key)
    if not isinstance(value, str):
        raise EncodeError(f"{key} is {value!r}, not a text")
    return value


def _hex(found: Mapping[str, Any], key: str) -> int:
    text = _text(found, key)
    try:
        return int(text, 16)
    except ValueError:
        raise EncodeError(f"{key} is {text!r}, not a hexadecimal number") from None


def _octets(found: Mapping[str, Any], key: str) -> bytes:
    text = _text(found, key)
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise EncodeError(f"{key} is {text!r}, not octets in hexadecimal") from None


def _number(found: Mapping[str, Any], key: str) -> int:
    value = _needed(found, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise EncodeError(f"{key} is {value!r}, not a whole number")
    return value
