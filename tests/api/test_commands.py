"""Commands over the API: once, by who may, and on the record."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from meterweave.api.app import ROOT
from meterweave.registry.audit import AuditEntry
from tests.api.conftest import Running
from tests.api.town import client


def give(running: Running, key: str, order: dict[str, Any], who: str = "county") -> httpx.Response:
    with client(running.server, running.town.keys[who]) as caller:
        return caller.post(f"{ROOT}/commands", json=order, headers={"Idempotency-Key": key})


def test_sent_twice_it_is_one(running: Running) -> None:
    order = {"kind": "trip", "meter": running.town.ids["M12"], "reason": "欠费"}
    first, again = give(running, "once", order), give(running, "once", order)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert first.headers["location"] == f"{ROOT}/commands/{first.json()['id']}"
    other = give(running, "once", order | {"reason": "another"})
    assert other.status_code == 422
    mine = give(running, "once", order, who="root")  # another's keys are another's
    assert mine.status_code == 201


def test_it_is_told_of_in_the_trail(running: Running) -> None:
    number = give(running, "told", {"kind": "clock", "terminal": running.town.ids["T1"]}).json()["id"]
    with client(running.server, running.town.keys["county"]) as caller:
        assert caller.post(f"{ROOT}/commands/{number}/cancel").json()["state"] == "cancelled"
        late = caller.post(f"{ROOT}/commands/{number}/cancel", headers={"Accept-Language": "zh"})
        assert late.status_code == 409
        assert "只能取消" in late.json()["detail"]
        history = caller.get(f"{ROOT}/commands/{number}").json()["history"]
    assert [one["state"] for one in history] == ["queued", "cancelled"]
    with running.registry.reading() as session:
        entries = session.query(AuditEntry).filter_by(kind="command", object=str(number)).order_by(AuditEntry.number)
        assert [(one.action, one.who) for one in entries] == [("command.give", "api1"), ("command.cancel", "api1")]


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ({"kind": "trip", "meter": "M11"}, 422),  # no reason
        ({"kind": "read", "terminal": "T1"}, 400),
        ({"kind": "sync", "meter": "M11"}, 400),
        ({"kind": "read"}, 400),
        ({"kind": "sync", "terminal": "T1", "meter": "M11"}, 400),
        ({"kind": "read", "meter": "M11", "arguments": {"quantities": ["nothing"]}}, 400),
        ({"kind": "read", "meter": "M11", "arguments": {"series": "curve"}}, 400),
        ({"kind": "read_stored", "meter": "M11", "arguments": {"series": "curve"}}, 400),
        ({"kind": "read", "meter": "M11", "within_s": 10**9}, 422),
        ({"kind": "read", "meter": "M11", "arguments": {"quantities": ["active_power"]}}, 201),
        ({"kind": "parameters", "terminal": "T1", "arguments": {"names": ["heartbeat"]}}, 201),
        (
            {
                "kind": "read_stored",
                "meter": "M11",
                "arguments": {"series": "daily", "from": "2026-06-01T00:00:00+08:00", "to": "2026-06-02T00:00:00Z"},
            },
            201,
        ),
    ],
)
def test_what_is_not_possible_is_refused(running: Running, order: dict[str, Any], status: int) -> None:
    ids = running.town.ids
    named = {name: ids[value] if name in ("meter", "terminal") else value for name, value in order.items()}
    given = give(running, f"order-{abs(hash(str(order))) % 10**12}", named)
    assert given.status_code == status, given.text
