"""Passwords: which are good enough, and how they are kept.

The rules follow NIST SP 800-63B (5.1.1.2): long rather than motley, nothing obvious, no change by the calendar. Kept is
an argon2id hash with the parameters of RFC 9106's second recommendation; a hash made with other parameters is made anew
at the next log-in.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from meterweave.manager.errors import PasswordRefused
from meterweave.text import Text

LENGTH_MIN, LENGTH_MAX = 12, 128
"""Of a password. [characters]"""

DIFFERENT_MIN = 5
"""Different characters that a password has at least."""

HASHES_AT_ONCE = 2
"""Hashes that are computed at the same time in one process; each takes 64 MiB, and strangers may ask for them."""

RULES: Mapping[str, Text] = {
    "short": Text(
        f"a password has at least {LENGTH_MIN} characters; a few words in a row are good", f"密码至少{LENGTH_MIN}个字符"
    ),
    "long": Text(f"a password has at most {LENGTH_MAX} characters", f"密码最多{LENGTH_MAX}个字符"),
    "unprintable": Text("a password has no control characters", "密码不能含控制字符"),
    "own_name": Text("a password must not hold the user's own name", "密码不能包含用户名"),
    "repeated": Text("a password must not be the same again and again", "密码不能由重复内容构成"),
    "sequence": Text("a password must not be a row of keys, digits or letters", "密码不能是连续的按键、数字或字母"),
    "common": Text("this password is among the first that are tried", "该密码过于常见"),
    "same": Text("the new password has to differ from the old one", "新密码不能与旧密码相同"),
}
"""Why a password is refused, by a code that is never used again for anything else."""

_ROWS = (
    "`1234567890-=",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "q1w2e3r4t5y6u7i8o9p0",
)
_LOOKALIKES = str.maketrans("0134578@$!", "oieastbasi")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is easily taken for another
_GROUPS, _GROUP = 4, 5


def normal(password: str) -> str:
    """`password` as it is hashed: NFKC, so that every keyboard gives the same."""
    return unicodedata.normalize("NFKC", password)


def _octets(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")  # what nobody can type is refused like any other


def check_password(password: str, name: str) -> None:
    """Refuse a new password that would be guessed.

    Parameters
    ----------
    name : str
        The user's own.

    Raises
    ------
    PasswordRefused
        With the first rule it breaks.
    """
    word = normal(password)
    bare = word.casefold()
    broken = {
        "short": len(word) < LENGTH_MIN,
        "long": len(word) > LENGTH_MAX,
        "unprintable": not word.isprintable(),
        "own_name": _holds_name(bare, name.casefold()),
        "repeated": len(set(bare)) < DIFFERENT_MIN or _is_repeated(bare),
        "sequence": _is_sequence(bare),
        "common": _is_common(bare),
    }
    for code, found in broken.items():
        if found:
            raise PasswordRefused(code, RULES[code])


def _holds_name(bare: str, name: str) -> bool:
    return len(name) >= 3 and (name in bare or name[::-1] in bare)


def _is_repeated(bare: str) -> bool:
    """Whether it is one part of half its length or less, again and again."""
    return bare in (bare + bare)[1:-1]


def _is_sequence(bare: str) -> bool:
    """Whether it is made of rows of neighbours, forwards or backwards, three and more at a time."""
    left = bare
    for row in _ROWS:
        for way in (row, row[::-1]):
            for size in range(len(way), 2, -1):
                for start in range(len(way) - size + 1):
                    left = left.replace(way[start : start + size], "")
    return len(left) <= 2


def _is_common(bare: str) -> bool:
    """Whether no more than a common word is left without digits and signs, or with look-alikes read as letters."""
    read = bare.strip("0123456789!.?*#-_ ").translate(_LOOKALIKES)
    return any(_is_words("".join(filter(str.isalpha, one))) for one in (bare, read))


def _is_words(letters: str) -> bool:
    """Whether `letters` are common words in a row; none at all are too."""
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(letters[start:end] in _common() for start in reached):
            reached.add(end)
    return len(letters) in reached


@cache
def _common() -> frozenset[str]:
    return frozenset((files("meterweave.manager") / "common.txt").read_text(encoding="utf-8").split())


def one_time_password() -> str:
    """A password to be read out once: 20 characters in groups, 99 bits of chance."""
    parts = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(parts)


class Passwords:
    """Makes and compares hashes, a few at a time.

    Parameters
    ----------
    hasher : PasswordHasher or None
        None: with the library's parameters, those of RFC 9106 for little memory (64 MiB, 3 passes, 4 lanes).
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(HASHES_AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """The hash to keep of a password."""
        with self._turns:
            return self._hasher.hash(_octets(password))

    def agrees(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; `kept` None, of a user who is not there, takes as long and is never."""
        with self._turns:
            try:
                self._hasher.verify(self._nobody if kept is None else kept, _octets(password[: 4 * LENGTH_MAX]))
            except (VerificationError, InvalidHashError):
                return False
        return kept is not None

    def is_dated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)
