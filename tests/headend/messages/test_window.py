from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterweave.headend.messages.window import Window


def test_acknowledgements_keep_the_order_of_the_messages() -> None:
    window = Window()
    first, second, third = (window.delivered(mid) for mid in (7, 8, 7))
    assert window.ready(second) == []
    assert window.ready(first) == [7, 8]
    assert len(window) == 1
    assert window.ready(third) == [7]


def test_nothing_after_a_message_that_is_never_ready_is_acknowledged() -> None:
    window = Window()
    window.delivered(1)
    later = [window.delivered(mid) for mid in (2, 3)]
    assert [window.ready(one) for one in later] == [[], []]
    assert len(window) == 3


@given(st.permutations(range(20)))
def test_whatever_is_ready_first_all_are_acknowledged_once_and_in_order(order: list[int]) -> None:
    window = Window()
    numbers = [window.delivered(mid) for mid in range(20)]
    assert [mid for one in order for mid in window.ready(numbers[one])] == list(range(20))
    assert len(window) == 0
