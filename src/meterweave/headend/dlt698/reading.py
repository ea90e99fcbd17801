"""Values of this moment: of the terminal, of DL/T 698.45 meters by PROXY, of others by passing octets through."""

from __future__ import annotations

from collections.abc import Sequence

from meterweave.headend import forwarded
from meterweave.headend.dlt698.line import SUCCESS, Line, Talk, answered, dar_words, server_of
from meterweave.headend.dlt698.tally import LEFT_OUT, NO_SUCH_DATA, Tally, of_utility, portions
from meterweave.headend.dlt698.transparent import pass_through
from meterweave.headend.operations import Done, Keep, Outcome, ReadNow, Refused
from meterweave.protocols.dlt698 import proxy
from meterweave.protocols.dlt698.attributes import attributes_for
from meterweave.protocols.dlt698.readings import link_key
from meterweave.registry.address import DLT698
from meterweave.registry.meter_entries import MeterEntry

METERS_MAX = 8
"""Meters in one PROXY request: the terminal asks them one after another while the centre waits."""
METER_S, ALL_S = 10, 50
"""How long the terminal may try one meter, and all of a request; less than the centre waits. [s]"""
ATTRIBUTES_MAX = 16
"""Attributes in one question; an answer of eight meters then is a few KB."""


def is_terminal(line: Line, meter: MeterEntry) -> bool:
    """Whether the meter is the terminal: one that calls by itself."""
    return line.link is not None and link_key(line.link) == meter.address_key


def read_now(line: Line, wanted: ReadNow) -> Talk[Outcome]:
    """Read present values; without meters those of the terminal itself."""
    tally = Tally("values")
    if not wanted.meters:
        return (yield from _read_terminal(line, attributes_for(wanted.quantities), tally))
    behind: dict[tuple[int, ...], list[MeterEntry]] = {}
    for meter in wanted.meters:
        oads = attributes_for(of_utility(wanted.quantities, meter.utility))
        if meter.protocol != DLT698:
            yield from _read_through(line, meter, of_utility(wanted.quantities, meter.utility), tally)
        elif not oads:
            tally.refuse(meter, NO_SUCH_DATA)
        elif is_terminal(line, meter):
            yield from _read_terminal(line, oads, tally, meter)
        else:
            behind.setdefault(oads, []).append(meter)
    for oads, meters in behind.items():
        for some in portions(oads, ATTRIBUTES_MAX):
            for few in portions(meters, METERS_MAX):
                yield from _read_by_proxy(line, few, some, tally)
    return tally.outcome(len(wanted.meters))


def _read_terminal(
    line: Line, oads: Sequence[int], tally: Tally, meter: MeterEntry | None = None
) -> Talk[Done | Refused]:
    reason = NO_SUCH_DATA
    before = tally.read
    for some in portions(oads, ATTRIBUTES_MAX):
        results = yield from line.attributes(some, keep=True)
        tally.read += sum(one.data is not None for one in results)
        reason = next((dar_words(one.dar) for one in results if one.dar != SUCCESS), reason)
    if meter is not None and tally.read == before:
        tally.refuse(meter, reason)
    return tally.outcome(1) if tally.read else Refused(reason)


def _read_by_proxy(line: Line, meters: Sequence[MeterEntry], oads: Sequence[int], tally: Tally) -> Talk[None]:
    servers = tuple([proxy.ServerGet(server_of(meter), METER_S, tuple(oads)) for meter in meters])
    request = proxy.ProxyGetRequestList(0, min(ALL_S, METER_S * len(meters)), servers)
    answer, apdu = yield from line.ask_whole(request, proxy.ProxyGetResponseList, forwarded=True)
    values = 0
    for meter in meters:
        results = next((one.results for one in apdu.servers if answered(one.server, meter)), None)
        if results is None:
            tally.refuse(meter, LEFT_OUT)
            continue
        read = sum(one.data is not None for one in results)
        values += read
        if not read:
            tally.refuse(meter, next((dar_words(one.dar) for one in results), NO_SUCH_DATA))
    tally.read += values
    if values:
        yield Keep(answer.octets)


def _read_through(line: Line, meter: MeterEntry, quantities: Sequence[int], tally: Tally) -> Talk[None]:
    requests = forwarded.read_requests(meter, quantities)
    if not requests:
        tally.refuse(meter, NO_SUCH_DATA)
    for request in requests:
        passed = yield from pass_through(line, meter, request)
        if isinstance(passed.outcome, Done):
            tally.read += 1
            yield Keep(passed.octets)
        else:
            tally.refuse(meter, passed.outcome.reason)
