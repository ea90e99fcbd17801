"""The table of wire keys answers as a dictionary would, through any sequence of changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.registry import key_table
from meterweave.registry.key_table import UNKNOWN, Entries, KeyTable

_CONTENT = st.dictionaries(st.tuples(st.integers(1, 9), st.integers(0, 20)), st.integers(1, 10_000), max_size=40)


def _entries(content: dict[tuple[int, int], int]) -> Entries:
    columns = np.array([(*pair, meter) for pair, meter in content.items()], np.int64).reshape(-1, 3)
    return Entries(columns[:, 0], columns[:, 1], columns[:, 2])


def _holds(table: KeyTable, content: dict[tuple[int, int], int]) -> None:
    asked = np.array([(terminal, key) for terminal in range(-1, 12) for key in range(-1, 22)], np.int64)
    expected = [content.get((terminal, key), UNKNOWN) for terminal, key in asked.tolist()]
    assert table.lookup_many(asked[:, 0], asked[:, 1]).tolist() == expected
    for terminal in range(-1, 12):
        own = asked[:, 0] == terminal
        assert table.lookup(terminal, asked[own, 1]).tolist() == [expected[at] for at in np.flatnonzero(own)]
    assert len(table) == len(content)
    held = table.entries()
    assert dict(zip(zip(held.terminal, held.key, strict=True), held.meter, strict=True)) == content


@settings(max_examples=100, deadline=None)
@given(_CONTENT, st.lists(st.tuples(st.sets(st.integers(1, 11), max_size=4), _CONTENT), max_size=6), st.booleans())
def test_a_table_is_a_dictionary(
    content: dict[tuple[int, int], int],
    steps: list[tuple[set[int], dict[tuple[int, int], int]]],
    eager: bool,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if eager:  # put in order again and again, which else only large tables see
            patch.setattr(key_table, "TAIL_MIN", 2)
        table = KeyTable.build(_entries(content))
        _holds(table, content)
        for terminals, offered in steps:
            new = {pair: meter for pair, meter in offered.items() if pair[0] in terminals}
            before, old = table, dict(content)
            content = {pair: meter for pair, meter in content.items() if pair[0] not in terminals} | new
            table = table.replaced(np.array(sorted(terminals), np.int64), _entries(new))
            _holds(table, content)
            _holds(before, old)  # who took the table before goes on with it


def test_the_tail_is_bounded() -> None:
    table = KeyTable.build(Entries.empty())
    for _ in range(5):
        keys = np.arange(40_000)
        table = table.replaced(np.array([1]), Entries(np.ones_like(keys), keys, keys + 1))
        assert len(table.tail_key) <= key_table.TAIL_MIN
    assert len(table) == 40_000
    assert table.octets < 3 * 16 * 40_000
