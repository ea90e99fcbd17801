"""Cases of Open Energy Dashboard, with the results its authors worked out.

A row of a cumulative upload is (register, start, end): the register stood at `register` at the end. What was used in
[start, end) is asked of us, so a row whose start is not the end before it has no reading at its start and no value
here, as it is dropped there. Where the first row, which has nothing before it, is dropped there, it has no value here.

One difference is on purpose: a register that goes back for no reason makes them refuse the whole upload; here that
interval, and what stands beside a reading that may be the wrong one, has no value and is flagged, and the others have
theirs.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from meterweave.mdm import Flag, Intervals, Register, ResetWindow, Spans, consumption
from meterweave.metering.decimal import from_text
from tests.mdm.rows import HOUR_US, Row, table

DATA = Path(__file__).parent.parent / "data" / "mdm"
CASES = json.loads((DATA / "oed_register_cases.json").read_text(encoding="utf-8"))
WENT_BACK = {"pipe7", "pipe11", "pipe13", "pipe22", "pipe70"}
RESET_COLUMNS = ("cumulative", "reset", "reset start", "reset end")


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def reset_of(case: dict[str, Any]) -> ResetWindow | None:
    """When the case lets the register begin again: said with the upload, or with the meter before it."""
    said: dict[str, str] = {}
    for upload in case["uploads"]:
        if upload["kind"] == "meters":
            # The columns of a meter's row after name, url, enabled, displayable, type, timezone, gps, identifier, ...
            cells = next(csv.reader(io.StringIO(upload["content"].splitlines()[-1])))[10:14]
            said |= {name: cell for name, cell in zip(RESET_COLUMNS, cells, strict=False) if cell}
        else:
            names = ("cumulative", "cumulativeReset", "cumulativeResetStart", "cumulativeResetEnd")
            said |= {
                column: upload["parameters"][name]
                for name, column in zip(names, RESET_COLUMNS, strict=True)
                if name in upload["parameters"]
            }
    if said.get("reset", "").lower() != "true":
        return None
    # "00:00.001" is a minute's thousandth in their notation; to the minute it is midnight.
    clocks = [said.get(name, default).split(".")[0] for name, default in (("reset start", "00:00"), ("reset end", ""))]
    end = time.fromisoformat(clocks[1]) if clocks[1] else time.max
    return ResetWindow(zone=ZoneInfo("UTC"), start=time.fromisoformat(clocks[0]), end=end)


def uploaded(case: dict[str, Any]) -> tuple[list[Row], list[tuple[int, int]]]:
    """The register at the end of each row, and the rows' intervals; an end-only row begins where another ends."""
    rows, spans = [], []
    for upload in case["uploads"]:
        if upload["kind"] == "readings":
            lines = [line.split(",") for line in upload["content"].splitlines()]
            lines = [line for line in lines if len(line) > 1 and line[0] != "reading"]
            ends = sorted(us(line[-1]) for line in lines)
            before = dict(zip(ends[1:], ends, strict=False))
            for line in lines:
                end = us(line[-1])
                start = us(line[1]) if len(line) > 2 else before.get(end, end - 24 * HOUR_US)
                rows.append(Row(1, end, int(line[0])))
                spans.append((start, end))
    return rows, sorted(set(spans))


def used(rows: list[Row], spans: list[tuple[int, int]], register: Register) -> dict[tuple[int, int], Intervals]:
    return {one: consumption(table(rows), Spans.of_meters([1]), np.array(one), register=register) for one in spans}


def gained(rows: list[Row], span: tuple[int, int]) -> int:
    stood = {row.ts: row.value or 0 for row in rows}
    return stood[span[1]] - stood[span[0]]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['description']}" for case in CASES])
def test_a_register_case_gives_the_published_numbers(case: dict[str, Any]):
    rows, spans = uploaded(case)
    found = used(rows, spans, Register(reset=reset_of(case)))
    values = {one: int(answer.value[0, 0]) for one, answer in found.items() if answer.known[0, 0]}
    if case["id"] in WENT_BACK:
        assert case["expected_readings_csv"] == ""
        went_back = [one for one, answer in found.items() if answer.flags[0, 0] & Flag.ANOMALOUS]
        assert spans[3] in went_back
        assert spans[1] not in went_back
        assert values == {one: gained(rows, one) for one in spans[1:] if one not in went_back}
        return
    expected = {}
    for line in case["expected_readings_csv"].splitlines():
        reading, start, end = line.split(",")
        expected[us(start), us(end)] = int(reading)
    assert values == expected


def lines_of(name: str) -> list[list[str]]:
    with zipfile.ZipFile(DATA / "oed_28_days.zip") as archive:
        return list(csv.reader(archive.read(name).decode().splitlines()))[1:]


EXPONENT = -13  # the readings have up to 14 decimals


@pytest.fixture(scope="module")
def counter() -> list[Row]:
    """A register that counts the published readings, exact."""
    lines = lines_of("readings.csv")
    rows, total = [Row(1, us(lines[0][1]), 0)], 0
    for reading, _, end in lines:
        total += round(Fraction(reading) * 10**-EXPONENT)
        rows.append(Row(1, us(end), total))
    return rows


@pytest.mark.parametrize(
    ("name", "hours"),
    [
        ("bar_1_days.csv", None),
        ("bar_7_days.csv", None),
        ("bar_13_days.csv", None),
        ("bar_28_days.csv", None),
        ("rate_1_hours.csv", 1),
        ("rate_4_hours.csv", 4),
        ("rate_12_hours.csv", 12),
        ("rate_24_hours.csv", 24),
    ],
)
def test_a_month_of_quarter_hours_adds_up_to_the_published_bars_and_rates(
    counter: list[Row], name: str, hours: int | None
):
    """Bars are sums; rates are a quantity by the hour, over as many hours as the name says."""
    lines = lines_of(name)
    boundaries = np.array([us(lines[0][1]), *(us(line[2]) for line in lines)])
    found = consumption(table(counter), Spans.of_meters([1]), boundaries)
    assert found.known.all()
    for value, line in zip(found.value[0].tolist(), lines, strict=True):
        # Published as floating-point numbers of 15 digits.
        assert value * 10.0**EXPONENT / (hours or 1) == pytest.approx(float(line[0]), rel=1e-13, abs=0)


def test_the_scale_holds_the_readings_to_the_last_digit_that_matters():
    assert from_text("36.8866229892838", EXPONENT) == 368_866_229_892_838
