"""The terminal's list of meters (AFN 04H F10, read with AFN 0AH F10), made the same as the archives.

Every meter stands under a sequence number with its measuring point, port, protocol and address; measuring point 0
takes it away. What the archives do not know of a meter stays as the terminal has it. Two kinds are left alone: the
terminal's own measurement (AC sampling), and points of which the archives know nothing but the number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from meterweave.headend.gdw1376.dialogue import NO_ANSWER, Dialogue, Reply, Talk
from meterweave.headend.gdw1376.gathering import NO_POINT
from meterweave.headend.gdw1376.parameters import members
from meterweave.headend.gdw1376.passing import POWER_LINE, port_of
from meterweave.headend.operations import Conversation, Done, Refusal, Refused, SyncArchives, Unknown
from meterweave.protocols.gdw1376.part1 import build_unit, unit_values
from meterweave.protocols.gdw1376.part1.catalogue import QUERY, SET
from meterweave.registry.address import GDW1376, GDW_POINT_MAX
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

METERS = 10  # F
SEQUENCES_AT_ONCE = 64
"""Members of the list read, or set, with one question: at most 1728 octets."""
_AC_SAMPLING = 2
_PROTOCOLS: Mapping[str, int] = MappingProxyType({"dlt645-1997": 1, "dlt645": 30, "cjt188": 32})
_BAUDS: Mapping[int, int] = MappingProxyType({600: 1, 1200: 2, 2400: 3, 4800: 4, 7200: 5, 9600: 6, 19200: 7})
_CLASSES: Mapping[Utility, int] = MappingProxyType({Utility.WATER: 1, Utility.HEAT: 2, Utility.GAS: 3})
"""High digit of the CJ/T 188 meter type, which stands where electricity meters have their class of user."""
_RESIDENT = 5
_NO_PROTOCOL = Text("Q/GDW 1376.1 terminals cannot read meters of this protocol", "1376.1终端不支持该表计规约")
_NOT_TAKEN = Text("the terminal does not show the meter as it was set", "终端回读的表计档案与下发不一致")


class Record(NamedTuple):
    """One member of the list; the fields are called as in the codec."""

    sequence: int
    pn: int
    baud_code: int = 0
    port: int = POWER_LINE
    protocol: int = 0
    address: str = "0" * 12
    password: str = "0" * 12
    tariff_count_raw: str = "0x04"
    digits_raw: str = "0x09"  # six digits and two decimals
    collector_address: str = "0" * 12
    user_class: int = _RESIDENT
    user_subclass: int = 0


def sync_archives(dialogue: Dialogue, wanted: SyncArchives) -> Conversation:
    """Read the list, set what differs, and read that again; `Done.facts` tells ``added``, ``changed``, ``removed``."""
    stored = yield from _read(dialogue, range(1, GDW_POINT_MAX + 1))
    if stored is None:
        return Unknown(NO_ANSWER)
    refusals = [Refusal(one.id, reason) for one in wanted.meters if (reason := _impossible(one)) is not None]
    listed = [one for one in wanted.meters if one.protocol in _PROTOCOLS and _impossible(one) is None]
    changes = changes_of(listed, stored, _spared(wanted.meters))
    denial = yield from _set(dialogue, changes)
    if denial is not None:
        return denial
    shown = yield from _read(dialogue, [one.sequence for one in changes])
    if shown is None:
        return Unknown(NO_ANSWER)
    failed = {one.pn for one in changes if one.pn and shown.get(one.sequence) != one}
    refusals += [Refusal(one.id, _NOT_TAKEN) for one in wanted.meters if one.point_number in failed]
    return Done(_facts(changes, stored), tuple(refusals))


def changes_of(meters: Sequence[MeterEntry], stored: Mapping[int, Record], spared: Iterable[int]) -> list[Record]:
    """The members to be set: meters that are missing or differ, and what is too much, with measuring point 0.

    Parameters
    ----------
    spared : iterable of int
        Measuring points that stay as they are.
    """
    by_point = {one.pn: one for one in stored.values()}
    free = iter([number for number in range(1, GDW_POINT_MAX + 1) if number not in stored])
    points = {one.point_number for one in meters} | set(spared)
    changes = [one._replace(pn=0) for one in stored.values() if one.pn not in points and one.protocol != _AC_SAMPLING]
    added = []
    for meter in sorted(meters, key=lambda one: one.point_number or 0):
        assert meter.point_number is not None
        had = by_point.get(meter.point_number)
        if had is None:
            added.append(meter)
        elif (record := _record(meter, had)) != had:
            changes.append(record)
    taken = set(stored)
    for meter in added:
        assert meter.point_number is not None
        sequence = meter.point_number if meter.point_number not in taken else _next_free(free, taken)
        if sequence is not None:
            taken.add(sequence)
            changes.append(_record(meter, Record(sequence, meter.point_number)))
    return changes


def _next_free(free: Iterator[int], taken: set[int]) -> int | None:
    return next((number for number in free if number not in taken), None)


def _record(meter: MeterEntry, had: Record) -> Record:
    """The member for a meter: what the archives know of it, and the rest as it is."""
    found = had._replace(protocol=_PROTOCOLS[meter.protocol], address=meter.address[-12:])
    if meter.port is not None:
        found = found._replace(port=port_of(meter))
    if meter.baud is not None:
        found = found._replace(baud_code=_BAUDS.get(meter.baud, 0))
    if meter.tariff_count is not None:
        found = found._replace(tariff_count_raw=f"0x{meter.tariff_count:02X}")
    if meter.collector is not None and meter.collector.isdecimal() and len(meter.collector) <= 12:
        found = found._replace(collector_address=meter.collector.zfill(12))
    if meter.protocol == "cjt188":
        # Four-in-one terminals keep the seventh octet of the address and the meter type in fields of electricity.
        found = found._replace(digits_raw=f"0x{meter.address[:2]}", user_class=_CLASSES.get(meter.utility, 0))
        found = found._replace(user_subclass=0)
    return found


def _impossible(meter: MeterEntry) -> Text | None:
    """Why a meter cannot stand in the list; what the terminal enrolled itself stands there already."""
    if meter.protocol == GDW1376:
        return None if meter.point_number is not None else NO_POINT
    if meter.point_number is None or meter.point_number > GDW_POINT_MAX:
        return NO_POINT
    return None if meter.protocol in _PROTOCOLS else _NO_PROTOCOL


def _spared(meters: Iterable[MeterEntry]) -> list[int]:
    return [one.point_number for one in meters if one.protocol == GDW1376 and one.point_number is not None]


# Reading and setting -------------------------------------------------------------------------------------------------


def _read(dialogue: Dialogue, sequences: Sequence[int]) -> Talk[dict[int, Record] | None]:
    """The members that there are of these; None: the terminal does not answer."""
    found: dict[int, Record] = {}
    for at in range(0, len(sequences), SEQUENCES_AT_ONCE):
        asked = sequences[at : at + SEQUENCES_AT_ONCE]
        unit = build_unit(QUERY, False, [0], [METERS], members("query", asked))
        reply = yield from dialogue.ask(QUERY, [unit])
        if reply is None:
            return None
        found |= {one.sequence: one for one in _records(reply) if one.pn}
    return found


def _records(reply: Reply) -> Iterator[Record]:
    """The members in an answer; a denial, which says that there are none of these, has none."""
    for message, unit in reply.units():
        if message.afn != QUERY or unit.items != (METERS,):
            continue
        rows: dict[str, dict[str, Any]] = {}
        for entry in unit_values(message, unit)[0]:
            index, dot, name = entry["name"].partition("].")
            if dot and entry.get("value") is not None:
                rows.setdefault(index, {})[name] = entry["value"]
        for row in rows.values():
            if "sequence" in row and "pn" in row:
                yield _record_of(row)


def _record_of(row: Mapping[str, str]) -> Record:
    """The member in one row of values; a value that the terminal does not give is the usual one."""
    usual = Record(0, 0)._asdict()
    return Record._make(type(value)(row.get(name, value)) for name, value in usual.items())


def _set(dialogue: Dialogue, changes: Sequence[Record]) -> Talk[Refused | Unknown | None]:
    """Set members; None: the terminal says that it did."""
    for at in range(0, len(changes), SEQUENCES_AT_ONCE):
        some = changes[at : at + SEQUENCES_AT_ONCE]
        values = {"meter_count": str(len(some))}
        for index, record in enumerate(some):
            values |= {f"meter[{index}].{name}": str(value) for name, value in record._asdict().items()}
        reply = yield from dialogue.ask(SET, [build_unit(SET, False, [0], [METERS], values)])
        if reply is None:
            return Unknown(NO_ANSWER)
        if reply.denial is not None:
            return Refused(reply.denial)
    return None


def _facts(changes: Sequence[Record], stored: Mapping[int, Record]) -> Mapping[str, int]:
    removed = sum(not one.pn for one in changes)
    added = sum(bool(one.pn) and one.sequence not in stored for one in changes)
    return MappingProxyType({"added": added, "changed": len(changes) - added - removed, "removed": removed})
