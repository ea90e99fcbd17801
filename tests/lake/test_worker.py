import threading

import pytest

from meterweave.lake.worker import Worker, log_if_possible


class Panic(BaseException):
    """What a library raises that nobody catches."""


def test_a_thread_survives_whatever_a_turn_and_its_handler_raise() -> None:
    turns = iter([Panic("one"), SystemExit(2), MemoryError(), KeyboardInterrupt()])
    heard: list[BaseException] = []

    def turn() -> bool:
        if (error := next(turns, None)) is not None:
            raise error
        return False

    def trouble(error: BaseException) -> None:
        heard.append(error)
        raise Panic("no log either")

    worker = Worker("tried", turn, trouble)
    assert worker.failed() is None
    worker.start()
    worker.join()
    assert [type(error) for error in heard] == [Panic, SystemExit, MemoryError, KeyboardInterrupt]
    assert worker.failed() is None


def test_a_thread_that_is_dead_all_the_same_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    goes = threading.Event()

    def turn() -> bool:
        goes.wait(30)
        raise Panic("at last")

    worker = Worker("doomed", turn, lambda _: None)
    monkeypatch.setattr(worker, "_survive", _raise)
    worker.start()
    assert worker.failed() is None
    goes.set()
    worker.join()
    assert worker.failed() == "the thread doomed has ended: Panic('at last')"


def _raise(error: BaseException) -> None:
    raise error


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    def log(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    log_if_possible(log, "%s", 1, cause=Panic())
