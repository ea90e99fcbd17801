"""An envelope as a JSON object, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.modbus import rtu, rtu_view
from meterweave.protocols.modbus.envelope import Envelope, meaning
from meterweave.protocols.modbus.json_fields import ascii_of, hex_of, number_of, octets_of, rows_of, text_of
from meterweave.protocols.modbus.upload import (
    ICCID_SIZE,
    SERIAL_SIZE,
    Record,
    Registration,
    Upload,
    inner_frame,
    read_registration,
    read_upload,
    write_registration,
    write_upload,
)
from meterweave.protocols.modbus.words import Clock

Json = dict[str, Any]

PROTOCOL, KIND = "prepaid-4g", "prepaid_4g"
CLOCK = Clock(7)


def to_json(envelope: Envelope) -> Json:
    """Every field of `envelope`, its body taken apart as far as it is known."""
    words = meaning(envelope)
    found: Json = {
        "protocol": PROTOCOL,
        "kind": KIND,
        "command": f"0x{envelope.command:02X}",
        "body": envelope.body.hex(),
        "meaning": words.en if words else "unknown",
    }
    read = _READERS.get(envelope.command)
    return found | read(envelope.body) if read and envelope.body else found


def _registration_json(body: bytes) -> Json:
    said = read_registration(body)
    if said is None:
        return {}
    return {
        "serial": printed(said.serial),
        "iccid": printed(said.iccid),
        "rssi": said.rssi,
        "versions": [version.hex() for version in said.versions],
        "upload_interval_min": said.interval_min,
    }


def _upload_json(body: bytes) -> Json:
    said = read_upload(body)
    if said is None:
        return {}
    records = [
        {"address": printed(record.address), "inner": rtu_view.to_json(record.answer)} for record in said.records
    ]
    return {"serial": printed(said.serial), "records": records}


def _inner_json(body: bytes) -> Json:
    frame = inner_frame(body)
    return {"inner": rtu_view.to_json(frame)} if frame else {}


def _time_json(body: bytes) -> Json:
    if len(body) != CLOCK.size:
        return {}
    found = CLOCK.to_json(body)
    return {"time": found["value"], "weekday": found["weekday"]}


_READERS = {0x84: _registration_json, 0x90: _inner_json, 0x91: _upload_json, 0x93: _time_json}


def printed(octets: bytes) -> str:
    """Text as it is meant to be read: without the NUL and spaces that fill it up."""
    return octets.decode("latin-1").strip("\0 ")


def from_json(found: Mapping[str, Any]) -> Envelope:
    """`to_json` undone: ``body`` where it is given, else built from its parts.

    Raises
    ------
    EncodeError
        If a field is missing or impossible; the sentence names it.
    """
    command = hex_of(found, "command")
    if "body" in found:
        return Envelope(command, octets_of(found, "body"))
    parts = {key for key in ("serial", "iccid", "time", "inner", "records") if key in found}
    write = _WRITERS.get(command)
    return Envelope(command, write(found) if write and parts else b"")


def _registration(found: Mapping[str, Any]) -> bytes:
    versions = found.get("versions")
    if not isinstance(versions, list | tuple) or len(versions) != 3:
        raise EncodeError(f"versions are {versions!r}, not three")
    first, second, third = (_sized({"versions": one}, "versions", 2) for one in versions)
    return write_registration(
        Registration(
            ascii_of(found, "serial", SERIAL_SIZE),
            ascii_of(found, "iccid", ICCID_SIZE),
            _octet(found, "rssi"),
            (first, second, third),
            _octet(found, "upload_interval_min"),
        )
    )


def _upload(found: Mapping[str, Any]) -> bytes:
    serial = ascii_of(found, "serial", SERIAL_SIZE) if found.get("serial") else b""
    records = tuple(
        Record(text_of(row, "address").encode("latin-1", "replace"), _frame(row)) for row in rows_of(found, "records")
    )
    return write_upload(Upload(serial, records))


def _inner(found: Mapping[str, Any]) -> bytes:
    return rtu.encode(_frame(found))


def _frame(found: Mapping[str, Any]) -> rtu.Frame:
    inner = found.get("inner")
    if not isinstance(inner, Mapping):
        raise EncodeError(f"inner is {inner!r}, not an object")
    return rtu_view.from_json(inner)


def _time(found: Mapping[str, Any]) -> bytes:
    try:
        return CLOCK.from_json({"value": text_of(found, "time"), "weekday": found.get("weekday")})
    except (ValueError, TypeError) as error:
        raise EncodeError(f"time or weekday cannot be written: {error}") from None


_WRITERS = {0x84: _registration, 0x90: _inner, 0x91: _upload, 0x93: _time}


def _octet(found: Mapping[str, Any], key: str) -> int:
    value = number_of(found, key)
    if not 0 <= value <= 0xFF:
        raise EncodeError(f"{key} is {value}, not one octet")
    return value


def _sized(found: Mapping[str, Any], key: str, size: int) -> bytes:
    octets = octets_of(found, key)
    if len(octets) != size:
        raise EncodeError(f"{key} has {len(octets)} octets, not {size}")
    return octets
