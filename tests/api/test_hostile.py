"""Nothing that is sent brings a 500: requests made from the OpenAPI document, and those that attackers send."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from meterweave.api.app import ROOT
from tests.api.conftest import Running
from tests.api.town import client

EXAMPLES = 12
STREAMS = "/live/"

NASTY = [
    "' OR 1=1 --",
    '"; DROP TABLE meters; --',
    "%' UNION SELECT password_hash FROM users --",
    "..%2f..%2f..%2fetc%2fpasswd",
    "../../../../etc/passwd",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "\u202e\u0000\ufffe",
    "%00",
    "9" * 400,
    "-1",
    "1e309",
    "NaN",
    "😀" * 50,
    "a" * 5000,
]


def operations(running: Running) -> list[Any]:
    """All operations of the document but streams that do not end by themselves."""
    with client(running.server) as anybody:
        document = anybody.get(f"{ROOT}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=f"http://{running.server.host}:{running.server.port}")
    return [one.ok() for one in schema.get_all_operations() if STREAMS not in one.ok().path]


def test_no_request_made_from_the_document_brings_a_500(running: Running) -> None:
    caller = client(running.server, running.town.keys["root"])
    for operation in operations(running):
        if (operation.method, operation.path) == ("delete", f"{ROOT}/session"):
            continue

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            deadline=None,
            database=None,
        )
        def told(case: Any) -> None:
            response = case.call(session=None, headers={"Authorization": f"Bearer {running.town.keys['root']}"})
            case.validate_response(response, checks=[not_a_server_error])

        told()
    with caller:
        assert caller.get("/readyz").status_code == 200


@pytest.mark.parametrize("text", NASTY)
def test_nasty_words_are_only_words(running: Running, text: str) -> None:
    ways = [
        ("/meters", {"address.contains": text}),
        ("/meters", {"q": text}),
        ("/meters", {"sort": text}),
        ("/meters", {"cursor": text}),
        ("/meters", {text: "1"}),
        ("/usage-points", {"name": text}),
        ("/search", {"q": text}),
        ("/events", {"cursor": text}),
        ("/events", {"event": text}),
        (f"/meters/{running.town.ids['M11']}/readings", {"quantity": text}),
        (f"/meters/{running.town.ids['M11']}/readings", {"series": text}),
        (f"/meters/{running.town.ids['M11']}/readings", {"from": text}),
        ("/readings.csv", {"from": "2026-06-01", "district": text}),
    ]
    with client(running.server, running.town.keys["county"]) as caller:
        for path, asked in ways:
            answer = caller.get(f"{ROOT}{path}", params=asked)
            assert answer.status_code in (200, 400, 422), (path, asked, answer.text)
            if answer.status_code == 200 and "rows" in answer.json():
                assert answer.json()["rows"] == [] or not text.strip("%0\u0000")
        assert caller.get(f"{ROOT}/meters/{quote(text, safe='')}/readings").status_code in (400, 404, 422)


BODIES: list[tuple[bytes, str]] = [
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"[" * 100_000, "application/json"),
    (b'{"kind": "read", "kind": 7}', "application/json"),
    (b"\xff\xfe\x00", "application/json"),
    (b'{"kind": "\\ud800", "meter": 1}', "application/json"),
    (b'{"kind": "read", "meter": 1e400}', "application/json"),
    (b'{"kind": "read", "meter": 99999999999999999999999999}', "application/json"),
    (b'{"kind": "read", "meter": 1, "reason": "\\u0000"}', "application/json"),
    (b"kind=read&meter=1", "application/x-www-form-urlencoded"),
    (b"<kind>read</kind>", "application/xml"),
    (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    (b'{"kind": "read", "meter": 1}', "text/plain"),
    (b'{"kind": "read", "meter": 1}', "application/json; charset=utf-16"),
]


@pytest.mark.parametrize(("body", "media"), BODIES, ids=range(len(BODIES)))
def test_bodies_that_are_none_are_refused(running: Running, body: bytes, media: str) -> None:
    with client(running.server, running.town.keys["root"]) as caller:
        headers = {"Content-Type": media, "Idempotency-Key": "hostile"}
        answer = caller.post(f"{ROOT}/commands", content=body, headers=headers)
        # The last but one is JSON whatever it is called; whether it is taken is the framework's matter.
        assert answer.status_code in (200, 201, 400, 415, 422), answer.text
        assert caller.get("/healthz").status_code == 200


@given(st.binary(max_size=200))
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
def test_authorizations_of_any_octets_let_nobody_in(running: Running, octets: bytes) -> None:
    printable = bytes(one for one in octets if 32 <= one < 127 or one >= 160)
    with client(running.server) as anybody:
        answer = anybody.get(f"{ROOT}/session", headers=[(b"Authorization", b"Bearer x" + printable + b"x")])
        assert answer.status_code == 401
        answer = anybody.get(f"{ROOT}/session", headers=[(b"Cookie", b"meterweave=x" + printable + b"x")])
        assert answer.status_code == 401
