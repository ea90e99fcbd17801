"""Whom a gateway trusts: a centre that has one of the certificates in its settings, and nobody else."""

from __future__ import annotations

import re
import ssl

from meterweave.errors import ConfigError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class StrangerError(ssl.SSLError):
    """Who answers has another certificate than the centre."""


class Trust:
    """The centre's certificates.

    Parameters
    ----------
    certificates : str
        One or more, in PEM.

    Raises
    ------
    ConfigError
        If there is none.
    """

    def __init__(self, certificates: str) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_3
        # The certificate says who it is, not the name under which the centre is reached today. It is trusted by
        # itself, whoever signed it; `check` then wants this one and none that it may have signed.
        self._context.check_hostname = False
        self._context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        pieces = _PEM.findall(certificates)
        try:
            self._pinned = frozenset(ssl.PEM_cert_to_DER_cert(one) for one in pieces)
            self._context.load_verify_locations(cadata="\n".join(pieces))
        except (ValueError, ssl.SSLError) as error:
            raise ConfigError(f"the centre's certificate in the gateway's settings is none: {error}") from error

    @property
    def context(self) -> ssl.SSLContext:
        """For a connection to the centre; `check` it once it stands."""
        return self._context

    def check(self, link: ssl.SSLObject | ssl.SSLSocket) -> None:
        """Raise `StrangerError` if the other side is not the centre."""
        if link.getpeercert(binary_form=True) not in self._pinned:
            raise StrangerError("the other side has another certificate than the centre's in the settings")
