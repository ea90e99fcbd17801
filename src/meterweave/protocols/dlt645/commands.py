"""Messages to build: what a head-end asks and what a meter answers.

Addresses may be shorter than 12 digits; identifiers are hexadecimal digits as printed, DI3 first. `EncodeError` is
raised for anything that does not fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.bcd import encode_address
from meterweave.protocols.codec import Json
from meterweave.protocols.dlt645 import items
from meterweave.protocols.dlt645.address import BROADCAST, WILDCARD, normal
from meterweave.protocols.dlt645.frame import ERROR, FOLLOWS, REPLY, Frame
from meterweave.protocols.dlt645.functions import COMMANDS, edition
from meterweave.protocols.dlt645.view import from_json, item_octets

FOREVER = datetime(2099, 12, 31, 23, 59, 59)
"""What senders put where a control command is to hold without end."""
ALL_EVENTS = "ffffffff"


@dataclass(frozen=True, slots=True)
class Access:
    """Who asks (DL/T 645-2007, clause 7.5)."""

    level: int = 2
    """PA, 0 the highest to 9; 98H and 99H for protected payloads."""
    password: str = "000000"
    operator: str = "00000000"

    def parts(self) -> Json:
        """The parts of DATA as JSON names them."""
        return {"password_level": self.level, "password": self.password, "operator": self.operator}


def _build(address: str, control: int, parts: Mapping[str, Any]) -> Frame:
    return from_json({"address": address, "control": f"0x{control:02X}", **parts})


def read(address: str, di: str, *, count: int | None = None, since: datetime | None = None) -> Frame:
    """Read a data item; for load records, `count` blocks, from the time `since` on. 4-digit identifiers are of 1997."""
    if len(di) == 4:
        return _build(address, 0x01, {"di": di})
    parts: Json = {"di": di, "count": count}
    if since is not None:
        parts["time"] = since.isoformat(timespec="minutes")
    return _build(address, 0x11, parts)


def read_address() -> Frame:
    """Ask the one meter on the line for its address."""
    return Frame(WILDCARD, 0x13)


def write(address: str, di: str, payload: bytes, access: Access) -> Frame:
    """Write a data item."""
    return _build(address, 0x14, {"di": di, **access.parts(), "payload": payload.hex()})


def write_1997(address: str, di: str, payload: bytes, password: str = "00000000") -> Frame:
    """Write a data item as in 1997; the first two digits of the password are its level."""
    return _build(address, 0x04, {"di": di, "password": password, "payload": payload.hex()})


def write_address(new: str) -> Frame:
    """Give the one meter on the line, its programming key pressed, a new address."""
    return _build(WILDCARD, 0x15, {"new_address": normal(new)})


def broadcast_time(now: datetime) -> Frame:
    """Set the clocks of all meters; meters correct a few minutes, once a day."""
    return _build(BROADCAST, 0x08, {"time": now.isoformat(timespec="seconds")})


def freeze(address: str, pattern: str) -> Frame:
    """Freeze data at MMDDhhmm, 99 for any: ``99992300`` every day at 23:00, ``99999999`` now."""
    return _build(address, 0x16, {"freeze_time": pattern})


def change_baud(address: str, baud: int) -> Frame:
    """Change the speed of the line; the meter answers at the old one."""
    return _build(address, 0x17, {"baud": baud})


def change_password(address: str, di: str, old: Access, new: Access) -> Frame:
    """Change the password of identifier `di` (04000C01 and on)."""
    parts = {"di": di, "password_level": old.level, "password": old.password}
    return _build(address, 0x18, {**parts, "new_password_level": new.level, "new_password": new.password})


def clear_demand(address: str, access: Access) -> Frame:
    """Clear the maximum demands."""
    return _build(address, 0x19, access.parts())


def clear_meter(address: str, access: Access) -> Frame:
    """Clear energies, demands and records."""
    return _build(address, 0x1A, access.parts())


def clear_events(address: str, access: Access, di: str = ALL_EVENTS) -> Frame:
    """Clear the records of one event (an identifier that ends with FF), or all."""
    return _build(address, 0x1B, {**access.parts(), "di": di})


def control(address: str, command: str, access: Access, *, valid_until: datetime = FOREVER, n2: int = 0) -> Frame:
    """Trip, close and the like: `command` is a name of `functions.COMMANDS`."""
    codes = {name: code for code, (name, _) in COMMANDS.items()}
    if command not in codes:
        raise EncodeError(f"command {command!r} is none of {', '.join(codes)}")
    parts = {"command": f"0x{codes[command]:02X}", "n2": f"0x{n2:02X}", "valid_until": valid_until.isoformat()}
    return _build(address, 0x1C, {**access.parts(), **parts})


def security(address: str, di: str, operator: str, payload: bytes) -> Frame:
    """Security authentication and recharging; the payload comes from the utility's key machine."""
    return _build(address, 0x03, {"di": di, "operator": operator, "payload": payload.hex()})


def octets_of(di: str, texts: Sequence[str | None]) -> bytes:
    """The octets of the first values of a data item; None is *no value*."""
    item = items.find(di.lower())
    if item is None:
        raise EncodeError(f"di {di!r} is in no table")
    if len(texts) > len(item.elements):
        raise EncodeError(f"{len(texts)} values are more than the {len(item.elements)} of {di}")
    values = [{"name": one.name, "value": text} for one, text in zip(item.elements, texts, strict=False)]
    return item_octets(di.lower(), values)


def reply(request: Frame, data: bytes = b"", *, own: str = "", follows: bool = False) -> Frame:
    """The good answer to `request` with `data`, from the meter whose address is `own` (else the one asked)."""
    return Frame(normal(own or request.address), request.control | REPLY | FOLLOWS * follows, data)


def read_reply(request: Frame, octets: bytes, *, own: str = "", follows: bool = False) -> Frame:
    """The answer to a read, with the identifier that was asked for; to a read of further data, with its number."""
    size = 2 if edition(request) == "dlt645-1997" else 4
    sequence = request.data[size:] if request.control == 0x12 else b""
    return reply(request, request.data[:size] + octets + sequence, own=own, follows=follows)


def address_reply(own: str) -> Frame:
    """The answer to the question for the address."""
    return Frame(normal(own), 0x93, encode_address(normal(own), 6))


def refusal(request: Frame, *errors: str, own: str = "") -> Frame:
    """The answer that `request` is refused: `errors` are names of bits as ``error_bits`` has them."""
    answer = request.control | REPLY | ERROR
    parts = {"protocol": edition(request), "error_bits": list(errors)}
    return _build(own or request.address, answer, parts)
