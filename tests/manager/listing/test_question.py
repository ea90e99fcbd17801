"""Questions to a table, and page marks, as they come from outside: sound, or refused in two languages."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.manager.listing import CODES, TABLES, ListingError, Operator, read_question, table_named
from meterweave.manager.listing.cursor import Cursor, read_cursor, write_cursor
from meterweave.registry.vocabulary import Utility

SECOND = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("table", "name", "value", "operator", "values"),
    [
        ("meters", "utility", "water", Operator.IS, (Utility.WATER,)),
        ("meters", "utility", "水", Operator.IS, (Utility.WATER,)),
        ("meters", "utility.one_of", "water,gas", Operator.ONE_OF, (Utility.WATER, Utility.GAS)),
        ("meters", "how", "人工抄表", Operator.IS, ("hand",)),
        ("meters", "address.contains", " 1 ", Operator.CONTAINS, (" 1 ",)),
        ("meters", "point_number.from", "-5", Operator.FROM, (-5,)),
        ("meters", "asset_number.empty", "True", Operator.EMPTY, (True,)),
        ("gaps", "day", "2026-01-02", Operator.IS, (date(2026, 1, 2),)),
        ("commands", "created.before", "2026-01-02T08:00:00+08:00", Operator.BEFORE, (SECOND,)),
        ("commands", "created.from", "2026-01-02", Operator.FROM, (SECOND,)),
        ("collection_plans", "enabled", "否", Operator.IS, (False,)),
    ],
)  # fmt: skip
def test_a_filter_has_a_value_of_the_columns_type(
    table: str, name: str, value: str, operator: Operator, values: tuple[object, ...]
) -> None:
    (found,) = read_question(table_named(table), [(name, value)]).filters
    assert (found.operator, found.values) == (operator, values)


@pytest.mark.parametrize(
    ("table", "filters", "sort", "code", "column"),
    [
        ("meters", [("colour", "red")], None, "listing.unknown_column", "colour"),
        ("meters", [("x" * 10_000, "red")], None, "listing.unknown_column", "x" * 40),
        ("meters", [("address.like", "%")], None, "listing.unknown_operator", "address"),
        ("meters", [("address.empty", "true")], None, "listing.unknown_operator", "address"),
        ("organisations", [("parent", "P")], None, "listing.unknown_operator", "parent"),
        ("meters", [("utility", "steam")], None, "listing.bad_value", "utility"),
        ("meters", [("utility.one_of", "water,")], None, "listing.bad_value", "utility"),
        ("meters", [("id", "1e9")], None, "listing.bad_value", "id"),
        ("meters", [("id", "９")], None, "listing.bad_value", "id"),
        ("meters", [("id", "9" * 19)], None, "listing.bad_value", "id"),
        ("meters", [("id", "9" * 10_000)], None, "listing.bad_value", "id"),
        ("meters", [("address", "a" * 201)], None, "listing.bad_value", "address"),
        ("meters", [("address", "a\0")], None, "listing.bad_value", "address"),
        ("meters", [("address", "\ud800")], None, "listing.bad_value", "address"),
        ("meters", [("asset_number.empty", "perhaps")], None, "listing.bad_value", "asset_number"),
        ("gaps", [("day", "2026-02-30")], None, "listing.bad_value", "day"),
        ("commands", [("created.from", "yesterday")], None, "listing.bad_value", "created"),
        ("commands", [("created.from", "0001-01-01T00:00:00+14:00")], None, "listing.bad_value", "created"),
        ("collection_plans", [("enabled", "perhaps")], None, "listing.bad_value", "enabled"),
        ("meters", [], "terminal", "listing.not_sortable", "terminal"),
        ("meters", [], "--address", "listing.unknown_column", "-address"),
        ("meters", [], "", "listing.unknown_column", ""),
        ("meters", [("id", "1")] * 21, None, "listing.too_many", ""),
        ("meters", [("id.one_of", ",".join(["1"] * 201))], None, "listing.too_many", ""),
    ],
)
def test_what_cannot_be_asked_is_refused_in_both_languages(
    table: str, filters: list[tuple[str, str]], sort: str | None, code: str, column: str
) -> None:
    with pytest.raises(ListingError) as refused:
        read_question(table_named(table), filters, sort=sort)
    assert (refused.value.code, refused.value.column) == (code, column)
    assert code in CODES
    assert refused.value.text.en
    assert any("一" <= letter <= "鿿" for letter in refused.value.text.zh)
    assert len(refused.value.text.en) < 1000


def test_a_table_that_is_not_there_is_refused() -> None:
    with pytest.raises(ListingError, match="there are: organisations, districts"):
        table_named("users; --")
    with pytest.raises(ListingError, match="201 characters"):
        read_question(table_named("meters"), text="a" * 201)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_tells_what_it_is(name: str) -> None:
    told = json.loads(json.dumps(TABLES[name].to_json()))
    assert [one["name"] for one in told["columns"]] == [column.name for column in TABLES[name].columns]
    assert len({one["name"] for one in told["columns"]}) == len(told["columns"])
    for column in TABLES[name].columns:
        assert column.title.en
        assert column.title.zh
        assert (column.words is not None) == (column.kind == "word")
    assert TABLES[name].column(told["sort"].removeprefix("-")).sortable


@given(
    st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200)),
    st.integers(0, 1 << 62),
    st.booleans(),
)
def test_a_mark_comes_back_as_it_went(value: str | None, number: int, back: bool) -> None:
    question = read_question(table_named("meters"), sort="asset_number")
    place = Cursor(value=value, key=(number,), back=back)
    assert read_cursor(question, write_cursor(question, place)) == place


@given(
    st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda some: base64.urlsafe_b64encode(some).decode()))
)
def test_no_other_text_is_a_mark(text: str) -> None:
    with pytest.raises(ListingError) as refused:
        read_cursor(read_question(table_named("gaps")), text)
    assert refused.value.code == "listing.bad_cursor"


@pytest.mark.parametrize(
    "held",
    [
        "null", "[]", "{}", "1", '["MARK"]', '["MARK",0,"a"]', '["MARK",0,"a",1,2]', '["MARK",2,"a",1]',
        '["MARK",0,null,1]', '["MARK",0,"a",null]', '["MARK",0,"a","x"]', '["MARK",0,"a",1.5]', '["MARK",0,["a"],1]',
        '["MARK",0,"a\\u0000",1]', '["MARK",0,"' + "a" * 201 + '",1]', '["other",0,"a",1]', "[" * 2000,
    ],
)  # fmt: skip
def test_a_mark_that_was_changed_is_none(held: str) -> None:
    question = read_question(table_named("meters"), sort="address")
    text = base64.urlsafe_b64encode(held.replace("MARK", question.mark).encode()).decode()
    with pytest.raises(ListingError, match="begin at its first page"):
        read_cursor(question, text)


def test_a_mark_is_of_one_question() -> None:
    first = read_question(table_named("meters"), [("utility", "water")], sort="address")
    mark = write_cursor(first, Cursor(value="a", key=(1,)))
    assert read_cursor(read_question(table_named("meters"), [("utility", "水")], sort="address"), mark).key == (1,)
    for other in (
        read_question(table_named("meters"), [("utility", "gas")], sort="address"),
        read_question(table_named("meters"), [("utility", "water")], sort="-address"),
        read_question(table_named("meters"), [("utility", "water")], sort="model"),
        read_question(table_named("meters"), [("utility", "water")], sort="address", text="a"),
        read_question(table_named("terminals"), sort="address"),
    ):
        with pytest.raises(ListingError):
            read_cursor(other, mark)
