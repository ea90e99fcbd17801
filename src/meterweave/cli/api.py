"""The API beside a running centre, and the first user, who is told their password once."""

from __future__ import annotations

import typer

from meterweave.api.server import ApiServer
from meterweave.api.state import Api
from meterweave.centre import Centre
from meterweave.lake import Lake
from meterweave.manager.users import first_administrator
from meterweave.registry import Registry
from meterweave.text import Language, Text

_FIRST = Text(
    "first start: log in as {} with the one-time password {} and choose your own",
    "首次启动：请用账号{}和一次性密码{}登录并修改密码",
)


def api_of(centre: Centre, registry: Registry, lake: Lake) -> ApiServer:
    """The API of a centre that runs; its port is open, and it answers once it is entered.

    Raises
    ------
    ConfigError
        If the port cannot be opened.
    """
    settings = centre.settings.api

    def make() -> Api:
        return Api(
            registry,
            lake,
            lake.folder.parent,
            settings,
            collecting=centre.head_end,
            clock=centre.head_end.clock,
        )

    return ApiServer(make, host=settings.host, port=settings.port)


def greet_first(api: ApiServer, spoken: Language) -> None:
    """Where there is no user at all: make the administrator, and say how to log in."""
    assert api.api is not None
    made = first_administrator(api.api.registry, api.api.door.passwords)
    if made is not None:
        typer.echo(_FIRST.in_language(spoken).format(made.user.name, made.password))
