"""The checks at the end of frames, for one frame and for a stack of frames of equal size."""

from __future__ import annotations

from collections.abc import Iterable

import fastcrc
import numpy as np
from numpy.typing import NDArray


def sum8(octets: bytes) -> int:
    """Arithmetic sum modulo 256 (DL/T 645, CJ/T 188, Q/GDW 1376, EN 13757-2)."""
    return sum(octets) & 0xFF


def sum8_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`sum8` of every row of uint8[frame, octet]."""
    return np.asarray(rows.sum(axis=1, dtype=np.uint8))


def crc_x25(octets: bytes) -> int:
    """CRC-16/X-25 (DL/T 698.45 HCS and FCS); ``b"123456789"`` gives 906EH."""
    return int(fastcrc.crc16.ibm_sdlc(octets))


def crc_modbus(octets: bytes) -> int:
    """CRC-16/MODBUS; ``b"123456789"`` gives 4B37H."""
    return int(fastcrc.crc16.modbus(octets))


def _reflected_table(polynomial: int) -> NDArray[np.uint16]:
    table = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint16(polynomial), table >> 1).astype(np.uint16)
    return table


_X25 = _reflected_table(0x8408)


def crc_x25_rows(rows: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """`crc_x25` of every row of uint8[frame, octet]."""
    crc = np.full(len(rows), 0xFFFF, dtype=np.uint16)
    for column in _columns(rows):
        crc = (crc >> np.uint16(8)) ^ _X25[(crc ^ column) & np.uint16(0xFF)]
    return crc ^ np.uint16(0xFFFF)


def _columns(rows: NDArray[np.uint8]) -> Iterable[NDArray[np.uint8]]:
    return np.ascontiguousarray(rows.T)
