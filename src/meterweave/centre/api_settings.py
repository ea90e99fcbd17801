"""Where programs and browsers call, and the bounds of what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meterweave.errors import ConfigError

PORT = 8420
"""Where the API is unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Settings of the API; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If a bound or a pace is not positive, a port is none, or of certificate and key only one is given.
    """

    enabled: bool = True
    """Whether there is an API at all."""

    host: str = "127.0.0.1"
    """The address to listen on; this machine alone, until told otherwise. ``0.0.0.0`` is all of IPv4."""

    port: int = PORT
    """Where it listens; 0: at any free port, which is printed."""

    tls_certificate: Path | None = None
    """PEM, with its chain. With it the API speaks HTTPS, and its cookies go over nothing else."""

    tls_key: Path | None = None
    """PEM of the certificate's key."""

    proxies: tuple[str, ...] = ()
    """Addresses or networks of reverse proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""

    identity_per_s: float = 200.0
    """Requests that one user or key may make for long. [1/s]"""

    identity_burst: int = 1000
    """Requests that one user or key may make at once."""

    address_per_s: float = 400.0
    """Requests from one address for long, whoever they are. [1/s] A reverse proxy that is not in `proxies` is one."""

    address_burst: int = 2000
    """Requests from one address at once."""

    callers_max: int = 10_000
    """Callers whose pace is remembered; of more, those not heard of longest are forgotten. 200 octets each."""

    body_octets_max: int = 1 << 20
    """Longest body of a request. [octets]"""

    body_within_s: float = 20.0
    """How long a request may take to arrive. [s]"""

    send_within_s: float = 60.0
    """How long a caller may leave what was sent unread; then the connection is closed. [s]"""

    connections_max: int = 2000
    """Connections and requests at a time; more get 503."""

    workers: int = 4
    """Threads that ask the database and the lake. More answer no sooner: they take turns in one interpreter."""

    waiting_max: int = 500
    """Requests that wait for one of them; one more gets 503."""

    streams_max: int = 4
    """Downloads at a time, each with a thread of its own; one more gets 503."""

    live_max: int = 500
    """Live streams at a time."""

    live_each_max: int = 20
    """Live streams of one user or key at a time."""

    live_queue: int = 256
    """Batches that wait for a live stream's reader; of one who is slower the stream ends, after a note."""

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("api.tls_certificate and api.tls_key belong together")
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"api.port {self.port} is no port")
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int | float) and not isinstance(value, bool) and name != "port" and value <= 0:
                raise ConfigError(f"api.{name} must be positive, not {value}")
