"""From a profile's tree to a `Profile`, or to all that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType

from meterweave.metering.events import event_kinds
from meterweave.metering.quantities import Kind, Quantity
from meterweave.profiles import tree
from meterweave.profiles.hearing import read_messages
from meterweave.profiles.language import CJT188, PROTOCOLS
from meterweave.profiles.mistake import Mistake, Mistakes, Place, ProfileError, nearest
from meterweave.profiles.profile import Condition, Point, Profile, State
from meterweave.profiles.section import Section, read_section
from meterweave.profiles.speech import Cell, Context, Order, Settings, Speech, speech
from meterweave.profiles.speech.base import STORED_MAX
from meterweave.profiles.unit import UNITS, ratio
from meterweave.text import Text

ORDERS = ("trip", "close", "release", "credit", "price")


def load(path: Path) -> Profile:
    """The profile in a file.

    Raises
    ------
    ProfileError
        If anything is wrong with it; it tells all at once.
    OSError
        If the file cannot be read.
    """
    return parse(tree.read_file(path), str(path))


def parse(text: str, file: str = "profile") -> Profile:
    """The profile that a text describes; `file` is what mistakes call it.

    Raises
    ------
    ProfileError
        If anything is wrong with it; it tells all at once.
    """
    profile, remarks = check(text, file)
    if profile is None:
        raise ProfileError(file, remarks)
    return profile


def check(text: str, file: str = "profile") -> tuple[Profile | None, list[Mistake]]:
    """The profile, None where anything is wrong, and all that is to be said, remarks included, by place."""
    mistakes = Mistakes()
    try:
        node = tree.parse(text, file)
    except ProfileError as error:
        return None, list(error.mistakes)
    protocol = _protocol(node, mistakes)
    if protocol is None:
        return None, mistakes.in_order()
    whole = read_section(node, "profile", protocol, mistakes)
    profile = _Builder(whole, protocol, mistakes).profile()
    return (None if mistakes.grave else profile), mistakes.in_order()


def _protocol(node: tree.Node, mistakes: Mistakes) -> str | None:
    """The protocol, which has to be known before anything else means something."""
    if not isinstance(node, tree.Mapping):
        mistakes.add(
            node.place,
            "a profile is a list of keys and values",
            "配置应为键值列表",
            Text("begin with name: …", "以name: …开头"),
        )
        return None
    for key, value in node.entries:
        if key.text == "protocol" and isinstance(value, tree.Scalar):
            if value.text in PROTOCOLS:
                return value.text
            mistakes.add(
                value.place,
                f"there is no protocol {value.text!r}",
                f"没有协议{value.text!r}",
                nearest(value.text, PROTOCOLS),
            )
            return None
    mistakes.add(node.place, "protocol is missing", "缺少protocol", nearest("", PROTOCOLS))
    return None


class _Builder:
    """Makes the parts of a profile, and collects what is wrong with them."""

    def __init__(self, whole: Section, protocol: str, mistakes: Mistakes) -> None:
        self.whole, self.protocol, self.mistakes = whole, protocol, mistakes
        self.speech: Speech = speech(protocol)
        self.settings = self._settings()
        self.measured = Context(mistakes, self.settings)
        self.word = Context(mistakes, self.settings, word=True)

    def profile(self) -> Profile | None:
        title, name = self.whole.get("title"), self.whole.get("name", "")
        control: Section | None = self.whole.get("control")
        points = self._points()
        conditions = self._conditions()
        orders, state = self._orders(control), self._state(control)
        messages = read_messages(self.whole, self.speech, points, conditions, self.mistakes)
        if self.mistakes.grave:
            return None
        return Profile(
            name=name,
            title=Text(title.get("en"), title.get("zh")) if title else Text(name, name),
            maker=self.whole.get("maker", ""),
            utility=self.whole.get("utility"),
            protocol=self.protocol,
            settings=self.settings,
            points=points,
            conditions=conditions,
            orders=MappingProxyType(orders),
            state=state,
            valve=bool(control and control.get("kind") == "valve"),
            messages=messages,
        )

    def _settings(self) -> Settings:
        found = {"base": self.whole.get("base", 0)}
        for name in ("serial", "polling", "address"):
            section: Section | None = self.whole.get(name)
            found |= section.values if section else {}
        if found.pop("kind", "primary") == "secondary":
            found["secondary"] = True
        if self.protocol == CJT188 and "address" not in self.whole.places:
            self.mistakes.add(
                self.whole.place,
                "address is missing: CJ/T 188 needs the meter type",
                "缺少address：CJ/T 188需要表类型",
                Text("add address: {meter_type: 0x10}", "请加address: {meter_type: 0x10}"),
            )
        return Settings(**found)

    # Readings ---------------------------------------------------------------------------------------------------------

    def _points(self) -> tuple[Point, ...]:
        found: list[tuple[Point, Place]] = []
        lines: dict[int, int] = {}
        for section in self.whole.get("readings", ()):
            quantity: Quantity | None = section.get("quantity")
            cell = self.speech.cell(section, self.measured)
            if quantity is None:
                continue
            place = section.at("quantity")
            if lines.setdefault(quantity.code, place.line) != place.line or any(
                one.quantity is quantity for one, _ in found
            ):
                self.mistakes.add(
                    place,
                    f"{quantity.obis} ({quantity.name}) was read already in line {lines[quantity.code]}",
                    f"{quantity.obis}（{quantity.meaning.zh}）在第{lines[quantity.code]}行已读取",
                    Text("a device has each quantity once", "每个量只能有一个来源"),
                )
                continue
            self._check_utility(quantity, place)
            if cell is not None and self._fits(quantity, cell, section):
                found.append((Point(quantity, cell), section.place))
        self._check_overlaps(found)
        return tuple(point for point, _ in found)

    def _check_utility(self, quantity: Quantity, place: Place) -> None:
        utility = self.whole.get("utility")
        if utility and quantity.utility not in ("", utility):
            self.mistakes.add(
                place,
                f"{quantity.name} is measured by {quantity.utility} meters, this profile is for {utility}",
                f"{quantity.name}属于{quantity.utility}，本配置为{utility}",
            )

    def _fits(self, quantity: Quantity, cell: Cell, section: Section) -> bool:
        """Whether what the cell counts is what the quantity means, in steps that it can keep."""
        if not cell.unit:
            return False
        worth = ratio(cell.unit, quantity.unit)
        if worth is None:
            fitting = [unit for unit in UNITS if ratio(unit, quantity.unit) is not None]
            place = section.at("unit") if "unit" in section else section.at("quantity")
            self.mistakes.add(
                place,
                f"{cell.unit} does not measure {quantity.name}, which counts in {quantity.unit}",
                f"{cell.unit}不是{quantity.name}的单位（应以{quantity.unit}计）",
                Text(f"fitting units: {', '.join(fitting)}", f"可用单位：{'、'.join(fitting)}"),
            )
            return False
        return self._scale_fits(quantity, cell.factor * worth * Fraction(10) ** -quantity.exponent, cell, section)

    def _scale_fits(self, quantity: Quantity, steps: Fraction, cell: Cell, section: Section) -> bool:
        place = section.at("scale") if "scale" in section else section.place
        low, high = cell.limits()
        if steps < 0 and quantity.kind is Kind.CUMULATIVE:
            self.mistakes.add(
                place,
                f"a negative scale makes {quantity.name} fall as the register rises",
                f"负比例会使{quantity.name}随寄存器上升而下降",
            )
        elif (high if high < 1 << 32 else 1) * abs(steps) > STORED_MAX:
            self.mistakes.add(
                place,
                "this scale makes values larger than can be stored",
                "该比例使数值超出可存储范围",
                Text(
                    f"stored are 64-bit integers of 10^{quantity.exponent} {quantity.unit}",
                    f"存储为64位整数，单位10^{quantity.exponent} {quantity.unit}",
                ),
            )
        elif max(high, -low) * abs(steps) < 1:
            self.mistakes.add(
                place,
                "with this scale every value is zero",
                "该比例使所有数值为零",
                Text(
                    f"the smallest step kept is 10^{quantity.exponent} {quantity.unit}",
                    f"最小步长为10^{quantity.exponent} {quantity.unit}",
                ),
            )
        elif steps.denominator != 1:
            kept = f"10^{quantity.exponent} {quantity.unit}"
            self.mistakes.remark(
                place,
                f"the device counts finer than {quantity.name} is kept ({kept}); values are rounded",
                f"设备分辨率高于{quantity.name}的存储精度（{kept}），将四舍五入",
            )
            return True
        else:
            return True
        return False

    def _check_overlaps(self, found: Sequence[tuple[Point, Place]]) -> None:
        for first, second in self.speech.overlaps([point.cell for point, _ in found]):
            (one, above), (other, place) = found[first], found[second]
            here = f"{other.quantity.name} ({other.cell.name})"
            there = f"{one.quantity.name} ({one.cell.name})"
            self.mistakes.add(
                place, f"{here} overlaps {there} in line {above.line}", f"{here}与第{above.line}行的{there}重叠"
            )

    # Words of bits ----------------------------------------------------------------------------------------------------

    def _conditions(self) -> tuple[Condition, ...]:
        found: list[Condition] = []
        seen: dict[int, int] = {}
        for section in self.whole.get("events", ()):
            cell = self.speech.cell(section, self.word)
            if not _bits_or_equals(section, self.mistakes):
                continue
            if isinstance(event := section.get("event"), int) and cell is not None:
                found += self._condition(cell, 0, event, 1, section.at("event"), seen)
            for bit in section.get("bits", ()):
                event, number = bit.get("event"), bit.get("bit")
                if event is None or number is None or cell is None or not self._holds(cell, number, bit):
                    continue
                found += self._condition(cell, number, event, bit.get("when", 1), bit.at("event"), seen)
        return tuple(found)

    def _condition(
        self, cell: Cell, number: int, event: int, when: int, place: Place, seen: dict[int, int]
    ) -> list[Condition]:
        """The condition, or none where its event is told already; `seen` has the lines of those."""
        if event in seen:
            name = event_kinds()[event].name
            self.mistakes.add(place, f"{name} is told already in line {seen[event]}", f"{name}在第{seen[event]}行已有")
            return []
        seen[event] = place.line
        return [Condition(cell, number, event, when)]

    def _holds(self, cell: Cell, number: int, section: Section) -> bool:
        width = cell.limits()[1].bit_length()
        if number < width:
            return True
        self.mistakes.add(
            section.at("bit"), f"bit {number} is not in a word of {width} bits", f"{width}位状态字中没有第{number}位"
        )
        return False

    # Control ----------------------------------------------------------------------------------------------------------

    def _orders(self, control: Section | None) -> dict[str, Order]:
        found = {}
        for name in ORDERS:
            section: Section | None = control.get(name) if control else None
            order = self.speech.order(name, section, self.measured) if section else None
            if order is not None:
                found[name] = order
        return found

    def _state(self, control: Section | None) -> State | None:
        section: Section | None = control.get("state") if control else None
        cell = self.speech.cell(section, self.word) if section else None
        number = section.get("bit") if section else None
        if section is None or cell is None or number is None or not self._holds(cell, number, section):
            return None
        return State(cell, number, section.get("closed", 1))


def _bits_or_equals(section: Section, mistakes: Mistakes) -> bool:
    """Whether an event is told in one of the two ways there are."""
    told = {name for name in ("bits", "equals", "event") if name in section.places}
    if told in ({"bits"}, {"equals", "event"}):
        return True
    if told or not mistakes.at(section.place):
        mistakes.add(section.place, "an event has either bits, or equals and event", "应为bits，或equals加event")
    return False


__all__ = ["check", "load", "parse"]
