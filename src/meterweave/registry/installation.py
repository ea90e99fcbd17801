"""The install history: which meter was on which usage point, from when to when, in spans ``[installed, removed)``.

Three acts change it: `install`, `remove` and `replace`. Each holds the rules below, says in words what stands against
it, and changes nothing when something does. The database holds the same rules once more (see `history_guard`), so
that not even a statement typed by hand can break them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from meterweave.registry.errors import HistoryError, UnknownRecord
from meterweave.registry.models import Installation, Meter, UsagePoint
from meterweave.text import Text

RULES: Mapping[str, Text] = MappingProxyType(
    {
        "history.meter_elsewhere": Text(
            "a meter is on one usage point at a time", "一只表同一时间只能装在一个用电点"
        ),
        "history.point_occupied": Text(
            "a usage point has one meter for each utility at a time", "一个用电点同一时间每种能源只能有一只表"
        ),
        "history.not_installed": Text("only a meter that is installed can be removed", "只有在装的表才能拆除"),
        "history.removed_before_installed": Text("a removal comes after the installation", "拆除时间必须晚于安装时间"),
        "history.other_utility": Text("a meter is replaced by one of the same utility", "换表必须是同一能源类型"),
    }
)  # fmt: skip
"""What must hold, by the code that a `HistoryError` carries. Codes are never used again for anything else."""


def install(session: Session, meter_id: int, usage_point_id: int, at: datetime) -> Installation:
    """Put a meter on a usage point from the instant `at` on.

    A past instant is fine as long as no span begins after it that this one, without an end, would run into.

    Raises
    ------
    HistoryError
        ``history.meter_elsewhere`` or ``history.point_occupied``.
    UnknownRecord
        If the meter or the usage point is not stored.
    """
    meter, point = _meter(session, meter_id), _usage_point(session, usage_point_id)
    not_over = or_(Installation.removed_at.is_(None), Installation.removed_at > at)
    other = _first(session, Installation.meter_id == meter.id, not_over)
    if other is not None:
        raise _refused("history.meter_elsewhere", meter, _usage_point(session, other.usage_point_id), other)
    other = _first(
        session, Installation.usage_point_id == point.id, Installation.utility == meter.utility, not_over
    )  # fmt: skip
    if other is not None:
        raise _refused("history.point_occupied", _meter(session, other.meter_id), point, other)
    found = Installation(meter_id=meter.id, usage_point_id=point.id, utility=meter.utility, installed_at=at)
    session.add(found)
    session.flush()
    return found


def remove(session: Session, meter_id: int, at: datetime) -> Installation:
    """Take a meter off the usage point on which it is; the last instant it counts is just before `at`.

    Raises
    ------
    HistoryError
        ``history.not_installed`` or ``history.removed_before_installed``.
    UnknownRecord
        If the meter is not stored.
    """
    meter = _meter(session, meter_id)
    found = _removable(session, meter, at)
    found.removed_at = at
    session.flush()
    return found


def replace(session: Session, old_meter_id: int, new_meter_id: int, at: datetime) -> Installation:
    """Put `new_meter_id` in the place of `old_meter_id` at one instant; both acts or neither.

    Raises
    ------
    HistoryError
        ``history.other_utility``, or what `remove` and `install` refuse.
    UnknownRecord
        If a meter is not stored.
    """
    old, new = _meter(session, old_meter_id), _meter(session, new_meter_id)
    if old.utility != new.utility:
        raise HistoryError(
            "history.other_utility",
            Text(
                f"meter {_name(old)} measures {old.utility}, meter {_name(new)} measures {new.utility}",
                f"表{_name(old)}与表{_name(new)}的能源类型不同",
            ),
        )
    with session.begin_nested():
        removed = remove(session, old_meter_id, at)
        return install(session, new_meter_id, removed.usage_point_id, at)


def installed_at(session: Session, meter_id: int, when: datetime) -> Installation | None:
    """Where the meter was at the instant `when`; None if nowhere."""
    return _first(session, Installation.meter_id == meter_id, _covers(when))


def history_of(
    session: Session, *, meter_id: int | None = None, usage_point_id: int | None = None
) -> list[Installation]:
    """All spans of a meter, of a usage point, or of the two together; oldest first."""
    wanted: list[ColumnElement[bool]] = []
    if meter_id is not None:
        wanted.append(Installation.meter_id == meter_id)
    if usage_point_id is not None:
        wanted.append(Installation.usage_point_id == usage_point_id)
    return list(session.scalars(select(Installation).where(*wanted).order_by(Installation.installed_at)))


def _covers(when: datetime) -> ColumnElement[bool]:
    return and_(
        Installation.installed_at <= when, or_(Installation.removed_at.is_(None), Installation.removed_at > when)
    )


def _removable(session: Session, meter: Meter, at: datetime) -> Installation:
    found = _first(session, Installation.meter_id == meter.id, Installation.removed_at.is_(None))
    if found is None:
        raise HistoryError(
            "history.not_installed",
            Text(f"meter {_name(meter)} is on no usage point", f"表{_name(meter)}未安装在任何用电点"),
        )
    if at <= found.installed_at:
        raise HistoryError(
            "history.removed_before_installed",
            Text(
                f"meter {_name(meter)} was installed at {found.installed_at.isoformat()}, "
                f"it cannot be removed at {at.isoformat()}",
                f"表{_name(meter)}于{found.installed_at.isoformat()}安装，不能于{at.isoformat()}拆除",
            ),
        )
    return found


def _refused(code: str, meter: Meter, point: UsagePoint, span: Installation) -> HistoryError:
    since = span.installed_at.isoformat()
    until_en = f"until {span.removed_at.isoformat()}" if span.removed_at else "and still is"
    until_zh = f"至{span.removed_at.isoformat()}" if span.removed_at else "至今"
    return HistoryError(
        code,
        Text(
            f"meter {_name(meter)} was on usage point {point.code} from {since} {until_en}: {RULES[code].en}",
            f"表{_name(meter)}自{since}{until_zh}装在用电点{point.code}：{RULES[code].zh}",
        ),
    )


def _first(session: Session, *wanted: ColumnElement[bool]) -> Installation | None:
    return session.scalars(select(Installation).where(*wanted).order_by(Installation.installed_at).limit(1)).first()


def _meter(session: Session, meter_id: int) -> Meter:
    found = session.get(Meter, meter_id)
    if found is None:
        raise UnknownRecord(Text(f"there is no meter with id {meter_id}", f"没有id为{meter_id}的表"))
    return found


def _usage_point(session: Session, usage_point_id: int) -> UsagePoint:
    found = session.get(UsagePoint, usage_point_id)
    if found is None:
        raise UnknownRecord(
            Text(f"there is no usage point with id {usage_point_id}", f"没有id为{usage_point_id}的用电点")
        )
    return found


def _name(meter: Meter) -> str:
    return f"{meter.protocol} {meter.address}"
