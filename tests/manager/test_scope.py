"""Nobody sees more than was granted: the filter is compared with a plain reading of the rule, on random networks."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session, aliased

from meterweave.manager.errors import NotVisible
from meterweave.manager.identity import Identity, Scope, at_the_machine
from meterweave.manager.scope import (
    ASKED_MAX,
    SCOPED,
    below,
    count_in_scope,
    districts_of,
    in_scope,
    the_visible,
    visible,
)
from meterweave.registry import Installation, Meter, Organisation, Registry, Terminal, TransformerDistrict, UsagePoint
from meterweave.registry.collection import CollectionPlan
from meterweave.registry.commands import Command, CommandKind, CommandState

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def who(*organisations: int, everywhere: bool = False) -> Identity:
    """Somebody who sees these organisations."""
    scope = Scope(everywhere=everywhere, organisations=frozenset(organisations))
    return Identity(user=1, name="wang", permissions=frozenset(), scope=scope, means="session")


# A network as plain numbers: of each row, what it belongs to.
Network = dict[str, list[Any]]

N_ORG, N_DISTRICT, N_TERMINAL, N_METER, N_POINT = 6, 4, 4, 8, 5


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Random trees with anything missing that may be missing."""

    def some(count: int) -> st.SearchStrategy[int | None]:
        return st.none() | st.integers(1, count)

    parents = [draw(st.none() | st.integers(1, number - 1)) if number > 1 else None for number in range(1, N_ORG + 1)]
    installed = draw(st.lists(some(N_POINT), min_size=N_METER, max_size=N_METER))
    seen: set[int] = set()
    for index, point in enumerate(installed):  # a usage point holds one meter at a time
        if point in seen:
            installed[index] = None
        elif point is not None:
            seen.add(point)
    return {
        "organisations": parents,
        "districts": draw(st.lists(some(N_ORG), min_size=N_DISTRICT, max_size=N_DISTRICT)),
        "terminals": draw(st.lists(some(N_DISTRICT), min_size=N_TERMINAL, max_size=N_TERMINAL)),
        "points": draw(st.lists(some(N_DISTRICT), min_size=N_POINT, max_size=N_POINT)),
        "meters": draw(st.lists(some(N_TERMINAL), min_size=N_METER, max_size=N_METER)),
        "installed": installed,
        "removed": draw(st.lists(some(N_POINT), min_size=N_METER, max_size=N_METER)),  # where they hung before
        "commands": draw(st.lists(st.tuples(st.integers(1, N_TERMINAL), some(N_METER)), min_size=5, max_size=5)),
    }


def store(session: Session, network: Network) -> None:
    """Write it, in place of whatever there was."""
    for table in (Command, Installation, Meter, Terminal, UsagePoint, TransformerDistrict):
        session.execute(delete(table))
    for row in reversed(range(1, N_ORG + 1)):
        session.execute(delete(Organisation).where(Organisation.id == row))

    def write(table: Any, rows: list[dict[str, Any]]) -> None:
        if rows:
            session.execute(insert(table), rows)

    for number, parent in enumerate(network["organisations"], 1):
        write(Organisation, [{"id": number, "code": f"O{number}", "name": "", "parent_id": parent}])
    write(
        TransformerDistrict,
        [
            {"id": number, "code": f"D{number}", "name": "", "organisation_id": owner}
            for number, owner in enumerate(network["districts"], 1)
        ],
    )
    write(
        Terminal,
        [
            {"id": number, "protocol": "dlt698", "address": f"{number:012d}", "address_key": number, "district_id": at}
            for number, at in enumerate(network["terminals"], 1)
        ],
    )
    write(
        UsagePoint,
        [{"id": number, "code": f"U{number}", "district_id": at} for number, at in enumerate(network["points"], 1)],
    )
    write(
        Meter,
        [
            {
                "id": number, "utility": "electricity", "protocol": "dlt645", "address": f"{number:012d}",
                "address_key": number, "terminal_id": terminal, "wire_key": None if terminal is None else number,
            }
            for number, terminal in enumerate(network["meters"], 1)
        ],
    )  # fmt: skip
    spans = []
    for number, (now, before) in enumerate(zip(network["installed"], network["removed"], strict=True), 1):
        if before is not None:
            begin = NOW + timedelta(days=10 * number)  # each at its own time, so that none overlap
            spans.append((number, before, begin, begin + timedelta(days=1)))
        if now is not None:
            spans.append((number, now, NOW + timedelta(days=1000), None))
    names = ("meter_id", "usage_point_id", "installed_at", "removed_at")
    write(Installation, [dict(zip(names, span, strict=True)) | {"utility": "electricity"} for span in spans])
    for number, (terminal, meter) in enumerate(network["commands"], 1):
        kind = CommandKind.CLOCK if meter is None else CommandKind.READ
        row = {
            "id": number, "operator": "x", "caller_id": str(number), "kind": kind, "terminal_id": terminal,
            "meter_id": meter, "arguments": {}, "reason": "", "created_at": NOW, "not_after": NOW,
            "state": CommandState.QUEUED, "state_at": NOW, "tries": 0,
        }  # fmt: skip
        write(Command, [row])


def expected(network: Network, roots: set[int]) -> dict[type, set[int]]:
    """What somebody may see who was given `roots`, by the words of the rule."""

    def above(organisation: int | None) -> set[int]:
        found = set()
        while organisation is not None:
            found.add(organisation)
            organisation = network["organisations"][organisation - 1]
        return found

    def of(table: str, number: int | None) -> Any:
        return None if number is None else network[table][number - 1]

    def district_of_meter(number: int) -> int | None:
        by_terminal = of("terminals", of("meters", number))
        return by_terminal if by_terminal is not None else of("points", network["installed"][number - 1])

    def sees(district: int | None) -> bool:
        return bool(above(of("districts", district)) & roots)

    return {
        Organisation: {number for number in range(1, N_ORG + 1) if above(number) & roots},
        TransformerDistrict: {number for number in range(1, N_DISTRICT + 1) if sees(number)},
        Terminal: {number for number, at in enumerate(network["terminals"], 1) if sees(at)},
        UsagePoint: {number for number, at in enumerate(network["points"], 1) if sees(at)},
        Meter: {number for number in range(1, N_METER + 1) if sees(district_of_meter(number))},
        Command: {
            number
            for number, (terminal, meter) in enumerate(network["commands"], 1)
            if sees(of("terminals", terminal) if meter is None else district_of_meter(meter))
        },
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(), st.sets(st.integers(1, N_ORG)))
def test_one_sees_what_was_granted_and_nothing_else(registry: Registry, network: Network, roots: set[int]) -> None:
    with registry.writing() as session:
        store(session, network)
    wanted = expected(network, roots)
    with registry.reading() as session:
        scope = Scope(organisations=below(session, roots))
        assert scope.organisations == wanted[Organisation]
        assert districts_of(session, scope) == wanted[TransformerDistrict]
        identity = who(*scope.organisations)
        for kind in SCOPED:
            id_column = kind.id  # type: ignore[attr-defined]
            everything = set(session.scalars(select(id_column)))
            assert set(session.scalars(in_scope(select(id_column), identity, kind))) == wanted[kind], kind
            assert visible(session, identity, kind, [*everything, 4711]) == wanted[kind]
            assert count_in_scope(session, identity, kind) == len(wanted[kind])
            assert count_in_scope(session, who(everywhere=True), kind) == len(everything)
            for number in [*everything, 4711]:
                if number in wanted[kind]:
                    assert the_visible(session, identity, kind, number).id == number  # type: ignore[attr-defined]
                else:
                    with pytest.raises(NotVisible):
                        the_visible(session, identity, kind, number)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(networks(), st.sets(st.integers(1, N_ORG)), st.sets(st.integers(1, N_ORG)))
def test_a_narrower_scope_never_shows_more(
    registry: Registry, network: Network, roots: set[int], wish: set[int]
) -> None:
    with registry.writing() as session:
        store(session, network)
    with registry.reading() as session:
        wide = Scope(organisations=below(session, roots))
        narrow = wide.narrowed(below(session, wish))
        assert wide.covers(narrow)
        for kind in SCOPED:
            ids = select(kind.id)  # type: ignore[attr-defined]
            less = set(session.scalars(in_scope(ids, who(*narrow.organisations), kind)))
            assert less <= set(session.scalars(in_scope(ids, who(*wide.organisations), kind)))


SOME: Network = {
    "organisations": [None, 1, 1, 2, 3, None],  # 1 over 2 and 3, 2 over 4, 3 over 5; 6 alone
    "districts": [4, 5, None, 1],
    "terminals": [1, 2, None, 3],
    "points": [1, 2, None, 1, 2],
    "meters": [1, 2, 3, None, None, None, 4, 1],
    "installed": [2, None, 1, 5, None, 3, None, None],
    "removed": [None, None, None, 1, 1, None, None, None],
    "commands": [(1, None), (2, None), (1, 1), (2, 2), (3, 3)],
}


def meters_of(session: Session, identity: Identity) -> list[int]:
    return list(session.scalars(in_scope(select(Meter.id), identity).order_by(Meter.id)))


def test_a_county_sees_its_county(registry: Registry) -> None:
    with registry.writing() as session:
        store(session, SOME)
    with registry.reading() as session:
        one, other = (who(*below(session, [root])) for root in (2, 3))
        # 1 and 8 by their terminal; 3 by its usage point, for its terminal has no district; 4 and 5 are gone from there
        assert meters_of(session, one) == [1, 3, 8]
        assert meters_of(session, other) == [2, 4]  # 4 by its usage point: it hangs on no terminal
        assert meters_of(session, who(*below(session, [1]))) == [1, 2, 3, 4, 8]
        assert meters_of(session, who(everywhere=True)) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert meters_of(session, who()) == []
        assert meters_of(session, who(6)) == []


def test_a_question_about_several_things_shows_what_is_visible_of_each(registry: Registry) -> None:
    with registry.writing() as session:
        store(session, SOME)
    with registry.reading() as session:
        county = who(*below(session, [2]))
        pairs = select(Meter.id, Terminal.id).join(Terminal, Terminal.id == Meter.terminal_id)
        assert set(session.execute(in_scope(pairs, county))) == {(1, 1), (8, 1)}
        other = aliased(Meter)
        assert set(session.scalars(in_scope(select(other.id), county))) == {1, 3, 8}
        both = in_scope(select(Meter.id, other.id).where(Meter.id != other.id), county)
        assert {number for pair in session.execute(both) for number in pair} == {1, 3, 8}
        total = select(func.count()).select_from(Meter)
        assert session.scalar(in_scope(total, county, Meter)) == 3


def test_a_question_without_anything_to_filter_is_refused() -> None:
    for query in (select(func.count()).select_from(Meter), select(CollectionPlan)):
        with pytest.raises(ValueError, match="filtered"):
            in_scope(query, who(1))
    with pytest.raises(ValueError, match="no place"):
        in_scope(select(CollectionPlan), who(1), CollectionPlan)


def test_what_is_not_there_and_what_is_not_yours_sound_alike(registry: Registry) -> None:
    with registry.writing() as session:
        store(session, SOME)
    with registry.reading() as session:
        said = []
        for number in (2, 4711):
            with pytest.raises(NotVisible) as told:
                the_visible(session, who(*below(session, [2])), Meter, number)
            said.append(told.value.text.en.replace(str(number), "N") + told.value.text.zh.replace(str(number), "N"))
    assert said[0] == said[1]


def test_a_circle_of_organisations_ends(registry: Registry) -> None:
    with registry.writing() as session:
        session.execute(
            insert(Organisation),
            [{"id": number, "code": f"O{number}", "name": "", "parent_id": None} for number in (1, 2, 3)],
        )
        for number, parent in ((1, 3), (2, 1), (3, 2)):
            session.get_one(Organisation, number).parent_id = parent
    with registry.reading() as session:
        assert below(session, [2]) == {1, 2, 3}
        assert below(session, []) == below(session, [4711]) == frozenset()


def test_hundreds_of_organisations_are_one_question(registry: Registry) -> None:
    with registry.writing() as session:
        store(session, SOME)
        rows = [{"id": number, "code": f"O{number}", "name": "", "parent_id": 2} for number in range(10, 3000)]
        session.execute(insert(Organisation), rows)
    with registry.reading() as session:
        county = who(*below(session, [2]))
        assert len(county.scope.organisations) == 2992
        assert meters_of(session, county) == [1, 3, 8]
        with pytest.raises(ValueError, match="possible"):
            visible(session, county, Meter, range(ASKED_MAX + 1))


def test_an_identity_is_never_made_wider() -> None:
    identity = who(1, 2)
    with pytest.raises(FrozenInstanceError):
        identity.scope = Scope(everywhere=True)  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        identity.scope.everywhere = True  # type: ignore[misc]
    assert Scope(everywhere=True).narrowed([3]) == Scope(organisations=frozenset([3]))
    assert identity.scope.narrowed([2, 3]) == Scope(organisations=frozenset([2]))
    assert not identity.scope.covers(Scope(everywhere=True))
    assert not identity.scope.covers(Scope(organisations=frozenset([3])))
    assert at_the_machine("x").scope.covers(identity.scope)
