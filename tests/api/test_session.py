"""Log-in, cookies, and requests that a page elsewhere made a browser send."""

from __future__ import annotations

import httpx

from meterweave.api.app import ROOT
from meterweave.api.caller import CSRF, csrf_token
from tests.api.conftest import Running
from tests.api.town import client
from tests.manager.people import SECRET


def logged_in(caller: httpx.Client, name: str = "k1") -> httpx.Response:
    return caller.post(f"{ROOT}/session", json={"name": name, "password": SECRET})


def test_a_session_is_a_cookie_that_no_script_reads(running: Running) -> None:
    with client(running.server) as caller:
        begun = logged_in(caller)
        assert begun.status_code == 200
        cookie = begun.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "Path=/" in cookie
        me = caller.get(f"{ROOT}/session").json()
        assert me["name"] == "k1"
        assert me["csrf"] == begun.json()["csrf"] == csrf_token(caller.cookies["meterweave"])
        assert me["csrf"] not in caller.cookies["meterweave"]
        assert not me["everywhere"]


def test_a_cookie_alone_changes_nothing(running: Running) -> None:
    with client(running.server) as caller:
        csrf = logged_in(caller).json()["csrf"]
        order = {"kind": "read", "meter": running.town.ids["M11"]}
        for wrong in ({}, {CSRF: ""}, {CSRF: "0" * 64}, {CSRF: csrf.upper()}):
            headers = {"Idempotency-Key": "forged", **wrong}
            refused = caller.post(f"{ROOT}/commands", json=order, headers=headers)
            assert refused.status_code == 403
            assert refused.json()["type"] == "urn:meterweave:problem:csrf"
        given = caller.post(f"{ROOT}/commands", json=order, headers={"Idempotency-Key": "meant", CSRF: csrf})
        assert given.status_code == 201
        assert given.json()["operator"] == "k1"


def test_a_log_out_holds_at_once(running: Running) -> None:
    with client(running.server) as caller:
        csrf = logged_in(caller).json()["csrf"]
        token = caller.cookies["meterweave"]
        assert caller.get(f"{ROOT}/session").status_code == 200
        assert caller.delete(f"{ROOT}/session").status_code == 403
        assert caller.delete(f"{ROOT}/session", headers={CSRF: csrf}).status_code == 204
        caller.cookies.set("meterweave", token)
        assert caller.get(f"{ROOT}/session").status_code == 401


def test_each_log_in_has_a_token_of_its_own(running: Running) -> None:
    with client(running.server) as caller:
        caller.cookies.set("meterweave", "planted" * 5)
        logged_in(caller)
        tokens = [one.value for one in caller.cookies.jar if one.name == "meterweave"]
        assert "planted" * 5 not in tokens[-1:]
        first = tokens[-1]
        caller.cookies.clear()
        logged_in(caller)
        assert caller.cookies["meterweave"] != first


def test_a_wrong_password_tells_nothing(running: Running) -> None:
    with client(running.server) as caller:
        known = caller.post(f"{ROOT}/session", json={"name": "k1", "password": "wrong"})
        unknown = caller.post(f"{ROOT}/session", json={"name": "nobody", "password": "wrong"})
        assert known.status_code == unknown.status_code == 401
        assert known.json() | {"instance": ""} == unknown.json() | {"instance": ""}
        assert "set-cookie" not in known.headers
    with client(running.server) as caller:
        assert logged_in(caller).status_code == 200


def test_what_was_typed_is_not_told_back(running: Running) -> None:
    with client(running.server) as caller:
        refused = caller.post(f"{ROOT}/session", json={"name": "k1", "password": ["hunter2"], "hunter3": 1})
        assert refused.status_code == 422
        assert "hunter2" not in refused.text


def test_a_form_elsewhere_logs_nobody_in(running: Running) -> None:
    """Forms of other sites send text or form data without asking; JSON they may not."""
    body = f'{{"name": "k1", "password": "{SECRET}"}}'
    with client(running.server) as caller:
        for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            sent = caller.post(f"{ROOT}/session", content=body, headers={"Content-Type": media})
            assert sent.status_code == 422
            assert "set-cookie" not in sent.headers
