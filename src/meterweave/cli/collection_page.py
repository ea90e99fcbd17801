"""Collection for people: how it stands, what is missing, which plans there are; and changing a plan."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from meterweave.cli import columns, moment, page, render
from meterweave.cli.choice import search_word, the_one
from meterweave.cli.columns import Cell
from meterweave.cli.command import read_span
from meterweave.errors import ConfigError
from meterweave.headend.collection import report
from meterweave.headend.collection.plan import check_plan, read_quantities
from meterweave.headend.collection.report import Gaps, Open, Standing, Status
from meterweave.metering.quantities import quantities
from meterweave.registry import Organisation, Registry, TransformerDistrict
from meterweave.registry.collection import COLLECTION_WORDS, CollectionPlan, GapState, Series
from meterweave.registry.lookup import find_terminals
from meterweave.registry.vocabulary import WORDS, Utility
from meterweave.text import Language, Text

Json = dict[str, Any]

_ALL_OF_THEM = "-"
_DEADLINES = {Series.CURVE: 900, Series.DAILY: 7200, Series.MONTHLY: 21_600}
_MEMORIES = {Series.CURVE: 7, Series.DAILY: 62, Series.MONTHLY: 366}

_PLAN, _SERIES, _TERMINAL, _DAY = (
    Text("plan", "方案"), Text("series", "数据类型"), Text("terminal", "终端"), Text("day", "日期"),
)  # fmt: skip
_COUNTS = (
    Text("expected", "应抄"),
    Text("stored", "实抄"),
    Text("first try", "一次成功率"),
    Text("final", "最终成功率"),
    Text("gaps open", "待补召"),
    Text("given up", "放弃"),
    Text("oldest unread", "最早缺数"),
)
_REASON = Text("why", "原因")
_BY_PLAN = Text("By plan", "按方案")
_WORST = Text("Terminals that lack most", "缺数最多的终端")
_NO_PLANS = Text("no plan is followed", "没有启用的方案")
_NO_WORST = Text("none lacks anything", "没有终端缺数")
_GAP_COLUMNS = (
    _TERMINAL,
    _PLAN,
    _DAY,
    Text("missing", "缺数"),
    Text("meters", "表计"),
    _COUNTS[-1],
    Text("attempts", "尝试次数"),
    Text("next try", "下次补召"),
    Text("state", "状态"),
    _REASON,
)
_NO_GAPS = Text("nothing is missing", "没有缺数")
_SHOWN = Text(
    "{first} to {last} of {total} gaps, {missing:,} readings in all of them",
    "共{total}条缺口，第{first}至{last}条，合计缺{missing:,}个读数",
)
_PLAN_COLUMNS = (
    Text("name", "名称"),
    Text("utility", "能源"),
    _SERIES,
    Text("period", "周期"),
    Text("deadline", "时限"),
    Text("memory", "保存天数"),
    Text("only", "范围"),
    Text("followed", "启用"),
    Text("quantities", "数据项"),
)
_YES, _NO = Text("yes", "是"), Text("no", "否")


class Wanted(NamedTuple):
    """What is to be changed of a plan; None: nothing."""

    utility: str | None
    series: str | None
    quantities: str | None
    period: str | None
    deadline: str | None
    memory_days: int | None
    district: str | None
    organisation: str | None
    enabled: bool | None


class PlanCard(NamedTuple):
    """One plan with the names of what it refers to."""

    plan: CollectionPlan
    district: str | None
    organisation: str | None


# Status and gaps -----------------------------------------------------------------------------------------------------


def status(registry: Registry, *, day: date | None, terminal: str | None, worst: int, language: Language) -> Status:
    """How collection stands, of one terminal where one is named."""
    with registry.reading() as session:
        return report.status(session, day=day, terminal=_terminal(session, terminal, language), worst=worst)


def gaps(
    registry: Registry, *, state: str | None, terminal: str | None, limit: int, offset: int, language: Language
) -> Gaps:
    """What is missing, a part of it."""
    with registry.reading() as session:
        return report.gaps(
            session,
            state=None if state is None else GapState(state),
            terminal=_terminal(session, terminal, language),
            limit=limit,
            offset=offset,
        )


def _terminal(session: Session, word: str | None, language: Language) -> int | None:
    return None if word is None else the_one(find_terminals(session, search_word(word)), word, language).id


def show_status(found: Status, language: Language, *, as_json: bool) -> None:
    """Print how collection stands."""
    if as_json:
        _print_json(_status_json(found))
        return
    out = render.console()
    by_plan = [
        [one.name, COLLECTION_WORDS[one.series].in_language(language), *_cells(one.standing, one.open)]
        for one in found.plans
    ]
    by_series = [
        ["", COLLECTION_WORDS[series].in_language(language), *_cells(standing, left)]
        for series, standing, left in _sums(found)
    ]
    numbers = range(2, 2 + len(_COUNTS) - 1)
    headers = (_PLAN, _SERIES, *_COUNTS)
    page.table(out, _BY_PLAN, headers, [*by_plan, *by_series], language, right=numbers, none=_NO_PLANS)
    rows = [
        [f"{one.protocol} {one.address}", *_cells(one.standing, one.open), _said(one.reason, language)]
        for one in found.worst
    ]
    headers = (_TERMINAL, *_COUNTS, _REASON)
    page.table(out, _WORST, headers, rows, language, right=range(1, len(_COUNTS)), none=_NO_WORST)


def _sums(found: Status) -> list[tuple[Series, Standing, Open]]:
    """The plans of each series together."""
    sums = []
    for series in Series:
        of_it = [one for one in found.plans if one.series is series]
        if of_it:
            oldest = min((one.open.oldest_at for one in of_it if one.open.oldest_at), default=None)
            standing = Standing(*map(sum, zip(*(one.standing for one in of_it), strict=True)))
            gaps_open, given_up = (sum(getattr(one.open, name) for one in of_it) for name in ("gaps", "given_up"))
            sums.append((series, standing, Open(gaps_open, oldest, given_up)))
    return sums


def _cells(standing: Standing, left: Open) -> list[str]:
    return [
        f"{standing.expected:,}",
        f"{standing.stored:,}",
        _percent(standing.first_try_rate),
        _percent(standing.final_rate),
        f"{left.gaps:,}",
        f"{left.given_up:,}",
        moment.local(left.oldest_at) if left.oldest_at else "",
    ]


def _percent(rate: float | None) -> str:
    """A share that is not shown as all while anything lacks."""
    return "" if rate is None else f"{int(rate * 10_000) / 100:.2f} %"


def _said(reason: Text | None, language: Language) -> str:
    return reason.in_language(language) if reason else ""


def _status_json(found: Status) -> Json:
    return {
        "profiles": [{"profile": series.value, **_numbers(standing, left)} for series, standing, left in _sums(found)],
        "plans": [
            {"plan": one.name, "profile": one.series.value, **_numbers(one.standing, one.open)} for one in found.plans
        ],
        "worst": [
            {
                "terminal": one.id,
                "protocol": one.protocol,
                "address": one.address,
                "name": one.name,
                **_numbers(one.standing, one.open),
                "reason": one.reason and one.reason._asdict(),
            }
            for one in found.worst
        ],
    }


def _numbers(standing: Standing, left: Open) -> Json:
    return {
        **standing._asdict(),
        "first_try_rate": standing.first_try_rate,
        "final_rate": standing.final_rate,
        "gaps_open": left.gaps,
        "given_up": left.given_up,
        "oldest_unread": left.oldest_at,
    }


def show_gaps(found: Gaps, offset: int, language: Language, *, as_json: bool) -> None:
    """Print what is missing."""
    if as_json:
        rows = [{**row._asdict(), "reason": row.reason._asdict()} for row in found.rows]
        _print_json({"total": found.total, "missing": found.missing, "offset": offset, "gaps": rows})
        return
    if not found.rows:
        typer.echo(_NO_GAPS.in_language(language))
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _GAP_COLUMNS]
    rows_shown = [
        [
            f"{row.protocol} {row.address}",
            row.plan,
            row.day.isoformat(),
            f"{row.missing:,}",
            str(row.meters),
            moment.local(row.oldest_at),
            str(row.attempts),
            moment.local(row.next_try_at) if row.state is GapState.OPEN else "",
            COLLECTION_WORDS[row.state].in_language(language),
            row.reason.in_language(language),
        ]
        for row in found.rows
    ]
    columns.write(render.console(), [header, *(list(map(Cell, row)) for row in rows_shown)], right=(3, 4, 6))
    last = offset + len(found.rows)
    words = _SHOWN.in_language(language)
    typer.echo(words.format(first=offset + 1, last=last, total=found.total, missing=found.missing))


# Plans ---------------------------------------------------------------------------------------------------------------


def plans(registry: Registry) -> list[PlanCard]:
    """All plans."""
    with registry.reading() as session:
        return _cards(session)


def _cards(session: Session, name: str | None = None) -> list[PlanCard]:
    query = (
        select(CollectionPlan, TransformerDistrict.code, Organisation.code)
        .outerjoin(TransformerDistrict, TransformerDistrict.id == CollectionPlan.district_id)
        .outerjoin(Organisation, Organisation.id == CollectionPlan.organisation_id)
        .order_by(CollectionPlan.id)
    )
    if name is not None:
        query = query.where(CollectionPlan.name == name)
    found = [PlanCard(*row) for row in session.execute(query)]
    session.expunge_all()
    return found


def set_plan(registry: Registry, name: str, wanted: Wanted) -> list[PlanCard]:
    """Change the plan of this name, or make it; the plan as it is then.

    Raises
    ------
    ConfigError
        If it cannot be followed; nothing is changed then.
    """
    with registry.writing() as session:
        plan = session.scalars(select(CollectionPlan).where(CollectionPlan.name == name)).one_or_none()
        if plan is None:
            plan = _new_plan(name, wanted)
            session.add(plan)
        elif wanted.utility not in (None, plan.utility.value) or wanted.series not in (None, plan.series.value):
            raise ConfigError(f"{name} is a {plan.series.value} plan of {plan.utility.value}; make a new one instead")
        _change(session, plan, wanted)
        check_plan(plan)
        session.flush()
        return _cards(session, name)


def _new_plan(name: str, wanted: Wanted) -> CollectionPlan:
    if not name.strip() or len(name) > 64:
        raise ConfigError("a plan has a name of 1 to 64 characters")
    if wanted.utility is None or wanted.series is None or wanted.quantities is None:
        raise ConfigError(f"there is no plan {name!r}; to make it give --utility, --series and --quantities")
    series = Series(wanted.series)
    return CollectionPlan(
        name=name,
        utility=Utility(wanted.utility),
        series=series,
        period_s=900 if series is Series.CURVE else 0,
        quantities="",
        deadline_s=_DEADLINES[series],
        memory_days=_MEMORIES[series],
        enabled=True,
    )


def _change(session: Session, plan: CollectionPlan, wanted: Wanted) -> None:
    if wanted.quantities is not None:
        texts = [text.strip() for text in wanted.quantities.split(",") if text.strip()]
        plan.quantities = " ".join(read_quantities(texts, plan.utility))
    if wanted.period is not None:
        plan.period_s = round(read_span(wanted.period).total_seconds())
    if wanted.deadline is not None:
        plan.deadline_s = round(read_span(wanted.deadline).total_seconds())
    if wanted.memory_days is not None:
        plan.memory_days = wanted.memory_days
    if wanted.enabled is not None:
        plan.enabled = wanted.enabled
    for code, table, field in (
        (wanted.district, TransformerDistrict, "district_id"),
        (wanted.organisation, Organisation, "organisation_id"),
    ):
        if code is not None:
            setattr(plan, field, _id_of(session, table, code))


def _id_of(session: Session, table: type[TransformerDistrict] | type[Organisation], code: str) -> int | None:
    if code == _ALL_OF_THEM:
        return None
    found = session.scalars(select(table.id).where(table.code == code)).one_or_none()
    if found is None:
        raise ConfigError(f"no {'district' if table is TransformerDistrict else 'organisation'} is called {code!r}")
    return found


def show_plans(found: Sequence[PlanCard], language: Language, *, as_json: bool) -> None:
    """Print plans."""
    if as_json:
        _print_json({"plans": [_plan_json(card) for card in found]})
        return
    header = [Cell(one.in_language(language), "bold cyan") for one in _PLAN_COLUMNS]
    rows = [list(map(Cell, _plan_cells(card, language))) for card in found]
    columns.write(render.console(), [header, *rows], right=(3, 4, 5))


def _plan_cells(card: PlanCard, language: Language) -> list[str]:
    plan = card.plan
    return [
        plan.name,
        WORDS[plan.utility].in_language(language),
        COLLECTION_WORDS[plan.series].in_language(language),
        f"{plan.period_s // 60} min" if plan.period_s else "",
        f"{plan.deadline_s // 60} min",
        f"{plan.memory_days} d",
        " ".join(filter(None, (card.district, card.organisation))),
        (_YES if plan.enabled else _NO).in_language(language),
        ", ".join(quantities()[obis].name for obis in plan.quantities.split()),
    ]


def _plan_json(card: PlanCard) -> Json:
    plan = card.plan
    return {
        "name": plan.name,
        "utility": plan.utility.value,
        "series": plan.series.value,
        "period_s": plan.period_s,
        "deadline_s": plan.deadline_s,
        "memory_days": plan.memory_days,
        "district": card.district,
        "organisation": card.organisation,
        "enabled": plan.enabled,
        "quantities": plan.quantities.split(),
    }


def _print_json(whole: Json) -> None:
    typer.echo(json.dumps(whole, ensure_ascii=False, default=_json_value))


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
