from __future__ import annotations

import pytest

from meterweave.metering.quantities import by_code
from meterweave.protocols.modbus import Frame, blocks, build, find_block, read_block, read_reply, set_relay, span
from meterweave.protocols.modbus.commands import Relay
from meterweave.protocols.modbus.content import answers, meaning
from meterweave.protocols.modbus.readings import STATUS_BLOCKS, factor
from meterweave.protocols.modbus.registers import guess_block, join, split
from meterweave.protocols.modbus.words import Clock, Number


@pytest.mark.parametrize("name", blocks())
def test_a_block_is_in_order_and_fits(name):
    block = blocks()[name]
    end = 0
    for item in block.items:
        assert item.at >= end, item.name
        end = item.at + item.word.size
        assert item.meaning.en
        assert item.meaning.zh
    assert end <= 2 * block.count
    assert len({item.name for item in block.items}) == len(block.items)
    quantities = [item.quantity for item in block.items if item.quantity]
    assert len(set(quantities)) == len(quantities)


def test_every_measured_item_converts_to_its_quantity():
    for block in blocks().values():
        for item in block.items:
            if item.quantity is not None:
                assert isinstance(item.word, Number)
                assert by_code()[item.quantity]
                assert factor(item) > 0


def test_status_blocks_have_a_clock():
    for name in STATUS_BLOCKS:
        assert [item.at for item in blocks()[name].items if isinstance(item.word, Clock)] == [80]


@pytest.mark.parametrize(
    ("address", "count", "model", "name"),
    [
        (0x200, 48, None, "status"),
        (0x200, 72, None, "status_8"),
        (0x0000, 10, None, "energy"),
        (0x0000, 12, None, None),  # single- and three-phase meters differ
        (0x0000, 12, "DDSY1352", "ddsy_instant"),
        (0x0000, 12, "DTSY1352", "dtsy_energy"),
        (0x0201, 3, None, "status"),
        (0x0900, 6, None, "submeter_energy"),
        (0x0900, 5, None, None),
        (0x0900, 15, None, "adf_system"),
        (0x9999, 1, None, None),
    ],
)
def test_which_block_registers_belong_to(address, count, model, name):
    found = find_block(address, count, model)
    assert (found.name if found else None) == name


def test_guesses_are_one_a_length():
    lengths = [block.count for block in blocks().values() if block.guess]
    assert len(set(lengths)) == len(lengths)
    assert guess_block(48) is blocks()["status"]
    assert guess_block(7) is None


def test_an_answer_is_understood_by_its_request():
    asked = build(1, "request", 3, {"address": 0x0201, "count": 3})
    reply = read_reply(asked, [2200, 2210, 2220])
    found = span(reply, request=asked)
    assert [(value.item.name, value.item.word.to_json(value.octets)["value"]) for value in found.values] == [
        ("voltage.a", "220.0"),
        ("voltage.b", "221.0"),
        ("voltage.c", "222.0"),
    ]
    assert not found.guessed
    assert span(reply) is None
    assert span(read_reply(asked, [1]), request=asked) is None
    assert span(asked) is None
    assert span(reply, request=build(1, "request", 3, {"address": 0x9999, "count": 3})) is None


def test_a_guess_can_be_held_to_a_model():
    reply = Frame(1, 3, bytes([12]) + bytes(12))
    assert span(reply).guessed
    assert span(reply, model="1310/1312").block.name == "submeter_energy"
    assert span(reply, model="ADF300") is None


@pytest.mark.parametrize(
    ("unit", "function", "count", "fits"),
    [(1, 3, 2, True), (2, 3, 2, False), (1, 4, 2, False), (1, 3, 3, False)],
)
def test_which_answers_fit_a_request(unit, function, count, fits):
    asked = build(1, "request", 3, {"address": 0, "count": 2})
    assert answers(Frame(unit, function, bytes([2 * count]) + bytes(2 * count)), asked) is fits
    assert not answers(asked, asked)


def test_values_cut_at_the_edge_are_left_out():
    block = blocks()["energy"]
    assert [value.item.name for value in split(bytes(6), block, 1)] == ["energy.t1"]
    assert join([], block) == bytes(20)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (set_relay(1, Relay.TRIP), "forced trip"),
        (set_relay(1, Relay.CLOSE), "forced close"),
        (set_relay(1, Relay.RELEASE), "forced control off"),
        (build(1, "request", 16, {"address": 0x57, "registers": [7, 7]}), "forced relay control"),
        (read_block(1, blocks()["status"]), "DDSY/DTSY status block"),
        (build(1, "request", 3, {"address": 0x201, "count": 3}), None),
        (Frame(1, 3, bytes([2, 0, 0])), None),
    ],
)
def test_what_a_request_is_for(frame, words):
    found = meaning(frame)
    assert (found.en if found else None) == words
