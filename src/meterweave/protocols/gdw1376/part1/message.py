"""Messages between master station and terminal (Q/GDW 1376.1 clause 5.3): C, addresses, AFN, SEQ, data units, AUX.

A `Message` holds exactly what stands on the wire; a `Unit` keeps its data as octets. What the octets say is worked out
by `sections` when somebody asks, so that taking a frame apart costs the same for one value and for a day's curve.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from meterweave.errors import DecodeError, EncodeError
from meterweave.protocols.gdw1376.part1.catalogue import layout_of
from meterweave.protocols.gdw1376.part1.designator import ALL_POINTS, Point, items_of, points_of
from meterweave.protocols.gdw1376.part1.frame import check, wrap
from meterweave.protocols.gdw1376.part1.layout import Found, Layout

PROTOCOL_130 = 1  # the 130-2005 family
PROTOCOL_376 = 2
DIR, PRM, ACD_OR_FCB, FCV = 0x80, 0x40, 0x20, 0x10  # of the control octet
TPV, FIR, FIN, CON = 0x80, 0x40, 0x20, 0x10  # of SEQ
AUTHENTICATED = frozenset({0x01, 0x04, 0x05, 0x06, 0x0F, 0x10})
"""Functions whose downlink frames end with the message authentication field PW."""

PW_SIZE, PW_SIZE_130 = 16, 2
EC_SIZE, TP_SIZE = 2, 6
GROUP_MAX = 30  # of DT2, F241 to F248: no table of the standard has an item above them
_BODY = 14  # where the data units begin


class Unit(NamedTuple):
    """One data unit: which points, which items, and their data."""

    da: int  # the two octets as one word, low octet first
    dt: int
    data: bytes = b""

    @property
    def points(self) -> tuple[Point, ...]:
        """The measuring points pn."""
        return points_of(self.da)

    @property
    def items(self) -> tuple[int, ...]:
        """The items Fn."""
        return items_of(self.dt)


class Message(NamedTuple):
    """One frame of either direction."""

    protocol: int  # bits 0 and 1 of the length words
    control: int
    region: int  # A1, its four hexadecimal digits as people write them
    terminal: int  # A2
    master: int  # A3: bit 0 says that A2 is a group, bits 1 to 7 are MSA
    afn: int
    seq: int
    units: tuple[Unit, ...] = ()
    rest: bytes = b""  # octets too few for a data unit
    pw: bytes = b""  # downlink message authentication, 0, 2 or 16 octets
    ec: bytes = b""  # uplink event counters EC1 and EC2, where ACD is set
    tp: bytes = b""  # time tag, where TpV is set

    @property
    def uplink(self) -> bool:
        """Whether the terminal sent it."""
        return bool(self.control & DIR)

    @property
    def initiated(self) -> bool:
        """Whether it starts an exchange (PRM)."""
        return bool(self.control & PRM)

    @property
    def number(self) -> int:
        """PSEQ or RSEQ."""
        return self.seq & 0x0F


class Section(NamedTuple):
    """The data of one item of one point within a unit."""

    point: Point
    fn: int
    layout: Layout
    found: Found


def sections(message: Message, unit: Unit) -> Iterator[Section]:
    """The data of a unit, points outside and items inside, as far as layouts are known and the octets reach."""
    at = 0
    for point in unit.points:
        for fn in unit.items:
            layout = layout_of(message.afn, message.uplink, fn)
            if layout is None:
                return
            found = layout.find(unit.data, at)
            yield Section(point, fn, layout, found)
            if not found.complete or layout.open_end:
                return
            at = found.end


def decode(octets: bytes) -> Message:
    """The message of one whole frame.

    Raises
    ------
    DecodeError
        What `frame.check` raises; ``bad_data`` where the octets end before the time tag or the event counters do.
    """
    end = check(octets) - 2
    control, afn, seq = octets[6], octets[12], octets[13]
    tp = ec = pw = b""
    if seq & TPV:
        end -= TP_SIZE
        if end < _BODY:
            raise DecodeError("bad_data", at=13, detail="TpV is set, but there is no time tag")
        tp = octets[end : end + TP_SIZE]
    uplink = control & DIR
    if uplink and control & ACD_OR_FCB:
        end -= EC_SIZE
        if end < _BODY:
            raise DecodeError("bad_data", at=6, detail="ACD is set, but there are no event counters")
        ec = octets[end : end + EC_SIZE]
    protocol = octets[1] & 3
    if not uplink and afn in AUTHENTICATED:
        size = _pw_size(protocol, afn, octets[_BODY:end])
        end -= size
        pw = octets[end : end + size]
    units, rest, _ = _split(afn, bool(uplink), octets[_BODY:end])
    return Message(
        protocol,
        control,
        octets[8] << 8 | octets[7],
        octets[10] << 8 | octets[9],
        octets[11],
        afn,
        seq,
        units,
        rest,
        pw,
        ec,
        tp,
    )


def encode(message: Message) -> bytes:
    """The frame of `message`.

    Raises
    ------
    EncodeError
        If a field does not fit its octets, or the frame would be read as another message than this one: lengths of
        AUX that do not follow from SEQ and C, data longer or shorter than their layout where more units follow.
    """
    octets = wrap(message.protocol, _user_data(message))
    read = decode(octets)
    if read != message:
        names = [name for name, one, other in zip(Message._fields, message, read, strict=True) if one != other]
        raise EncodeError(f"the frame would be read otherwise: {', '.join(names)} would differ")
    return octets


def _user_data(message: Message) -> bytes:
    for name, value, size in (
        ("control", message.control, 1),
        ("region", message.region, 2),
        ("terminal", message.terminal, 2),
        ("msa", message.master, 1),
        ("afn", message.afn, 1),
        ("seq", message.seq, 1),
    ):
        if not 0 <= value < 1 << 8 * size:
            raise EncodeError(f"{name} is {value}, wanted 0 to {(1 << 8 * size) - 1}")
    if message.seq & TPV and len(message.tp) != TP_SIZE:
        raise EncodeError(f"TpV is set, so tp has to be {TP_SIZE} octets, not {len(message.tp)}")
    if message.uplink and message.control & ACD_OR_FCB and len(message.ec) != EC_SIZE:
        raise EncodeError(f"ACD is set, so ec has to be {EC_SIZE} octets, not {len(message.ec)}")
    head = bytes((message.control,)) + message.region.to_bytes(2, "little") + message.terminal.to_bytes(2, "little")
    return b"".join(
        (
            head,
            bytes((message.master, message.afn, message.seq)),
            *map(_pack_unit, message.units),
            message.rest,
            message.pw,
            message.ec,
            message.tp,
        )
    )


def _pack_unit(unit: Unit) -> bytes:
    if not (0 <= unit.da <= 0xFFFF and 0 <= unit.dt <= 0xFFFF):
        raise EncodeError(f"da is {unit.da} and dt is {unit.dt}, wanted 0 to 65535")
    return (unit.da | unit.dt << 16).to_bytes(4, "little") + unit.data


def _pw_size(protocol: int, afn: int, body: bytes) -> int:
    """Octets of PW at the end of `body`: what known data leave over, else what the protocol demands."""
    usual = (PW_SIZE_130, PW_SIZE) if protocol == PROTOCOL_130 else (PW_SIZE, PW_SIZE_130)
    for size in (*usual, 0):
        if len(body) >= size + 4 and _split(afn, False, body[: len(body) - size])[2]:
            return size
    return usual[0] if len(body) >= usual[0] + 4 else 0


def _split(afn: int, uplink: bool, body: bytes) -> tuple[tuple[Unit, ...], bytes, bool]:
    """The units of `body`, what is left before the first of them, and whether every octet has its place in a layout."""
    units: list[Unit] = []
    at, size = 0, len(body)
    while size - at >= 4:
        da, dt = body[at] | body[at + 1] << 8, body[at + 2] | body[at + 3] << 8
        if units and not _plausible(da, dt):
            break
        end, sure = _end_of_data(afn, uplink, da, dt, body, at + 4)
        units.append(Unit(da, dt, body[at + 4 : end]))
        if not sure:
            return tuple(units), b"", False
        at = end
    if at < size and units:
        last = units.pop()
        units.append(Unit(last.da, last.dt, last.data + body[at:]))
        return tuple(units), b"", False
    return tuple(units), body[at:], at == size


def _plausible(da: int, dt: int) -> bool:
    """Whether DA and DT can begin a unit behind another: both name something that there is."""
    return bool(dt & 0xFF) and dt >> 8 <= GROUP_MAX and (da in {0, ALL_POINTS} or (da & 0xFF != 0 and da >> 8 != 0))


def _end_of_data(afn: int, uplink: bool, da: int, dt: int, body: bytes, at: int) -> tuple[int, bool]:
    """Where the data of a unit end; not sure, and all there is, where a layout is unknown or wants more."""
    points, items = points_of(da), items_of(dt)
    if not points or not items:
        return len(body), False
    for _ in points:
        for fn in items:
            layout = layout_of(afn, uplink, fn)
            if layout is None:
                return len(body), False
            found = layout.find(body, at)
            if not found.complete or layout.open_end:
                return len(body), False
            at = found.end
    return at, True
