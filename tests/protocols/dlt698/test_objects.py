"""The object table: whole, consistent, and what the vectors say about units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from meterweave.metering.quantities import quantities
from meterweave.protocols.dlt698 import tables
from meterweave.protocols.dlt698.objects import (
    Scale,
    attribute,
    classes,
    column_quantities,
    method,
    objects,
    quantity_of,
)
from meterweave.text import Text
from tests import vectors

VECTORS = vectors.load("dlt698-45")


def dicts(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for branch in tree:
            yield from dicts(branch)


def results(key: str) -> list[Any]:
    """All A-ResultNormal (`key` data) or A-ResultRecord (`key` rows) of the vectors, with the name of their vector."""
    return [
        pytest.param(one, id=f"{vector['id']}-{number}")
        for vector in VECTORS
        for number, one in enumerate(dicts(vector["decoded"]))
        if "oad" in one and one.get(key) is not None and "omd" not in one
    ]


def column(one: dict[str, Any]) -> int | list[int]:
    return [int(oad, 16) for oad in one["oads"]] if "road" in one else int(one["oad"], 16)


@pytest.mark.parametrize("result", results("data"))
def test_results_have_the_quantity_of_the_vectors(result: dict[str, Any]) -> None:
    scale = quantity_of(int(result["oad"], 16))
    assert (scale.to_json() if scale else None) == result.get("quantity")


@pytest.mark.parametrize("result", results("rows"))
def test_records_have_the_column_quantities_of_the_vectors(result: dict[str, Any]) -> None:
    assert column_quantities(column(one) for one in result["rcsd"]) == result.get("column_quantity")


def test_the_columns_of_a_road_have_a_list_of_their_own() -> None:
    energy = {"unit": "kWh", "scale": -2}
    assert column_quantities([0x202A0200, [0x20210200, 0x00100200]]) == [None, [None, energy]]
    assert column_quantities([0x202A0200, [0x20210200]]) is None
    assert column_quantities([]) is None


def test_every_family_of_objects_is_there() -> None:
    assert len(objects()) == 516
    assert {oi >> 12 for oi in objects()} == {0, 1, 2, 3, 4, 5, 6, 7, 8, 15}
    assert sorted(classes()) == list(range(1, 27))
    assert {one.interface for one in objects().values()} <= set(classes())


def test_names_and_meanings_are_there_once_each() -> None:
    names = [one.name for one in objects().values()]
    assert len(set(names)) == len(names)
    for one in objects().values():
        members = [*one.attributes.values(), *one.methods.values()]
        assert len({member.name for member in members}) == len(members)
        for member in [one, *members]:
            assert member.meaning.en.isascii()
            assert member.meaning.zh
            assert not set(member.name) - set("abcdefghijklmnopqrstuvwxyz0123456789_.")


def test_every_object_has_its_logical_name_and_the_two_common_methods() -> None:
    for oi, one in objects().items():
        assert attribute(oi << 16 | 0x0100) == one.attributes[1]
        assert one.attributes[1].type == "oct"
        assert method(oi << 16 | 0x0200) == one.methods[2]
        assert {*one.attributes} <= set(range(1, 32))


def test_obis_codes_and_units_are_those_of_the_table_of_quantities() -> None:
    units = {"°C": "Cel", "m³": "m3", "degree": "deg", "yuan": "CNY"}
    mapped = 0
    for one in objects().values():
        for whole in one.attributes.values():
            for point in [whole, *(whole.element(index) for index in range(1, 9))]:
                if point.obis:
                    mapped += 1
                    assert quantities()[point.obis].unit == units.get(point.unit, point.unit), point
    assert mapped > 700


def test_units_are_those_of_the_standard() -> None:
    known = {text.en for text in tables.UNITS.values()} | {"1", "yuan", "imp/kWh", "imp/kvarh"}
    scales = [whole.scale for one in objects().values() for whole in one.attributes.values()]
    assert {scale.unit for scale in scales if scale} <= known


@pytest.mark.parametrize(
    ("oad", "name", "en", "zh", "type_", "scale", "obis"),
    [
        (0x00000200, "combined_active_energy", "combined active energy", "组合有功电能", "arr[i32]", ("kWh", -2), ""),
        (
            0x00530203,
            "quadrant_1_reactive_energy_c.t2",
            "quadrant I reactive energy, phase C, tariff 2",
            "C相第一象限无功电能，费率2",
            "u32",
            ("kvarh", -2),
            "1-0:65.8.2",
        ),
        (
            0x00100401,
            "forward_active_energy.values_precise.total",
            "forward active energy: total and rates, high precision, total",
            "正向有功电能：高精度总及费率电能量数组，总",
            "u64 or i64",
            ("kWh", -4),
            "1-0:1.8.0",
        ),
        (
            0x200D0302,
            "voltage_harmonics.phase_b.h2",
            "voltage harmonic content: harmonics of phase B, order 2",
            "电压谐波含有量：B相n次谐波数组，2次",
            "",
            ("%", -2),
            "",
        ),
        (
            0x20004202,
            "voltage.b",
            "voltage, phase B, after the event started",
            "电压，B相，事件发生后",
            "u16",
            ("V", -1),
            "1-0:52.7.0",
        ),
        (0x2000E204, "voltage.4", "voltage, element 4, feature 7", "电压，第4个元素，属性特征7", "u16", ("V", -1), ""),
        (
            0x202C0201,
            "purse.remaining",
            "purse, remaining amount",
            "(当前)钱包文件，剩余金额",
            "u32",
            ("yuan", -2),
            "0-0:19.10.1",
        ),
        (0x200F0200, "frequency", "grid frequency", "电网频率", "u16", ("Hz", -2), "1-0:14.7.0"),
        (0x20010400, "current.neutral", "current: neutral current", "电流：零线电流", "i32", ("A", -3), "1-0:91.7.0"),
        (0x23080B00, "total_group_8.remaining", "total-addition group 8: remaining energy or money",
         "总加组8：总加剩余电量（费）", "i64", None, ""),
        (0x50042000 | 0x0200, "freeze_day", "day freeze, plan 1", "日冻结，方案1",
         "arr[st{number u32, time dts, values}]", None, ""),
        (0x50040000, "freeze_day", "day freeze", "日冻结", "", None, ""),
    ],
)  # fmt: skip
def test_an_oad_points_at(
    oad: int, name: str, en: str, zh: str, type_: str, scale: tuple[str, int] | None, obis: str
) -> None:
    one = attribute(oad)
    assert one
    assert (one.oad, one.name, one.meaning, one.type) == (oad, name, Text(en, zh), type_)
    assert (one.scale, one.obis) == (Scale(*scale) if scale else None, obis)


def test_tariffs_above_63_have_no_code() -> None:
    last, beyond = attribute(0x00100240), attribute(0x00100241)
    assert last
    assert beyond
    assert (last.obis, beyond.obis, beyond.name) == ("1-0:1.8.63", "", "forward_active_energy.t64")


@pytest.mark.parametrize("unknown", [0xFFFF0200, 0x00140200, 0x00100600])
def test_an_unknown_oad_points_at_nothing(unknown: int) -> None:
    assert attribute(unknown) is None
    assert quantity_of(unknown) is None


def test_an_omd_points_at() -> None:
    trip = method(0x80008101)
    assert trip
    assert (trip.omd, trip.name, trip.interface) == (0x80008101, "remote_control.trip", 8)
    restart = method(0x43000100)
    assert restart
    assert (restart.meaning, restart.type) == (
        Text("electric device: restart the device", "电气设备：设备复位"),
        "NULL",
    )
    assert method(0x43007F00) is None
    assert method(0xFFFF0100) is None


@pytest.mark.parametrize(
    ("oi", "clause"),
    [(0x0010, "A.1"), (0x1010, "A.2"), (0x8000, "A.9"), (0xF001, "A.10"), (0xF100, "A.11"), (0xF301, "A.13")],
)
def test_objects_know_their_table_of_the_standard(oi: int, clause: str) -> None:
    assert objects()[oi].clause == clause


def test_codes_have_words() -> None:
    assert tables.word(tables.DAR, 3) == Text("read-write denied", "拒绝读写")
    assert tables.word(tables.DAR, 53) == tables.UNKNOWN
    assert [len(tables.PROTOCOL_CONFORMANCE), len(tables.FUNCTIONAL_CONFORMANCE)] == [34, 30]
