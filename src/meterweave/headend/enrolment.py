"""Taking in who is unknown, where the centre is set to: terminals as they log in, meters as their readings come.

Whoever waits is enrolled together with all others that wait, in one transaction. What a frame does not tell is filled
in as well as it can be, for people to correct: the utility from what was measured, the protocol from the address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from meterweave.headend.settings import HeadEndSettings
from meterweave.metering.quantities import by_code
from meterweave.registry import Directory, Meter, Registry, RegistryError
from meterweave.registry.address import GDW1376, address_text, read_address
from meterweave.registry.changes import ArchiveSession, newest
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import Enrolment, TerminalState, Utility

_AT_ONCE = 500  # in one transaction, which holds the archives' one writer's place
_LOOK_S = 0.02  # between looks whether the directory has followed [s]

_log = structlog.get_logger(__name__)


class NewTerminal(NamedTuple):
    """A terminal that logs in and is unknown."""

    protocol: str
    address_key: int
    address: str = ""  # where the key cannot be turned back into it: of names


class NewMeter(NamedTuple):
    """A meter whose readings came and that is unknown."""

    terminal: int  # id
    protocol: str  # of the terminal
    key: int  # under which the readings came
    quantity: int  # one of those read
    forwarded: bool
    address: str = ""  # as of `NewTerminal`
    meter_protocol: str = ""  # of the meter; empty: to be guessed
    model: str = ""  # its profile, where that is known
    utility: Utility | None = None  # None: that of the quantity


New = NewTerminal | NewMeter


class EnrolmentDesk:
    """Enrols; `run` has to run beside."""

    def __init__(self, registry: Registry, directory: Directory, settings: HeadEndSettings) -> None:
        self._registry, self._directory, self._settings = registry, directory, settings
        self._queue: asyncio.Queue[tuple[New, asyncio.Future[bool]]] = asyncio.Queue(settings.enrol_waiting_max)
        self._failing = False

    async def enrol(self, wanted: Sequence[New]) -> bool:
        """Returns when the directory may know them, or cannot in time; asking the directory tells which.

        Returns
        -------
        bool
            Whether all were dealt with: whom the directory does not know then cannot be enrolled. Else trying again
            may help.
        """
        loop = asyncio.get_running_loop()
        waiting = []
        for one in wanted:
            if self._queue.full():
                break
            done: asyncio.Future[bool] = loop.create_future()
            self._queue.put_nowait((one, done))
            waiting.append(done)
        if waiting:
            await asyncio.wait(waiting, timeout=self._settings.enrol_within_s)
        return len(waiting) == len(wanted) and all(done.done() and done.result() for done in waiting)

    async def run(self) -> None:
        """Enrol whoever waits, for ever; cancel to end."""
        while True:
            taken = [await self._queue.get()]
            while len(taken) < _AT_ONCE and not self._queue.empty():
                taken.append(self._queue.get_nowait())
            written = False
            try:
                number = await asyncio.to_thread(self._write, [one for one, _ in taken])
                await asyncio.wait_for(self._followed(number), self._settings.enrol_within_s)
                self._failing, written = False, True
            except (SQLAlchemyError, RegistryError, TimeoutError) as error:
                if not self._failing:
                    _log.warning("enrolling fails", error=str(error))
                self._failing = True
            for _, done in taken:
                if not done.done():
                    done.set_result(written)

    async def _followed(self, number: int) -> None:
        while self._directory.snapshot.number < number:
            await asyncio.sleep(_LOOK_S)

    def _write(self, wanted: Sequence[New]) -> int:
        """Enrol in one transaction; its number."""
        with self._registry.writing() as session:
            for one in dict.fromkeys(wanted):
                try:
                    with session.begin_nested():
                        if isinstance(one, NewTerminal):
                            _enrol_terminal(session, one)
                        else:
                            _enrol_meter(session, one)
                except (RegistryError, IntegrityError) as error:
                    _log.debug("not enrolled", wanted=str(one), error=str(error))
        with self._registry.reading() as session:
            return newest(session)


def _enrol_terminal(session: ArchiveSession, wanted: NewTerminal) -> None:
    address = wanted.address or address_text(wanted.protocol, wanted.address_key)
    enrol(session, wanted.protocol, address, enrolled_by=Enrolment.AUTOMATIC, state=TerminalState.ACTIVE)


def _enrol_meter(session: ArchiveSession, wanted: NewMeter) -> None:
    """A meter on its terminal.

    One that hangs on another terminal, or measures something else, stays as it is, for people to decide.
    """
    meter = _meter_of(wanted)
    stored = session.scalars(select(Meter).where(_same(meter))).first()
    if stored is None:
        session.add(meter)
    elif _measures(stored, wanted) and stored.terminal_id in (None, wanted.terminal):
        if stored.terminal_id is None:
            stored.terminal_id = wanted.terminal
            stored.point_number = meter.point_number
        stored.model = stored.model or meter.model
    session.flush()


def _same(meter: Meter) -> ColumnElement[bool]:
    """What the stored row of a meter has; a local address means another device on every terminal."""
    named = and_(Meter.protocol == meter.protocol, Meter.address_key == meter.address_key)
    if meter.local_address:
        return and_(named, Meter.local_address, Meter.terminal_id == meter.terminal_id)
    return and_(named, ~Meter.local_address)


def _measures(stored: Meter, wanted: NewMeter) -> bool:
    """Whether nothing that is known of a new meter speaks against its being the stored one."""
    return stored.utility is (wanted.utility or _told(wanted.quantity) or stored.utility)


def _meter_of(wanted: NewMeter) -> Meter:
    utility = wanted.utility or _told(wanted.quantity) or Utility.ELECTRICITY
    if wanted.protocol == GDW1376 and not wanted.forwarded:
        # The terminal names a measuring point and not the meter behind it; so do the archives, until they know better.
        return Meter(
            utility=utility,
            protocol=GDW1376,
            address=address_text(GDW1376, wanted.key),
            address_key=wanted.key,
            terminal_id=wanted.terminal,
            point_number=wanted.key & 0xFFFF,
        )
    guessed = "cjt188" if utility is not Utility.ELECTRICITY else "dlt645" if wanted.forwarded else "dlt698"
    protocol = wanted.meter_protocol or guessed
    address = read_address(protocol, wanted.address or address_text(protocol, wanted.key))
    return Meter(
        utility=utility,
        protocol=protocol,
        address=address.text,
        address_key=address.key,
        local_address=address.local,
        terminal_id=wanted.terminal,
        model=wanted.model,
    )


def _told(code: int) -> Utility | None:
    """The utility whose meters have a quantity; None: those of several have it."""
    quantity = by_code().get(code)
    return Utility(quantity.utility) if quantity and quantity.utility else None
