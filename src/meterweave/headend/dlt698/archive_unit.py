"""One line of a terminal's list of meters: the structure 6001 (Annex A.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from meterweave.headend.dlt698.line import server_of
from meterweave.headend.dlt698.literals import address, array, enum, oad, octets, structure, u8, u16
from meterweave.headend.dlt698.transparent import baud_code, port_of
from meterweave.protocols.dlt698.data import Data, Tag
from meterweave.protocols.dlt698.readings import tsa_key
from meterweave.registry.meter_entries import MeterEntry
from meterweave.registry.vocabulary import Utility, Wiring

USER_TYPES: Mapping[Utility, int] = MappingProxyType(
    {Utility.ELECTRICITY: 1, Utility.WATER: 2, Utility.GAS: 3, Utility.HEAT: 4}
)
"""The user type by which tasks tell meters apart: the centre gives each utility one."""
NUMBER_MAX = 0xFFFF
"""The greatest configuration number."""

_PROTOCOLS: Mapping[str, int] = MappingProxyType({"dlt645": 2, "dlt645-1997": 1, "dlt698": 3, "cjt188": 4})
_BAUDS: Mapping[str, int] = MappingProxyType({"dlt698": 9600})
_USUAL_BAUD, _USUAL_TARIFFS = 2400, 4
_WIRINGS: Mapping[Wiring, int] = MappingProxyType({Wiring.SINGLE_PHASE: 1, Wiring.THREE_WIRE: 2, Wiring.FOUR_WIRE: 3})
_VOLTAGE_DV, _CURRENT_DA = 2200, 50
_NO_PASSWORD = bytes(6)
_NO_COLLECTOR = "000000000000"


class Listed(NamedTuple):
    """A line of the list as far as the centre looks at it."""

    number: int
    key: int  # of the meter's address
    port: int
    baud: int
    protocol: int
    tariffs: int
    user_type: int
    wiring: int


def wanted_unit(meter: MeterEntry, number: int, had: Listed | None = None) -> Listed:
    """The line of a meter under a number; what the archives do not know stays as the terminal `had` it."""
    unit = Listed(
        number=number,
        key=meter.address_key,
        port=port_of(meter),
        baud=baud_code(meter, _BAUDS.get(meter.protocol, _USUAL_BAUD)),
        protocol=_PROTOCOLS.get(meter.protocol, 0),
        tariffs=meter.tariff_count or (_USUAL_TARIFFS if meter.utility is Utility.ELECTRICITY else 1),
        user_type=USER_TYPES[meter.utility],
        wiring=_WIRINGS[meter.wiring] if meter.wiring else 0,
    )
    if had is None:
        return unit
    known = {"port": meter.port, "baud": meter.baud, "tariffs": meter.tariff_count, "wiring": meter.wiring}
    return unit._replace(**{name: getattr(had, name) for name, value in known.items() if value is None})


def unit_data(meter: MeterEntry, unit: Listed) -> Data:
    """The line as it is sent."""
    basic = structure(
        (Tag.TSA, server_of(meter)),
        enum(unit.baud),
        enum(unit.protocol),
        oad(unit.port),
        octets(_NO_PASSWORD),
        u8(unit.tariffs),
        u8(unit.user_type),
        enum(unit.wiring),
        u16(_VOLTAGE_DV),
        u16(_CURRENT_DA),
    )
    collector = (meter.collector or _NO_COLLECTOR).zfill(len(_NO_COLLECTOR))
    extended = structure(_address_or_none(collector), octets(bytes(6)), u16(1), u16(1))
    return structure(u16(unit.number), basic, extended, array(()))


def _address_or_none(text: str) -> Data:
    digits = len(text) % 2 == 0 and not text.strip("0123456789abcdefABCDEF")
    return address(text if digits else _NO_COLLECTOR)


def read_unit(data: Data) -> Listed | None:
    """A line as a terminal tells it; None where it is none."""
    tag, members = data
    if tag != Tag.STRUCTURE or len(members) < 2:
        return None
    (number_tag, number), (basic_tag, basic) = members[:2]
    if number_tag != Tag.LONG_UNSIGNED or basic_tag != Tag.STRUCTURE or len(basic) < len(_BASIC):
        return None
    if any(one[0] not in tags for one, tags in zip(basic, _BASIC, strict=False)):
        return None
    key = tsa_key(basic[0][1])
    baud, protocol, port, _, tariffs, user_type, wiring = (one[1] for one in basic[1:8])
    return None if key is None else Listed(number, key, port, baud, protocol, tariffs, user_type, wiring)


_NUMBERS = frozenset((Tag.ENUM, Tag.UNSIGNED))
_BASIC: Sequence[frozenset[Tag]] = (
    frozenset((Tag.TSA,)),
    _NUMBERS,
    _NUMBERS,
    frozenset((Tag.OAD,)),
    frozenset((Tag.OCTET_STRING,)),
    _NUMBERS,
    _NUMBERS,
    _NUMBERS,
)
"""The types of the basic part's members that are looked at; some terminals send an unsigned for an enum."""
