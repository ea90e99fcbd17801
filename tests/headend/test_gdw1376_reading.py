"""Reading from Q/GDW 1376.1 terminals: present and stored values, of the simulator and of terminals of few words."""

from __future__ import annotations

import pytest

from meterweave.headend.gdw1376.gathering import ANSWER_OCTETS_MAX
from meterweave.headend.operations import Done, ReadNow, ReadStored, Refused, Unknown
from meterweave.metering.batch import Profile, Source
from meterweave.metering.quantities import obis_text
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import Message, Unit, service
from meterweave.protocols.gdw1376.part1.message import FIN, FIR
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Phase, Utility
from tests.headend.gdw1376_talk import NOW_US, Line, Terminal, codes, denial, denying, meter, silent, wrong
from tests.headend.gdw1376_town import SIM_NOW_S, Row, Simulated
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Faults

US = 1_000_000
YESTERDAY_US = NOW_US - DAY_S * US
ENERGY, EXPORT, POWER = codes("1-0:1.8.0", "1-0:2.8.0", "1-0:16.7.0")
VOLTAGES, CURRENTS = codes("1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"), codes("1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0")
CURVES = (ENERGY, POWER, *VOLTAGES, *CURRENTS)
TARIFFS = codes(*(f"1-0:1.8.{number}" for number in range(5)))


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return Simulated(others=0)


def stored(
    entries: tuple[MeterEntry, ...],
    *quantities: int,
    profile: Profile = Profile.DAILY,
    period_s: int = 0,
    from_us: int = MIDNIGHT_S * US,
    to_us: int = (MIDNIGHT_S + 2 * DAY_S) * US,
) -> ReadStored:
    return ReadStored(entries, quantities, profile, period_s, from_us, to_us)


# Stored --------------------------------------------------------------------------------------------------------------


def wanted_rows(there: Simulated, profile: Profile, quantities: tuple[int, ...], from_s: int, to_s: int) -> set[Row]:
    return {
        row for row in there.true if row[2] == profile and row[1] in quantities and from_s * US <= row[3] < to_s * US
    }


@pytest.mark.parametrize("period_s", [900, 1800, 3600])
def test_curves_of_all_meters_come_whole_and_true(simulated: Simulated, period_s: int) -> None:
    line = simulated.line()
    from_s, to_s = MIDNIGHT_S + 4500, MIDNIGHT_S + DAY_S + 9000
    wanted = stored(
        simulated.entries,
        *CURVES,
        profile=Profile.CURVE,
        period_s=period_s,
        from_us=from_s * US,
        to_us=to_s * US,
    )
    assert line.carry_out(wanted) == Done()
    expected = {
        row
        for row in wanted_rows(simulated, Profile.CURVE, CURVES, from_s, to_s)
        if (row[3] // US + 8 * 3600) % period_s == 0
    }
    assert expected
    assert line.rows() == expected
    assert set(line.readings().source.tolist()) == {Source.READ}


def test_what_is_still_to_come_is_not_asked_for(simulated: Simulated) -> None:
    line = simulated.line()
    far = (MIDNIGHT_S + 9 * DAY_S) * US
    line.carry_out(stored(simulated.entries[:1], ENERGY, profile=Profile.CURVE, period_s=900, to_us=far))
    assert max(row[3] for row in line.rows()) <= SIM_NOW_S * US
    assert len(line.asked) == 1


def test_answers_stay_small_enough_for_one_frame(simulated: Simulated) -> None:
    line = simulated.line()
    line.carry_out(stored(simulated.entries, *CURVES, profile=Profile.CURVE, period_s=900))
    assert max(map(len, line.kept)) < ANSWER_OCTETS_MAX + 100
    assert len(line.kept) == len(line.asked)


def test_day_freezes_with_tariffs(simulated: Simulated) -> None:
    line = simulated.line()
    assert line.carry_out(stored(simulated.entries, *TARIFFS)) == Done()
    assert line.rows() == wanted_rows(simulated, Profile.DAILY, TARIFFS, MIDNIGHT_S, MIDNIGHT_S + 2 * DAY_S)
    assert len(line.rows()) >= len(simulated.entries) * len(TARIFFS)


def test_a_dead_meter_is_refused_and_the_others_are_read() -> None:
    there = Simulated(others=0, faults=Faults(dead=0.3), days=1)
    dead = [
        entry.id for entry, one in zip(there.entries, there.site.meters, strict=True) if not one.alive(MIDNIGHT_S + 900)
    ]
    line = there.line()
    now = there.line()
    found = line.carry_out(stored(there.entries, ENERGY, profile=Profile.CURVE, period_s=900))
    assert isinstance(found, Done)
    assert set(dead) <= {one.meter for one in found.refusals}
    assert len(found.refusals) < len(there.entries)
    assert line.rows() <= there.true
    assert isinstance(now.carry_out(ReadNow(there.entries, (ENERGY,))), Done)


def day_unit(point: int, day: str) -> Unit:
    values = {
        "freeze.day": day,
        "read_time": f"{day}T23:59",
        "tariff_count": "0",
        "energy.forward_active.total": "1.5000",
    }
    return part1.build_unit(0x0D, True, [point], [161], values)


def day_of(unit: Unit) -> str:
    return f"20{unit.data[2]:02x}-{unit.data[1]:02x}-{unit.data[0]:02x}"


def only(*points: int) -> Terminal:
    """A terminal that has these points, and denies a whole question when it lacks one of those asked for."""

    def answer(question: Message) -> list[Message | bytes]:
        if any(unit.points[0] not in points for unit in question.units):
            return [denial(question)]
        return [service.answer(question, [day_unit(int(unit.points[0]), day_of(unit)) for unit in question.units])]

    return answer


def test_what_is_denied_as_a_whole_is_asked_for_in_halves() -> None:
    line = Line(only(1, 2, 3, 5, 6, 7, 8))
    entries = tuple(meter(point) for point in range(1, 9))
    found = line.carry_out(stored(entries, ENERGY, from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(found, Done)
    assert [one.meter for one in found.refusals] == [104]
    assert found.refusals[0].reason.en == "the terminal denies it"
    assert {row[0] & 0xFFFF for row in line.rows()} == {1, 2, 3, 5, 6, 7, 8}
    assert len(line.asked) == 7


def test_a_denial_of_everything_is_a_refusal_and_its_effort_is_bounded() -> None:
    line = Line(denying)
    entries = tuple(meter(point) for point in range(1, 1001))
    found = line.carry_out(stored(entries, ENERGY, from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(found, Refused)
    assert len(line.asked) < 1000 * 40 / ANSWER_OCTETS_MAX + 2 * 64 + 2


def test_errors_by_unit_are_put_in_words() -> None:
    line = Line(lambda question: [wrong(question, *[2] * len(question.units))])
    found = line.carry_out(stored((meter(1),), ENERGY, from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(found, Refused)
    assert found.reason.en == "address unknown"


def test_no_such_data_of_the_link_is_a_refusal() -> None:
    line = Line(lambda question: [service.answer(question, [])._replace(control=0x89)])
    found = line.carry_out(stored((meter(1),), ENERGY, from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(found, Refused)
    assert found.reason.en == "the terminal has no such data"


def test_a_terminal_that_is_silent_twice_is_asked_no_more() -> None:
    line = Line(silent)
    found = line.carry_out(stored(tuple(meter(point) for point in range(1, 1001)), ENERGY, from_us=0, to_us=NOW_US))
    assert isinstance(found, Unknown)
    assert len(line.asks) == 2
    assert len(line.asked) == 4


def test_one_lost_answer_costs_its_meters_only() -> None:
    whole = only(*range(1, 101))

    def losing(question: Message) -> list[Message | bytes]:
        return [] if question.units[0].points == (1,) else [*whole(question)]

    line = Line(losing)
    found = line.carry_out(
        stored(tuple(meter(point) for point in range(1, 101)), ENERGY, from_us=YESTERDAY_US, to_us=NOW_US)
    )
    assert isinstance(found, Done)
    assert {one.reason.en for one in found.refusals} == {"the terminal does not answer"}
    assert 0 < len(found.refusals) < 100
    assert len(line.rows()) == 100 - len(found.refusals)


def test_values_that_the_terminal_does_not_have_are_not_kept() -> None:
    def empty(question: Message) -> list[Message | bytes]:
        units = [unit._replace(data=unit.data + b"\xee" * 5 + b"\0" + b"\xee" * 5) for unit in question.units]
        return [service.answer(question, units)]

    line = Line(empty)
    found = line.carry_out(stored((meter(1),), ENERGY, from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(found, Refused)
    assert not line.kept


@pytest.mark.parametrize("count", [2, 5, 30])
def test_an_answer_in_several_frames_is_gathered(count: int) -> None:
    def parts(question: Message) -> list[Message | bytes]:
        found = []
        for place in range(count):
            marks = FIR * (place == 0) | FIN * (place == count - 1)
            unit = day_unit(place + 1, day_of(question.units[0]))
            found.append(service.answer(question, [unit])._replace(seq=marks | question.number + place & 15))
        return list(found)

    line = Line(parts)
    entries = tuple(meter(point) for point in range(1, count + 1))
    for _ in range(3):
        assert line.carry_out(stored(entries, ENERGY, from_us=YESTERDAY_US, to_us=NOW_US)) == Done()
    assert len(line.kept) == 3 * count
    assert len(line.asked) == 3
    line.terminal = lambda question: parts(question)[:-1]
    assert isinstance(line.carry_out(stored(entries, ENERGY, from_us=YESTERDAY_US, to_us=NOW_US)), Unknown)


def test_meters_that_cannot_be_asked_for_are_told() -> None:
    line = Line(only(1))
    entries = (meter(1), meter(None), meter(2, utility=Utility.WATER, protocol="cjt188"))
    found = line.carry_out(stored((entries[0], entries[1]), ENERGY, from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(found, Done)
    assert [one.meter for one in found.refusals] == [100]
    water = line.carry_out(stored(entries[2:], *codes("8-0:1.0.0"), from_us=YESTERDAY_US, to_us=NOW_US))
    assert isinstance(water, Refused)
    assert isinstance(line.carry_out(stored(entries[:1], ENERGY, profile=Profile.CURVE, period_s=7)), Refused)


# Now -----------------------------------------------------------------------------------------------------------------


def test_present_values_of_many_meters(simulated: Simulated) -> None:
    line = simulated.line()
    assert line.carry_out(ReadNow(simulated.entries, (ENERGY, POWER, *VOLTAGES))) == Done()
    found = {(row[0], row[1]) for row in line.rows() if row[4] is not None}
    for entry, one in zip(simulated.entries, simulated.site.meters, strict=True):
        key = simulated.site.wire_key(one)
        phases = VOLTAGES if entry.phase is Phase.ABC else VOLTAGES[:1]
        assert {(key, code) for code in (ENERGY, POWER, *phases)} <= found
    assert len(line.asked) < len(simulated.entries)


def test_what_the_terminal_lacks_the_meter_itself_is_asked_for() -> None:
    frequency, battery = codes("1-0:14.7.0", "0-0:96.6.3")
    there = meter(1, "000000001234")

    def answer(question: Message) -> list[Message | bytes]:
        if question.afn != 0x10:
            return [denial(question)]
        data = question.units[0].data
        request = dlt645.decode(data[6:])
        assert data[:4] == bytes([31, 0x6B, 0xB2, 50])
        if request.data[0] != 2:
            return [forwarded(question, commands.refusal(request, "no_such_data"))]
        return [forwarded(question, commands.read_reply(request, bytes.fromhex("0150")))]

    line = Line(answer)
    found = line.carry_out(ReadNow((there,), (frequency, battery)))
    assert isinstance(found, Done)
    assert [one.reason.en for one in found.refusals] == ["no such data"]
    (row,) = line.rows()
    assert (row[0], obis_text(row[1]), row[4]) == (0x1234, "1-0:14.7.0", 5001)
    assert [ask.forwarded for ask in line.asks] == [True, True]
    nothing = line.carry_out(ReadNow((there,), (battery,)))
    assert isinstance(nothing, Refused)
    assert nothing.reason.en == "no such data"


def forwarded(question: Message, inner: dlt645.Frame) -> Message:
    values = {"port": "31", "forwarded": dlt645.encode(inner).hex()}
    return service.answer(question, [part1.build_unit(0x10, True, [0], [1], values)])


def test_a_meter_that_does_not_answer_is_asked_no_further() -> None:
    def answer(question: Message) -> list[Message | bytes]:
        empty = part1.build_unit(0x10, True, [0], [1], {"port": "31", "forwarded": ""})
        return [service.answer(question, [empty]) if question.afn == 0x10 else denial(question)]

    line = Line(answer)
    found = line.carry_out(ReadNow((meter(1), meter(2)), (*codes("1-0:14.7.0"), ENERGY)))
    assert isinstance(found, Refused)
    assert found.reason.en == "the meter does not answer the terminal"
    assert sum(one.afn == 0x10 for one in line.asked) == 2


def test_meters_without_a_point_are_asked_through_the_terminal(simulated: Simulated) -> None:
    line = simulated.line()
    entries = tuple(one._replace(point_number=None) for one in simulated.entries[:3])
    assert line.carry_out(ReadNow(entries, (ENERGY, POWER))) == Done()
    assert {row[0] for row in line.rows()} == {one.address_key for one in entries}
    assert set(line.readings().source.tolist()) == {Source.FORWARDED}
