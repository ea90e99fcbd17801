"""Who may reach a listener at all: networks that are let in, and TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from meterweave.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Networks:
    """An allow-list of IP networks."""

    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Networks:
        """From ``10.20.0.0/16`` or single addresses.

        Raises
        ------
        ConfigError
            If a text is no network; host bits have to be zero, since a slip there lets in somebody else.
        """
        found = []
        for text in texts:
            try:
                found.append(ip_network(text.strip()))
            except ValueError as error:
                raise ConfigError(f"{text!r} is no IP network: {error}") from error
        return cls(tuple(found))

    def __contains__(self, address: object) -> bool:
        try:
            peer = ip_address(str(address).partition("%")[0])
        except ValueError:
            return False
        # A listener on :: hears IPv4 peers under a mapped address.
        mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
        return any((mapped or peer) in network for network in self.networks)


def server_tls(certificate: Path, key: Path, clients: Path | None = None) -> ssl.SSLContext:
    """TLS 1.2 or newer for a listener.

    Parameters
    ----------
    certificate, key : Path
        Of the centre, in PEM; the certificate with its chain.
    clients : Path, optional
        The authorities, in PEM, one of which has to have signed a terminal's own certificate; without it
        terminals need none.

    Raises
    ------
    ConfigError
        If a file cannot be read, or they do not fit together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"TLS cannot be set up with {certificate}, {key}, {clients or 'no client authorities'}: {error}"
        ) from error
    return context
