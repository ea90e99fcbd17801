"""One frame as a message: header, function and data unit; and back to octets."""

from __future__ import annotations

from dataclasses import dataclass

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.gdw1376.part2 import layout
from meterweave.protocols.gdw1376.part2.frame import LENGTH_MIN, Frame, decode_frame, encode_frame
from meterweave.protocols.gdw1376.part2.functions import layout_of
from meterweave.protocols.gdw1376.part2.header import (
    ADDRESS_SIZE,
    COMM_MODE_MASK,
    INFO_SIZE,
    MODULE_FLAG,
    PRM,
    UPLINK,
    Address,
    decode_address,
    encode_address,
    relay_count,
)
from meterweave.protocols.gdw1376.part2.layout import Payload

FN_MAX = 2048  # 256 groups of eight


@dataclass(frozen=True, slots=True)
class Message:
    """One frame; what is on the wire and nothing else, so that encoding undoes decoding octet for octet."""

    control: int
    info: bytes  # R, 6 octets
    address: Address | None  # there if and only if R says so
    afn: int
    dt: bytes  # DT1 and DT2: a bit in a group of eight functions
    data: bytes = b""

    @property
    def uplink(self) -> bool:
        """Whether the module speaks."""
        return bool(self.control & UPLINK)

    @property
    def prm(self) -> bool:
        """Whether this frame starts an exchange."""
        return bool(self.control & PRM)

    @property
    def comm_mode(self) -> int:
        """The kind of module, see `words.COMM_MODE`."""
        return self.control & COMM_MODE_MASK

    @property
    def sequence(self) -> int:
        """The number by which an answer finds its request."""
        return self.info[5]

    @property
    def fn(self) -> int | None:
        """The function number; None where DT1 has no bit or several."""
        return dt_to_fn(self.dt)

    @property
    def payload(self) -> Payload | None:
        """What the data unit says by name; None where its layout is not known."""
        row = layout_of(self.afn, self.fn, uplink=self.uplink)
        return None if row is None else layout.read(row, self.data)


def dt_to_fn(dt: bytes) -> int | None:
    """The number n of Fn of DT1 and DT2; None where DT1 has no bit or several.

    >>> dt_to_fn(bytes.fromhex("0201")), dt_to_fn(bytes.fromhex("0300"))
    (10, None)
    """
    place = _PLACE_OF_MASK[dt[0]]
    return place + 8 * dt[1] if place else None


_PLACE_OF_MASK = [mask.bit_length() if mask.bit_count() == 1 else 0 for mask in range(256)]


def fn_to_dt(fn: int) -> bytes:
    """`dt_to_fn` undone.

    Raises
    ------
    EncodeError
        If `fn` is not 1 to 2048.
    """
    if not 1 <= fn <= FN_MAX:
        raise EncodeError(f"fn is {fn}, wanted 1 to {FN_MAX}")
    group, bit = divmod(fn - 1, 8)
    return bytes([1 << bit, group])


def decode(octets: bytes) -> Message:
    """One whole frame to its message.

    Raises
    ------
    DecodeError
        See `frame.decode_frame`; and ``bad_length`` where the address field that R announces does not fit in.
    """
    control, user = decode_frame(octets)
    info = user[:INFO_SIZE]
    at = INFO_SIZE
    address = None
    if info[0] & MODULE_FLAG:
        at += ADDRESS_SIZE * (2 + relay_count(control, info))
        if len(user) < at + 3:
            wanted = LENGTH_MIN + at - INFO_SIZE
            fault = f"length {len(octets)} is below the {wanted} that the address field needs"
            raise DecodeError("bad_length", fault, at=1, detail=fault)
        address = decode_address(user[INFO_SIZE:at])
    return Message(control, info, address, user[at], user[at + 1 : at + 3], user[at + 3 :])


def encode(message: Message) -> bytes:
    """`decode` undone.

    Raises
    ------
    EncodeError
        If the parts of the message contradict each other or do not fit the frame.
    """
    control, info, address = message.control, message.info, message.address
    if not 0 <= control <= 255 or not 0 <= message.afn <= 255 or len(info) != INFO_SIZE or len(message.dt) != 2:
        raise EncodeError(f"{message!r} wants a control and an AFN of 1 octet, {INFO_SIZE} octets of R and 2 of DT")
    if (address is not None) != bool(info[0] & MODULE_FLAG):
        raise EncodeError("the address field is there if and only if info.module_flag is 1")
    if address is not None and len(address.relays) != relay_count(control, info):
        wanted = relay_count(control, info)
        raise EncodeError(
            f"address.relays has {len(address.relays)} addresses, wanted {wanted} (info.relay_level, down)"
        )
    head = info + (encode_address(address) if address is not None else b"")
    return encode_frame(Frame(control, head + bytes([message.afn]) + message.dt + message.data))


def data_of(afn: int, fn: int | None, values: object, *, uplink: bool) -> bytes:
    """The data unit of a function from its values by name.

    Raises
    ------
    EncodeError
        If the layout is not known, or the values do not fit it; the sentence names the field.
    """
    row = layout_of(afn, fn, uplink=uplink)
    if row is None:
        way = "uplink" if uplink else "downlink"
        raise EncodeError(f"payload: AFN 0x{afn:02X} Fn {fn} has no known layout {way}; give its octets as data")
    return layout.write(row, values, "payload")
