"""The one list of meters, as a table, as CSV and for programs."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import typer

from meterweave.cli import columns, moment, render
from meterweave.cli.choice import BY_ID
from meterweave.cli.columns import Cell
from meterweave.cli.folder import Folder
from meterweave.cli.reading_desk import in_words
from meterweave.errors import ConfigError
from meterweave.mdm.estate import LOOKED_BACK, How, Listed, Part, Wanted, listed
from meterweave.mdm.estate import WORDS as HOW_WORDS
from meterweave.metering.batch import Source
from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import Quantity, by_code
from meterweave.registry.importing.export import BOM, csv_line
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Language, Text

Json = dict[str, Any]

_TABLE = (
    Text("meter", "表计"),
    Text("utility", "能源"),
    Text("collected", "采集方式"),
    Text("model", "型号"),
    Text("on", "终端/线路"),
    Text("usage point", "用电点"),
    Text("last reading", "最近示数"),
    Text("read at", "抄表时间"),
    Text("ago", "距今"),
    Text("came by", "来源"),
)
_CSV = (
    Text("id", "id"),
    Text("protocol", "通信规约"),
    Text("address", "表地址"),
    Text("asset number", "资产编号"),
    Text("utility", "能源类型"),
    Text("collected", "采集方式"),
    Text("model", "型号"),
    Text("terminal protocol", "终端规约"),
    Text("terminal", "终端地址"),
    Text("usage point", "用电点编号"),
    Text("district", "台区编码"),
    Text("quantity", "数据项"),
    Text("last reading", "最近示数"),
    Text("unit", "单位"),
    Text("read at", "抄表时间"),
    Text("came by", "来源"),
)
_SOURCES = {
    Source.READ: Text("read", "召测"),
    Source.PUSHED: Text("pushed", "上报"),
    Source.FORWARDED: Text("forwarded", "透传"),
    Source.ENTERED: Text("entered", "录入"),
    Source.ESTIMATED: Text("estimated", "估算"),
}
_NONE, _NEVER = Text("no meter is like that", "没有符合条件的表计"), Text("none", "无")
_LOOKED_BACK = Text("in {} days", "{}天内")
_MORE = Text("there are more: --after id:{}", "还有更多：--after id:{}")


def asked(
    folder: Folder,
    *,
    utility: str | None,
    how: str | None,
    district: str | None,
    silent_days: int | None,
    limit: int | None,
    after: str | None,
    language: Language,
) -> Part:
    """The part of the list that is asked for.

    Raises
    ------
    MeterweaveError
        If something named is not there, or archives or lake cannot be read.
    """
    wanted = Wanted(
        None if utility is None else Utility(utility),
        None if how is None else How(how),
        district,
        None if silent_days is None else timedelta(days=silent_days),
        None if after is None else _id(after),
        limit,
    )
    with in_words(language), folder.archives() as registry, folder.lake() as lake:
        return listed(lake, registry, wanted, moment.now())


def _id(word: str) -> int:
    digits = word.removeprefix(BY_ID)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 19):
        raise ConfigError(f"{word!r} is no place in the list; wanted {BY_ID}NUMBER, as its last line says")
    return int(digits)


def show(found: Part, language: Language, *, as_json: bool, as_csv: bool) -> None:
    """Print the list."""
    if as_json:
        after = f"{BY_ID}{found.meters[-1].id}" if found.more else None
        typer.echo(json.dumps({"meters": list(map(_json, found.meters)), "after": after}, ensure_ascii=False))
    elif as_csv:
        lines = [[one.in_language(language) for one in _CSV], *(_fields(one, language) for one in found.meters)]
        sys.stdout.buffer.write((BOM + "".join(map(csv_line, lines))).encode())
        sys.stdout.buffer.flush()
    else:
        _show_table(found, language)


def _show_table(found: Part, language: Language) -> None:
    if not found.meters:
        typer.echo(_NONE.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _TABLE]
    rows = [list(map(Cell, _cells(one, language))) for one in found.meters]
    columns.write(render.console(), [header, *rows], right=[6])
    if found.more:
        typer.echo(_MORE.in_language(language).format(found.meters[-1].id))


def _cells(one: Listed, language: Language) -> list[str]:
    last = one.last
    on = f"{one.terminal_protocol} {one.terminal_name or one.terminal}" if one.terminal else ""
    shown = [
        one.asset_number or f"{one.protocol} {one.address}",
        WORDS[one.utility].in_language(language),
        HOW_WORDS[one.how].in_language(language),
        one.model,
        on,
        one.usage_point or "",
    ]
    if last is None:
        looked_back = _LOOKED_BACK.in_language(language).format(LOOKED_BACK[-1].days)
        return [*shown, _NEVER.in_language(language), looked_back, "", ""]
    quantity = _quantity(one)
    value, unit = render.amount(to_text(last.value, quantity.exponent), quantity.unit, language)
    ago = moment.age(last.ts, moment.now(), language)
    return [*shown, f"{value} {unit}", moment.local(last.ts), ago, _SOURCES[last.source].in_language(language)]


def _fields(one: Listed, language: Language) -> list[str]:
    last = one.last
    shown = [
        str(one.id),
        one.protocol,
        one.address,
        one.asset_number or "",
        WORDS[one.utility].in_language(language),
        HOW_WORDS[one.how].in_language(language),
        one.model,
        one.terminal_protocol or "",
        one.terminal or "",
        one.usage_point or "",
        one.district or "",
    ]
    if last is None:
        return [*shown, "", "", "", "", ""]
    quantity = _quantity(one)
    value, unit = render.amount(to_text(last.value, quantity.exponent), quantity.unit, language)
    source = _SOURCES[last.source].in_language(language)
    return [*shown, quantity.meaning.in_language(language), value, unit, moment.local(last.ts), source]


def _json(one: Listed) -> Json:
    found: Json = one._asdict() | {"utility": one.utility.value, "how": one.how.value}
    if one.last is not None:
        quantity = _quantity(one)
        found["last"] = {
            "obis": quantity.obis,
            "name": quantity.name,
            "value": to_text(one.last.value, quantity.exponent),
            "unit": quantity.unit,
            "time": moment.local_iso(one.last.ts),
            "source": one.last.source.name.lower(),
        }
    return found


def _quantity(one: Listed) -> Quantity:
    assert one.last is not None
    return by_code()[one.last.quantity]
