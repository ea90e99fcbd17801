from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterweave.errors import ConfigError, EncodeError
from meterweave.metering.quantities import quantities
from meterweave.protocols.gdw1376.part1.catalogue import AFN_NAMES, layout_of, layouts, name_of
from meterweave.protocols.gdw1376.part1.formats import Decimal
from meterweave.protocols.gdw1376.part1.items import SHIFTS, items
from meterweave.protocols.gdw1376.part1.layout import Cell, Layout, Repeat, parse
from meterweave.protocols.gdw1376.part1.values import Entries, Named, run_values
from meterweave.text import Text
from tests.protocols.gdw1376.part1.strategies import layout_data

EVERY = sorted(layouts())


def layout(text):
    return Layout(Text("a test", "测试"), parse(text))


def cells(steps):
    for step in steps:
        yield from [step] if isinstance(step, Cell) else cells(step.steps)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(EVERY), st.data())
def test_every_layout_is_read_to_the_end_and_built_again(key, data):
    one = layouts()[key]
    octets = data.draw(layout_data(one))
    found = one.find(octets)
    assert (found.complete, found.end) == (True, len(octets))
    entries = [entry for run in found.runs for entry in run_values(run, octets)]
    take = Entries(entries)
    again = one.build(take)
    take.finish()
    assert [entry for run in one.find(again).runs for entry in run_values(run, again)] == entries
    for size in {0, len(octets) // 2, len(octets) - 1} - {-1}:
        short = one.find(octets[:size])
        assert short.end <= size


@pytest.mark.parametrize("key", EVERY, ids=lambda key: f"{key.afn:02X}-F{key.fn}-{'up' if key.uplink else 'down'}")
def test_no_name_stands_twice_in_a_layout(key):
    names = [cell.name for cell in cells(layouts()[key].steps) if cell.name != "<"]
    assert len(names) == len(set(names))


def test_every_item_is_used_and_told_in_two_languages():
    used = {item.name for one in layouts().values() for cell in cells(one.steps) for item in cell.parts}
    assert used == set(items())
    assert all(item.meaning.en and item.meaning.zh and item.unit for item in items().values())


def test_every_quantity_is_known_and_never_coarser_than_its_item():
    for one in layouts().values():
        for cell in cells(one.steps):
            if not cell.item.obis:
                continue
            quantity = cell.item.quantity()
            assert quantity is not None, cell.name
            assert quantity.obis in quantities()
            assert cell.item.unit == quantity.unit or (cell.item.unit, quantity.unit) in SHIFTS
            if isinstance(cell.format, Decimal):
                assert cell.format.exponent + cell.item.shift() >= quantity.exponent


def test_every_layout_has_a_title_and_every_function_a_name():
    assert all(one.title.en and one.title.zh for one in layouts().values())
    assert {key.afn for key in layouts()} <= set(AFN_NAMES)


def test_layouts_that_follow_from_others():
    assert layout_of(0x0A, True, 25) is layout_of(0x04, False, 25)
    assert layout_of(0x0C, False, 1500).steps == ()
    assert [step.name for step in layout_of(0x0D, False, 81).steps] == ["curve.start", "curve.density", "curve.count"]
    assert [step.name for step in layout_of(0x0D, False, 17).steps] == ["freeze.month"]
    assert layout_of(0x0D, False, 1500) is None
    assert layout_of(0x0C, True, 1500) is None
    assert layout_of(0x06, False, 1) is None
    assert name_of(0x0A, 25) == name_of(0x04, 25)
    assert name_of(0x0C, 1500).zh == "信息类F1500"


def test_a_last_month_s_names_say_so():
    names = [cell.name for cell in cells(layout_of(0x0C, True, 37).steps)]
    assert names[:3] == ["read_time", "tariff_count", "last_month.energy.forward_active.*"]


def test_names_of_tariffs_points_and_lists():
    one = layout("tariff_count:TARIFFS t( energy.forward_active.*:A14 )")
    names = [run.name(index) for run in one.find(b"\2" + bytes(15)).runs for index in range(run.times)]
    assert names[1:] == ["energy.forward_active.total", "energy.forward_active.t1", "energy.forward_active.t2"]
    one = layout("curve.count:COUNT1 p( voltage_angle.|a[*]:A5|b[*]:A5 )")
    names = [run.name(index) for run in one.find(b"\2" + bytes(8)).runs for index in range(run.times)]
    assert names[1:] == ["voltage_angle.a[0]", "voltage_angle.b[0]", "voltage_angle.a[1]", "voltage_angle.b[1]"]
    one = layout("plan_count:COUNT1 plan[ period_count:COUNT1 period[ start:A19 ] ]")
    names = [run.name(0) for run in one.find(bytes.fromhex("020100000200000000")).runs]
    assert names == [
        "plan_count",
        "plan[0].period_count",
        "plan[0].period[0].start",
        "plan[1].period_count",
        "plan[1].period[0].start",
        "plan[1].period[1].start",
    ]


def test_a_count_that_cannot_be_meant_ends_the_layout():
    one = layout("tariff_count:TARIFFS t( energy.forward_active.*:A14 )")
    assert one.find(b"\xee" + bytes(2000))[1:] == (1, False)
    assert one.build(Named({"tariff_count": 238})) == b"\xee"
    hour = layout_of(0x0C, True, 81)
    assert hour.find(bytes.fromhex("0007") + bytes(99))[1:] == (2, False)


@pytest.mark.parametrize("text", ["voltage.a:A99", "voltage.a", "nothing.known:A7", "?", "? t( voltage.a:A7 )"])
def test_words_that_are_not_of_the_language(text):
    with pytest.raises(ConfigError):
        parse(text)


def test_what_may_be_left_out():
    one = layout("voltage.a:A7 ? voltage.b:A7 voltage.c:A7")
    assert one.build(Named({"voltage.a": "1.0"})).hex() == "1000"
    assert one.build(Named({"voltage.a": "1.0", "voltage.b": "2.0", "voltage.c": "3.0"})).hex() == "100020003000"
    with pytest.raises(EncodeError, match=r"voltage\.c"):
        one.build(Named({"voltage.a": "1.0", "voltage.b": "2.0"}))
    assert one.find(bytes(2))[1:] == (2, True)
    assert one.find(bytes(4))[1:] == (4, False)
    assert one.find(bytes(6))[1:] == (6, True)


def test_a_repeat_says_how_often():
    assert [Repeat(kind, "", ()).times(4) for kind in "tp["] == [5, 4, 4]
