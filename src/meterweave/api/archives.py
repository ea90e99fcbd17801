"""Archives: every table of the managers as a list and, where its rows have ids, one by one; and search over them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from meterweave.api.caller import Caller
from meterweave.api.download import download
from meterweave.api.language import spoken
from meterweave.api.reply import reply, tagged
from meterweave.api.shapes import PROBLEMS, PathId, Rows
from meterweave.api.state import Shared
from meterweave.manager.archives import found, one, rows, rows_csv
from meterweave.manager.identity import require
from meterweave.manager.listing import PAGE_ROWS_MAX, TABLES, Column, Operator, ServerTable
from meterweave.manager.listing.column import OPERATOR_WORDS

OF_THE_PAGE = frozenset({"sort", "cursor", "limit", "q"})
"""Parameters of a list that are no filters."""

ALONE = ("organisations", "districts", "terminals", "meters", "usage_points", "installations", "collection_plans")
"""Tables whose rows can be asked for by their id here; commands have more to tell, gaps have no id."""

CURSOR_MAX = 4000

CSV = "text/csv; charset=utf-8"

Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX, description="Rows of a page.")]
Cursor = Annotated[str | None, Query(max_length=CURSOR_MAX, description="`after` or `before` of another page.")]
Sort = Annotated[str | None, Query(max_length=64, description="A column's name, with `-` before it downwards.")]
Wanted = Annotated[str, Query(max_length=200, description="What some text of the row has in it.")]

routes = APIRouter(tags=["archives"], responses=PROBLEMS)


@routes.get("/tables", response_model=list[dict[str, Any]])
async def tables(identity: Caller) -> Response:
    """All lists there are, with their columns: what can be sorted, and filtered how."""
    require(identity, "archives.read")
    return reply([{**table.to_json(), "path": path_of(table)} for table in TABLES.values()])


@routes.get("/search", response_model=dict[str, Any])
async def search(
    request: Request,
    api: Shared,
    identity: Caller,
    q: Annotated[str, Query(min_length=1, max_length=200, description="A part of a number, name, address or code.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """Whatever has a text in its number, name, address or code, the best fit first."""
    language = spoken(request.headers.get("accept-language"))
    there = await api.work.run(found, api.registry, identity, q, limit=limit)
    hits = [{**hit.to_json(), "kind": hit.kind.in_language(language)} for hit in there.hits]
    return reply({"hits": hits, "more": there.more})


def path_of(table: ServerTable) -> str:
    """Where a table is."""
    return "/" + table.name.replace("_", "-")


def _list(table: ServerTable) -> Callable[..., Awaitable[Response]]:
    async def listed(
        request: Request,
        api: Shared,
        identity: Caller,
        sort: Sort = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        q: Wanted = "",
    ) -> Response:
        filters = _asked(request)
        page = await api.work.run(
            rows, api.registry, identity, table, filters, sort=sort, text=q, limit=limit, cursor=cursor
        )
        return reply(page.to_json())

    return listed


def _file(table: ServerTable) -> Callable[..., Awaitable[Response]]:
    async def file(request: Request, api: Shared, identity: Caller, sort: Sort = None, q: Wanted = "") -> Response:
        filters, language = _asked(request), spoken(request.headers.get("accept-language"))

        def make() -> Iterator[bytes]:
            return rows_csv(api.registry, identity, table, filters, sort=sort, text=q, language=language, zone=api.zone)

        return await download(api, make, media=CSV, name=f"{table.name}.csv")

    return file


def _asked(request: Request) -> list[tuple[str, str]]:
    """The filters of a request."""
    return [(name, value) for name, value in request.query_params.multi_items() if name not in OF_THE_PAGE]


def _one(table: ServerTable) -> Callable[..., Awaitable[Response]]:
    async def single(request: Request, api: Shared, identity: Caller, number: PathId) -> Response:
        return tagged(request, await api.work.run(one, api.registry, identity, table, number))

    return single


def _filters(table: ServerTable) -> list[dict[str, Any]]:
    """The filters of a table as OpenAPI parameters."""
    return [_filter(column, operator) for column in table.columns for operator in column.operators]


def _filter(column: Column, operator: Operator) -> dict[str, Any]:
    plain = operator is Operator.IS
    words = column.words if plain else None
    unit = f" [{column.unit}]" if column.unit else ""
    return {
        "name": column.name if plain else f"{column.name}.{operator.value}",
        "in": "query",
        "required": False,
        "description": f"{column.title.en} {OPERATOR_WORDS[operator].en}{unit}",
        "schema": {"type": "string", **({"enum": list(words)} if words else {})},
    }


def _add(table: ServerTable) -> None:
    path = path_of(table)
    routes.add_api_route(
        path,
        _list(table),
        response_model=Rows,
        summary=f"List {table.title.en}",
        operation_id=f"list_{table.name}",
        openapi_extra={"parameters": _filters(table)},
    )
    routes.add_api_route(
        path + ".csv",
        _file(table),
        response_class=StreamingResponse,
        responses={200: {"content": {CSV: {}}, "description": "CSV, made while it is read."}},
        summary=f"All of {table.title.en} as a file",
        operation_id=f"file_{table.name}",
        openapi_extra={"parameters": _filters(table)},
    )
    if table.name in ALONE:
        routes.add_api_route(
            path + "/{number}",
            _one(table),
            response_model=dict[str, Any],
            summary=f"One of {table.title.en}",
            operation_id=f"get_{table.name}",
        )


for _table in TABLES.values():
    _add(_table)
