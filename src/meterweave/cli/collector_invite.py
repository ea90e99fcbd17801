"""Taking a gateway into the archives, and writing down what it needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO

from meterweave.centre import load
from meterweave.centre.certificate import Identity, own_identity
from meterweave.cli.folder import Folder
from meterweave.errors import ConfigError
from meterweave.gateway.settings import invitation
from meterweave.registry.address import N5
from meterweave.registry.changes import touch
from meterweave.registry.gateways import give_key
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind
from meterweave.text import Text

SECRET = Text(
    "this file holds the gateway's key, which is shown once: bring it to the gateway and keep no copy",
    "此文件含网关密钥，仅显示一次：请放到网关上，不要留存副本",
)
_PRIVATE = 0o600


def invited(
    folder: Folder, name: str, centre: str, *, config: Path | None = None, renew: bool = False, out: Path | None = None
) -> str:
    """The settings file of a gateway, which is in the archives from now on.

    With `out` it is written there, readable by its owner only; where no such file can be made the archives are as they
    were, and where they cannot be written there is no file.

    Raises
    ------
    ConfigError, RegistryError
        If it has a key already and no new one is wanted, or something is not as it has to be.
    """
    host, port = _place(centre)
    told = load(config).gateways
    own = Identity(told.certificate, told.key) if told.certificate and told.key else own_identity(folder.path)
    certificate = own.pem()
    if out is None:
        return _enrolled(folder, name, host, port, certificate, renew=renew)
    file = _private(out)  # made before there is a key, and filled once the archives have it
    try:
        text = _enrolled(folder, name, host, port, certificate, renew=renew)
    except BaseException:
        file.close()
        out.unlink(missing_ok=True)
        raise
    _fill(file, text)
    return text


def _enrolled(folder: Folder, name: str, host: str, port: int, certificate: str, *, renew: bool) -> str:
    with folder.registry() as registry, registry.writing() as session:
        gateway = enrol(session, N5, name, kind=TerminalKind.COLLECTOR)
        if gateway.key_digest is not None and not renew:
            raise ConfigError(f"gateway {gateway.address} has a key already; --renew gives it a new one in its place")
        key = give_key(session, gateway.id)
        touch(session, [gateway.id])  # so that who is connected with the old key is sent away
        return invitation(host=host, port=port, name=gateway.address, key=key, certificate=certificate)


def _private(path: Path) -> TextIO:
    """A new file that only its owner can read."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"{path} is there already; remove it, or give another name") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error


def _fill(file: TextIO, text: str) -> None:
    """Write it, down to the disk, and close."""
    try:
        with file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(f"{file.name} cannot be written: {error}; --renew makes another key") from error


def _place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise ConfigError(f"{text!r} is no HOST:PORT with a port from 1 to 65535")
    return host.strip("[]"), int(port)
