"""Other libraries doing a like job: five values out of one checked frame of their own protocol."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import NamedTuple

from meterweave.protocols.checksum import crc_x25, sum8

_COUNT = 2_000
_VALUES = range(123_456, 123_461)
_APDU = bytes.fromhex("C401C1000205") + b"".join(b"\x06" + struct.pack(">I", value) for value in _VALUES)


class Peer(NamedTuple):
    """A peer and how it decodes `frames` frames."""

    name: str
    what: str
    run: Callable[[], object]
    frames: int = _COUNT


def available() -> Iterator[Peer]:
    """The peers installed here."""
    for module, peer in (
        ("dlms_cosem", _dlms_cosem),
        ("gurux_dlms", _gurux_dlms),
        ("meterbus", _meterbus),
        ("pymodbus", _pymodbus),
    ):
        if find_spec(module):
            yield peer()


def _dlms_cosem() -> Peer:
    from dlms_cosem.hdlc.frames import InformationFrame  # noqa: PLC0415
    from dlms_cosem.protocol.xdlms import GetResponseNormal  # noqa: PLC0415
    from dlms_cosem.utils import parse_as_dlms_data  # noqa: PLC0415

    header = bytes.fromhex("A02C2102231066")
    head = header[:-1] + struct.pack("<H", crc_x25(header[:-1]))
    payload = head + bytes.fromhex("E6E700") + _APDU
    frame = b"\x7e" + payload + struct.pack("<H", crc_x25(payload)) + b"\x7e"

    def run() -> None:
        for _ in range(_COUNT):
            response = GetResponseNormal.from_bytes(InformationFrame.from_bytes(frame).payload[3:])
            assert parse_as_dlms_data(response.data) == list(_VALUES)

    return Peer("dlms-cosem", "DLMS GetResponse over HDLC, 5 values", run)


def _gurux_dlms() -> Peer:
    from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData  # noqa: PLC0415
    from gurux_dlms.enums import Authentication, InterfaceType  # noqa: PLC0415

    client = GXDLMSClient(True, 16, 1, Authentication.NONE, None, InterfaceType.WRAPPER)
    frame = struct.pack(">4H", 1, 1, 16, len(_APDU)) + _APDU

    def run() -> None:
        for _ in range(_COUNT):
            reply = GXReplyData()
            client.getData(GXByteBuffer(frame), reply, None)
            assert len(reply.value) == len(_VALUES)

    return Peer("gurux-dlms", "DLMS GetResponse in the TCP wrapper (no checksum), 5 values", run)


def _meterbus() -> Peer:
    import meterbus  # noqa: PLC0415

    records = b"".join(b"\x04\x13" + struct.pack("<I", value) for value in _VALUES)
    user = bytes.fromhex("08017278563412240140071E000000") + records
    frame = b"\x68" + bytes([len(user)] * 2) + b"\x68" + user + bytes([sum8(user), 0x16])

    def run() -> None:
        for _ in range(_COUNT):
            assert len([record.value for record in meterbus.load(frame).records]) == len(_VALUES)

    return Peer("pyMeterBus", "M-Bus telegram, 5 records", run)


def _pymodbus() -> Peer:
    from pymodbus.framer import FramerRTU  # noqa: PLC0415
    from pymodbus.pdu import DecodePDU  # noqa: PLC0415
    from pymodbus.pdu.register_message import ReadHoldingRegistersResponse  # noqa: PLC0415

    framer = FramerRTU(DecodePDU(False))
    words = [word for value in _VALUES for word in divmod(value, 1 << 16)]
    frame = framer.buildFrame(ReadHoldingRegistersResponse(dev_id=1, registers=words))

    def run() -> None:
        for _ in range(_COUNT):
            used, reply = framer.handleFrame(frame, 0, 0)
            assert used == len(frame)
            assert reply is not None
            assert len(reply.registers) == len(words)

    return Peer("pymodbus", "Modbus RTU reply, 5 values in 10 registers", run)
