"""Clocks, relays, archives and tasks of a DL/T 698.45 terminal and its meters, told to and read back."""

from __future__ import annotations

import pytest

from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Link, Message, access, association, get, proxy, segment
from meterweave.protocols.dlt698.apdu import TimeTag
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.selection import (
    AllMeters,
    LastRows,
    MetersAt,
    MetersNumbered,
    MetersOfTypes,
    NthLastRow,
    Road,
    RowsBetween,
    RowsStoredAt,
    RowsStoredDuring,
)
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import BitString, TimeInterval, tsa
from meterweave.simulator import Habits, Instant, build, registers, terminals_of
from meterweave.simulator.archive698 import report_scheme, unit_of
from meterweave.simulator.meter645 import local
from meterweave.simulator.terminal698 import FRAGMENT_S, FRAGMENT_SENDS_MAX
from meterweave.simulator.town import Utility
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, Faults, plan, rows_of, talk

NOW_S = MIDNIGHT_S + DAY_S + 5000
NULL = (Tag.NULL, None)
TRIP = (
    Tag.ARRAY,
    (
        (
            Tag.STRUCTURE,
            ((Tag.OAD, 0xF2050201), (Tag.UNSIGNED, 0), (Tag.LONG_UNSIGNED, 0), (Tag.BOOL, 0)),
        ),
    ),
)
CLOSE = (Tag.ARRAY, ((Tag.STRUCTURE, ((Tag.OAD, 0xF2050201), (Tag.ENUM, 1))),))


def a_terminal(*, bare=False):
    wanted = plan()
    town = build(wanted)
    habits = Habits(heartbeat_s=60.0, answer_s=5.0, bare=bare)
    terminal, _ = terminals_of(town, MIDNIGHT_S, seed=1, faults=Faults(), habits=habits, report_from_s=NOW_S)
    now = Instant(0.0, NOW_S)
    (login,) = terminal.connected(now)
    terminal.receive(Centre(terminal.site.protocol).hear(login.octets), now)
    return terminal


def ask(terminal, apdu, now_s=NOW_S):
    joiner = segment.FragmentJoiner()
    link = Link(0x43, 5, bytes.fromhex(terminal.site.address)[::-1], 0x10)
    question = dlt698.encode(Message(link, apdu))
    while True:
        effects = terminal.receive(question, Instant(0.0, now_s))
        answers = [dlt698.decode(one.octets) for one in effects]
        (message,) = [one for one in answers if one.link.begun_by_client]
        if message.fragment is None:
            return message.apdu
        found = joiner.feed(message)
        if isinstance(found, segment.Joined):
            return dlt698.decode_apdu(found.octets)
        question = dlt698.encode(found.message)


def stamp(at_s):
    return (Tag.DATE_TIME_S, date_time_s(local(at_s)))


def modern(terminal):
    return next(meter for meter in terminal.site.meters if meter.speaks == "dlt698" and meter.phase)


def order(terminal, meter, omd, param, at_s):
    server = proxy.ServerAction(tsa(meter.address), 10, (access.ActionItem(omd, param),))
    return ask(terminal, proxy.ProxyActionRequestList(1, 60, (server,)), at_s).servers[0].results[0].dar


def read(terminal, meter, oad, at_s):
    server = proxy.ServerGet(tsa(meter.address), 10, (oad,))
    return ask(terminal, proxy.ProxyGetRequestList(1, 60, (server,)), at_s).servers[0].results[0]


def test_a_tripped_meter_stands_still_until_it_is_closed():
    terminal = a_terminal()
    meter = modern(terminal)
    assert order(terminal, meter, 0x80008100, TRIP, NOW_S) == 0
    later_s = NOW_S + 6 * 3600
    at = registers.moments(NOW_S, NOW_S + 1, later_s)
    assert len(set(registers.register(meter, at).tolist())) == 1
    assert registers.power_dw(meter, at)[1:].tolist() == [0, 0]
    assert registers.electrical(meter, at).voltage_dv[0][-1] > 2000
    assert read(terminal, meter, 0x80000300, later_s).data == (Tag.BIT_STRING, BitString(8, b"\x80"))
    assert order(terminal, meter, 0x80008200, CLOSE, later_s) == 0
    assert read(terminal, meter, 0x80000300, later_s).data == (Tag.BIT_STRING, BitString(8, b"\x00"))
    after = registers.moments(later_s, later_s + 86_400)
    first, last = registers.register(meter, after).tolist()
    assert first == registers.register(meter, at)[0]
    assert last > first


def test_who_is_kept_supplied_is_not_tripped():
    terminal = a_terminal()
    meter = modern(terminal)
    assert order(terminal, meter, 0x80008100, TRIP, NOW_S) == 0
    assert order(terminal, meter, 0x80017F00, NULL, NOW_S + 10) == 0
    assert meter.condition.closed
    assert read(terminal, meter, 0x80010200, NOW_S).data == (Tag.ENUM, 1)
    assert order(terminal, meter, 0x80008100, TRIP, NOW_S + 20) == 3
    assert order(terminal, meter, 0x80018000, NULL, NOW_S + 30) == 0
    assert order(terminal, meter, 0x80008100, TRIP, NOW_S + 40) == 0


def test_a_valve_is_turned_by_its_terminal():
    terminal = a_terminal()
    meter = next(meter for meter in terminal.site.meters if meter.utility is Utility.GAS)
    assert order(terminal, meter, 0x43088000, (Tag.ENUM, 0x99), NOW_S) == 0
    assert not meter.condition.closed
    assert order(terminal, meter, 0x43088000, (Tag.ENUM, 0x55), NOW_S) == 0
    assert meter.condition.closed
    assert order(terminal, meter, 0x43088000, (Tag.ENUM, 1), NOW_S) == 7
    assert order(terminal, meter, 0x43078000, (Tag.ENUM, 0x99), NOW_S) == 3


def test_orders_that_cannot_be_followed():
    terminal = a_terminal()
    old = next(meter for meter in terminal.site.meters if meter.speaks == "dlt645")
    assert order(terminal, old, 0x80008100, TRIP, NOW_S) == 3
    assert order(terminal, modern(terminal), 0x80008100, NULL, NOW_S) == 7
    assert order(terminal, modern(terminal), 0x80009900, NULL, NOW_S) == 6
    assert order(terminal, modern(terminal), 0x43000100, NULL, NOW_S) == 4
    stranger = proxy.ServerAction(tsa("999999999999"), 10, (access.ActionItem(0x80008100, TRIP),))
    assert ask(terminal, proxy.ProxyActionRequestList(1, 60, (stranger,))).servers[0].results[0].dar == 33


def test_an_order_older_than_it_allows_is_refused_and_its_time_tag_comes_back():
    terminal = a_terminal()
    tag = TimeTag(date_time_s(local(NOW_S - 400)), TimeInterval(1, 5))
    answer = ask(terminal, access.ActionRequest(1, 0x80008100, TRIP, tag))
    assert (answer.dar, answer.time_tag) == (32, tag)
    fresh = TimeTag(date_time_s(local(NOW_S - 200)), TimeInterval(1, 5))
    answer = ask(terminal, access.ActionRequest(1, 0x80008100, TRIP, fresh))
    assert (answer.dar, answer.time_tag) == (0, fresh)
    records = get.GetRequestRecord(1, 0x50040200, NthLastRow(1), (0x20210200, 0x00100200), fresh)
    assert ask(terminal, records).time_tag == fresh


def test_the_clock_is_set_and_told():
    terminal = a_terminal()
    assert ask(terminal, access.SetRequestNormal(1, 0x40000200, stamp(NOW_S + 50))).dar == 0
    assert ask(terminal, get.GetRequestNormal(1, 0x40000200), NOW_S + 10).result.data == stamp(NOW_S + 60)
    assert ask(terminal, access.SetRequestNormal(1, 0x40000200, (Tag.UNSIGNED, 1))).dar == 7
    assert ask(terminal, access.SetRequestNormal(1, 0x40000200, (Tag.DATE_TIME_S, b"\xff" * 7))).dar == 8
    assert ask(terminal, access.ActionRequest(1, 0x40007F00, stamp(NOW_S))).dar == 0
    both = access.SetThenGetItem(0x40000200, stamp(NOW_S + 5), 0x40000200, 0)
    (done,) = ask(terminal, access.SetThenGetRequestNormalList(1, (both,))).results
    assert (done.dar, done.get_result.data) == (0, stamp(NOW_S + 5))
    meter = modern(terminal)
    server = proxy.ServerSet(tsa(meter.address), 10, (access.SetItem(0x40000200, stamp(NOW_S + 7)),))
    assert ask(terminal, proxy.ProxySetRequestList(1, 60, (server,))).servers[0].results[0].dar == 0
    assert read(terminal, meter, 0x40000200, NOW_S).data == stamp(NOW_S + 7)


def test_the_archive_is_read_as_it_was_delivered_and_changed():
    terminal = a_terminal()
    count = len(terminal.site.meters)
    units = ask(terminal, get.GetRequestNormal(1, 0x60000200)).result.data[1]
    assert units == tuple(unit_of(meter).data() for meter in terminal.site.meters)
    assert ask(terminal, get.GetRequestNormal(1, 0x60000300)).result.data == (Tag.LONG_UNSIGNED, count)
    by_number = RowsBetween(0x60010201, (Tag.LONG_UNSIGNED, 3), (Tag.LONG_UNSIGNED, 5), NULL)
    rows = ask(terminal, get.GetRequestRecord(1, 0x60000200, by_number, (0x60010200,))).result.rows
    assert rows == ((units[2],), (units[3],))
    assert ask(terminal, access.ActionRequest(1, 0x60008300, (Tag.LONG_UNSIGNED, 3))).dar == 0
    assert ask(terminal, access.ActionRequest(1, 0x60008300, (Tag.LONG_UNSIGNED, 3))).dar == 6
    gone = terminal.site.meters[2]
    assert read(terminal, gone, 0x00100200, NOW_S).dar == 33
    assert ask(terminal, access.ActionRequest(1, 0x60007F00, units[2])).dar == 0
    assert read(terminal, gone, 0x00100200, NOW_S).data is not None
    assert ask(terminal, access.ActionRequest(1, 0x60007F00, units[2][1][0])).dar == 7
    basic = (Tag.STRUCTURE, (units[2][1][0], units[3][1][1]))
    assert ask(terminal, access.ActionRequest(1, 0x60008100, basic)).dar == 0
    assert ask(terminal, get.GetRequestNormal(1, 0x60000203)).result.data[1][1] == units[3][1][1]
    assert ask(terminal, access.ActionRequest(1, 0x60008600, NULL)).dar == 0
    assert ask(terminal, get.GetRequestNormal(1, 0x60000200)).result.data == (Tag.ARRAY, ())


def test_a_bare_terminal_reports_what_it_is_told_to():
    terminal = a_terminal(bare=True)
    later_s = NOW_S + 2 * DAY_S
    assert terminal.idle(later_s)
    some = [meter for meter in terminal.site.meters if meter.utility is Utility.WATER][:2]
    add = (Tag.ARRAY, tuple(unit_of(meter).data() for meter in some))
    assert ask(terminal, access.ActionRequest(1, 0x60008000, add)).dar == 0
    assert terminal.idle(later_s)
    columns = (0x202A0200, 0x60420200, Road(0x50040200, (0x20210200, 0x25000200)))
    scheme = (Tag.ARRAY, (report_scheme(9, columns),))
    assert ask(terminal, access.ActionRequest(1, 0x601C7F00, scheme)).dar == 0
    task = (
        Tag.STRUCTURE,
        (
            (Tag.UNSIGNED, 4),
            (Tag.TI, TimeInterval(3, 1)),
            (Tag.ENUM, 4),
            (Tag.UNSIGNED, 9),
            stamp(MIDNIGHT_S),
            stamp(MIDNIGHT_S + 999 * DAY_S),
            (Tag.TI, TimeInterval(0, 0)),
            (Tag.UNSIGNED, 1),
            (Tag.ENUM, 1),
        ),
    )
    assert ask(terminal, access.ActionRequest(1, 0x60127F00, (Tag.ARRAY, (task,)))).dar == 0
    assert ask(terminal, get.GetRequestNormal(1, 0x60120200)).result.data == (Tag.ARRAY, (task,))
    assert not terminal.idle(later_s)
    stop = (Tag.STRUCTURE, ((Tag.UNSIGNED, 4), (Tag.ENUM, 2)))
    assert ask(terminal, access.ActionRequest(1, 0x60128200, stop)).dar == 0
    assert terminal.idle(later_s)
    start = (Tag.STRUCTURE, ((Tag.UNSIGNED, 4), (Tag.ENUM, 1)))
    assert ask(terminal, access.ActionRequest(1, 0x60128200, start)).dar == 0
    centre = Centre(terminal.site.protocol)
    talk(terminal, centre, later_s)
    rows = rows_of(centre.readings())
    assert {row[0] for row in rows} == {int(meter.address, 16) for meter in some}
    assert {row[3] for row in rows} == {(MIDNIGHT_S + day * DAY_S) * 1_000_000 for day in (2, 3)}
    assert ask(terminal, access.ActionRequest(1, 0x60128000, (Tag.ARRAY, ((Tag.UNSIGNED, 4),)))).dar == 0
    assert ask(terminal, access.ActionRequest(1, 0x601C8100, NULL)).dar == 0
    assert ask(terminal, get.GetRequestNormal(1, 0x601C0200)).result.data == (Tag.ARRAY, ())


COLUMNS = (0x202A0200, Road(0x50020200, (0x20210200, 0x00100201)))


@pytest.mark.parametrize(
    ("rsd", "count"),
    [
        (RowsStoredAt(date_time_s(local(MIDNIGHT_S + 900)), AllMeters()), 21),
        (RowsStoredAt(date_time_s(local(MIDNIGHT_S + 901)), AllMeters()), 0),
        (LastRows(3, MetersNumbered((1, 2, 99))), 6),
        (LastRows(1, MetersOfTypes((1,))), 21),
        (LastRows(1, MetersOfTypes((2,))), 0),
        (LastRows(2, MetersAt((tsa("110000000001"), tsa("999999999999")))), 2),
        (
            RowsStoredDuring(
                date_time_s(local(MIDNIGHT_S)), date_time_s(local(MIDNIGHT_S + 3600)), TimeInterval(1, 15), AllMeters()
            ),
            84,
        ),
    ],
)
def test_records_of_meter_sets(rsd, count):
    answer = ask(a_terminal(), get.GetRequestRecord(1, 0x60120300, rsd, COLUMNS))
    assert answer.result.dar == 0
    assert len(answer.result.rows) == count


def test_a_long_answer_goes_in_blocks_when_the_centre_takes_short_apdus():
    terminal = a_terminal()
    wants = association.ConnectRequest(
        1, 0x15, b"\xff" * 8, b"\xff" * 16, 2048, 2048, 1, 600, 60, association.NoMechanism(), None
    )
    ask(terminal, wants)
    rsd = LastRows(10, AllMeters())
    answer = ask(terminal, get.GetRequestRecord(5, 0x60120300, rsd, COLUMNS))
    joiner, count = segment.BlockJoiner(), 0
    while isinstance(found := joiner.feed(answer), segment.AskNext):
        assert len(dlt698.encode_apdu(answer)) <= 600
        count += 1
        answer = ask(terminal, found.request)
    assert count > 5
    assert sum(len(result.rows) for result in found.content.results) == 210
    assert ask(terminal, get.GetRequestNext(5, 3)).content.dar == 10
    assert ask(terminal, get.GetRequestNext(5, 3)).content.dar == 11


def test_a_fragment_whose_acknowledgement_is_lost_is_sent_again():
    terminal = a_terminal()
    link = Link(0x43, 5, bytes.fromhex(terminal.site.address)[::-1], 0x10)
    request = get.GetRequestRecord(5, 0x60120300, LastRows(90, AllMeters()), COLUMNS)
    (first,) = terminal.receive(dlt698.encode(Message(link, request)), Instant(1.0, NOW_S))
    assert terminal.wake_s(Instant(1.0, NOW_S), 1.0) <= FRAGMENT_S
    sent = [terminal.tick(Instant(1.0 + FRAGMENT_S * count, NOW_S)) for count in range(1, FRAGMENT_SENDS_MAX + 2)]
    assert sent == [*[[first]] * (FRAGMENT_SENDS_MAX - 1), [], []]
    acknowledgement = segment.acknowledgement(dlt698.decode(first.octets))
    (second,) = terminal.receive(dlt698.encode(acknowledgement), Instant(20.0, NOW_S))
    assert dlt698.decode(second.octets).fragment.seq == 1
