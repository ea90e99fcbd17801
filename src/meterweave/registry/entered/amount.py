"""What people write as a reading: a number, maybe with its unit, as the exact stored integer of a quantity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

from meterweave.metering.decimal import to_text
from meterweave.metering.quantities import Kind, Quantity, by_code, quantities
from meterweave.registry.importing.column import CellError, malformed, refuse_lost_digits
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

VALUE_MAX = 1 << 62
"""Stored readings are smaller than this, so that no difference of two leaves 64 bits."""

USUAL: Mapping[Utility, str] = MappingProxyType(
    {
        Utility.ELECTRICITY: "1-0:1.8.0",
        Utility.WATER: "8-0:1.0.0",
        Utility.GAS: "7-0:3.0.0",
        Utility.HEAT: "6-0:1.0.0",
    }
)
"""The register that is meant where nobody says which, by OBIS code."""

_FALLING = "1-0:16.8."  # combined active energy, import less export, may be below nought
_VALUE = re.compile(r"([+-]?[0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([^\W\d_]\S*)?")
_PER_HOUR = 3600


def _energy(base: Fraction) -> dict[str, Fraction]:
    """Units of energy as so many of the unit that has `base` watt-hours."""
    names = {"wh": 1, "kwh": 10**3, "度": 10**3, "千瓦时": 10**3, "mwh": 10**6, "兆瓦时": 10**6, "gwh": 10**9}
    return {name: Fraction(watt_hours) / base for name, watt_hours in names.items()}


_VOLUME = {
    "m3": Fraction(1), "m³": Fraction(1), "立方米": Fraction(1), "方": Fraction(1),
    "l": Fraction(1, 1000), "升": Fraction(1, 1000),
}  # fmt: skip
_JOULES = {"j": 1, "kj": 10**3, "mj": 10**6, "gj": 10**9, "千焦": 10**3, "兆焦": 10**6, "吉焦": 10**9}
_FACTORS: Mapping[str, Mapping[str, Fraction]] = {
    "kWh": _energy(Fraction(1000)),
    "m3": _VOLUME,
    "J": _energy(Fraction(1, _PER_HOUR)) | {name: Fraction(joules) for name, joules in _JOULES.items()},
}
"""How many of a quantity's unit one of another is, by the two names; the other in small letters."""

_SHOWN: Mapping[str, str] = {"kWh": "Wh, kWh, MWh", "m3": "m3, L", "J": "kWh, MWh, MJ, GJ"}


def usual(utility: Utility) -> Quantity:
    """The quantity of the register that everybody reads."""
    return quantities()[USUAL[utility]]


def read_quantity(text: str) -> Quantity:
    """The quantity that an OBIS code, our name, or its meaning in either language names.

    Raises
    ------
    CellError
        If there is none.
    """
    wanted = text.strip().lower()
    for one in quantities().values():
        if wanted in (one.obis, one.name, one.meaning.en.lower(), one.meaning.zh):
            return one
    raise malformed(
        text, Text("a quantity such as 1-0:1.8.0 or active_import_energy", "数据项，如1-0:1.8.0或“正向有功电能”")
    )


def read_amount(text: str, unit: str | None, quantity: Quantity) -> int:
    """A reading as the stored integer of `quantity`; never rounded.

    Parameters
    ----------
    text : str
        A decimal number, maybe with a unit behind it: ``1234.56``, ``1.2 MWh``.
    unit : str or None
        The unit, where it stands apart. Without any it is the quantity's own; of heat, which is kept in joules that no
        meter shows, it must be said.

    Raises
    ------
    CellError
        If it is no number, the unit does not fit, or the number is not one that the quantity can hold.
    """
    refuse_lost_digits(text)
    match = _VALUE.fullmatch(text)
    if not match:
        raise malformed(text, Text("a decimal number such as 1234.56", "十进制数，如1234.56"))
    said = match[2] or unit
    if match[2] and unit and _factor(match[2], quantity) != _factor(unit, quantity):
        raise malformed(text, Text(f"a number in {unit}, as the unit says", f"以{unit}为单位的数值"))
    scaled = Fraction(match[1]) * _factor(said, quantity) / Fraction(10) ** quantity.exponent
    if scaled.denominator != 1:
        raise CellError(
            "import.malformed",
            Text(
                f"found {text!r}: {quantity.meaning.en} is kept to {_step(quantity)}, this is finer",
                f"“{text}”：{quantity.meaning.zh}的最小刻度为{_step(quantity)}",
            ),
        )
    if not -VALUE_MAX < scaled < VALUE_MAX or (_only_rises(quantity) and scaled < 0):
        raise malformed(text, Text("a reading that a register can show", "计数器可能显示的读数"))
    return int(scaled)


def turn_of(quantity: Quantity, digits: int | None, decimals: int | None) -> int | None:
    """The stored number at which a register of so many digits begins again at nought; None: that is not known.

    The digits of a heat meter say nothing: it may show kWh, MJ or GJ, and the archives do not tell which.
    """
    if digits is None or quantity.kind is not Kind.CUMULATIVE or quantity.unit == "J" or not _only_rises(quantity):
        return None
    power = digits - (decimals or 0) - quantity.exponent
    return 10**power if power >= 0 and 10**power < VALUE_MAX else None


def rolls_over(before: int, after: int, turn: int | None) -> bool:
    """Whether a step back is plausibly one over the last digit: at most a tenth of a turn, the rule of `mdm`."""
    return turn is not None and before < turn and after < before and after - before + turn <= turn // 10


def amount_text(value: int, quantity: int) -> str:
    """A stored reading for people: number without needless zeros, and unit; joules as megajoules."""
    known = by_code().get(quantity)
    if known is None:
        return str(value)
    exponent, unit = (known.exponent - 6, "MJ") if known.unit == "J" else (known.exponent, known.unit)
    text = to_text(value, exponent)
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{plain} {'m³' if unit == 'm3' else unit}"


def _factor(unit: str | None, quantity: Quantity) -> Fraction:
    shown = _SHOWN.get(quantity.unit, quantity.unit)
    if unit is None:
        if quantity.unit == "J":
            raise CellError(
                "import.missing", Text(f"heat needs its unit beside the number: {shown}", f"热量须注明单位：{shown}")
            )
        return Fraction(1)
    wanted = unit.strip()
    if wanted.lower() == quantity.unit.lower():
        return Fraction(1)
    found = _FACTORS.get(quantity.unit, {}).get(wanted.lower())
    if found is None:
        raise malformed(
            unit, Text(f"a unit of {quantity.meaning.en}: {shown}", f"{quantity.meaning.zh}的单位：{shown}")
        )
    return found


def _step(quantity: Quantity) -> str:
    return f"{to_text(1, quantity.exponent)} {quantity.unit}"


def _only_rises(quantity: Quantity) -> bool:
    return quantity.kind is Kind.CUMULATIVE and not quantity.obis.startswith(_FALLING)
