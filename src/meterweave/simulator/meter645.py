"""A simulated electricity meter as it answers DL/T 645-2007: what it measures, its clock, its relay and status words.

Control (1CH) wants password level 02 or 04 with the password `PASSWORD`; the operator code is free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from meterweave.errors import DecodeError
from meterweave.metering.clock import local_us
from meterweave.metering.decimal import to_text
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.protocols.dlt645.address import BROADCAST
from meterweave.protocols.dlt645.frame import Frame
from meterweave.protocols.dlt645.functions import COMMANDS
from meterweave.simulator import registers
from meterweave.simulator.events import Diary, Kind
from meterweave.simulator.town import LOCAL_S, Meter, Utility

BROADCAST_TIME, READ, READ_ADDRESS, WRITE, CONTROL = 0x08, 0x11, 0x13, 0x14, 0x1C
PASSWORD = "000000"
LEVELS = frozenset({2, 4})
BROADCAST_LIMIT_S = 300
"""By how much a broadcast may correct a clock."""
_WAKE_UP = b"\xfe"
_OPEN, _ORDERED_OPEN, _KEPT = 1 << 4, 1 << 6, 1 << 12  # bits of status word 3


def local(at_s: int) -> datetime:
    """The local time in the town, naive as devices tell it."""
    return datetime.fromtimestamp(at_s + LOCAL_S, UTC).replace(tzinfo=None)


def answer(meters: Sequence[Meter], octets: bytes, now_s: int, diary: Diary) -> bytes | None:
    """What comes back from the line when a centre sends `octets` through; None where no meter feels meant.

    Only the meter whose whole address is asked answers: a wildcard would make several talk at once.
    """
    try:
        request = dlt645.decode(octets)
    except DecodeError:
        return None
    if request.is_reply:
        return None
    electric = [one for one in meters if one.utility is Utility.ELECTRICITY and one.answers(now_s)]
    if request.address == BROADCAST:
        _broadcast(electric, request, now_s, diary)
        return None
    meter = next((one for one in electric if one.address == request.address), None)
    if meter is None or meter.speaks != "dlt645":
        return None
    return _WAKE_UP * 4 + dlt645.encode(_reply(meter, request, now_s, diary))


def _reply(meter: Meter, request: Frame, now_s: int, diary: Diary) -> Frame:
    if request.control == READ:
        return _read(meter, request, now_s)
    if request.control == READ_ADDRESS:
        return commands.address_reply(meter.address)
    if request.control == WRITE:
        return _write(meter, request, now_s, diary)
    if request.control == CONTROL:
        return _control(meter, request, now_s, diary)
    return commands.refusal(request, "other_error")


def _read(meter: Meter, request: Frame, now_s: int) -> Frame:
    di = request.data[3::-1].hex()
    if di in _STATUS_WORDS:
        return commands.read_reply(request, _STATUS_WORDS[di](meter).to_bytes(2, "little"))
    texts = shown(meter, now_s).get(di)
    if texts is None:
        return commands.refusal(request, "no_such_data")
    return commands.read_reply(request, commands.octets_of(di, texts))


def shown(meter: Meter, now_s: int) -> Mapping[str, Sequence[str]]:
    """The data items that an electricity meter has, each with the texts of its values."""
    at = registers.moments(now_s)
    electrical = registers.electrical(meter, at)
    voltages = [to_text(int(one[0]), registers.VOLTAGE_EXPONENT) for one in electrical.voltage_dv]
    currents = [to_text(int(one[0]), registers.CURRENT_EXPONENT) for one in electrical.current_ma]
    imported = [registers.register(meter, at)[0], *registers.tariff_registers((meter,), at)[:, 0, 0]]
    exported = registers.export_registers((meter,), at)[0, 0] if meter.export else 0
    clock = local(now_s + meter.condition.clock_off_s)
    found: dict[str, Sequence[str]] = {
        "0001ff00": [_energy(one) for one in imported],
        "00020000": [_energy(exported)],
        "0201ff00": voltages,
        "0202ff00": currents,
        "02030000": [to_text(int(electrical.power_dw[0]), -4)],
        "04000101": [clock.date().isoformat()],
        "04000102": [clock.time().isoformat(timespec="seconds")],
    }
    for tariff, one in enumerate(imported):
        found[f"0001{tariff:02x}00"] = [_energy(one)]
    for place, (voltage, current) in enumerate(zip(voltages, currents, strict=True), 1):
        found[f"0201{place:02x}00"] = [voltage]
        found[f"0202{place:02x}00"] = [current]
    return found


def _energy(steps: int) -> str:
    return to_text(int(steps), -2)


def status_word_3(meter: Meter) -> int:
    """Status word 3: whether the relay is open, whether it was told to be, whether the supply is kept."""
    condition = meter.condition
    ordered_open = not condition.closed and not condition.permitted
    return _OPEN * (not condition.closed) | _ORDERED_OPEN * ordered_open | _KEPT * condition.kept


_STATUS_WORDS: Mapping[str, Callable[[Meter], int]] = {
    **{f"040005{number:02x}": lambda _: 0 for number in range(1, 8)},
    "04000503": status_word_3,
}


# Orders --------------------------------------------------------------------------------------------------------------


def _allowed(octets: bytes) -> bool:
    """Whether level and password, four octets as sent, may give orders."""
    return octets[0] in LEVELS and octets[3:0:-1].hex() == PASSWORD


def _moment(octets: bytes) -> datetime | None:
    """A time of six BCD octets as sent, seconds first; None where the calendar has none."""
    digits = octets[::-1].hex()
    try:
        return datetime.strptime(f"20{digits}", "%Y%m%d%H%M%S")
    except ValueError:
        return None


def _control(meter: Meter, request: Frame, now_s: int, diary: Diary) -> Frame:
    """Trip, close and the like (1CH)."""
    if len(request.data) != 16 or not _allowed(request.data[:4]):
        return commands.refusal(request, "not_authorised")
    command, until = COMMANDS.get(request.data[8]), _moment(request.data[10:16])
    if command is None or (until is not None and until < local(now_s + meter.condition.clock_off_s)):
        return commands.refusal(request, "other_error")
    done = _obey(meter, command[0], now_s, diary)
    return commands.reply(request) if done else commands.refusal(request, "other_error")


def _obey(meter: Meter, command: str, now_s: int, diary: Diary) -> bool:
    condition = meter.condition
    was_closed = condition.closed
    match command:
        case "trip":
            if not condition.trip(now_s):
                return False
            diary.note(Kind.TRIPPED, now_s, meter)
        case "close_direct":
            condition.close(now_s)
        case "close_permit":
            condition.permit()
        case "keep_power_on":
            condition.keep(now_s)
        case "keep_power_off":
            condition.release()
        case "alarm_on" | "alarm_off":
            pass
        case _:
            return False
    if condition.closed and not was_closed:
        diary.note(Kind.CLOSED, now_s, meter)
    return True


def _write(meter: Meter, request: Frame, now_s: int, diary: Diary) -> Frame:
    """Date or time of the clock (14H); all else is not for a centre to write."""
    di, payload = request.data[3::-1].hex(), request.data[12:]
    if not _allowed(request.data[4:8]) if len(request.data) > 12 else True:
        return commands.refusal(request, "not_authorised")
    clock = local(now_s + meter.condition.clock_off_s)
    now = clock.strftime("%y%m%d%H%M%S")
    if di == "04000101" and len(payload) == 4:
        wanted = _moment(bytes.fromhex(now)[:2:-1] + payload[1:])
    elif di == "04000102" and len(payload) == 3:
        wanted = _moment(payload + bytes.fromhex(now)[2::-1])
    else:
        return commands.refusal(request, "no_such_data")
    if wanted is None:
        return commands.refusal(request, "other_error")
    _set_clock(meter, wanted, now_s, diary)
    return commands.reply(request)


def _set_clock(meter: Meter, wanted: datetime, now_s: int, diary: Diary) -> None:
    meter.condition.clock_off_s = local_us(wanted) // 1_000_000 - LOCAL_S - now_s
    diary.note(Kind.CLOCK_SET, now_s, meter)


def _broadcast(meters: Sequence[Meter], request: Frame, now_s: int, diary: Diary) -> None:
    """Broadcast time (08H): who is not far off follows, and nobody answers."""
    wanted = _moment(request.data) if request.control == BROADCAST_TIME and len(request.data) == 6 else None
    if wanted is None:
        return
    off_s = local_us(wanted) // 1_000_000 - LOCAL_S - now_s
    for meter in meters:
        if meter.speaks == "dlt645" and 0 < abs(off_s - meter.condition.clock_off_s) <= BROADCAST_LIMIT_S:
            _set_clock(meter, wanted, now_s, diary)
