"""The audit trail for people: a page of entries, and the verdict on all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from meterweave.cli import columns, moment, page, render
from meterweave.cli.columns import Cell
from meterweave.cli.user_page import caller
from meterweave.errors import ConfigError
from meterweave.manager.chain import Anchor, Verdict, read_anchor, verify
from meterweave.manager.permission import actions
from meterweave.manager.trail import EntryCard, Wanted, list_entries
from meterweave.registry import Registry
from meterweave.text import Language, Text

_HEADERS = (
    Text("number", "编号"),
    Text("time", "时间"),
    Text("who", "操作人"),
    Text("from where", "来源"),
    Text("what", "操作"),
    Text("object", "对象"),
    Text("before and after", "变更前后"),
)
_NONE = Text("no entry is like that", "没有符合条件的记录")
_SOUND = Text("{count} entries, all as they were written", "共{count}条记录，均未被改动")
_UNSOUND = Text("{count} entries; something was done to them:", "共{count}条记录，发现以下问题：")
_ANCHOR = Text("anchor", "锚点")
_KEEP = Text(
    "Keep the anchor where the database's owner cannot change it; audit verify --anchor checks against it. Without "
    "one, nothing tells whether the last entries were cut off, or all of them written anew.",
    "请将锚点保存在数据库管理员无法更改之处，以后用 audit verify --anchor 核对。"
    "没有锚点时，无法发现末尾记录被截断或整体被改写。",
)


def wanted(
    who: str | None,
    action: str | None,
    kind: str | None,
    name: str | None,
    since: str | None,
    until: str | None,
    before: int | None,
) -> Wanted:
    """Which entries, as the options have it.

    Raises
    ------
    ConfigError
        If a time is none.
    """
    return Wanted(who, action, kind, name, _time(since), _time(until), before)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=moment.zone())).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text!r} is no time; wanted YYYY-MM-DD or YYYY-MM-DDTHH:MM") from error


def listed(registry: Registry, asked: Wanted, limit: int) -> list[EntryCard]:
    """A page of the trail."""
    return list_entries(registry, caller(), asked, limit=limit)


def show_list(found: Sequence[EntryCard], language: Language, *, as_json: bool) -> None:
    """Print a page of the trail."""
    if as_json:
        _print_json({"entries": [one.to_json() for one in found]})
        return
    if not found:
        typer.echo(_NONE.in_language(language))
        return
    rows = [[Cell(one.in_language(language), "bold cyan") for one in _HEADERS]]
    rows += [[Cell(one) for one in _cells(entry, language)] for entry in found]
    columns.write(render.console(), rows, right=[0])


def _cells(entry: EntryCard, language: Language) -> list[str]:
    what = actions().get(entry.action)
    return [
        str(entry.number),
        moment.local(entry.at),
        entry.who,
        " ".join(part for part in (entry.means, entry.source) if part),
        entry.action if what is None else what.in_language(language),
        f"{entry.kind} {entry.object}",
        _states(entry.before, entry.after),
    ]


def _states(before: Any, after: Any) -> str:
    """What was changed, from what to what; what stayed is left out."""
    old, new = (one if isinstance(one, dict) else {} for one in (before, after))
    parts = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            parts.append(f"{name}={_said(new[name])}")
        elif name not in new:
            parts.append(f"{name}={_said(old[name])} → ")
        elif old[name] != new[name]:
            parts.append(f"{name}={_said(old[name])} → {_said(new[name])}")
    return "; ".join(parts).rstrip()


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def anchors(words: Sequence[str]) -> list[Anchor]:
    """Anchors as they were typed.

    Raises
    ------
    ConfigError
        If one is none.
    """
    return [read_anchor(one) for one in words]


def verified(registry: Registry, known: Sequence[Anchor]) -> Verdict:
    """The verdict on the whole trail."""
    return verify(registry, known)


def show_verdict(found: Verdict, *, anchored: bool, language: Language, as_json: bool) -> None:
    """Print the verdict, and the anchor to keep."""
    if as_json:
        _print_json(
            {
                "sound": found.sound,
                "entries": found.entries,
                "anchor": None if found.anchor is None else str(found.anchor),
                "anchored": anchored,
                "faults": [one._asdict() | {"text": one.text._asdict()} for one in found.faults],
            }
        )
        return
    out = render.console()
    words = _SOUND if found.sound else _UNSOUND
    typer.echo(words.in_language(language).format(count=found.entries))
    for fault in found.faults:
        page.note(out, fault.text.in_language(language))
    if found.anchor is not None and found.sound:
        page.facts(out, [(_ANCHOR, str(found.anchor))], language)
    if not anchored:
        page.note(out, _KEEP.in_language(language))


def _print_json(whole: dict[str, Any]) -> None:
    typer.echo(json.dumps(whole, ensure_ascii=False))
