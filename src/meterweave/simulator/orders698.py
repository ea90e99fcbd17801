"""What a DL/T 698.45 terminal, or a meter behind it, does when it is told to: clocks, relays, archives, tasks.

Control is taken without security: a centre without the utility's key machine can try everything. An alarm delay is not
waited for, and a limit time is taken as without end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from meterweave.metering.clock import local_us
from meterweave.protocols.dlt698.access import (
    ActionItem,
    ActionResult,
    ActionThenGetItem,
    ActionThenGetResult,
    SetItem,
    SetResult,
    SetThenGetItem,
    SetThenGetResult,
)
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.records import ResultNormal
from meterweave.protocols.dlt698.times import date_time_s, moment
from meterweave.protocols.dlt698.values import BitString
from meterweave.simulator import events698
from meterweave.simulator.archive698 import (
    ABSENT,
    ARCHIVE,
    DENIED,
    DONE,
    MISMATCH,
    OUT_OF_RANGE,
    TABLES,
    Archive698,
    array,
    struct,
)
from meterweave.simulator.condition import Condition
from meterweave.simulator.events import Diary, Kind
from meterweave.simulator.meter645 import local
from meterweave.simulator.town import LOCAL_S, Meter

UNDEFINED = 4
CLOCK, ADDRESS, CONTROL, KEEP, RELAYS = 0x4000, 0x4001, 0x8000, 0x8001, 0xF205
RELAY = 0xF205_0201
"""Relay 1; a meter has no other."""
_BROADCAST_TIME, _TRIP, _CLOSE, _KEEP_ON, _KEEP_OFF, _AUTOMATIC = 127, 129, 130, 127, 128, 129
_ALARM_ON, _ALARM_OFF = 127, 128


class Device698:
    """What a terminal and a meter have in common: address, clock, relay.

    Parameters
    ----------
    meter : Meter or None
        The meter; None for the terminal itself.
    """

    def __init__(self, address: str, condition: Condition, diary: Diary, meter: Meter | None = None) -> None:
        self.address, self.condition, self.diary, self.meter = address, condition, diary, meter

    # Reading ---------------------------------------------------------------------------------------------------------

    def get(self, oad: int, now_s: int) -> Data | int | None:
        """An attribute; its DAR where the object has no such attribute; None where it is no object of the device."""
        oi, attribute = oad >> 16, oad >> 8 & 0xFF
        own: dict[int, Callable[[int, int], Data | None]] = {
            CLOCK: self._clock,
            ADDRESS: self._address,
            CONTROL: self._control,
            KEEP: self._kept,
            RELAYS: self._relays,
        }
        if oi not in own:
            return None
        found = own[oi](attribute, now_s)
        return ABSENT if found is None else found

    def _clock(self, attribute: int, now_s: int) -> Data | None:
        if attribute == 2:
            return (Tag.DATE_TIME_S, date_time_s(local(now_s + self.condition.clock_off_s)))
        return (Tag.ENUM, 0) if attribute == 3 else None

    def _address(self, attribute: int, _: int) -> Data | None:
        return (Tag.OCTET_STRING, bytes.fromhex(self.address)) if attribute == 2 else None

    def _control(self, attribute: int, _: int) -> Data | None:
        if attribute == 2:
            return struct((Tag.DOUBLE_LONG_UNSIGNED, 0), (Tag.LONG_UNSIGNED, 0))
        opened = bytes([0x80 if not self.condition.closed else 0])
        states = {3: opened, 4: b"\0", 5: opened if not self.condition.permitted else b"\0"}
        return (Tag.BIT_STRING, BitString(8, states[attribute])) if attribute in states else None

    def _kept(self, attribute: int, _: int) -> Data | None:
        return (Tag.ENUM, int(self.condition.kept)) if attribute == 2 else None

    def _relays(self, attribute: int, _: int) -> Data | None:
        state = (Tag.ENUM, int(not self.condition.closed))
        one = struct((Tag.VISIBLE_STRING, b"relay 1"), state, (Tag.ENUM, 1), (Tag.ENUM, 0))
        return array(one) if attribute == 2 else None

    def result(self, oad: int, now_s: int) -> ResultNormal:
        """An attribute, or the DAR."""
        found = self.get(oad, now_s)
        return ResultNormal(oad, UNDEFINED if found is None else found)

    # Lists of orders -------------------------------------------------------------------------------------------------

    def set_item(self, item: SetItem, now_s: int) -> SetResult:
        """One of several attributes to set."""
        return SetResult(item.oad, self.set(item.oad, item.value, now_s))

    def set_then_get(self, item: SetThenGetItem, now_s: int) -> SetThenGetResult:
        """One of several attributes to set, and what to read then."""
        return SetThenGetResult(
            item.set_oad, self.set(item.set_oad, item.value, now_s), self.result(item.get_oad, now_s)
        )

    def act_item(self, item: ActionItem, now_s: int) -> ActionResult:
        """One of several methods."""
        return ActionResult(item.omd, self.act(item.omd, item.param, now_s), None)

    def act_then_get(self, item: ActionThenGetItem, now_s: int) -> ActionThenGetResult:
        """One of several methods, and what to read then."""
        return ActionThenGetResult(
            item.omd, self.act(item.omd, item.param, now_s), None, self.result(item.get_oad, now_s)
        )

    # Orders ----------------------------------------------------------------------------------------------------------

    def set(self, oad: int, value: Data, now_s: int) -> int:
        """Set an attribute; gives the DAR."""
        if oad >> 16 == CLOCK and oad >> 8 & 0xFF == 2:
            return self._set_clock(value, now_s)
        return DENIED if self.get(oad, now_s) is not None else UNDEFINED

    def _set_clock(self, value: Data, now_s: int) -> int:
        tag, octets = value
        if tag != Tag.DATE_TIME_S:
            return MISMATCH
        when = moment(octets)
        if when is None:
            return OUT_OF_RANGE
        self.condition.clock_off_s = local_us(when) // 1_000_000 - LOCAL_S - now_s
        self.diary.note(Kind.CLOCK_SET, now_s, self.meter)
        return DONE

    def act(self, omd: int, param: Data, now_s: int) -> int:
        """Carry out a method; gives the DAR."""
        oi, method = omd >> 16, omd >> 8 & 0xFF
        orders: dict[tuple[int, int], Callable[[], int]] = {
            (CLOCK, _BROADCAST_TIME): lambda: self._set_clock(param, now_s),
            (CONTROL, _ALARM_ON): lambda: DONE,
            (CONTROL, _ALARM_OFF): lambda: DONE,
            (CONTROL, _TRIP): lambda: self._trip(param, now_s),
            (CONTROL, _CLOSE): lambda: self._close(param, now_s),
            (KEEP, _KEEP_ON): lambda: self._keep(now_s),
            (KEEP, _KEEP_OFF): self._release,
            (KEEP, _AUTOMATIC): self._release,
        }
        if (oi, method) in orders:
            return orders[oi, method]()
        return ABSENT if any(oi == known for known, _ in orders) else UNDEFINED

    def _trip(self, param: Data, now_s: int) -> int:
        if _relay_of(param, (Tag.OAD, Tag.UNSIGNED, Tag.LONG_UNSIGNED, Tag.BOOL)) is None:
            return MISMATCH
        if not self.condition.trip(now_s):
            return DENIED
        self.diary.note(Kind.TRIPPED, now_s, self.meter)
        return DONE

    def _close(self, param: Data, now_s: int) -> int:
        order = _relay_of(param, (Tag.OAD, Tag.ENUM))
        if order is None:
            return MISMATCH
        if order[1][1] == 0:
            self.condition.permit()
            return DONE
        self.closed(now_s)
        return DONE

    def closed(self, now_s: int) -> None:
        """Close the relay or valve."""
        was_open = not self.condition.closed
        self.condition.close(now_s)
        if was_open:
            self.diary.note(Kind.CLOSED, now_s, self.meter)

    def _keep(self, now_s: int) -> int:
        self.closed(now_s)
        self.condition.keep(now_s)
        return DONE

    def _release(self) -> int:
        self.condition.release()
        return DONE


def _relay_of(param: Data, tags: tuple[Tag, ...]) -> tuple[Data, ...] | None:
    """The one order of an array; None where it is not of these types, or not about relay 1."""
    tag, orders = param
    if tag != Tag.ARRAY or len(orders) != 1 or orders[0][0] != Tag.STRUCTURE:
        return None
    members: tuple[Data, ...] = orders[0][1]
    if tuple(one for one, _ in members) != tags or members[0] != (Tag.OAD, RELAY):
        return None
    return members


class Terminal698Device(Device698):
    """The terminal: beside its clock it has archive, schemes and tasks."""

    def __init__(self, address: str, condition: Condition, diary: Diary, archive: Archive698) -> None:
        super().__init__(address, condition, diary)
        self.archive = archive

    def get(self, oad: int, now_s: int) -> Data | int | None:
        if oad >> 16 in {ARCHIVE, *TABLES}:
            found = self.archive.get(oad)
            return ABSENT if found is None else found
        if oad in _PARAMETERS:
            return _PARAMETERS[oad]
        if oad == events698.NEW_EVENTS:
            return events698.new_events(self.diary)
        return super().get(oad, now_s)

    def act(self, omd: int, param: Data, now_s: int) -> int:
        if omd >> 16 in {ARCHIVE, *TABLES}:
            done = self.archive.act(omd >> 16, omd >> 8 & 0xFF, param)
            return ABSENT if done is None else done
        return super().act(omd, param, now_s)


_VERSION = (b"MTWV", b"0001", b"260101", b"0001", b"260101", bytes(8))
_PARAMETERS: dict[int, Data] = {
    0x4103_0200: (Tag.VISIBLE_STRING, b"simulated".ljust(32)),
    0x4300_0300: struct(*((Tag.VISIBLE_STRING, one) for one in _VERSION)),
    0x4300_0400: (Tag.DATE_TIME_S, date_time_s(datetime(2026, 1, 1))),
    0x4300_0800: (Tag.BOOL, 1),
    0x4300_0A00: array((Tag.OAD, 0x4500_0200)),
    0x4500_0900: (Tag.LONG, -70),
}
"""What nobody changes: asset number, version, production, active reports and their channel, signal."""
