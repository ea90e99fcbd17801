"""A meter or a terminal is found by any of its names, with all that belongs to it."""

from __future__ import annotations

import json

import pytest

from meterweave.registry import Organisation, Registry, TransformerDistrict, UnknownRecord
from meterweave.registry.installation import install
from meterweave.registry.lookup import find_meters, find_terminals
from tests.registry.records import add_meter, add_terminal, add_usage_point, day


def test_a_meter_is_shown_with_terminal_and_history(registry: Registry) -> None:
    with registry.writing() as session:
        organisation = Organisation(code="A1", name="East")
        session.add(organisation)
        session.flush()
        district = TransformerDistrict(code="T1", name="Mill", organisation_id=organisation.id)
        session.add(district)
        session.flush()
        terminal = add_terminal(session, "1")
        terminal.district_id = district.id
        meter = add_meter(session, "77", terminal)
        meter.asset_number = "CN-5"
        install(session, meter.id, add_usage_point(session, "P1").id, day(1))
        number = meter.id
        session.flush()
    with registry.reading() as session:
        by_address = find_meters(session, "000000000077")
        assert by_address == find_meters(session, " CN-5 ") == find_meters(session, f"#{number}")
        shown = by_address[0].to_json()
        assert json.loads(json.dumps(shown)) == shown
        assert shown["terminal"]["district"] == "T1"
        assert shown["terminal"]["organisation"] == "A1"
        assert shown["history"] == [
            {"usage_point": "P1", "installed_at": "2026-01-02T00:00:00+00:00", "removed_at": None}
        ]
        assert find_terminals(session, "1")[0].to_json()["address"] == "000000000001"
        for search in (find_meters, find_terminals):
            with pytest.raises(UnknownRecord, match="nobody"):
                search(session, "nobody")
