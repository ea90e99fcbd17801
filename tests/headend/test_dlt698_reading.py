"""Readings fetched from a DL/T 698.45 terminal of the town are what its meters really had."""

from __future__ import annotations

import pytest

from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.dlt698.event_records import NEW_EVENTS
from meterweave.headend.dlt698.freezes import freeze_of
from meterweave.headend.dlt698.line import NO_ANSWER, dar_words
from meterweave.headend.dlt698.records import NO_SUCH_SERIES, ROWS_MAX
from meterweave.headend.dlt698.tally import LEFT_OUT, NO_SUCH_DATA
from meterweave.headend.dlt698.transparent import CARRIER_PORT, SILENT, port_of
from meterweave.headend.operations import (
    Authority,
    Done,
    ReadEvents,
    ReadNow,
    ReadStored,
    Refusal,
    Refused,
    Relay,
    RelayAction,
)
from meterweave.metering.batch import Profile, Source
from meterweave.metering.clock import SHANGHAI
from meterweave.metering.events import event_kinds
from meterweave.metering.quantities import by_code, obis_code
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import get, proxy
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.data import Tag
from meterweave.protocols.dlt698.records import ResultNormal, ResultRecord
from meterweave.protocols.dlt698.selection import MetersAt, RowsBetween, RowsStoredDuring
from meterweave.protocols.dlt698.values import tsa
from meterweave.registry.vocabulary import Utility
from meterweave.simulator import registers, truth
from tests.headend.talk698 import DAY_S, MIDNIGHT_S, NOW_S, Conversing, Scripted, a_terminal, entry
from tests.simulator.centre import Faults, rows_of, true_rows

SITE, TERMINAL = a_terminal()
METERS = tuple(entry(meter, number) for number, meter in enumerate(SITE.meters, 1))
TRUTH = true_rows([truth.truth(SITE, MIDNIGHT_S, NOW_S)])
SPEAKS = {meter.protocol: meter for meter in METERS}
ALL = tuple(by_code())
ENERGIES = ("1-0:1.8.0", "1-0:2.8.0", "1-0:1.8.1", "1-0:1.8.4")
PHASES = ("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0", "1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0", "1-0:16.7.0")
REGISTERS = ("8-0:1.0.0", "7-0:3.0.0", "6-0:1.0.0")
VALUES = tuple(map(obis_code, (*ENERGIES, *PHASES, *REGISTERS)))
ENERGY = obis_code("1-0:1.8.0")
ELECTRIC = tuple(meter for meter in METERS if meter.utility is Utility.ELECTRICITY)
OTHERS = tuple(meter for meter in METERS if meter.utility is not Utility.ELECTRICITY)


def us(at_s: int) -> int:
    return at_s * 1_000_000


def found_in(line: Conversing) -> set[tuple[int, ...]]:
    batch = line.readings()
    assert not batch.bad
    assert (batch.source == Source.READ).all()
    return {row for row, missing in zip(rows_of(batch), batch.missing, strict=True) if not missing}


def true_in(meters: tuple[object, ...], profile: Profile, from_s: int, to_s: int) -> set[tuple[int, ...]]:
    keys = {meter.address_key for meter in meters}  # type: ignore[attr-defined]
    return {row for row in TRUTH if row[0] in keys and row[2] == profile and us(from_s) <= row[3] < us(to_s)}


# Stored --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meters", "profile", "period_s", "from_s", "to_s"),
    [
        (ELECTRIC, Profile.CURVE, 900, MIDNIGHT_S, NOW_S),
        (ELECTRIC, Profile.CURVE, 900, MIDNIGHT_S + 7 * 900, MIDNIGHT_S + 8 * 900),
        (ELECTRIC[:1], Profile.CURVE, 900, MIDNIGHT_S + 450, MIDNIGHT_S + 5000),
        (OTHERS, Profile.CURVE, 3600, MIDNIGHT_S, NOW_S),
        (METERS, Profile.DAILY, 0, MIDNIGHT_S, NOW_S),
        (METERS, Profile.DAILY, 0, MIDNIGHT_S + 1, MIDNIGHT_S + DAY_S),
    ],
)
def test_stored_series_are_the_truth(meters, profile, period_s, from_s, to_s):
    line = Conversing(TERMINAL)
    outcome = line.have(ReadStored(meters, VALUES, profile, period_s, us(from_s), us(to_s)))
    wanted = true_in(meters, profile, from_s, to_s)
    assert found_in(line) >= wanted
    assert bool(wanted) == bool(line.kept)
    assert isinstance(outcome, Done)
    assert outcome.refusals == ()
    rows = [len(dlt698.decode(octets).apdu.result.rows) for octets in line.kept]
    assert sum(rows) == outcome.facts["rows"]
    assert max(rows, default=0) <= ROWS_MAX


def test_months_are_asked_for_as_months():
    line = Conversing(TERMINAL)
    outcome = line.have(ReadStored(METERS[:3], VALUES, Profile.MONTHLY, 0, us(MIDNIGHT_S - 40 * DAY_S), us(NOW_S)))
    assert isinstance(outcome, Done)
    requests = [dlt698.decode(ask.octets).apdu for ask in line.asked]
    records = [one for one in requests if isinstance(one, get.GetRequestRecord)]
    assert {one.rcsd[1].road for one in records} == {0x5006_0200}
    assert {one.rsd.interval for one in records} == {(4, 1)}


def test_one_question_is_about_many_meters_and_one_answer_stays_short():
    line = Conversing(TERMINAL)
    line.have(ReadStored(ELECTRIC, VALUES, Profile.CURVE, 900, us(MIDNIGHT_S), us(MIDNIGHT_S + 900)))
    assert len(line.asked) == 2  # its clock, then all meters at once
    assert max(len(ask.octets) for ask in line.asked) < 1000
    line = Conversing(TERMINAL)
    line.have(ReadStored(ELECTRIC, ALL, Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S)))
    assert max(map(len, line.kept)) < 12_000


def test_a_wrong_clock_of_the_terminal_hides_nothing():
    site, terminal = a_terminal(meters=4, others=2, faults=Faults(wrong_clock=1.0))
    assert abs(site.clock_off_s) > 900
    meters = tuple(entry(meter, number) for number, meter in enumerate(site.meters, 1))
    true = true_rows([truth.truth(site, MIDNIGHT_S, NOW_S)])
    line = Conversing(terminal)
    from_s, to_s = MIDNIGHT_S + 36_000, MIDNIGHT_S + 39_600
    line.have(ReadStored(meters, VALUES, Profile.CURVE, 900, us(from_s), us(to_s)))
    wanted = {row for row in true if row[1] >> 27 == 1 and row[2] == Profile.CURVE and us(from_s) <= row[3] < us(to_s)}
    assert wanted
    assert wanted <= found_in(line)


def test_nothing_is_asked_for_an_empty_span_or_of_no_meter():
    line = Conversing(TERMINAL)
    assert line.have(ReadStored(METERS, VALUES, Profile.DAILY, 0, us(NOW_S), us(NOW_S))) == Done({"rows": 0})
    assert line.have(ReadStored((), VALUES, Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S))) == Done({"rows": 0})
    assert line.asked == []


def test_what_the_protocol_has_no_words_for_is_refused_before_anything_is_asked():
    line = Conversing(TERMINAL)
    for profile, period_s in ((Profile.SPOT, 0), (Profile.EVENT, 0), (Profile.CURVE, 0), (Profile.CURVE, 100_000)):
        wanted = ReadStored(METERS, VALUES, profile, period_s, us(MIDNIGHT_S), us(NOW_S))
        assert line.have(wanted) == NO_SUCH_SERIES
    water = ReadStored(ELECTRIC, (obis_code("8-0:1.0.0"),), Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S))
    assert line.have(water) == Refused(NO_SUCH_DATA)
    assert line.asked == []


def test_meters_without_the_quantity_are_named():
    line = Conversing(TERMINAL)
    outcome = line.have(ReadStored(METERS, (ENERGY,), Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S)))
    assert isinstance(outcome, Done)
    assert set(outcome.refusals) == {Refusal(meter.id, NO_SUCH_DATA) for meter in OTHERS}
    assert outcome.facts["rows"] == 2 * len(ELECTRIC)


@pytest.mark.parametrize(
    ("period_s", "oad", "interval"),
    [
        (1, 0x5001_0200, (0, 1)),
        (60, 0x5002_0200, (1, 1)),
        (900, 0x5002_0200, (1, 15)),
        (1800, 0x5002_0200, (1, 30)),
        (3600, 0x5003_0200, (2, 1)),
        (7200, 0x5003_0200, (2, 2)),
    ],
)
def test_curves_are_in_the_freeze_of_their_unit(period_s, oad, interval):
    assert freeze_of(Profile.CURVE, period_s)[:2] == (oad, interval)


def stored_by(records):
    """A terminal whose clock cannot be read, and that answers questions for records with `records`."""

    def answer(apdu: Apdu) -> Apdu:
        if isinstance(apdu, get.GetRequestNormal):
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, 3))
        return records(apdu)

    return Scripted(answer)


def test_a_refused_question_names_its_meters():
    def refuse(apdu):
        return get.GetResponseRecord(apdu.piid, ResultRecord(apdu.oad, apdu.rcsd, 15))

    wanted = ReadStored(ELECTRIC, VALUES, Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S))
    assert stored_by(refuse).have(wanted) == Refused(dar_words(15))

    def refuse_first(apdu):
        rows = () if MetersAt((tsa(ELECTRIC[0].address),)) != apdu.rsd.meters else 15
        return get.GetResponseRecord(apdu.piid, ResultRecord(apdu.oad, apdu.rcsd, rows))

    half = ReadStored(ELECTRIC[:2], VALUES, Profile.CURVE, 60, us(MIDNIGHT_S), us(MIDNIGHT_S + 3600))
    assert stored_by(refuse_first).have(half) == Done({"rows": 0}, (Refusal(ELECTRIC[0].id, dar_words(15)),))


def test_what_the_terminal_does_not_collect_is_read_from_the_meters():
    modern, serial = SPEAKS["dlt698"], SPEAKS["dlt645"]

    def answer(apdu):
        if isinstance(apdu, get.GetRequestRecord):
            assert isinstance(apdu.rsd, RowsStoredDuring)
            return get.GetResponseRecord(apdu.piid, ResultRecord(apdu.oad, apdu.rcsd, 4))
        assert isinstance(apdu, proxy.ProxyGetRequestRecord)
        assert isinstance(apdu.rsd, RowsBetween)
        row = ((Tag.DATE_TIME_S, apdu.rsd.from_[1]), (Tag.ARRAY, ((Tag.DOUBLE_LONG_UNSIGNED, 77),)))
        return proxy.ProxyGetResponseRecord(apdu.piid, apdu.server, ResultRecord(apdu.oad, apdu.rcsd, (row,)))

    terminal = stored_by(answer)
    wanted = ReadStored((modern, serial), (ENERGY,), Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S))
    outcome = terminal.have(wanted)
    assert outcome == Done({"rows": 1}, (Refusal(serial.id, dar_words(4)),))
    batch = terminal.driver.readings(terminal.kept, received=0, zone=SHANGHAI)
    assert rows_of(batch) == [(modern.address_key, ENERGY, Profile.DAILY, us(MIDNIGHT_S), 7700)]
    assert terminal.asked[-1].forwarded


def test_a_meter_that_calls_by_itself_is_asked_directly():
    own = SPEAKS["dlt698"]._replace(address="330000000001", address_key=0x330000000001)

    def answer(apdu):
        if isinstance(apdu, get.GetRequestNormalList | get.GetRequestNormal):
            value = (Tag.ARRAY, ((Tag.DOUBLE_LONG_UNSIGNED, 5),))
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, value))
        row = ((Tag.DATE_TIME_S, apdu.rsd.from_[1]), (Tag.ARRAY, ((Tag.DOUBLE_LONG_UNSIGNED, 77),)))
        return get.GetResponseRecord(apdu.piid, ResultRecord(apdu.oad, apdu.rcsd, (row,)))

    terminal = Scripted(answer)
    assert terminal.have(ReadNow((own,), (ENERGY,))) == Done({"values": 1})
    batch = terminal.driver.readings(terminal.kept, received=us(NOW_S), zone=SHANGHAI)
    assert rows_of(batch) == [(own.address_key, ENERGY, Profile.SPOT, us(NOW_S), 500)]
    stored = stored_by(answer)
    assert stored.have(ReadStored((own,), (ENERGY,), Profile.DAILY, 0, us(MIDNIGHT_S), us(NOW_S))) == Done({"rows": 1})
    batch = stored.driver.readings(stored.kept, received=0, zone=SHANGHAI)
    assert rows_of(batch) == [(own.address_key, ENERGY, Profile.DAILY, us(MIDNIGHT_S), 7700)]


# Now -----------------------------------------------------------------------------------------------------------------


def test_present_values_of_all_kinds_of_meters():
    line = Conversing(TERMINAL)
    outcome = line.have(ReadNow(METERS, (*VALUES,)))
    assert isinstance(outcome, Done)
    assert outcome.refusals == ()
    batch = line.readings()
    assert not batch.bad
    found = {(row[0], row[1]): row[4] for row in rows_of(batch)}
    at = registers.moments(NOW_S)
    for meter, site_meter in zip(METERS, SITE.meters, strict=True):
        obis, step = registers.OBIS[site_meter.utility], registers.STEP_EXPONENT[site_meter.utility]
        shown = int(registers.register(site_meter, at)[0]) * registers.factor(obis, step)
        # What goes over the line of CJ/T 188 has fewer digits than the register: 0.01 m3 and 0.01 kWh.
        step = {Utility.ELECTRICITY: 1, Utility.HEAT: 360_000}.get(meter.utility, 10_000)
        assert 0 <= shown - found[meter.address_key, obis_code(obis)] < step
    proxied = [ask for ask in line.asked if isinstance(dlt698.decode(ask.octets).apdu, proxy.ProxyGetRequestList)]
    modern = [meter for meter in METERS if meter.protocol == "dlt698"]
    assert len(modern) > 1
    assert len(proxied) < len(modern)
    assert all(ask.forwarded for ask in line.asked)


def test_dead_and_unknown_meters_are_named_and_the_others_read():
    nobody = SPEAKS["dlt698"]._replace(id=900, address="999999999998", address_key=0x999999999998)
    silent = SPEAKS["dlt645"]._replace(id=901, address="999999999997", address_key=0x999999999997)
    strange = SPEAKS["dlt645"]._replace(id=902, protocol="modbus")
    line = Conversing(TERMINAL)
    outcome = line.have(ReadNow((nobody, silent, strange, SPEAKS["dlt698"]), (ENERGY,)))
    assert isinstance(outcome, Done)
    assert set(outcome.refusals) == {
        Refusal(900, dar_words(33)),
        Refusal(901, dar_words(33)),
        Refusal(902, NO_SUCH_DATA),
    }
    assert {row[0] for row in rows_of(line.readings())} == {SPEAKS["dlt698"].address_key}


def test_the_terminal_itself():
    def answer(apdu):
        return get.GetResponseNormalList(
            apdu.piid, tuple(ResultNormal(oad, (Tag.ARRAY, ((Tag.LONG_UNSIGNED, 2301),))) for oad in apdu.oads)
        )

    terminal = Scripted(answer)
    wanted = ReadNow((), (obis_code("1-0:32.7.0"), obis_code("1-0:31.7.0")))
    assert terminal.have(wanted) == Done({"values": 2})
    assert terminal.requests[0].oads == (0x2000_0200, 0x2001_0200)
    assert len(terminal.kept) == 1
    assert Conversing(TERMINAL).have(ReadNow((), (ENERGY,))) == Refused(dar_words(4))
    assert Conversing(TERMINAL).have(ReadNow((), ())) == Refused(NO_SUCH_DATA)


def test_an_answer_that_leaves_a_meter_out():
    modern = SPEAKS["dlt698"]
    terminal = Scripted(lambda apdu: proxy.ProxyGetResponseList(apdu.piid, ()))
    assert terminal.have(ReadNow((modern,), (ENERGY,))) == Refused(LEFT_OUT)
    assert terminal.kept == []


def test_a_meters_silence_behind_the_terminal_is_told():
    def answer(reply):
        return Scripted(lambda apdu: proxy.ProxyTransCommandResponse(apdu.piid, apdu.oad, reply))

    serial = SPEAKS["dlt645"]
    assert answer(b"").have(ReadNow((serial,), (ENERGY,))) == Refused(SILENT)
    assert answer(b"\xfe\xfe\x68nonsense").have(ReadNow((serial,), (ENERGY,))).reason.en


def test_frames_go_out_at_the_port_of_the_archives_with_its_bit_rate():
    serial = SPEAKS["dlt645"]
    terminal = Scripted(lambda apdu: None)
    terminal.have(ReadNow((serial._replace(port="f2010201", baud=9600),), (ENERGY,)))
    (request,) = terminal.requests
    assert (request.oad, request.comdcb) == (0xF201_0201, bytes((6, 2, 8, 1, 0)))
    assert [port_of(serial._replace(port=one)) for one in (None, "", "31", "zzzzzzzz")] == [CARRIER_PORT] * 4


def test_when_an_answer_is_lost_questions_become_shorter():
    line = Conversing(TERMINAL)
    count = 0

    def lose_the_fourth(octets):
        nonlocal count
        count += 1
        return None if count == 4 else octets

    wanted = ReadStored(ELECTRIC, VALUES, Profile.CURVE, 900, us(MIDNIGHT_S), us(NOW_S))
    assert isinstance(line.have(wanted, spoil=lose_the_fourth), Done)
    assert found_in(line) >= true_in(ELECTRIC, Profile.CURVE, MIDNIGHT_S, NOW_S)
    rows = [len(dlt698.decode(octets).apdu.result.rows) for octets in line.kept]
    assert min(rows[:2]) > max(rows[2:])
    assert [ask.tries for ask in line.asked[1:]] == [1] * 3 + [2] * (len(line.asked) - 4)


def test_what_one_lost_answer_had_is_missing_and_all_else_is_there():
    line = Conversing(TERMINAL)
    count = 0

    def lose_two(octets):
        nonlocal count
        count += 1
        return None if count in {3, 8} else octets

    wanted = ReadStored(ELECTRIC, VALUES, Profile.CURVE, 900, us(MIDNIGHT_S), us(NOW_S))
    assert line.have(wanted, spoil=lose_two) == NO_ANSWER
    lost = dlt698.decode(line.asked[7].octets).apdu.rsd
    assert len(lost.meters.items) == 1
    missing = true_in(ELECTRIC, Profile.CURVE, MIDNIGHT_S, NOW_S) - found_in(line)
    assert {row[0] for row in missing} == {int(lost.meters.items[0][1:].hex(), 16)}


def test_silence_ends_in_unknown_and_what_came_before_is_kept():
    line = Conversing(TERMINAL)
    count = 0

    def fall_silent(octets):
        nonlocal count
        count += 1
        return None if count > 3 else octets

    wanted = ReadStored(ELECTRIC, VALUES, Profile.CURVE, 900, us(MIDNIGHT_S), us(NOW_S))
    assert line.have(wanted, spoil=fall_silent) == NO_ANSWER
    assert len(line.kept) == 2
    assert found_in(line)
    assert len(line.asked) == 5


def test_the_number_goes_round_without_the_one_that_stands_for_nothing():
    line = Conversing(TERMINAL)
    for _ in range(70):
        line.have(ReadNow((SPEAKS["dlt698"],), (ENERGY,)))
    numbers = [ask.number for ask in line.asked]
    assert numbers[:63] == list(range(1, 64))
    assert numbers[63:] == numbers[:7]


# Events --------------------------------------------------------------------------------------------------------------


def test_events_of_the_terminal_and_its_meters_are_read_and_kept():
    site, terminal = a_terminal(faults=Faults(happenings=0.5))
    line = Conversing(terminal)
    modern = next(entry(meter, 1) for meter in site.meters if meter.speaks == "dlt698")
    authority = Authority(2, bytes(3), bytes(4))
    assert line.have(Relay(modern, RelayAction.TRIP, authority)) == Done()
    outcome = line.have(ReadEvents(us(MIDNIGHT_S), us(NOW_S + 1)))
    happened = [one for _, one in terminal.diary.kept]
    assert len(happened) > 3
    assert outcome == Done({"events": len(happened)})
    events = Dlt698Driver.events(line.kept, received=us(NOW_S), zone=SHANGHAI)
    assert not events.bad
    kinds = {event_kinds()[one.code].name for one in events.events}
    assert "relay_opened" in kinds
    assert {one.key for one in events.events} >= {int(one.meter.address, 16) for one in happened if one.meter}
    line.kept.clear()
    assert line.have(ReadEvents(us(NOW_S + 100), us(NOW_S + 200))) == Done({"events": 0})
    assert line.kept == []


def test_new_kinds_of_events_are_read_too_and_a_terminal_without_any_says_so():
    asked = []

    def answer(apdu):
        if isinstance(apdu, get.GetRequestNormal):
            new = (Tag.ARRAY, ((Tag.OAD, 0x3026_0200), (Tag.OAD, 0x4000_0200), (Tag.OI, 0x3004)))
            return get.GetResponseNormal(apdu.piid, ResultNormal(apdu.oad, new if apdu.oad == NEW_EVENTS else 4))
        asked.extend(one.oad for one in apdu.items)
        return get.GetResponseRecordList(apdu.piid, tuple(ResultRecord(one.oad, one.rcsd, 4) for one in apdu.items))

    assert Scripted(answer).have(ReadEvents(us(MIDNIGHT_S), us(NOW_S))) == Refused(dar_words(4))
    assert asked[0] == 0x3026_0200
    assert {0x3106_0200, 0x301B_0200, 0x3007_0600, 0x3007_0900} <= set(asked)
    assert 0x4000_0200 not in asked
    assert len(asked) == len(set(asked))
