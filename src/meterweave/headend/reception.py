"""Who speaks without a session: a device that names itself in every message, over MQTT or in datagrams.

The archives have it as a terminal of protocol ``mqtt`` or ``udp``, whose address is a name. Where the centre enrols, an
unknown one is taken in; else it is counted, remembered and logged once, like a terminal that may not log in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import structlog

from meterweave.headend.counters import Counters
from meterweave.headend.enrolment import EnrolmentDesk, NewTerminal
from meterweave.headend.settings import HeadEndSettings
from meterweave.headend.unknown import Unknown
from meterweave.registry import Directory
from meterweave.registry.address import Address, read_address
from meterweave.registry.errors import AddressError
from meterweave.registry.terminal_table import TerminalEntry

_log = structlog.get_logger(__name__)


class TerminalName(NamedTuple):
    """A terminal by protocol and address."""

    protocol: str
    address: str


class Reception:
    """Finds the terminal that a device is.

    Parameters
    ----------
    unknown : Unknown
        Where strangers are remembered.
    clock : callable
        The time of day. [us since 1970, UTC]
    desk : EnrolmentDesk, optional
        Where strangers are enrolled; without it they stay strangers.
    """

    def __init__(
        self,
        directory: Directory,
        unknown: Unknown[TerminalName],
        counters: Counters,
        settings: HeadEndSettings,
        *,
        clock: Callable[[], int],
        desk: EnrolmentDesk | None,
    ) -> None:
        self._directory, self._unknown, self._counters, self._settings = directory, unknown, counters, settings
        self._clock, self._desk = clock, desk

    def find(self, protocol: str, name: str) -> TerminalEntry | None:
        """The terminal that `name` is in the archives, if the centre talks to it."""
        address = _address(protocol, name)
        entry = None if address is None else self._directory.snapshot.terminal(protocol, address.key)
        return entry if entry is not None and entry.may_log_in else None

    def may_enrol(self, protocol: str, name: str) -> bool:
        """Whether `meet` may help where `find` found nothing; a stranger met lately is not tried again."""
        address = _address(protocol, name)
        if self._desk is None or address is None:
            return False
        known = self._directory.snapshot.terminal(protocol, address.key)
        again_us = self._clock() - round(self._settings.enrol_again_s * 1e6)
        return known is None and not self._unknown.lately(TerminalName(protocol, address.text), again_us)

    async def enrol(self, protocol: str, name: str) -> TerminalEntry | None:
        """Take a stranger in; None where that did not come to an end, and may help another time."""
        address = _address(protocol, name)
        if self._desk is not None and address is not None:
            await self._desk.enrol([NewTerminal(protocol, address.key, address.text)])
        return self.find(protocol, name)

    def turn_away(self, protocol: str, name: str) -> None:
        """Count and remember a device that is not let in."""
        self._counters.messages_unknown_device += 1
        address = _address(protocol, name)
        shown = TerminalName(protocol, address.text if address else _shortened(name))
        if self._unknown.meet(shown, self._clock()):
            entry = self._directory.snapshot.terminal(protocol, address.key) if address else None
            reason = f"device is {entry.state}" if entry else "unknown device" if address else "no name for a device"
            _log.warning("message not taken", reason=reason, protocol=protocol, address=shown.address)


def _address(protocol: str, name: str) -> Address | None:
    try:
        return read_address(protocol, name)
    except AddressError:
        return None


def _shortened(name: str) -> str:
    return name[:48]
