"""The reference names every setting, route and kind of problem."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from meterweave.api import archives, bulk, collection, commands, events, readings, session, stream
from meterweave.api.problem import KINDS
from meterweave.centre.api_settings import ApiSettings
from meterweave.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs" / "reference"
API = (DOCS / "api.md").read_text(encoding="utf-8")
SETTINGS = (DOCS / "settings.md").read_text(encoding="utf-8").partition("The API (`[api]`)")[2].partition("\n\nAn ")[0]


@pytest.mark.parametrize("name", [field.name for field in fields(ApiSettings)])
def test_every_setting_is_told(name: str) -> None:
    assert f"`{name}`" in SETTINGS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_problem_is_told(kind: str) -> None:
    assert f"`{kind}`" in API


def test_every_route_is_told() -> None:
    parts = (archives, readings, bulk, stream, events, commands, collection, session)
    paths = {route.path for part in parts for route in part.routes.routes if hasattr(route, "path")}
    for path in {one.replace("{number}", "{id}").partition("{")[0].rstrip("/") for one in paths}:
        assert path.removesuffix(".csv") in API, path


@pytest.mark.parametrize(
    "wrong",
    [{"port": 70_000}, {"workers": 0}, {"identity_per_s": -1.0}, {"tls_key": Path("key.pem")}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        ApiSettings(**wrong)  # type: ignore[arg-type]
