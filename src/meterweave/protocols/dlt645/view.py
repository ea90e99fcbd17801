"""A message as JSON and back.

``data`` is DATA after the 33H are taken off and always there; from JSON it wins over the named parts. Every part of
DATA stands under its name; times and other parts whose octets their text does not determine stand again under
``<name>_raw``, which wins over the text. A data item stands under ``values``, octets behind its last value under
``rest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from meterweave.errors import EncodeError
from meterweave.protocols.codec import Json
from meterweave.protocols.dlt645 import items, load_record
from meterweave.protocols.dlt645.address import normal
from meterweave.protocols.dlt645.formats import REPORT_MARK, Data, Format, Moment
from meterweave.protocols.dlt645.frame import WAKE_UP_MAX, Frame
from meterweave.protocols.dlt645.functions import Edition, Layout, Part, edition, edition_of, function, layouts
from meterweave.protocols.dlt645.items import Element, Value
from meterweave.protocols.dlt645.message import Contents, contents, parts

RAW = "raw"
"""The name of the value of an item that is in no table."""


def to_json(frame: Frame) -> Json:
    """`frame` as a JSON-ready object."""
    found: Json = {
        "protocol": edition(frame),
        "address": frame.address,
        "control": f"0x{frame.control:02X}",
        "function": function(frame.control, edition(frame)).name,
        "direction": "response" if frame.is_reply else "request",
    }
    if frame.is_reply:
        found |= {"error": frame.is_error, "follow": frame.follows}
    found["data"] = frame.data.hex()
    for part, octets in parts(frame):
        found |= _part_json(part, octets)
    if (item := contents(frame)) is not None:
        found |= _contents_json(item, frame)
    if frame.wake_up:
        found["wake_up"] = frame.wake_up
    return found


def _part_json(part: Part, octets: bytes) -> Json:
    if isinstance(part.format, Data):
        return {part.name: octets.hex()} if part.format.shown else {}
    value = part.format.read(octets)
    found: Json = {part.name: value}
    if part.names and octets[0] in part.names:
        found[f"{part.name}_name"] = part.names[octets[0]][0]
    if isinstance(part.format, Moment) or not _determines(part.format, value, octets):
        found[f"{part.name}_raw"] = octets.hex()
    return found


def _determines(format_: Format, value: object, octets: bytes) -> bool:
    """Whether `octets` can be had back from `value`."""
    return value is not None and format_.write(value) == octets


def _contents_json(item: Contents, frame: Frame) -> Json:
    if item.known:
        values = [value_json(value.element, value.octets) for value in item.values if value.element.name]
        return {"values": values} | ({"rest": item.rest.hex()} if item.rest else {})
    if not frame.is_reply:
        return {}
    return {"values": [{"name": RAW, "value": item.rest.hex(), "unit": "hex"}] if item.rest else []}


def value_json(element: Element, octets: bytes) -> Json:
    """One value: ``name``, ``value``, ``unit``, ``missing`` where there is none, ``raw`` where that is not enough."""
    value = Value(element, octets).read()
    found: Json = {"name": element.name, "value": value, "unit": element.unit}
    if value is None:
        found["missing"] = True
        if octets.strip(b"\xff") or not element.format.size:
            found["raw"] = octets.hex()
        return found
    if not _determines(element.format, value, octets):
        found["raw"] = octets.hex()
    return found | element.format.more(octets)


def from_json(message: Mapping[str, Any]) -> Frame:
    """`to_json` undone.

    Raises
    ------
    EncodeError
        If a field is absent or cannot be put into octets; the text names it.
    """
    address = normal(_text(message, "address"))
    control = _control(_text(message, "control"))
    wake_up = message.get("wake_up", 0)
    if not isinstance(wake_up, int) or isinstance(wake_up, bool) or not 0 <= wake_up <= WAKE_UP_MAX:
        raise EncodeError(f"wake_up {wake_up!r} is no number of octets up to {WAKE_UP_MAX}")
    frame = Frame(address, control, b"", wake_up)
    if message.get("data") is not None:
        return frame._replace(data=_hex(message["data"], "data"))
    return frame._replace(data=_data(message, frame))


def _text(message: Mapping[str, Any], name: str) -> str:
    if name not in message:
        raise EncodeError(f"{name} is missing")
    value = message[name]
    if not isinstance(value, str):
        raise EncodeError(f"{name} {value!r} is no text")
    return value


def _control(text: str) -> int:
    octets = _hex(text.removeprefix("0x"), "control")
    if len(octets) != 1:
        raise EncodeError(f"control {text!r} is no octet like '0x11'")
    return octets[0]


def _hex(text: object, name: str) -> bytes:
    try:
        return bytes.fromhex(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise EncodeError(f"{name} {text!r} is no row of hexadecimal octets") from None


def _data(message: Mapping[str, Any], frame: Frame) -> bytes:
    """DATA from its named parts, by the layout whose parts are the ones that are named."""
    spoken = message.get("protocol", edition_of(frame.control))
    if spoken not in get_args(Edition):
        raise EncodeError(f"protocol {spoken!r} is none of {', '.join(get_args(Edition))}")
    choices = layouts(frame.control, spoken)
    given = {part.name for layout in choices for part in layout if _is_given(message, part)}
    for layout in choices:
        if {part.name for part in layout} == given:
            return _join(message, layout, frame)
    raise EncodeError(f"data: neither given nor to be had from {', '.join(sorted(given)) or 'nothing'}")


def _is_given(message: Mapping[str, Any], part: Part) -> bool:
    names = [part.name, f"{part.name}_raw", *(["values"] if isinstance(part.format, Data) else [])]
    return any(message.get(name) is not None for name in names)


def _join(message: Mapping[str, Any], layout: Layout, frame: Frame) -> bytes:
    data = b""
    for part in layout:
        if isinstance(part.format, Data) and message.get(part.name if part.format.shown else "") is None:
            di = part.format.di or str(message.get("di")).lower()
            data += _contents_octets(message, di, "reply" if frame.is_reply else "request")
        else:
            data += _part_octets(message, part)
    return data


def _part_octets(message: Mapping[str, Any], part: Part) -> bytes:
    raw = message.get(f"{part.name}_raw")
    if raw is not None:
        octets = _hex(raw, f"{part.name}_raw")
    else:
        try:
            octets = part.format.write(message.get(part.name))
        except ValueError as error:
            raise EncodeError(f"{part.name}: {error}") from None
    if part.format.size and len(octets) != part.format.size:
        raise EncodeError(f"{part.name}: {len(octets)} octets, wanted {part.format.size}")
    return octets


def _contents_octets(message: Mapping[str, Any], di: str, way: items.Way) -> bytes:
    values = message.get("values")
    if not isinstance(values, Sequence) or not all(isinstance(value, Mapping) for value in values):
        raise EncodeError(f"values {values!r} are no list of objects")
    rest = _hex(message.get("rest", ""), "rest")
    if [value.get("name") for value in values] == [RAW]:
        return _hex(values[0].get("value"), f"value {RAW}") + rest
    return item_octets(di, values, way) + rest


def item_octets(di: str, values: Sequence[Mapping[str, Any]], way: items.Way = "reply") -> bytes:
    """The octets of a data item from its first values, each with ``name`` and ``value`` or ``raw``.

    Raises
    ------
    EncodeError
        If the item is unknown, a name is not the item's at that place, or a value does not fit.
    """
    if load_record.asked_class(di) is not None:
        return _load_record_octets(values)
    item = items.find(di, way)
    elements = item.elements if item else ()
    if len(values) > len(elements):
        raise EncodeError(f"values: {len(values)} given, item {di} has {len(elements)}")
    return b"".join(value_octets(one, value) for one, value in zip(elements, values, strict=False))


def _load_record_octets(values: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        named = [(str(value.get("name")), load_record.element(str(value.get("name")))) for value in values]
        octets = [
            value_octets(replace(one, name=name), value) for (name, one), value in zip(named, values, strict=True)
        ]
        return load_record.join([(name, one) for (name, _), one in zip(named, octets, strict=True)])
    except ValueError as error:
        raise EncodeError(f"values: {error}") from None


def value_octets(element: Element, value: Mapping[str, Any]) -> bytes:
    """The octets of one value: ``raw`` where given, FFH where ``value`` is null, else what ``value`` says."""
    if value.get("name") != element.name:
        raise EncodeError(f"value {value.get('name')!r} stands where {element.name!r} is wanted")
    if value.get("raw") is not None:
        octets = _hex(value["raw"], f"raw of {element.name}")
    elif value.get("value") is None:
        octets = b"\xff" * element.format.size
    else:
        try:
            octets = element.format.write(value["value"]) + _counts(value)
        except (TypeError, ValueError) as error:
            raise EncodeError(f"{element.name}: {error}") from None
    if element.format.size and len(octets) != element.format.size:
        raise EncodeError(f"{element.name}: {len(octets)} octets, wanted {element.format.size}")
    return octets


def _counts(value: Mapping[str, Any]) -> bytes:
    """The counts behind the bits of an active-report status, in the marks newer meters put around them."""
    counts = value.get("counts")
    return b"" if counts is None else REPORT_MARK + bytes(list(counts)) + REPORT_MARK
