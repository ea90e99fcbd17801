"""The page that shows how a gateway stands: what waits, since when, and when the centre was there last."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.console import Console

from meterweave.cli import moment, page
from meterweave.errors import ConfigError
from meterweave.gateway.plan import SitePlan
from meterweave.gateway.store import JOURNAL, Look, look
from meterweave.text import Language, Text

_TITLE = Text("gateway", "采集网关")
_YES, _NO = Text("connected", "已连接"), Text("not connected", "未连接")
_WAITING, _SINCE, _SIZE = Text("waits", "待上传"), Text("since", "起始"), Text("size", "大小")
_CONTACT, _STATE, _WHY = Text("last contact", "最近联系"), Text("centre", "中心"), Text("reason", "原因")
_PLAN, _REFUSED, _LAST = (
    Text("plan", "任务"),
    Text("refused by the centre", "中心拒收"),
    Text("last reason", "最近原因"),
)
_ROWS = Text("{:,} rows in {:,} blobs", "{:,}行，{:,}块")
_LINES = Text("{:,} lines, {:,} meters", "{:,}条线路，{:,}块表")
_BROKEN = Text("it cannot be read; the centre tells it anew", "无法读取，中心将重新下发")
_NONE = Text("none yet: the centre has not been reached", "尚无：未联系到中心")


def seen(folder: Path) -> Look:
    """What stands in the folder of a gateway.

    Raises
    ------
    ConfigError, JournalError, StoreError
        If it is none, or cannot be read.
    """
    if not (folder / JOURNAL).is_file():
        raise ConfigError(f"{folder} is no folder of a gateway: there is no file {JOURNAL} in it")
    return look(folder)


def show(found: Look, spoken: Language, *, as_json: bool) -> None:
    """Write it for people, or as JSON."""
    if as_json:
        typer.echo(json.dumps(_json(found), ensure_ascii=False))
        return
    held, refused, contact = found.held, found.refused, found.contact
    out = Console(highlight=False)
    page.title(out, _TITLE.in_language(spoken))
    facts = [
        (_WAITING, _ROWS.in_language(spoken).format(held.rows, held.blobs)),
        (_SIZE, f"{held.octets:,} B"),
        (_SINCE, _time(held.oldest_us)),
        (_PLAN, _plan_words(found, spoken)),
        (_CONTACT, _time(contact.at_us if contact else None)),
        (_STATE, "" if contact is None else (_YES if contact.online else _NO).in_language(spoken)),
        (_WHY, contact.reason if contact else ""),
    ]
    if refused.blobs:
        facts += [(_REFUSED, f"{refused.blobs:,}, {refused.octets:,} B"), (_LAST, refused.last_reason)]
    page.facts(out, facts, spoken)


def _plan_words(found: Look, spoken: Language) -> str:
    if found.plan is None:
        return _NONE.in_language(spoken)
    plan = _plan(found)
    if plan is None:
        return _BROKEN.in_language(spoken)
    return _LINES.in_language(spoken).format(len(plan.lines), sum(len(line.members) for line in plan.lines))


def _plan(found: Look) -> SitePlan | None:
    """What the gateway goes by; None: there is nothing, or nothing that can be read."""
    try:
        return None if found.plan is None else SitePlan.from_json(found.plan)
    except ConfigError:
        return None


def _json(found: Look) -> dict[str, object]:
    contact = found.contact
    plan = _plan(found)
    return {
        "waiting": {
            "blobs": found.held.blobs,
            "rows": found.held.rows,
            "octets": found.held.octets,
            "since": _iso(found.held.oldest_us),
        },
        "refused": found.refused._asdict(),
        "contact": None
        if contact is None
        else {"at": _iso(contact.at_us), "online": contact.online, "reason": contact.reason},
        "plan": None if plan is None else {"revision": plan.revision, "lines": len(plan.lines)},
    }


def _time(us: int | None) -> str:
    return "" if us is None else moment.local(_moment(us))


def _iso(us: int | None) -> str | None:
    return None if us is None else moment.local_iso(_moment(us))


def _moment(us: int) -> datetime:
    return datetime.fromtimestamp(us / 1e6, UTC)
