"""What a DL/T 698.45 terminal of the town answers; every answer decodes and reads back as what was true."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.metering.batch import Profile, Source
from meterweave.protocols import dlt645, dlt698
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.dlt698 import Link, Message, access, association, get, proxy, segment
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.frame import Frame, encode_frame
from meterweave.protocols.dlt698.selection import (
    AllRows,
    LastRows,
    MetersInRegions,
    NthLastRow,
    Region,
    Road,
    RowsBetween,
    RowsEqual,
)
from meterweave.protocols.dlt698.times import date_time_s
from meterweave.protocols.dlt698.values import TimeInterval, tsa
from meterweave.simulator import Instant, registers, truth
from meterweave.simulator.answers698 import CELLS_MAX
from meterweave.simulator.archive698 import report_scheme, unit_of
from meterweave.simulator.meter645 import local
from meterweave.simulator.town import Utility
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, Faults, rows_of, small_town, talk, true_rows

NOW_S = MIDNIGHT_S + DAY_S + 5000
TIME = 0x20210200


def a_terminal(**given):
    town, (terminal, _) = small_town(**given)
    talk(terminal, Centre(terminal.site.protocol), NOW_S)
    return town[0], terminal


SITE, TERMINAL = a_terminal()
LINK = Link(0x43, 5, bytes.fromhex(SITE.address)[::-1], 0x10)
ELECTRIC = next(meter for meter in SITE.meters if meter.speaks == "dlt645" and meter.phase)


def ask(apdu, terminal=TERMINAL, now_s=NOW_S):
    """The frames and the joined APDU that come back."""
    frames, joiner = [], segment.FragmentJoiner()
    question = dlt698.encode(Message(LINK, apdu))
    while True:
        (effect,) = terminal.receive(question, Instant(0.0, now_s))
        frames.append(effect.octets)
        message = dlt698.decode(effect.octets)
        assert message.link.from_server
        assert message.link.ca == LINK.ca
        if message.fragment is None:
            return frames, message.apdu
        found = joiner.feed(message)
        if isinstance(found, segment.Joined):
            return frames, dlt698.decode_apdu(found.octets)
        question = dlt698.encode(found.message)


def stamp(at_s):
    return (Tag.DATE_TIME_S, date_time_s(local(at_s)))


def test_clock_and_address():
    frames, answer = ask(get.GetRequestNormalList(9, (0x40000200, 0x40010200)))
    assert len(frames) == 1
    assert answer.piid_acd == 9
    clock, address = answer.results
    assert clock.data == stamp(NOW_S)
    assert address.data == (Tag.OCTET_STRING, bytes.fromhex(SITE.address))


def test_a_wrong_clock_is_told():
    site, terminal = a_terminal(meters=4, others=0, faults=Faults(wrong_clock=1.0))
    _, answer = ask(get.GetRequestNormal(1, 0x40000200), terminal)
    assert site.clock_off_s != 0
    assert answer.result.data == stamp(NOW_S + site.clock_off_s)


@pytest.mark.parametrize(("oad", "dar"), [(0x43000200, 4), (0x40000700, 6), (0x00100200, 4)])
def test_what_it_does_not_have_is_refused(oad, dar):
    assert ask(get.GetRequestNormal(1, oad))[1].result.dar == dar


def test_what_nobody_may_write_or_do_is_refused():
    assert ask(access.SetRequestNormal(1, 0x40010200, stamp(NOW_S)))[1].dar == 3
    items = (access.SetItem(0x43000300, stamp(NOW_S)),)
    assert ask(access.SetRequestNormalList(1, items))[1].results[0].dar == 3
    assert ask(access.ActionRequest(1, 0x43000100, (Tag.NULL, None)))[1].dar == 4
    acts = (access.ActionItem(0x80008100, (Tag.NULL, None)),)
    assert ask(access.ActionRequestList(1, acts))[1].results[0].dar == 7
    assert ask(get.GetRequestNext(1, 0))[1].content.dar == 11
    assert ask(get.GetRequestMD5(1, 0x40000200))[1].md5 == 4


CURVES = (0x202A0200, TIME, 0x00100200, 0x00200200, 0x20000200, 0x20010200, 0x20040200)


@pytest.mark.parametrize("table", ["freeze", "task"])
@pytest.mark.parametrize(
    ("rsd", "slots"),
    [
        (RowsEqual(TIME, stamp(MIDNIGHT_S + 9000)), [MIDNIGHT_S + 9000]),
        (RowsEqual(TIME, stamp(MIDNIGHT_S + 9001)), []),
        (NthLastRow(1), [NOW_S - NOW_S % 900]),
        (NthLastRow(3), [NOW_S - NOW_S % 900 - 1800]),
        (NthLastRow(255), []),
        (
            RowsBetween(TIME, stamp(MIDNIGHT_S + 900), stamp(MIDNIGHT_S + 3600), (Tag.NULL, None)),
            [MIDNIGHT_S + 900, MIDNIGHT_S + 1800, MIDNIGHT_S + 2700],
        ),
        (
            RowsBetween(TIME, stamp(MIDNIGHT_S - 1800), stamp(MIDNIGHT_S + 7200), (Tag.TI, TimeInterval(1, 60))),
            [MIDNIGHT_S + 1800, MIDNIGHT_S + 5400],
        ),
        (RowsBetween(TIME, stamp(NOW_S + 900), stamp(NOW_S + 9000), (Tag.NULL, None)), []),
    ],
)
def test_stored_curves_are_the_truth(table, rsd, slots):
    if table == "freeze":
        request = get.GetRequestRecord(3, 0x50020200, rsd, CURVES)
    else:
        request = get.GetRequestRecord(3, 0x60120300, rsd, (CURVES[0], Road(0x50020200, CURVES[1:])))
    frames, answer = ask(request)
    assert answer.result.dar == 0
    apdu = Message(LINK, answer)
    whole = dlt698.encode(replace(apdu, link=replace(LINK, control=0xC3)))
    batch = dlt698.decode_batch([whole])
    wanted = {
        row
        for row in true_rows([truth.truth(SITE, MIDNIGHT_S, NOW_S)])
        if row[2] == Profile.CURVE and row[3] // 1_000_000 in slots and row[1] >> 27 == 1
    }
    found = {row for row, missing in zip(rows_of(batch), batch.missing, strict=True) if not missing}
    assert found == wanted
    assert bool(wanted) == bool(slots)
    assert (batch.source == Source.READ).all()
    assert len(frames) == 1 or len(slots) > 1


def test_day_freezes_of_all_utilities():
    columns = (0x202A0200, TIME, 0x00100200, 0x00200200, 0x25000200, 0x25010200, 0x25020200)
    rsd = RowsBetween(TIME, stamp(MIDNIGHT_S), stamp(NOW_S), (Tag.NULL, None))
    _, answer = ask(get.GetRequestRecordList(1, (get.RecordRequest(0x50040200, rsd, columns),)))
    (result,) = answer.results
    batch = dlt698.decode_batch([dlt698.encode(Message(replace(LINK, control=0xC3), answer))])
    wanted = {row for row in true_rows([truth.truth(SITE, MIDNIGHT_S, NOW_S)]) if row[2] == Profile.DAILY}
    found = {row for row, missing in zip(rows_of(batch), batch.missing, strict=True) if not missing}
    assert found == wanted
    assert len(result.rows) == 2 * len(SITE.meters)


def test_records_that_cannot_be_given():
    assert ask(get.GetRequestRecord(1, 0x50070200, NthLastRow(1), CURVES))[1].result.dar == 4
    assert ask(get.GetRequestRecord(1, 0x60120300, NthLastRow(1), CURVES))[1].result.dar == 4
    assert ask(get.GetRequestRecord(1, 0x50020200, AllRows(), CURVES))[1].result.dar == 6
    assert ask(get.GetRequestRecord(1, 0x50020200, NthLastRow(0), CURVES))[1].result.dar == 6
    assert ask(get.GetRequestRecord(1, 0x50020200, NthLastRow(1), ()))[1].result.dar == 6
    every = RowsBetween(TIME, stamp(MIDNIGHT_S), stamp(NOW_S), (Tag.NULL, None))
    electric = sum(meter.utility is Utility.ELECTRICITY for meter in SITE.meters)
    many = CURVES * 2
    assert len(many) * electric * (NOW_S - MIDNIGHT_S) // 900 > CELLS_MAX
    assert ask(get.GetRequestRecord(1, 0x50020200, every, many))[1].result.dar == 9
    for wrong in ((Tag.TI, TimeInterval(1, 20)), (Tag.TI, TimeInterval(4, 1)), (Tag.UNSIGNED, 1)):
        odd = RowsBetween(TIME, stamp(MIDNIGHT_S), stamp(NOW_S), wrong)
        assert ask(get.GetRequestRecord(1, 0x50020200, odd, CURVES))[1].result.dar == 6
    nowhen = RowsEqual(TIME, (Tag.DATE_TIME_S, b"\xff" * 7))
    assert ask(get.GetRequestRecord(1, 0x50020200, nowhen, CURVES))[1].result.dar == 6


def test_one_meters_records_through_the_proxy():
    rsd = RowsBetween(TIME, stamp(MIDNIGHT_S), stamp(NOW_S), (Tag.NULL, None))
    server = tsa(ELECTRIC.address)
    _, answer = ask(proxy.ProxyGetRequestRecord(5, 60, server, 0x50020200, rsd, CURVES[1:]))
    batch = dlt698.decode_batch([dlt698.encode(Message(replace(LINK, control=0xC3), answer))])
    key = int(ELECTRIC.address, 16)
    wanted = {
        row for row in true_rows([truth.truth(SITE, MIDNIGHT_S, NOW_S)]) if row[0] == key and row[2] == Profile.CURVE
    }
    assert {row for row, missing in zip(rows_of(batch), batch.missing, strict=True) if not missing} == wanted
    unknown = proxy.ProxyGetRequestRecord(5, 60, tsa("999999999999"), 0x50020200, rsd, CURVES)
    assert ask(unknown)[1].result.dar == 33


def test_present_values_through_the_proxy():
    servers = tuple(proxy.ServerGet(tsa(meter.address), 10, (0x00100200, 0x25000200)) for meter in SITE.meters)
    servers += (proxy.ServerGet(tsa("999999999999"), 10, (0x00100200,)),)
    _, answer = ask(proxy.ProxyGetRequestList(1, 60, servers))
    at = registers.moments(NOW_S)
    for meter, one in zip(SITE.meters, answer.servers, strict=False):
        energy, water = one.results
        register = int(registers.register(meter, at)[0])
        if meter.utility is Utility.ELECTRICITY:
            tariffs = registers.tariff_registers((meter,), at)[:, 0, 0].tolist()
            assert energy.data == (Tag.ARRAY, tuple((Tag.DOUBLE_LONG_UNSIGNED, one) for one in (register, *tariffs)))
            assert abs(register - sum(tariffs)) <= 4
            assert water.dar == 4
        elif meter.utility is Utility.WATER:
            assert water.data == (Tag.DOUBLE_LONG_UNSIGNED, register)
    assert answer.servers[-1].results[0].dar == 33


def test_a_meter_through_transparent_forwarding():
    question = dlt645.encode(commands.read(ELECTRIC.address, "00010000"))
    request = proxy.ProxyTransCommandRequest(1, 0xF2010201, bytes(5), 10, 100, question)
    frames, _ = ask(request)
    batch = dlt698.decode_batch(frames, received=NOW_S * 1_000_000)
    at = registers.moments(NOW_S)
    assert rows_of(batch) == [
        (
            int(ELECTRIC.address, 16),
            1 << 27 | 1 << 16 | 8 << 8,
            0,
            NOW_S * 1_000_000,
            registers.register(ELECTRIC, at)[0] * 100,
        )
    ]
    assert ask(replace(request, command=b"\x68nonsense"))[1].reply == 33


def test_shorter_frames_when_the_centre_wants_them():
    _, terminal = a_terminal()
    wants = association.ConnectRequest(
        1, 0x15, b"\xff" * 8, b"\xff" * 16, 300, 300, 1, 4000, 60, association.NoMechanism(), None
    )
    _, answer = ask(wants, terminal)
    assert (answer.result, answer.max_send_frame) == (0, 300)
    slot = stamp(MIDNIGHT_S + 9000)
    frames, _ = ask(get.GetRequestRecord(1, 0x50020200, RowsEqual(TIME, slot), CURVES), terminal)
    assert len(frames) > 3
    assert max(map(len, frames)) <= 302
    assert ask(association.ReleaseRequest(2, None), terminal)[1].result == 0


def test_reports_go_in_fragments_when_frames_are_short():
    town, (terminal, _) = small_town(meters=8, others=3)
    centre = Centre(terminal.site.protocol)
    now = Instant(0.0, NOW_S)
    (login,) = terminal.connected(now)
    wants = association.ConnectRequest(
        1, 0x15, b"\xff" * 8, b"\xff" * 16, 200, 200, 1, 4000, 60, association.NoMechanism(), None
    )
    effects = terminal.receive(dlt698.encode(Message(LINK, wants)), now)
    effects += terminal.receive(centre.hear(login.octets), now)
    while effects:
        effects = [more for one in effects for more in terminal.receive(centre.hear(one.octets) or b"\0", now)]
    assert terminal.idle(NOW_S)
    assert max(map(len, centre.frames)) <= 202
    whole = [dlt698.encode(Message(replace(LINK, control=0x83), dlt698.decode_apdu(apdu))) for apdu in centre.apdus]
    pushed = [*whole, *[one for one in centre.frames if not dlt698.decode(one).fragment]]
    assert set(rows_of(dlt698.decode_batch(pushed))) == true_rows([truth.truth(town[0], MIDNIGHT_S, NOW_S)])


def test_a_long_question_may_come_in_fragments():
    asked = get.GetRequestNormalList(9, (0x40000200, 0x40010200) * 20)
    *parts, last = segment.split(asked, LINK, 50)
    now = Instant(0.0, NOW_S)
    for part in parts:
        (effect,) = TERMINAL.receive(dlt698.encode(part), now)
        assert dlt698.decode(effect.octets).fragment.kind == 2
    (effect,) = TERMINAL.receive(dlt698.encode(last), now)
    assert len(dlt698.decode(effect.octets).apdu.results) == 40


@pytest.mark.parametrize("in_fragments", [False, True])
def test_what_cannot_be_understood_is_told(in_fragments):
    octets = b"\x05\x77\x01"
    if in_fragments:
        fragments = (b"\x00\x00" + octets[:1], b"\x01\x40" + octets[1:])
        frames = [encode_frame(Frame(replace(LINK, control=0x63), one)) for one in fragments]
    else:
        frames = [encode_frame(Frame(LINK, octets))]
    effects = [effect for frame in frames for effect in TERMINAL.receive(frame, Instant(0.0, NOW_S))]
    answer = dlt698.decode(effects[-1].octets).apdu
    assert isinstance(answer, association.ErrorResponse)
    assert answer.error_type == 1


def test_a_complaint_is_not_answered():
    for apdu in (association.ClientErrorResponse(1, 1, None), access.ReportResponseTransData(1)):
        frame = dlt698.encode(Message(replace(LINK, control=0x03), apdu))
        assert TERMINAL.receive(frame, Instant(0.0, NOW_S)) == []


def test_another_terminals_frames_are_not_answered():
    other = replace(LINK, sa=bytes(6))
    question = dlt698.encode(Message(other, get.GetRequestNormal(1, 0x40000200)))
    assert TERMINAL.receive(question, Instant(0.0, NOW_S)) == []


COLUMNS = (CURVES[0], Road(0x50020200, CURVES[1:]))
REGION = Region(2, *((Tag.TSA, tsa(one)) for one in ("110000000001", "110000000009")))
ORDERS = (
    (0x60007F00, unit_of(ELECTRIC).data()),
    (0x60008100, (Tag.STRUCTURE, ((Tag.LONG_UNSIGNED, 1), unit_of(ELECTRIC).basic))),
    (0x60008300, (Tag.LONG_UNSIGNED, 1)),
    (0x601C7F00, (Tag.ARRAY, (report_scheme(1, COLUMNS),))),
    (0x60128000, (Tag.ARRAY, ((Tag.UNSIGNED, 1),))),
    (0x60128200, (Tag.STRUCTURE, ((Tag.UNSIGNED, 1), (Tag.ENUM, 2)))),
    (0x80008200, (Tag.ARRAY, ((Tag.STRUCTURE, ((Tag.OAD, 0xF2050201), (Tag.ENUM, 1))),))),
)


@settings(max_examples=300, deadline=timedelta(seconds=5))
@given(st.data())
def test_whatever_comes_nothing_is_raised(data):
    _, (terminal, _) = small_town(meters=4, others=3)
    terminal.connected(Instant(0.0, NOW_S))
    requests = [
        get.GetRequestRecord(1, 0x50020200, NthLastRow(1), CURVES),
        proxy.ProxyGetRequestList(1, 60, (proxy.ServerGet(tsa(ELECTRIC.address), 10, (0x00100200,)),)),
        proxy.ProxyTransCommandRequest(1, 0xF2010201, bytes(5), 10, 100, b"h"),
        association.ReleaseRequest(1, None),
        access.SetRequestNormal(1, 0x40000200, stamp(NOW_S)),
        *[access.ActionRequest(1, omd, param) for omd, param in ORDERS],
        *[get.GetRequestRecord(1, oad, NthLastRow(1), CURVES) for oad in (0x301B0200, 0x60000200)],
        get.GetRequestRecord(1, 0x60120300, LastRows(1, MetersInRegions((REGION,))), CURVES),
    ]
    apdu = bytearray(dlt698.encode_apdu(data.draw(st.sampled_from(requests))))
    for _ in range(data.draw(st.integers(0, 3))):
        apdu[data.draw(st.integers(0, len(apdu) - 1))] = data.draw(st.integers(0, 255))
    control = data.draw(st.sampled_from([0x43, 0x03, 0x63, 0x23, 0x4B]))
    frame = encode_frame(Frame(replace(LINK, control=control), bytes(apdu)))
    for effect in terminal.receive(frame + data.draw(st.binary(max_size=20)), Instant(0.0, NOW_S)):
        dlt698.decode(effect.octets)
