"""One-time codes, by the vectors of RFC 6238."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from meterweave.manager.code import RECOVERY_CODES, STEP_S, new_recovery_codes, new_secret, step_of, typed_recovery

SECRET = base64.b32encode(b"12345678901234567890").decode()

# RFC 6238 Appendix B, SHA-1: seconds, and the last six of the eight digits.
VECTORS = [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("second", "code"), VECTORS)
def test_the_vectors_of_the_standard(second: int, code: str) -> None:
    now = datetime.fromtimestamp(second, UTC)
    assert step_of(SECRET, code, now, after=None) == second // STEP_S


@pytest.mark.parametrize(("late_s", "counts"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_a_little_off(late_s: int, counts: bool) -> None:
    now = datetime.fromtimestamp(2_000_000_010, UTC)
    code = pyotp.TOTP(SECRET).at(now + timedelta(seconds=late_s))
    assert (step_of(SECRET, code, now, after=None) is not None) == counts


def test_no_code_counts_twice_and_none_before_it() -> None:
    now = datetime.fromtimestamp(2_000_000_010, UTC)
    totp = pyotp.TOTP(SECRET)
    here = 2_000_000_010 // STEP_S
    assert step_of(SECRET, totp.at(now), now, after=here - 1) == here
    assert step_of(SECRET, totp.at(now), now, after=here) is None
    assert step_of(SECRET, totp.at(now - timedelta(seconds=STEP_S)), now, after=here) is None
    assert step_of(SECRET, totp.at(now + timedelta(seconds=STEP_S)), now, after=here) == here + 1


@pytest.mark.parametrize("code", ["", "28708", "2870822", "abcdef", "２８７０８２", "-87082", "28708\n2\x00"])
def test_what_is_no_code_is_none(code: str) -> None:
    assert step_of(SECRET, code, datetime.fromtimestamp(59, UTC), after=None) is None


def test_secrets_and_recovery_codes_are_chance() -> None:
    assert len({new_secret() for _ in range(50)}) == 50
    assert len(base64.b32decode(new_secret())) == 20
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    for one in codes:
        assert len(one) == 19
        assert typed_recovery(one.upper().replace("-", "")) == typed_recovery(f" {one} ") == one
