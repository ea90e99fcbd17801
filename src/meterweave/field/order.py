"""What somebody wants of one device now, and what came of it; both as JSON too, for a gateway far away.

A `Wish` reads a device, reads whether its customer is supplied, or gives one of the orders of its profile. An order is
sent once: what was sent and not answered is `UNKNOWN`, and is found out by the wish `STATE`, never by sending again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from meterweave.errors import ConfigError, MeterweaveError
from meterweave.field.collector import BusyError, Collector
from meterweave.field.draft import words_of
from meterweave.field.line import End
from meterweave.field.plan import DevicePlan
from meterweave.field.poller import Called
from meterweave.metering.quantities import quantities
from meterweave.profiles import Access, Profile, Request
from meterweave.text import Text, storable

READ, STATE = "read", "state"
ORDERS = ("trip", "close", "release", "credit", "price")
"""The orders of the profile language."""
ACTIONS = (READ, STATE, *ORDERS)
QUANTITIES = "quantities"
"""Of the values of `READ`: OBIS codes, a blank between them; without it everything is read."""

BEGIN_S = 60.0
"""How long a wish may wait for its turn where nobody says. [s] A port that was lost is tried again this often."""
KEEP_S = 60.0
"""How long keeping what was read may take before it is said that nobody knows. [s]"""

VALUES_MAX, NAME_MAX, VALUE_MAX, WORDS_MAX = 16, 64, 8000, 2000
_ID_MAX = (1 << 63) - 1
_LEVEL_MAX, _PASSWORD_OCTETS, _OPERATOR_OCTETS = 0xFF, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is wanted of one device.

    Raises
    ------
    ConfigError
        If there is no such action, or something is not of the size it has to be; secrets are not repeated.
    """

    meter: int
    action: str
    values: Mapping[str, str] = field(default_factory=dict)
    """What an order wants told, as decimal text, ``{"amount": "100.00"}``; of `READ` see `QUANTITIES`."""
    level: int = 2
    """Of the password, where the protocol has one."""
    password: bytes = field(default=bytes(_PASSWORD_OCTETS), repr=False)
    """3 octets, most significant first."""
    operator: bytes = bytes(_OPERATOR_OCTETS)
    """4 octets, most significant first."""
    unproven: bool = False
    """Send also an order that the profile does not call proven."""

    def __post_init__(self) -> None:
        _wanted(0 < self.meter <= _ID_MAX, "meter is an id above 0")
        _wanted(self.action in ACTIONS, f"action is one of {', '.join(ACTIONS)}")
        _wanted(len(self.values) <= VALUES_MAX, f"values are at most {VALUES_MAX}")
        for name, value in self.values.items():
            _wanted(len(name) <= NAME_MAX and len(value) <= VALUE_MAX, "values are short texts")
        _wanted(0 <= self.level <= _LEVEL_MAX, f"level is 0 to {_LEVEL_MAX}")
        _wanted(len(self.password) == _PASSWORD_OCTETS, f"password has {_PASSWORD_OCTETS} octets")
        _wanted(len(self.operator) == _OPERATOR_OCTETS, f"operator has {_OPERATOR_OCTETS} octets")

    @property
    def access(self) -> Access:
        """Level, password and operator as profiles take them."""
        return Access(self.level, self.password.hex(), self.operator.hex())

    def to_json(self) -> dict[str, Any]:
        """As one JSON object; the password is in it."""
        return {
            "meter": self.meter,
            "action": self.action,
            "values": dict(self.values),
            "level": self.level,
            "password": self.password.hex(),
            "operator": self.operator.hex(),
            "unproven": self.unproven,
        }

    @classmethod
    def from_json(cls, said: object) -> Wish:
        """The wish of `to_json`; raises `ConfigError` where it is none, whatever it is."""
        fields = _fields(said, cls.__slots__)
        values = fields["values"]
        _wanted(isinstance(values, dict) and len(values) <= VALUES_MAX, f"values are at most {VALUES_MAX}")
        return cls(
            meter=_number(fields, "meter"),
            action=_text(fields, "action"),
            values=MappingProxyType({_plain(name): _plain(value) for name, value in values.items()}),
            level=_number(fields, "level"),
            password=_octets(fields, "password"),
            operator=_octets(fields, "operator"),
            unproven=_truth(fields, "unproven"),
        )


class Outcome(StrEnum):
    """What came of a wish."""

    DONE = "done"
    REFUSED = "refused"  # the device says no, or nothing in its profile could carry the wish
    UNKNOWN = "unknown"  # it was sent, and nobody knows what came of it
    NOT_SENT = "not_sent"  # nothing happened


class Happened(NamedTuple):
    """What came of a wish, and why it is not done."""

    result: Outcome
    reason: Text | None = None
    closed: bool | None = None
    """Whether the customer is supplied; None: it was not asked, or the device does not tell."""

    def to_json(self) -> dict[str, Any]:
        """As one JSON object."""
        reason = None if self.reason is None else self.reason._asdict()
        return {"result": self.result.value, "reason": reason, "closed": self.closed}

    @classmethod
    def from_json(cls, said: object) -> Happened:
        """What `to_json` says; raises `ConfigError` where it is none, whatever it is."""
        fields = _fields(said, cls._fields)
        result, closed = _text(fields, "result"), fields["closed"]
        _wanted(result in [one.value for one in Outcome], f"result is one of {', '.join(Outcome)}")
        reason = None
        if fields["reason"] is not None:
            words = _fields(fields["reason"], Text._fields)
            reason = Text(_text(words, "en")[:WORDS_MAX], _text(words, "zh")[:WORDS_MAX])
        return cls(Outcome(result), reason, None if closed is None else _truth(fields, "closed"))


async def carry_out(collector: Collector, wish: Wish, *, begin_s: float | None = None) -> Happened:
    """Have a device of a running collector do what is wanted; whatever comes of it, nothing is raised.

    A reading is done when what was read is kept.

    Parameters
    ----------
    begin_s : float, optional
        How long it may wait for its turn; after that nothing is sent. [s]
    """
    device = collector.device(wish.meter)
    if device is None:
        return Happened(Outcome.NOT_SENT, NO_LINE)
    requests = _requests(device, wish)
    if isinstance(requests, Text):
        return Happened(Outcome.REFUSED, requests)
    try:
        called = await collector.ask(wish.meter, requests, begin_s=BEGIN_S if begin_s is None else begin_s)
    except (BusyError, ConfigError) as error:  # the line was given up since
        return Happened(Outcome.NOT_SENT, BUSY if isinstance(error, BusyError) else NO_LINE)
    happened = _happened(called, wish)
    if happened.result is Outcome.DONE and wish.action == READ and not await _kept(collector):
        return Happened(Outcome.UNKNOWN, NOT_KEPT)
    return happened


NO_LINE = Text(
    "no line that runs has this meter: see what the line and the meter's profile lack",
    "没有正在运行的线路带有此表，请检查线路及其设备配置",
)
BUSY = Text("too many orders wait for this line already; try again later", "该线路待执行命令过多，请稍后再试")
NOT_BEGUN = Text("the line could not be reached in time; nothing was sent", "线路未能及时接通，未发送任何内容")
NOT_KEPT = Text("it was read, but could not be stored yet", "已读取，但尚未能保存")
NO_STATE = Text(
    "the profile does not say how to read whether the customer is supplied: add control.state to it",
    "设备配置未说明如何读取通断状态，请添加control.state",
)
NO_STATE_TOLD = Text("the device does not tell whether the customer is supplied", "设备未提供通断状态")
_UNPROVEN = Text(
    "{0} of profile {1} is not proven on a device: add proven: yes to it in a copy of the profile, give that copy to a "
    "meter that supplies nobody, and use it for the others when it has worked there",
    "配置{1}的{0}未经实物验证：请在配置副本中为其添加proven: yes，先用于无用户的表，验证有效后再用于其他表",
)
_NO_ORDER = Text("profile {1} has no order {0}; it has: {2}", "配置{1}没有命令{0}；可用：{2}")
_NO_QUANTITY = Text("profile {1} has none of {0}; it has: {2}", "配置{1}没有{0}；可用：{2}")
_ENDS: Mapping[End, Text] = {
    End.SILENT: Text("the device did not answer", "设备无应答"),
    End.BROKEN: Text("the answer was broken", "应答帧损坏"),
    End.LOST: Text("the port was lost before the answer came", "应答到达前端口断开"),
}


def _requests(device: DevicePlan, wish: Wish) -> list[Request] | Text:
    """What to send; words: why nothing can be."""
    profile = device.profile
    try:
        if wish.action == READ:
            return _reads(device, wish.values.get(QUANTITIES))
        if wish.action == STATE:
            return profile.state_requests(device.address) or NO_STATE
        order = profile.orders.get(wish.action)
        if order is None:
            return _words(_NO_ORDER, wish.action, profile.name, ", ".join(profile.orders) or "-")
        if not order.proven and not wish.unproven:
            return _words(_UNPROVEN, wish.action, profile.name)
        access, unproven = wish.access, wish.unproven
        return [profile.order(wish.action, device.address, wish.values, access=access, unproven=unproven)]
    except MeterweaveError as error:  # of a value that cannot be sent, or an access that is none
        return words_of(error)


def _reads(device: DevicePlan, obis: str | None) -> list[Request] | Text:
    profile = device.profile
    if obis is None:
        return profile.requests(device.address)
    codes = {quantities()[one].code for one in obis.split() if one in quantities()}
    return profile.requests(device.address, codes & _codes(profile)) or _words(
        _NO_QUANTITY, obis, profile.name, ", ".join(point.quantity.name for point in profile.points)
    )


def _codes(profile: Profile) -> set[int]:
    return {point.quantity.code for point in profile.points}


def _words(text: Text, *parts: str) -> Text:
    return Text(text.en.format(*parts), text.zh.format(*parts))


def _happened(called: Called, wish: Wish) -> Happened:
    if not called.sent_count:
        return Happened(Outcome.NOT_SENT, NOT_BEGUN)
    if called.end is not End.ANSWERED:
        return Happened(Outcome.UNKNOWN, _ENDS[called.end])
    refusal = next((one.problem for one in called.answers if one.refused), None)
    if refusal is not None:
        return Happened(Outcome.REFUSED, refusal)
    if wish.action != STATE:
        return Happened(Outcome.DONE)
    closed = next((one.closed for one in called.answers if one.closed is not None), None)
    return Happened(Outcome.REFUSED, NO_STATE_TOLD) if closed is None else Happened(Outcome.DONE, closed=closed)


async def _kept(collector: Collector) -> bool:
    try:
        async with asyncio.timeout(KEEP_S):
            await collector.kept()
    except TimeoutError:
        return False
    return True


# Hostile JSON ---------------------------------------------------------------------------------------------------------


def _wanted(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(f"a wish or its outcome is not as it has to be: {what}")


def _fields(said: object, names: Sequence[str]) -> dict[str, Any]:
    _wanted(isinstance(said, dict) and set(said) == set(names), f"an object with {', '.join(names)}")
    assert isinstance(said, dict)  # for the type checker
    return said


def _number(fields: Mapping[str, Any], name: str) -> int:
    number = fields[name]
    _wanted(isinstance(number, int) and not isinstance(number, bool), f"{name} is a whole number")
    return int(number)


def _text(fields: Mapping[str, Any], name: str) -> str:
    return _plain(fields[name])


def _plain(text: object) -> str:
    _wanted(isinstance(text, str), "names and values are texts")
    assert isinstance(text, str)  # for the type checker
    _wanted(storable(text) == text, "texts have neither NUL nor surrogates")
    return text


def _truth(fields: Mapping[str, Any], name: str) -> bool:
    _wanted(isinstance(fields[name], bool), f"{name} is true or false")
    return bool(fields[name])


def _octets(fields: Mapping[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(_text(fields, name))
    except ValueError:
        raise ConfigError(f"a wish is not as it has to be: {name} is hexadecimal") from None
