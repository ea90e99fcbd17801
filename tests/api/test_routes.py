"""Every route there is: who gets in, who does not, and that nobody reaches what is another county's.

A route that is added stands in `WAYS`, or the first test fails.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from meterweave.api.app import ROOT
from meterweave.manager.listing import TABLES
from tests.api.conftest import Running
from tests.api.town import client

DAYS = "from=2026-06-01&to=2026-06-02"
PUBLIC = {("get", "/healthz"), ("get", "/readyz"), ("post", f"{ROOT}/session")}


class Way(NamedTuple):
    """A route, and what of it is called.

    `own` and `foreign` have names of `Town.ids` in braces; a county sees the one, and of the other not even that it is.
    """

    method: str
    path: str
    own: str
    foreign: tuple[str, ...] = ()
    body: dict[str, Any] | None = None
    headers: dict[str, str] = {}  # noqa: RUF012
    session_only: bool = False  # of no use with a key: 409
    free: bool = False  # needs no permission


def lists() -> list[Way]:
    return [Way("get", path, path) for name in TABLES for path in (f"/{dashed(name)}", f"/{dashed(name)}.csv")]


def dashed(name: str) -> str:
    return name.replace("_", "-")


WAYS = [
    *lists(),
    Way("get", "/organisations/{number}", "/organisations/{K1}", ("/organisations/{K2}", "/organisations/{P}")),
    Way("get", "/districts/{number}", "/districts/{D1}", ("/districts/{D2}", "/districts/{D0}")),
    Way("get", "/terminals/{number}", "/terminals/{T1}", ("/terminals/{T2}",)),
    Way("get", "/meters/{number}", "/meters/{M11}", ("/meters/{M21}", "/meters/{M22}")),
    Way("get", "/usage-points/{number}", "/usage-points/{U1}", ("/usage-points/{U2}",)),
    Way("get", "/installations/{number}", "/installations/{I1}", ("/installations/{I2}",)),
    Way("get", "/collection-plans/{number}", "/collection-plans/{P1}", ("/collection-plans/{P2}",)),
    Way("get", "/tables", "/tables"),
    Way("get", "/search", "/search?q=0000"),
    Way("get", "/quantities", "/quantities", free=True),
    Way("get", "/meters/{number}/readings", f"/meters/{{M11}}/readings?{DAYS}", (f"/meters/{{M21}}/readings?{DAYS}",)),
    *(
        Way(
            "get",
            f"/readings.{form}",
            f"/readings.{form}?{DAYS}&district={{D1}}",
            (
                f"/readings.{form}?{DAYS}&district={{D2}}",
                f"/readings.{form}?{DAYS}&organisation={{K2}}",
                f"/readings.{form}?{DAYS}&organisation={{P}}",
            ),
        )
        for form in ("csv", "arrow", "parquet")
    ),
    Way(
        "get",
        "/live/readings",
        "/live/readings?meter={M11}",
        (
            "/live/readings?meter={M21}",
            "/live/readings?meter={M11}&meter={M21}",
            "/live/readings?district={D2}",
            "/live/readings?organisation={K2}",
        ),
    ),
    Way("get", "/events", f"/events?{DAYS}", (f"/events?{DAYS}&terminal={{T2}}", f"/events?{DAYS}&meter={{M21}}")),
    Way(
        "get",
        "/collection/success",
        f"/collection/success?{DAYS}",
        (f"/collection/success?{DAYS}&district={{D2}}", f"/collection/success?{DAYS}&organisation={{K2}}"),
    ),
    Way("get", "/commands/{number}", "/commands/{C1}", ("/commands/{C2}",)),
    Way("post", "/commands/{number}/cancel", "/commands/{C1}/cancel", ("/commands/{C2}/cancel",)),
    Way("get", "/session", "/session", free=True),
    Way("delete", "/session", "/session", free=True, session_only=True),
    Way("put", "/session/password", "/session/password", free=True, session_only=True, body={"old": "a", "new": "b"}),
    Way("post", "/commands", "/commands", headers={"Idempotency-Key": "ways"}, body={"kind": "read", "meter": "M11"}),
]
OTHERS = [Way("get", "/metrics", "/metrics")]


def called(way: Way) -> str:
    return f"{way.method} {way.path}"


def full(way: Way, path: str) -> str:
    return path if way in OTHERS else f"{ROOT}{path}"


ALL = [*WAYS, *OTHERS]
each = pytest.mark.parametrize("way", ALL, ids=called)


def status(running: Running, key: str | None, way: Way, path: str) -> int:
    """What a call ends with; a stream is left at once."""
    ids = running.town.ids
    body = way.body
    if body and "meter" in body:
        body = body | {"meter": ids[body["meter"]]}
    with (
        client(running.server, key, **way.headers) as caller,
        caller.stream(way.method.upper(), full(way, path).format(**ids), json=body) as response,
    ):
        if response.status_code >= 400:
            problem = (response.read(), response.json())[1]
            assert response.headers["content-type"] == "application/problem+json"
            assert problem["status"] == response.status_code
        return response.status_code


def test_every_route_is_in_the_table(running: Running) -> None:
    assert running.server.api is not None
    with client(running.server) as anybody:
        paths = anybody.get(f"{ROOT}/openapi.json").json()["paths"]
    there = {(method, path) for path, methods in paths.items() for method in methods}
    assert there - PUBLIC == {(way.method, full(way, way.path)) for way in ALL}


@each
def test_without_identity_nobody_gets_in(running: Running, way: Way) -> None:
    assert status(running, None, way, way.own) == 401
    assert status(running, "mw_0123456789_" + "A" * 43, way, way.own) == 401


@each
def test_a_county_gets_at_its_own(running: Running, way: Way) -> None:
    wanted = {409} if way.session_only else {200, 201}
    assert status(running, running.town.keys["county"], way, way.own) in wanted


@each
def test_without_the_permission_nobody_gets_in(running: Running, way: Way) -> None:
    wanted = 409 if way.session_only else 200 if way.free else 403
    assert status(running, running.town.keys["nothing"], way, way.own) == wanted


@each
def test_another_countys_are_not_there(running: Running, way: Way) -> None:
    for path in way.foreign:
        assert status(running, running.town.keys["county"], way, path) == 404, path
        if "cancel" not in path:
            assert status(running, running.town.keys["root"], way, path) == 200, path


def test_commands_for_another_countys_devices_find_none(running: Running) -> None:
    ids = running.town.ids
    with client(running.server, running.town.keys["county"]) as caller:
        for order in ({"kind": "read", "meter": ids["M21"]}, {"kind": "sync", "terminal": ids["T2"]}):
            given = caller.post(f"{ROOT}/commands", json=order, headers={"Idempotency-Key": f"foreign-{order['kind']}"})
            assert given.status_code == 404


@pytest.mark.parametrize("name", TABLES)
def test_lists_hold_nothing_of_another_county(running: Running, name: str) -> None:
    """What only county 2 has stands in no row of what county 1 is given, and in some row of what the province is."""
    path = f"{ROOT}/{dashed(name)}"
    marks = {"000320100002", "D2", "U2", "K2", "000000002001", "plan 2"}

    def seen(key: str) -> set[str]:
        with client(running.server, key) as caller:
            rows = caller.get(path).json()["rows"]
            text = caller.get(f"{path}.csv").text
        cells = {str(value) for row in rows for value in row.values()} & marks
        assert {mark for mark in marks if mark in text} == cells
        return cells

    assert not seen(running.town.keys["county"])
    assert seen(running.town.keys["root"]) or name == "gaps"


def test_search_and_events_find_nothing_of_another_county(running: Running) -> None:
    with client(running.server, running.town.keys["county"]) as caller:
        hits = caller.get(f"{ROOT}/search", params={"q": "2"}).json()["hits"]
        assert not [one for one in hits if one["name"] in ("000320100002", "000000002001", "D2", "U2", "K2")]
        events = caller.get(f"{ROOT}/events?{DAYS}").json()["events"]
        assert {one["terminal"] for one in events} == {running.town.ids["T1"]}


def test_a_download_of_all_that_is_seen_holds_that(running: Running) -> None:
    ids = running.town.ids
    for key, meters in (("county", {"M11", "M12"}), ("root", {"M11", "M12", "M21", "M22"})):
        with client(running.server, running.town.keys[key]) as caller:
            lines = caller.get(f"{ROOT}/readings.csv?{DAYS}").text.splitlines()
        assert {int(line.split(",")[0]) for line in lines[1:]} == {ids[one] for one in meters}
