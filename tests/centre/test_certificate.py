"""The centre's own certificate: made once, private, and good whatever a gateway's clock says."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from meterweave.centre.certificate import CERTIFICATE, KEY, Identity, own_identity
from meterweave.errors import ConfigError
from meterweave.headend.networks import server_tls


def test_it_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = own_identity(folder)
    octets = [path.read_bytes() for path in first]
    assert own_identity(folder) == first
    assert [path.read_bytes() for path in first] == octets
    assert first.key.stat().st_mode & 0o077 == 0
    assert sorted(path.name for path in folder.iterdir()) == [CERTIFICATE, KEY]
    assert isinstance(server_tls(*first), ssl.SSLContext)


def test_it_holds_whatever_the_time(tmp_path: Path) -> None:
    found = x509.load_pem_x509_certificate(own_identity(tmp_path).pem().encode())
    assert found.not_valid_before_utc == datetime(1970, 1, 1, tzinfo=UTC)
    assert found.not_valid_after_utc.year == 9999


def test_a_certificate_without_its_key_is_an_error_and_nothing_is_overwritten(tmp_path: Path) -> None:
    own_identity(tmp_path)
    (tmp_path / KEY).unlink()
    with pytest.raises(ConfigError, match=f"{KEY} is missing"):
        own_identity(tmp_path)
    assert not (tmp_path / KEY).exists()


def test_of_a_chain_the_first_is_the_centres(tmp_path: Path) -> None:
    one, other = own_identity(tmp_path / "a").pem(), own_identity(tmp_path / "b").pem()
    chain = tmp_path / "chain.pem"
    chain.write_text(f"# ours\n{one}{other}")
    assert Identity(chain, tmp_path / "key").pem() == one


def test_what_is_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("nothing")
    with pytest.raises(ConfigError, match="no certificate"):
        Identity(tmp_path / "x", tmp_path / "k").pem()
    with pytest.raises(ConfigError, match="cannot be read"):
        Identity(tmp_path / "y", tmp_path / "k").pem()


def test_a_key_that_a_start_left_alone_gets_a_certificate(tmp_path: Path) -> None:
    before = own_identity(tmp_path).pem()
    (tmp_path / CERTIFICATE).unlink()
    own = own_identity(tmp_path)
    assert own.pem() != before
    server_tls(own.certificate, own.key)  # they belong together
