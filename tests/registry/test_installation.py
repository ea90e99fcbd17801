"""The install history: its rules hold in code and in the database, whatever the order of the acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from meterweave.registry import HistoryError, Installation, Registry, UnknownRecord
from meterweave.registry.installation import RULES, history_of, install, installed_at, remove, replace
from meterweave.registry.vocabulary import Utility
from tests.registry.records import add_meter, add_usage_point, day

ELECTRICITY, WATER = Utility.ELECTRICITY, Utility.WATER


def test_a_meter_is_installed_replaced_and_removed(registry: Registry) -> None:
    with registry.writing() as session:
        old, new = add_meter(session, "1"), add_meter(session, "2")
        water = add_meter(session, "3", protocol="cjt188", utility=WATER)
        point = add_usage_point(session, "P1")
        install(session, old.id, point.id, day(1))
        install(session, water.id, point.id, day(1))  # another utility, the same point
        replace(session, old.id, new.id, day(5))
        remove(session, new.id, day(9))
        install(session, old.id, point.id, day(9))
        spans = [(span.meter_id, span.installed_at, span.removed_at) for span in history_of(session, meter_id=old.id)]
        assert spans == [(old.id, day(1), day(5)), (old.id, day(9), None)]
        assert [span.meter_id for span in history_of(session, usage_point_id=point.id)].count(water.id) == 1
        assert installed_at(session, old.id, day(4.9)) is not None
        assert installed_at(session, old.id, day(5)) is None  # the end of a span is no part of it
        assert installed_at(session, new.id, day(5)) is not None


def test_what_breaks_a_rule_is_refused_with_words_and_changes_nothing(registry: Registry) -> None:
    with registry.writing() as session:
        first, second = add_meter(session, "1"), add_meter(session, "2")
        water = add_meter(session, "3", protocol="cjt188", utility=WATER)
        here, there = add_usage_point(session, "P1"), add_usage_point(session, "P2")
        install(session, first.id, here.id, day(1))
        for code, act in {
            "history.meter_elsewhere": lambda: install(session, first.id, there.id, day(2)),
            "history.point_occupied": lambda: install(session, second.id, here.id, day(0)),
            "history.not_installed": lambda: remove(session, second.id, day(2)),
            "history.removed_before_installed": lambda: remove(session, first.id, day(1)),
            "history.other_utility": lambda: replace(session, first.id, water.id, day(2)),
        }.items():
            with pytest.raises(HistoryError) as caught:
                act()
            assert caught.value.code == code
            assert code in RULES
            assert caught.value.text.zh
        with pytest.raises(UnknownRecord, match="4711"):
            install(session, 4711, here.id, day(1))
        with pytest.raises(UnknownRecord, match="4712"):
            install(session, second.id, 4712, day(1))
        install(session, second.id, there.id, day(1))
        with pytest.raises(HistoryError):
            replace(session, first.id, second.id, day(3))  # the new meter is on another point: nothing is removed
        assert [span.removed_at for span in history_of(session, meter_id=first.id)] == [None]


@pytest.mark.parametrize(
    "wrong",
    [
        {"installed_at": day(1), "removed_at": day(1)},
        {"installed_at": day(2), "removed_at": day(1)},
        {"installed_at": day(4), "removed_at": day(6)},  # into a span of the meter
        {"installed_at": day(0)},  # without end over all of them
        {"meter": 1, "installed_at": day(4), "removed_at": day(6)},  # another meter into a span of the point
        {"meter": 1, "point": 1, "utility": WATER, "installed_at": day(1)},  # not the meter's utility
        {"meter": 1, "point": 7, "installed_at": day(1)},
    ],
)
def test_the_database_holds_the_rules_by_itself(registry: Registry, wrong: dict[str, object]) -> None:
    with registry.writing() as session:
        meters = [add_meter(session, "1").id, add_meter(session, "2").id]
        points = {0: add_usage_point(session, "P1").id, 1: add_usage_point(session, "P2").id, 7: 4711}
        install(session, meters[0], points[0], day(3))
        remove(session, meters[0], day(5))
        row = {
            "meter_id": meters[int(str(wrong.get("meter", 0)))],
            "usage_point_id": points[int(str(wrong.get("point", 0)))],
            "utility": wrong.get("utility", ELECTRICITY),
            "installed_at": wrong["installed_at"],
            "removed_at": wrong.get("removed_at"),
        }
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(insert(Installation).values(**row))


@dataclass
class _Oracle:
    """The same history, told by a list that is looked through from end to end."""

    utilities: list[Utility]
    spans: list[tuple[int, int, datetime, datetime | None]] = field(default_factory=list)

    def fits(self, meter: int, point: int, start: datetime, end: datetime | None) -> bool:
        return (end is None or start < end) and not any(
            (other == meter or (where == point and self.utilities[other] == self.utilities[meter]))
            and (end is None or since < end)
            and (until is None or start < until)
            for other, where, since, until in self.spans
        )

    def install(self, meter: int, point: int, at: datetime) -> bool:
        if fits := self.fits(meter, point, at, None):
            self.spans.append((meter, point, at, None))
        return fits

    def remove(self, meter: int, at: datetime) -> bool:
        for index, (other, where, since, until) in enumerate(self.spans):
            if other == meter and until is None and since < at:
                self.spans[index] = (meter, where, since, at)
                return True
        return False

    def replace(self, old: int, new: int, at: datetime) -> bool:
        before = list(self.spans)
        point = next((where for other, where, _, until in self.spans if other == old and until is None), None)
        if (
            point is not None
            and self.utilities[old] == self.utilities[new]
            and self.remove(old, at)
            and self.install(new, point, at)
        ):
            return True
        self.spans = before
        return False


_METER, _POINT, _DAY = st.integers(0, 3), st.integers(0, 1), st.integers(0, 8)
_ACTS = st.one_of(
    st.tuples(st.just("install"), _METER, _POINT, _DAY),
    st.tuples(st.just("remove"), _METER, st.none(), _DAY),
    st.tuples(st.just("replace"), _METER, _METER, _DAY),
    st.tuples(st.just("insert"), _METER, _POINT, st.tuples(_DAY, st.none() | _DAY)),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_ACTS, max_size=15))
def test_any_sequence_of_acts_keeps_the_history_possible(registry: Registry, acts: list[tuple[object, ...]]) -> None:
    """`insert` goes past the code, straight to the database."""
    utilities = [ELECTRICITY, ELECTRICITY, ELECTRICITY, WATER]
    oracle = _Oracle(utilities)
    with registry.writing() as session:
        meters = [add_meter(session, str(n + 1), utility=one).id for n, one in enumerate(utilities)]
        points = [add_usage_point(session, f"P{n}").id for n in range(2)]
        for name, meter, other, when in acts:
            try:
                if name == "install":
                    expected = oracle.install(meter, other, day(when))  # type: ignore[arg-type]
                    install(session, meters[meter], points[other], day(when))  # type: ignore[index,arg-type]
                elif name == "remove":
                    expected = oracle.remove(meter, day(when))  # type: ignore[arg-type]
                    remove(session, meters[meter], day(when))  # type: ignore[index,arg-type]
                elif name == "replace":
                    expected = oracle.replace(meter, other, day(when))  # type: ignore[arg-type]
                    replace(session, meters[meter], meters[other], day(when))  # type: ignore[index,arg-type]
                else:
                    start, end = day(when[0]), None if when[1] is None else day(when[1])  # type: ignore[index]
                    expected = oracle.fits(meter, other, start, end)  # type: ignore[arg-type]
                    if expected:
                        oracle.spans.append((meter, other, start, end))  # type: ignore[arg-type]
                    with session.begin_nested():
                        session.execute(
                            insert(Installation).values(
                                meter_id=meters[meter],  # type: ignore[index]
                                usage_point_id=points[other],  # type: ignore[index]
                                utility=utilities[meter],  # type: ignore[index]
                                installed_at=start,
                                removed_at=end,
                            )
                        )
                done = True
            except (HistoryError, IntegrityError):
                done = False
            assert done is expected, (name, meter, other, when)
        stored = {
            (meters.index(one.meter_id), points.index(one.usage_point_id), one.installed_at, one.removed_at)
            for one in history_of(session)
        }
        assert stored == set(oracle.spans)
        session.rollback()
