"""The API as a centre has it: where it is and the first password are printed; over TLS; behind a proxy."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from meterweave.api.app import ROOT
from meterweave.api.caller import CSRF, SECURE_COOKIE
from meterweave.centre.certificate import own_identity
from tests.api.conftest import Running
from tests.api.town import client, served
from tests.manager.people import SECRET

WAIT_S = 120.0


def test_a_centre_serves_it(tmp_path: Path) -> None:
    options = ["--data", str(tmp_path), "--dlt698", "127.0.0.1:0", "--gdw1376", "127.0.0.1:0", "--api", "127.0.0.1:0"]
    command = [sys.executable, "-m", "meterweave.cli", "serve", *options]
    centre = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert centre.stdout is not None
        said = "".join(centre.stdout.readline() for _ in range(4))
        place = re.search(r"api (http://[\d.:]+)/api/v1", said)
        password = re.search(r"as admin with the one-time password (\S+)", said)
        assert place is not None
        assert password is not None
        with httpx.Client(base_url=place[1], timeout=WAIT_S, trust_env=False) as caller:
            begun = caller.post(f"{ROOT}/session", json={"name": "admin", "password": password[1]}).json()
            assert begun["must_change"]
            assert caller.get(f"{ROOT}/meters").status_code == 403
            change = {"old": password[1], "new": SECRET}
            headers = {CSRF: begun["csrf"]}
            assert caller.put(f"{ROOT}/session/password", json=change, headers=headers).status_code == 200
            assert caller.get(f"{ROOT}/meters").json()["rows"] == []
            assert "meterweave_head_end_readings_total 0.0" in caller.get("/metrics").text
            assert caller.get(f"{ROOT}/live/readings?meter=1").status_code == 404
        centre.send_signal(signal.SIGTERM)
        assert centre.wait(WAIT_S) == 0
    finally:
        centre.kill()
        centre.wait()
        if centre.stdout is not None:
            centre.stdout.close()


def test_over_tls_cookies_go_nowhere_else(running: Running, tmp_path: Path) -> None:
    own = own_identity(tmp_path)
    settings = {"tls_certificate": own.certificate, "tls_key": own.key}
    with (
        served(running.registry, running.lake, running.folder, **settings) as server,
        httpx.Client(base_url=f"https://127.0.0.1:{server.port}", verify=False, timeout=WAIT_S) as caller,
    ):
        assert server.url.startswith("https://")
        begun = caller.post(f"{ROOT}/session", json={"name": "k1", "password": SECRET})
        assert begun.headers["set-cookie"].startswith(SECURE_COOKIE)
        assert "Secure" in begun.headers["set-cookie"]
        assert begun.headers["strict-transport-security"]
        assert caller.get(f"{ROOT}/session").json()["name"] == "k1"


def test_a_proxy_is_believed_where_it_is_named(running: Running) -> None:
    """Each address has a pace of its own, if the proxy may say which it is."""
    bounds = {"address_per_s": 0.01, "address_burst": 2}
    for proxies, wanted in (((), [200, 200, 429, 429]), (("127.0.0.1",), [200, 200, 200, 200])):
        with (
            served(running.registry, running.lake, running.folder, proxies=proxies, **bounds) as server,
            client(server) as caller,
        ):
            found = [
                caller.get("/healthz", headers={"X-Forwarded-For": f"192.0.2.{number}"}).status_code
                for number in range(4)
            ]
        assert found == wanted
