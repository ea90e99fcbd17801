"""Bodies of the envelope: registration (84H), upload (91H), pass-through (90H) and time (93H).

Registration: serial number 20 and ICCID 30 ASCII, RSSI 1, three firmware versions 2 each in BCD, upload interval in
minutes 1. Upload: the serial number, then ``[[``, for every meter its address, ``((``, a Modbus answer with its CRC,
``))``, then ``]]``; the serial number may be left out.
"""

from __future__ import annotations

from typing import NamedTuple

from meterweave.errors import DecodeError
from meterweave.protocols.modbus import rtu
from meterweave.protocols.modbus.rtu import Frame

SERIAL_SIZE, ICCID_SIZE = 20, 30
_REGISTRATION_SIZE = SERIAL_SIZE + ICCID_SIZE + 1 + 6 + 1
_OPEN, _CLOSE, _BEGIN, _END = b"[[", b"]]", b"((", b"))"
_ANSWER_HEAD = 3  # unit, function, count [octets]
_ANSWER_MORE = 5  # octets of an answer beyond those it counts


class Registration(NamedTuple):
    """What a meter says when it dials in."""

    serial: bytes
    iccid: bytes
    rssi: int
    versions: tuple[bytes, bytes, bytes]
    interval_min: int


class Record(NamedTuple):
    """One meter of an upload."""

    address: bytes
    answer: Frame


class Upload(NamedTuple):
    """What a meter reports by itself."""

    serial: bytes  # empty where it was left out
    records: tuple[Record, ...]


def read_registration(body: bytes) -> Registration | None:
    """The parts of a registration; None where the body has another length."""
    if len(body) != _REGISTRATION_SIZE:
        return None
    iccid, rest = body[SERIAL_SIZE : SERIAL_SIZE + ICCID_SIZE], body[SERIAL_SIZE + ICCID_SIZE :]
    return Registration(body[:SERIAL_SIZE], iccid, rest[0], (rest[1:3], rest[3:5], rest[5:7]), rest[7])


def write_registration(said: Registration) -> bytes:
    """`read_registration` undone, for parts of the right sizes."""
    return b"".join((said.serial, said.iccid, bytes([said.rssi]), *said.versions, bytes([said.interval_min])))


def read_upload(body: bytes) -> Upload | None:
    """The parts of an upload; None where the body is none, or an answer in it is broken."""
    start = next((at for at in (SERIAL_SIZE, 0) if body[at : at + 2] == _OPEN), None)
    if start is None or not body.endswith(_CLOSE):
        return None
    records = []
    at, end = start + len(_OPEN), len(body) - len(_CLOSE)
    while at < end:
        begin = body.find(_BEGIN, at, end)
        head = body[begin + 2 : begin + 2 + _ANSWER_HEAD]
        if begin < 0 or len(head) < _ANSWER_HEAD:
            return None
        stop = begin + 2 + head[2] + _ANSWER_MORE
        answer = _frame(body[begin + 2 : stop])
        if answer is None or stop + 2 > end or body[stop : stop + 2] != _END:
            return None
        records.append(Record(body[at:begin], answer))
        at = stop + 2
    return Upload(body[:start], tuple(records))


def write_upload(said: Upload) -> bytes:
    """`read_upload` undone, for a serial number of 20 octets or none and addresses without ``((``."""
    inner = b"".join(record.address + _BEGIN + rtu.encode(record.answer) + _END for record in said.records)
    return said.serial + _OPEN + inner + _CLOSE


def inner_frame(body: bytes) -> Frame | None:
    """The Modbus frame in a pass-through; None where the body is none."""
    return _frame(body)


def _frame(octets: bytes) -> Frame | None:
    try:
        return rtu.decode(octets)
    except DecodeError:
        return None
