"""``meterweave terminal``: who is in the archives, and who has not been heard."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Call

ACTIVE, SILENT, PLANNED = "000000000100", "000000000200", "33010007"


def addresses(call: Call, centre: Path, *words: object) -> list[str]:
    said = call("terminal", "list", "--data", centre, "--json", *words)
    assert said.code == 0
    return [one["address"] for one in said.json["terminals"]]


def test_the_list_has_what_one_looks_for(call: Call, centre: Path) -> None:
    said = call("terminal", "list", "--data", centre)
    header, active, silent, planned, closing = said.out.splitlines()
    assert " ".join(header.split()) == "address protocol name district state heartbeat last heard ago meters"
    assert active.startswith(f"{ACTIVE}  dlt698     pump house  D1        active")
    assert active.rstrip().endswith("5 h ago       3")
    assert "3 d ago" in silent
    assert "never" in planned
    assert closing == "1 to 3 of 3 terminals"
    chinese = call("terminal", "list", "--data", centre, "--lang", "zh")
    assert "5小时前" in chinese.out
    assert "从未" in chinese.out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], [ACTIVE, SILENT, PLANNED]),
        (["--state", "suspended"], [SILENT]),
        (["--unseen-for", 0], [ACTIVE, SILENT, PLANNED]),
        (["--unseen-for", 24], [SILENT, PLANNED]),
        (["--unseen-for", 100], [PLANNED]),
        (["--unseen-for", 24, "--state", "planned"], [PLANNED]),
        (["--limit", 1], [ACTIVE]),
        (["--limit", 2, "--offset", 1], [SILENT, PLANNED]),
        (["--offset", 9], []),
    ],
)
def test_the_list_is_cut_as_asked(call: Call, centre: Path, words: list[object], found: list[str]) -> None:
    assert addresses(call, centre, *words) == found


def test_the_total_counts_what_is_not_listed_too(call: Call, centre: Path) -> None:
    said = call("terminal", "list", "--data", centre, "--json", "--limit", 1, "--unseen-for", 24)
    assert said.json["total"] == 2
    (one,) = said.json["terminals"]
    assert one["meters"] == 0
    assert one["last_seen_at"].endswith("+00:00")


def test_one_terminal_with_its_meters(call: Call, centre: Path) -> None:
    said = call("terminal", "show", "100", "--data", centre, "--limit", 2)
    assert f"terminal dlt698 {ACTIVE}" in said.out
    for words in ("pump house", "D1", "900 s", "5 h ago", "000000000055", "water", "… and 1 more", "power outage"):
        assert words in said.out
    assert "cover" not in said.out
    asked = call("terminal", "show", "id:2", "--data", centre, "--json").json
    assert asked["terminal"]["address"] == PLANNED
    assert asked["meter_counts"] == {"electricity": 1}
    assert asked["meters"][0]["point_number"] == 1


def test_a_line_says_how_it_is_reached_and_who_masters_it(call: Call, tmp_path: Path) -> None:
    for name, rows in (
        ("terminals", "protocol,address,port,collector\nn5,site-1,,\nbus,roof,serial:/dev/ttyS1?baud=2400,site-1\n"),
        ("meters", "utility,protocol,address,terminal,model\nheat,mbus,5,roof,mbus-heat\n"),
    ):
        (tmp_path / f"{name}.csv").write_text(rows)
        assert call("archives", "import", tmp_path / f"{name}.csv", "--data", tmp_path / "centre").code == 0
    said = call("terminal", "show", "ROOF", "--data", tmp_path / "centre")
    for words in ("terminal bus roof", "serial:/dev/ttyS1?baud=2400", "site-1", "mbus-heat"):
        assert words in said.out
    assert "900 s" not in said.out
    asked = call("terminal", "show", "roof", "--data", tmp_path / "centre", "--json").json
    assert (asked["terminal"]["port"], asked["terminal"]["collector"]) == ("serial:/dev/ttyS1?baud=2400", "site-1")
    assert asked["meters"][0]["model"] == "mbus-heat"


def test_what_is_not_there_is_told(call: Call, centre: Path, tmp_path: Path) -> None:
    said = call("terminal", "show", "4711", "--data", centre)
    assert (said.code, said.err) == (2, "meterweave: no terminal is called '4711'\n")
    said = call("terminal", "list", "--data", tmp_path)
    assert said.code == 2
    assert "holds no archives" in said.err
    assert list(tmp_path.iterdir()) == []
    assert call("terminal", "list", "--data", centre, "--state", "broken").code == 2
