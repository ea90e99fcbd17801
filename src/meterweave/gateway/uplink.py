"""The way up: one connection to the centre, opened again for ever; what waits goes up oldest first.

Nothing is forgotten here before the centre says that it is on its disk. What is on its way when the connection is lost
is sent again; the centre knows it by its numbers, and its lake by the keys of the rows.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from meterweave.errors import ConfigError, DecodeError, MeterweaveError
from meterweave.field.order import BUSY, Happened, Outcome, Wish
from meterweave.gateway.clock import SiteClock
from meterweave.gateway.disk import Disk
from meterweave.gateway.plan import SitePlan
from meterweave.gateway.settings import GatewaySettings
from meterweave.gateway.status import SiteStatus
from meterweave.gateway.store import Contact, StoreError
from meterweave.gateway.trust import Trust
from meterweave.gateway.wire import (
    FROM_CENTRE,
    ROWS_OCTETS_MAX,
    VERSION,
    Again,
    Answered,
    Asked,
    Bad,
    Decoder,
    Hello,
    Kept,
    Message,
    Ping,
    Plan,
    Pong,
    Refusal,
    Rows,
    Status,
    Welcome,
    encode,
)
from meterweave.lake.journal import Packed

CHUNK = 1 << 16
WISHES_MAX = 64
"""Wishes that are carried out at once; one more is not begun."""
CONTACT_S = 600.0
"""How often it is written down that the centre is there. [s]"""
FORGET_S = 0.5
"""Pause between two clearings of the journal: each costs an fsync. [s]"""
_AT_ONCE_OCTETS, _AT_ONCE_BLOBS = 1 << 20, 128
_ROWS_HEAD = 64

_log = structlog.get_logger(__name__)


class RefusedError(MeterweaveError):
    """The centre does not let this gateway in."""


@dataclass(slots=True)
class UplinkCounters:
    """Since the start."""

    connections: int = 0
    """How often the centre let us in."""
    blobs_sent: int = 0
    blobs_kept: int = 0
    blobs_refused: int = 0
    """Set aside: the centre will not keep them, or not all of their rows."""
    wishes: int = 0


class Uplink:
    """Keeps one connection to the centre as far as it can.

    Parameters
    ----------
    on_plan : callable
        Called with each new plan, once it is on disk.
    carry_out : callable
        Does what is wished.
    status : callable
        How lines and devices fare now.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        disk: Disk,
        clock: SiteClock,
        *,
        on_plan: Callable[[SitePlan], None],
        carry_out: Callable[[Wish, float], Awaitable[Happened]],
        status: Callable[[], SiteStatus],
    ) -> None:
        self.settings, self.disk, self.clock = settings, disk, clock
        self.on_plan, self.carry_out, self.status = on_plan, carry_out, status
        self.counters = UplinkCounters()
        self.online = False
        self.more = asyncio.Event()
        """Set when there is something new to hand on."""
        self._trust = Trust(settings.certificate)
        self._told = ""

    async def run(self) -> None:
        """Connect, and again, until cancelled."""
        again_s = self.settings.again_s
        while True:
            before = self.counters.connections
            try:
                await self._talk()
            except (OSError, MeterweaveError) as error:
                await self._offline(str(error) or "too slow")
            except Exception as error:  # a fault of ours must not end a gateway that nobody is near
                _log.exception("the connection to the centre failed")
                await self._offline(f"{type(error).__name__}: {error}")
            if self.counters.connections > before:
                again_s = self.settings.again_s
            await asyncio.sleep(again_s * random.uniform(0.5, 1.0))
            again_s = min(2 * again_s, self.settings.again_max_s)

    async def _talk(self) -> None:
        async with asyncio.timeout(self.settings.connect_within_s):
            reader, writer = await asyncio.open_connection(
                self.settings.host, self.settings.port, ssl=self._trust.context, limit=CHUNK
            )
        try:
            async with asyncio.timeout(self.settings.connect_within_s):
                session = await self._let_in(reader, writer)
            await self._online()
            await session.run()
        finally:
            self.online = False
            writer.transport.abort()

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Session:
        """Say who we are, and hear that it is believed."""
        self._trust.check(writer.get_extra_info("ssl_object"))
        own = self.settings
        loop = asyncio.get_running_loop()
        writer.write(encode(Hello(VERSION, own.name, own.key, self.disk.store.journal_id)))
        decoder, asked_at = Decoder(FROM_CENTRE), loop.time()
        while (message := decoder.next()) is None:
            octets = await reader.read(CHUNK)
            if not octets:
                raise ConnectionResetError("the centre closed the connection")
            decoder.feed(octets)
        if isinstance(message, Refusal):
            raise RefusedError(f"the centre refuses: {message.reason}")
        if not isinstance(message, Welcome):
            raise DecodeError("bad_data", f"{type(message).__name__} came before the welcome")
        self.clock.told(message.clock_us, round((loop.time() - asked_at) * 1e6))
        return Session(self, reader, writer, decoder)

    async def _online(self) -> None:
        self.counters.connections += 1
        self.online, self._told = True, ""
        _log.info("centre reached", host=self.settings.host, port=self.settings.port)
        await self.note_contact(Contact(self.clock(), True, ""))

    async def note_contact(self, contact: Contact) -> None:
        """Write down how the gateway stands with the centre; a disk that fails is told where readings are kept."""
        with suppress(MeterweaveError):
            await self.disk.do(self.disk.store.set_contact, contact)

    async def _offline(self, reason: str) -> None:
        """Say once why the centre is not there."""
        if self._told == reason:
            return
        self._told = reason
        _log.warning("centre not reached", host=self.settings.host, port=self.settings.port, why=reason)
        await self.note_contact(Contact(self.clock(), False, reason))


class Session:
    """One connection over which the gateway was let in."""

    def __init__(
        self,
        uplink: Uplink,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        decoder: Decoder,
    ) -> None:
        self._uplink, self._reader, self._writer, self._decoder = uplink, reader, writer, decoder
        self._disk, self._settings, self._counters = uplink.disk, uplink.settings, uplink.counters
        self._cursor = 0  # what follows it is sent next
        self._sent: dict[int, int] = {}  # on their way: sequence numbers, in order, and octets
        self._sent_octets = 0
        self._window_blobs = 1  # doubled by each answer: on a link that breaks soon, little is on its way in vain
        self._hold_until = 0.0
        self._pinged_at: float | None = None  # while the answer is not there
        self._answered = asyncio.Event()
        self._forget_to = 0
        self._refused_reason = ""
        self._wishes: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the connection is lost; raises what ended it."""
        works: tuple[Coroutine[Any, Any, None], ...] = (
            self._hear(),
            self._hand_on(),
            self._forget(),
            self._ping(),
            self._tell_status(),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # An order whose outcome nobody can be told any more is not begun.
            for task in (*tasks, *self._wishes):
                task.cancel()
            await asyncio.gather(*tasks, *self._wishes, return_exceptions=True)
            with suppress(MeterweaveError):  # else it is sent once more
                await self._disk.do(self._disk.store.forget, self._forget_to)

    # What the centre says ---------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        while True:
            while (message := self._decoder.next()) is not None:
                await self._take(message)
            async with asyncio.timeout(self._settings.silence_s):
                octets = await self._reader.read(CHUNK)
            if not octets:
                raise ConnectionResetError("the centre closed the connection")
            self._decoder.feed(octets)

    async def _take(self, message: Message) -> None:
        match message:
            case Kept(seq):
                self._counters.blobs_kept += 1
                self._over(seq)
            case Bad(seq, reason):
                await self._set_aside(seq, reason)
                self._over(seq)
            case Again(seq):
                self._send_again(seq)
            case Plan(content):
                await self._new_plan(content)
            case Asked(number, wish, begin_s):
                self._begin(number, wish, begin_s)
            case Ping():
                self._say(Pong(self._uplink.clock()))
            case Pong(clock_us):
                self._hear_time(clock_us)
            case Refusal(reason):
                raise RefusedError(f"the centre ends the connection: {reason}")
            case _:
                raise DecodeError("bad_data", f"{type(message).__name__} came once more")

    def _say(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def _new_plan(self, content: Any) -> None:
        """Go on by a plan; whatever is wrong with it, or with the disk, what was read is handed on."""
        try:
            plan = SitePlan.from_json(content)
        except ConfigError as error:  # of a newer centre, perhaps
            _log.error("the new plan cannot be used, going on as before; is this gateway up to date?", why=str(error))
            return
        try:
            await self._disk.do(self._disk.store.set_plan, content)
        except StoreError as error:
            _log.error("the plan cannot be written down, after a restart the one before it holds", why=str(error))
        self._uplink.on_plan(plan)

    # Rows -------------------------------------------------------------------------------------------------------------

    async def _hand_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if (pause_s := self._hold_until - loop.time()) > 0:
                await asyncio.sleep(pause_s)
            self._uplink.more.clear()
            self._answered.clear()
            room = self._settings.window_octets - self._sent_octets
            if room <= 0 or len(self._sent) >= self._window_blobs:
                await self._answered.wait()
                continue
            cursor = self._cursor
            blobs = await self._disk.do(
                self._disk.store.after,
                cursor,
                count_max=min(_AT_ONCE_BLOBS, self._window_blobs - len(self._sent)),
                octets_max=min(_AT_ONCE_OCTETS, room),
            )
            if cursor != self._cursor:
                continue  # the centre wants an earlier one once more
            if not blobs:
                await self._uplink.more.wait()
                continue
            await self._send(blobs)

    async def _send(self, blobs: list[Packed]) -> None:
        octets = bytearray()  # one write: on a connection that is lost each one is a line in the log
        for blob in blobs:
            if len(blob.octets) + _ROWS_HEAD > ROWS_OCTETS_MAX:
                if blob is blobs[0]:
                    await self._skip(blob)
                break
            self._sent[blob.seq] = len(blob.octets)
            self._sent_octets += len(blob.octets)
            self._counters.blobs_sent += 1
            self._cursor = blob.seq
            octets += encode(Rows(blob.seq, blob.kind.value, blob.octets))
        self._writer.write(octets)
        await self._writer.drain()

    async def _skip(self, blob: Packed) -> None:
        """Go on behind a blob that cannot be sent."""
        before = self._cursor
        await self._put_aside(blob, "too long for the interface")
        if self._cursor != before:
            return  # meanwhile the centre wanted an earlier one once more
        self._cursor = blob.seq
        if not self._sent:
            self._forget_to = blob.seq

    def _over(self, seq: int) -> None:
        """The centre needs these rows no more."""
        size = self._sent.pop(seq, None)
        if size is None:
            raise DecodeError("bad_data", f"the centre answers rows {seq}, which are not on their way")
        self._sent_octets -= size
        self._window_blobs = min(2 * self._window_blobs, self._settings.window_blobs)
        self._forget_to = next(iter(self._sent)) - 1 if self._sent else self._cursor
        self._answered.set()

    def _send_again(self, seq: int) -> None:
        if seq not in self._sent:
            raise DecodeError("bad_data", f"the centre wants rows {seq} again, which are not on their way")
        self._sent = {one: size for one, size in self._sent.items() if one < seq}
        self._sent_octets = sum(self._sent.values())
        self._cursor = seq - 1
        self._window_blobs = 1  # while the centre keeps nothing, little is sent in vain
        self._hold_until = asyncio.get_running_loop().time() + self._settings.refused_pause_s
        _log.warning("the centre cannot keep readings just now", again_in_s=self._settings.refused_pause_s)
        self._answered.set()
        self._uplink.more.set()

    async def _set_aside(self, seq: int, reason: str) -> None:
        self._counters.blobs_refused += 1
        if reason != self._refused_reason:
            _log.error("the centre refuses rows, they are set aside", seq=seq, why=reason)
        self._refused_reason = reason
        for blob in await self._disk.do(self._disk.store.after, seq - 1, count_max=1, octets_max=1):
            if blob.seq == seq:
                await self._put_aside(blob, reason)

    async def _put_aside(self, blob: Packed, reason: str) -> None:
        """A disk that has no room for what is refused must not hold up what is not."""
        try:
            await self._disk.do(self._disk.store.set_aside, blob, reason)
        except StoreError as error:
            _log.error("refused rows cannot be set aside, they are dropped", seq=blob.seq, why=str(error))

    async def _forget(self) -> None:
        """Clear the journal of what the centre has, now and then; where the disk refuses, later."""
        done, fails = 0, False
        while True:
            if (seq := self._forget_to) > done:
                try:
                    await self._disk.do(self._disk.store.forget, seq)
                    done, fails = seq, False
                except MeterweaveError as error:
                    if not fails:
                        _log.error("the journal cannot be cleared of what the centre has", why=str(error))
                    fails = True
            await asyncio.sleep(FORGET_S)

    # The rest ---------------------------------------------------------------------------------------------------------

    def _begin(self, number: int, wish: Wish, begin_s: float) -> None:
        self._counters.wishes += 1
        if len(self._wishes) >= WISHES_MAX:
            self._say(Answered(number, Happened(Outcome.NOT_SENT, BUSY)))
            return
        task = asyncio.create_task(self._fulfil(number, wish, begin_s))
        self._wishes.add(task)
        task.add_done_callback(self._wishes.discard)

    async def _fulfil(self, number: int, wish: Wish, begin_s: float) -> None:
        self._say(Answered(number, await self._uplink.carry_out(wish, begin_s)))

    def _hear_time(self, clock_us: int) -> None:
        if self._pinged_at is not None:
            took_s, self._pinged_at = asyncio.get_running_loop().time() - self._pinged_at, None
            self._uplink.clock.told(clock_us, round(took_s * 1e6))

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        contact_at = loop.time() + CONTACT_S
        while True:
            if self._pinged_at is None:
                self._pinged_at = loop.time()
                self._say(Ping())
            await asyncio.sleep(self._settings.ping_s)
            if loop.time() >= contact_at:
                contact_at += CONTACT_S
                await self._uplink.note_contact(Contact(self._uplink.clock(), True, ""))

    async def _tell_status(self) -> None:
        said: SiteStatus | None = None
        while True:
            status = self._uplink.status()
            if status != said:
                said = status
                self._say(Status(status.to_json()))
            await asyncio.sleep(self._settings.status_s)
