"""Relays and valves: of DL/T 698.45 meters through PROXY (8000, 8001, 4307 to 4309), of others by passing octets on.

A command goes out once. What the terminal does not clearly answer is *unknown*: only reading the state tells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from meterweave.headend import forwarded
from meterweave.headend.dlt698.line import NO_SUCH_DATA, SUCCESS, Line, Talk, answered, dar_words, server_of
from meterweave.headend.dlt698.literals import NULL, array, enum, local_stamp, oad, structure, u8, u16
from meterweave.headend.dlt698.reading import METER_S, is_terminal
from meterweave.headend.dlt698.tally import LEFT_OUT
from meterweave.headend.dlt698.transparent import UNCLEAR, pass_through
from meterweave.headend.operations import Done, Outcome, ReadRelay, Refused, Relay, RelayAction, Unknown
from meterweave.protocols.dlt698 import access, proxy
from meterweave.protocols.dlt698.apdu import TimeTag
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import ResultNormal
from meterweave.protocols.dlt698.values import TimeInterval
from meterweave.registry.address import DLT698
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

RELAY = 0xF205_0201
"""Relay 1; a meter has no other."""
OUTPUT_STATE, KEEP_STATE = 0x8000_0300, 0x8001_0200
TRIP, CLOSE, KEEP, RELEASE = 0x8000_8100, 0x8000_8200, 0x8001_7F00, 0x8001_8000
OBEY_WITHIN = TimeInterval(1, 10)
"""How old a command may be when it is carried out. Clocks may be off by some minutes."""

_AT_ONCE, _FOR_EVER, _NOT_BY_ITSELF, _DIRECTLY = 0, 0, 0, 1
_ORDERS: Mapping[RelayAction, tuple[int, Data]] = MappingProxyType(
    {
        RelayAction.TRIP: (
            TRIP,
            array([structure(oad(RELAY), u8(_AT_ONCE), u16(_FOR_EVER), (Tag.BOOL, _NOT_BY_ITSELF))]),
        ),
        RelayAction.CLOSE: (CLOSE, array([structure(oad(RELAY), enum(_DIRECTLY))])),
        RelayAction.KEEP: (KEEP, NULL),
        RelayAction.RELEASE: (RELEASE, NULL),
    }
)
_VALVES: Mapping[Utility, int] = MappingProxyType(
    {Utility.WATER: 0x4307_8000, Utility.GAS: 0x4308_8000, Utility.HEAT: 0x4309_8000}
)
_VALVE_ORDERS: Mapping[RelayAction, int] = MappingProxyType({RelayAction.TRIP: 0x99, RelayAction.CLOSE: 0x55})

NO_KEEPING = Refused(Text("a valve cannot be kept open by order", "阀门无保电命令"))
NO_VALVE_STATE = Refused(Text("DL/T 698.45 does not tell the state of a valve", "DL/T 698.45不提供阀门状态"))
NO_STATE = Refused(Text("the meter does not tell the state of its relay", "电表未提供继电器状态"))


# Operating -----------------------------------------------------------------------------------------------------------


def operate(line: Line, wanted: Relay, clock: Callable[[], int], zone: ZoneInfo) -> Talk[Outcome]:
    """Operate a relay or valve, once."""
    meter = wanted.meter
    if meter.protocol != DLT698:
        request = forwarded.relay_request(meter, wanted.action, wanted.authority, clock(), zone)
        if isinstance(request, Refused):
            return request
        passed = yield from pass_through(line, meter, request, tries=1)
        return passed.outcome
    order = _order(meter, wanted.action)
    if order is None:
        return NO_KEEPING
    return (yield from _command(line, meter, order, TimeTag(local_stamp(clock(), zone), OBEY_WITHIN)))


def _order(meter: MeterEntry, action: RelayAction) -> tuple[int, Data] | None:
    """Method and argument; None where the device has no such thing."""
    if meter.utility is Utility.ELECTRICITY:
        return _ORDERS[action]
    code = _VALVE_ORDERS.get(action)
    return None if code is None else (_VALVES[meter.utility], enum(code))


def _command(line: Line, meter: MeterEntry, order: tuple[int, Data], tag: TimeTag) -> Talk[Outcome]:
    omd, param = order
    if is_terminal(line, meter):
        own = access.ActionRequest(0, omd, param, tag)
        answer = yield from line.ask(own, access.ActionResponseNormal, tries=1)
        return _done(answer.dar)
    server = proxy.ServerAction(server_of(meter), METER_S, (access.ActionItem(omd, param),))
    request = proxy.ProxyActionRequestList(0, METER_S, (server,), tag)
    response = yield from line.ask(request, proxy.ProxyActionResponseList, tries=1, forwarded=True)
    for one in response.servers:
        if answered(one.server, meter):
            for result in one.results:
                if result.omd == omd:
                    return _done(result.dar)
    return Unknown(LEFT_OUT)


def _done(dar: int) -> Outcome:
    if dar == SUCCESS:
        return Done()
    return Unknown(dar_words(dar)) if dar in UNCLEAR else Refused(dar_words(dar))


# Reading the state ---------------------------------------------------------------------------------------------------


def read_state(line: Line, wanted: ReadRelay) -> Talk[Outcome]:
    """Whether the relay or valve is closed, and whether the supply is kept."""
    meter = wanted.meter
    if meter.protocol != DLT698:
        request = forwarded.relay_state_request(meter)
        if isinstance(request, Refused):
            return request
        passed = yield from pass_through(line, meter, request)
        return passed.outcome
    if meter.utility is not Utility.ELECTRICITY:
        return NO_VALVE_STATE
    return _state((yield from _states(line, meter)))


def _states(line: Line, meter: MeterEntry) -> Talk[Sequence[ResultNormal]]:
    oads = (OUTPUT_STATE, KEEP_STATE)
    if is_terminal(line, meter):
        return (yield from line.attributes(oads))
    request = proxy.ProxyGetRequestList(0, METER_S, (proxy.ServerGet(server_of(meter), METER_S, oads),))
    response = yield from line.ask(request, proxy.ProxyGetResponseList, forwarded=True)
    return next((one.results for one in response.servers if answered(one.server, meter)), ())


def _state(results: Sequence[ResultNormal]) -> Outcome:
    found = {one.oad: one for one in results}
    output, keeping = found.get(OUTPUT_STATE), found.get(KEEP_STATE)
    if output is None:
        return Unknown(LEFT_OUT)
    if output.data is None:
        return _unread(output.dar)
    tag, bits = output.data
    if tag != Tag.BIT_STRING or not bits.bits:
        return NO_STATE
    facts: dict[str, bool | int | str] = {"closed": 0 not in bits.ones}
    if keeping is not None and keeping.data is not None and keeping.data[0] in {Tag.ENUM, Tag.UNSIGNED}:
        facts["kept"] = keeping.data[1] != 0
    return Done(facts)


def _unread(dar: int) -> Outcome:
    """Why there is no state: the meter has none, or nobody knows."""
    if dar in NO_SUCH_DATA:
        return NO_STATE
    return Unknown(dar_words(dar)) if dar in UNCLEAR else Refused(dar_words(dar))
