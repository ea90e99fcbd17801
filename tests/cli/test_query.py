"""``meterweave query``: every form, every mistake."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from meterweave.cli.answer import ARCHIVES
from tests.cli.centre_data import SLOTS
from tests.cli.conftest import Call

ODD = (
    "SELECT 1::HUGEINT AS big, 1234567890123456789.5::DECIMAL(38, 1) AS exact, [1, 2] AS list, {'a': 1} AS struct, "
    "'ab'::BLOB AS octets, 'nan'::DOUBLE AS nan, INTERVAL 1 DAY AS span, TIME '10:00' AS clock, "
    "DATE '2026-11-20' AS day, TIMESTAMPTZ '2026-11-20 00:00:00+08' AS ts, true AS yes, NULL AS none, "
    "'ä,\"b' AS text, 0.1::DOUBLE * 3 AS float"
)


def test_json_is_one_array_with_exact_numbers(call: Call, centre: Path) -> None:
    said = call("query", "--data", centre, "--format", "json", ODD)
    assert said.code == 0
    assert '"exact": 1234567890123456789.5' in said.out
    (row,) = said.json
    assert row == {
        "big": 1,
        "exact": 1234567890123456789.5,
        "list": [1, 2],
        "struct": {"a": 1},
        "octets": "6162",
        "nan": None,
        "span": row["span"],
        "clock": "10:00:00",
        "day": "2026-11-20",
        "ts": "2026-11-19T16:00:00+00:00",
        "yes": True,
        "none": None,
        "text": 'ä,"b',
        "float": 0.1 * 3,
    }


def test_csv_takes_what_csv_has_no_form_for(call: Call, centre: Path) -> None:
    said = call("query", "--data", centre, "--format", "csv", ODD)
    (row,) = csv.DictReader(io.StringIO(said.out))
    assert (row["big"], row["exact"], row["octets"], row["list"], row["struct"], row["text"], row["none"]) == (
        "1",
        "1234567890123456789.5",
        "6162",
        "[1, 2]",
        '{"a": 1}',
        'ä,"b',
        "",
    )


def test_a_table_is_for_people(call: Call, centre: Path) -> None:
    said = call("query", "--data", centre, ODD)
    header, row = said.out.splitlines()
    assert header.split()[:3] == ["big", "exact", "list"]
    assert "0.3" in row.split()
    assert "2026-11-19 16:00:00+00:00" in row


def test_a_table_ends_after_a_thousand_rows_and_says_so(call: Call, centre: Path) -> None:
    said = call("query", "--data", centre, "SELECT range FROM range(1001)")
    assert len(said.out.splitlines()) == 1 + 1000
    assert said.err.startswith("the first 1,000 of 1,001 rows")
    whole = call("query", "--data", centre, "--format", "csv", "SELECT range FROM range(1001)")
    assert len(whole.out.splitlines()) == 1 + 1001
    assert whole.err == ""


def test_nothing_found_is_an_answer(call: Call, centre: Path) -> None:
    sql = "SELECT meter FROM readings WHERE meter = 999"
    assert call("query", "--data", centre, "--format", "json", sql).json == []
    assert call("query", "--data", centre, "--format", "csv", sql).out.strip() == '"meter"'
    assert call("query", "--data", centre, sql).out.strip() == "meter"


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_a_file_is_written_in_the_form_of_its_name(call: Call, centre: Path, tmp_path: Path, form: str) -> None:
    output = tmp_path / f"answer.{form}"
    sql = "SELECT count(*) AS n FROM readings WHERE profile = 1 AND meter = 1"
    said = call("query", "--data", centre, "--output", output, sql)
    assert (said.code, said.out, said.err) == (0, "", "")
    read = {
        "csv": lambda: [{"n": int(row["n"])} for row in csv.DictReader(output.open())],
        "json": lambda: json.loads(output.read_text()),
        "parquet": lambda: pq.read_table(output).to_pylist(),
    }
    assert read[form]() == [{"n": SLOTS}]
    assert list(tmp_path.iterdir()) == [output]


def test_a_file_stays_as_it_was_when_the_answer_cannot_be_had(call: Call, centre: Path, tmp_path: Path) -> None:
    output = tmp_path / "answer.csv"
    output.write_text("before")
    assert call("query", "--data", centre, "--output", output, "SELECT 'a'::INT").code == 2
    assert output.read_text() == "before"
    assert list(tmp_path.iterdir()) == [output]
    said = call("query", "--data", centre, "--output", tmp_path / "nowhere" / "answer.csv", "SELECT 1")
    assert said.code == 2
    assert "nowhere" in said.err


def test_columns_of_one_name_are_told_apart(call: Call, centre: Path) -> None:
    sql = "SELECT m.id, t.id FROM meters m JOIN terminals t ON t.id = m.terminal_id ORDER BY m.id DESC LIMIT 1"
    assert call("query", "--data", centre, "--format", "json", sql).json == [{"id": 4, "id_1": 2}]
    assert call("query", "--data", centre, "--format", "json", "SELECT 1 a, 2 a_1, 3 a").json == [
        {"a": 1, "a_1": 2, "a_2": 3}
    ]


def test_every_table_of_the_archives_may_be_asked_for(call: Call, centre: Path) -> None:
    for name in ARCHIVES:
        assert call("query", "--data", centre, "--format", "json", f"SELECT * FROM {name}").code == 0
    sql = (
        "SELECT r.value FROM readings r JOIN installations i ON i.meter_id = r.meter AND i.removed_at IS NULL "
        "JOIN usage_points u ON u.id = i.usage_point_id WHERE u.code = 'UP-1' AND r.profile = 2"
    )
    assert call("query", "--data", centre, "--format", "json", sql).json == [{"value": 123400}]


def test_events_and_frames_may_be_asked_for(call: Call, centre: Path) -> None:
    sql = "SELECT k.name, e.ended IS NULL AS lasts FROM events e JOIN event_kinds k ON k.code = e.event ORDER BY ts"
    found = call("query", "--data", centre, "--format", "json", sql).json
    assert found == [{"name": "cover_opened", "lasts": False}, {"name": "power_outage", "lasts": True}]
    sql = "SELECT t.address, octets FROM frames f JOIN terminals t ON t.id = f.terminal WHERE direction = 1"
    assert call("query", "--data", centre, "--format", "json", sql).json == [
        {"address": "000000000100", "octets": "00"}
    ]


def test_the_question_may_come_from_a_pipe(
    call: Call, centre: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = tmp_path / "question.sql"
    question.write_text("-- how many?\nSELECT count(*) AS n\nFROM meters;\n")
    with question.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert call("query", "--data", centre, "--format", "json", "-").json == [{"n": 4}]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["SELECT * FROM reading"], "There are: readings, raw_readings"),
        (["SELECT volts FROM readings"], '"volts" not found'),
        (["SELEC 1"], "syntax error"),
        (["DELETE FROM readings"], "only a SELECT"),
        (["SELECT 1; SELECT 2"], "one question at a time"),
        (["--rows-max", 5, "SELECT * FROM readings"], "more than 5 rows"),
        (["--timeout", 0.05, "SELECT count(*) FROM range(1000000000) a, range(1000) b"], "no answer after 0.05 s"),
        (["--timeout", -1, "SELECT 1"], "--timeout"),
        (["--format", "xml", "SELECT 1"], "xml"),
        (["--output", "answer.xml", "SELECT 1"], "give --format csv, json or parquet"),
        (["--output", "answer.csv", "--format", "table", "SELECT 1"], "a table is for reading"),
    ],
)
def test_a_mistake_is_told_and_ends_with_2(call: Call, centre: Path, words: list[object], told: str) -> None:
    said = call("query", "--data", centre, *words)
    assert said.code == 2
    assert told in said.err
    assert said.out == ""
    assert "Traceback" not in said.err


def test_a_folder_without_readings_is_told(call: Call, tmp_path: Path) -> None:
    said = call("query", "--data", tmp_path, "SELECT 1")
    assert said.code == 2
    assert "holds no readings" in said.err
    assert list(tmp_path.iterdir()) == []
