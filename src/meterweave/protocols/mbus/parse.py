"""JSON-ready objects to messages: `view.to_json` undone. Raw octets win over names where both are given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.bcd import decode_address, encode_bcd
from meterweave.protocols.mbus.build import build_record
from meterweave.protocols.mbus.fields import REQUIRED, Fields
from meterweave.protocols.mbus.fixed import FixedData
from meterweave.protocols.mbus.frame import DATA_MAX
from meterweave.protocols.mbus.head import FUNCTIONS
from meterweave.protocols.mbus.header import (
    ANYBODY,
    Header,
    SecondaryAddress,
    ShortHeader,
    encode_id,
    manufacturer_word,
)
from meterweave.protocols.mbus.message import (
    ALARM,
    APPLICATION_ERROR,
    APPLICATION_RESET,
    Acknowledge,
    Body,
    Long,
    Message,
    Plain,
    Selection,
    Short,
    VariableData,
    body_type,
    decode_body,
    header_type,
)
from meterweave.protocols.mbus.record import LAST, MORE_FOLLOW, Record, Records, make_head
from meterweave.protocols.mbus.value import encode_value

_REAL_DIF = 0x05
_FILLERS_MAX = DATA_MAX
_STORAGE_MAX, _TARIFF_MAX, _SUBUNIT_MAX = (1 << 41) - 1, (1 << 20) - 1, (1 << 10) - 1  # what ten DIFE hold


def from_json(found: Mapping[str, Any]) -> Message:
    """The message that `to_json` shows as `found`.

    Raises
    ------
    EncodeError
        With the field that is missing, of the wrong type or out of its range.
    """
    fields = Fields(found)
    frame = fields.text("frame")
    if frame == "ack":
        return Acknowledge()
    if frame not in ("short", "control", "long"):
        raise EncodeError(f"frame is {frame!r}, wanted ack, short, control or long")
    control, address = fields.number("control", 0xFF), fields.number("address", 0xFF)
    if frame == "short":
        return Short(control, address)
    ci = fields.number("ci", 0xFF)
    return Long(control, address, ci, _body(fields, ci))


def _body(fields: Fields, ci: int) -> Body:
    if fields.has("payload"):
        payload = fields.octets("payload")
        try:
            return decode_body(ci, payload)
        except DecodeError as error:
            raise EncodeError(f"payload {payload.hex()!r} does not fit CI {ci:02X}H: {error}") from error
    kind = body_type(ci)
    if kind is VariableData:
        return VariableData(_any_header(fields, ci), _records(fields), fields.octets("encrypted", ""))
    if kind is FixedData:
        return _fixed(fields.inner("header"), fields.inner("fixed"), fields.octets("rest", ""))
    if kind is Selection:
        return Selection(_selected(fields.inner("secondary_address")), _records(fields))
    return Plain(_plain_octets(fields, ci))


_NAMED_OCTETS = {
    APPLICATION_ERROR: ("application_error", "code"),
    ALARM: ("alarm", "status"),
    APPLICATION_RESET: ("application_reset", "subcode"),
}
"""Where JSON names the one octet behind a CI field."""


def _plain_octets(fields: Fields, ci: int) -> bytes:
    name, key = _NAMED_OCTETS.get(ci, ("", ""))
    if not fields.has(name) or fields.inner(name).raw(key, None) is None:
        return b""
    return bytes([fields.inner(name).number(key, 0xFF)])


def _any_header(fields: Fields, ci: int) -> Header | ShortHeader | None:
    kind = header_type(ci)
    if kind is None:
        return None
    header = fields.inner("header")
    short = ShortHeader(
        header.number("access_number", 0xFF, 0),
        header.number("status", 0xFF, 0),
        int.from_bytes(header.octets("signature", "0000")),
    )
    if kind is ShortHeader:
        return short
    if header.has("manufacturer_word"):
        manufacturer = header.number("manufacturer_word", 0xFFFF)
    else:
        manufacturer = header.placed("manufacturer", manufacturer_word, header.text("manufacturer"))
    version, medium = header.number("version", 0xFF), header.number("medium_code", 0xFF)
    return Header(SecondaryAddress(_identification(header, REQUIRED), manufacturer, version, medium), *short)


def _selected(fields: Fields) -> SecondaryAddress:
    """A selection; what is not given is a wildcard."""
    return SecondaryAddress(
        _identification(fields, ANYBODY.identification),
        fields.number("manufacturer_word", 0xFFFF, ANYBODY.manufacturer),
        fields.number("version", 0xFF, ANYBODY.version),
        fields.number("medium_code", 0xFF, ANYBODY.medium),
    )


def _identification(fields: Fields, default: Any) -> str:
    return decode_address(fields.placed("id", encode_id, fields.text("id", default)))


def _records(fields: Fields) -> Records:
    records = tuple(
        _record(Fields(one, fields.path(f"records[{index}]"))) for index, one in enumerate(fields.list("records"))
    )
    tail = fields.octets("unparsed", "")
    if fields.has("manufacturer_data"):
        dif = MORE_FOLLOW if fields.raw("more_records_follow", False) else LAST
        tail = bytes([dif]) + fields.octets("manufacturer_data")
    return Records(records, fields.number("fillers", _FILLERS_MAX, 0), tail)


def _record(fields: Fields) -> Record:
    fillers = fields.number("fillers", _FILLERS_MAX, 0)
    if fields.has("header"):
        head = fields.placed("header", make_head, fields.octets("header"))
        if fields.has("data"):
            return Record(head, fields.octets("data"), fillers)
        return Record(head, fields.placed("value", encode_value, head, _value(fields)), fillers)
    quantity, value = fields.text("quantity"), _value(fields)
    unit = fields.text("unit") if fields.has("unit") else None
    function = FUNCTIONS[fields.choice("function", FUNCTIONS)]
    storage, tariff = fields.number("storage", _STORAGE_MAX, 0), fields.number("tariff", _TARIFF_MAX, 0)
    subunit, vife = fields.number("subunit", _SUBUNIT_MAX, 0), _vife(fields)
    dif = _REAL_DIF if fields.raw("float32", False) else None

    def build() -> Record:
        return build_record(
            quantity,
            value,
            unit=unit,
            function=function,
            storage=storage,
            tariff=tariff,
            subunit=subunit,
            vife=vife,
            dif=dif,
        )

    return fields.placed("value", build)._replace(fillers=fillers)


def _value(fields: Fields) -> str | None:
    value = fields.raw("value")
    return None if value is None else fields.text("value")


def _vife(fields: Fields) -> bytes:
    vife = "".join(str(one) for one in fields.list("vife"))
    try:
        return bytes.fromhex(vife)
    except ValueError as error:
        raise EncodeError(f"{fields.path('vife')} is {vife!r}, wanted octets in hexadecimal") from error


def _fixed(header: Fields, fixed: Fields, rest: bytes) -> FixedData:
    flags = fixed.choice("counters", ("BCD", "binary")) | fixed.choice("counter_state", ("actual", "stored")) << 1
    status = header.number("status", 0xFF, flags)
    return FixedData(
        identification=_identification(header, REQUIRED),
        access_number=header.number("access_number", 0xFF, 0),
        status=status,
        unit1=fixed.number("unit1_code", 0x3F),
        unit2=fixed.number("unit2_code", 0x3F),
        medium=fixed.number("medium_code", 0x0F),
        counter1=_counter(fixed, "counter1", binary=bool(status & 1)),
        counter2=_counter(fixed, "counter2", binary=bool(status & 1)),
        rest=rest,
    )


def _counter(fixed: Fields, name: str, *, binary: bool) -> bytes:
    if fixed.has(f"{name}_data"):
        return fixed.octets(f"{name}_data")
    text = fixed.text(name)
    try:
        number = int(text)
        return number.to_bytes(4, "little") if binary else encode_bcd(number, 4)
    except (ValueError, OverflowError) as error:
        raise EncodeError(f"{fixed.path(name)} is {text!r}, wanted a number of four octets") from error
