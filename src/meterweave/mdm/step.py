"""Steps of registers: what was used between one reading and the next, or why nobody can tell.

The rules, each with the flag that shows it was applied:

================ ======================================================================== =========================
the step         what was used                                                            flag
================ ======================================================================== =========================
forward          the difference
roll-over        to the last digit, and on from nought                                    ROLLOVER
announced reset  the later reading, counted from nought                                   RESET
exchange         nothing, if the old meter was read out and the new one in at one instant EXCHANGE
exchange, else   not known                                                                EXCHANGE
multiplier       not known if it changed between two readings                             MULTIPLIER
anything else    not known: the register cannot have moved so                             ANOMALOUS
================ ======================================================================== =========================

A step backwards is a roll-over if the register's width is known, both readings lie within it, and the way over the last
digit is *plausible*: at most what `Register.hourly_max` allows in the time, and at most half a turn; without
`hourly_max` at most a tenth of a turn. Else it is a reset if one was announced for the time of day of the earlier
reading (the register was then set to nought just after it) and the later reading is not negative. Else it is an
anomaly, as is a step forward beyond `hourly_max`, and one on the other side of a single reading that goes back while
its neighbours agree without it (a spike or a dip). Nothing is guessed: what is no anomaly follows from these rules.

A multiplied register is rounded where it is read, never the difference: the steps between two readings add up to the
step from the first to the last, to the unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntFlag
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meterweave.mdm.ratio import Ratios, multiplied
from meterweave.mdm.register import VALUE_MAX, Register
from meterweave.mdm.span import Placed
from meterweave.text import Text

_HOUR_US = 3_600_000_000


class Flag(IntFlag):
    """What is known about the consumption of an interval beside the number."""

    MEASURED = 1  # there is a value, and it follows from readings alone
    ESTIMATED = 2  # there is a value, and interpolation had a part in it
    GAP = 4  # there is no value: readings are missing
    PARTIAL = 8  # there is no value, but some of the interval is measured
    ROLLOVER = 16  # a register went over its last digit
    RESET = 32  # a register was set to nought as announced
    EXCHANGE = 64  # a meter was taken away or another put in its place
    MULTIPLIER = 128  # there is no value: the multiplier changed between two readings
    ANOMALOUS = 256  # there is no value: a register moved as it cannot


WORDS: Mapping[Flag, Text] = MappingProxyType(
    {
        Flag.MEASURED: Text("measured", "实测"),
        Flag.ESTIMATED: Text("estimated by interpolation", "插值估算"),
        Flag.GAP: Text("readings are missing", "缺少读数"),
        Flag.PARTIAL: Text("measured in part", "部分实测"),
        Flag.ROLLOVER: Text("the register rolled over", "计数器翻转"),
        Flag.RESET: Text("the register was reset as announced", "计数器按预告清零"),
        Flag.EXCHANGE: Text("a meter was exchanged, removed or installed", "换表、拆表或装表"),
        Flag.MULTIPLIER: Text("the multiplier changed between two readings", "倍率在两次读数之间变更"),
        Flag.ANOMALOUS: Text("the register moved as it cannot", "计数器变化异常"),
    }
)
"""What people are shown for a flag."""


class Steps(NamedTuple):
    """Readings of usage points in order, and the step from each to the next; columns of equal length.

    The last reading of a usage point leads nowhere; its step is not `known`.
    """

    point: NDArray[np.int64]  # its index, ascending
    ts: NDArray[np.int64]  # [us since 1970, UTC]
    duration: NDArray[np.int64]  # [us]
    amount: NDArray[np.int64]  # 0 where not known
    known: NDArray[np.bool_]
    still: NDArray[np.bool_]  # the register stood still, so nothing was used at any time in between
    flags: NDArray[np.int16]


def steps(
    placed: Placed,
    meter: NDArray[np.int64],
    ts: NDArray[np.int64],
    value: NDArray[np.int64],
    point_of: NDArray[np.int64],
    registers: Sequence[Register],
    register_of: NDArray[np.int64],
    ratios: Ratios,
) -> Steps:
    """The steps between readings.

    Parameters
    ----------
    placed : Placed
        Which of the readings count for what.
    meter, ts, value : int64[n]
        The readings.
    point_of : int64[span]
        The number of each span's usage point, from 0 for the first that is placed.
    registers, register_of : sequence of Register, int64[span]
        What is known of registers, and which of them each span has.
    """
    span, rows = placed.span, placed.reading
    meter, ts, value = meter[rows], ts[rows], value[rows]
    point = point_of[span]
    after = np.minimum(np.arange(1, len(rows) + 1), max(len(rows) - 1, 0))
    same_point = (point[after] == point) & (np.arange(len(rows)) != after)
    same_span = same_point & (span[after] == span)
    duration = np.where(same_point, ts[after] - ts, 0)

    terms = ratios.in_force(meter, ts)
    changed = np.zeros(len(rows), np.bool_)
    if ratios.changing:
        # Just before the later reading: a change at its instant belongs to the next step.
        then = ratios.in_force(meter, ts[after] - 1)
        changed = (terms[0] != then[0]) | (terms[1] != then[1])
    size = _sizes(value, value[after], registers, register_of[span], *terms)
    kind = _judged(value, value[after], duration, ts, registers, register_of[span], size.fits)
    doubtful = _doubtful(value, same_span & kind.backward)
    good = (kind.forward & ~doubtful) | kind.rollover | kind.reset
    still = same_span & good & kind.still
    exchange = same_point & ~same_span
    amount = np.select(
        [kind.rollover, kind.reset], [size.turn - size.before + size.after, size.after], size.after - size.before
    )
    known = same_span & good & (~changed | still)
    flags = (
        _where(exchange, Flag.EXCHANGE)
        | _where(same_span & kind.rollover, Flag.ROLLOVER)
        | _where(same_span & kind.reset, Flag.RESET)
        | _where(same_span & changed & ~still, Flag.MULTIPLIER)
        | _where(same_span & ~good, Flag.ANOMALOUS)
    )
    return Steps(
        point,
        ts,
        duration,
        amount=np.where(known & ~still, amount, 0),
        known=known | (exchange & (duration == 0)),
        still=still,
        flags=flags,
    )


class _Sizes(NamedTuple):
    """Both ends of each step and the register's whole turn, multiplied alike; what does not fit is an anomaly."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    turn: NDArray[np.int64]
    fits: NDArray[np.bool_]


class _Kinds(NamedTuple):
    forward: NDArray[np.bool_]
    still: NDArray[np.bool_]
    rollover: NDArray[np.bool_]
    reset: NDArray[np.bool_]
    backward: NDArray[np.bool_]  # and none of these


def _sizes(
    before: NDArray[np.int64],
    later: NDArray[np.int64],
    registers: Sequence[Register],
    register: NDArray[np.int64],
    numerator: NDArray[np.int64],
    denominator: NDArray[np.int64],
) -> _Sizes:
    turn = np.array([one.rollover_at or 0 for one in registers], np.int64)[register]
    sizes = [multiplied(column, numerator, denominator) for column in (before, later, turn)]
    fits = np.logical_and.reduce([fit for _, fit in sizes])
    for column in (before, later):  # so that they can be subtracted as they are
        fits &= (column > -VALUE_MAX) & (column < VALUE_MAX)
    return _Sizes(sizes[0][0], sizes[1][0], sizes[2][0], fits)


def _judged(
    before: NDArray[np.int64],
    later: NDArray[np.int64],
    duration: NDArray[np.int64],
    ts: NDArray[np.int64],
    registers: Sequence[Register],
    register: NDArray[np.int64],
    fits: NDArray[np.bool_],
) -> _Kinds:
    before, later = np.where(fits, before, 0), np.where(fits, later, 0)
    turn = np.array([one.rollover_at or 0 for one in registers], np.int64)[register]
    hourly = np.array([one.hourly_max or np.inf for one in registers], np.float64)[register]
    falls = np.array([one.falls for one in registers], np.bool_)[register]
    gained = later - before
    bounded = np.isfinite(hourly)
    most = hourly.copy()
    most[bounded] = np.ceil(hourly[bounded] * (duration[bounded] / _HOUR_US))
    forward = fits & (falls | ((gained >= 0) & (gained <= most)))
    backward = fits & ~falls & (gained < 0)
    over_most = np.where(bounded, np.minimum(most, turn // 2), turn // 10)
    rollover = backward & (later >= 0) & (before < turn) & (gained + turn <= over_most)
    reset = backward & ~rollover & (later >= 0) & _announced(ts, registers, register, backward)
    still = forward & ~falls & (gained == 0)
    return _Kinds(forward, still, rollover, reset, backward & ~rollover & ~reset)


def _doubtful(value: NDArray[np.int64], backward: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Steps forward on the other side of a single reading that goes back, if its two neighbours agree without it.

    100, 999, 101 and 100, 0, 101: one of three readings is wrong, and the step of 899 or 101 beside the step back
    is as little worth as that.
    """
    found = np.zeros(len(value), np.bool_)
    rows = np.flatnonzero(backward)
    spike = rows[rows > 0]
    found[spike[value[spike - 1] <= value[spike + 1]] - 1] = True
    dip = rows[rows + 2 < len(value)]
    found[dip[value[dip] <= value[dip + 2]] + 1] = True
    return found


def _announced(
    ts: NDArray[np.int64], registers: Sequence[Register], register: NDArray[np.int64], wanted: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    found = np.zeros(len(ts), np.bool_)
    for number, one in enumerate(registers):
        if one.reset is not None:
            rows = np.flatnonzero(wanted & (register == number))
            found[rows] = one.reset.holds(ts[rows])
    return found


def _where(wanted: NDArray[np.bool_], flag: Flag) -> NDArray[np.int16]:
    return np.where(wanted, np.int16(flag), np.int16(0))
