"""What a Q/GDW 1376.1 terminal of the town answers; every answer decodes and reads back as what was true."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.metering.batch import Profile
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import build_unit, service
from meterweave.protocols.gdw1376.part1.frame import wrap
from meterweave.protocols.gdw1376.part1.message import Unit
from meterweave.simulator import Instant, registers, truth
from meterweave.simulator.meter645 import local
from tests.simulator.centre import DAY_S, MIDNIGHT_S, Centre, Faults, rows_of, small_town, talk, true_rows

NOW_S = MIDNIGHT_S + DAY_S + 5000
DENIED = (Unit(0, 0x0002),)


def a_terminal(**given):
    town, (_, terminal) = small_town(**given)
    talk(terminal, Centre(terminal.site.protocol), NOW_S)
    return town[1], terminal


SITE, TERMINAL = a_terminal()
SINGLE = next(meter for meter in SITE.meters if meter.phase)
THREE = next(meter for meter in SITE.meters if not meter.phase)
TRUE = true_rows([truth.truth(SITE, MIDNIGHT_S, NOW_S)])


def ask(afn, *units, terminal=TERMINAL):
    request = service.request(SITE.region, SITE.terminal, afn, units, number=7)
    frames = ask_frames(request, terminal)
    assert len(frames) == 1
    answer = part1.decode(frames[0])
    assert answer.seq & 0x6F == 0x67
    return frames[0], answer


def ask_frames(request, terminal=TERMINAL):
    frames = [effect.octets for effect in terminal.receive(part1.encode(request), Instant(0.0, NOW_S))]
    for frame in frames:
        answer = part1.decode(frame)
        assert answer.uplink
        assert not answer.initiated
        assert part1.encode(answer) == frame
    return frames


def test_clock():
    site, terminal = a_terminal(meters=4, others=0, faults=Faults(wrong_clock=1.0))
    _, answer = ask(0x0C, build_unit(0x0C, False, [0], [2]), terminal=terminal)
    values = part1.to_json(answer)["units"][0]["values"]
    assert values[0]["value"] == local(NOW_S + site.clock_off_s).isoformat()
    assert site.clock_off_s


def test_present_registers():
    points = [meter.point for meter in SITE.meters][:8]
    frame, answer = ask(0x0C, build_unit(0x0C, False, points, [129]))
    assert len(answer.units) == 8
    at = registers.moments(NOW_S)
    wanted = set()
    for meter in SITE.meters[:8]:
        shown = [registers.register(meter, at)[0], *registers.tariff_registers((meter,), at)[:, 0, 0]]
        wanted |= {(SITE.wire_key(meter), tariff, int(one) * 100) for tariff, one in enumerate(shown)}
    found = rows_of(part1.decode_batch([frame]))
    assert {(row[0], row[1] & 0xFF, row[4]) for row in found} == wanted
    assert {row[2] for row in found} == {Profile.SPOT}


def test_day_freezes():
    day = local(MIDNIGHT_S).date().isoformat()
    frame, _ = ask(0x0D, build_unit(0x0D, False, [SINGLE.point], [161], {"freeze.day": day}))
    rows = rows_of(part1.decode_batch([frame]))
    assert len(rows) == 5
    assert set(rows) <= TRUE
    assert {row[3] for row in rows} == {(MIDNIGHT_S + DAY_S) * 1_000_000}
    today = local(NOW_S).date().isoformat()
    assert ask(0x0D, build_unit(0x0D, False, [SINGLE.point], [161], {"freeze.day": today}))[1].units == DENIED


@pytest.mark.parametrize("meter", [SINGLE, THREE], ids=["single", "three"])
@pytest.mark.parametrize("density", [1, 2, 3])
def test_curves(meter, density):
    start = {"curve.start": local(MIDNIGHT_S).isoformat(timespec="minutes"), "curve.density": str(density)}
    items = [101, 89, 92, 81] + ([] if meter.phase else [90, 91, 93, 94])
    units = [build_unit(0x0D, False, [meter.point], [item], start | {"curve.count": "12"}) for item in items]
    frame, answer = ask(0x0D, *units)
    assert len(answer.units) == len(items)
    rows = rows_of(part1.decode_batch([frame]))
    assert len(rows) == 12 * len(items)
    assert set(rows) <= TRUE


def test_a_curve_ends_where_the_present_begins():
    start = {"curve.start": local(NOW_S - NOW_S % 900).isoformat(timespec="minutes"), "curve.density": "1"}
    frame, _ = ask(0x0D, build_unit(0x0D, False, [SINGLE.point], [101], start | {"curve.count": "9"}))
    assert len(rows_of(part1.decode_batch([frame]))) == 1


def test_a_meter_through_forwarding():
    question = dlt645.encode(commands.read(SINGLE.address, "02010100")).hex()
    values = {"port": "1", "control_word": "0x6B", "message_timeout": "500", "byte_timeout": "100"}
    frame, _ = ask(0x10, build_unit(0x10, False, [0], [1], values | {"forwarded": question}))
    (row,) = rows_of(part1.decode_batch([frame], received=5))
    voltage = registers.electrical(SINGLE, registers.moments(NOW_S)).voltage_dv[0][0]
    assert row == (int(SINGLE.address, 16), 1 << 27 | 32 << 16 | 7 << 8, 0, 5, voltage * 10)
    silent = dlt645.encode(commands.read("999999999999", "02010100")).hex()
    assert ask(0x10, build_unit(0x10, False, [0], [1], values | {"forwarded": silent}))[1].units == DENIED


@pytest.mark.parametrize(
    ("afn", "unit"),
    [
        (0x0C, Unit(0x0101, 0x0101)),
        (0x0C, Unit(0x0101, 0x0302)),
        (0x0C, build_unit(0x0C, False, [2000], [129])),
        (0x0A, Unit(0, 0x0008)),
        (0x0D, build_unit(0x0D, False, [1], [162], {"freeze.day": "2026-09-20"})),
        (0x0D, Unit(0x0101, 0x1401, b"\xff\xff\xff")),
        (
            0x0D,
            build_unit(
                0x0D, False, [1], [90], {"curve.start": "2026-09-21T00:00", "curve.density": "1", "curve.count": "9"}
            ),
        ),
        (
            0x0D,
            build_unit(
                0x0D, False, [1], [101], {"curve.start": "2026-09-21T00:00", "curve.density": "0", "curve.count": "9"}
            ),
        ),
    ],
)
def test_everything_else_is_denied(afn, unit):
    _, answer = ask(afn, unit)
    assert answer.afn == 0
    assert answer.units == DENIED


def test_a_long_answer_has_several_frames():
    start = {"curve.start": local(MIDNIGHT_S).isoformat(timespec="minutes"), "curve.density": "1", "curve.count": "96"}
    units = [build_unit(0x0D, False, [meter.point], [item], start) for meter in SITE.meters for item in (101, 89)]
    frames = ask_frames(service.request(SITE.region, SITE.terminal, 0x0D, units, number=7))
    marks = [part1.decode(frame).seq for frame in frames]
    assert len(marks) > 3
    assert [seq & 0x60 for seq in marks] == [0x40, *[0] * (len(marks) - 2), 0x20]
    assert [seq & 0x0F for seq in marks] == [7 + place & 0x0F for place in range(len(marks))]
    rows = rows_of(part1.decode_batch(frames))
    assert len(rows) == 96 * len(units)
    assert set(rows) <= TRUE


def test_what_cannot_be_understood_is_left():
    head = b"\x4b" + SITE.region.to_bytes(2, "little") + SITE.terminal.to_bytes(2, "little")
    assert TERMINAL.receive(wrap(2, head + b"\x02\x0c\xf1"), Instant(0.0, NOW_S)) == []


def test_a_dead_meter_says_nothing():
    town, (_, terminal) = small_town(faults=Faults(dead=1.0), days=1)
    for meter in town[1].meters:
        assert ask(0x0C, build_unit(0x0C, False, [meter.point], [129]), terminal=terminal)[1].units == DENIED


def test_another_terminals_frames_are_not_answered():
    question = service.request(SITE.region, SITE.terminal + 1, 0x0C, [build_unit(0x0C, False, [0], [2])])
    assert TERMINAL.receive(part1.encode(question), Instant(0.0, NOW_S)) == []


@settings(max_examples=300, deadline=timedelta(seconds=5))
@given(st.data())
def test_whatever_comes_nothing_is_raised(data):
    _, (_, terminal) = small_town(meters=4, others=0)
    terminal.connected(Instant(0.0, NOW_S))
    afn = data.draw(st.sampled_from([0x00, 0x01, 0x04, 0x05, 0x0A, 0x0C, 0x0D, 0x0D, 0x0E, 0x10]))
    head = b"\x4b" + SITE.region.to_bytes(2, "little") + SITE.terminal.to_bytes(2, "little") + bytes([2, afn, 0x71])
    units = b"".join(
        bytes([1, 1])
        + data.draw(
            st.sampled_from(
                [b"\x01\x14", b"\x10\x0c", b"\x01\x0b", b"\x01\x10", b"\x01\x00", b"\x02\x01", b"\x0a\x08", b"\x40\x03"]
            )
        )
        + tail
        for tail in data.draw(st.lists(st.binary(min_size=3, max_size=24), max_size=3))
    )
    frame = wrap(2, head + units + data.draw(st.binary(max_size=20)))
    for effect in terminal.receive(frame + data.draw(st.binary(max_size=20)), Instant(0.0, NOW_S)):
        if hasattr(effect, "octets"):
            part1.decode(effect.octets)
