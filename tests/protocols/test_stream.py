"""The splitter on a toy protocol: 7EH, size, payload, sum of the payload. What holds here holds for all of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from meterweave.protocols.inspect import join_garbage
from meterweave.protocols.stream import FrameDecoder, Garbage


class ToyDecoder(FrameDecoder):
    starts = b"\x7e\x7f"
    size_max = 258

    def probe(self, octets: bytes, at: int) -> int | str:
        if len(octets) < at + 2:
            return len(octets) - at - 2
        size = octets[at + 1] + 3
        if len(octets) < at + size:
            return -(at + size - len(octets))
        if sum(octets[at + 2 : at + size - 1]) % 256 != octets[at + size - 1]:
            return "bad sum"
        return size


class OneStart(ToyDecoder):
    starts = b"\x7e"


def frame(payload: bytes) -> bytes:
    return bytes([0x7E, len(payload)]) + payload + bytes([sum(payload) % 256])


def run(decoder: FrameDecoder, octets: bytes, cuts: list[int]) -> list[bytes | Garbage]:
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    events = []
    for start, end in pairwise(edges):
        events += decoder.feed(octets[start:end])
        assert decoder.held < decoder.size_max
    return join_garbage([*events, *decoder.flush()])


noise = st.binary(max_size=8)
cuts = st.lists(st.integers(0, 10_000), max_size=8)
frames = st.binary(max_size=12).map(frame)


@given(st.lists(noise | frames, max_size=6).map(b"".join), cuts)
def test_nothing_is_lost_and_cuts_change_nothing(octets: bytes, where: list[int]) -> None:
    for decoder in (ToyDecoder(), OneStart()):
        events = run(decoder, octets, where)
        assert b"".join(one if isinstance(one, bytes) else one.octets for one in events) == octets
        assert events == run(type(decoder)(), octets, [])
        assert decoder.frame_count == sum(isinstance(one, bytes) for one in events)
        assert decoder.garbage_octet_count == sum(len(one.octets) for one in events if isinstance(one, Garbage))
        assert decoder.held == 0


@given(st.lists(frames, min_size=1, max_size=5))
def test_clean_frames_come_out_as_they_are(wanted: list[bytes]) -> None:
    octets = b"".join(wanted)
    assert run(OneStart(), octets, []) == wanted
    assert run(OneStart(), octets, list(range(len(octets)))) == wanted


def test_reasons() -> None:
    decoder = OneStart()
    assert decoder.feed(b"ab\x7e\x01AB") == [Garbage(b"ab\x7e\x01AB", "before a start octet")]
    assert decoder.feed(b"\x7e\x01AB") == [Garbage(b"\x7e\x01AB", "bad sum")]
    assert decoder.feed(b"\x7e\x05A") == []
    assert decoder.flush() == [Garbage(b"\x7e\x05A", "cut short")]


def test_a_false_start_does_not_swallow_the_frame_behind_it() -> None:
    good = frame(b"hello")
    decoder = OneStart()
    assert decoder.feed(b"\x7e\x40" + good) == []
    assert decoder.flush() == [Garbage(b"\x7e\x40", "cut short"), good]
