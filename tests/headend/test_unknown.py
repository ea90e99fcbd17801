from __future__ import annotations

from meterweave.headend.unknown import Unknown


def test_strangers_are_remembered_in_bounded_number() -> None:
    strangers: Unknown[int] = Unknown(2)
    assert [strangers.meet(name, when) for when, name in enumerate((1, 2, 1, 3, 4))] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [(name, seen.times, seen.first_us, seen.last_us) for name, seen in strangers.listed()] == [
        (3, 1, 3, 3),
        (4, 1, 4, 4),
    ]
    assert (len(strangers), strangers.forgotten) == (2, 2)
    strangers.forget(3)
    assert len(strangers) == 1


def test_a_stranger_is_met_anew_after_a_while() -> None:
    strangers: Unknown[int] = Unknown(2)
    strangers.meet(1, 10)
    assert strangers.lately(1, 9)
    assert not strangers.lately(2, 9)
    assert not strangers.lately(1, 10)
    assert len(strangers) == 0
