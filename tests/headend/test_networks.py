"""Who may reach a listener: allow-lists and TLS, on real sockets."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from meterweave.errors import ConfigError
from meterweave.headend.networks import Networks, server_tls

from . import frames
from .centre import Terminal, add_terminal, centre, run


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.20.3.4", True),
        ("10.21.0.1", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("::ffff:10.20.3.4", True),
        ("2001:db8::5", True),
        ("fe80::1%eth0", False),
        ("nonsense", False),
    ],
)
def test_networks(address: str, allowed: bool) -> None:
    assert (address in Networks.of(["10.20.0.0/16", "192.0.2.7", "2001:db8::/32"])) == allowed


@pytest.mark.parametrize("text", ["10.20.0.1/16", "10.20.0.0/33", "town", ""])
def test_what_is_no_network_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="no IP network"):
        Networks.of([text])


@pytest.mark.parametrize(("network", "let_in"), [("127.0.0.0/8", True), ("10.0.0.0/8", False)])
def test_a_listener_takes_only_who_is_on_its_list(tmp_path: Path, network: str, let_in: bool) -> None:
    add_terminal(tmp_path, "dlt698", "000000000001")

    async def work() -> None:
        async with centre(tmp_path) as there:
            _, port = await there.head_end.listen("dlt698", "127.0.0.1", 0, networks=Networks.of([network]))
            terminal = Terminal(*await asyncio.open_connection("127.0.0.1", port))
            terminal.writer.write(frames.link_request(1))
            if let_in:
                assert await terminal.frame()
            else:
                assert await terminal.closed() == b""
            assert there.head_end.counters.connections_not_allowed == (not let_in)
            terminal.close()

    run(work)


def test_terminals_speak_tls_and_show_their_certificate(tmp_path: Path) -> None:
    add_terminal(tmp_path, "dlt698", "000000000001")
    certificate, key = _certificate(tmp_path, "centre")
    terminal_certificate, terminal_key = _certificate(tmp_path, "terminal")

    async def work() -> None:
        async with centre(tmp_path) as there:
            tls = server_tls(certificate, key, clients=terminal_certificate)
            _, port = await there.head_end.listen("dlt698", "127.0.0.1", 0, tls=tls)
            known = ssl.create_default_context(cafile=str(certificate))
            known.load_cert_chain(terminal_certificate, terminal_key)
            terminal = Terminal(*await asyncio.open_connection("127.0.0.1", port, ssl=known))
            assert await terminal.ask(frames.link_request(1))
            terminal.close()

            async def without_certificate() -> bytes:
                stranger = ssl.create_default_context(cafile=str(certificate))
                other = Terminal(*await asyncio.open_connection("127.0.0.1", port, ssl=stranger))
                return await other.ask(frames.link_request(1))

            with pytest.raises((ssl.SSLError, ConnectionError, EOFError)):
                await without_certificate()
            plain = Terminal(*await asyncio.open_connection("127.0.0.1", port))
            plain.writer.write(frames.link_request(1))
            assert not (await plain.closed()).startswith(b"\x68")
            assert there.head_end.counters.logins == 1

    run(work)


def test_certificates_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path, "one")
    _, other_key = _certificate(tmp_path, "two")
    for wrong in ((certificate, other_key), (certificate, tmp_path / "none"), (key, key)):
        with pytest.raises(ConfigError, match="TLS cannot be set up"):
            server_tls(*wrong)


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
