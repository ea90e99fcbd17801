from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from meterweave.profiles import ProfileError, check, load, tree
from meterweave.profiles.mistake import Place
from tests.profiles.talk import HEAD


def refused(text: str) -> tuple[Place, str]:
    profile, mistakes = check(text, "x.yaml")
    assert profile is None
    assert len(mistakes) == 1
    return mistakes[0].place, mistakes[0].text.en


def test_every_word_has_its_place() -> None:
    node = tree.parse("a: 1\nb:\n  - {c: 0x10}\n", "x")
    assert isinstance(node, tree.Mapping)
    (_, first), (_, second) = node.entries
    assert first == tree.Scalar(Place(1, 4), "1")
    assert isinstance(second, tree.Sequence)
    assert isinstance(second.items[0], tree.Mapping)
    assert second.items[0].entries[0][1] == tree.Scalar(Place(3, 9), "0x10")


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    lines = [f"{own}: &{own} [*{last},*{last}]\n" for last, own in pairwise("abcdefghijklmnopqrstu")]
    bomb = 'a: &a ["x","x"]\n' + "".join(lines)
    place, text = refused(bomb)
    assert place == Place(1, 4)
    assert "aliases" in text


@pytest.mark.parametrize(
    "text",
    [
        "name: !!python/object/apply:os.system ['echo hurt']",
        "name: !!python/name:os.system",
        "!!python/object:builtins.dict {}",
        "name: !custom x",
        "name: !!str x",
    ],
)
def test_a_tag_is_refused_and_runs_nothing(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "tags" in refused(text)[1]
    assert "hurt" not in capfd.readouterr().out


def test_merge_keys_are_words_like_others() -> None:
    profile, mistakes = check(HEAD + "  - {<<: {quantity: x}, register: 0, type: u16, unit: V}\n")
    assert profile is None
    assert any("'<<'" in one.text.en for one in mistakes)


@pytest.mark.parametrize("text", ["[" * 50_000, "{a: " * 1000, "- " * 3000])
def test_nesting_is_bounded(text: str) -> None:
    assert "levels" in refused(text)[1]


def test_words_are_bounded() -> None:
    assert "words" in refused("a: [" + "1," * 5000 + "1]")[1]


def test_size_is_bounded(tmp_path: Path) -> None:
    assert "more than" in refused("#" * (tree.SIZE_MAX + 1))[1]
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (tree.SIZE_MAX + 1))
    with pytest.raises(ProfileError, match="octets"):
        load(file)


@pytest.mark.parametrize(
    ("octets", "place", "word"),
    [(b"name: x\nmaker: \xff\xfe", Place(2, 1), "UTF-8"), (b"name: \x00", Place(1, 1), "YAML")],
)
def test_octets_that_are_no_text_are_refused(tmp_path: Path, octets: bytes, place: Place, word: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(octets)
    with pytest.raises(ProfileError) as caught:
        load(file)
    assert caught.value.mistakes[0].place == place
    assert word in caught.value.mistakes[0].text.en


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("", 1, "empty"),
        ("# nothing\n", 1, "empty"),
        ("name: x\n---\nname: y\n", 2, "second document"),
        ("name: [a\n", 2, "YAML"),
        ("name: a: b\n", 1, "YAML"),
        ('name: "\\xZZ"\n', 1, "YAML"),
        ("\tname: x\n", 1, "YAML"),
        ("? {a: b}\n: c\n", 1, "key"),
        ("name: 'x\n", 2, "YAML"),
    ],
)
def test_what_is_no_profile_is_refused_where_it_stands(text: str, line: int, word: str) -> None:
    place, said = refused(text)
    assert place.line == line
    assert word in said


def test_a_bracket_in_braces_is_told_to_be_quoted() -> None:
    with pytest.raises(ProfileError) as caught:
        tree.parse("readings:\n  - {quantity: voltage_l1, path: data.energy[0].value, unit: V}\n", "x")
    (mistake,) = caught.value.mistakes
    assert mistake.place == Place(2, 45)
    assert 'stands in quotes: {path: "data.energy[0].value"}' in mistake.hint.en
    assert mistake.hint.zh
