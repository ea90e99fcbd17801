"""Gateways prove themselves by their keys, of which the archives keep the digest."""

from __future__ import annotations

import pytest

from meterweave.registry import Directory, Registry, Terminal, UnknownRecord
from meterweave.registry.gateways import KEY_OCTETS, gateway_of_key, give_key
from meterweave.registry.vocabulary import TerminalState
from tests.registry.conftest import dump
from tests.registry.records import add_terminal


def _gateway(registry: Registry) -> tuple[int, str]:
    with registry.writing() as session:
        terminal = add_terminal(session, "site-1", "n5").id
        return terminal, give_key(session, terminal)


def _known(registry: Registry, name: str, key: str) -> int | None:
    with registry.reading() as session:
        return gateway_of_key(session, name, key)


def test_a_gateway_is_known_by_its_name_and_key(registry: Registry) -> None:
    terminal, key = _gateway(registry)
    assert len(key) >= KEY_OCTETS * 4 / 3
    assert _known(registry, "site-1", key) == terminal
    assert _known(registry, " SITE-1 ", key) == terminal
    assert key not in str(dump(registry))


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("site-1", ""),
        ("site-1", "0" * 43),
        ("site-2", None),
        ("", None),
        ("no name", None),
        ("site-1\x00", None),
        ("site-1", "\ud800钥匙"),
        ("x" * 100_000, "y" * 100_000),
    ],
)
def test_others_are_not(registry: Registry, name: str, key: str | None) -> None:
    _, good = _gateway(registry)
    assert _known(registry, name, good if key is None else key) is None


def test_a_gateway_without_a_key_is_never_known(registry: Registry) -> None:
    with registry.writing() as session:
        add_terminal(session, "site-1", "n5")
    assert _known(registry, "site-1", "") is None
    assert _known(registry, "site-1", "0" * 64) is None


def test_a_new_key_takes_the_place_of_the_old_and_is_a_change_to_follow(registry: Registry) -> None:
    terminal, old = _gateway(registry)
    directory = Directory(registry)
    with registry.writing() as session:
        new = give_key(session, terminal)
    assert directory.refresh().changed == {terminal}
    assert _known(registry, "site-1", old) is None
    assert _known(registry, "site-1", new) == terminal


@pytest.mark.parametrize("state", [TerminalState.SUSPENDED, TerminalState.RETIRED])
def test_a_gateway_that_may_not_call_is_not_known(registry: Registry, state: TerminalState) -> None:
    terminal, key = _gateway(registry)
    with registry.writing() as session:
        session.get_one(Terminal, terminal).state = state
    assert _known(registry, "site-1", key) is None


def test_only_gateways_get_keys(registry: Registry) -> None:
    with registry.writing() as session:
        line = add_terminal(session, "cellar", "bus").id
        for wrong in (line, 4711):
            with pytest.raises(UnknownRecord, match=str(wrong)):
                give_key(session, wrong)
