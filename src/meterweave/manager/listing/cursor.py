"""The mark of a page: where in which list it begins; opaque, and checked, since it comes back from outside.

It tells nothing that the row before it did not show, and gives no right: filters and scope apply to each page anew.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from meterweave.manager.listing.errors import ListingError
from meterweave.manager.listing.question import Question
from meterweave.manager.listing.value import read_value, write_value
from meterweave.text import Text

_OCTETS_MAX = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place between two rows.

    Attributes
    ----------
    value : Any
        What the row at the place has in the column sorted by; None: nothing.
    key : tuple
        Its key.
    back : bool
        The page wanted is the one before the place.
    """

    value: Any
    key: tuple[Any, ...]
    back: bool = False


def write_cursor(question: Question, cursor: Cursor) -> str:
    """A place as text for a URL."""
    held = [question.mark, int(cursor.back), write_value(cursor.value), *(write_value(one) for one in cursor.key)]
    octets = json.dumps(held, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def read_cursor(question: Question, text: str) -> Cursor:
    """The place that `text` means.

    Raises
    ------
    ListingError
        If it is no mark, or one of another question.
    """
    try:
        if len(text) > _OCTETS_MAX:
            raise ValueError
        mark, back, value, *key = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        if mark != question.mark or back not in (0, 1):
            raise ValueError
        return Cursor(
            value=_value(question.sort, value),
            key=tuple(_value(column, one) for column, one in zip(question.table.key, key, strict=True)),
            back=bool(back),
        )
    except (ValueError, TypeError, RecursionError, binascii.Error, ListingError) as error:
        raise ListingError(
            "listing.bad_cursor",
            Text(
                "the page mark is none of this list as it is filtered and sorted; begin at its first page",
                "分页标记与当前筛选和排序不符，请从第一页开始",
            ),
        ) from error


def _value(column: Any, held: Any) -> Any:
    if held is None and column.nullable:
        return None
    if not isinstance(held, str | int):
        raise ValueError
    return read_value(column, str(held))
