"""What must not be read from the database: tokens are kept as digests, shared secrets are sealed.

The sealing key is a file in the data folder that its owner alone may read. Without it one-time codes cannot be checked,
so it belongs into the backup, but not into the same one as the database.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from meterweave.manager.errors import KeyFileError
from meterweave.text import Text

KEY_FILE = "secret.key"
"""What the file is called in the data folder."""

KEY_OCTETS, NONCE_OCTETS, TOKEN_OCTETS = 32, 12, 32


def new_token() -> str:
    """32 random octets as text that fits into a cookie or a header."""
    return secrets.token_urlsafe(TOKEN_OCTETS)


def digest(token: str) -> str:
    """What is kept of a token: SHA-256, hexadecimal. Tokens are random and long, so no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Seal:
    """Seals small secrets with the key of a file (AES-256 in GCM mode).

    Parameters
    ----------
    folder : Path
        The data folder. The file is made at the first use of the key.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_FILE
        self._cipher: AESGCM | None = None

    def close(self, secret: bytes, owner: str) -> str:
        """`secret`, sealed so that it opens for `owner` only.

        Raises
        ------
        KeyFileError
            If the key cannot be had.
        """
        nonce = secrets.token_bytes(NONCE_OCTETS)
        sealed = self._key(make=True).encrypt(nonce, secret, owner.encode())
        return base64.b64encode(nonce + sealed).decode()

    def open(self, sealed: str, owner: str) -> bytes:
        """What `close` sealed for `owner`.

        Raises
        ------
        KeyFileError
            If the key cannot be had, or is not the one it was sealed with.
        """
        octets = base64.b64decode(sealed)
        try:
            return self._key(make=False).decrypt(octets[:NONCE_OCTETS], octets[NONCE_OCTETS:], owner.encode())
        except InvalidTag as error:
            raise KeyFileError(
                Text(
                    f"{self._path} is not the key that sealed this; put the right file back, or reset the user",
                    f"{self._path}不是当时使用的密钥，请恢复原文件或重置该用户",
                )
            ) from error

    def _key(self, *, make: bool) -> AESGCM:
        if self._cipher is None:
            if make and not self._path.exists():
                _make(self._path)
            self._cipher = AESGCM(_read(self._path))
        return self._cipher


def _make(path: Path) -> None:
    """Write a new key; whole or not at all, and never over another."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_OCTETS))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process made it in this moment, and that one counts
            os.link(part, path)
    finally:
        part.unlink()


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(KEY_OCTETS + 1)
    except FileNotFoundError as error:
        raise KeyFileError(
            Text(f"{path} is missing; put it back from the backup", f"缺少密钥文件{path}，请从备份恢复")
        ) from error
    if os.name == "posix" and mode & 0o077:
        raise KeyFileError(
            Text(
                f"{path} may be read by others (mode {mode:o}); run: chmod 600 {path}",
                f"{path}可被他人读取（权限{mode:o}），请执行：chmod 600 {path}",
            )
        )
    if len(key) != KEY_OCTETS:
        raise KeyFileError(Text(f"{path} does not hold {KEY_OCTETS} octets", f"{path}的长度不是{KEY_OCTETS}字节"))
    return key
