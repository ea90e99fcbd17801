"""What a command may be told beside whom it is for: checked against its kind before it is stored."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from meterweave.manager.errors import AskedWrongly
from meterweave.manager.readings import quantity_code
from meterweave.metering.quantities import by_code
from meterweave.registry.collection import Series
from meterweave.registry.commands import CommandKind
from meterweave.text import Text

CURVE_PERIOD_S = 900
"""From one moment of a stored curve to the next, where nothing else is asked for. [s]"""

PERIOD_S_MAX = 86_400

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KNOWN: Mapping[CommandKind, frozenset[str]] = {
    CommandKind.READ: frozenset({"quantities"}),
    CommandKind.READ_STORED: frozenset({"quantities", "series", "period_s", "start", "end"}),
    CommandKind.PARAMETERS: frozenset({"names"}),
    CommandKind.EVENTS: frozenset({"start", "end"}),
}


class Told(NamedTuple):
    """What a command is told; what is None or empty is left to the centre."""

    quantities: Collection[str] = ()  # names or OBIS codes
    series: Series | None = None
    period_s: int | None = None  # of a curve
    start: datetime | None = None
    end: datetime | None = None  # itself left out
    names: Collection[str] = ()  # of parameters


def arguments(kind: CommandKind, told: Told) -> dict[str, Any]:
    """The arguments that are stored with a command.

    Raises
    ------
    AskedWrongly
        If the kind takes none of these, or lacks one.
    """
    known = _KNOWN.get(kind, frozenset())
    for name, value in told._asdict().items():
        if value and name not in known:
            raise AskedWrongly(Text(f"{kind} takes no {name!r}", f"命令{kind}没有参数“{name}”"))
    found: dict[str, Any] = {}
    if told.quantities:
        found["quantities"] = [by_code()[quantity_code(one)].obis for one in told.quantities]
    if told.names:
        found["names"] = list(told.names)
    if kind is CommandKind.READ_STORED:
        found |= _stored(told)
    return found | _span(told)


def _stored(told: Told) -> dict[str, Any]:
    # An end that is not said would be another one each time, and the command another command.
    if told.series is None or told.start is None or told.end is None:
        raise AskedWrongly(Text("read_stored needs 'series', 'from' and 'to'", "读取存储数据须给出series、from和to"))
    period_s = told.period_s or CURVE_PERIOD_S
    if not 0 < period_s <= PERIOD_S_MAX:
        raise AskedWrongly(Text(f"a period is 1 to {PERIOD_S_MAX} s", f"周期须为1至{PERIOD_S_MAX}秒"))
    return {"profile": told.series.value, "period_s": period_s if told.series is Series.CURVE else 0}


def _span(told: Told) -> dict[str, int]:
    ends = {"from_us": told.start, "to_us": told.end}
    found = {name: (end - _EPOCH) // timedelta(microseconds=1) for name, end in ends.items() if end is not None}
    if len(found) == 2 and found["from_us"] >= found["to_us"]:
        raise AskedWrongly(Text("'from' is not before 'to'", "起始时间须早于截止时间"))
    return found
