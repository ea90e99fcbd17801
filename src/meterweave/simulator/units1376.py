"""Data units of a Q/GDW 1376.1 terminal: freezes of days and months, curves, present values.

Numbers are packed BCD, low octet first (appendix A). They are put together here digit by digit over whole curves, as
there are many of them; a test holds them against the layouts of the codec.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import numpy as np

from meterweave.metering.batch import Profile
from meterweave.protocols.gdw1376.part1 import Unit, build_unit
from meterweave.protocols.gdw1376.part1.designator import da_of, dt_of
from meterweave.simulator import registers
from meterweave.simulator.curves import Ints
from meterweave.simulator.meter645 import local
from meterweave.simulator.plan import Due, Series
from meterweave.simulator.tariff import TARIFFS
from meterweave.simulator.town import Meter

PRESENT, HISTORY = 0x0C, 0x0D  # AFN
CLOCK = 2
POWER_CURVE, VOLTAGE_CURVE, CURRENT_CURVE, ENERGY_CURVE, EXPORT_CURVE = 81, 89, 92, 101, 103
STEP_CODES: Mapping[int, int] = {900: 1, 1800: 2, 3600: 3}
"""Density octet of a curve by its step in seconds."""
IMPORT_OF: Mapping[Profile, int] = {Profile.SPOT: 129, Profile.DAILY: 161, Profile.MONTHLY: 177}
EXPORT_OF: Mapping[Profile, int] = {Profile.SPOT: 131, Profile.DAILY: 163, Profile.MONTHLY: 179}
"""The items of import and export registers, now and of a day or month."""
PERIODS: Mapping[int, tuple[Profile, bool]] = {
    **{item: (profile, False) for profile, item in IMPORT_OF.items()},
    **{item: (profile, True) for profile, item in EXPORT_OF.items()},
}
"""Of what these items are, and whether of export."""
BLOCKS: Mapping[int, Profile] = {33: Profile.SPOT, 1: Profile.DAILY, 17: Profile.MONTHLY}
"""The items that hold all forward registers at once."""
EXPORT_BLOCKS: Mapping[int, Profile] = {34: Profile.SPOT, 2: Profile.DAILY, 18: Profile.MONTHLY}
MOMENTARY, STATUS_CLOCK, STATUS_WORDS, RELAY = 25, 27, 28, 161


def bcd(numbers: Ints, size: int) -> bytes:
    """Numbers as packed BCD of `size` octets each, the sign in the top bit of the last."""
    rest = np.abs(numbers)
    octets = np.empty((len(numbers), size), np.uint8)
    for place in range(size):
        rest, pair = np.divmod(rest, 100)
        octets[:, place] = pair // 10 << 4 | pair % 10
    octets[:, -1] |= np.where(numbers < 0, 0x80, 0).astype(np.uint8)
    return octets.tobytes()


def stamp(when: datetime, form: str) -> bytes:
    """A time in BCD, its parts in the order of `form` as `strftime` has them."""
    return bytes.fromhex(when.strftime(form))


MINUTE, DAY, MONTH = "%M%H%d%m%y", "%d%m%y", "%m%y"
"""Formats A.15, A.20 and A.21."""


def unit(point: int, item: int, data: bytes) -> Unit:
    """A data unit of one item of one point."""
    return Unit(da_of([point]), dt_of([item]), data)


# Curves --------------------------------------------------------------------------------------------------------------


def items_of(meter: Meter) -> tuple[int, ...]:
    """The curves that a meter has."""
    phases = range(1 if meter.phase else 3)
    voltages, currents = (tuple(first + one for one in phases) for first in (VOLTAGE_CURVE, CURRENT_CURVE))
    solar = (EXPORT_CURVE,) if meter.export else ()
    return (ENERGY_CURVE, *solar, *voltages, *currents, POWER_CURVE)


def items_of_series(series: Series) -> tuple[int, ...]:
    """The items in which a series is reported."""
    if series.profile is Profile.CURVE:
        return items_of(series.meters[0])
    return (IMPORT_OF[series.profile], *((EXPORT_OF[series.profile],) if series.solar else ()))


def due_units(due: Due, meter: Meter, items: Sequence[int]) -> list[Unit]:
    """What a report holds of one meter."""
    slots = [at for at in due.slots if meter.alive(at)]
    if due.series.profile is Profile.CURVE:
        return curve_units(meter, items, slots, due.series.period_s)
    return [freeze_unit(meter, item, at) for at in slots for item in items]


def at_point(point: int, units: Sequence[Unit]) -> list[Unit]:
    """Units of a meter under the point at which it is listed."""
    da = da_of([point])
    return [one._replace(da=da) for one in units]


def curve_units(meter: Meter, items: Sequence[int], slots: Sequence[int], step_s: int) -> list[Unit]:
    """Curves of a meter; those that it has not are left away."""
    if not slots:
        return []
    at_s = np.array(slots, np.int64)
    head = stamp(local(slots[0]), MINUTE) + bytes([STEP_CODES[step_s], len(slots)])
    has = [item for item in items if item in items_of(meter)]
    electrical = registers.electrical(meter, at_s) if any(item < ENERGY_CURVE for item in has) else None
    return [unit(meter.point, item, head + _points(meter, item, at_s, electrical)) for item in has]


def _points(meter: Meter, item: int, at_s: Ints, electrical: registers.Electrical | None) -> bytes:
    if item == ENERGY_CURVE:
        return bcd(registers.register(meter, at_s), 4)
    if item == EXPORT_CURVE:
        return bcd(registers.export_registers((meter,), at_s)[0], 4)
    assert electrical is not None
    if item == POWER_CURVE:
        return bcd(electrical.power_dw, 3)
    if item >= CURRENT_CURVE:
        return bcd(electrical.current_ma[item - CURRENT_CURVE], 3)
    return bcd(electrical.voltage_dv[item - VOLTAGE_CURVE], 2)


# Registers -----------------------------------------------------------------------------------------------------------


def freeze_unit(meter: Meter, item: int, at_s: int) -> Unit:
    """The register at the end of the day, or month, that ends at `at_s`."""
    profile, export = PERIODS[item]
    return unit(meter.point, item, _tag(profile, at_s) + _read(meter, at_s) + _register(meter, at_s, export))


def present_unit(meter: Meter, now_s: int, *, item: int) -> Unit:
    """The register as it stands."""
    return unit(meter.point, item, _read(meter, now_s) + _register(meter, now_s, PERIODS[item][1]))


def block_unit(meter: Meter, at_s: int, *, item: int, profile: Profile) -> Unit:
    """All forward, or all reverse registers; there is no reactive energy in this town."""
    energies = _register(meter, at_s, item in EXPORT_BLOCKS)
    count = energies[0]
    reactive = bytes(4 * (count + 1)) * 3
    tag = b"" if profile is Profile.SPOT else _tag(profile, at_s)
    return unit(meter.point, item, tag + _read(meter, at_s) + energies + reactive)


def _tag(profile: Profile, at_s: int) -> bytes:
    """Td_d of the day, or Td_m of the month, that ends at `at_s`."""
    last = local(at_s) - timedelta(days=1)
    return stamp(last, DAY if profile is Profile.DAILY else MONTH)


def _read(meter: Meter, at_s: int) -> bytes:
    return stamp(local(at_s), MINUTE)


def _register(meter: Meter, at_s: int, export: bool) -> bytes:
    """The number of tariffs, then the total and each of them (A.14: 0.0001 kWh)."""
    at = registers.moments(at_s)
    if export:
        shown = registers.export_registers((meter,), at)[0] if meter.export else np.zeros(1, np.int64)
        return b"\0" + bcd(shown * 100, 5)
    shown = np.concatenate([registers.register(meter, at), registers.tariff_registers((meter,), at)[:, 0, 0]])
    return bytes([TARIFFS]) + bcd(shown * 100, 5)


# Present values ------------------------------------------------------------------------------------------------------


def clock_unit(clock: datetime) -> Unit:
    """The terminal's clock (F2)."""
    values = {"clock": clock.isoformat(timespec="seconds"), "clock.weekday": str(clock.isoweekday())}
    return build_unit(PRESENT, True, [0], [CLOCK], values)


def momentary_unit(meter: Meter, now_s: int) -> Unit:
    """Powers, voltages and currents (F25); what the meter does not measure is EEH."""
    found = registers.electrical(meter, registers.moments(now_s))
    none = b"\xee"
    voltages = [bcd(one, 2) for one in found.voltage_dv] + [none * 2] * (3 - len(found.voltage_dv))
    currents = [bcd(one, 3) for one in found.current_ma] + [none * 3] * (3 - len(found.current_ma))
    powers = bcd(found.power_dw, 3) + none * 9
    data = _read(meter, now_s) + powers + none * 12 + none * 8
    return unit(meter.point, MOMENTARY, data + b"".join([*voltages, *currents]) + none * 3 + none * 12)


def status_clock_unit(meter: Meter, now_s: int) -> Unit:
    """The meter's clock, and how often it was programmed: never (F27)."""
    clock = local(now_s + meter.condition.clock_off_s)
    weekday = clock.isoweekday() << 5
    day = stamp(clock, "%S%M%H%d") + bytes([weekday | int(clock.strftime("%m"), 16)]) + stamp(clock, "%y")
    never = bytes(3) + b"\xee" * 6
    return unit(meter.point, STATUS_CLOCK, _read(meter, now_s) + day + bytes(4) + never * 5)


def status_words_unit(meter: Meter, now_s: int, word_3: int) -> Unit:
    """The seven status words of the meter, none of which has changed (F28)."""
    words = [0, 0, word_3, 0, 0, 0, 0]
    data = bytes(14) + b"".join(word.to_bytes(2, "little") for word in words)
    return unit(meter.point, STATUS_WORDS, _read(meter, now_s) + data)


def relay_unit(meter: Meter, now_s: int) -> Unit:
    """Whether the relay is closed, when it last closed and opened (F161)."""
    condition = meter.condition
    none = b"\xee" * 5
    opened = stamp(local(condition.trips[-1].since_s), MINUTE) if condition.trips else none
    ended = [span.until_s for span in condition.trips if span.until_s <= now_s]
    closed = stamp(local(ended[-1]), MINUTE) if ended else none
    state = bytes([0x11 if condition.closed else 0])
    return unit(meter.point, RELAY, _read(meter, now_s) + state + closed + opened)


PRESENT_UNITS: Mapping[int, Callable[[Meter, int], Unit]] = {
    MOMENTARY: momentary_unit,
    STATUS_CLOCK: status_clock_unit,
    RELAY: relay_unit,
    **{item: partial(present_unit, item=item) for item in (129, 131)},
    **{item: partial(block_unit, item=item, profile=Profile.SPOT) for item in (33, 34)},
}
"""Class 1 items of a measuring point; the status words are beside them, for which the meter itself is asked."""
