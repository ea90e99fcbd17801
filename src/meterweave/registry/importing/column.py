"""How one column of a file is headed, read, stored and written."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from meterweave.errors import MeterweaveError
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.decimal import from_text, to_text
from meterweave.registry.address import METER_PROTOCOLS, POINT_MAX, PROTOCOLS, TERMINAL_PROTOCOLS, read_protocol
from meterweave.registry.errors import AddressError
from meterweave.registry.port import read_port
from meterweave.registry.vocabulary import WORDS, read_word
from meterweave.text import Language, Text

CLEAR = "-"
"""The cell that empties what is stored; an empty cell leaves it as it is."""

REGISTER_DIGITS_MAX = 18  # more do not fit in 64 bits

_POWERS_OF_TEN = re.compile(r"[+-]?\d+(\.\d+)?[eE]\+\d+")
_INT_MAX = 2**31 - 1
_MOMENT = re.compile(
    r"((?:19[789]|20[0-9])[0-9])[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?(?:(?:T| +)([0-9]{1,2})(:[0-9].*))?"
)


class CellError(MeterweaveError):
    """A cell that cannot be what it should be: a code of `finding.CODES` and the reason."""

    def __init__(self, code: str, text: Text) -> None:
        super().__init__(text.en)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
        Ours.
    header : Text
        What an export calls it.
    also : tuple of str
        Other headers it is known by.
    read : callable
        A cell's text to the value; raises `CellError`.
    fields : tuple of str
        The columns of the database it fills; none for a reference to another record, which its kind looks up.
    cleared : tuple or None
        What the fields hold after `CLEAR`; None: it cannot be emptied.
    write : callable
        The values of the fields in a language, undoing `read`.
    """

    name: str
    header: Text
    also: tuple[str, ...] = ()
    read: Callable[[str], Any] = str
    fields: tuple[str, ...] = ()
    cleared: tuple[Any, ...] | None = None
    write: Callable[[Language, Any], str] = lambda language, value: "" if value is None else str(value)


def normal_header(text: str) -> str:
    """A header without case, blanks and marks, for comparing: ``CT Ratio`` and ``ct_ratio`` are one."""
    return re.sub(r"[\s_/\-()（）:：*]+", "", text).lower()


def malformed(seen: str, wanted: Text) -> CellError:
    """The usual problem of a cell."""
    return CellError(
        "import.malformed", Text(f"found {seen!r}, wanted {wanted.en}", f"“{seen}”应为{wanted.zh}")
    )  # fmt: skip


def refuse_lost_digits(cell: str) -> None:
    """Stop at a number that a spreadsheet has turned into powers of ten: its last digits are gone."""
    if _POWERS_OF_TEN.fullmatch(cell):
        raise CellError(
            "import.digits_lost",
            Text(
                f"found {cell!r}: a spreadsheet has rounded this number; format the column as text and enter it anew",
                f"“{cell}”：电子表格已丢失部分数字，请将该列设为文本格式后重新录入",
            ),
        )


def text_up_to(size: int) -> Callable[[str], str]:
    """A reader of texts of at most `size` characters."""

    def read(cell: str) -> str:
        if len(cell) > size:
            raise malformed(cell, Text(f"at most {size} characters", f"不超过{size}个字符"))
        if not cell.isprintable():
            raise malformed(cell, Text("text without control characters", "不含控制字符的文本"))
        return cell

    return read


def number_text(cell: str) -> str:
    """A number that is a name: digits and letters, at most 64, unharmed by spreadsheets."""
    refuse_lost_digits(cell)
    return text_up_to(64)(cell)


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers from `low` to `high`."""

    def read(cell: str) -> int:
        if re.fullmatch(r"[0-9]{1,10}", cell) and low <= int(cell) <= high:
            return int(cell)
        raise malformed(cell, Text(f"a whole number from {low} to {high}", f"{low}至{high}的整数"))

    return read


point_number = whole(1, POINT_MAX)


def protocol(cell: str) -> str:
    """The name of a protocol."""
    return _protocol_among(cell, PROTOCOLS)


def terminal_protocol(cell: str) -> str:
    """The name of a protocol that a terminal may have."""
    found = _protocol_among(cell, TERMINAL_PROTOCOLS)
    if found not in TERMINAL_PROTOCOLS:
        raise _of_the_others(
            cell, found, Text("meters, not of terminals", "表计规约，不是终端规约"), TERMINAL_PROTOCOLS
        )
    return found


def meter_protocol(cell: str) -> str:
    """The name of a protocol that a meter may have."""
    found = _protocol_among(cell, METER_PROTOCOLS)
    if found not in METER_PROTOCOLS:
        raise _of_the_others(cell, found, Text("terminals, not of meters", "终端规约，不是表计规约"), METER_PROTOCOLS)
    return found


def _protocol_among(cell: str, offered: tuple[str, ...]) -> str:
    found = read_protocol(cell)
    if found is None:
        known = ", ".join(offered)
        raise malformed(cell, Text(f"one of {known}", f"{known}之一"))
    return found


def _of_the_others(cell: str, found: str, whose: Text, wanted: tuple[str, ...]) -> CellError:
    known = ", ".join(wanted)
    return CellError(
        "import.malformed",
        Text(
            f"found {cell!r}: {found} is a protocol of {whose.en}; wanted one of {known}",
            f"“{cell}”：{found}是{whose.zh}；应为{known}之一",
        ),
    )


def line_port(cell: str) -> str:
    """The port of a line in its kept form."""
    try:
        return read_port(cell).text
    except AddressError as error:
        raise CellError("import.malformed", error.text) from error


def register(cell: str) -> tuple[int, int]:
    """All digits of a register and those after the point, of ``6.2``: six before the point and two after it."""
    match = re.fullmatch(r"([0-9]{1,2})(?:[.+]([0-9]{1,2}))?", cell)
    decimals = int(match[2] or 0) if match else 0
    digits = int(match[1]) + decimals if match else 0
    if not 1 <= digits <= REGISTER_DIGITS_MAX:
        raise malformed(
            cell,
            Text(
                f"the digits before and after the point, such as 6.2, together 1 to {REGISTER_DIGITS_MAX}",
                f"整数位数.小数位数，如6.2，合计1至{REGISTER_DIGITS_MAX}位",
            ),
        )
    return digits, decimals


def write_register(_language: Language, value: tuple[int | None, int | None]) -> str:
    """``6.2``; nothing where it is not known."""
    digits, decimals = value
    return "" if digits is None or decimals is None else f"{digits - decimals}.{decimals}"


def word(kind: type[StrEnum]) -> Callable[[str], StrEnum]:
    """A reader of the words of a closed list, in either language."""

    def read(cell: str) -> StrEnum:
        found = read_word(kind, cell)
        if found is None:
            raise malformed(
                cell,
                Text(
                    f"one of {', '.join(one.value for one in kind)}", f"{'、'.join(WORDS[one].zh for one in kind)}之一"
                ),
            )
        return found

    return read


def write_word(language: Language, value: StrEnum | None) -> str:
    """A word of a closed list: as stored, or in Chinese."""
    if value is None:
        return ""
    return WORDS[value].zh if language == "zh" else value.value


def ratio(cell: str) -> tuple[int, int]:
    """Primary and secondary of a ratio: ``600/5``, ``600:5``, or the quotient alone, ``120`` or ``2.4``."""
    match = re.fullmatch(r"([0-9]{1,9})\s*[/:：]\s*([0-9]{1,9})", cell)
    if match:
        primary, secondary = int(match[1]), int(match[2])
    elif re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", cell):
        primary, secondary = Decimal(cell).as_integer_ratio()
    else:
        primary = secondary = 0
    if not 0 < primary <= _INT_MAX or not 0 < secondary <= _INT_MAX:
        raise malformed(cell, Text("a ratio such as 600/5 or 120", "变比，如600/5或120"))
    return primary, secondary


def write_ratio(_language: Language, value: tuple[int, int]) -> str:
    """``600/5``; the quotient alone where the secondary is 1."""
    primary, secondary = value
    return str(primary) if secondary == 1 else f"{primary}/{secondary}"


def kilovoltamperes(cell: str) -> int:
    """A rating in kVA, at most three decimals, as VA."""
    try:
        found = from_text(cell, -3)
    except ValueError:
        found = 0
    if not 0 < found <= 10**12:
        raise malformed(cell, Text("a rating in kVA above 0, such as 315", "大于0的容量（kVA），如315"))
    return found


def write_kilovoltamperes(_language: Language, value: int | None) -> str:
    """VA as kVA without needless decimals."""
    return "" if value is None else to_text(value, -3).rstrip("0").rstrip(".")


def usage_point(cell: str) -> str:
    """The code of a usage point."""
    if cell == CLEAR:
        raise CellError(
            "import.malformed",
            Text(
                f"found {cell!r}: no file takes a meter off its usage point; name the usage point where it is now and "
                "since when, or take it off with meterweave meter remove",
                f"“{cell}”：文件不能拆除表计；请填写现在所在的用电点编号和安装日期，或用meterweave meter remove拆除",
            ),
        )
    return number_text(cell)


def instant(cell: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """An instant, in UTC: a local date, which means its midnight, or date and time; year, month, day in this order."""
    match = _MOMENT.fullmatch(cell)
    if match:
        year, month, day, hour, rest = match.groups()
        clock = f"{hour:0>2}{rest}" if hour else "00:00"
        try:
            found = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{clock}")
        except ValueError:
            match = None
    if not match:
        raise malformed(
            cell,
            Text(
                "a date from 1970 to 2099 such as 2026-11-15, or 2026-11-15 08:30",
                "1970至2099年的日期，如2026-11-15或2026-11-15 08:30",
            ),
        )
    if found.tzinfo is None and match[4]:
        _refuse_uncertain(cell, found, zone)
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)


def _refuse_uncertain(cell: str, clock: datetime, zone: ZoneInfo) -> None:
    """Stop at what local clocks skip, or show twice, as they are changed."""
    if not _is_shown_once(clock, zone):
        if clock.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != clock:
            raise malformed(cell, Text("a time that there was: clocks were put forward", "存在的时间：当时时钟已拨快"))
        wanted = clock.replace(tzinfo=zone).isoformat(" ")
        raise malformed(
            cell,
            Text(
                f"its offset too, such as {wanted}: clocks showed this twice",
                f"带时区偏移的时间，如{wanted}：该时刻出现两次",
            ),
        )


def _is_shown_once(clock: datetime, zone: ZoneInfo) -> bool:
    return len({clock.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}) == 1


def write_instant(_language: Language, value: datetime | None, zone: ZoneInfo = SHANGHAI) -> str:
    """The local date where it is midnight, else date and time; with its offset where the clocks show it twice."""
    if value is None:
        return ""
    local = value.astimezone(zone)
    clock = local.replace(tzinfo=None, fold=0)
    if clock.time() == time() and not local.fold:
        return clock.date().isoformat()
    return (clock if _is_shown_once(clock, zone) else local).isoformat(" ")
