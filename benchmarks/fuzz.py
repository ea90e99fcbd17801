"""Random and mutated frames into every decoder: nothing but `DecodeError` may come out, quickly, in little memory.

Run: ``python -m benchmarks.fuzz --inputs 10000000 [--protocol NAME] [--seed 1]``. Inputs are random octets, cut, grown
and spliced good frames, and good frames with changed octets whose checks are made right again, so that the inside of
the decoders is reached. Every input goes through `decode`; what decodes must encode to the same octets; every
hundredth goes through the stream splitter, the JSON view, `explain` and `decode_batch` too.
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


def make_input(random: Random, seeds: list[bytes], mend: Callable[[bytearray], None]) -> bytes:
    """One hostile input."""
    kind = random.random()
    if kind < 0.05:
        return random.randbytes(random.choice((3, 20, 200, _SIZE_MAX)))
    frame = bytearray(random.choice(seeds))
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        _mutate(random, frame, seeds)
    if kind < 0.9:
        mend(frame)
    return bytes(frame[:_SIZE_MAX])


def _mutate(random: Random, frame: bytearray, seeds: list[bytes]) -> None:
    at = random.randrange(len(frame) + 1)
    what = random.randrange(6)
    if what == 0 and at < len(frame):
        frame[at] = random.choice((0x00, 0xFF, 0x7F, 0x80, 0x68, 0x16, 0xEE, 0xAA, 0x81))
    elif what == 1 and at < len(frame):
        frame[at] ^= 1 << random.randrange(8)
    elif what == 2:
        del frame[at : at + random.randrange(1, 9)]
    elif what == 3:
        frame[at:at] = random.randbytes(random.randrange(1, 9))
    elif what == 4:
        other = random.choice(seeds)
        start = random.randrange(len(other))
        frame[at:at] = other[start : start + random.randrange(1, 40)]
    elif at < len(frame):
        frame[at] = random.randrange(256)


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
    random = Random(f"{codec.name} {seed}")
    vectors = json.loads((_VECTORS / f"{_FILES[codec.name]}.json").read_text(encoding="utf-8"))
    seeds = [bytes.fromhex(vector["hex"]) for vector in vectors]
    mend = _MEND[codec.name]
    ends: Counter[str] = Counter()
    slowest = 0.0
    for number in range(inputs):
        octets = make_input(random, seeds, mend)
        start = time.perf_counter()
        try:
            ends[check(codec, octets, thoroughly=number % 100 == 0)] += 1
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
