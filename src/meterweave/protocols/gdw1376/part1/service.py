"""The messages of which exchanges are made: login and heartbeat, requests and commands, answers, confirmations.

Both ends are here: the head-end sends `request` and `confirm`, a simulated terminal `login`, `heartbeat`, `report`,
`answer` and `confirm`. Data units come from `build_unit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.gdw1376.part1.designator import dt_of
from meterweave.protocols.gdw1376.part1.message import (
    ACD_OR_FCB,
    AUTHENTICATED,
    CON,
    FIN,
    FIR,
    PROTOCOL_130,
    PROTOCOL_376,
    PW_SIZE,
    PW_SIZE_130,
    TPV,
    Message,
    Unit,
)
from meterweave.protocols.gdw1376.part1.values import build_unit

CONFIRM, LINK = 0x00, 0x02  # AFN
CONFIRM_DOWN, CONFIRM_UP = 0x0B, 0x80
REQUEST_DATA, COMMAND = 0x4B, 0x4A
LINK_TEST, REPORT, ANSWER = 0xC9, 0xC4, 0x88
_LOGIN, _LOGOUT, _HEARTBEAT = 1, 2, 3


def request(
    region: int,
    terminal: int,
    afn: int,
    units: Sequence[Unit],
    *,
    number: int = 0,
    msa: int = 1,
    protocol: int = PROTOCOL_376,
    pw: bytes | None = None,
    tp: bytes = b"",
    confirm: bool = False,
) -> Message:
    """A frame from the master station: a question, parameters or a command.

    Parameters
    ----------
    region : int
        A1, its hexadecimal digits as people write them: 0x0755.
    number : int
        PSEQ, 0 to 15.
    pw : bytes, optional
        Message authentication; by default zeros where the function wants it, 16 octets or, in 130-2005, 2.
    tp : bytes
        Time tag of 6 octets, or none.
    """
    if pw is None:
        size = PW_SIZE_130 if protocol == PROTOCOL_130 else PW_SIZE
        pw = bytes(size if afn in AUTHENTICATED else 0)
    control = COMMAND if afn in AUTHENTICATED else REQUEST_DATA
    return Message(
        protocol=protocol,
        control=control,
        region=region,
        terminal=terminal,
        master=_master(msa),
        afn=afn,
        seq=_seq(number, tp=tp, confirm=confirm),
        units=tuple(units),
        pw=pw,
        tp=tp,
    )


def answer(to: Message, units: Sequence[Unit], *, ec: bytes = b"", tp: bytes = b"") -> Message:
    """The terminal's answer to a request: same function, same number, the asking master copied.

    Parameters
    ----------
    ec : bytes
        The two event counters where important events wait; this sets ACD.
    """
    return to._replace(
        control=ANSWER | (ACD_OR_FCB if ec else 0),
        seq=_seq(to.number, tp=tp),
        units=tuple(units),
        rest=b"",
        pw=b"",
        ec=ec,
        tp=tp,
    )


def report(region: int, terminal: int, afn: int, units: Sequence[Unit], *, number: int = 0) -> Message:
    """What a terminal sends unasked: a scheduled report or an event; it wants no answer, and MSA is 0."""
    return _uplink(REPORT, region, terminal, afn, units, _seq(number))


def login(region: int, terminal: int, *, number: int = 0) -> Message:
    """A terminal introduces itself (AFN 02H F1)."""
    return _uplink(LINK_TEST, region, terminal, LINK, [Unit(0, dt_of([_LOGIN]))], _seq(number, confirm=True))


def logout(region: int, terminal: int, *, number: int = 0) -> Message:
    """A terminal leaves (AFN 02H F2)."""
    return _uplink(LINK_TEST, region, terminal, LINK, [Unit(0, dt_of([_LOGOUT]))], _seq(number, confirm=True))


def heartbeat(region: int, terminal: int, *, number: int = 0, clock: str | None = None) -> Message:
    """A terminal is still there (AFN 02H F3); newer ones say their clock, ``2018-10-07T23:20:51``."""
    values: Mapping[str, Any] = {} if clock is None else {"clock": clock}
    unit = build_unit(LINK, True, [0], [_HEARTBEAT], values)
    return _uplink(LINK_TEST, region, terminal, LINK, [unit], _seq(number, confirm=True))


def confirm(to: Message, errors: Sequence[int] | None = None) -> Message:
    """The confirmation of a received message (AFN 00H), from the other side, with the number received and CON = 0.

    Parameters
    ----------
    errors : sequence of int, optional
        ERR of each unit, 0 for done: confirms unit by unit (F3). Without it everything is confirmed (F1).

    Raises
    ------
    EncodeError
        If there are not as many errors as units.
    """
    if errors is None:
        unit = Unit(0, dt_of([1]))
    else:
        if len(errors) != len(to.units):
            raise EncodeError(f"{len(errors)} errors for {len(to.units)} units")
        units = [
            {"da": one.da.to_bytes(2, "little").hex(), "dt": one.dt.to_bytes(2, "little").hex(), "error_code": error}
            for one, error in zip(to.units, errors, strict=True)
        ]
        values = {"confirm_by_unit": {"value": f"0x{to.afn:02X}", "units": units}}
        unit = build_unit(CONFIRM, not to.uplink, [0], [3], values)
    return to._replace(
        control=CONFIRM_DOWN if to.uplink else CONFIRM_UP,
        afn=CONFIRM,
        seq=_seq(to.number),
        units=(unit,),
        rest=b"",
        pw=b"",
        ec=b"",
        tp=b"",
    )


def _uplink(control: int, region: int, terminal: int, afn: int, units: Sequence[Unit], seq: int) -> Message:
    return Message(PROTOCOL_376, control, region, terminal, 0, afn, seq, tuple(units))


def _seq(number: int, *, tp: bytes = b"", confirm: bool = False) -> int:
    if not 0 <= number <= 15:
        raise EncodeError(f"number is {number}, wanted 0 to 15")
    return (TPV if tp else 0) | FIR | FIN | (CON if confirm else 0) | number


def _master(msa: int) -> int:
    if not 0 <= msa <= 127:
        raise EncodeError(f"msa is {msa}, wanted 0 to 127")
    return msa << 1
