"""Building frames from names, for both sides: the concentrator asks and confirms, the module answers and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.protocols.gdw1376.part2.header import HPLC, UPLINK, Address, control_octet, info_octets
from meterweave.protocols.gdw1376.part2.message import Message, data_of, fn_to_dt

ALL_DONE = "ffffffff"
"""State of a confirmation: the command is done, all channels are idle."""


def downlink(
    afn: int,
    fn: int,
    payload: Mapping[str, Any] | None = None,
    *,
    data: bytes | None = None,
    prm: bool = True,
    comm_mode: int = HPLC,
    address: Address | None = None,
    **info: int | str,
) -> Message:
    """A frame from the concentrator to its module.

    Parameters
    ----------
    afn, fn : int
        The function, see `functions.FUNCTIONS`.
    payload : mapping or None
        The data unit by name; None: all that can be left out is.
    data : bytes or None
        The data unit's octets instead, for a function whose layout is not known.
    prm : bool
        Whether it starts an exchange.
    comm_mode : int
        The kind of module, see `words.COMM_MODE`.
    address : Address or None
        For a node behind the module: who asks, over whom, whom. None: the module itself is meant.
    **info
        Fields of R by name, above all ``sequence``; what the address says need not be repeated.

    Raises
    ------
    EncodeError
        If a name is unknown or a value does not fit; the sentence names the field.
    """
    control = control_octet({"prm": int(prm), "comm_mode": comm_mode}, uplink=False)
    return _message(control, afn, fn, payload, data, address, info)


def uplink(
    afn: int,
    fn: int,
    payload: Mapping[str, Any] | None = None,
    *,
    data: bytes | None = None,
    prm: bool = False,
    comm_mode: int = HPLC,
    address: Address | None = None,
    **info: int | str,
) -> Message:
    """A frame from the module to its concentrator; parameters and errors as for `downlink`."""
    control = control_octet({"prm": int(prm), "comm_mode": comm_mode}, uplink=True)
    return _message(control, afn, fn, payload, data, address, info)


def _message(
    control: int,
    afn: int,
    fn: int,
    payload: Mapping[str, Any] | None,
    data: bytes | None,
    address: Address | None,
    info: Mapping[str, int | str],
) -> Message:
    up = bool(control & UPLINK)
    octets = info_octets(info, address, uplink=up)
    unit = data_of(afn, fn, payload or {}, uplink=up) if data is None else data
    return Message(control, octets, address, afn, fn_to_dt(fn), unit)


def answer(asked: Message, payload: Mapping[str, Any], *, function: tuple[int, int] | None = None) -> Message:
    """The other side's answer to `asked`: the same sequence number, the same AFN and Fn unless told otherwise.

    Raises
    ------
    EncodeError
        If a value does not fit, or `asked` has no single Fn and no other is told.
    """
    afn, fn = function or (asked.afn, asked.fn or 0)
    build = downlink if asked.uplink else uplink
    return build(
        afn,
        fn,
        payload,
        prm=False,
        comm_mode=asked.comm_mode,
        address=asked.address.back() if asked.address else None,
        sequence=asked.sequence,
    )


def confirm(asked: Message, *, wait_seconds: int = 0) -> Message:
    """00H F1: `asked` was understood, or is kept; the next request may come after `wait_seconds`."""
    return answer(asked, {"channel_status": ALL_DONE, "wait_seconds": wait_seconds}, function=(0x00, 1))


def deny(asked: Message, error_code: int) -> Message:
    """00H F2: `asked` cannot be done, for the reason of `words.ERROR_CODE`."""
    return answer(asked, {"error_code": error_code}, function=(0x00, 2))
