"""A simulated electricity meter as it answers DL/T 645-2007: registers, voltages, currents, power, clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from meterweave.errors import DecodeError
from meterweave.metering.decimal import to_text
from meterweave.protocols import dlt645
from meterweave.protocols.dlt645 import commands
from meterweave.simulator import registers
from meterweave.simulator.town import LOCAL_S, Meter, Utility

READ = 0x11
_WAKE_UP = b"\xfe"


def local(at_s: int) -> datetime:
    """The local time in the town, naive as devices tell it."""
    return datetime.fromtimestamp(at_s + LOCAL_S, UTC).replace(tzinfo=None)


def answer(meters: Sequence[Meter], octets: bytes, now_s: int) -> bytes | None:
    """What comes back from the line when a centre sends `octets` through; None where no meter feels meant.

    Only the meter whose whole address is asked answers: a wildcard would make several talk at once.
    """
    try:
        request = dlt645.decode(octets)
    except DecodeError:
        return None
    meter = next((one for one in meters if one.address == request.address), None)
    if meter is None or meter.utility is not Utility.ELECTRICITY or not meter.alive(now_s) or request.is_reply:
        return None
    texts = shown(meter, now_s).get(request.data[3::-1].hex()) if request.control == READ else None
    if texts is None:
        return _WAKE_UP * 4 + dlt645.encode(commands.refusal(request, "no_such_data"))
    data = commands.octets_of(request.data[3::-1].hex(), texts)
    return _WAKE_UP * 4 + dlt645.encode(commands.read_reply(request, data))


def shown(meter: Meter, now_s: int) -> Mapping[str, Sequence[str]]:
    """The data items that an electricity meter has, each with the texts of its values."""
    at = registers.moments(now_s)
    electrical = registers.electrical(meter, at)
    voltages = [to_text(int(one[0]), registers.VOLTAGE_EXPONENT) for one in electrical.voltage_dv]
    currents = [to_text(int(one[0]), registers.CURRENT_EXPONENT) for one in electrical.current_ma]
    clock = local(now_s)
    found: dict[str, Sequence[str]] = {
        "00010000": [to_text(int(registers.register(meter, at)[0]), -2)],
        "0201ff00": voltages,
        "0202ff00": currents,
        "02030000": [to_text(int(electrical.power_dw[0]), -4)],
        "04000101": [clock.date().isoformat()],
        "04000102": [clock.time().isoformat(timespec="seconds")],
    }
    for place, (voltage, current) in enumerate(zip(voltages, currents, strict=True), 1):
        found[f"0201{place:02x}00"] = [voltage]
        found[f"0202{place:02x}00"] = [current]
    return found
