"""``meterweave find``: anything by a part of what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call


def test_it_finds_by_the_end_of_an_address_and_by_name(call: Call, centre: Path) -> None:
    said = call("find", "00100", "--data", centre)
    assert said.code == 0
    header, first, *_ = said.out.splitlines()
    assert header.split() == ["what", "number", "name", "fits", "id"]
    assert first.split()[:2] == ["terminal", "000000000100"]
    assert "exact" in first.split()  # zeros before it are no part of an address as people write it
    assert call("find", "0house", "--data", centre).code == 1
    named = call("find", "PUMP", "--data", centre, "--json", "--kind", "terminals")
    assert [(hit["name"], hit["fit"]) for hit in named.json["hits"]] == [("000000000100", "start")]
    assert named.json["more"] is False


def test_it_speaks_chinese_and_says_when_there_is_more(call: Call, centre: Path) -> None:
    said = call("find", "0000", "--data", centre, "--lang", "zh", "--limit", "1")
    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["类别", "编号", "名称", "匹配", "id"]
    assert said.out.splitlines()[-1] == "还有更多结果，请输入更多字符"


@pytest.mark.parametrize("typed", ["nobody", "%", "x" * 10_000])
def test_nothing_found_is_said_and_ends_with_one(call: Call, centre: Path, typed: str) -> None:
    said = call("find", typed, "--data", centre)
    assert (said.code, said.out.strip()) == (1, "there is nothing like it")
