"""What there is to be allowed, and the roles that ship: two tables, one row a permission, one row a role.

``permissions.csv`` has an ``x`` where a shipped role has a permission. A utility's own roles are rows in the database;
they are made of the same permissions.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.text import Text

ADMINISTRATOR = "administrator"
"""The role of the first user."""


class ShippedRole(NamedTuple):
    """A role that comes along."""

    code: str
    title: Text
    permissions: frozenset[str]


@cache
def permissions() -> Mapping[str, Text]:
    """Every permission there is, with what it allows."""
    return MappingProxyType({row["permission"]: Text(row["en"], row["zh"]) for row in rows("permissions.csv")})


@cache
def shipped_roles() -> Mapping[str, ShippedRole]:
    """The roles that come along, by their codes."""
    table = rows("permissions.csv")
    return MappingProxyType(
        {
            row["role"]: ShippedRole(
                row["role"],
                Text(row["en"], row["zh"]),
                frozenset(one["permission"] for one in table if one[row["role"]] == "x"),
            )
            for row in rows("roles.csv")
        }
    )


@cache
def actions() -> Mapping[str, Text]:
    """Every action that the audit trail tells of."""
    return MappingProxyType({row["action"]: Text(row["en"], row["zh"]) for row in rows("actions.csv")})


def rows(name: str) -> list[dict[str, str]]:
    """The rows of a table that ships beside this module."""
    text = (files("meterweave.manager") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
