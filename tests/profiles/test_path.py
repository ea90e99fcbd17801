from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.profiles.path import ABSENT, STEPS_MAX, Path, contradict, read_path

DOCUMENT = {"data": {"energy": [{"value": 7}, 8], "active power": 9, "Zähler": 1}, "0": {"a-b": 2}, "电压": 220}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("data.energy[0].value", 7),
        ("data.energy[1]", 8),
        ('data."active power"', 9),
        ("data.Zähler", 1),
        ("0.a-b", 2),
        ("电压", 220),
        ("$.data.energy[1]", 8),
        ("$", DOCUMENT),
        ("data.energy[2]", ABSENT),
        ("data[0]", ABSENT),
        ("电压.x", ABSENT),
        ("data.energy.value", ABSENT),
        ("none", ABSENT),
    ],
)
def test_a_path_finds_what_stands_there(text: str, found: object) -> None:
    path = read_path(text)
    assert path.find(DOCUMENT) == found
    assert path.text == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a[1000]", "a b", '"', '""', "$a", "$.", "a.$", "a]", "a[0]b"],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_path(text)


def test_a_path_has_an_end() -> None:
    assert len(read_path(".".join("a" * STEPS_MAX)).steps) == STEPS_MAX
    with pytest.raises(ValueError):
        read_path(".".join("a" * (STEPS_MAX + 1)))


KEYS = st.text(st.characters(exclude_characters='"', exclude_categories=("Cc", "Cs")), min_size=1, max_size=8)
PATHS = st.builds(Path, st.lists(KEYS | st.integers(0, 20), min_size=1, max_size=5).map(tuple), st.booleans())


@given(PATHS)
def test_a_path_is_read_as_it_is_written_and_finds_what_was_put(path: Path) -> None:
    assert read_path(path.text) == path
    assert path.find(path.put(7, None)) == 7


@given(st.lists(PATHS, max_size=6))
def test_paths_that_do_not_contradict_go_into_one_document(paths: list[Path]) -> None:
    fitting: list[Path] = []
    for path in paths:
        if not any(contradict(path, other) for other in fitting):
            fitting.append(path)
    document = None
    for number, path in enumerate(fitting):
        document = path.put(number, document)
    assert [path.find(document) for path in fitting] == list(range(len(fitting)))
