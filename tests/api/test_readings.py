"""Readings over the API are those of the lake: exact, with units, once, whatever the form."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.api.app import ROOT
from meterweave.api.written import _decimal
from meterweave.metering.decimal import to_text
from tests.api.conftest import Running
from tests.api.town import client


def asked(running: Running, path: str, key: str = "root", **headers: str) -> httpx.Response:
    with client(running.server, running.town.keys[key], **headers) as caller:
        return caller.get(f"{ROOT}{path}")


def test_a_day_is_exact_and_has_units(running: Running) -> None:
    meter = running.town.ids["M12"]
    day = asked(running, f"/meters/{meter}/readings?from=2026-06-01").json()
    assert (day["meter"], day["from"], day["to"], day["next"]) == (meter, "2026-06-01", "2026-06-01", None)
    energy, power = day["curves"]
    assert (energy["quantity"], energy["unit"], power["quantity"], power["unit"]) == (
        "active_import_energy",
        "kWh",
        "active_power",
        "W",
    )
    assert [Decimal(one["value"]) for one in energy["points"]] == [
        Decimal(meter * 1000 + number).scaleb(-4) for number in range(96)
    ]
    assert energy["points"][0]["at"] == "2026-06-01T00:00:00+08:00"
    assert energy["points"][0]["quality"] == []
    assert all(isinstance(one["value"], str) for one in power["points"])


def test_days_come_page_by_page(running: Running) -> None:
    path, found = f"/meters/{running.town.ids['M11']}/readings?from=2026-05-30&to=2026-06-02&days=2", 0
    pages = []
    first = "2026-05-30"
    while first:
        page = asked(running, path.replace("2026-05-30", first)).json()
        pages.append((page["from"], page["to"]))
        found += sum(len(curve["points"]) for curve in page["curves"])
        first = page["next"]
    assert pages == [("2026-05-30", "2026-05-31"), ("2026-06-01", "2026-06-02")]
    assert found == 192


def test_quantities_and_series_are_chosen(running: Running) -> None:
    path = f"/meters/{running.town.ids['M11']}/readings?from=2026-06-01"
    for more, wanted in (
        ("&quantity=active_power", ["active_power"]),
        ("&quantity=1-0:1.8.0", ["active_import_energy"]),
        ("&series=daily", []),
        ("&series=curve&quantity=active_power", ["active_power"]),
    ):
        assert [one["quantity"] for one in asked(running, path + more).json()["curves"]] == wanted
    for wrong in ("&quantity=nothing", "&series=nothing"):
        assert asked(running, path + wrong).status_code == 400
    assert asked(running, path + "&to=2026-05-01").status_code == 400
    assert asked(running, path + "&to=2199-01-01").status_code == 400


def test_what_did_not_change_is_not_sent_again(running: Running) -> None:
    for path in (f"/meters/{running.town.ids['M11']}/readings?from=2026-06-01", f"/meters/{running.town.ids['M11']}"):
        first = asked(running, path)
        again = asked(running, path, **{"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert asked(running, path, **{"If-None-Match": '"other"'}).status_code == 200
        assert asked(running, path, key="county").content == first.content


def test_what_has_just_been_kept_is_there(running: Running) -> None:
    meter = running.town.ids["M22"]
    path = f"/meters/{meter}/readings?from=2026-06-01&quantity=active_power"
    before = asked(running, path)
    running.lake.commit()
    same = asked(running, path)
    assert same.json() == before.json()
    rows = running.lake.meter_days(meter, *[datetime(2026, 6, 1, tzinfo=UTC).date()] * 2)
    power = next(row for row in rows.to_pylist() if row["value"] == meter * 1000)
    late = power | {"meter": meter, "value": 7, "received": datetime(2026, 7, 1, tzinfo=UTC)}
    batch = pa.RecordBatch.from_pylist([late], schema=_schema())
    running.lake.append_blocking(batch)
    energy = asked(running, path.replace("active_power", "active_import_energy")).json()["curves"][0]["points"]
    assert energy[0]["value"] == "0.0007"


def _schema() -> pa.Schema:
    from meterweave.metering.batch import SCHEMA

    return SCHEMA


def test_downloads_tell_the_same_in_every_form(running: Running) -> None:
    path = "/readings.{}?from=2026-06-01&organisation=" + str(running.town.ids["K1"])
    lines = list(csv.DictReader(io.StringIO(asked(running, path.format("csv")).text)))
    arrow = pa.ipc.open_stream(asked(running, path.format("arrow")).content).read_all()
    parquet = pq.read_table(io.BytesIO(asked(running, path.format("parquet")).content))
    assert sorted(map(str, arrow.to_pylist())) == sorted(map(str, parquet.to_pylist()))
    assert len(lines) == arrow.num_rows == 2 * 192
    texts = {
        (row["meter"], row["obis"], row["ts"].isoformat(), to_text(row["value"], row["exponent"]), row["unit"])
        for row in arrow.to_pylist()
    }
    assert texts == {(int(one["meter"]), one["obis"], one["ts"], one["value"], one["unit"]) for one in lines}
    assert {one["address"] for one in lines} == {"000000001001", "000000001002"}
    empty = asked(running, "/readings.arrow?from=2025-01-01").content
    assert pa.ipc.open_stream(empty).read_all().num_rows == 0
    assert pq.read_table(io.BytesIO(asked(running, "/readings.parquet?from=2025-01-01").content)).num_rows == 0


def test_so_many_downloads_at_a_time(running: Running) -> None:
    """One that is left in the middle makes room."""
    for _ in range(6):
        with (
            client(running.server, running.town.keys["root"]) as caller,
            caller.stream("GET", f"{ROOT}/readings.csv?from=2026-06-01") as response,
        ):
            assert response.status_code == 200


@given(
    st.lists(st.integers(-(2**63) + 1, 2**63 - 1) | st.none(), min_size=1),
    st.lists(st.integers(-9, 3), min_size=1, max_size=4),
)
def test_decimal_text_is_exact(values: list[int | None], exponents: list[int]) -> None:
    steps = [exponents[number % len(exponents)] for number in range(len(values))]
    found = _decimal(pa.array(values, pa.int64()), pa.array(steps, pa.int8())).to_pylist()
    assert found == [None if one is None else to_text(one, step) for one, step in zip(values, steps, strict=True)]


@pytest.mark.parametrize("path", ["/events?from=2026-06-01&to=2026-06-01", "/meters?sort=-address"])
def test_lists_go_on_where_the_page_before_ended(running: Running, path: str) -> None:
    whole, parts, cursor = asked(running, path).json(), [], None
    rows = "events" if "events" in whole else "rows"
    while True:
        page = asked(running, f"{path}&limit=1" + (f"&cursor={cursor}" if cursor else "")).json()
        parts += page[rows]
        cursor = page.get("next") or page.get("after")
        if cursor is None:
            break
    assert parts == whole[rows]
    assert len(parts) >= 4


def test_meters_of_a_download_are_looked_up_some_at_a_time(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/readings.csv?from=2026-06-01"
    whole = sorted(asked(running, path).text.splitlines())
    monkeypatch.setattr("meterweave.manager.bulk._FETCH", 1)
    assert sorted(asked(running, path).text.splitlines()) == whole
    meters = {str(running.town.ids[one]) for one in ("M11", "M12", "M21", "M22")}
    assert {line.split(",")[0] for line in whole} >= meters
