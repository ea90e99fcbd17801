"""Finding within a scope: what a county finds is its own, and the alternatives of a scope are the scope."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from meterweave.manager.alternatives import alternatives
from meterweave.manager.errors import NotAllowed
from meterweave.manager.finding import find
from meterweave.manager.identity import Scope
from meterweave.manager.scope import in_scope
from meterweave.registry import Installation, Meter, Organisation, Registry, Terminal, TransformerDistrict, UsagePoint
from meterweave.registry.commands import Command, CommandKind, CommandState
from meterweave.registry.search import Fit, Found
from meterweave.registry.vocabulary import Utility
from tests.manager.listing.estate import ALL, build, of_county
from tests.registry.records import day


def look(registry: Registry, wanted: str, who: Any = ALL) -> Found:
    with registry.reading() as session:
        return find(session, who, wanted)


def test_a_county_finds_its_own_and_no_more(registry: Registry) -> None:
    ids = build(registry, meters=40)
    own, other = of_county(ids["S1"]), of_county(ids["S2"])
    everybody = {(hit.table, hit.id) for hit in look(registry, "0000").hits}
    seen = {(hit.table, hit.id) for hit in look(registry, "0000", own).hits}
    assert seen
    assert ("terminals", ids["T1"]) in seen
    assert ("terminals", ids["T2"]) not in seen
    assert ("terminals", ids["T2"]) in {(hit.table, hit.id) for hit in look(registry, "0000", other).hits} | everybody
    assert [hit.name for hit in look(registry, "YH005").hits] == ["YH005"]
    assert look(registry, "YH005", own).hits == ()
    assert [(hit.name, hit.fit) for hit in look(registry, "YH005", other).hits] == [("YH005", Fit.EXACT)]
    assert look(registry, f"#{ids['T2']}", replace(own, scope=Scope())).hits == ()


def test_nobody_finds_anything_without_the_permission(registry: Registry) -> None:
    with pytest.raises(NotAllowed, match=r"archives\.read"):
        look(registry, "1", ALL.narrowed(()))


MODELS = [Meter, Terminal, UsagePoint, TransformerDistrict, Organisation, Command, Installation]


@pytest.mark.parametrize("model", MODELS)
def test_the_alternatives_of_a_scope_are_the_scope(registry: Registry, model: Any) -> None:
    ids = build(registry, meters=40)
    with registry.writing() as session:
        session.add_all(
            (
                Meter(id=900, utility=Utility.WATER, protocol="manual", address="m1", address_key=1),
                UsagePoint(id=900, code="elsewhere", district_id=ids["D2"]),
            )
        )
        session.flush()
        session.add_all(
            (
                Command(
                    operator="o", caller_id="c", kind=CommandKind.READ, terminal_id=ids["line"], meter_id=900,
                    arguments={}, reason="", created_at=day(1), not_after=day(2), state=CommandState.QUEUED,
                    state_at=day(1),
                ),
                Installation(meter_id=900, usage_point_id=900, utility=Utility.WATER, installed_at=day(1)),
            )
        )  # fmt: skip
        session.get_one(Meter, 3).terminal_id = ids["line"]  # which has no district; its usage point has
    some = [{"S1"}, {"S2"}, {"S1", "S2"}, {"P"}, {"K1"}, set()]
    with registry.reading() as session:
        for names in some:
            who = replace(of_county(0), scope=Scope(organisations=frozenset(ids[name] for name in names)))
            query = select(model.id)
            if model is Installation:
                meters = in_scope(select(Meter.id), who, Meter)
                expected = list(session.scalars(query.where(Installation.meter_id.in_(meters))))
            else:
                expected = list(session.scalars(in_scope(query, who, model)))
            found = [row for one in alternatives(query, who, model) for row in session.scalars(one)]
            assert sorted(found) == sorted(expected), names
        assert [len(session.scalars(one).all()) for one in alternatives(select(model.id), ALL, model)] == [
            len(session.scalars(select(model.id)).all())
        ]
