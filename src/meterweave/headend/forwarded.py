"""Frames for meters behind a terminal that passes octets through, whatever the terminal speaks: DL/T 645, CJ/T 188.

What a driver forwards is made here, and what the meter sent back is judged here. The readings in an answer are no
matter of this module: the terminal's own codec decodes the frames it forwards.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from meterweave.errors import DecodeError
from meterweave.headend.operations import Authority, Done, Refused, RelayAction, Unknown
from meterweave.protocols import cjt188, dlt645
from meterweave.protocols.cjt188.content import values as values188
from meterweave.protocols.cjt188.formats import VALVE_COMMANDS, Clock, Status
from meterweave.protocols.cjt188.identifiers import identifiers_for as identifiers188
from meterweave.protocols.cjt188.meter import WILDCARD_TYPE, Medium
from meterweave.protocols.dlt645 import address as address645
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.dlt645.formats import Flags
from meterweave.protocols.dlt645.functions import Edition
from meterweave.protocols.dlt645.identifiers import identifiers_for as identifiers645
from meterweave.protocols.dlt645.message import contents, parts
from meterweave.protocols.dlt645.words import word
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

VALID_FOR = timedelta(minutes=10)
"""How long a DL/T 645 control command may be obeyed; a meter's clock may be off by some minutes."""

NO_ANSWER = Unknown(Text("what came back is no answer of this meter", "返回内容不是该表的应答"))


def read_requests(meter: MeterEntry, quantities: Sequence[int]) -> list[bytes]:
    """The frames that ask `meter` for the present values of these quantities (packed OBIS codes).

    Quantities for which the meter's protocol has no words are left out; none left, or a protocol that is not
    forwarded: an empty list.
    """
    speech = _speech(meter)
    return speech.read(meter, quantities) if speech else []


def relay_request(
    meter: MeterEntry, action: RelayAction, authority: Authority, now_us: int, zone: ZoneInfo
) -> bytes | Refused:
    """The frame that operates the meter's relay or valve: `RelayAction.CLOSE` supplies, `RelayAction.TRIP` cuts off.

    Parameters
    ----------
    now_us : int
        A DL/T 645 meter obeys until `VALID_FOR` later. [us since 1970, UTC]
    zone : ZoneInfo
        In which the meter's clock runs.
    """
    speech = _speech(meter)
    return speech.relay(meter, action, authority, _local(now_us, zone)) if speech else _speechless(meter)


def relay_state_request(meter: MeterEntry) -> bytes | Refused:
    """The frame that asks for the state of the relay or valve; `outcome` tells it."""
    speech = _speech(meter)
    return speech.relay_state(meter) if speech else _speechless(meter)


def clock_requests(meter: MeterEntry) -> list[bytes]:
    """The frames that ask for the meter's clock; `outcome` tells it, of DL/T 645 the date and the time apart."""
    speech = _speech(meter)
    return speech.clock(meter) if speech else []


def set_clock_request(meter: MeterEntry, now_us: int, zone: ZoneInfo) -> bytes | Refused:
    """The frame that sets the meter's clock. That of DL/T 645 is a broadcast: all meters of the line correct their
    clocks by a few minutes, once a day, and nobody answers.
    """
    speech = _speech(meter)
    return speech.set_clock(meter, _local(now_us, zone)) if speech else _speechless(meter)


def outcome(request: bytes, reply: bytes) -> Done | Refused | Unknown:
    """What `reply` says to `request`, which is one of those made here.

    `Done.facts` of a question for the relay has ``closed`` (whether the customer is supplied) and, from DL/T 645,
    ``kept``; of one for the clock ``date`` and ``time``, or from CJ/T 188 ``clock``, as ISO 8601 without a zone. A
    refusal is in the meter's own words. `Unknown`: the reply is broken, or is to something else.
    """
    found = _DLT645_2007.outcome(request, reply) or _CJT188.outcome(request, reply)
    return found or NO_ANSWER


class _Speech(ABC):
    """One protocol of meters."""

    @abstractmethod
    def read(self, meter: MeterEntry, quantities: Sequence[int]) -> list[bytes]: ...

    @abstractmethod
    def relay(self, meter: MeterEntry, action: RelayAction, authority: Authority, now: datetime) -> bytes | Refused: ...

    @abstractmethod
    def relay_state(self, meter: MeterEntry) -> bytes | Refused: ...

    @abstractmethod
    def clock(self, meter: MeterEntry) -> list[bytes]: ...

    @abstractmethod
    def set_clock(self, meter: MeterEntry, now: datetime) -> bytes: ...

    @abstractmethod
    def outcome(self, request: bytes, reply: bytes) -> Done | Refused | Unknown | None:
        """What the reply says; None where `request` is not of this protocol."""


# DL/T 645 ------------------------------------------------------------------------------------------------------------

_RELAY_WORD = "04000503"
"""Meter status word 3 (2007, annex C)."""
_CLOCKS: Mapping[Edition, Mapping[str, str]] = MappingProxyType(
    {
        "dlt645-2007": MappingProxyType({"04000101": "date", "04000102": "time"}),
        "dlt645-1997": MappingProxyType({"c010": "date", "c011": "time"}),
    }
)
"""The identifiers of the clock, and the facts that they tell."""
_NO_RELAY_1997 = Refused(Text("DL/T 645-1997 knows no relay", "DL/T 645-1997无继电器控制"))
_COMMANDS: Mapping[RelayAction, str] = MappingProxyType(
    {
        RelayAction.TRIP: "trip",
        RelayAction.CLOSE: "close_direct",
        RelayAction.KEEP: "keep_power_on",
        RelayAction.RELEASE: "keep_power_off",
    }
)


class _Dlt645(_Speech):
    def __init__(self, edition: Edition) -> None:
        self.edition: Edition = edition

    def read(self, meter: MeterEntry, quantities: Sequence[int]) -> list[bytes]:
        asked = identifiers645(quantities, self.edition)
        return [dlt645.encode(commands.read(meter.address, di)) for di in asked]

    def relay(self, meter: MeterEntry, action: RelayAction, authority: Authority, now: datetime) -> bytes | Refused:
        if self.edition == "dlt645-1997":
            return _NO_RELAY_1997
        access = commands.Access(authority.level, authority.password.hex(), authority.operator.hex())
        until = (now + VALID_FOR).replace(microsecond=0)
        return dlt645.encode(commands.control(meter.address, _COMMANDS[action], access, valid_until=until))

    def relay_state(self, meter: MeterEntry) -> bytes | Refused:
        if self.edition == "dlt645-1997":
            return _NO_RELAY_1997
        return dlt645.encode(commands.read(meter.address, _RELAY_WORD))

    def clock(self, meter: MeterEntry) -> list[bytes]:
        return [dlt645.encode(commands.read(meter.address, di)) for di in _CLOCKS[self.edition]]

    def set_clock(self, meter: MeterEntry, now: datetime) -> bytes:
        return dlt645.encode(commands.broadcast_time(now.replace(microsecond=0)))

    def outcome(self, request: bytes, reply: bytes) -> Done | Refused | Unknown | None:
        asked, said = _decoded645(request), _decoded645(reply)
        if asked is None:
            return None
        if said is None or not _answers645(asked, said):
            return NO_ANSWER
        if said.is_error:
            return Refused(_error645(said))
        if asked.function in _READS645:
            return _data645(asked, said)
        return Done()


_READS645 = frozenset({0x11, 0x01})
_NO_DATA = Refused(Text("no such data", "无请求数据"))


def _decoded645(octets: bytes) -> dlt645.Frame | None:
    try:
        return dlt645.decode(octets)
    except DecodeError:
        return None


def _answers645(asked: dlt645.Frame, said: dlt645.Frame) -> bool:
    return said.is_reply and said.function == asked.function and address645.matches(asked.address, said.address)


def _error645(said: dlt645.Frame) -> Text:
    """The error word of a refusal in words."""
    for part, octets in parts(said):
        if isinstance(part.format, Flags):
            names = part.format.read(octets)
            found = [bit.text for bit in word(part.format.name).bits if bit.name in names]
            if found:
                return _joined(found)
    return Text("refused without a reason", "拒绝，未说明原因")


def _data645(asked: dlt645.Frame, said: dlt645.Frame) -> Done | Refused | Unknown:
    item = contents(said)
    if item is None or not said.data:  # some meters answer so what they do not have
        return _NO_DATA
    size = len(item.di) // 2
    if said.data[:size] != asked.data[:size]:
        return NO_ANSWER
    if item.di == _RELAY_WORD:
        return _relay_state(said.data[size:])
    fact = next((facts[item.di] for facts in _CLOCKS.values() if item.di in facts), "")
    if fact and item.values:
        return Done(MappingProxyType({fact: str(item.values[0].read())}))
    return Done()


def _relay_state(octets: bytes) -> Done | Refused:
    if len(octets) < 2:
        return _NO_DATA
    bits = word("status_word_3").states(int.from_bytes(octets[:2], "little"))
    return Done(MappingProxyType({"closed": not bits["relay_open"], "kept": bool(bits["keep_power"])}))


# CJ/T 188 ------------------------------------------------------------------------------------------------------------

_READ, _WRITE = 0x01, 0x04
_PRESENT, _VALVE, _SET_CLOCK = 0x901F, 0xA017, 0xA015
_CLOCK_SIZE = 7  # [octets]
_MEDIA: Mapping[Utility, tuple[Medium, ...]] = MappingProxyType(
    {
        Utility.WATER: (Medium.COLD_WATER, Medium.HOT_WATER),
        Utility.GAS: (Medium.GAS,),
        Utility.HEAT: (Medium.HEAT, Medium.COOLING),
    }
)
_VALVE_ACTIONS: Mapping[RelayAction, str] = MappingProxyType({RelayAction.TRIP: "close", RelayAction.CLOSE: "open"})


class _Cjt188(_Speech):
    def read(self, meter: MeterEntry, quantities: Sequence[int]) -> list[bytes]:
        media = _MEDIA.get(meter.utility, tuple(Medium))
        return [_request188(meter, _READ, di) for di in identifiers188(quantities, media)]

    def relay(self, meter: MeterEntry, action: RelayAction, authority: Authority, now: datetime) -> bytes | Refused:
        if action not in _VALVE_ACTIONS:
            return Refused(Text("CJ/T 188 has no such command for a valve", "CJ/T 188无此阀门命令"))
        return _request188(meter, _WRITE, _VALVE, bytes([VALVE_COMMANDS[_VALVE_ACTIONS[action]]]))

    def relay_state(self, meter: MeterEntry) -> bytes | Refused:
        return _request188(meter, _READ, _PRESENT)

    def clock(self, meter: MeterEntry) -> list[bytes]:
        return [_request188(meter, _READ, _PRESENT)]

    def set_clock(self, meter: MeterEntry, now: datetime) -> bytes:
        octets = Clock(_CLOCK_SIZE).from_json({"value": now.replace(microsecond=0).isoformat()})
        return _request188(meter, _WRITE, _SET_CLOCK, octets)

    def outcome(self, request: bytes, reply: bytes) -> Done | Refused | Unknown | None:
        asked, said = _decoded188(request), _decoded188(reply)
        if asked is None:
            return None
        if said is None or not _answers188(asked, said):
            return NO_ANSWER
        if said.error:
            return Refused(_error188(said))
        return _state188(said) if asked.function == _READ else Done()


def _request188(meter: MeterEntry, function: int, di: int, payload: bytes = b"") -> bytes:
    # The archives do not know the meter type; a whole address names one meter without it.
    return cjt188.encode(cjt188.request(function, WILDCARD_TYPE, meter.address, di, payload=payload))


def _decoded188(octets: bytes) -> cjt188.Frame | None:
    try:
        return cjt188.decode(octets)
    except DecodeError:
        return None


def _answers188(asked: cjt188.Frame, said: cjt188.Frame) -> bool:
    if not said.answer or said.function != asked.function or said.address != asked.address:
        return False
    return said.error or cjt188.content(said).di == cjt188.content(asked).di


def _error188(said: cjt188.Frame) -> Text:
    code = said.data.hex(" ").upper()
    return Text(f"refused with {code}" if code else "refused without a reason", f"拒绝（{code}）" if code else "拒绝")


def _state188(said: cjt188.Frame) -> Done:
    """Valve and clock, which stand beside the present data of every meter, with or without a valve."""
    facts: dict[str, bool | int | str] = {}
    for item, octets in values188(said):
        value = item.format.to_json(octets)
        if isinstance(item.format, Status) and value["valve"] in ("open", "closed"):
            facts["closed"] = value["valve"] == "open"
        if isinstance(item.format, Clock) and value["value"] is not None:
            facts["clock"] = value["value"]
    return Done(MappingProxyType(facts))


# Common --------------------------------------------------------------------------------------------------------------

_DLT645_2007, _DLT645_1997, _CJT188 = _Dlt645("dlt645-2007"), _Dlt645("dlt645-1997"), _Cjt188()
_SPEECHES: Mapping[str, _Speech] = MappingProxyType(
    {"dlt645": _DLT645_2007, "dlt645-1997": _DLT645_1997, "cjt188": _CJT188}
)


def _speech(meter: MeterEntry) -> _Speech | None:
    return _SPEECHES.get(meter.protocol)


def _speechless(meter: MeterEntry) -> Refused:
    return Refused(
        Text(f"a meter of protocol {meter.protocol} cannot be asked through", f"{meter.protocol}表计不能透明转发")
    )


def _local(now_us: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(now_us / 1e6, UTC).astimezone(zone).replace(tzinfo=None)


def _joined(texts: Iterable[Text]) -> Text:
    found = list(texts)
    return Text(", ".join(one.en for one in found), "，".join(one.zh for one in found))
