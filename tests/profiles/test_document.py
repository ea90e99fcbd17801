from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.profiles.document import (
    PAYLOAD_MAX,
    DocumentError,
    Real,
    dump,
    means,
    number,
    parse,
    shown,
    words,
    written,
)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"{'a': 1}", "no JSON"),
        (b"\xff\xfe", "no UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "no UTF-8"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"x": [{"a": 1, "a": 1}]}', "twice"),
        (b'{"a": NaN}', "NaN is no number"),
        (b'{"a": -Infinity}', "-Infinity is no number"),
        (b"[" * 60_000, "too deep"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "too deep"),
        (b"1" * 5000, "thousands of digits"),
        (b" " * PAYLOAD_MAX + b"1", "65537 octets"),
        (json.dumps([0] * 1_000_000).encode(), "more than 65536"),
    ],
)
def test_what_is_no_document_is_told_and_cheap(payload: bytes, said: str) -> None:
    before = time.process_time()
    with pytest.raises(DocumentError) as caught:
        parse(payload)
    assert said in caught.value.text.en
    assert caught.value.text.zh
    assert time.process_time() - before < 1


def test_numbers_keep_every_digit() -> None:
    found = parse(b'{"a": 0.1000000000000000055511151231257827, "b": 1e2, "c": 12345678901234567890}')
    assert number(found["a"]) == (1000000000000000055511151231257827, -34)
    assert number(found["b"]) == (1, 2)
    assert found["c"] == 12345678901234567890
    assert isinstance(found["b"], Real)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-0.50", (-50, -2)),
        ("+7", (7, 0)),
        ("1.5e-3", (15, -4)),
        ("1E99", (1, 99)),
        ("1e100", None),
        ("1" * 41, None),
        ("", None),
        (".5", None),
        ("5.", None),
        ("0x10", None),
        ("1_000", None),
        ("1,5", None),
        (" 1", None),
        ("nan", None),
        ("½", None),
    ],
)
def test_numeric_texts(text: str, found: tuple[int, int] | None) -> None:
    assert number(text) == found


@pytest.mark.parametrize("word", ["true", "false", "null", "0", "-3", "007", "leak", "1.5", "9" * 30])
def test_a_word_is_written_so_that_it_is_read_again(word: str) -> None:
    assert words(parse(dump({"x": written(word)}).encode())["x"]) == word


@pytest.mark.parametrize(
    ("value", "word", "same"),
    [
        (1, "1", True),
        (Real("1.0"), "1", True),
        (1, "1.0", True),
        (Real("10e-1"), "1", True),
        (Real("1.5"), "1", False),
        ("1", "1", True),
        ("1.0", "1", False),
        (True, "1", False),
        (1, "true", False),
        (False, "false", True),
        ("leak", "leak", True),
        (10**400, "1", False),
        (Real("1e999"), "1", False),
        (None, "leak", None),
        (None, "null", True),
        ({}, "leak", None),
        ([], "null", None),
        (0, "null", False),
    ],
)
def test_whether_a_value_is_what_a_word_writes(value: object, word: str, same: bool | None) -> None:
    assert means(value, word) is same


def test_values_in_sentences_are_short_and_printable() -> None:
    assert shown("\ud800").en == r"'\ud800'"
    assert len(shown("x" * 1000).zh) < 50
    assert shown({"a": 1}) == ("an object", "对象")
    assert shown([1]) == ("an array", "数组")
    assert shown(True) == ("true", "true")


@given(st.binary(max_size=200) | st.text(max_size=100).map(lambda text: json.dumps({"x": text}).encode()))
def test_whatever_comes_nothing_else_is_raised(payload: bytes) -> None:
    with contextlib.suppress(DocumentError):
        parse(payload)
