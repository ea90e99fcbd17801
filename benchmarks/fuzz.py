"""Random and mutated frames into every decoder: nothing but `DecodeError` may come out, quickly, in little memory.

Run: ``python -m benchmarks.fuzz --inputs 10000000 [--protocol NAME] [--seed 1]``. Inputs are random octets, cut, grown
and spliced good frames, and good frames with changed octets whose checks are made right again, so that the inside of
the decoders is reached. Every input goes through `decode`; what decodes must encode to the same octets; every
500th goes through the stream splitter, the JSON view, `explain` and `decode_batch` too.
"""

from __future__ import annotations

import argparse
import json
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from meterweave.errors import DecodeError
from meterweave.protocols.checksum import crc_modbus, crc_x25, sum8
from meterweave.protocols.codec import Codec
from meterweave.protocols.inspect import inspect
from meterweave.protocols.registry import registry

_VECTORS = Path(__file__).parent.parent / "tests" / "data" / "vectors"
_FILES = {
    "dlt645": "dlt645-2007",
    "dlt698": "dlt698-45",
    "gdw1376-1": "gdw1376-1",
    "gdw1376-2": "gdw1376-2",
    "cjt188": "cjt188",
    "mbus": "mbus-en13757",
    "modbus": "modbus-prepaid",
}
_SIZE_MAX = 4096
_SIZES = (0, 3, 20, 200, _SIZE_MAX)  # octets of an input that is all noise
_MUTATIONS = (1, 1, 1, 2, 2, 4)
_TELLING = bytes.fromhex("00FF7F806816EEAA8101")  # octets that mean something in one protocol or another
_THOROUGHLY = 500  # one input in so many goes through all of a codec
_SLOW_S = 0.25


def _sum_from(start: int) -> Callable[[bytearray], None]:
    def mend(frame: bytearray) -> None:
        if len(frame) > start + 2:
            frame[-2] = sum8(bytes(frame[start:-2]))

    return mend


def _mend_698(frame: bytearray) -> None:
    if len(frame) < 14 or frame[0] != 0x68:
        return
    header = 6 + (frame[4] & 0x0F) + 1
    if header + 5 > len(frame):
        return
    struct.pack_into("<H", frame, 1, (len(frame) - 2) & 0x3FFF)
    struct.pack_into("<H", frame, header, crc_x25(bytes(frame[1:header])))
    struct.pack_into("<H", frame, len(frame) - 3, crc_x25(bytes(frame[1:-3])))


def _mend_1376_1(frame: bytearray) -> None:
    if len(frame) >= 12:
        length = struct.pack("<H", ((len(frame) - 8) << 2 | 2) & 0xFFFF)
        frame[1:5] = length + length
        _sum_from(6)(frame)


def _mend_1376_2(frame: bytearray) -> None:
    if len(frame) >= 15:
        struct.pack_into("<H", frame, 1, len(frame) & 0xFFFF)
        _sum_from(3)(frame)


def _mend_645(frame: bytearray) -> None:
    if len(frame) >= 12:
        frame[9] = (len(frame) - 12) & 0xFF
        _sum_from(0)(frame)


def _mend_188(frame: bytearray) -> None:
    if len(frame) >= 13:
        frame[10] = (len(frame) - 13) & 0xFF
        _sum_from(0)(frame)


def _mend_mbus(frame: bytearray) -> None:
    if len(frame) >= 9 and frame[0] == 0x68:
        frame[1] = frame[2] = (len(frame) - 6) & 0xFF
        _sum_from(4)(frame)


def _mend_modbus(frame: bytearray) -> None:
    if len(frame) >= 4:
        struct.pack_into("<H", frame, len(frame) - 2, crc_modbus(bytes(frame[:-2])))


_MEND = {
    "dlt645": _mend_645,
    "dlt698": _mend_698,
    "gdw1376-1": _mend_1376_1,
    "gdw1376-2": _mend_1376_2,
    "cjt188": _mend_188,
    "mbus": _mend_mbus,
    "modbus": _mend_modbus,
}


class Mutator:
    """Makes hostile inputs out of good frames; the same seed makes the same inputs."""

    def __init__(self, seed: str, seeds: list[bytes], mend: Callable[[bytearray], None]) -> None:
        self._random = Random(seed)
        self._seeds = seeds
        self._mend = mend

    def below(self, count: int) -> int:
        """A whole number from 0 up to `count`; quicker than `randrange`, which is most of the time otherwise."""
        return int(self._random.random() * count)

    def next(self) -> bytes:
        """One hostile input."""
        kind = self.below(100)
        if kind < 2:
            return self._random.randbytes(_SIZES[self.below(len(_SIZES))])
        frame = bytearray(self._seeds[self.below(len(self._seeds))])
        for _ in range(_MUTATIONS[self.below(len(_MUTATIONS))]):
            self._mutate(frame)
        if kind < 90:
            self._mend(frame)
        return bytes(frame[:_SIZE_MAX])

    def _mutate(self, frame: bytearray) -> None:
        at = self.below(len(frame) + 1)
        what = self.below(8)
        if what == 0:
            del frame[at : at + 1 + self.below(8)]
        elif what == 1:
            frame[at:at] = self._random.randbytes(1 + self.below(8))
        elif what == 2:
            other = self._seeds[self.below(len(self._seeds))]
            start = self.below(len(other))
            frame[at:at] = other[start : start + 1 + self.below(40)]
        elif at < len(frame):
            if what < 5:
                frame[at] = _TELLING[self.below(len(_TELLING))]
            elif what == 5:
                frame[at] ^= 1 << self.below(8)
            else:
                frame[at] = self.below(256)


def check(codec: Codec, octets: bytes, *, thoroughly: bool) -> str:
    """Put one input through; the kind of its end. Raises whatever should not come out."""
    try:
        message = codec.decode(octets)
    except DecodeError as error:
        kind = error.kind
    else:
        kind = "good"
        if codec.encode(message) != octets:
            raise AssertionError("decoded and encoded again the octets differ")
    if thoroughly:
        json.dumps(inspect(codec, octets))
        joined = b"".join(field.octets for field in codec.explain(octets))
        if joined != octets:
            raise AssertionError("the explained octets are not the input")
        codec.decode_batch([octets])
    return kind


def fuzz(codec: Codec, inputs: int, seed: int) -> Counter[str]:
    """Put `inputs` inputs through `codec`; how they ended. Stops at the first that breaks the rules."""
    vectors = json.loads((_VECTORS / f"{_FILES[codec.name]}.json").read_text(encoding="utf-8"))
    seeds = [bytes.fromhex(vector["hex"]) for vector in vectors]
    mutator = Mutator(f"{codec.name} {seed}", seeds, _MEND[codec.name])
    ends: Counter[str] = Counter()
    slowest = 0.0
    for number in range(inputs):
        octets = mutator.next()
        start = time.perf_counter()
        try:
            ends[check(codec, octets, thoroughly=number % _THOROUGHLY == 0)] += 1
        except Exception:
            print(f"{codec.name}: input {number} of seed {seed}: {octets.hex()}", file=sys.stderr)
            raise
        slowest = max(slowest, time.perf_counter() - start)
    if slowest > _SLOW_S:
        print(f"{codec.name}: slowest input took {slowest:.2f} s", file=sys.stderr)
    return ends


def main() -> None:
    """Fuzz one protocol, or all of them one after another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="for each protocol")
    parser.add_argument("--protocol", choices=list(_FILES), help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name in [options.protocol] if options.protocol else _FILES:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.perf_counter()
        ends = fuzz(registry()[name], options.inputs, options.seed)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        took = time.perf_counter() - start
        rest = ", ".join(f"{kind} {count}" for kind, count in ends.most_common())
        print(
            f"{name}: {options.inputs:,} inputs, seed {options.seed}, {took:.0f} s, +{grown:.0f} MiB: {rest}",
            flush=True,
        )


if __name__ == "__main__":
    main()
