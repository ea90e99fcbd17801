"""The parts of an order, as every protocol checks them."""

from __future__ import annotations

from meterweave.profiles.section import Section
from meterweave.profiles.speech.base import Cell, Context, Part


def one_of_value_constant(section: Section, context: Context) -> bool:
    """Whether a part has either a value or a constant, as it must."""
    if ("value" in section.places) != ("constant" in section.places):
        return True
    context.mistakes.add(section.place, "a part has either a value or a constant", "每部分应有value或constant其中之一")
    return False


def fitting_part(section: Section, cell: Cell, context: Context) -> Part | None:
    """The part of an order that `cell` carries."""
    low, high = cell.limits()
    constant = section.get("constant", 0)
    if not low <= constant <= high:
        context.mistakes.add(
            section.at("constant"),
            f"constant {constant} is not {low} to {high}",
            f"constant {constant}不在{low}至{high}之间",
        )
        return None
    return Part(cell, section.get("value", ""), constant)
