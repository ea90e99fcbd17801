"""``meterweave collector``: inviting gateways, and looking at one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterweave.centre.certificate import CERTIFICATE, own_identity
from meterweave.cli.folder import Folder
from meterweave.gateway.plan import SitePlan
from meterweave.gateway.settings import load
from meterweave.gateway.store import Contact, Store
from meterweave.lake.journal import Packed
from meterweave.lake.kind import Kind
from meterweave.registry.gateways import gateway_of_key
from tests.cli.conftest import Call
from tests.gateway.rows import readings


def test_an_invitation_makes_gateway_key_and_certificate(call: Call, tmp_path: Path) -> None:
    data, out = tmp_path / "centre", tmp_path / "mill.toml"
    said = call("collector", "invite", "Mill", "--data", data, "--centre", "[::1]:9175", "--out", out)
    assert (said.code, said.out) == (0, "")
    assert "shown once" in said.err
    found = load(out)
    assert (found.host, found.port, found.name) == ("::1", 9175, "mill")
    assert found.certificate.strip() == (data / CERTIFICATE).read_text().strip()
    assert out.stat().st_mode & 0o077 == 0
    with Folder(data).registry() as registry, registry.reading() as session:
        assert gateway_of_key(session, "mill", found.key) is not None
        assert gateway_of_key(session, "mill", "other") is None


def test_without_a_file_it_goes_to_standard_output(call: Call, tmp_path: Path) -> None:
    said = call("collector", "invite", "mill", "--data", tmp_path, "--centre", "a:1", "--lang", "zh")
    (tmp_path / "mill.toml").write_text(said.out)
    assert load(tmp_path / "mill.toml").name == "mill"
    assert "密钥" in said.err


def test_a_key_is_replaced_only_where_that_is_wanted(call: Call, tmp_path: Path) -> None:
    words = ("collector", "invite", "mill", "--data", tmp_path, "--centre", "a:1", "--out")
    assert call(*words, tmp_path / "one").code == 0
    again = call(*words, tmp_path / "two")
    assert (again.code, "--renew" in again.err, (tmp_path / "two").exists()) == (2, True, False)
    assert call(*words, tmp_path / "two", "--renew").code == 0
    with Folder(tmp_path).registry() as registry, registry.reading() as session:
        assert gateway_of_key(session, "mill", load(tmp_path / "one").key) is None
        assert gateway_of_key(session, "mill", load(tmp_path / "two").key) is not None


def test_a_file_that_is_there_is_not_overwritten_and_no_key_is_lost(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "mill.toml"
    out.write_text("mine")
    said = call("collector", "invite", "mill", "--data", tmp_path, "--centre", "a:1", "--out", out)
    assert (said.code, out.read_text()) == (2, "mine")
    assert "is there already" in said.err
    assert call("collector", "invite", "mill", "--data", tmp_path, "--centre", "a:1").code == 0  # it has no key yet


def test_where_the_archives_refuse_there_is_no_file_and_where_the_file_cannot_be_there_is_no_key(
    call: Call, tmp_path: Path
) -> None:
    words = ("collector", "invite", "mill", "--data", tmp_path, "--centre", "a:1")
    assert call(*words, "--out", tmp_path / "no folder" / "mill.toml").code == 2
    assert call(*words, "--out", tmp_path / "one").code == 0
    key = load(tmp_path / "one").key
    assert call(*words, "--out", tmp_path / "two").code == 2
    assert not (tmp_path / "two").exists()
    assert call(*words, "--renew", "--out", "/dev/full").code == 2  # it is there already
    with Folder(tmp_path).registry() as registry, registry.reading() as session:
        assert gateway_of_key(session, "mill", key) is not None


def test_the_certificate_of_the_settings_goes_into_the_invitation(call: Call, tmp_path: Path) -> None:
    own = own_identity(tmp_path / "own")
    config = tmp_path / "centre.toml"
    config.write_text(f'[gateways]\ncertificate = "{own.certificate}"\nkey = "{own.key}"\n')
    said = call("collector", "invite", "mill", "--data", tmp_path / "data", "--centre", "a:1", "--config", config)
    assert own.pem().strip() in said.out
    assert not (tmp_path / "data" / CERTIFICATE).exists()


@pytest.mark.parametrize("centre", ["a", "a:0", ":9175", "a:70000", "a:x"])
def test_a_place_that_is_none_is_refused(call: Call, tmp_path: Path, centre: str) -> None:
    said = call("collector", "invite", "mill", "--data", tmp_path, "--centre", centre)
    assert (said.code, "HOST:PORT" in said.err) == (2, True)


def test_a_name_that_is_none_is_refused(call: Call, tmp_path: Path) -> None:
    said = call("collector", "invite", "mill house", "--data", tmp_path, "--centre", "a:1")
    assert (said.code, said.out) == (2, "")


def filled(folder: Path) -> None:
    with Store(folder) as store:
        store.set_plan(SitePlan(gateway=1, profiles={}).to_json())
        store.set_contact(Contact(1_780_286_400_000_000, False, "too slow"))
        store.append(readings([1, 2, 3]), None)
        store.set_aside(Packed(1, Kind.READINGS, b"xyz"), "of another gateway")


def test_status_shows_what_waits(call: Call, tmp_path: Path) -> None:
    filled(tmp_path)
    said = call("collector", "status", "--data", tmp_path)
    assert said.code == 0
    for words in ("3 rows in 1 blobs", "2026-06-01 12:00:00", "not connected", "too slow", "1, 3 B", "of another"):
        assert words in said.out
    assert "3行" in call("collector", "status", "--data", tmp_path, "--lang", "zh").out
    found = call("collector", "status", "--data", tmp_path, "--json").json
    assert found["waiting"]["rows"] == 3
    assert found["contact"] == {"at": "2026-06-01T12:00:00+08:00", "online": False, "reason": "too slow"}
    assert found["refused"] == {"blobs": 1, "octets": 3, "last_reason": "of another gateway"}
    assert found["plan"]["lines"] == 0


def test_status_of_a_gateway_whose_plan_cannot_be_read(call: Call, tmp_path: Path) -> None:
    filled(tmp_path)
    with Store(tmp_path) as store:
        store.set_plan({"of": "a newer version"})
    said = call("collector", "status", "--data", tmp_path)
    assert (said.code, "3 rows" in said.out, "cannot be read" in said.out) == (0, True, True)
    assert call("collector", "status", "--data", tmp_path, "--json").json["plan"] is None


def test_status_of_a_new_gateway_and_of_none(call: Call, tmp_path: Path) -> None:
    Store(tmp_path / "new").close()
    said = call("collector", "status", "--data", tmp_path / "new")
    assert (said.code, "0 rows" in said.out, "none yet" in said.out) == (0, True, True)
    found = call("collector", "status", "--data", tmp_path / "new", "--json").json
    assert (found["contact"], found["plan"], found["waiting"]["since"]) == (None, None, None)
    none = call("collector", "status", "--data", tmp_path / "nowhere")
    assert (none.code, "no folder of a gateway" in none.err) == (2, True)
    assert not (tmp_path / "nowhere").exists()


def test_run_refuses_settings_that_are_not_right(call: Call, tmp_path: Path) -> None:
    config = tmp_path / "mill.toml"
    said = call("collector", "run", "--data", tmp_path / "site", "--config", config)
    assert (said.code, "cannot be read" in said.err) == (2, True)
    config.write_text('host = "a"\nport = 1\nname = "mill"\nkey = "k"\ncertificate = "none"\n')
    said = call("collector", "run", "--data", tmp_path / "site", "--config", config)
    assert (said.code, "certificate" in said.err) == (2, True)
    assert json.dumps("k") not in said.err
