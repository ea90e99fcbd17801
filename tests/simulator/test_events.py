"""What happens in the town is told by both kinds of terminal, kept, and the same again from the same seed."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from meterweave.metering.events import ENDED, event_codes
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Link, Message, get
from meterweave.protocols.dlt698 import events as dlt698_events
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.selection import RowsBetween
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import build_unit, event_records, service
from meterweave.simulator import Faults, Habits, Instant, build, registers, terminals_of, truth
from meterweave.simulator.events import OF_METERS, Kind
from meterweave.simulator.meter645 import local
from meterweave.simulator.session import LAST_GASP_S
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, plan, talk

FAULTS = Faults(happenings=0.8, outage=1.0)
END_S = MIDNIGHT_S + DAY_S
NAMES = {
    Kind.POWER_OFF: {"power_outage"},
    Kind.POWER_ON: {"power_outage"},
    Kind.COVER_OPENED: {"cover_opened"},
    Kind.MAGNET: {"magnetic_field"},
    Kind.REVERSED: {"power_reversal", "power_reversal_l1"},
    Kind.CLOCK_FAULT: {"clock_fault", "clock_deviation"},
}


def a_town(faults=FAULTS, **given):
    town = build(plan(faults=faults, **given))
    habits = Habits(heartbeat_s=60.0, answer_s=5.0)
    fleet = terminals_of(town, MIDNIGHT_S, seed=1, faults=faults, habits=habits, report_from_s=MIDNIGHT_S)
    return town, fleet


def events_in(terminal, frames):
    module = dlt698_events if terminal.number_mask == 0x3F else event_records
    batch = module.decode_events(frames, received=END_S * 1_000_000)
    assert batch.bad == ()
    return batch.events


@pytest.mark.parametrize("place", [0, 1], ids=["dlt698", "gdw1376"])
def test_everything_is_told_once_and_confirmed(place):
    terminal = a_town()[1][place]
    centre = Centre(terminal.site.protocol)
    talk(terminal, centre, END_S)
    found = events_in(terminal, centre.frames)
    happened = terminal.diary.truth(MIDNIGHT_S, END_S)
    assert {one.kind for one in happened} == {*OF_METERS, Kind.POWER_OFF, Kind.POWER_ON}
    assert len(found) == len(happened) == terminal.counts.events_confirmed
    names = {code: name for name, code in event_codes().items()}
    for event, one in zip(found, happened, strict=True):
        assert names[event.code if event.code in names else event.code - ENDED] in NAMES[one.kind]
        assert abs(event.ts / 1e6 - (one.since_s or one.at_s)) < 61
        assert event.own == (one.meter is None) or one.kind is Kind.MAGNET  # of which annex E tells no content
    assert not terminal.diary.waiting()


def test_an_outage_is_dark_and_silent():
    (site, *_), (terminal, *_) = a_town()
    since_s, until_s = site.outages[0]
    assert since_s < END_S
    meter = site.meters[0]
    shown = registers.electrical(meter, registers.moments(since_s, since_s + 1, until_s, until_s + 1))
    assert [voltage > 0 for voltage in shown.voltage_dv[0].tolist()] == [True, False, False, True]
    still = registers.register(meter, registers.moments(since_s, until_s)).tolist()
    assert still[0] == still[1]
    assert terminal.powered(since_s + LAST_GASP_S)
    assert terminal.powered(since_s + LAST_GASP_S + 1) == (until_s < since_s + LAST_GASP_S + 1)
    assert terminal.powered(until_s + 1)


def test_the_same_seed_brings_the_same_day():
    def happened():
        return [[(one.kind, one.at_s) for one in one.diary.truth(MIDNIGHT_S, END_S)] for one in a_town()[1]]

    assert happened() == happened()


def test_records_are_read_from_a_698_terminal():
    _, (terminal, *_) = a_town()
    talk(terminal, Centre(terminal.site.protocol), END_S)
    link = Link(0x43, 5, bytes.fromhex(terminal.site.address)[::-1], 0x10)
    when = [(Tag.DATE_TIME_S, date_time_s(local(at_s))) for at_s in (MIDNIGHT_S, END_S)]
    columns = (0x202A0200, 0x20220200, 0x201E0200, 0x20200200, 0x20240200)
    rsd = RowsBetween(0x201E0200, *when, (Tag.NULL, None))
    oads = (0x301B0200, 0x302A0200, 0x30070600, 0x302E0200)
    asked = tuple(get.RecordRequest(oad, rsd, columns) for oad in oads)
    question = dlt698.encode(Message(link, get.GetRequestRecordList(1, asked)))
    (effect,) = terminal.receive(question, Instant(0.0, END_S))
    found = events_in(terminal, [effect.octets])
    wanted = [one for one in terminal.diary.truth(MIDNIGHT_S, END_S) if one.meter]
    assert len(found) == len(wanted)
    assert {event.ts for event in found} == {one.at_s * 1_000_000 for one in wanted}


def test_records_are_read_from_a_1376_terminal_by_their_numbers():
    _, (_, terminal) = a_town()
    site = terminal.site
    talk(terminal, Centre(site.protocol), END_S)
    unit = build_unit(0x0E, False, [0], [1], {"first_index": "1", "last_index": "4"})
    question = part1.encode(service.request(site.region, site.terminal, 0x0E, [unit], number=3))
    (effect,) = terminal.receive(question, Instant(0.0, END_S))
    found = events_in(terminal, [effect.octets])
    assert [event.number for event in found] == [1, 2, 3]
    counters = part1.encode(service.request(site.region, site.terminal, 0x0C, [build_unit(0x0C, False, [0], [7])]))
    (effect,) = terminal.receive(counters, Instant(0.0, END_S))
    assert part1.decode(effect.octets).units[0].data[0] == terminal.diary.count


def test_events_wait_for_their_confirmation_and_acd_tells():
    _, (_, terminal) = a_town()
    site = terminal.site
    now = Instant(0.0, END_S)
    terminal.connected(now)
    terminal.diary.look(END_S)
    question = part1.encode(service.request(site.region, site.terminal, 0x0C, [build_unit(0x0C, False, [0], [2])]))
    answer = part1.decode(terminal.receive(question, now)[0].octets)
    assert answer.ec == bytes([terminal.diary.count, 0])


def test_the_file_of_true_events(tmp_path):
    _, fleet = a_town()
    path = tmp_path / "events.parquet"
    count = truth.write_events(fleet, MIDNIGHT_S, END_S, path)
    table = pq.read_table(path)
    assert table.schema.equals(truth.EVENT_SCHEMA)
    assert len(table) == count == sum(len(one.diary.truth(MIDNIGHT_S, END_S)) for one in fleet)
