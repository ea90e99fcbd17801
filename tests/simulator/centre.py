"""A tiny centre that confirms everything: octets in, octets out, and the reports it took. For tests only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from meterweave.metering.batch import ReadingBatch
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Link, Message, access, association, segment
from meterweave.protocols.dlt698.frame import DIR
from meterweave.protocols.dlt698.times import date_time
from meterweave.protocols.gdw1376 import part1
from meterweave.protocols.gdw1376.part1 import service
from meterweave.protocols.gdw1376.part1.message import CON
from meterweave.protocols.stream import Garbage
from meterweave.simulator import Concentrator, Faults, Habits, Instant, Plan, Protocol, Terminal, build, terminals_of
from meterweave.simulator.session import HangUp
from meterweave.simulator.town import DAY_S, LOCAL_S

MIDNIGHT_S = 1_789_948_800 - LOCAL_S
ANY_TIME = date_time(datetime(2026, 9, 21))


def plan(**given: object) -> Plan:
    wanted: dict[str, object] = {"terminals": 2, "meters": 42, "others": 12, "first_s": MIDNIGHT_S, "days": 2}
    return Plan(**{**wanted, **given})  # type: ignore[arg-type]


def small_town(
    window: int = 8,
    **given: object,
) -> tuple[tuple[Concentrator, ...], tuple[Terminal, ...]]:
    wanted = plan(**given)
    town = build(wanted)
    habits = Habits(heartbeat_s=60.0, answer_s=5.0, window=window)
    return town, terminals_of(town, MIDNIGHT_S, seed=wanted.seed, faults=wanted.faults, habits=habits)


class Centre:
    """What a centre knows of one connection; `frames` are the whole frames that came."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.module = dlt698 if protocol is Protocol.DLT698 else part1
        self.frames: list[bytes] = []
        self.apdus: list[bytes] = []
        self.logouts = 0
        self.reset()

    def reset(self) -> None:
        """A new connection."""
        self._decoder = self.module.FrameDecoder()
        self._joiner = segment.FragmentJoiner()

    def hear(self, octets: bytes) -> bytes:
        """What comes back for `octets`."""
        answers = b""
        for event in self._decoder.feed(octets):
            if isinstance(event, Garbage):
                continue
            self.frames.append(event)
            answers += self._hear698(event) if self.protocol is Protocol.DLT698 else self._hear1376(event)
        return answers

    def _hear1376(self, frame: bytes) -> bytes:
        message = part1.decode(frame)
        self.logouts += message.afn == service.LINK and message.units[0].items == (2,)
        return part1.encode(service.confirm(message)) if message.seq & CON else b""

    def _hear698(self, frame: bytes) -> bytes:
        message = dlt698.decode(frame)
        assert message.link
        apdu = message.apdu
        if message.fragment:
            joined = self._joiner.feed(message)
            if isinstance(joined, segment.Acknowledge):
                return dlt698.encode(joined.message)
            assert isinstance(joined, segment.Joined)
            self.apdus.append(joined.octets)
            apdu = dlt698.decode_apdu(joined.octets)
        link = Link(message.link.control & ~DIR & ~0x20, message.link.af, message.link.sa, message.link.ca)
        match apdu:
            case association.LinkRequest():
                self.logouts += apdu.request_type == 2
                return dlt698.encode(
                    Message(link, association.LinkResponse(apdu.piid_acd, 0x80, apdu.request_time, ANY_TIME, ANY_TIME))
                )
            case access.ReportNotificationRecordList():
                oads = tuple(result.oad for result in apdu.results)
                return dlt698.encode(Message(link, access.ReportResponseRecordList(apdu.piid_acd, oads)))
        return b""

    def readings(self) -> ReadingBatch:
        batch = self.module.CODEC.decode_batch(self.frames)
        assert batch.bad == ()
        assert not batch.missing.any()
        assert not batch.quality.any()
        return batch


def talk(terminal: Terminal, centre: Centre, until_s: int, *, wait_s: float = 0.0) -> list[bytes]:
    """Let a terminal and a centre talk without a network until everything due by `until_s` is confirmed.

    Habits pass as fast as they can. Gives all octets of the terminal, in order.
    """
    said: list[bytes] = []
    for _ in range(100_000):
        now = Instant(wait_s, until_s)
        centre.reset()
        effects = list(terminal.connected(now))
        standing = True
        while standing:
            while effects:
                effect = effects.pop(0)
                if isinstance(effect, HangUp):
                    standing = False
                    break
                said.append(effect.octets)
                back = centre.hear(effect.octets)
                if back:
                    effects += terminal.receive(back, now)
            if standing and terminal.counts.logins and terminal.idle(until_s):
                return said
            if standing:
                wait_s += terminal.wake_s(now, 1.0) + 0.001
                now = Instant(wait_s, until_s)
                effects += terminal.tick(now)
        terminal.lost()
    raise AssertionError("the town never came to rest")


def rows_of(batch: ReadingBatch) -> list[tuple[int, ...]]:
    columns = (batch.meter, batch.quantity, batch.profile, batch.ts, batch.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def true_rows(tables: Sequence[object]) -> set[tuple[int, ...]]:
    found: set[tuple[int, ...]] = set()
    for table in tables:
        names = ("wire_key", "quantity", "profile", "ts", "value")
        columns = [table.column(name).cast("int64").to_pylist() for name in names]  # type: ignore[attr-defined]
        found |= set(zip(*columns, strict=True))
    return found


__all__ = [
    "DAY_S",
    "MIDNIGHT_S",
    "Centre",
    "Faults",
    "plan",
    "rows_of",
    "small_town",
    "talk",
    "true_rows",
]
