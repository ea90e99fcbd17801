from __future__ import annotations

import random

import pytest

from meterweave.errors import EncodeError
from meterweave.protocols.mbus import (
    Acknowledge,
    Header,
    Link,
    Long,
    Plain,
    Readout,
    Search,
    SecondaryAddress,
    Short,
    build_answer,
    build_record,
    decode,
    encode,
)
from meterweave.protocols.mbus.master import ANSWERS_MAX, select
from meterweave.protocols.mbus.search import HEXADECIMAL

HEADER = Header(SecondaryAddress("12345678", 0x2C2D, 1, 7), 5, 0, 0)
ERROR = Long(0x08, 5, 0x70, Plain(b"\x08"))


def test_the_frame_count_bit_changes_with_every_answer():
    link = Link(5)
    assert link.reset() == Short(0x40, 5)
    link.answered()
    assert link.request_data() == link.request_data() == Short(0x7B, 5)
    link.answered()
    assert link.request_data() == Short(0x5B, 5)
    assert link.request_alarms() == Short(0x5A, 5)
    link.reset()
    link.answered()
    assert link.request_data() == Short(0x7B, 5)


def test_commands_to_a_slave():
    link = Link(1)
    assert encode(link.set_address(9)).hex() == "680606687301" + "51017a09" + "4916"
    assert decode(encode(link.set_address(250))).body.records.records[0].data == b"\xfa"
    assert encode(link.set_speed(9600)).hex() == "68030368" + "7301bd" + "3116"
    assert encode(link.reset_application()).hex() == "68030368" + "730150" + "c416"
    assert link.reset_application(0x10).body == Plain(b"\x10")
    sent = link.send_records([build_record("volume", "1.000")])
    assert decode(encode(sent)) == sent
    with pytest.raises(EncodeError, match="address is 251"):
        link.set_address(251)
    with pytest.raises(EncodeError, match="speed is 9601"):
        link.set_speed(9601)


class Slave:
    """Answers as EN 13757-2 says: another frame count bit asks for the next telegram, the same for the last again."""

    def __init__(self, telegrams):
        self._telegrams = telegrams
        self._place, self._bit = -1, None

    def answer(self, request):
        bit = request.control & 0x20
        if bit != self._bit:
            self._place = (self._place + 1) % len(self._telegrams)
            self._bit = bit
        return self._telegrams[self._place]


@pytest.mark.parametrize("loss", [0.0, 0.4])
def test_telegrams_are_joined_whatever_is_lost(loss):
    records = [build_record("volume", f"{index}.000", storage=index) for index in range(90)]
    slave = Slave(build_answer(HEADER, records, manufacturer_data=b"\x01"))
    readout, source = Readout(Link(5)), random.Random(3)
    while readout.request:
        answer = slave.answer(readout.request)
        if source.random() >= loss:
            readout.heard(decode(encode(answer)))
    assert readout.records == records
    assert readout.manufacturer_data == [b"\x01"]


def test_a_repetition_is_not_counted_twice():
    first, last = build_answer(HEADER, [build_record("volume", f"{index}.000") for index in range(40)])
    readout = Readout(Link(5))
    for message in (first, first, last):
        assert not readout.complete
        readout.heard(message)
    assert readout.telegrams == [first, last]
    assert readout.request is None


def test_a_slave_that_never_ends_is_left():
    first, _ = build_answer(HEADER, [build_record("volume", f"{index}.000") for index in range(40)])
    readout = Readout(Link(5))
    for _ in range(ANSWERS_MAX):
        assert not readout.complete
        readout.heard(first)
    assert readout.complete
    assert readout.telegrams == [first]


@pytest.mark.parametrize("message", [Acknowledge(), ERROR])
def test_an_answer_without_records_ends_the_readout(message):
    readout = Readout(Link(5))
    readout.heard(message)
    assert readout.complete
    assert readout.records == []


class Bus:
    """Slaves with secondary addresses; several together collide when read, and sometimes when they acknowledge."""

    def __init__(self, addresses, source):
        self._addresses, self._source = addresses, source
        self._selected = []

    def say(self, search):
        request = search.request
        if isinstance(request, Long):
            self._selected = [one for one in self._addresses if request.body.address.covers(one)]
            if not self._selected:
                search.silence()
            else:
                garbled = len(self._selected) > 1 and self._source.random() < 0.5
                search.heard(None if garbled else Acknowledge())
        elif len(self._selected) == 1:
            search.heard(build_answer(HEADER._replace(address=self._selected[0]), [])[0])
        elif self._source.random() < 0.5:
            search.heard(None)
        else:
            search.silence()


def walk(addresses, **options):
    search, bus = Search(**options), Bus(addresses, random.Random(1))
    while search.request:
        bus.say(search)
    return search


def test_every_slave_on_a_bus_is_found():
    source = random.Random(4)
    addresses = [SecondaryAddress(f"{source.randrange(10**8):08}", 0x2C2D, 1, 7) for _ in range(40)]
    addresses.append(addresses[0]._replace(identification=addresses[0].identification[:-1] + "0"))
    addresses = sorted(set(addresses))
    search = walk(addresses)
    assert sorted(search.found) == addresses
    assert search.unresolved == []
    assert search.farewell == Short(0x40, 253)


def test_an_empty_bus_is_one_selection():
    search = walk([])
    assert (search.found, search.select_count) == ([], 1)
    search.silence()
    search.heard(Acknowledge())
    assert search.request is None


def test_a_lone_slave_is_found_at_once():
    search = walk([HEADER.address])
    assert (search.found, search.select_count) == ([HEADER.address], 1)


def test_two_slaves_of_one_number_are_reported():
    twins = [HEADER.address, HEADER.address._replace(version=2)]
    search = walk(twins)
    assert search.found == []
    assert [one.identification for one in search.unresolved] == ["12345678"]
    narrow = walk(twins, start=SecondaryAddress("ffffffff", 0xFFFF, 2, 0xFF))
    assert narrow.found == twins[1:]


def test_hexadecimal_numbers_are_found_when_asked_for():
    addresses = [HEADER.address._replace(identification=one) for one in ("a0000000", "a000000e")]
    assert walk(addresses).found == []
    assert sorted(walk(addresses, digits=HEXADECIMAL).found) == addresses


def test_somebody_elses_answer_is_a_collision():
    search = Search(SecondaryAddress("1fffffff", 0xFFFF, 0xFF, 0xFF))
    search.heard(Acknowledge())
    search.heard(build_answer(HEADER._replace(address=SecondaryAddress("22222222", 1, 1, 7)), [])[0])
    assert search.found == []
    assert search.selection == SecondaryAddress("10ffffff", 0xFFFF, 0xFF, 0xFF)
    search.heard(Acknowledge())
    search.heard(ERROR)
    assert search.selection == SecondaryAddress("100fffff", 0xFFFF, 0xFF, 0xFF)


def test_a_selection_names_its_slaves():
    assert (
        encode(select(SecondaryAddress("12345678", 0xFFFF, 0xFF, 0xFF))).hex() == "680b0b6853fd5278563412ffffffffb216"
    )
