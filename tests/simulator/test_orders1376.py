"""Clock, control, list of meters and tasks of a Q/GDW 1376.1 terminal, told to and read back; relays behind it."""

from __future__ import annotations

import pytest

from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import build_unit, service
from meterweave.protocols.gdw1376.part1.message import Unit
from meterweave.simulator import Habits, Instant, build, registers, terminals_of
from meterweave.simulator.archive1376 import Archive1376
from meterweave.simulator.meter645 import local
from meterweave.simulator.session import HangUp
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, Faults, plan, rows_of, talk

NOW_S = MIDNIGHT_S + DAY_S + 5000
CONFIRMED, DENIED = (1,), (2,)


def a_terminal(*, bare=False):
    habits = Habits(heartbeat_s=60.0, answer_s=5.0, bare=bare)
    _, terminal = terminals_of(build(plan()), MIDNIGHT_S, seed=1, faults=Faults(), habits=habits, report_from_s=NOW_S)
    now = Instant(0.0, NOW_S)
    (login,) = terminal.connected(now)
    terminal.receive(Centre(terminal.site.protocol).hear(login.octets), now)
    return terminal


def ask(terminal, afn, *units, now_s=NOW_S):
    request = service.request(terminal.site.region, terminal.site.terminal, afn, units, number=7)
    effects = terminal.receive(part1.encode(request), Instant(0.0, now_s))
    answers = [part1.decode(one.octets) for one in effects if not isinstance(one, HangUp)]
    (answer,) = [one for one in answers if not one.initiated]
    return answer


def values(answer):
    return {one["name"]: one["value"] for unit in part1.to_json(answer)["units"] for one in unit.get("values", [])}


def forward(terminal, frame, now_s=NOW_S):
    """What a meter says to `frame`; None where the terminal denies."""
    passing = {"port": "31", "control_word": "0x6B", "message_timeout": "500", "byte_timeout": "100"}
    unit = build_unit(0x10, False, [0], [1], passing | {"forwarded": dlt645.encode(frame).hex()})
    answer = ask(terminal, 0x10, unit, now_s=now_s)
    if answer.afn == 0:
        return None
    return dlt645.to_json(dlt645.decode(bytes.fromhex(values(answer)["forwarded"])))


def test_the_clock_is_set_and_told():
    terminal = a_terminal()
    wanted = local(NOW_S + 75)
    clock = {"clock": wanted.isoformat(), "clock.weekday": str(wanted.isoweekday())}
    assert ask(terminal, 0x05, build_unit(0x05, False, [0], [31], clock)).units[0].items == CONFIRMED
    told = values(ask(terminal, 0x0C, Unit(0, 0x0002), now_s=NOW_S + 10))
    assert told["clock"] == local(NOW_S + 85).isoformat()


def test_control_of_the_terminal():
    terminal = a_terminal()
    trip = build_unit(0x05, False, [1], [1], {"trip.alarm_delay_raw": "0x00"})
    assert ask(terminal, 0x05, trip).units[0].items == CONFIRMED
    assert not terminal.condition.closed
    assert ask(terminal, 0x05, build_unit(0x05, False, [1], [2])).units[0].items == CONFIRMED
    assert terminal.condition.closed
    (denied,) = ask(terminal, 0x05, build_unit(0x05, False, [0], [9])).units
    assert (denied.items, denied.data[-1]) == ((3,), 1)


def test_a_hardware_reset_is_confirmed_and_ends_the_connection():
    terminal = a_terminal()
    request = service.request(terminal.site.region, terminal.site.terminal, 0x01, [Unit(0, 0x0001)])
    confirmation, end = terminal.receive(part1.encode(request), Instant(0.0, NOW_S))
    assert part1.decode(confirmation.octets).units[0].items == CONFIRMED
    assert isinstance(end, HangUp)


def test_a_meters_relay_is_operated_through_the_terminal():
    terminal = a_terminal()
    meter = terminal.site.meters[0]
    wrong = commands.Access(level=2, password="123456")
    assert forward(terminal, commands.control(meter.address, "trip", wrong))["error_bits"] == ["not_authorised"]
    old = commands.control(meter.address, "trip", commands.Access(), valid_until=local(NOW_S - 60))
    assert forward(terminal, old)["error_bits"] == ["other_error"]
    assert meter.condition.closed
    assert "error_bits" not in forward(terminal, commands.control(meter.address, "trip", commands.Access()))
    word = forward(terminal, commands.read(meter.address, "04000503"))["values"][0]
    assert "relay" in str(word)
    later_s = NOW_S + 7200
    assert registers.power_dw(meter, registers.moments(later_s)).tolist() == [0]
    shown = ask(terminal, 0x0C, build_unit(0x0C, False, [1], [28]), now_s=later_s)
    assert values(shown)["status_word_3"] == "0x0050"
    assert ask(terminal, 0x0C, build_unit(0x0C, False, [1], [161]), now_s=later_s).units[0].data[5] == 0
    assert "error_bits" not in forward(terminal, commands.control(meter.address, "close_direct", commands.Access()))
    assert meter.condition.closed
    keep = commands.control(meter.address, "keep_power_on", commands.Access())
    assert "error_bits" not in forward(terminal, keep)
    trip = commands.control(meter.address, "trip", commands.Access())
    assert forward(terminal, trip)["error_bits"] == ["other_error"]


def test_present_values_of_a_point():
    terminal = a_terminal()
    meter = next(meter for meter in terminal.site.meters if not meter.phase)
    shown = values(ask(terminal, 0x0C, build_unit(0x0C, False, [meter.point], [25])))
    true = registers.electrical(meter, registers.moments(NOW_S))
    assert float(shown["active_power.total"]) == pytest.approx(true.power_dw[0] / 10_000)
    assert float(shown["voltage.b"]) == pytest.approx(true.voltage_dv[1][0] / 10)
    assert float(shown["current.c"]) == pytest.approx(true.current_ma[2][0] / 1000)
    assert shown["reactive_power.total"] is None
    clock = values(ask(terminal, 0x0C, build_unit(0x0C, False, [meter.point], [27])))["meter_clock"]
    assert clock == local(NOW_S).isoformat()


@pytest.mark.parametrize(("item", "tag"), [(33, {}), (1, {"freeze.day": "2026-09-21"})])
def test_all_forward_registers_at_once(item, tag):
    terminal = a_terminal()
    meter = terminal.site.meters[3]
    afn, at_s = (0x0D, MIDNIGHT_S + DAY_S) if tag else (0x0C, NOW_S)
    shown = values(ask(terminal, afn, build_unit(afn, False, [meter.point], [item], tag)))
    at = registers.moments(at_s)
    assert float(shown["energy.forward_active.total"]) == registers.register(meter, at)[0] / 100
    tariffs = registers.tariff_registers((meter,), at)[:, 0, 0]
    for number, one in enumerate(tariffs, 1):
        assert float(shown[f"energy.forward_active.t{number}"]) == one / 100
    assert float(shown["energy.forward_reactive.total"]) == 0


def query(*sequences):
    named = {f"query[{index}].sequence": str(one) for index, one in enumerate(sequences)}
    return build_unit(0x0A, False, [0], [10], {"query_count": str(len(sequences))} | named)


def record(sequence, point, address):
    usual = {
        "baud_code": "3",
        "port": "31",
        "protocol": "30",
        "password": "0" * 12,
        "tariff_count_raw": "0x04",
        "digits_raw": "0x09",
        "collector_address": "0" * 12,
        "user_class": "5",
        "user_subclass": "0",
    }
    named = {"sequence": str(sequence), "pn": str(point), "address": address} | usual
    listed = {f"meter[0].{name}": value for name, value in named.items()}
    return build_unit(0x04, False, [0], [10], {"meter_count": "1"} | listed)


def test_the_list_of_meters_is_read_and_changed():
    terminal = a_terminal()
    first, second = terminal.site.meters[:2]
    shown = values(ask(terminal, 0x0A, query(1, 2, 999)))
    assert shown["meter_count"] == "2"
    assert (shown["meter[0].address"], shown["meter[1].pn"]) == (first.address, "2")
    assert ask(terminal, 0x0A, query(999)).units[0].items == DENIED
    assert ask(terminal, 0x04, record(1, 0, first.address)).units[0].items == CONFIRMED
    assert ask(terminal, 0x0C, build_unit(0x0C, False, [1], [129])).units[0].items == DENIED
    assert ask(terminal, 0x04, record(500, 777, first.address)).units[0].items == CONFIRMED
    moved = ask(terminal, 0x0C, build_unit(0x0C, False, [777], [129]))
    assert moved.units[0].points == (777,)
    assert ask(terminal, 0x0C, build_unit(0x0C, False, [2], [129])).units[0].points == (second.point,)
    (denied,) = ask(terminal, 0x04, record(2041, 1, first.address)).units
    assert (denied.items, denied.data[-1]) == ((3,), 1)


def task(number, *designations):
    named = {f"item[{index}].designation": one for index, one in enumerate(designations)}
    about = {
        "report_period.unit_code": "2",
        "report_period.value": "1",
        "base_time": "2026-09-21T00:30:00",
        "curve_factor": "1",
        "item_count": str(len(designations)),
    }
    return build_unit(0x04, False, [number], [66], about | named)


def test_a_bare_terminal_reports_what_it_is_told_to():
    terminal = a_terminal(bare=True)
    later_s = NOW_S + 2 * DAY_S
    meter = terminal.site.meters[0]
    assert ask(terminal, 0x04, record(1, 9, meter.address)).units[0].items == CONFIRMED
    assert terminal.idle(later_s)
    daily_of_9 = "01020114"  # DA p9, DT F161
    assert ask(terminal, 0x04, task(5, daily_of_9)).units[0].items == CONFIRMED
    assert terminal.idle(later_s)
    start = build_unit(0x04, False, [5], [68], {"task_switch": "0x55"})
    assert ask(terminal, 0x04, start).units[0].items == CONFIRMED
    shown = ask(terminal, 0x0A, Unit(0x0110, 0x0802), Unit(0x0110, 0x0808))
    assert [unit.items for unit in shown.units] == [(66,), (68,)]
    assert shown.units[0].data == task(5, daily_of_9).data
    centre = Centre(terminal.site.protocol)
    talk(terminal, centre, later_s)
    rows = rows_of(centre.readings())
    assert {row[0] & 0xFFFF for row in rows} == {9}
    assert len(rows) == 10
    assert {row[3] for row in rows} == {(MIDNIGHT_S + day * DAY_S) * 1_000_000 for day in (2, 3)}
    stop = build_unit(0x04, False, [5], [68], {"task_switch": "0xAA"})
    assert ask(terminal, 0x04, stop, now_s=later_s).units[0].items == CONFIRMED
    assert terminal.idle(later_s + 9 * DAY_S)


def test_what_is_delivered_reports_everything():
    site = build(plan())[1]
    told, bare = Archive1376(site, MIDNIGHT_S), Archive1376(site, MIDNIGHT_S, bare=True)
    assert sum(len(one.meters) for one in told.reported()) == 3 * len(site.meters)
    assert bare.reported() == ()
    told.clear()
    assert told.reported() == ()
