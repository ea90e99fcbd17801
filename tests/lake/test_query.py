import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from meterweave.lake import Lake, LakeError, LakeSettings, QueryError
from meterweave.lake.maintenance import Maintenance
from meterweave.lake.question import TABLE_FUNCTIONS
from meterweave.metering.batch import SCHEMA
from tests.lake.rows import DAY_US, NOON_US, QUARTER_US, VOLTAGE, as_rows, curve

SLOW = LakeSettings(commit_interval_s=3600)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SLOW, maintain=False) as opened:
        yield opened


def count(lake: Lake, view: str = "readings") -> int:
    return int(lake.query(f"SELECT count(*) FROM {view}").column(0)[0].as_py())


def layers(lake: Lake) -> dict[str, int]:
    found = lake.query("SELECT layer, count(*) AS n FROM raw_readings GROUP BY layer")
    return dict(zip(found["layer"].to_pylist(), found["n"].to_pylist(), strict=True))


def test_an_empty_lake_has_no_readings(lake: Lake) -> None:
    assert count(lake) == count(lake, "raw_readings") == 0
    assert lake.query("SELECT * FROM readings").schema.names == ["day", *SCHEMA.names]


def test_a_reading_is_there_as_soon_as_it_is_acknowledged_and_stays(lake: Lake) -> None:
    wanted = curve(range(3))
    lake.append_blocking(wanted)
    assert as_rows(lake.query("SELECT * FROM readings")) == as_rows(wanted)
    assert layers(lake) == {"journal": 12}
    lake.commit()
    assert as_rows(lake.query("SELECT * FROM readings")) == as_rows(wanted)
    assert layers(lake) == {"new": 12}
    Maintenance(lake.folder, SLOW).run_once(datetime(2027, 1, 1, tzinfo=UTC))
    assert as_rows(lake.query("SELECT * FROM readings")) == as_rows(wanted)
    assert layers(lake) == {"kept": 12}


def test_the_later_row_wins_wherever_it_stands(lake: Lake) -> None:
    """One key in all layers at once: kept, superseded, new and journal."""
    for number, received in enumerate((5, 7, 6, 9, 8)):
        lake.append_blocking(curve(range(1), points=1, value=number, received_us=NOON_US + received))
        if number < 4:
            lake.commit()
        if number == 2:
            Maintenance(lake.folder, SLOW).run_once(datetime(2027, 1, 1, tzinfo=UTC))
        best = max((5, 7, 6, 9, 8)[: number + 1])
        found = lake.query("SELECT value FROM readings").column(0).to_pylist()
        assert found == [(5, 7, 6, 9, 8).index(best)]
    assert layers(lake) == {"kept": 1, "superseded": 2, "new": 1, "journal": 1}


def test_questions_run_while_rows_move(lake: Lake) -> None:
    """No question sees a row twice or misses one, whatever commits and rewrites go on around it."""
    lake.append_blocking(curve(range(50)))
    stop, seen, errors = threading.Event(), [], []
    acknowledged = 200

    def ask() -> None:
        with Lake.open(lake.folder, SLOW, write=False) as reader:
            while not stop.is_set():
                try:
                    before = acknowledged
                    seen.append((before, count(reader), count(reader, "raw_readings")))
                except LakeError as error:
                    errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    keeper = Maintenance(lake.folder, LakeSettings(late_wait_s=1e-6, merge_files_min=2))
    for number in range(1, 12):
        lake.append_blocking(curve(range(number * 50, number * 50 + 50)))
        acknowledged += 200
        lake.commit()
        if number % 3 == 0:
            keeper.run_once(datetime(2027, 1, 1, tzinfo=UTC))
    stop.set()
    thread.join()
    assert errors == []
    assert seen
    assert all(readings >= before and readings % 200 == 0 and raw >= readings for before, readings, raw in seen)
    assert count(lake) == count(lake, "raw_readings") == 2400


def test_one_meters_month_is_the_local_month(lake: Lake) -> None:
    may_end = int(datetime(2026, 5, 31, 16, tzinfo=UTC).timestamp()) * 1_000_000  # midnight in Shanghai
    lake.append_blocking(curve(range(3), first_us=may_end - 2 * QUARTER_US, points=5))
    lake.append_blocking(curve(range(3), first_us=may_end + 30 * DAY_US - QUARTER_US, points=2))
    for _ in range(2):
        month = lake.meter_month(1, 2026, 6)
        times = month.column("ts").cast(pa.int64()).to_pylist()
        assert times == [may_end + n * QUARTER_US for n in range(3)] + [may_end + 30 * DAY_US - QUARTER_US]
        assert set(month.column("quantity").to_pylist()) == {VOLTAGE}
        assert lake.meter_month(1, 2026, 5).num_rows == 2
        assert lake.meter_month(1, 2026, 12).num_rows == 0
        lake.commit()


def test_one_meters_month_is_found_among_the_files_of_others(lake: Lake) -> None:
    """Settled files hold a range of meters each; those without the meter are not even opened."""
    lake.append_blocking(curve(range(100)))
    lake.commit()
    Maintenance(lake.folder, LakeSettings(rewrite_rows_max=40)).run_once(datetime(2027, 1, 1, tzinfo=UTC))
    lake.append_blocking(curve(range(50, 51), value=7000, received_us=NOON_US * 2))
    for meter in (0, 49, 50, 99):
        values = lake.meter_month(meter, 2026, 6).column("value").to_pylist()
        assert values == [(7000 if meter == 50 else meter * 4) + n for n in range(4)]
    assert lake.meter_month(100, 2026, 6).num_rows == 0


def test_only_the_days_asked_for_are_in_the_views(lake: Lake) -> None:
    lake.append_blocking(curve(range(2), points=96))
    lake.commit()
    days = (date(2026, 6, 2), date(2026, 6, 2))
    assert lake.query("SELECT DISTINCT day FROM readings", days=days).column(0).to_pylist() == [date(2026, 6, 2)]


def test_quantities_and_tables_of_the_caller_can_be_joined(lake: Lake) -> None:
    lake.append_blocking(curve(range(2), points=1, value=23010))
    found = lake.query(
        "SELECT m.name, value * 10.0 ** q.exponent AS volts, q.unit FROM readings "
        "JOIN quantities q USING (quantity) JOIN meters m ON m.id = meter WHERE q.name = 'voltage_l1'",
        tables={"meters": pa.table({"id": [1], "name": ["shop"]})},
    )
    assert found.to_pylist() == [{"name": "shop", "volts": pytest.approx(230.11), "unit": "V"}]


def test_an_answer_has_bounds(lake: Lake) -> None:
    with pytest.raises(QueryError, match="more than 10 rows"):
        lake.query("SELECT * FROM range(11)", rows_max=10)
    assert lake.query("SELECT * FROM range(10)", rows_max=10).num_rows == 10
    begun = time.monotonic()
    with pytest.raises(QueryError, match=r"no answer after 0\.2 s"):
        lake.query("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7", timeout_s=0.2)
    assert time.monotonic() - begun < 30
    with pytest.raises(QueryError, match=r"(?i)memory"):
        lake.query("SELECT list(range) FROM range(1000000000)")
    assert count(lake) == 0


HOSTILE = [
    "",
    ";",
    "SELEC 1",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP VIEW readings",
    "COPY readings TO '{lake}/raw_readings/x.parquet'",
    "COPY (SELECT 1) TO '{outside}/x.csv'",
    "EXPORT DATABASE '{lake}/raw_readings/export'",
    "ATTACH '{lake}/raw_readings/x.db'",
    "ATTACH '{outside}/secret.db'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE OR REPLACE TEMP VIEW readings AS SELECT 1",
    "CREATE MACRO readings() AS TABLE SELECT 1",
    "INSERT INTO quantities SELECT * FROM quantities",
    "DELETE FROM quantities",
    "WITH gone AS (DELETE FROM quantities RETURNING *) SELECT * FROM gone",
    "DROP VIEW readings",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "RESET lock_configuration",
    "PRAGMA threads = 1",
    "CALL pragma_version()",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CHECKPOINT",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN",
    "SELECT * FROM '{outside}/secret.csv'",
    "SELECT * FROM read_csv('{outside}/secret.csv')",
    "SELECT * FROM READ_TEXT('{outside}/secret.csv')",
    "SELECT * FROM \"read_blob\"('{outside}/secret.csv')",
    "SELECT * FROM read_parquet('{lake}/raw_readings/*/*/*.parquet')",
    "SELECT * FROM '{lake}/journal/main.journal'",
    "SELECT * FROM '{lake}/raw_readings/../journal/main.journal'",
    "SELECT * FROM glob('/*')",
    "SELECT (SELECT content FROM read_text('{outside}/secret.csv'))",
    "SELECT 1 WHERE 1 IN (SELECT 1 FROM glob('/*'))",
    "WITH a AS (SELECT * FROM glob('/*')) SELECT * FROM a",
    "SELECT * FROM (VALUES (1)) v, LATERAL (SELECT * FROM glob('/*'))",
    "SELECT 1 UNION ALL SELECT size FROM read_blob('{outside}/secret.csv')",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('readings')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT * FROM enable_logging(storage := 'file')",
    "SELECT * FROM enable_profiling(save_location := '{outside}/profile.json')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM hostile_python_table",
    "SELECT getenv('HOME')",
    "SELECT nextval('x')",
    "SELECT '" + "x" * (1 << 20) + "'",
    "SELECT 1 FROM readings WHERE meter = 'no number'",
    "SELECT '\ud800'",
    "SELECT 1\x00; COPY (SELECT 1) TO '{outside}/x.csv'",
]


@pytest.mark.parametrize("sql", HOSTILE, ids=lambda sql: sql[:40].encode("ascii", "replace").decode())
def test_a_hostile_question_reaches_nothing(hostile_lake: tuple[Lake, Path], sql: str) -> None:
    lake, outside = hostile_lake
    hostile_python_table = pa.table({"secret": [1]})
    before = everything_in(lake.folder) | everything_in(outside)
    with pytest.raises(QueryError):
        lake.query(sql.replace("{lake}", str(lake.folder)).replace("{outside}", str(outside)))
    assert everything_in(lake.folder) | everything_in(outside) == before
    assert count(lake) == 12
    assert hostile_python_table.num_rows == 1


@pytest.fixture(scope="module")
def hostile_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Path]]:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.csv").write_text("secret\n42\n")
    duckdb.connect(outside / "secret.db").close()
    with Lake.open(tmp_path_factory.mktemp("data") / "lake", SLOW, maintain=False) as lake:
        lake.append_blocking(curve(range(3)))
        lake.commit()
        yield lake, outside


def everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    names = [path for path in folder.rglob("*") if path.is_file() and "journal" not in path.name]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in names}


def test_the_engine_itself_reaches_nothing_outside(hostile_lake: tuple[Lake, Path]) -> None:
    """The first wall stands alone: what slips past the others meets it."""
    lake, outside = hostile_lake
    engine = lake._questions._engine.cursor()
    for sql in HOSTILE:
        if "outside" in sql or "httpfs" in sql or "SET " in sql or "enable_" in sql or "glob" in sql:
            with pytest.raises(duckdb.Error):
                engine.execute(sql.replace("{lake}", str(lake.folder)).replace("{outside}", str(outside))).fetchall()
    assert sorted(path.name for path in outside.iterdir()) == ["secret.csv", "secret.db"]


def test_a_question_nested_deep_is_answered_or_refused(lake: Lake) -> None:
    with suppress(QueryError):
        assert lake.query("SELECT " + "(" * 5000 + "1" + ")" * 5000).num_rows == 1
    with suppress(QueryError):
        assert lake.query("SELECT " + "-(" * 5000 + "1" + ")" * 5000).num_rows == 1
    assert count(lake) == 0


def test_harmless_questions_are_let_through(lake: Lake) -> None:
    for sql in (
        "SELECT 1;",
        "  -- a comment\nselect 1",
        "FROM readings SELECT count(*)",
        "WITH a AS (SELECT 1 AS x) SELECT * FROM a",
        "SELECT * FROM generate_series(1, 3), unnest([1, 2])",
        "DESCRIBE readings",
        "VALUES (1), (2)",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT time_bucket(INTERVAL '1 hour', ts), sum(value) FROM readings GROUP BY 1",
        "SELECT ts AT TIME ZONE 'Asia/Shanghai' FROM readings",
    ):
        lake.query(sql)
    assert "unnest" in TABLE_FUNCTIONS


def test_a_lake_for_questions_does_not_write(lake: Lake) -> None:
    with Lake.open(lake.folder, SLOW, write=False) as reader:
        with pytest.raises(LakeError, match="questions only"):
            reader.append_blocking(curve(range(1)))
        with pytest.raises(LakeError, match="questions only"):
            reader.commit()
        with pytest.raises(LakeError, match="questions only"):
            reader.status()


def test_a_journal_too_long_to_look_through_says_so(tmp_path: Path) -> None:
    short = LakeSettings(commit_interval_s=3600, query_tail_rows_max=100)
    with Lake.open(tmp_path / "lake", short, maintain=False) as lake:
        lake.append_blocking(curve(range(25)))
        assert count(lake) == 100
        lake.append_blocking(curve(range(25, 26)))
        with pytest.raises(QueryError, match="more than 100 rows"):
            count(lake)
        lake.commit()
        patience = time.monotonic() + 60
        while lake.status().writer.rows_held and time.monotonic() < patience:
            time.sleep(0.005)
        assert count(lake) == 104


def test_many_threads_may_ask(lake: Lake) -> None:
    lake.append_blocking(curve(range(100), points=20))
    lake.commit()
    lake.append_blocking(curve(range(100, 120), points=20))
    wrong: list[int] = []

    def ask(meter: int) -> None:
        for _ in range(5):
            if lake.query(f"SELECT * FROM readings WHERE meter = {meter}").num_rows != 20:
                wrong.append(meter)

    threads = [threading.Thread(target=ask, args=(meter,)) for meter in (3, 50, 99, 110)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
