"""Messages as JSON-ready objects and back."""

from __future__ import annotations

from meterweave.protocols.codec import Json
from meterweave.protocols.mbus import words
from meterweave.protocols.mbus.fixed import MEDIA, FixedData
from meterweave.protocols.mbus.head import Coding
from meterweave.protocols.mbus.header import Header, SecondaryAddress, ShortHeader, manufacturer_code, medium_name
from meterweave.protocols.mbus.message import (
    ALARM,
    APPLICATION_ERROR,
    APPLICATION_RESET,
    MSB_FIRST,
    SEND_DATA,
    Acknowledge,
    Long,
    Message,
    Plain,
    Selection,
    Short,
    VariableData,
    encode_body,
)
from meterweave.protocols.mbus.parse import from_json
from meterweave.protocols.mbus.record import Record, Records
from meterweave.protocols.mbus.value import Number

__all__ = ["from_json", "to_json"]


def to_json(message: Message) -> Json:
    """A message with its names, values and raw octets.

    Records keep ``header`` (DIF to LVAR) and ``data`` beside what they mean; a code that was reserved in the first
    edition of EN 13757-3 stays ``unknown``, with its later meaning under ``later_edition``.
    """
    found: Json = {"protocol": "mbus"}
    if isinstance(message, Acknowledge):
        return found | {"frame": "ack"}
    name, _ = words.control_words(message.control)
    link: Json = {"control": _octet_json(message.control), "service": name, "address": message.address}
    if message.control & words.FROM_MASTER:
        link["fcb"] = message.control >> 5 & 1
    else:
        link |= {"access_demand": bool(message.control & words.ACD), "busy": bool(message.control & words.DFC)}
    if isinstance(message, Short):
        return found | {"frame": "short"} | link
    payload = encode_body(message.ci, message.body)
    link |= {"ci": _octet_json(message.ci), "ci_meaning": words.ci_words(message.ci).en}
    return found | {"frame": "long" if payload else "control"} | link | _body(message, payload)


def _body(message: Long, payload: bytes) -> Json:
    body = message.body
    if isinstance(body, VariableData):
        from_master = message.ci & ~MSB_FIRST == SEND_DATA
        return ({"payload": payload.hex()} if from_master else {}) | _variable(body)
    if isinstance(body, FixedData):
        return _fixed(body)
    raw: Json = {"payload": payload.hex()} if payload else {}
    if isinstance(body, Selection):
        return raw | {"secondary_address": _secondary_address(body.address)} | _records(body.records)
    return raw | _plain(message.ci, body)


def _variable(body: VariableData) -> Json:
    found: Json = {}
    if isinstance(body.header, Header):
        found["header"] = _header(body.header)
    elif body.header:
        found["header"] = _short_header(body.header)
    if body.sealed:
        return found | {"records": [], "encrypted": body.sealed.hex()}
    return found | _records(body.records)


def _header(header: Header) -> Json:
    address, *rest = header
    return {
        "id": address.identification,
        "manufacturer": manufacturer_code(address.manufacturer),
        "manufacturer_word": f"0x{address.manufacturer:04X}",
        "version": address.version,
        "medium_code": _octet_json(address.medium),
        "medium": medium_name(address.medium).en,
    } | _short_header(ShortHeader(*rest))


def _short_header(header: ShortHeader) -> Json:
    return {
        "access_number": header.access_number,
        "status": _octet_json(header.status),
        "signature": f"{header.signature:04x}",
    }


def _secondary_address(address: SecondaryAddress) -> Json:
    return {
        "id": address.identification,
        "manufacturer_word": f"0x{address.manufacturer:04X}",
        "version": address.version,
        "medium_code": _octet_json(address.medium),
    }


def _records(records: Records) -> Json:
    found: Json = {"records": [_record(record) for record in records.records]}
    if records.fillers:
        found["fillers"] = records.fillers
    if records.manufacturer_data is not None:
        found["manufacturer_data"] = records.manufacturer_data.hex()
        found["more_records_follow"] = records.more_follow
    elif records.tail:
        found["unparsed"] = records.tail.hex()
    return found


def _record(record: Record) -> Json:
    head, value = record.head, record.value
    found: Json = {"header": head.octets.hex(), "function": head.function, "storage": head.storage}
    found |= {name: number for name, number in (("tariff", head.tariff), ("subunit", head.subunit)) if number}
    found |= {
        "data": record.data.hex(),
        "quantity": head.item.name,
        "unit": head.unit,
        "value": record.text,
        "meaning": head.item.meaning.en,
    }
    if head.vifes:
        found["vife"] = [f"{vife:02x}" for vife in head.vifes]
        found["qualifiers"] = [qualifier.meaning.en for qualifier in head.qualifiers]
    if head.coding is Coding.REAL:
        found["float32"] = True
    if value is None:
        found["missing"] = True
    if record.later:
        item, number = record.later
        found["later_edition"] = {"quantity": item.name, "unit": item.unit, "value": str(number)}
    return found | ({"fillers": record.fillers} if record.fillers else {})


def _fixed(fixed: FixedData) -> Json:
    found: Json = {
        "header": {
            "id": fixed.identification,
            "access_number": fixed.access_number,
            "status": _octet_json(fixed.status),
        },
        "fixed": {
            "counters": "binary" if fixed.binary else "BCD",
            "counter_state": "stored" if fixed.stored else "actual",
            "unit1_code": fixed.unit1,
            "unit2_code": fixed.unit2,
            "medium_code": fixed.medium,
            "medium": MEDIA[fixed.medium].en,
        },
    }
    octets = fixed.counter1, fixed.counter2
    for index, (number, unit, data) in enumerate(zip(fixed.numbers, fixed.units, octets, strict=True), 1):
        found["fixed"] |= {
            f"counter{index}": None if number is None else str(number),
            f"counter{index}_data": data.hex(),
            f"quantity{index}": unit.name,
            f"value{index}": None if number is None else str(Number(number, unit.exponent)),
            f"unit{index}": unit.unit,
        }
    return found | ({"rest": fixed.rest.hex()} if fixed.rest else {})


def _plain(ci: int, body: Plain) -> Json:
    code = body.octets[0] if body.octets else None
    if ci == APPLICATION_ERROR:
        text = words.APPLICATION_ERRORS.get(code, words.RESERVED).en
        return {"application_error": {"code": code, "text": text}}
    if ci == ALARM and code is not None:
        return {"alarm": {"status": _octet_json(code), "bits": [bit for bit in range(8) if code >> bit & 1]}}
    if ci == APPLICATION_RESET and code is not None:
        return {
            "application_reset": {"subcode": _octet_json(code), "text": words.RESETS.get(code >> 4, words.RESERVED).en}
        }
    return {"baud_rate": words.BAUD_RATES[ci]} if ci in words.BAUD_RATES else {}


def _octet_json(number: int) -> str:
    """An octet as JSON has it: ``0x08``."""
    return f"0x{number:02X}"
