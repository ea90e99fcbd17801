"""What an M-Bus frame carries, by its CI field (EN 13757-3, clause 4 and 5; EN 13757-2 for frames without one).

A message keeps everything that can vary on the wire, so that `encode` gives back the octets that `decode` read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.mbus import fixed, header
from meterweave.protocols.mbus.fixed import FixedData
from meterweave.protocols.mbus.frame import Frame, decode_frame, encode_frame
from meterweave.protocols.mbus.header import Header, SecondaryAddress, ShortHeader
from meterweave.protocols.mbus.record import Records, decode_records, encode_records

DATA_AT = 7  # the offset of what follows the CI field of a long frame
SEALED_MODES = (5, 7)  # AES of EN 13757-7: mode in bits 12 to 8 of the configuration word, blocks in bits 7 to 4
BLOCK_SIZE = 16  # of AES [octets]

APPLICATION_RESET, SEND_DATA, SELECT, SYNCHRONISE = 0x50, 0x51, 0x52, 0x5C
APPLICATION_ERROR, ALARM = 0x70, 0x71
VARIABLE_DATA, FIXED_DATA, NO_HEADER_DATA, SHORT_HEADER_DATA = 0x72, 0x73, 0x78, 0x7A
MSB_FIRST = 0x04  # bit of CI 51H, 52H, 72H and 73H: numbers come most significant octet first (mode 2, obsolete)


class VariableData(NamedTuple):
    """Data records, behind the header that the CI field wants."""

    header: Header | ShortHeader | None
    records: Records
    sealed: bytes = b""  # encrypted octets; then there are no records


class Selection(NamedTuple):
    """Which slaves are to answer at address FDH; records behind the address narrow the choice."""

    address: SecondaryAddress
    records: Records


class Plain(NamedTuple):
    """The octets behind a CI field whose data have no structure of their own."""

    octets: bytes = b""


Body = VariableData | FixedData | Selection | Plain


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The single character E5H."""


@dataclass(frozen=True, slots=True)
class Short:
    """A short frame: a control field and an address."""

    control: int
    address: int


@dataclass(frozen=True, slots=True)
class Long:
    """A control or long frame: a CI field and what it announces."""

    control: int
    address: int
    ci: int
    body: Body


Message = Acknowledge | Short | Long

_ACKNOWLEDGE = Acknowledge()


def decode(octets: bytes) -> Message:
    """One whole frame to its message.

    Raises
    ------
    DecodeError
        As `decode_frame`; and with ``link_layer="valid"``: ``header_too_short``, ``premature_end_of_record``,
        ``too_many_dife`` or ``too_many_vife``.
    """
    control, address, ci, data = decode_frame(octets)
    if control is None or address is None:
        return _ACKNOWLEDGE
    if ci is None:
        return Short(control, address)
    try:
        return Long(control, address, ci, decode_body(ci, data))
    except DecodeError as error:
        at = DATA_AT + (error.at or 0)
        raise DecodeError(error.kind, str(error), at=at, link_layer="valid", **error.detail) from None


def encode(message: Message) -> bytes:
    """The frame of `message`, `decode` undone.

    Raises
    ------
    EncodeError
        If a field is out of its range, the body is not what the CI field announces, or the frame is too long.
    """
    if isinstance(message, Acknowledge):
        return encode_frame(Frame())
    if isinstance(message, Short):
        return encode_frame(Frame(message.control, message.address))
    return encode_frame(Frame(message.control, message.address, message.ci, encode_body(message.ci, message.body)))


def decode_body(ci: int, data: bytes) -> Body:
    """The octets behind the CI field; raises `DecodeError` with offsets from there."""
    decode_layout = _DECODERS.get(ci)
    return decode_layout(data, ci & MSB_FIRST != 0) if decode_layout else Plain(data)


def encode_body(ci: int, body: Body) -> bytes:
    """`decode_body` undone; raises `EncodeError`."""
    wanted, msb = body_type(ci), ci & MSB_FIRST != 0
    if not isinstance(body, wanted):
        raise EncodeError(f"body of CI {ci:02X}H is {type(body).__name__}, wanted {wanted.__name__}")
    if isinstance(body, VariableData):
        return _encode_variable(body, header_type(ci), msb)
    if isinstance(body, Selection):
        return header.encode_address8(body.address, msb=msb) + encode_records(body.records, msb=msb)
    if isinstance(body, FixedData):
        return fixed.encode_fixed(body, msb=msb)
    return body.octets


def body_type(ci: int) -> type[Body]:
    """What follows a CI field."""
    return _BODIES.get(ci & ~MSB_FIRST, Plain) if ci in _DECODERS else Plain


def header_type(ci: int) -> type[Header] | type[ShortHeader] | None:
    """The header that the CI field of variable data wants; None: none."""
    return {VARIABLE_DATA: Header, SHORT_HEADER_DATA: ShortHeader}.get(ci & ~MSB_FIRST)


def is_sealed(found: Header | ShortHeader, size: int) -> bool:
    """Whether the `size` octets behind a header are encrypted.

    The word must name an AES mode and a number of blocks that are there: some plain meters fill the word otherwise.
    """
    mode, blocks = found.signature >> 8 & 0x1F, found.signature >> 4 & 0x0F
    return mode in SEALED_MODES and 0 < blocks * BLOCK_SIZE <= size


def _decode_long(data: bytes, msb: bool) -> VariableData:
    octets = _first(data, header.HEADER_SIZE)
    return _decode_behind(header.decode_header(octets, msb=msb), data, header.HEADER_SIZE, msb)


def _decode_short(data: bytes, msb: bool) -> VariableData:
    octets = _first(data, header.SHORT_SIZE)
    return _decode_behind(header.decode_short_header(octets), data, header.SHORT_SIZE, msb)


def _decode_behind(found: Header | ShortHeader, data: bytes, at: int, msb: bool) -> VariableData:
    if found.signature and is_sealed(found, len(data) - at):
        return VariableData(found, Records(()), data[at:])
    return VariableData(found, decode_records(data, at, msb=msb))


def _decode_bare(data: bytes, msb: bool) -> VariableData:
    return VariableData(None, decode_records(data, msb=msb))


def _decode_selection(data: bytes, msb: bool) -> Selection:
    address = header.decode_address8(_first(data, header.ADDRESS_SIZE), msb=msb)
    return Selection(address, decode_records(data, header.ADDRESS_SIZE, msb=msb))


def _decode_fixed(data: bytes, msb: bool) -> FixedData:
    _first(data, fixed.SIZE)
    return fixed.decode_fixed(data, msb=msb)


def _first(data: bytes, size: int) -> bytes:
    """The first `size` octets of `data`, which must be there."""
    if len(data) < size:
        raise DecodeError("header_too_short", at=len(data), bytes_needed=size, bytes_have=len(data))
    return data[:size]


def _encode_variable(body: VariableData, kind: type[Header] | type[ShortHeader] | None, msb: bool) -> bytes:
    found = body.header
    if type(found) is not (kind or type(None)):
        raise EncodeError(f"header is {type(found).__name__}, wanted {kind.__name__ if kind else 'none'}")
    behind = encode_records(body.records, msb=msb) + body.sealed
    if bool(body.sealed) != (found is not None and is_sealed(found, len(behind))):
        raise EncodeError("the signature and what follows the header disagree about encryption")
    if found is None:
        return behind
    if isinstance(found, Header):
        return header.encode_header(found, msb=msb) + behind
    return header.encode_short_header(found) + behind


_DECODERS: dict[int, Callable[[bytes, bool], Body]] = {
    SEND_DATA: _decode_bare,
    SEND_DATA | MSB_FIRST: _decode_bare,
    SELECT: _decode_selection,
    SELECT | MSB_FIRST: _decode_selection,
    VARIABLE_DATA: _decode_long,
    VARIABLE_DATA | MSB_FIRST: _decode_long,
    FIXED_DATA: _decode_fixed,
    FIXED_DATA | MSB_FIRST: _decode_fixed,
    NO_HEADER_DATA: _decode_bare,
    SHORT_HEADER_DATA: _decode_short,
}
_BODIES: dict[int, type[Body]] = {
    SEND_DATA: VariableData,
    SELECT: Selection,
    VARIABLE_DATA: VariableData,
    FIXED_DATA: FixedData,
    NO_HEADER_DATA: VariableData,
    SHORT_HEADER_DATA: VariableData,
}
