"""What is pushed is what was true: all days, all meters, whatever goes wrong; and it comes again from the same seed."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from meterweave.simulator import truth
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, Faults, rows_of, small_town, talk, true_rows

NOW_S = MIDNIGHT_S + 2 * DAY_S + 5000


@pytest.mark.parametrize("seed", [1, 2])
def test_all_that_is_pushed_is_the_truth(seed):
    town, fleet = small_town(seed=seed)
    for site, terminal in zip(town, fleet, strict=True):
        centre = Centre(site.protocol)
        talk(terminal, centre, NOW_S)
        rows = rows_of(centre.readings())
        assert len(rows) == len(set(rows))
        assert set(rows) == true_rows([truth.truth(site, MIDNIGHT_S, NOW_S)])
        assert terminal.counts.reports_repeated == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_a_bad_town_everything_arrives_in_the_end(seed):
    town, fleet = small_town(seed=seed, meters=12, others=6, faults=Faults.of(0.3))
    for site, terminal in zip(town, fleet, strict=True):
        centre = Centre(site.protocol)
        talk(terminal, centre, NOW_S)
        assert set(rows_of(centre.readings())) == true_rows([truth.truth(site, MIDNIGHT_S, NOW_S)])
    assert sum(terminal.counts.logins for terminal in fleet) > len(fleet)
    assert sum(terminal.counts.reports_repeated for terminal in fleet) > 0


def test_what_is_pushed_across_outages_is_the_truth():
    town, fleet = small_town(meters=8, others=3, faults=Faults(outage=1.0))
    calm, _ = small_town(meters=8, others=3)
    for site, terminal, same in zip(town, fleet, calm, strict=True):
        assert len(site.outages) > 2
        centre = Centre(site.protocol)
        talk(terminal, centre, NOW_S)
        rows = set(rows_of(centre.readings()))
        assert rows == true_rows([truth.truth(site, MIDNIGHT_S, NOW_S)])
        assert rows != true_rows([truth.truth(same, MIDNIGHT_S, NOW_S)])


def test_the_same_seed_says_the_same_octets():
    def said(seed: int) -> list[list[bytes]]:
        town, fleet = small_town(seed=seed, meters=8, others=6, faults=Faults.of(0.2))
        return [talk(one, Centre(site.protocol), NOW_S) for site, one in zip(town, fleet, strict=True)]

    first = said(5)
    assert said(5) == first
    assert said(6) != first


def test_time_lapse_tells_the_same_readings_as_a_back_fill():
    town, (early, _) = small_town(meters=6, others=3)
    _, (late, _) = small_town(meters=6, others=3)
    at_once, bit_by_bit = Centre(town[0].protocol), Centre(town[0].protocol)
    talk(early, at_once, NOW_S)
    for now_s in range(MIDNIGHT_S, NOW_S, 7000):
        talk(late, bit_by_bit, now_s)
        late.lost()
    talk(late, bit_by_bit, NOW_S)
    assert sorted(rows_of(at_once.readings())) == sorted(rows_of(bit_by_bit.readings()))


def test_the_file_holds_the_whole_town(tmp_path):
    town, _ = small_town(faults=Faults(dead=0.3))
    path = tmp_path / "truth.parquet"
    count = truth.write(town, MIDNIGHT_S, NOW_S, path)
    table = pq.read_table(path)
    assert table.schema.equals(truth.SCHEMA)
    assert len(table) == count == sum(len(truth.truth(site, MIDNIGHT_S, NOW_S)) for site in town)
    assert set(table["meter"].to_pylist()) <= {meter.address for site in town for meter in site.meters}
