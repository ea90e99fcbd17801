"""What log, metrics and document tell of requests, and what they never do."""

from __future__ import annotations

import socket
import time

import pytest
import structlog

from meterweave.api.app import ROOT
from tests.api.conftest import Running
from tests.api.town import client, served
from tests.manager.people import SECRET

WAIT_S = 90.0


def test_the_log_has_a_line_for_each_request_and_no_secret(running: Running) -> None:
    key = running.town.keys["root"]
    with structlog.testing.capture_logs() as lines, client(running.server, key) as caller:
        caller.get(f"{ROOT}/meters", params={"q": "somebodys-name"})
        caller.get(f"{ROOT}/somebodys-name")
        caller.post(f"{ROOT}/session", json={"name": "k1", "password": SECRET})
        caller.post(f"{ROOT}/session", json={"name": "k1", "password": "wrong-password"})
        asked = [caller.get("/healthz", headers={"X-Request-ID": f"number-{one}"}) for one in range(3)]
        deadline = time.monotonic() + WAIT_S
        while sum(line["event"] == "request" for line in lines) < 7 and time.monotonic() < deadline:
            time.sleep(0.01)
    requests = [line for line in lines if line["event"] == "request"]
    assert len(requests) == 7
    assert {one.headers["x-request-id"] for one in asked} <= {line["request"] for line in requests}
    assert [line["log_level"] for line in requests[:4]] == ["debug", "info", "info", "info"]
    assert (requests[0]["route"], requests[0]["status"], requests[0]["who"]) == ("/meters", 200, "root")
    everything = str(lines)
    for secret in (key, SECRET, "wrong-password", "somebodys-name", *caller.cookies.values()):
        assert secret not in everything


def test_metrics_tell_nothing_of_anybody(running: Running) -> None:
    with client(running.server, running.town.keys["root"]) as caller:
        caller.get(f"{ROOT}/meters/{running.town.ids['M11']}")
        caller.request("BREW", f"{ROOT}/meters")
        text = caller.get("/metrics").text
    assert 'meterweave_api_requests_total{method="GET",route="/meters/{number}",status="200"}' in text
    assert "meterweave_head_end_readings_total" in text
    assert "meterweave_journal_rows_held" in text
    for word in ("000000001001", "320100001", "127.0.0.1", "api1", "BREW", "root"):
        assert word not in text


def test_the_document_is_openapi_3_1_and_loads_nothing_from_elsewhere(running: Running) -> None:
    with client(running.server) as anybody:
        document = anybody.get(f"{ROOT}/openapi.json").json()
        assert document["openapi"].startswith("3.1")
        assert anybody.get("/docs").status_code == anybody.get("/redoc").status_code == 404
    assert set(document["components"]["securitySchemes"]) == {"key", "session"}
    names = [one["name"] for one in document["paths"][f"{ROOT}/meters"]["get"]["parameters"]]
    assert {"sort", "cursor", "limit", "utility", "address.contains"} <= set(names)


def test_who_leaves_answers_unread_is_cut_off(running: Running) -> None:
    request = f"GET {ROOT}/quantities HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {running.town.keys['root']}\r\n\r\n"
    with (
        served(running.registry, running.lake, running.folder, send_within_s=0.3) as server,
        socket.create_connection((server.host, server.port), timeout=WAIT_S) as deaf,
    ):
        deaf.sendall(request.encode() * 40)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            knock_on(deaf)


def knock_on(line: socket.socket) -> None:
    """Send until nobody takes it any more."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        line.sendall(b"\r\n")
        time.sleep(0.02)
