"""Profiles by name: those that ship, and files of a folder, followed as they change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from meterweave.errors import ConfigError
from meterweave.profiles import ProfileError, shipped, texts
from meterweave.profiles.shelf import Shelf

NAME = "prepaid-modbus-single-phase"


def put(folder: Path, name: str, text: str, *, at_ns: int) -> None:
    """Write a file that was changed at this moment."""
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(at_ns, at_ns))


def test_what_ships_is_found_without_a_folder_and_with_one_that_is_not_there(tmp_path: Path) -> None:
    for shelf in (Shelf(), Shelf(tmp_path / "none")):
        assert shelf.find(NAME) is shipped(NAME)
        assert shelf.text(NAME) == texts()[NAME]
        assert shelf.names() == sorted(texts())
        assert shelf.stamps() == {}


def test_an_own_profile_goes_before_a_shipped_one_and_is_read_again_when_it_changed(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    put(tmp_path, NAME, texts()[NAME].replace("period_s: 180", "period_s: 60"), at_ns=10**9)
    first = shelf.find(NAME)
    assert first.settings.period_s == 60
    assert shelf.find(NAME) is first
    stamps = shelf.stamps()
    put(tmp_path, NAME, texts()[NAME].replace("period_s: 180", "period_s: 90"), at_ns=2 * 10**9)
    assert shelf.stamps() != stamps
    assert shelf.find(NAME).settings.period_s == 90
    assert "period_s: 90" in shelf.text(NAME)
    (tmp_path / f"{NAME}.yaml").unlink()
    assert shelf.find(NAME) is shipped(NAME)


def test_a_file_that_was_only_touched_gives_the_same_profile(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    put(tmp_path, "ours", texts()[NAME], at_ns=10**9)
    first = shelf.find("ours")
    put(tmp_path, "ours", texts()[NAME], at_ns=3 * 10**9)
    assert shelf.find("ours") is first
    assert "ours" in shelf.names()


def test_mistakes_are_told_with_file_line_and_column_until_they_are_put_right(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    put(tmp_path, "ours", texts()[NAME].replace("voltage_l1", "voltage_l7"), at_ns=10**9)
    for _ in range(2):
        with pytest.raises(ProfileError, match=r"ours\.yaml:\d+:\d+: there is no quantity 'voltage_l7'"):
            shelf.find("ours")
    assert "voltage_l7" in shelf.text("ours")
    put(tmp_path, "ours", texts()[NAME], at_ns=2 * 10**9)
    assert shelf.find("ours").name == NAME


@pytest.mark.parametrize("name", ["", "nothing", "../etc/passwd", "a/b", ".hidden", "x" * 65, "a\0b", "\ud800"])
def test_what_is_no_name_of_a_profile_is_refused_and_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "own").mkdir()
    put(tmp_path, "passwd", texts()[NAME], at_ns=10**9)
    shelf = Shelf(tmp_path / "own")
    for find in (shelf.find, shelf.text):
        with pytest.raises(ConfigError, match="no profile is called"):
            find(name)


def test_what_is_listed_is_what_is_found(tmp_path: Path) -> None:
    for name in ("ours", "", ".hidden", "x" * 65, "x" * 64):
        put(tmp_path, name, texts()[NAME], at_ns=10**9)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    shelf = Shelf(tmp_path)
    assert set(shelf.names()) - set(texts()) == {"ours", "x" * 64} == set(shelf.stamps())
    assert {shelf.find(name).name for name in shelf.stamps()} == {NAME}


def test_a_file_that_goes_while_another_thread_asks_is_either_there_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other thread finds the file gone between this one's reading it and giving it."""
    put(tmp_path, "ours", texts()[NAME], at_ns=10**9)
    shelf = Shelf(tmp_path)

    class Forgetful(dict[Path, object]):
        def __setitem__(self, path: Path, read: object) -> None:
            super().__setitem__(path, read)
            path.unlink()
            with pytest.raises(ConfigError):
                shelf.find("ours")

    monkeypatch.setattr(shelf, "_read", Forgetful())
    assert shelf.find("ours").name == NAME


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfd")
    shelf = Shelf(tmp_path)
    with pytest.raises(ConfigError, match=r"folder\.yaml"):
        shelf.find("folder")
    with pytest.raises(ConfigError, match="UTF-8"):
        shelf.find("binary")
