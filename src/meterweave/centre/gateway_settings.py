"""Where gateways call, and the bounds of what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from meterweave.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaysSettings:
    """Settings of interface N5; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If a bound or a pace is not positive, a port is none, or of certificate and key only one is given.
    """

    host: str = "127.0.0.1"
    """The address to listen on; this machine alone, until told otherwise. ``0.0.0.0`` is all of IPv4."""

    port: int | None = None
    """Where gateways call; none given: no gateway may."""

    allow: tuple[str, ...] = ()
    """Networks from which gateways may call; none named: any."""

    certificate: Path | None = None
    """PEM, with its chain. Without it one is made at the first start, in the data folder."""

    key: Path | None = None
    """PEM of the certificate's key."""

    connections_max: int = 2000
    """Most gateways that are connected; one more is closed as it comes."""

    strangers_max: int = 128
    """Most connections that have not proved who they are; one more is closed as it comes."""

    login_within_s: float = 20.0
    """How long a new connection may take for TLS and its first message. [s] Slow mobile links need a few seconds."""

    wrong_key_s: float = 3.0
    """How long who gives a wrong key waits for the answer. [s]"""

    silence_s: float = 60.0
    """After so long without a word from a gateway its connection is given up. [s] Gateways say one every 15 s."""

    begin_s: float = 60.0
    """How long a wish may wait for its turn on a line. [s]"""

    answer_s: float = 120.0
    """How long, beyond that, a gateway may take to say what came of a wish; then nobody knows. [s]"""

    wishes_max: int = 64
    """Wishes that wait for one gateway; one more is not sent."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate and key of gateways belong together")
        if self.port is not None and not 0 <= self.port <= 0xFFFF:
            raise ConfigError(f"port of gateways is {self.port}, wanted 0 to 65535")
        for name in self.__slots__:
            value = getattr(self, name)
            if name != "port" and isinstance(value, int | float) and value <= 0:
                raise ConfigError(f"{name} must be positive, not {value}")
