"""The small parts on their own: language, pace, tags, what is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterweave.api.kept import Answer, Kept
from meterweave.api.known import BELIEVED_S, Known
from meterweave.api.language import spoken
from meterweave.api.rate import Rate
from meterweave.api.reply import has_it
from meterweave.manager.identity import at_the_machine


@given(st.text(max_size=300))
def test_any_header_names_a_language(text: str) -> None:
    assert spoken(text) in ("en", "zh")


def test_the_weightiest_language_is_spoken() -> None:
    wanted = {"zh": "zh", "en-GB,zh;q=0.9": "en", "en;q=0.2, zh;q=0.8": "zh", "fr": "en", "zh;q=0": "en", "": "en"}
    assert {header: spoken(header) for header in wanted} == wanted


@given(st.lists(st.floats(0, 2), max_size=50), st.integers(1, 5))
def test_nobody_comes_more_often_than_the_pace(pauses: list[float], burst: int) -> None:
    rate, now, allowed = Rate(1.0, burst, 10), 0.0, 0
    for pause in pauses:
        now += pause
        wait_s = rate.wait_s("a", now)
        allowed += wait_s == 0
        assert 0 <= wait_s <= 1
    assert allowed <= burst + now + 1e-6


def test_callers_are_forgotten_in_turn() -> None:
    rate = Rate(0.001, 1, 3)
    assert [rate.wait_s(name, 0.0) for name in "abc"] == [0, 0, 0]
    assert rate.wait_s("b", 0.0) > 0
    assert rate.wait_s("d", 0.0) == 0
    assert len(rate) == 3
    assert rate.wait_s("b", 0.0) > 0  # heard of lately, so remembered
    assert rate.wait_s("a", 0.0) == 0


def test_tags() -> None:
    assert has_it('"a", W/"b"', '"b"')
    assert has_it("*", '"b"')
    assert not has_it('"a"', '"b"')
    assert not has_it(None, '"b"')


def test_an_answer_is_kept_for_its_origin_and_bounded() -> None:
    kept, origin = Kept(5000), object()
    for number in range(10):
        kept.keep(number, Answer(origin, b"x" * 500, "t"))
    assert [number for number in range(10) if kept.find(number, origin)] == [7, 8, 9]
    assert kept.find(9, object()) is None
    kept.keep("large", Answer(origin, b"x" * 6000, "t"))
    assert kept.find("large", origin) is None


def test_who_is_known_is_known_for_a_moment() -> None:
    known, who = Known(2), at_the_machine("a")
    known.keep("secret", "here", who, 10.0)
    assert known.find("secret", "here", 10.0 + BELIEVED_S / 2) is who
    assert known.find("secret", "there", 10.0) is None
    assert known.find("secret", "here", 10.0 + BELIEVED_S) is None
    for number in range(3):
        known.keep(str(number), "here", who, 20.0)
    assert known.find("0", "here", 20.0) is None
    known.forget()
    assert known.find("2", "here", 20.0) is None
