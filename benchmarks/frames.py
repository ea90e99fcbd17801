"""Seeded frames of the layouts that fill a head-end's day, octet by octet as devices send them."""

from __future__ import annotations

import struct
from random import Random

from meterweave.protocols.bcd import encode_bcd
from meterweave.protocols.checksum import crc_x25, sum8

_OADS = [bytes.fromhex(oad) for oad in ("00100200", "20000200", "20010200", "20040200", "200A0200")]


def dlt698_frame(control: int, address: bytes, apdu: bytes) -> bytes:
    """A DL/T 698.45 link frame around an APDU, six address octets."""
    header = struct.pack("<HBB", 9 + 6 + len(apdu), control, 0x05) + address + b"\x10"
    header += struct.pack("<H", crc_x25(header))
    body = header + apdu
    return b"\x68" + body + struct.pack("<H", crc_x25(body)) + b"\x16"


def _row(random: Random, tsa: bytes, minute: int) -> bytes:
    """A task record's row: meter, freeze time, energies of five registers."""
    time = struct.pack(">HBBBBB", 2026, 11, 1 + minute // 1440 % 28, minute // 60 % 24, minute % 60, 0)
    energies = b"".join(b"\x06" + struct.pack(">I", random.randrange(10**8)) for _ in range(5))
    return b"\x55\x07\x05" + tsa + b"\x1c" + time + energies


_COLUMNS = bytes.fromhex("07 00202A0200 0020210200") + b"".join(
    b"\x00" + bytes.fromhex(oad) for oad in ("00100201", "00100202", "00100203", "00100204", "00100205")
)


def dlt698_reports(count: int, seed: int = 1) -> list[bytes]:
    """REPORT-Notification of a record list: one row of meter, time and five energies."""
    random = Random(seed)
    return [
        dlt698_frame(
            0x83,
            encode_bcd(random.randrange(10**12), 6),
            b"\x88\x02"
            + bytes([index % 64])
            + b"\x01\x50\x02\x02\x00"
            + _COLUMNS
            + b"\x01\x01"
            + _row(random, encode_bcd(random.randrange(10**12), 6)[::-1], index)
            + b"\x00\x00",
        )
        for index in range(count)
    ]


def dlt698_records(count: int, rows: int = 20, seed: int = 2) -> list[bytes]:
    """GET-Response of a record: `rows` rows of meter, time and five energies."""
    random = Random(seed)
    return [
        dlt698_frame(
            0xC3,
            encode_bcd(random.randrange(10**12), 6),
            b"\x85\x03"
            + bytes([index % 64])
            + b"\x50\x02\x02\x00"
            + _COLUMNS
            + b"\x01"
            + bytes([rows])
            + b"".join(_row(random, encode_bcd(random.randrange(10**12), 6)[::-1], index + row) for row in range(rows))
            + b"\x00\x00",
        )
        for index in range(count)
    ]


def dlt645_reads(count: int, seed: int = 3) -> list[bytes]:
    """Replies to a read of forward active energy, total."""
    random = Random(seed)
    frames = []
    for _ in range(count):
        data = bytes.fromhex("00000100") + encode_bcd(random.randrange(10**8), 4)
        head = b"\x68" + encode_bcd(random.randrange(10**12), 6) + b"\x68\x91\x08"
        body = head + bytes((octet + 0x33) & 0xFF for octet in data)
        frames.append(body + bytes([sum8(body), 0x16]))
    return frames


def gdw1376_curves(count: int, points: int = 96, seed: int = 4) -> list[bytes]:
    """AFN 0DH F89: a day of voltage of phase A, one point each quarter of an hour."""
    random = Random(seed)
    frames = []
    for index in range(count):
        tag = b"\x00\x00" + encode_bcd(1 + index % 28, 1) + b"\x11\x26\x01" + bytes([points])
        voltages = b"".join(encode_bcd(random.randrange(1900, 2500), 2) for _ in range(points))
        head = b"\x88\x55\x07" + struct.pack("<H", 1 + index % 60_000) + b"\x02\x0d" + bytes([0x60 | index % 16])
        user = head + b"\x01\x01\x01\x0b" + tag + voltages
        length = struct.pack("<H", len(user) << 2 | 2)
        frames.append(b"\x68" + length + length + b"\x68" + user + bytes([sum8(user), 0x16]))
    return frames


def cjt188_reads(count: int, seed: int = 5) -> list[bytes]:
    """Replies of cold-water meters to a read of the present data."""
    random = Random(seed)
    frames = []
    for _ in range(count):
        head = b"\x68\x10" + encode_bcd(random.randrange(10**14), 7) + b"\x81\x16\x1f\x90\x00"
        volume = encode_bcd(random.randrange(10**8), 4) + b"\x2c"
        body = head + volume + volume + bytes.fromhex("00301222112620") + b"\x00\x00"
        frames.append(body + bytes([sum8(body), 0x16]))
    return frames
