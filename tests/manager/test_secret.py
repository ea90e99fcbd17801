"""What is sealed opens for its owner with its key, and for nobody else."""

from __future__ import annotations

import base64
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meterweave.manager.errors import KeyFileError
from meterweave.manager.secret import KEY_FILE, KEY_OCTETS, Seal, digest, new_token


def test_what_was_closed_opens(tmp_path: Path) -> None:
    sealed = Seal(tmp_path).close(b"secret", "wang")
    assert b"secret" not in base64.b64decode(sealed)
    assert Seal(tmp_path).open(sealed, "wang") == b"secret"
    assert Seal(tmp_path).close(b"secret", "wang") != sealed


def test_it_opens_for_nobody_else_and_not_when_touched(tmp_path: Path) -> None:
    seal = Seal(tmp_path)
    sealed = seal.close(b"secret", "wang")
    octets = base64.b64decode(sealed)
    with pytest.raises(KeyFileError):
        seal.open(sealed, "li")
    for index in range(len(octets)):
        touched = octets[:index] + bytes((octets[index] ^ 1,)) + octets[index + 1 :]
        with pytest.raises(KeyFileError):
            seal.open(base64.b64encode(touched).decode(), "wang")


def test_the_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    sealed = Seal(tmp_path).close(b"secret", "wang")
    path = tmp_path / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == KEY_OCTETS
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Seal(tmp_path).open(sealed, "wang")


def test_a_key_that_is_lost_is_told_and_not_made_anew(tmp_path: Path) -> None:
    sealed = Seal(tmp_path).close(b"secret", "wang")
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(KeyFileError, match="missing"):
        Seal(tmp_path).open(sealed, "wang")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x" * (KEY_OCTETS - 1), b"x" * (KEY_OCTETS + 1)])
def test_a_damaged_key_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    os.chmod(tmp_path / KEY_FILE, 0o600)
    with pytest.raises(KeyFileError, match="octets"):
        Seal(tmp_path).close(b"secret", "wang")


def test_processes_that_start_together_make_one_key(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def close(number: int) -> str:
        seal = Seal(tmp_path)  # as another process has it
        start.wait()
        return seal.close(str(number).encode(), "wang")

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(close, range(8)))
    assert [Seal(tmp_path).open(one, "wang") for one in sealed] == [str(number).encode() for number in range(8)]
    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


def test_tokens_differ_and_are_kept_as_digests() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(base64.urlsafe_b64decode(one + "=")) == 32 for one in tokens)
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4
