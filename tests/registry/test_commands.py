"""Commands in the database: given once, claimed once, moved only along the table, on both engines."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import event, func, select, text

from meterweave.registry import Registry, UnknownRecord
from meterweave.registry.command_moves import WORDS_MAX, Step, changing, move
from meterweave.registry.command_orders import ARGUMENTS_OCTETS_MAX, WITHIN_MAX, Order, cancel, give
from meterweave.registry.command_queue import (
    LOOKED_FOR,
    claim,
    conclude,
    put_off,
    renew,
    terminals_with_work,
    tidy,
)
from meterweave.registry.commands import (
    TRANSITIONS,
    Command,
    CommandCard,
    CommandKind,
    CommandState,
    CommandStep,
    find_command,
    list_commands,
    steps_of,
    unknown_since,
)
from meterweave.registry.errors import CommandError
from meterweave.text import Text
from tests.registry.records import add_meter, add_terminal, day

NOW = day(0)
LEASE = timedelta(seconds=30)
WORDS = Text("so it is", "如此")
S = CommandState


@pytest.fixture
def meter(registry: Registry) -> int:
    with registry.writing() as session:
        return add_meter(session, "1", add_terminal(session, "100")).id


def order(meter: int | None, number: int = 1, kind: CommandKind = CommandKind.TRIP, **more: Any) -> Order:
    usual: dict[str, Any] = {"reason": "unpaid", "not_after": NOW + timedelta(minutes=5)}
    return Order("wang", f"order-{number}", kind, meter=meter, **usual | more)


def given(registry: Registry, meter: int | None, number: int = 1, **more: Any) -> CommandCard:
    return give(registry, order(meter, number, **more), now=NOW).command


def take(registry: Registry, terminal: int, by: str = "one", after_s: float = 0) -> CommandCard | None:
    return claim(registry, terminal, by=by, now=NOW + timedelta(seconds=after_s), lease=LEASE)


def taken(registry: Registry, command: CommandCard, by: str = "one", after_s: float = 0) -> CommandCard:
    found = take(registry, command.terminal_id, by, after_s)
    assert found is not None
    assert found.id == command.id
    return found


def now_is(registry: Registry, command: CommandCard) -> CommandCard:
    with registry.reading() as session:
        return find_command(session, command.id)


def story(registry: Registry, command: CommandCard) -> list[str]:
    with registry.reading() as session:
        return [step.state.value for step in steps_of(session, command.id)]


# Given ---------------------------------------------------------------------------------------------------------------


def test_what_is_given_is_kept_as_it_is(registry: Registry, meter: int) -> None:
    arguments = {"quantities": ["1-0:1.8.0"]}
    stored = given(registry, meter, kind=CommandKind.READ, arguments=arguments, reason="")
    assert stored == now_is(registry, stored)
    assert (stored.state, stored.arguments, stored.meter_id) == (S.QUEUED, arguments, meter)
    assert not stored.ended
    assert story(registry, stored) == ["queued"]


def test_the_same_id_is_the_same_command(registry: Registry, meter: int) -> None:
    first = give(registry, order(meter), now=NOW)
    again = give(registry, order(meter, not_after=NOW + timedelta(hours=1)), now=NOW + timedelta(minutes=1))
    assert (first.new, again.new) == (True, False)
    assert again.command == first.command
    other = give(registry, order(meter)._replace(operator="li"), now=NOW)
    assert other.new
    for different in ({"kind": CommandKind.CLOSE}, {"reason": "else"}, {"arguments": {"a": 1}}):
        with pytest.raises(CommandError, match="another command already"):
            give(registry, order(meter, **different), now=NOW)


def test_given_twice_in_one_moment_it_is_stored_once(registry: Registry, meter: int) -> None:
    found: list[bool] = []
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        found.append(give(registry, order(meter), now=NOW).new)

    together(work, 4)
    assert sorted(found) == [False, False, False, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"reason": " "},
        {"reason": "x" * 501},
        {"not_after": NOW},
        {"not_after": NOW + WITHIN_MAX + timedelta(seconds=1)},
        {"kind": CommandKind.CLOCK},
        {"arguments": {"names": "x" * ARGUMENTS_OCTETS_MAX}},
    ],
)
def test_what_cannot_be_is_refused(registry: Registry, meter: int, wrong: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        give(registry, order(meter, **wrong), now=NOW)
    with pytest.raises(CommandError, match="for a meter"):
        give(registry, order(None, terminal=1), now=NOW)
    with registry.reading() as session:
        assert session.scalar(select(func.count()).select_from(Command)) == 0


@pytest.mark.parametrize("value", ["", " ", "x" * 65])
def test_names_have_a_length(registry: Registry, meter: int, value: str) -> None:
    for wrong in (order(meter)._replace(operator=value), order(meter)._replace(caller_id=value)):
        with pytest.raises(CommandError, match="1 to 64"):
            give(registry, wrong, now=NOW)


def test_nobody_there_to_be_commanded(registry: Registry, meter: int) -> None:
    with registry.writing() as session:
        nowhere = add_meter(session, "2").id
    with pytest.raises(UnknownRecord, match="hangs on no terminal"):
        given(registry, nowhere)
    with pytest.raises(UnknownRecord):
        given(registry, meter + 100)
    with pytest.raises(UnknownRecord):
        given(registry, None, kind=CommandKind.CLOCK, terminal=12345)
    with pytest.raises(UnknownRecord), registry.reading() as session:
        find_command(session, 1 << 70)


# Moved ---------------------------------------------------------------------------------------------------------------


def test_there_is_no_move_beside_the_table(registry: Registry, meter: int) -> None:
    stored = given(registry, meter)
    for before, after in product(S, S):
        if after in TRANSITIONS.get(before, ()):
            continue
        with pytest.raises(ValueError, match="never goes"), changing(registry) as session:
            move(session, stored.id, before, after, Step("x", NOW, WORDS))
    assert now_is(registry, stored) == stored


def test_every_move_of_the_table_is_made_from_its_state_only(registry: Registry, meter: int) -> None:
    for number, (before, afters) in enumerate(TRANSITIONS.items()):
        for after in afters:
            stored = given(registry, meter, 100 * number + list(S).index(after))
            with changing(registry) as session:
                session.execute(text("UPDATE commands SET state = :s"), {"s": before.value})
            with changing(registry) as session:
                wrong = next(one for one in TRANSITIONS if one is not before)
                away = next(iter(TRANSITIONS[wrong]))
                assert not move(session, stored.id, wrong, away, Step("x", NOW, WORDS))
                assert move(session, stored.id, before, after, Step("x", NOW, WORDS, {"a": 1}))
            found = now_is(registry, stored)
            assert (found.state, found.outcome, found.facts) == (after, WORDS, {"a": 1})
            assert story(registry, stored) == ["queued", after.value]


def test_an_outcome_that_is_too_long_is_cut(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    long = Text("x" * 5000, "长" * 5000)
    assert conclude(registry, command, S.REFUSED, by="one", now=NOW, words=long)
    assert now_is(registry, command).outcome == Text("x" * WORDS_MAX, "长" * WORDS_MAX)


def test_claimed_it_is_sent_and_in_the_order_given(registry: Registry, meter: int) -> None:
    first, second = given(registry, meter, 1), given(registry, meter, 2, kind=CommandKind.CLOSE)
    assert taken(registry, first).state is S.SENT
    assert taken(registry, second).state is S.SENT
    assert take(registry, first.terminal_id) is None
    assert story(registry, first) == ["queued", "sent"]


def test_of_many_who_claim_one_gets_it(registry: Registry, meter: int) -> None:
    stored = [given(registry, meter, number) for number in range(6)]
    got: list[int] = []
    start = threading.Barrier(4)

    def work() -> None:
        name = str(threading.get_ident())
        start.wait()
        for _ in range(6):
            found = take(registry, stored[0].terminal_id, name)
            if found is not None:
                got.append(found.id)

    together(work, 4)
    assert sorted(got) == [one.id for one in stored]
    assert [story(registry, one) for one in stored] == [["queued", "sent"]] * 6


def test_confirmed_with_its_whole_history(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    later = NOW + timedelta(seconds=3)
    assert conclude(registry, command, S.CONFIRMED, by="one", now=later, words=WORDS, facts={"closed": False})
    assert not conclude(registry, command, S.REFUSED, by="one", now=later, words=WORDS)
    found = now_is(registry, command)
    assert found.ended
    assert (found.state, found.state_at, found.facts) == (S.CONFIRMED, later, {"closed": False})
    with registry.reading() as session:
        steps = steps_of(session, command.id)
        assert [(one.state, one.by) for one in steps] == [(S.QUEUED, "wang"), (S.SENT, "one"), (S.CONFIRMED, "one")]
        assert steps_of(session, command.id, after=steps[1].id) == steps[2:]


def test_somebody_else_cannot_conclude(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    assert not conclude(registry, command, S.UNKNOWN, by="two", now=NOW, words=WORDS)
    assert now_is(registry, command).state is S.SENT


def test_what_was_not_sent_waits_again(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    assert conclude(registry, command, S.QUEUED, by="one", now=NOW, words=WORDS)
    assert taken(registry, command, "two").state is S.SENT
    assert story(registry, command) == ["queued", "sent", "queued", "sent"]


def test_cancelled_only_before_it_is_sent(registry: Registry, meter: int) -> None:
    first, second = given(registry, meter, 1), given(registry, meter, 2)
    taken(registry, first)
    with pytest.raises(CommandError, match="is sent"):
        cancel(registry, first.id, by="li", now=NOW)
    assert cancel(registry, second.id, by="li", now=NOW).state is S.CANCELLED
    assert take(registry, second.terminal_id) is None
    with pytest.raises(UnknownRecord):
        cancel(registry, 999_999, by="li", now=NOW)


# Left behind ---------------------------------------------------------------------------------------------------------


def test_past_its_deadline_it_is_never_sent(registry: Registry, meter: int) -> None:
    stored = given(registry, meter)
    assert take(registry, stored.terminal_id, after_s=300) is None
    assert tidy(registry, now=NOW + timedelta(seconds=299)) == 0
    assert tidy(registry, now=NOW + timedelta(seconds=300)) == 1
    assert story(registry, stored) == ["queued", "expired"]
    assert now_is(registry, stored).ended


def test_who_is_gone_leaves_switching_unknown_and_the_rest_queued(registry: Registry, meter: int) -> None:
    trip = taken(registry, given(registry, meter, 1))
    read = taken(registry, given(registry, meter, 2, kind=CommandKind.READ))
    busy = taken(registry, given(registry, meter, 3))
    assert tidy(registry, now=NOW + LEASE - timedelta(seconds=1)) == 0
    renew(registry, [busy.id], by="one", until=NOW + 3 * LEASE)
    assert tidy(registry, now=NOW + LEASE, but=[read.id]) == 1
    assert tidy(registry, now=NOW + LEASE) == 1
    assert [now_is(registry, one).state for one in (trip, read, busy)] == [S.UNKNOWN, S.QUEUED, S.SENT]
    again = taken(registry, read, "two", 31)
    assert again.state is S.SENT
    look = taken(registry, trip, "two", 31)
    assert look.state is S.UNKNOWN
    assert story(registry, trip) == ["queued", "sent", "unknown"]


def test_a_reading_left_behind_past_its_deadline_is_unknown(registry: Registry, meter: int) -> None:
    read = taken(registry, given(registry, meter, kind=CommandKind.READ))
    assert tidy(registry, now=NOW + timedelta(minutes=6)) == 1
    found = now_is(registry, read)
    assert found.state is S.UNKNOWN
    assert found.ended


@pytest.mark.parametrize(("answer", "becomes"), [(S.CONFIRMED, S.CONFIRMED), (S.REFUSED, S.FAILED)])
def test_an_answer_after_we_were_taken_for_gone_counts(
    registry: Registry, meter: int, answer: CommandState, becomes: CommandState
) -> None:
    command = taken(registry, given(registry, meter))
    tidy(registry, now=NOW + LEASE)
    look = taken(registry, command, "two", 31)
    assert conclude(registry, command, answer, by="one", now=NOW + LEASE, words=WORDS)
    assert not conclude(registry, look, S.FAILED, by="two", now=NOW + LEASE, words=WORDS)
    assert now_is(registry, command).state is becomes


def test_what_is_unknown_is_looked_at_again_and_again(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    soon = NOW + timedelta(seconds=2)
    assert conclude(registry, command, S.UNKNOWN, by="one", now=NOW, words=WORDS, look_at=soon)
    assert take(registry, command.terminal_id, after_s=1) is None
    look = taken(registry, command, after_s=2)
    assert (look.state, look.tries) == (S.UNKNOWN, 0)
    assert take(registry, command.terminal_id, "two", 3) is None
    put_off(registry, look, by="one", until=NOW + timedelta(seconds=9))
    assert take(registry, command.terminal_id, after_s=8) is None
    look = taken(registry, command, "two", 9)
    later = NOW + timedelta(seconds=20)
    assert conclude(registry, look, S.UNKNOWN, by="two", now=later, words=WORDS, look_at=later)
    look = taken(registry, command, "two", 20)
    assert look.tries == 1
    assert conclude(registry, look, S.CONFIRMED, by="two", now=later, words=WORDS)
    assert story(registry, command) == ["queued", "sent", "unknown", "unknown", "confirmed"]


def test_a_look_of_one_who_is_gone_is_taken_over(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    conclude(registry, command, S.UNKNOWN, by="one", now=NOW, words=WORDS, look_at=NOW)
    taken(registry, command, "one")
    assert take(registry, command.terminal_id, "two", 29) is None
    assert taken(registry, command, "two", 30).state is S.UNKNOWN


def test_since_when_nobody_knows_is_told_by_the_first_time(registry: Registry, meter: int) -> None:
    command = taken(registry, given(registry, meter))
    with registry.reading() as session:
        assert unknown_since(session, command.id) is None
    first, second = NOW + timedelta(seconds=1), NOW + timedelta(seconds=5)
    conclude(registry, command, S.UNKNOWN, by="one", now=first, words=WORDS, look_at=first)
    conclude(registry, taken(registry, command, after_s=1), S.UNKNOWN, by="one", now=second, words=WORDS)
    with registry.reading() as session:
        assert unknown_since(session, command.id) == first


def test_switching_again_ends_the_looking(registry: Registry, meter: int) -> None:
    trip = taken(registry, given(registry, meter, 1))
    conclude(registry, trip, S.UNKNOWN, by="one", now=NOW, words=WORDS, look_at=NOW)
    close = given(registry, meter, 2, kind=CommandKind.CLOSE)
    assert taken(registry, close).state is S.SENT
    left = now_is(registry, trip)
    assert left.state is S.UNKNOWN
    assert left.ended
    assert left.outcome is not None
    assert str(close.id) in left.outcome.en


def test_nothing_is_looked_for_without_end(registry: Registry, meter: int) -> None:
    trip = taken(registry, given(registry, meter))
    conclude(registry, trip, S.UNKNOWN, by="one", now=NOW, words=WORDS, look_at=NOW)
    assert tidy(registry, now=trip.not_after + LOOKED_FOR - timedelta(seconds=1)) == 0
    assert tidy(registry, now=trip.not_after + LOOKED_FOR) == 1
    assert now_is(registry, trip).ended


# Found ---------------------------------------------------------------------------------------------------------------


def test_the_round_finds_every_terminal_with_work(registry: Registry, meter: int) -> None:
    with registry.writing() as session:
        meters = [add_meter(session, str(n), add_terminal(session, str(n))).id for n in range(200, 207)]
    stored = [given(registry, one, number) for number, one in enumerate([*meters, *meters])]
    done = taken(registry, stored[0])
    wanted = {one.terminal_id for one in stored}
    found: set[int] = set()
    after = 0
    for _ in range(4):
        newest, following = terminals_with_work(registry, now=NOW, after=after, limit=2)
        assert set(newest) <= {one.terminal_id for one in stored[-2:]}
        found.update(following)
        after = following[-1] if following else 0
    assert found == wanted
    assert terminals_with_work(registry, now=NOW - timedelta(seconds=1), after=0, limit=9) == ([], [])
    conclude(registry, done, S.CONFIRMED, by="one", now=NOW, words=WORDS)


def test_listed_newest_first_and_by_page(registry: Registry, meter: int) -> None:
    stored = [given(registry, meter, number) for number in range(5)]
    taken(registry, stored[0])
    with registry.reading() as session:
        ids = [one.id for one in list_commands(session)]
        assert ids == [one.id for one in reversed(stored)]
        assert [one.id for one in list_commands(session, limit=2, offset=1)] == ids[1:3]
        assert [one.id for one in list_commands(session, state=S.SENT)] == [stored[0].id]
        assert list_commands(session, meter=meter + 1) == []
        assert len(list_commands(session, meter=meter, terminal=stored[0].terminal_id)) == 5


def test_looking_for_work_uses_an_index(registry: Registry, meter: int) -> None:
    if registry.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by the size of the tables")
    stored = given(registry, meter)
    asked: list[tuple[str, Any]] = []

    @event.listens_for(registry.engine, "before_cursor_execute")
    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(("SELECT commands", "SELECT DISTINCT commands", "UPDATE commands")):
            asked.append((statement, parameters))

    try:
        terminals_with_work(registry, now=NOW, after=0, limit=5)
        taken(registry, stored)
        renew(registry, [stored.id], by="one", until=NOW)
        tidy(registry, now=NOW + timedelta(days=9))
    finally:
        event.remove(registry.engine, "before_cursor_execute", note)
    assert len(asked) >= 8
    with registry.engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            first = str(plan[0][-1])
            assert "commands USING" in first, (statement, first)


def test_the_history_is_only_added_to(registry: Registry, meter: int) -> None:
    stored = given(registry, meter)
    seen: list[tuple[object, ...]] = []
    moves = (
        lambda: taken(registry, stored),
        lambda: tidy(registry, now=NOW + LEASE),
        lambda: tidy(registry, now=NOW + timedelta(days=9)),
    )
    for act in moves:
        act()
        with registry.reading() as session:
            rows = [tuple(row) for row in session.execute(select(CommandStep.__table__).order_by(CommandStep.id))]
        assert rows[: len(seen)] == seen
        assert len(rows) == len(seen) + (1 if seen else 2)
        seen = rows


def together(work: Any, count: int) -> None:
    """Run `work` in that many threads at once; its failures are ours."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize("said", ["a\0b", "a\ud800b"])
def test_an_outcome_in_words_that_no_database_takes_is_written_all_the_same(
    registry: Registry, meter: int, said: str
) -> None:
    command = taken(registry, given(registry, meter))
    assert conclude(registry, command, S.REFUSED, by="one", now=NOW, words=Text(said, said))
    assert now_is(registry, command).outcome == Text("a\ufffdb", "a\ufffdb")
