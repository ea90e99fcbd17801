"""A JSON message as a document: exact numbers, bounded, and nothing that two readers could read differently."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

from meterweave.text import Text

PAYLOAD_MAX = 64 * 1024
"""The longest message that is looked at. [octets]"""
_NUMBER = re.compile(r"([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?")
_SHOWN_MAX = 40


class Real(str):
    """A JSON number with decimals or an exponent, as it is written."""

    __slots__ = ()


class DocumentError(ValueError):
    """The octets are no document; `text` says why."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.text = Text(en, zh)


def parse(payload: bytes) -> Any:
    """The document in a message: dict, list, str, int, bool, None, and `Real` where Python would have a float.

    Raises
    ------
    DocumentError
        If there is none: too long, no UTF-8, no JSON, nested too deep, a key twice, NaN or Infinity.
    """
    if len(payload) > PAYLOAD_MAX:
        raise DocumentError(
            f"the message has {len(payload)} octets, more than {PAYLOAD_MAX}",
            f"报文{len(payload)}字节，超过{PAYLOAD_MAX}字节",
        )
    try:
        return _DECODER.decode(payload.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DocumentError(f"octet {error.start} is no UTF-8 text", f"第{error.start}字节不是UTF-8文本") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise DocumentError(
            f"no JSON: {error.msg}, {where}", f"不是JSON：第{error.lineno}行第{error.colno}列有误"
        ) from None
    except RecursionError:
        raise DocumentError("the JSON is nested too deep", "JSON嵌套过深") from None
    except DocumentError:
        raise
    except ValueError:  # more digits than an int is read from
        raise DocumentError("a number has thousands of digits", "数字位数过多") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DocumentError("a key stands twice in one object", "同一对象中键重复")
    return found


def _never(word: str) -> Any:
    raise DocumentError(f"{word} is no number of JSON", f"{word}不是JSON数字")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=Real, parse_constant=_never)


def number(text: str) -> tuple[int, int] | None:
    """Digits and exponent of a decimal number; None where `text` is none, or longer than anything measured."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, decimals, exponent = match.groups("")
    digits = int(whole + decimals)
    return -digits if sign == "-" else digits, int(exponent or 0) - len(decimals)


def means(value: Any, word: str) -> bool | None:
    """Whether a value is the one that a profile writes as `word`; numbers by what they are worth: 1.0 is 1.

    None where nothing can be compared: an object, an array, or null where that is not the word.
    """
    if value is None:
        return True if word == "null" else None
    if isinstance(value, dict | list):
        return None
    wanted = _worth(word) if type(value) is int or isinstance(value, Real) else None
    return words(value) == word if wanted is None else _worth(value) == wanted


def _worth(value: int | str) -> Fraction | None:
    found = (value, 0) if isinstance(value, int) else number(value)
    return None if found is None else Fraction(10) ** found[1] * found[0]


def words(value: Any) -> str:
    """A value of a document as JSON writes it, texts bare."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if value is None or isinstance(value, bool | int) else ""


def written(word: str) -> Any:
    """A value that `words` gives back as `word`."""
    if word in _LITERALS:
        return _LITERALS[word]
    return int(word) if _WHOLE.fullmatch(word) else word


_LITERALS = {"true": True, "false": False, "null": None}
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")


def shown(value: Any) -> Text:
    """A value for a sentence: short, and in characters that can be printed everywhere."""
    if isinstance(value, dict | list):
        return Text("an object", "对象") if isinstance(value, dict) else Text("an array", "数组")
    text = ascii(str(value)) if isinstance(value, str) else words(value)
    short = text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"
    return Text(short, short)


def dump(value: Any) -> str:
    """A document as JSON; `parse` undone."""
    if isinstance(value, Real):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{dump(str(key))}:{dump(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
