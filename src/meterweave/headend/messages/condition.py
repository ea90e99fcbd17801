"""What lasts at each device, so that a message gives an event where that changed; also whether the device is there.

A change counts only once its event is on disk: until then it is *tentative*, and forgotten when it was not kept, so
that the repeat of its message gives its event again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from meterweave.headend.messages.source import Told
from meterweave.lake import Lake
from meterweave.metering.batch import Source
from meterweave.metering.events import ENDED, UNLISTED, Event, event_codes
from meterweave.profiles.message import Look
from meterweave.profiles.watch import changes

LOST = event_codes()["communication_lost"]
"""The event of a device that is not there, by its will."""

_LASTING = f"""
SELECT terminal, event - CASE WHEN event % 10 >= {ENDED} THEN {ENDED} ELSE 0 END AS code
FROM events JOIN devices USING (terminal) WHERE event < {min(UNLISTED.values())}
GROUP BY ALL HAVING arg_max(event % 10 < {ENDED} AND ended IS NULL, (ts, received))
"""  # a kind and its end are `ENDED` apart, and ten from the next kind
_ROWS_MAX, _TIMEOUT_S = 1_000_000, 120.0

Lasting = frozenset[int]
_NOTHING: Lasting = frozenset()


class Conditions:
    """What lasts, by the id of the terminal; as it is on disk."""

    def __init__(self) -> None:
        self._lasting: dict[int, Lasting] = {}
        self._online: dict[int, bool] = {}

    def restore(self, lake: Lake, terminals: Iterable[int]) -> None:
        """Take up what the lake has of these terminals. Blocks; raises `LakeError` where the lake cannot tell."""
        devices = pa.table({"terminal": pa.array(list(terminals), pa.int64())})
        found: dict[int, set[int]] = {}
        for row in lake.query(
            _LASTING, tables={"devices": devices}, rows_max=_ROWS_MAX, timeout_s=_TIMEOUT_S
        ).to_pylist():
            found.setdefault(row["terminal"], set()).add(row["code"])
        self._lasting |= {terminal: frozenset(codes) for terminal, codes in found.items()}

    def lasting(self, terminal: int) -> Lasting:
        """What lasts at this device, as far as it is known."""
        return self._lasting.get(terminal, _NOTHING)

    def note(self, terminal: int, lasting: Lasting) -> None:
        """What lasts is on disk."""
        if lasting or terminal in self._lasting:
            self._lasting[terminal] = lasting or _NOTHING

    def tell(self, terminal: int, online: bool) -> None:
        """A device said that it is there, or its will that it is not."""
        self._online[terminal] = online

    def online(self, terminal: int) -> bool | None:
        """Whether the device with this id is there; None: it never told since the start."""
        return self._online.get(terminal)


class Tentative:
    """What lasts by messages on their way to the disk, over what lasts as it is there."""

    def __init__(self, conditions: Conditions) -> None:
        self._conditions = conditions
        self._ahead: dict[int, tuple[int, Lasting]] = {}  # by terminal: messages on their way, and what lasts by them

    def watch(self, told: Told, terminal: int, key: int, received: int) -> tuple[Told, Lasting | None]:
        """A message with its events, and what lasts after it, for `kept`; None where nothing changed."""
        looks = list(told.looks)
        if told.online is not None:
            self._conditions.tell(terminal, told.online)
            looks.append(Look(received, {LOST: not told.online}))
        if not looks:
            return told, None
        waiting, before = self._ahead.get(terminal, (0, self._conditions.lasting(terminal)))
        events, after = _follow(looks, before, key)
        if after == before:
            return told, None
        self._ahead[terminal] = (waiting + 1, after)
        return told._replace(events=events, timed=told.timed and told.online is None), after

    def kept(self, terminal: int, lasting: Lasting) -> None:
        """The events of a message are on disk."""
        self.dropped(terminal)
        self._conditions.note(terminal, lasting)

    def dropped(self, terminal: int) -> None:
        """A message is no longer on its way; its events are not on disk."""
        waiting, after = self._ahead.pop(terminal)
        if waiting > 1:
            self._ahead[terminal] = (waiting - 1, after)


def _follow(looks: Iterable[Look], before: Lasting, key: int) -> tuple[tuple[Event, ...], Lasting]:
    events: list[Event] = []
    lasting = set(before)
    for look in looks:
        events += changes(_told(lasting), look.conditions, meter=key, at=look.at)
        lasting -= {code for code, lasts in look.conditions.items() if not lasts}
        lasting |= {code for code, lasts in look.conditions.items() if lasts}
    return tuple(one._replace(own=True, source=int(Source.PUSHED)) for one in events), frozenset(lasting)


def _told(lasting: Iterable[int]) -> Mapping[int, bool]:
    return dict.fromkeys(lasting, True)
