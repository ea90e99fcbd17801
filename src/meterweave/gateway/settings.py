"""The settings of a gateway: one TOML file, which ``meterweave collector invite`` writes."""

from __future__ import annotations

import json
import stat
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path

from meterweave.errors import ConfigError
from meterweave.gateway.store import JOURNAL_OCTETS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Settings of a gateway; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If something is missing, of the wrong kind, or not positive.
    """

    host: str
    """Of the centre."""
    port: int
    """Where the centre listens for gateways."""
    name: str
    """The gateway's address in the archives."""
    key: str = field(repr=False)
    """Proves that it is this gateway. A secret: only its digest is in the archives."""
    certificate: str
    """The centre's certificate in PEM; of several, the centre may have any. Nothing else is trusted."""

    tick_s: float = 2.0
    """How long readings are gathered before they are written. [s] One fsync each; memory cards wear out by writing."""
    journal_octets_max: int = JOURNAL_OCTETS_MAX
    """Most that waits for the centre on disk; with more no device is read. [octets]"""
    waiting_max: int = 20_000
    """Readings and events in memory that wait for the disk; with more no device is read. 10 MiB."""
    dtu_host: str = "0.0.0.0"
    """Where DTUs dial, if they do."""
    dtu_port: int = 0
    """Its port; 0: no DTU dials this gateway."""

    connect_within_s: float = 20.0
    """How long connecting, TLS and the welcome may take together. [s] Slow mobile links need a few seconds."""
    again_s: float = 1.0
    """Pause before the centre is tried again; doubled each time. [s]"""
    again_max_s: float = 60.0
    """Longest such pause. [s] Each is shortened by chance, so that gateways do not all come at once."""
    ping_s: float = 15.0
    """How often the centre is asked whether it is there. [s]"""
    silence_s: float = 60.0
    """After so long without a word from the centre the connection is given up. [s]"""
    refused_pause_s: float = 5.0
    """Pause before what the centre could not keep is sent again. [s]"""
    window_octets: int = 4 << 20
    """Octets on their way that the centre has not answered. [octets]"""
    window_blobs: int = 512
    """Blobs on their way that the centre has not answered."""
    merge_s: float = 60.0
    """How often, while the centre is away, small blobs of the journal are made large ones. [s] They take thirty times
    the space."""
    status_s: float = 5.0
    """How often the centre is told how lines and devices fare, where that changed. [s]"""
    stop_within_s: float = 10.0
    """How long an orderly end waits for the last readings to be kept. [s]"""

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.type == "str":
                _wanted(isinstance(value, str) and value.strip() != "", f"{one.name} has to be a text")
                continue
            whole = isinstance(value, int) and not isinstance(value, bool)
            if one.type == "int":
                _wanted(whole, f"{one.name} has to be a whole number")
            _wanted(whole or isinstance(value, float), f"{one.name} has to be a number")
            _wanted(value > 0 or (one.name, value) == ("dtu_port", 0), f"{one.name} must be positive, not {value}")
        _wanted(self.port <= 0xFFFF and self.dtu_port <= 0xFFFF, "a port is at most 65535")


def _wanted(holds: bool, what: str) -> None:
    if not holds:
        raise ConfigError(f"the gateway's settings are not right: {what}")


def load(path: Path) -> GatewaySettings:
    """The settings in a file.

    Raises
    ------
    ConfigError
        If it cannot be read, or something in it is not as it has to be.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the gateway's settings in {path} cannot be read: {error}") from error
    known = {one.name for one in fields(GatewaySettings)}
    if unknown := sorted(told.keys() - known):
        raise ConfigError(f"the gateway's settings in {path} are not right: unknown: {', '.join(unknown)}")
    needed = ("host", "port", "name", "key", "certificate")
    if missing := [name for name in needed if name not in told]:
        raise ConfigError(f"the gateway's settings in {path} are not right: {', '.join(missing)} missing")
    return GatewaySettings(**told)


def readable_by_others(path: Path) -> bool:
    """Whether more than its owner may read the file, and so the key."""
    return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def invitation(*, host: str, port: int, name: str, key: str, certificate: str) -> str:
    """The file that a new gateway needs, as TOML."""
    # A JSON string is a TOML string too.
    return (
        "# Settings of a Meterweave gateway. The key is a secret: let nobody else read this file.\n"
        f"host = {json.dumps(host)}\n"
        f"port = {port}\n"
        f"name = {json.dumps(name)}\n"
        f"key = {json.dumps(key)}\n"
        f'certificate = """\n{certificate.strip()}\n"""\n'
    )
