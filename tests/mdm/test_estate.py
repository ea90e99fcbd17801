"""The one list: meters of every kind, on both engines, with their last readings out of one lake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterweave.lake import Lake
from meterweave.mdm.estate import WORDS, How, Last, Part, Wanted, listed
from meterweave.metering.batch import Quality, Source
from meterweave.metering.quantities import obis_code
from meterweave.registry import Registry, TransformerDistrict, UnknownRecord
from meterweave.registry.entered import Terms, import_readings
from meterweave.registry.installation import install
from meterweave.registry.terminals import enrol
from meterweave.registry.vocabulary import TerminalKind, Utility
from tests.mdm.rows import HOUR_US, Row, table
from tests.registry.records import add_meter, add_usage_point, day

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NOW_US = int(NOW.timestamp()) * 10**6
DAY_US = 24 * HOUR_US
POWER, COLD, HOT = (obis_code(one) for one in ("1-0:1.8.0", "8-0:1.0.0", "9-0:1.0.0"))


@pytest.fixture
def ids(registry: Registry) -> dict[str, int]:
    """A meter of each kind; the ids by their names."""
    with registry.writing() as session:
        district = TransformerDistrict(code="D1", name="Mill Lane")
        session.add(district)
        session.flush()
        concentrator = enrol(session, "dlt698", "100", district_id=district.id, name="pump house")
        line = enrol(session, "bus", "cellar", kind=TerminalKind.MODULE)
        radio = enrol(session, "mqtt", "water-7", kind=TerminalKind.METER)
        calling = enrol(session, "dlt698", "200", kind=TerminalKind.METER)
        meters = {
            "behind": add_meter(session, "55", concentrator),
            "line": add_meter(session, "u7", line, protocol="modbus"),
            "radio": add_meter(session, "water-7", radio, protocol="json", utility=Utility.WATER),
            "calling": add_meter(session, "200", calling, protocol="dlt698"),
            "hand": add_meter(session, "m-1", protocol="manual", utility=Utility.WATER),
            "lost": add_meter(session, "99"),
        }
        meters["hand"].asset_number = "A-1"
        point = add_usage_point(session, "UP-1")
        point.district_id = district.id
        install(session, meters["hand"].id, point.id, day(0))
        return {name: meter.id for name, meter in meters.items()}


@pytest.fixture
def lake(tmp_path: Path, ids: dict[str, int]) -> Iterator[Lake]:
    rows = [
        *(Row(ids["behind"], NOW_US - hours * HOUR_US, 1000 - hours, quantity=POWER) for hours in (1, 2, 30)),
        Row(ids["behind"], NOW_US - HOUR_US // 2, None, quantity=POWER),
        Row(ids["behind"], NOW_US - HOUR_US // 4, 22_000, quantity=obis_code("1-0:32.7.0")),
        Row(ids["line"], NOW_US - 20 * DAY_US, 7, source=Source.READ, quantity=POWER),
        Row(ids["radio"], NOW_US - 2 * HOUR_US, 5, quantity=COLD),
        Row(ids["radio"], NOW_US - HOUR_US, 6, quantity=HOT),
        Row(ids["calling"], NOW_US - 90 * DAY_US, 6, quantity=POWER),
    ]
    with Lake.open(tmp_path / "lake", maintain=False) as found:
        for batch in table(rows).to_batches():
            found.append_blocking(batch)
        yield found


def ask(lake: Lake, registry: Registry, **more: Any) -> Part:
    return listed(lake, registry, Wanted(**more), NOW)


def names(part: Part, ids: dict[str, int]) -> list[str]:
    by_id = {number: name for name, number in ids.items()}
    return [by_id[one.id] for one in part.meters]


def test_every_kind_of_meter_is_in_one_list(lake: Lake, registry: Registry, ids: dict[str, int]) -> None:
    import_readings(registry, b"meter,value,time\nA-1,12.5,2025-07-01\n", "r.csv", Terms("clerk", NOW))
    part = ask(lake, registry)
    assert names(part, ids) == ["behind", "lost", "calling", "hand", "line", "radio"]
    assert not part.more
    found = dict(zip(names(part, ids), part.meters, strict=True))
    assert {name: one.how for name, one in found.items()} == {
        "behind": How.CONCENTRATOR,
        "lost": How.NONE,
        "calling": How.DIRECT,
        "hand": How.HAND,
        "line": How.BUS,
        "radio": How.DIRECT,
    }
    assert {name: one.last for name, one in found.items()} == {
        "behind": Last(POWER, 999, NOW - timedelta(hours=1), Source.PUSHED),
        "lost": None,
        "calling": None,
        "hand": Last(COLD, 12_500_000, datetime(2025, 6, 30, 16, tzinfo=UTC), Source.ENTERED),
        "line": Last(POWER, 7, NOW - timedelta(days=20), Source.READ),
        "radio": Last(HOT, 6, NOW - timedelta(hours=1), Source.PUSHED),
    }
    assert (found["hand"].usage_point, found["hand"].district, found["hand"].terminal) == ("UP-1", "D1", None)
    assert (found["behind"].terminal_name, found["behind"].district) == ("pump house", "D1")
    assert set(WORDS) == set(How)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({"utility": Utility.WATER}, ["hand", "radio"]),
        ({"how": How.DIRECT}, ["calling", "radio"]),
        ({"how": How.BUS}, ["line"]),
        ({"how": How.NONE}, ["lost"]),
        ({"how": How.HAND}, ["hand"]),
        ({"how": How.CONCENTRATOR}, ["behind"]),
        ({"district": "D1"}, ["behind", "hand"]),
        ({"district": "D1", "utility": Utility.WATER}, ["hand"]),
        ({"silent_for": timedelta(days=3)}, ["lost", "calling", "hand", "line"]),
        ({"silent_for": timedelta(days=30), "utility": Utility.ELECTRICITY}, ["lost", "calling"]),
    ],
)
def test_parts_of_it(
    lake: Lake, registry: Registry, ids: dict[str, int], more: dict[str, Any], wanted: list[str]
) -> None:
    assert names(ask(lake, registry, **more), ids) == wanted


@pytest.mark.parametrize("more", [{}, {"silent_for": timedelta(days=1)}])
def test_it_goes_on_where_it_ended(lake: Lake, registry: Registry, ids: dict[str, int], more: dict[str, Any]) -> None:
    whole = names(ask(lake, registry, **more), ids)
    found: list[str] = []
    after = None
    while True:
        part = ask(lake, registry, limit=2, after=after, **more)
        found += names(part, ids)
        if not part.more:
            break
        assert len(part.meters) == 2
        after = part.meters[-1].id
    assert found == whole


def test_an_old_reading_that_was_entered_is_found_whatever_the_meter(
    lake: Lake, registry: Registry, ids: dict[str, int]
) -> None:
    import_readings(registry, b"meter,value,time\n99,12.5,2025-07-01\n", "r.csv", Terms("clerk", NOW))
    found = dict(zip(names(part := ask(lake, registry), ids), part.meters, strict=True))
    assert found["lost"].last == Last(POWER, 125_000, datetime(2025, 6, 30, 16, tzinfo=UTC), Source.ENTERED)


def test_what_was_not_read_is_not_heard(lake: Lake, registry: Registry, ids: dict[str, int]) -> None:
    """Estimates, what was taken back, and what has no possible time, or one to come."""
    rows = [
        Row(ids["lost"], NOW_US - HOUR_US, 1, source=Source.ESTIMATED, quantity=POWER),
        Row(ids["hand"], NOW_US - HOUR_US, 1, source=Source.ENTERED, quality=Quality.WITHDRAWN, quantity=COLD),
        Row(ids["line"], NOW_US - HOUR_US, 1, quality=Quality.TIME_INVALID, quantity=POWER),
        Row(ids["calling"], NOW_US + HOUR_US, 1, quantity=POWER),
    ]
    for batch in table(rows).to_batches():
        lake.append_blocking(batch)
    silent = ask(lake, registry, silent_for=timedelta(days=3))
    assert names(silent, ids) == ["lost", "calling", "hand", "line"]
    assert {one.last.value for one in silent.meters if one.last is not None} == {1, 7}


def test_what_is_not_there_is_told(lake: Lake, registry: Registry, ids: dict[str, int]) -> None:
    with pytest.raises(UnknownRecord, match="no transformer district is called 'D9'"):
        ask(lake, registry, district="D9")
    with pytest.raises(UnknownRecord, match="no meter with id 4711"):
        ask(lake, registry, after=4711)
