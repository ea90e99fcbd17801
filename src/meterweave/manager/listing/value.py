"""One value between a column and text, both ways: in filters and page marks, and as people see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from meterweave.manager.listing.column import Column, Kind
from meterweave.manager.listing.errors import ListingError
from meterweave.text import Language, Text

TEXT_MAX = 200
"""Longest text in a filter. [characters]"""

_WHOLE = (1 << 63) - 1

_YES_NO = (Text("no", "否"), Text("yes", "是"))
_FORMS: Mapping[Kind, Text] = {
    Kind.TEXT: Text(f"up to {TEXT_MAX} characters", f"不超过{TEXT_MAX}个字符"),
    Kind.INTEGER: Text("a whole number", "整数"),
    Kind.INSTANT: Text("an instant such as 2026-05-01T08:00:00+08:00", "时刻，如2026-05-01T08:00:00+08:00"),
    Kind.DAY: Text("a day such as 2026-05-01", "日期，如2026-05-01"),
    Kind.FLAG: Text("true or false", "true或false"),
}


def read_value(column: Column, text: str) -> Any:
    """`text` as a value of a column; an instant without a zone is in UTC.

    Raises
    ------
    ListingError
        If it is none.
    """
    text = text.strip() if column.kind is not Kind.TEXT else text
    try:
        return _READERS[column.kind](column, text)
    except ValueError:
        form = _FORMS.get(column.kind) or _words(column)
        seen = text[:40]
        raise ListingError(
            "listing.bad_value",
            Text(
                f"{column.title.en}: {seen!r} is no value; wanted {form.en}",
                f"{column.title.zh}：“{seen}”不合法；应为{form.zh}",
            ),
            column.name,
        ) from None


def write_value(value: Any) -> str | int | bool | None:
    """A value as JSON has it: instants and days in ISO 8601; `read_value` reads what ``str()`` makes of it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or isinstance(value, int) else str(value)


def shown(column: Column, value: Any, language: Language, zone: tzinfo) -> str:
    """A value as people see it, without its unit; instants in `zone`."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bool):
        return _YES_NO[value].in_language(language)
    if column.words is not None and str(value) in column.words:
        return column.words[str(value)].in_language(language)
    return str(value)


def _text(_: Column, text: str) -> str:
    if len(text) > TEXT_MAX or "\0" in text:
        raise ValueError
    text.encode()  # half a character is none: databases refuse it
    return text


def _integer(_: Column, text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or not -_WHOLE <= (found := int(text)) <= _WHOLE:
        raise ValueError
    return found


def _instant(_: Column, text: str) -> datetime:
    found = datetime.fromisoformat(text)
    try:
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error


def _flag(_: Column, text: str) -> bool:
    for value, words in ((True, ("true", "yes", "1", "是")), (False, ("false", "no", "0", "否"))):
        if text.lower() in words:
            return value
    raise ValueError


def _word(column: Column, text: str) -> Any:
    words = column.words or {}
    for name, called in words.items():
        if text.lower() in (name.lower(), called.en.lower(), called.zh):
            return column.members(name) if column.members is not None else name
    raise ValueError


def _words(column: Column) -> Text:
    words = column.words or {}
    return Text(
        f"one of {', '.join(words)}", f"以下之一：{'、'.join(f'{name}（{text.zh}）' for name, text in words.items())}"
    )


_READERS: Mapping[Kind, Callable[[Column, str], Any]] = {
    Kind.TEXT: _text,
    Kind.INTEGER: _integer,
    Kind.INSTANT: _instant,
    Kind.DAY: lambda _, text: date.fromisoformat(text),
    Kind.WORD: _word,
    Kind.FLAG: _flag,
}
