"""One-time codes (TOTP, RFC 6238) and the recovery codes that stand in for them when the telephone is lost."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime

import pyotp

ISSUER = "Meterweave"
STEP_S, DIGITS = 30, 6
EARLY_STEPS = LATE_STEPS = 1
"""How far the clock of a telephone may be off, in steps."""

RECOVERY_CODES = 10
_RECOVERY_GROUPS, _RECOVERY_GROUP = 4, 4
_RECOVERY_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # 16 of 32: 80 bits


def new_secret() -> str:
    """A shared secret: 160 bits, base32."""
    return pyotp.random_base32()


def address_of(secret: str, name: str) -> str:
    """The ``otpauth://`` address that an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).provisioning_uri(name=name, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime, *, after: int | None) -> int | None:
    """The step of time whose code this is.

    Parameters
    ----------
    code : str
        What was typed; blanks do not count.
    after : int or None
        The last step whose code was used: that one and those before count no more.

    Returns
    -------
    int or None
        None: it is no code of now.
    """
    typed = re.sub(r"\s", "", code)
    if not re.fullmatch(rf"[0-9]{{{DIGITS}}}", typed):
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    here = int(now.timestamp()) // STEP_S
    for step in range(here - EARLY_STEPS, here + LATE_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step), typed) and (after is None or step > after):
            return step
    return None


def new_recovery_codes() -> list[str]:
    """Codes to be printed and put away."""
    return [
        "-".join(
            "".join(secrets.choice(_RECOVERY_ALPHABET) for _ in range(_RECOVERY_GROUP)) for _ in range(_RECOVERY_GROUPS)
        )
        for _ in range(RECOVERY_CODES)
    ]


def typed_recovery(code: str) -> str:
    """A recovery code as it was given out, from what was typed."""
    letters = re.sub(r"[\s-]", "", code).lower()
    size = _RECOVERY_GROUP
    return "-".join(letters[start : start + size] for start in range(0, len(letters), size))
