"""One gateway's connection: rows in and kept in order, plans and wishes out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

import pyarrow as pa
import structlog

from meterweave.centre.gateway_plan import Charge
from meterweave.centre.gateway_rows import Checked, RowsError, checked
from meterweave.centre.gateway_settings import GatewaysSettings
from meterweave.errors import ConfigError, DecodeError, EncodeError
from meterweave.field.order import BUSY, Happened, Outcome, Wish
from meterweave.gateway.status import LineStatus, SiteStatus
from meterweave.gateway.wire import (
    Again,
    Answered,
    Asked,
    Bad,
    Decoder,
    Kept,
    Message,
    Ping,
    Plan,
    Pong,
    Refusal,
    Rows,
    Status,
    encode,
)
from meterweave.lake import LakeError
from meterweave.metering.batch import ReadingBatch
from meterweave.text import Text

CHUNK = 1 << 18
ROWS_AT_ONCE = 100_000
"""Rows that are kept together. [rows]"""
TOLD_AT_ONCE = 20
"""Devices of which it is logged at once that something is amiss with them."""
LOGGED_MAX = 200
"""Most of a gateway's words that are logged. [characters]"""
LOGGED_LINES_MAX, LOGGED_S = 60, 600.0
"""Most lines in the log that one connection may give rise to in so many seconds."""
PINGS_IN_SILENCE = 4
"""How often a word is said in the time after which silence is the end."""
WAITING_OCTETS_MAX = 1 << 25
"""Octets to a gateway that takes none; with more its connection is given up. [octets] Two of the longest plans."""

LOST = Text("the connection to the gateway was lost before it answered", "网关应答前连接中断")
TOO_LATE = Text("the gateway did not answer in time", "网关未在规定时间内应答")
TOO_LONG = Text("what is wished is too long for a gateway", "命令内容过长，无法发送给网关")

_log = structlog.get_logger(__name__)

Keep = Callable[[ReadingBatch, pa.RecordBatch | None], Awaitable[None]]


@dataclass(slots=True)
class GatewayCounters:
    """Since the start, except the first, which holds now."""

    online: int = 0
    logins: int = 0
    keys_wrong: int = 0
    """Logins with a name or key that is none."""
    turned_away: int = 0
    """Closed as they came: too many, or not from a network that may call."""
    broken: int = 0
    """Connections ended because what came was not the interface: before TLS, in it, or after the login."""
    blobs_kept: int = 0
    blobs_refused: int = 0
    """Of which nothing, or not all, could be kept; the gateway set them aside."""
    blobs_postponed: int = 0
    """That could not be kept just then; the gateway sends them again."""
    wishes: int = 0
    wishes_unknown: int = 0
    """Of these, how many ended without an answer."""


class Owner(Protocol):
    """What a connection needs of all the gateways."""

    settings: GatewaysSettings
    counters: GatewayCounters
    keep: Keep

    def clock(self) -> int:
        """The centre's time. [us since 1970, UTC]"""

    def heard(self, terminal: int) -> None:
        """A gateway or line was heard just now."""


class _Looked(NamedTuple):
    """A blob and what of it is to be kept."""

    seq: int
    kept: Checked | None
    refused: str


class _Bounded:
    """Counts lines in the log."""

    def __init__(self) -> None:
        self._since, self._lines = 0.0, 0

    def may(self, now_s: float) -> bool:
        """Whether one more may be written; if so, it counts."""
        if now_s - self._since >= LOGGED_S:
            self._since, self._lines = now_s, 0
        self._lines += 1
        return self._lines <= LOGGED_LINES_MAX

    @property
    def is_used_up(self) -> bool:
        """Whether that was the last one for now."""
        return self._lines >= LOGGED_LINES_MAX


class GatewayLink:
    """A gateway that has proved who it is.

    Attributes
    ----------
    gateway : int
        Its id in the archives.
    status : SiteStatus
        What it told last of its lines.
    """

    def __init__(
        self,
        owner: Owner,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: Decoder,
        *,
        gateway: int,
        name: str,
        journal: str,
        digest: str | None,
        charge: Charge,
    ) -> None:
        self._owner, self._reader, self._writer, self._decoder = owner, reader, writer, decoder
        self.gateway, self.name, self.journal, self.digest, self.charge = gateway, name, journal, digest, charge
        self.status = SiteStatus("")
        self._again: int | None = None  # from where on it has to send once more
        self._refused_reason = ""
        self._log = _Bounded()
        self._pinged_at = asyncio.get_running_loop().time()
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Happened]] = {}
        self._ended = False

    async def run(self) -> None:
        """Until the connection ends; raises what ended it, `OSError` or `DecodeError`."""
        self.send_plan()
        try:
            while True:
                await self._take_what_is_there()
                async with asyncio.timeout(self._owner.settings.silence_s):
                    octets = await self._reader.read(CHUNK)
                if not octets:
                    return
                self._decoder.feed(octets)
                self._say_we_are_here()
        finally:
            self._ended = True
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_result(Happened(Outcome.UNKNOWN, LOST))
            self._writer.transport.abort()

    def line(self, terminal: int) -> LineStatus | None:
        """How one of its lines fares; None: it is not known."""
        return self.status.lines.get(terminal)

    def set_charge(self, charge: Charge) -> None:
        """The archives changed; the gateway is told where that changes its plan."""
        changed, self.charge = charge.revision != self.charge.revision, charge
        if changed:
            self.send_plan()

    def send_plan(self) -> None:
        """Tell the gateway what to read; without a plan that can be told it goes on by the one it has."""
        if self.charge.plan is None:
            _log.error("a gateway's plan cannot be made", gateway=self.name, why=self.charge.revision)
            return
        try:
            self._say(Plan(self.charge.plan.to_json()))
        except EncodeError as error:
            _log.error("plan not sent", gateway=self.name, why=str(error))

    def end(self, reason: str) -> None:
        """Tell the gateway that it is over, and close; what it has not read by then it will not."""
        if not self._ended:
            self._say(Refusal(reason))
            self._writer.close()

    async def ask(self, wish: Wish, begin_s: float) -> Happened:
        """Have the gateway fulfil a wish; whatever comes of it, nothing is raised."""
        settings, counters = self._owner.settings, self._owner.counters
        if len(self._asked) >= settings.wishes_max:
            return Happened(Outcome.NOT_SENT, BUSY)
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            if self._ended or not self._say(Asked(number, wish, begin_s)):
                return Happened(Outcome.NOT_SENT, LOST)
            counters.wishes += 1
            async with asyncio.timeout(begin_s + settings.answer_s):
                found: Happened = await answer
        except EncodeError:
            return Happened(Outcome.NOT_SENT, TOO_LONG)
        except TimeoutError:
            found = Happened(Outcome.UNKNOWN, TOO_LATE)
        finally:
            del self._asked[number]
        counters.wishes_unknown += found.result is Outcome.UNKNOWN
        return found

    def _say(self, message: Message) -> bool:
        """Whether it is on its way, as far as that can be known."""
        octets = encode(message)
        if self._writer.transport.get_write_buffer_size() > WAITING_OCTETS_MAX:
            self._writer.transport.abort()
        if self._writer.is_closing():
            return False
        self._writer.write(octets)
        return True

    def _say_we_are_here(self) -> None:
        """Say a word now and then while octets come: on a slow link a gateway's own ping waits behind its rows."""
        now = asyncio.get_running_loop().time()
        if now - self._pinged_at >= self._owner.settings.silence_s / PINGS_IN_SILENCE:
            self._pinged_at = now
            self._say(Ping())

    # What the gateway says --------------------------------------------------------------------------------------------

    async def _take_what_is_there(self) -> None:
        """Every message of the octets that came; rows are kept together."""
        looked: list[_Looked] = []
        rows = 0
        while (message := self._decoder.next()) is not None:
            if not isinstance(message, Rows):
                self._take(message)
            elif self._wanted(message):
                looked.append(self._look(message))
                rows += _row_count(looked[-1])
                if rows >= ROWS_AT_ONCE:
                    await self._keep(looked)
                    looked, rows = [], 0
        if looked:
            await self._keep(looked)

    def _take(self, message: Message) -> None:
        match message:
            case Answered(number, happened):
                answer = self._asked.get(number)  # none: it came too late
                if answer is not None and not answer.done():
                    answer.set_result(happened)
            case Status(content):
                self._hear_status(content)
            case Ping():
                self._owner.heard(self.gateway)
                self._say(Pong(self._owner.clock()))

    def _hear_status(self, content: object) -> None:
        try:
            status = SiteStatus.from_json(content)
        except ConfigError as error:
            raise DecodeError("bad_data", str(error)) from error
        own = set(self.charge.lines.tolist())
        for terminal in own & status.lines.keys():
            line, before = status.lines[terminal], self.status.lines.get(terminal)
            if line.heard_us is not None and (before is None or before.heard_us != line.heard_us):
                self._owner.heard(terminal)
            if line.problem and (before is None or before.problem != line.problem):
                self._warn("line of a gateway not run", terminal=terminal, why=line.problem)
        self._tell_devices(status)
        self.status = status
        self._owner.heard(self.gateway)

    def _tell_devices(self, status: SiteStatus) -> None:
        """Log what is new of what is amiss; of many devices some."""
        before, own = self.status.devices, set(self.charge.meters.tolist())
        new = [(meter, told) for meter, told in status.devices.items() if meter in own and before.get(meter) != told]
        for meter, told in new[:TOLD_AT_ONCE]:
            self._warn("device of a gateway", meter=meter, told=told)

    def _warn(self, words: str, **facts: int | str) -> None:
        """Log something a gateway gave rise to, which may be a broken one, or in the wrong hands."""
        if self._log.may(asyncio.get_running_loop().time()):
            short = {name: one[:LOGGED_MAX] if isinstance(one, str) else one for name, one in facts.items()}
            _log.warning(words, gateway=self.name, **short)
            if self._log.is_used_up:
                _log.warning("a gateway gives rise to more than is logged", gateway=self.name)

    # Rows -------------------------------------------------------------------------------------------------------------

    def _wanted(self, rows: Rows) -> bool:
        """Whether to look at rows: not at those that follow some that could not be kept, until these come again."""
        if self._again is not None and rows.seq != self._again:
            return False
        self._again = None
        return True

    def _look(self, rows: Rows) -> _Looked:
        try:
            found = checked(rows, self.charge, self._owner.clock())
        except RowsError as error:
            return _Looked(rows.seq, None, str(error))
        return _Looked(rows.seq, found, found.refused)

    async def _keep(self, looked: Sequence[_Looked]) -> None:
        """Keep what is to be kept of all of these with one fsync, then answer each."""
        found = [one.kept for one in looked if one.kept is not None]
        events = [one.events for one in found if one.events is not None and one.events.num_rows]
        joined = pa.Table.from_batches(events).combine_chunks().to_batches()[0] if events else None
        refused = ""
        try:
            await self._owner.keep(ReadingBatch.concat([one.readings for one in found]), joined)
        except LakeError:
            self._owner.counters.blobs_postponed += len(looked)
            self._again = looked[0].seq
            self._say(Again(looked[0].seq))
            return
        except ValueError as error:  # rows that no lake takes: they must not stand in the way of the others for ever
            refused = f"the lake cannot take it: {error}"
        for one in looked:
            self._answer(one.seq, one.refused or refused)

    def _answer(self, seq: int, refused: str) -> None:
        if not refused:
            self._owner.counters.blobs_kept += 1
            self._say(Kept(seq))
            return
        self._owner.counters.blobs_refused += 1
        if refused != self._refused_reason:
            self._warn("rows of a gateway refused", seq=seq, why=refused)
        self._refused_reason = refused
        self._say(Bad(seq, refused))


def _row_count(looked: _Looked) -> int:
    if looked.kept is None:
        return 0
    events = looked.kept.events
    return len(looked.kept.readings) + (0 if events is None else events.num_rows)
