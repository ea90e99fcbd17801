from __future__ import annotations

from meterweave.headend.messages.memory import Memory, digest


def test_what_was_kept_is_known_until_it_is_too_old() -> None:
    memory = Memory(10, 1000)
    memory.note(b"a", 0, [b"yes"])
    assert memory.answers(b"a", 999) == (b"yes",)
    assert memory.answers(b"b", 999) is None
    assert memory.answers(b"a", 1000) is None
    assert len(memory) == 0


def test_noting_again_starts_the_time_anew() -> None:
    memory = Memory(10, 1000)
    memory.note(b"a", 0)
    memory.note(b"b", 10)
    memory.note(b"a", 900)
    assert memory.answers(b"a", 1500) == ()
    assert memory.answers(b"b", 1500) is None


def test_the_oldest_is_forgotten_where_there_are_too_many() -> None:
    memory = Memory(2, 1000)
    for at, key in enumerate((b"a", b"b", b"c")):
        memory.note(key, at)
    assert [memory.answers(key, 5) is not None for key in (b"a", b"b", b"c")] == [False, True, True]


def test_what_is_to_be_kept_anew_is_not_known() -> None:
    memory = Memory(2, 1000)
    memory.note(b"a", 0)
    memory.forget(b"a")
    assert memory.answers(b"a", 1) is None


def test_a_digest_tells_where_parts_end() -> None:
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
    assert digest(b"ab", b"c") == digest(b"ab", b"c")
