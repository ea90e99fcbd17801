"""Finding by text: what is found, in which order, whoever wrote it, and whatever is typed."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session

from meterweave.registry import Meter, Organisation, Registry, Terminal, TransformerDistrict, UsagePoint
from meterweave.registry.importing import import_octets
from meterweave.registry.search import FOUND_MAX, Fit, Found, search
from meterweave.registry.search_schema import TEXTS, SearchedText
from meterweave.registry.search_text import TEXT_MAX, clean, contains, starts
from tests.registry.conftest import empty
from tests.registry.records import add_meter, add_terminal

POINTS = next(of for of in TEXTS if of.model is UsagePoint)
LETTERS = st.text("01aAbB王小明%_\\\"'*^ -(（{}#.,;:?!/+~@&|<>=$[]`", max_size=6)


def names(found: Found) -> list[str]:
    return [hit.name for hit in found.hits]


def look(registry: Registry, wanted: str, **more: object) -> Found:
    with registry.reading() as session:
        return search(session, wanted, **more)  # type: ignore[arg-type]


def add_points(registry: Registry, *texts: tuple[str, str]) -> None:
    with registry.writing() as session:
        session.add_all(UsagePoint(code=code, name=name) for code, name in texts)


def test_the_best_fitting_come_first(registry: Registry) -> None:
    add_points(registry, ("9123", ""), ("91239", ""), ("123", ""), ("1234", ""), ("77", "x123"))
    found = look(registry, "123")
    assert [(hit.name, hit.fit) for hit in found.hits] == [
        ("123", Fit.EXACT),
        ("1234", Fit.START),
        ("77", Fit.END),
        ("9123", Fit.END),
        ("91239", Fit.WITHIN),
    ]
    assert not found.more
    few = look(registry, "123", limit=2)
    assert names(few) == ["123", "1234"]
    assert few.more


def test_every_kind_is_found_by_number_and_name(registry: Registry) -> None:
    with registry.writing() as session:
        meter = add_meter(session, "330000123456")
        meter.asset_number = "ZC-0077"
        terminal = add_terminal(session, "3301-00012", "gdw1376-1")
        terminal.name = "和平路集中器"
        number = meter.id
        session.add_all(
            (
                UsagePoint(code="YH1", name="张小明"),
                TransformerDistrict(code="TQ1", name="和平路公变"),
                Organisation(code="ORG", name="和平供电所"),
            )
        )
    assert names(look(registry, "3456")) == ["330000123456"]
    assert names(look(registry, "zc-00")) == ["330000123456"]
    assert names(look(registry, "ＺＣ－0077".replace("－", "-"))) == ["330000123456"]
    assert names(look(registry, "小明")) == ["YH1"]
    assert names(look(registry, "明")) == ["YH1"]
    assert [hit.table for hit in look(registry, "和平").hits] == ["terminals", "transformer_districts", "organisations"]
    assert names(look(registry, "和平", kinds=[Organisation])) == ["ORG"]
    assert [(hit.name, hit.fit) for hit in look(registry, "3301-00012").hits] == [("3301000c", Fit.EXACT)]
    assert [(hit.table, hit.fit) for hit in look(registry, f"#{number}", kinds=[Meter]).hits] == [("meters", Fit.EXACT)]
    (hit,) = look(registry, "0077").hits
    assert hit.to_json() == {
        "table": "meters",
        "id": number,
        "kind": {"en": "meter", "zh": "表计"},
        "name": "330000123456",
        "also": "ZC-0077",
        "fit": "end",
    }


def test_an_address_is_found_without_its_zeros_first(registry: Registry) -> None:
    with registry.writing() as session:
        add_meter(session, "77")
        add_meter(session, "778")
    assert [(hit.name, hit.fit) for hit in look(registry, "77").hits] == [
        ("000000000077", Fit.EXACT),
        ("000000000778", Fit.WITHIN),
    ]


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "\0", "\n\t", "%", "_", "\\", '"', "'", "*", '"" OR ""', "a AND b", "NEAR(a b)", "a*", "^a", "col:a",
        "held:1", "-1", "{0}", "}{", "x" * 10_000, "1" * TEXT_MAX, "'; DROP TABLE meters; --", "\ud83d", "😀", "#",
        "#-1", "#99999999999999999999999", "ſ", "\u202e", "%%%", "a\0b", "1\ud83d2", "\0plain\0\0x", "__", "\\%",
    ],
)  # fmt: skip
def test_whatever_is_typed_is_but_text(registry: Registry, typed: str) -> None:
    add_points(registry, ("P1", "plain"))
    assert look(registry, typed).hits == ()


def has(of: SearchedText, row: tuple[str, ...], wanted: str) -> bool:
    return bool(clean(wanted)) and any(clean_case(wanted) in clean_case(one) for one in row)


def clean_case(one: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in one)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LETTERS, max_size=8), st.lists(LETTERS, max_size=8))
def test_it_finds_what_a_comparison_letter_by_letter_finds(
    registry: Registry, held: list[str], wanted: list[str]
) -> None:
    empty(registry)
    rows = {number: (f"P{number}", name) for number, name in enumerate(held)}
    with registry.writing() as session:
        session.add_all(UsagePoint(id=number + 1, code=code, name=name) for number, (code, name) in rows.items())
    with registry.reading() as session:
        for one in (*wanted, *held):
            typed = one.strip()
            expected = {number + 1 for number, row in rows.items() if has(POINTS, row, typed)}
            assert ids(session, one) == expected, one
            begun = {
                number + 1
                for number, row in rows.items()
                if typed and any(clean_case(text).startswith(clean_case(typed)) for text in row)
            }
            told = set(session.scalars(select(UsagePoint.id).where(starts(session, POINTS, one))))
            assert told <= begun
            assert {hit.id for hit in search(session, one, kinds=[UsagePoint]).hits} >= expected


def ids(session: Session, wanted: str) -> set[int]:
    return set(session.scalars(select(UsagePoint.id).where(contains(session, POINTS, wanted))))


def test_it_is_current_whoever_writes(registry: Registry) -> None:
    file = "protocol,address,utility,asset_number\ndlt645,330000000001,water,AA-1\ndlt645,330000000002,water,AA-2\n"
    assert import_octets(registry, file.encode(), "meters.csv").applied
    assert names(look(registry, "aa-")) == ["330000000001", "330000000002"]
    file = "protocol,address,asset_number\ndlt645,330000000001,BB-1\n"
    assert import_octets(registry, file.encode(), "meters.csv").applied
    assert names(look(registry, "bb-")) == ["330000000001"]
    assert names(look(registry, "aa-")) == ["330000000002"]
    with registry.writing() as session:
        session.execute(update(Meter).values(asset_number=None))
    assert look(registry, "aa-").hits == ()
    with registry.writing() as session:
        session.execute(insert(UsagePoint), [{"code": f"C{number}", "name": f"name {number}"} for number in range(50)])
        session.execute(delete(UsagePoint).where(UsagePoint.code == "C7"))
        session.rollback()
    assert look(registry, "name").hits == ()
    with registry.writing() as session:
        session.execute(insert(UsagePoint), [{"code": f"C{number}", "name": f"name {number}"} for number in range(50)])
        session.execute(delete(UsagePoint).where(UsagePoint.code != "C7"))
        session.execute(delete(Meter))
    assert names(look(registry, "name")) == ["C7"]
    assert look(registry, "3300").hits == ()


def test_of_very_many_the_exact_one_is_still_first(registry: Registry) -> None:
    with registry.writing() as session:
        made = [{"code": f"9{number:05d}", "name": "小区"} for number in range(3000)]
        session.execute(insert(UsagePoint), [*made, {"code": "9", "name": "小区"}, {"code": "z", "name": "x小区"}])
    found = look(registry, "9")
    assert names(found)[:2] == ["9", "900000"]
    assert len(found.hits) == 20
    assert found.more
    assert len(look(registry, "小区", limit=10_000).hits) == FOUND_MAX
    assert names(look(registry, "902999")) == ["902999"]


def test_what_only_looks_alike_hides_nothing(registry: Registry) -> None:
    """All pieces of three characters are there, in another order."""
    with registry.writing() as session:
        made = [{"code": f"a212x121{number:05d}", "name": ""} for number in range(3000, 5000)]
        session.execute(insert(UsagePoint), [*made, {"code": "b1212", "name": ""}])
    found = look(registry, "1212")
    assert names(found) == ["b1212"]
    assert not found.more


def test_letters_of_other_alphabets_are_found_as_they_are_written(registry: Registry) -> None:
    add_points(registry, ("P1", "ÉCOLE Ж"))
    assert [hit.fit for hit in look(registry, "École").hits] == [Fit.START]
    assert names(look(registry, "cole Ж")) == ["P1"]


def test_only_what_is_seen_is_found(registry: Registry) -> None:
    add_points(registry, *((f"A{number}", "well") for number in range(1500)), ("B1", "well"))

    def seen(query: object, model: object) -> list[object]:
        assert model is UsagePoint
        return [query.where(UsagePoint.code == one) for one in ("B1", "B2")]  # type: ignore[attr-defined]

    found = look(registry, "well", kinds=[UsagePoint], seen=seen)
    assert names(found) == ["B1"]
    assert not found.more


def test_without_the_extension_it_finds_the_same(registry: Registry) -> None:
    if registry.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has its trigrams built in")
    add_points(registry, ("P1", "幸福小区"), ("P2", "100%_"), ("幸", "p1"))
    wanted = ("幸福", "小区", "p1", "%_", "0%", "福小", "P")
    with registry.engine.connect() as connection, connection.begin(), Session(connection) as session:
        before = [search(session, one) for one in wanted]
        session.execute(text("DROP INDEX ix_usage_points_text"))
        assert [search(session, one) for one in wanted] == before
        assert [len(one.hits) for one in before] == [1, 1, 2, 1, 1, 1, 3]
        session.rollback()


def test_terminals_that_call_are_not_written_again(registry: Registry) -> None:
    """What changes every minute is no part of what is looked for."""
    with registry.writing() as session:
        add_terminal(session, "123456").name = "bridge"
    with registry.writing() as session:
        session.execute(update(Terminal).values(heartbeat_s=600))
    assert names(look(registry, "bridge")) == ["000000123456"]
