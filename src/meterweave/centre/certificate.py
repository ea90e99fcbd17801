"""The centre's own certificate for gateways, made when there is none: these know it by itself, not by who signed it.

It holds for good: a gateway whose clock was lost in a power cut could not tell a certificate that is over from one that
is not yet valid, and nobody else is ever asked to trust it.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from meterweave.errors import ConfigError

CERTIFICATE, KEY = "gateways.crt", "gateways.key"
"""What stands in the centre's data folder."""

_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
_FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280, 4.1.2.5: no well-defined expiration
_PRIVATE = 0o600


class Identity(NamedTuple):
    """What the centre proves itself with: two files in PEM."""

    certificate: Path
    key: Path

    def pem(self) -> str:
        """The first certificate of the file, which is the centre's own.

        Raises
        ------
        ConfigError
            If it cannot be read.
        """
        end = "-----END CERTIFICATE-----"
        try:
            text = self.certificate.read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the certificate {self.certificate} cannot be read: {error}") from error
        begin = text.find("-----BEGIN CERTIFICATE-----")
        if begin < 0 or end not in text[begin:]:
            raise ConfigError(f"{self.certificate} holds no certificate in PEM")
        return text[begin : text.index(end, begin)] + end + "\n"


def own_identity(folder: Path) -> Identity:
    """The certificate and key in the centre's data folder, made at the first call.

    Raises
    ------
    ConfigError
        If they cannot be written, or the certificate is there without its key.
    """
    found = Identity(folder / CERTIFICATE, folder / KEY)
    if all(path.exists() for path in found):
        return found
    if found.certificate.exists():
        raise ConfigError(
            f"{found.key} is missing: put it back, or remove {found.certificate} and invite all gateways anew"
        )
    # A key alone is what a start leaves that was cut off between the two: no gateway has seen its certificate.
    certificate, key = _made()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(found.key, key)
        _write(found.certificate, certificate)
    except OSError as error:
        raise ConfigError(f"the certificate for gateways cannot be written: {error}") from error
    return found


def _made() -> tuple[bytes, bytes]:
    # Loading this takes a moment that a centre with a certificate of its own need not spend.
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Meterweave centre")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_ALWAYS)
        .not_valid_after(_FOR_EVER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _write(path: Path, octets: bytes) -> None:
    """A file that only its owner reads, there whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
