from __future__ import annotations

from meterweave.headend.messages.rate import Rate


def taken(rate: Rate, address: str, count: int, now: float) -> int:
    return sum(rate.admits(address, now) for _ in range(count))


def test_ten_seconds_worth_may_come_at_once_and_then_what_is_due() -> None:
    rate = Rate(per_s=2, all_per_s=1000, addresses_max=10, now=0.0)
    assert taken(rate, "a", 100, 0.0) == 20
    assert taken(rate, "a", 100, 3.0) == 6
    assert taken(rate, "b", 100, 3.0) == 20


def test_all_addresses_together_have_a_bound_of_their_own() -> None:
    rate = Rate(per_s=2, all_per_s=30, addresses_max=10, now=0.0)
    assert sum(taken(rate, f"a{number}", 20, 0.0) for number in range(5)) == 30


def test_no_more_addresses_are_remembered_than_allowed() -> None:
    rate = Rate(per_s=1, all_per_s=1e6, addresses_max=3, now=0.0)
    assert taken(rate, "a", 20, 0.0) == 10
    assert sum(taken(rate, f"b{number}", 1, 0.0) for number in range(3)) == 3
    assert taken(rate, "a", 20, 0.0) == 10  # forgotten, and so new again
