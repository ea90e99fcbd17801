"""Whatever goes wrong looks the same, in the language asked for; bounds of size, pace and number hold."""

from __future__ import annotations

import socket

import pytest

from meterweave.api.app import ROOT
from meterweave.api.problem import KINDS
from tests.api.conftest import Running
from tests.api.town import client, served


def test_problems_speak_both_languages(running: Running) -> None:
    with client(running.server, running.town.keys["county"]) as caller:
        for path, status in (("/meters/9999", 404), ("/meters?nothing=1", 400), ("/meters?limit=0", 422), ("/x", 404)):
            told = {}
            for language in ("en", "zh-CN"):
                answer = caller.get(f"{ROOT}{path}", headers={"Accept-Language": language})
                assert answer.status_code == status
                assert answer.headers["content-language"] == language[:2]
                told[language] = answer.json()
            english, chinese = told["en"], told["zh-CN"]
            assert english["type"] == chinese["type"]
            assert english["detail"].isascii()
            assert not chinese["detail"].isascii()
            assert english["instance"] != chinese["instance"]


def test_mistakes_say_where_they_are(running: Running) -> None:
    with client(running.server, running.town.keys["root"]) as caller:
        headers = {"Idempotency-Key": "mistaken", "Accept-Language": "zh"}
        answer = caller.post(f"{ROOT}/commands", json={"kind": "explode", "meter": -1, "more": 1}, headers=headers)
        assert {one["where"] for one in answer.json()["errors"]} == {"body.kind", "body.meter", "body.more"}
        assert not any(one["detail"].isascii() for one in answer.json()["errors"])
        assert caller.post(f"{ROOT}/commands", json={"kind": "sync"}).json()["errors"][0]["where"] == (
            "header.Idempotency-Key"
        )


def test_every_answer_is_guarded(running: Running) -> None:
    with client(running.server) as anybody:
        for path in ("/healthz", f"{ROOT}/meters", "/nothing"):
            headers = anybody.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-request-id"]
            assert "server" not in headers
        assert anybody.get("/healthz", headers={"X-Request-ID": "mine-0123456789"}).headers["x-request-id"] == (
            "mine-0123456789"
        )
        assert (
            anybody.get("/healthz", headers={"X-Request-ID": "bad\tid here"}).headers["x-request-id"] != "bad\tid here"
        )


def test_a_long_body_is_refused_announced_or_not(running: Running) -> None:
    with client(running.server, running.town.keys["root"], **{"Idempotency-Key": "long"}) as caller:
        assert caller.post(f"{ROOT}/commands", content=b" " * (1 << 21)).status_code == 413

        def drip() -> object:
            for _ in range(40):
                yield b" " * 65_536

        answer = caller.post(f"{ROOT}/commands", content=drip(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["type"] == "urn:meterweave:problem:too-large"


def test_who_asks_too_often_is_told_when_to_come_again(running: Running) -> None:
    bounds = {"identity_per_s": 0.01, "identity_burst": 3, "address_per_s": 0.01, "address_burst": 8}
    with (
        served(running.registry, running.lake, running.folder, **bounds) as server,
        client(server, running.town.keys["root"]) as caller,
        client(server, running.town.keys["county"]) as other,
    ):
        assert [caller.get(f"{ROOT}/session").status_code for _ in range(5)] == [200] * 3 + [429] * 2
        assert other.get(f"{ROOT}/session").status_code == 200  # another key has a pace of its own
        late = caller.get(f"{ROOT}/session")
        assert int(late.headers["retry-after"]) > 1
        assert caller.get("/healthz").status_code == 200
        assert caller.get("/healthz").status_code == 429  # now it is the address


def test_who_says_nothing_is_cut_off(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meterweave.api.server.Connection.first_within_s", 0.2)
    with socket.create_connection((running.server.host, running.server.port), timeout=60) as mute:
        assert mute.recv(1) == b""


def test_who_never_ends_a_request_is_cut_off(running: Running) -> None:
    with served(running.registry, running.lake, running.folder, body_within_s=0.3) as server:
        key = running.town.keys["root"]
        with socket.create_connection((server.host, server.port), timeout=60) as slow:
            slow.sendall(
                f"POST {ROOT}/commands HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: slow\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
            assert slow.recv(4096).startswith(b"HTTP/1.1 408")


def test_every_kind_of_problem_has_words() -> None:
    for kind in KINDS.values():
        assert kind.title.en
        assert not kind.title.zh.isascii()
        assert 400 <= kind.status < 600
