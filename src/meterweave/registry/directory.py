"""The head-end's view of the archives in memory: who calls, and whom a wire key means.

A `Snapshot` never changes; `Directory.refresh` asks the database for its newest number (one row by its key), reads
the terminals that changed, and swaps a new snapshot in for the old. Whoever took a snapshot goes on with it. While the
database cannot be reached, the last snapshot stays in use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from meterweave.registry.changes import changes_since, newest
from meterweave.registry.database import Registry
from meterweave.registry.key_table import UNKNOWN, Entries, KeyTable
from meterweave.registry.models import Meter, Terminal
from meterweave.registry.terminal_table import TerminalEntry, TerminalTable

POLL_S = 0.25
"""How often the newest number is asked for. [s] A change is seen within a second with room to spare."""

_ASKED_AT_ONCE = 500  # terminals in one question
_ROWS_AT_ONCE = 50_000

_log = logging.getLogger(__name__)

Ints = NDArray[np.int64]


class Snapshot:
    """The archives as they were after one transaction.

    Parameters
    ----------
    number : int
        Of that transaction.
    terminals : TerminalTable
        All terminals.
    by_wire : KeyTable
        Meters by the keys of what their terminals have stored.
    by_address : KeyTable
        Meters by the keys of their own addresses, those alone where that is another key.
    """

    __slots__ = ("_of_protocol", "by_address", "by_wire", "number", "terminals")

    def __init__(self, number: int, terminals: TerminalTable, by_wire: KeyTable, by_address: KeyTable) -> None:
        self.number = number
        self.terminals = terminals
        self.by_wire = by_wire
        self.by_address = by_address
        self._of_protocol: dict[str, tuple[Ints, Ints]] = {}

    def terminal(self, protocol: str, address_key: int) -> TerminalEntry | None:
        """The terminal that calls with this address; None: it is unknown and to be refused."""
        return self.terminals.find(protocol, address_key)

    def meters(self, terminal: int, keys: Ints) -> Ints:
        """The meters that a terminal's stored data name.

        Parameters
        ----------
        terminal : int
            Its id.
        keys : int64[n]
            The column ``meter`` of a batch fresh from the codec.

        Returns
        -------
        meter : int64[n]
            Ids; `UNKNOWN` (-1) where the archives have no such meter on this terminal.
        """
        return self.by_wire.lookup(terminal, keys)

    def forwarded_meters(self, terminal: int, keys: Ints) -> Ints:
        """As `meters`, of frames the terminal only passed on: these name meters by their own addresses."""
        found = self.by_address.lookup(terminal, keys)
        return np.where(found == UNKNOWN, self.by_wire.lookup(terminal, keys), found)

    def meters_of_many(self, terminals: Ints, keys: Ints) -> Ints:
        """As `meters`, of rows that came from many terminals: int64[n] of ids each."""
        return self.by_wire.lookup_many(terminals, keys)

    def forwarded_meters_of_many(self, terminals: Ints, keys: Ints) -> Ints:
        """As `forwarded_meters`, of rows that came from many terminals: int64[n] of ids each."""
        found = self.by_address.lookup_many(terminals, keys)
        return np.where(found == UNKNOWN, self.by_wire.lookup_many(terminals, keys), found)

    def meters_of_protocol(self, protocol: str, keys: Ints) -> Ints:
        """The meters behind any terminal of `protocol`; `UNKNOWN` also where two terminals have a meter of that key.

        For tools that read frames without a session. The first call on a snapshot sorts all keys of the protocol;
        16 octets a meter.
        """
        index = self._of_protocol.get(protocol)
        if index is None:
            index = self._of_protocol[protocol] = _unambiguous(self.by_wire.entries(), self.terminals.ids(protocol))
        own_keys, own_meters = index
        if not len(own_keys):
            return np.full(len(keys), UNKNOWN, np.int64)
        at = np.searchsorted(own_keys, keys)
        at[at == len(own_keys)] = 0
        return np.where(own_keys[at] == keys, own_meters[at], UNKNOWN)

    @property
    def octets(self) -> int:
        """Memory of the columns. [octets]"""
        index = sum(key.nbytes + meter.nbytes for key, meter in self._of_protocol.values())
        return self.terminals.octets + self.by_wire.octets + self.by_address.octets + index


class Refresh(NamedTuple):
    """What a look at the database brought."""

    snapshot: Snapshot
    changed: frozenset[int] | None  # ids of the terminals that look different; None: anything may


class Directory:
    """Follows the archives; made full, kept current by `follow` or by calling `refresh`."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        with registry.reading() as session:
            self._snapshot = _load(session)

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; take it once for everything that must fit together."""
        return self._snapshot

    def refresh(self) -> Refresh:
        """See whether the archives changed, and follow; from one thread at a time.

        Raises
        ------
        sqlalchemy.exc.SQLAlchemyError
            If the database does not answer; the snapshot stays as it was.
        """
        before = self._snapshot
        with self._registry.reading() as session:
            if newest(session) == before.number:
                return Refresh(before, frozenset())
            changes = changes_since(session, before.number)
            changed = changes.terminals
            if changed is None or 2 * len(changed) > max(len(before.terminals), _ASKED_AT_ONCE):
                self._snapshot = _load(session)
            else:
                self._snapshot = _follow(session, before, changes.number, changed)
        return Refresh(self._snapshot, changed)

    async def follow(self, on_change: Callable[[Refresh], None] | None = None, *, poll_s: float = POLL_S) -> None:
        """Refresh for ever, in a thread beside the loop; cancel to end.

        Parameters
        ----------
        on_change : callable, optional
            Called in the loop after each swap, for instance to end the sessions of suspended terminals.
        poll_s : float
            Pause between two looks. [s]
        """
        failing = False
        while True:
            try:
                before = self._snapshot
                refresh = await asyncio.to_thread(self.refresh)
                if failing:
                    failing = False
                    _log.warning("the archives can be read again")
            except (SQLAlchemyError, OSError) as error:
                if not failing:
                    failing = True
                    _log.warning("the archives cannot be read, going on with the last view of them: %s", error)
            else:
                if refresh.snapshot is not before and on_change is not None:
                    on_change(refresh)
            await asyncio.sleep(poll_s)


def _load(session: Session) -> Snapshot:
    number = newest(session)
    return Snapshot(
        number,
        TerminalTable.build(_terminals(session, ())),
        KeyTable.build(_entries(session, _BY_WIRE)),
        KeyTable.build(_entries(session, _BY_ADDRESS)),
    )


def _follow(session: Session, before: Snapshot, number: int, changed: frozenset[int]) -> Snapshot:
    """`before` with the terminals `changed` as `session` sees them."""
    ids = np.array(sorted(changed), np.int64)
    terminals, by_wire, by_address = [], [Entries.empty()], [Entries.empty()]
    for some in _chunks(ids.tolist()):
        terminals += _terminals(session, (Terminal.id.in_(some),))
        by_wire.append(_entries(session, _BY_WIRE.where(Meter.terminal_id.in_(some))))
        by_address.append(_entries(session, _BY_ADDRESS.where(Meter.terminal_id.in_(some))))
    return Snapshot(
        number,
        before.terminals.replaced(ids, terminals),
        before.by_wire.replaced(ids, _joined(by_wire)),
        before.by_address.replaced(ids, _joined(by_address)),
    )


# Asked of the table and not of the model: a row is three integers, and there are millions of them.
_METERS = Meter.__table__.c
_BY_WIRE = select(_METERS.terminal_id, _METERS.wire_key, _METERS.id).where(
    _METERS.terminal_id.is_not(None), _METERS.wire_key.is_not(None)
)
_BY_ADDRESS = select(_METERS.terminal_id, _METERS.address_key, _METERS.id).where(
    _METERS.terminal_id.is_not(None), _METERS.address_key != _METERS.wire_key
)


def _entries(session: Session, query: Select[*tuple[Any, ...]]) -> Entries:
    """The three integer columns of `query`, none of them null."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        return _copied(connection, query)
    rows = connection.execute(query, execution_options={"yield_per": _ROWS_AT_ONCE})
    parts = [np.empty((0, 3), np.int64)]
    for some in rows.partitions():
        parts.append(np.fromiter(chain.from_iterable(some), np.int64, 3 * len(some)).reshape(-1, 3))
    found = np.concatenate(parts)
    return Entries(*(np.ascontiguousarray(found[:, column]) for column in range(3)))


# PostgreSQL's binary COPY format: a head of 19 octets, rows of a field count and fields with their lengths, -1 as a
# field count at the end. Three 64-bit fields that are not null make rows of one size, which are columns at once.
_COPY_HEAD, _COPY_END = 19, 2
_COPY_ROW = np.dtype(
    [("fields", ">i2"), *((name, kind) for n in "012" for name, kind in ((f"l{n}", ">i4"), (n, ">i8")))]
)


def _copied(connection: Connection, query: Select[*tuple[Any, ...]]) -> Entries:
    text = query.compile(connection, compile_kwargs={"literal_binds": True})
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY ({text}) TO STDOUT (FORMAT BINARY)") as copy:
        octets = b"".join(copy)
    rows = np.frombuffer(octets[_COPY_HEAD : len(octets) - _COPY_END], _COPY_ROW)
    return Entries(*(rows[name].astype(np.int64) for name in "012"))


def _terminals(session: Session, wanted: Sequence[ColumnElement[bool]]) -> list[TerminalEntry]:
    query = select(
        Terminal.id,
        Terminal.protocol,
        Terminal.address_key,
        Terminal.kind,
        Terminal.state,
        Terminal.heartbeat_s,
        Terminal.district_id,
    ).where(*wanted)
    return [TerminalEntry(*row) for row in session.execute(query)]


def _joined(parts: Sequence[Entries]) -> Entries:
    return Entries(*(np.concatenate([getattr(part, name) for part in parts]) for name in Entries.__slots__))


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    rest = iter(ids)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        yield some


def _unambiguous(entries: Entries, terminals: Ints) -> tuple[Ints, Ints]:
    """Keys, sorted, and meters on these terminals, keys that occur twice left out."""
    own = np.isin(entries.terminal, terminals)
    key, meter = entries.key[own], entries.meter[own]
    order = np.argsort(key, kind="stable")
    key, meter = key[order], meter[order]
    twice = np.zeros(len(key), np.bool_)
    twice[1:] |= key[1:] == key[:-1]
    twice[:-1] |= key[1:] == key[:-1]
    return key[~twice], meter[~twice]
