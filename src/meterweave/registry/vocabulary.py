"""The closed lists of the archives: each word as it is stored, in English and in Chinese.

`read_word` accepts the stored word and both names, in any case, so that files from either side can be imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from meterweave.text import Text


class Utility(StrEnum):
    """What is measured; the words are those of ``metering/quantities.csv``."""

    ELECTRICITY = "electricity"
    WATER = "water"
    GAS = "gas"
    HEAT = "heat"


class Wiring(StrEnum):
    """How an electricity meter is connected (DL/T 698.45 class 11, wiring)."""

    SINGLE_PHASE = "single_phase"
    THREE_WIRE = "three_phase_three_wire"
    FOUR_WIRE = "three_phase_four_wire"


class Phase(StrEnum):
    """The phases a meter sits on (CIM PhaseCode)."""

    A = "A"
    B = "B"
    C = "C"
    ABC = "ABC"


class TerminalKind(StrEnum):
    """What holds the session with the centre."""

    CONCENTRATOR = "concentrator"
    COLLECTOR = "collector"
    MODULE = "module"  # a serial server or radio module that passes octets through
    METER = "meter"  # the meter calls by itself


class Channel(StrEnum):
    """By what a terminal calls; it decides how many may be called at once."""

    ETHERNET = "ethernet"
    FIBRE = "fibre"
    CELLULAR = "cellular"
    NB_IOT = "nb_iot"
    RF = "rf"  # a private radio network
    PLC = "plc"


class TerminalState(StrEnum):
    """Where a terminal stands in its life; only `PLANNED` and `ACTIVE` ones may log in."""

    PLANNED = "planned"  # in the archives, not seen yet
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class Enrolment(StrEnum):
    """How a terminal came into the archives."""

    IMPORTED = "imported"
    ENTERED = "entered"
    AUTOMATIC = "automatic"  # it called, and the centre was set to take in whoever calls


class Purpose(StrEnum):
    """Why a reading was entered by a person."""

    ROUTINE = "routine"  # on a round
    FINAL = "final"  # as the meter was taken out
    INITIAL = "initial"  # as the meter was put in
    CHECK = "check"  # to prove what was reported


WORDS: Mapping[StrEnum, Text] = MappingProxyType(
    {
        Utility.ELECTRICITY: Text("electricity", "电"),
        Utility.WATER: Text("water", "水"),
        Utility.GAS: Text("gas", "气"),
        Utility.HEAT: Text("heat", "热"),
        Wiring.SINGLE_PHASE: Text("single phase", "单相"),
        Wiring.THREE_WIRE: Text("three-phase three-wire", "三相三线"),
        Wiring.FOUR_WIRE: Text("three-phase four-wire", "三相四线"),
        Phase.A: Text("A", "A相"),
        Phase.B: Text("B", "B相"),
        Phase.C: Text("C", "C相"),
        Phase.ABC: Text("ABC", "三相"),
        TerminalKind.CONCENTRATOR: Text("concentrator", "集中器"),
        TerminalKind.COLLECTOR: Text("collector", "采集器"),
        TerminalKind.MODULE: Text("module", "通信模块"),
        TerminalKind.METER: Text("meter", "直连表"),
        Channel.ETHERNET: Text("ethernet", "以太网"),
        Channel.FIBRE: Text("fibre", "光纤"),
        Channel.CELLULAR: Text("cellular", "蜂窝"),
        Channel.NB_IOT: Text("NB-IoT", "NB-IoT"),
        Channel.RF: Text("radio", "无线专网"),
        Channel.PLC: Text("power line", "电力线"),
        TerminalState.PLANNED: Text("planned", "待接入"),
        TerminalState.ACTIVE: Text("active", "在用"),
        TerminalState.SUSPENDED: Text("suspended", "停用"),
        TerminalState.RETIRED: Text("retired", "拆除"),
        Enrolment.IMPORTED: Text("imported", "导入"),
        Enrolment.ENTERED: Text("entered", "录入"),
        Enrolment.AUTOMATIC: Text("automatic", "自动登记"),
        Purpose.ROUTINE: Text("routine", "例行抄表"),
        Purpose.FINAL: Text("final", "拆表止度"),
        Purpose.INITIAL: Text("initial", "装表起度"),
        Purpose.CHECK: Text("check", "核对"),
    }
)
"""What each word is called."""

_ALSO: Mapping[str, StrEnum] = {
    "electric": Utility.ELECTRICITY, "电表": Utility.ELECTRICITY, "电能表": Utility.ELECTRICITY,
    "水表": Utility.WATER, "燃气": Utility.GAS, "气表": Utility.GAS, "燃气表": Utility.GAS,
    "热力": Utility.HEAT, "热表": Utility.HEAT, "热量表": Utility.HEAT,
    "1p": Wiring.SINGLE_PHASE, "3p3w": Wiring.THREE_WIRE, "3p4w": Wiring.FOUR_WIRE,
    "4g": Channel.CELLULAR, "5g": Channel.CELLULAR, "gprs": Channel.CELLULAR, "fiber": Channel.FIBRE,
    "l1": Phase.A, "l2": Phase.B, "l3": Phase.C,
}  # fmt: skip

Word = TypeVar("Word", bound=StrEnum)


def read_word(kind: type[Word], text: str) -> Word | None:
    """The word of `kind` that `text` means: as stored, or by its English or Chinese name; None if there is none."""
    wanted = text.strip().lower()
    for word in kind:
        if wanted in (word.value.lower(), WORDS[word].en.lower(), WORDS[word].zh.lower()):
            return word
    found = _ALSO.get(wanted)
    return found if isinstance(found, kind) else None
