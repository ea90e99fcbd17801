"""Commands: given once however often they are sent, looked at, taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from meterweave.api.caller import Caller
from meterweave.api.language import spoken
from meterweave.api.problem import Trouble
from meterweave.api.reply import reply, tagged
from meterweave.api.shapes import PROBLEMS, Command, NewCommand, PathId
from meterweave.api.state import Shared
from meterweave.manager.order_arguments import Told, arguments
from meterweave.manager.orders import Wish, cancel_command, command, give_command
from meterweave.registry.commands import COMMAND_WORDS, CommandCard, StepCard
from meterweave.registry.errors import CommandError
from meterweave.text import Language

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=64,
        pattern=r"^[!-~]+$",
        description="Yours, a new one for each command: sent twice with the same key it is one command.",
    ),
]

routes = APIRouter(tags=["commands"], responses=PROBLEMS)


@routes.post("/commands", response_model=Command, status_code=201, responses={200: {"model": Command}})
async def give(request: Request, api: Shared, identity: Caller, key: Key, order: NewCommand) -> Response:
    """Have a device do something; 201 where it is a new command, 200 where it was given before with this key."""
    now = api.now()
    told = Told(
        quantities=order.arguments.quantities,
        series=order.arguments.series,
        period_s=order.arguments.period_s,
        start=order.arguments.start,
        end=order.arguments.end,
        names=order.arguments.names,
    )
    wish = Wish(
        kind=order.kind,
        caller_id=key,
        not_after=now + timedelta(seconds=order.within_s),
        meter=order.meter,
        terminal=order.terminal,
        arguments=arguments(order.kind, told),
        reason=order.reason,
    )
    given = await api.work.run(give_command, api.registry, identity, wish, now=now)
    language = spoken(request.headers.get("accept-language"))
    where = {"Location": f"{request.url.path}/{given.command.id}"}
    return reply(_written(given.command, language), 201 if given.new else 200, where)


@routes.get("/commands/{number}", response_model=Command)
async def one(request: Request, api: Shared, identity: Caller, number: PathId) -> Response:
    """A command with its history."""
    card, steps = await api.work.run(command, api.registry, identity, number)
    language = spoken(request.headers.get("accept-language"))
    return tagged(request, _written(card, language) | {"history": _history(steps, language)})


@routes.post("/commands/{number}/cancel", response_model=Command, responses={409: PROBLEMS[422]})
async def cancel(request: Request, api: Shared, identity: Caller, number: PathId) -> Response:
    """Take a command back before it is sent; afterwards it is too late, 409."""
    try:
        card = await api.work.run(cancel_command, api.registry, identity, number, now=api.now())
    except CommandError as error:
        raise Trouble("conflict", error.text) from error
    return reply(_written(card, spoken(request.headers.get("accept-language"))))


def _written(card: CommandCard, language: Language) -> dict[str, Any]:
    return {
        "id": card.id,
        "kind": card.kind,
        "state": card.state,
        "title": COMMAND_WORDS[card.kind].in_language(language),
        "state_title": COMMAND_WORDS[card.state].in_language(language),
        "meter": card.meter_id,
        "terminal": card.terminal_id,
        "operator": card.operator,
        "reason": card.reason,
        "arguments": dict(card.arguments),
        "created_at": card.created_at,
        "not_after": card.not_after,
        "state_at": card.state_at,
        "outcome": card.outcome.in_language(language) if card.outcome else None,
        "facts": dict(card.facts) if card.facts else None,
    }


def _history(steps: Sequence[StepCard], language: Language) -> list[dict[str, Any]]:
    return [
        {
            "at": one.at,
            "state": one.state,
            "by": one.by,
            "words": one.words.in_language(language),
            "facts": dict(one.facts) if one.facts else None,
        }
        for one in steps
    ]
