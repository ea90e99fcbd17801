"""What goes over the wire, as pydantic models: checked where it comes in, described where it goes out."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from meterweave.api.problem import MEDIA, Problem
from meterweave.registry.collection import Series
from meterweave.registry.commands import CommandKind

ID_MAX = (1 << 63) - 1

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
PathId = Annotated[int, Path(ge=1, le=ID_MAX, description="The id in the archives.")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
Line = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {MEDIA: {}}, "description": words}
    for status, words in {
        400: "The question cannot be put so.",
        401: "Who is asking is not known.",
        403: "Not allowed.",
        404: "Not found, or not in the caller's part of the network.",
        422: "The request is not as it has to be.",
        429: "Too many requests; `Retry-After` says when to come again.",
        503: "Not just now; `Retry-After` says when to come again.",
    }.items()
}


class Credentials(BaseModel):
    """Who wants to log in."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    code: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="A one-time code, or a recovery code."
    )


class NewPassword(BaseModel):
    """A password that is to take the place of another."""

    model_config = ConfigDict(extra="forbid")
    old: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    new: Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Me(BaseModel):
    """Who is asking, and what they may do."""

    name: str
    permissions: list[str]
    everywhere: bool = Field(description="Whether all of the network is seen.")
    organisations: list[int] = Field(description="Otherwise: ids of the organisations that are.")
    must_change: bool = Field(description="Nothing is allowed but to choose a password.")
    csrf: str | None = Field(description="Of a session: what X-CSRF-Token has to hold to change anything.")


class Rows(BaseModel):
    """A page of a table; `/tables` says what its columns are."""

    rows: list[dict[str, Any]]
    total: int
    exact: bool = Field(description="False: `total` is an estimate.")
    after: str | None = Field(description="Cursor of the next page; null: this is the last.")
    before: str | None = Field(description="Cursor of the page before; null: this is the first.")


class Reading(BaseModel):
    """One reading."""

    at: datetime = Field(description="The instant for which it holds, local with its offset.")
    value: str | None = Field(description="Exact, in the curve's unit; null: the device said that it has none.")
    quality: list[str] = Field(description="Flags; empty: a plain good reading.")
    source: str


class Curve(BaseModel):
    """Readings of one quantity in one series."""

    quantity: str
    obis: str
    title: str
    unit: str
    kind: str
    series: str
    points: list[Reading]


class MeterReadings(BaseModel):
    """Some local days of one meter."""

    model_config = ConfigDict(populate_by_name=True)
    meter: int
    first: date = Field(alias="from")
    last: date = Field(alias="to", description="Included.")
    zone: str
    curves: list[Curve]
    next: date | None = Field(description="`from` of the next page; null: this is the last.")


class Event(BaseModel):
    """What a device reported."""

    terminal: int
    meter: int | None
    code: int
    name: str | None
    severity: str | None
    title: str | None
    at: datetime
    ended_at: datetime | None
    number: int | None
    detail: str | None
    source: str
    received_at: datetime


class Events(BaseModel):
    """A page of events."""

    events: list[Event]
    next: str | None = Field(description="Cursor of the next page; null: this is the last.")


class Arguments(BaseModel):
    """What a command is told; which of it, its kind decides."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    quantities: Annotated[list[Word], Field(max_length=100)] = []
    series: Series | None = None
    period_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    start: AwareDatetime | None = Field(default=None, alias="from")
    end: AwareDatetime | None = Field(default=None, alias="to")
    names: Annotated[list[Word], Field(max_length=100)] = []


class NewCommand(BaseModel):
    """What a device is to do."""

    model_config = ConfigDict(extra="forbid")
    kind: CommandKind
    meter: Id | None = None
    terminal: Id | None = None
    reason: Line = ""
    within_s: Annotated[int, Field(ge=1, le=30 * 86_400, description="It is not sent later than this. [s]")] = 300
    arguments: Arguments = Arguments()


class Step(BaseModel):
    """A move of a command."""

    at: datetime
    state: str
    by: str
    words: str
    facts: dict[str, Any] | None


class Command(BaseModel):
    """A command, and how far it is."""

    id: int
    kind: str
    state: str
    title: str
    state_title: str
    meter: int | None
    terminal: int
    operator: str
    reason: str
    arguments: dict[str, Any]
    created_at: datetime
    not_after: datetime
    state_at: datetime
    outcome: str | None
    facts: dict[str, Any] | None
    history: list[Step] | None = None


class Success(BaseModel):
    """One plan on one local day."""

    day: date
    plan: str
    series: str
    expected: int
    first_try: int
    stored: int
    missing: int
    gaps: int


class Standing(BaseModel):
    """Read success by day and plan."""

    days: list[Success]


class Part(BaseModel):
    """Whether a part of the centre works."""

    name: str
    ok: bool


class Ready(BaseModel):
    """Whether the centre can answer."""

    ready: bool
    parts: list[Part]


class Alive(BaseModel):
    """The process answers."""

    alive: Literal[True] = True
