"""What an OAD or an OMD points at: the objects of DL/T 698.45-2017, Annex A, and their interface classes, clause 8.

The table is data, in five files beside this module:

``objects.csv``
    one row an object (OI): its names, its interface class, and the type, unit, exponent, element names and OBIS codes
    of attribute 2. ``family`` = ``phases`` stands for four objects (total, A, B, C), a number for as many alike.
``classes.csv``
    the attributes and methods of every interface class; ``*`` is every class. ``=`` in ``unit``, ``exponent`` or
    ``elements`` means: as the object's row says.
``members.csv``
    attributes, methods and single elements (``2.1``) that one object has beside or instead of its class's.
``elements.csv``
    the names of array elements and structure members. ``counts_from`` is empty for one element; a number makes the row
    stand for all elements from ``index`` on, ``{n}`` counting up from it.

``obis`` lists the IEC 62056-61 codes of the elements in order, parted by ``|``; ``1-0:1.8.*`` counts in group E from 0
(element 1, the total). A value without OBIS code is shown but gives no reading.

>>> one = attribute(0x00100202)
>>> one.name, one.meaning.en, one.unit, one.exponent, one.obis
('forward_active_energy.t1', 'forward active energy, tariff 1', 'kWh', -2, '1-0:1.8.1')
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from meterweave.metering.quantities import quantities
from meterweave.protocols.dlt698 import tables
from meterweave.text import Text

Row = Mapping[str, str]

CLASS_DEMAND = 2
CLASS_FREEZE = 9
PHASES = ("", "a", "b", "c")
_PHASE_OBIS_STEP = 20  # IEC 62056-61: value group C of phase A is the total's plus 20, of B plus 40, of C plus 60
_CACHE_MAX = 1 << 16  # descriptors remembered; a network uses a few hundred


class Scale(NamedTuple):
    """How the integers of a value are to be read: times ``10**exponent``, in `unit`."""

    unit: str
    exponent: int

    def to_json(self) -> dict[str, object]:
        """The ``quantity`` of the decoder's JSON."""
        return {"unit": self.unit, "scale": self.exponent}


@dataclass(frozen=True, slots=True)
class Attribute:
    """What one OAD points at: an attribute of an object, or one element of it."""

    oad: int
    name: str
    meaning: Text
    interface: int
    """Number of the interface class."""
    type: str
    """As the standard writes it, shortened: ``arr[u32]``, ``st{value u32, time dts}``, ``dts``; empty if not known."""
    unit: str = ""
    exponent: int | None = None
    elements: str = ""
    """Which rows of ``elements.csv`` name the elements; empty: they have no names."""
    obis: str = ""
    """IEC 62056-61 code of the value, or empty; an attribute with several elements has codes in its elements."""
    element_obis: str = ""
    """The codes of the elements, as ``objects.csv`` writes them."""

    @property
    def scale(self) -> Scale | None:
        """Unit and power of ten of every number in the value; None where there is none or they differ."""
        return None if self.exponent is None or not self.unit else Scale(self.unit, self.exponent)

    def element(self, index: int) -> Attribute:
        """The element at `index`, 1 to 255; without name or code of its own it is called by its number."""
        return _element(self, index)


@dataclass(frozen=True, slots=True)
class Method:
    """What one OMD points at."""

    omd: int
    name: str
    meaning: Text
    interface: int
    type: str
    """Type of the argument, written as in `Attribute`."""


@dataclass(frozen=True, slots=True)
class Object:
    """One object: its names, and what it offers by number; the OIs in `attributes` and `methods` are its own."""

    oi: int
    name: str
    meaning: Text
    interface: int
    attributes: Mapping[int, Attribute]
    methods: Mapping[int, Method]
    clause: str


@lru_cache(_CACHE_MAX)
def attribute(oad: int) -> Attribute | None:
    """What the 32-bit `oad` points at; None where the table does not know it.

    Attribute number 0 stands for all attributes: the object's own names. The feature bits tell an event's columns
    apart (the value before, after the event) and the plans of a freeze; they change the meaning, not the name.
    """
    found = objects().get(oad >> 16)
    if not found:
        return None
    number, feature, index = oad >> 8 & 0x1F, oad >> 13 & 7, oad & 0xFF
    if number == 0:
        return Attribute(oad, found.name, found.meaning, found.interface, "")
    whole = found.attributes.get(number)
    if whole is None:
        return None
    one = whole.element(index) if index else whole
    return replace(one, oad=oad, meaning=_with_feature(one, feature)) if feature else one


@lru_cache(_CACHE_MAX)
def method(omd: int) -> Method | None:
    """What the 32-bit `omd` points at, whatever its operation mode; None where the table does not know it."""
    found = objects().get(omd >> 16)
    one = found.methods.get(omd >> 8 & 0xFF) if found else None
    return replace(one, omd=omd) if one else None


def quantity_of(oad: int) -> Scale | None:
    """Unit and power of ten of the data of `oad`, whatever its feature and index: the ``quantity`` of a result's JSON.

    It stands beside every ``data`` of an A-ResultNormal whose numbers have one unit, also where they are in an array or
    in a structure with their time. A DAR has none; requests, ACTION results and data without unit have none.
    """
    one = attribute(oad)
    return one.scale if one else None


def column_quantities(columns: Iterable[int | Sequence[int]]) -> list[object] | None:
    """The ``column_quantity`` of an A-ResultRecord's JSON, also of one without rows; a record that failed has none.

    `columns` gives an OAD for every plain column and the OADs inside for a ROAD, whose entry is a list of its own.
    Columns without unit give None; where none has one the key is absent, and this function's answer None.
    """
    found: list[object] = []
    known = False
    for column in columns:
        scales = [quantity_of(oad) for oad in ([column] if isinstance(column, int) else column)]
        known = known or any(scales)
        entries = [scale.to_json() if scale else None for scale in scales]
        found.append(entries[0] if isinstance(column, int) else entries)
    return found if known else None


@cache
def objects() -> Mapping[int, Object]:
    """Every object by its OI, families written out."""
    members = _grouped(_rows("members"), "oi")
    table = {}
    for row in _rows("objects"):
        for one in _family(row):
            table[int(one["oi"], 16)] = _object(one, members.get(one["oi"], []))
    return MappingProxyType(table)


@cache
def classes() -> Mapping[int, Text]:
    """The interface classes by number."""
    rows = (row for row in _rows("classes") if row["kind"] == "class")
    return MappingProxyType({int(row["class"]): Text(row["en"], row["zh"]) for row in rows})


def _rows(name: str) -> list[Row]:
    with files(__package__).joinpath(f"{name}.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _grouped(rows: Iterable[Row], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


@cache
def _class_rows() -> Mapping[str, list[Row]]:
    return _grouped(_rows("classes"), "class")


@cache
def _element_rows() -> Mapping[str, list[Row]]:
    return _grouped(_rows("elements"), "elements")


@cache
def single_elements() -> Mapping[tuple[int, int, int], Row]:
    """Rows of single elements by object, attribute and index."""
    table = {}
    for row in _rows("members"):
        if row["kind"] == "element":
            number, _, index = row["number"].partition(".")
            table[int(row["oi"], 16), int(number), int(index)] = row
    return table


def _family(row: Row) -> list[Row]:
    """The rows for which a row of ``objects.csv`` stands."""
    first, family = int(row["oi"], 16), row["family"]
    if family == "phases":
        return [
            dict(
                row,
                oi=f"{first + phase:04X}",
                name=f"{row['name']}_{letter}" if phase else row["name"],
                en=f"{row['en']}, phase {letter.upper()}" if phase else row["en"],
                zh=f"{letter.upper()}相{row['zh']}" if phase else row["zh"],
                obis=_phase_obis(row["obis"], phase),
            )
            for phase, letter in enumerate(PHASES)
        ]
    if not family:
        return [row]
    return [
        dict(
            row,
            oi=f"{first + count:04X}",
            name=f"{row['name']}_{count + 1}",
            en=f"{row['en']} {count + 1}",
            zh=f"{row['zh']}{count + 1}",
        )
        for count in range(int(family))
    ]


def _phase_obis(obis: str, phase: int) -> str:
    if not obis:
        return ""
    medium, rest = obis.split(":")
    value, kind, tariff = rest.split(".")
    return f"{medium}:{int(value) + _PHASE_OBIS_STEP * phase}.{kind}.{tariff}"


def _object(row: Row, members: Sequence[Row]) -> Object:
    rows = {
        (member["kind"], int(member["number"])): member
        for member in (*_class_rows()["*"], *_class_rows()[row["class"]], *members)
        if member["kind"] in ("attribute", "method")
    }
    return Object(
        oi=int(row["oi"], 16),
        name=row["name"],
        meaning=Text(row["en"], row["zh"]),
        interface=int(row["class"]),
        attributes={number: _attribute(row, member) for (kind, number), member in rows.items() if kind == "attribute"},
        methods={number: _method(row, member) for (kind, number), member in rows.items() if kind == "method"},
        clause=_clause(row["oi"]),
    )


def _attribute(row: Row, member: Row) -> Attribute:
    """An attribute of the object in `row`, as `member`, a row of its class or its own, says."""
    number = int(member["number"])
    main = number == 2  # the attribute the object is there for: it goes by the object's name and type
    shared = {key: row[key] if member[key] == "=" else member[key] for key in ("unit", "exponent", "elements")}
    codes = row["obis"] if member["unit"] == "=" else member.get("obis", "")
    return Attribute(
        oad=int(row["oi"], 16) << 16 | number << 8,
        name=row["name"] if main else f"{row['name']}.{member['name']}",
        meaning=Text(row["en"], row["zh"]) if main else _of(row, member),
        interface=int(row["class"]),
        type=(main and row["type"]) or member["type"],
        unit=shared["unit"],
        exponent=int(shared["exponent"]) if shared["exponent"] else None,
        elements=shared["elements"],
        obis="" if shared["elements"] else codes,
        element_obis=codes if shared["elements"] else "",
    )


def _method(row: Row, member: Row) -> Method:
    return Method(
        omd=int(row["oi"], 16) << 16 | int(member["number"]) << 8,
        name=f"{row['name']}.{member['name']}",
        meaning=_of(row, member),
        interface=int(row["class"]),
        type=member["type"],
    )


def _of(row: Row, member: Row) -> Text:
    return Text(f"{row['en']}: {member['en']}", f"{row['zh']}：{member['zh']}")


def _element(whole: Attribute, index: int) -> Attribute:
    """Element `index` of `whole`: named by ``elements.csv``, measured as `whole`, or as its own row says."""
    name, meaning = _element_name(whole.elements, index)
    own = single_elements().get((whole.oad >> 16, whole.oad >> 8 & 0x1F, index))
    return Attribute(
        oad=whole.oad | index,
        name=f"{whole.name}.{name}",
        meaning=Text(f"{whole.meaning.en}, {meaning.en}", f"{whole.meaning.zh}，{meaning.zh}"),
        interface=whole.interface,
        type=own["type"] if own else _element_type(whole.type),
        unit=own["unit"] if own else whole.unit,
        exponent=int(own["exponent"]) if own else whole.exponent,
        obis=own["obis"] if own else element_obis(whole.element_obis, index),
    )


def _element_name(elements: str, index: int) -> tuple[str, Text]:
    for row in _element_rows().get(elements, ()):
        first = int(row["index"])
        if index == first or (row["counts_from"] and index > first):
            number = index - first + int(row["counts_from"] or 0)
            name, en, zh = (row[key].replace("{n}", str(number)) for key in ("name", "en", "zh"))
            return name, Text(en, zh)
    return str(index), Text(f"element {index}", f"第{index}个元素")


def _element_type(type_: str) -> str:
    """What is inside an array; the members of structures are not taken apart."""
    return type_[4:-1] if type_.startswith("arr[") else ""


def element_obis(codes: str, index: int) -> str:
    """The code at `index`, from 1, of codes as ``objects.csv`` writes them; empty where it is no quantity."""
    if codes.endswith("*"):
        code = f"{codes[:-1]}{index - 1}"
    else:
        listed = codes.split("|")
        code = listed[index - 1] if index <= len(listed) else ""
    return code if code in quantities() else ""


def _with_feature(one: Attribute, feature: int) -> Text:
    """The meaning of `one` in a column whose OAD has feature bits."""
    more = tables.FEATURES.get(feature, Text(f"feature {feature}", f"属性特征{feature}"))
    if one.interface == CLASS_FREEZE:
        more = Text(f"plan {feature}", f"方案{feature}")
    return Text(f"{one.meaning.en}, {more.en}", f"{one.meaning.zh}，{more.zh}")


def _clause(oi: str) -> str:
    """The table of Annex A that defines the object: one a family, four for the family F."""
    return f"A.{10 + int(oi[1], 16)}" if oi[0] == "F" else f"A.{1 + int(oi[0], 16)}"
