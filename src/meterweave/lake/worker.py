"""A thread that goes on whatever happens, and whose end, should it come all the same, is known.

Where file handles or memory run out, anything may raise: libraries what is no `Exception`, and even the line in the
log that was to tell of it. A thread that ended so would leave the rest of the process at work without it, and without
a word.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

_BREATH_S = 0.1  # where even the wait of a turn fails, the thread must not spin


class Worker:
    """A daemon thread that takes one turn after the other.

    Parameters
    ----------
    name : str
        The thread's.
    turn : callable
        One turn, its wait included. Gives False when the thread is to end; nothing else ends it.
    trouble : callable
        Takes what a turn raised, of whatever type. What it raises itself goes unheard.
    """

    def __init__(self, name: str, turn: Callable[[], bool], trouble: Callable[[BaseException], None]) -> None:
        self._turn, self._trouble = turn, trouble
        self._ended_well = False
        self._reason = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin with the first turn."""
        self._thread.start()

    def join(self) -> None:
        """Wait until a turn was the last; not at all if `start` was never called."""
        if self._thread.ident is not None:
            self._thread.join()

    def failed(self) -> str | None:
        """Which thread ended that should not have, and why; None while all is well."""
        if self._ended_well or self._thread.ident is None or self._thread.is_alive():
            return None
        return f"the thread {self._thread.name} has ended: {self._reason or 'nobody knows why'}"

    def _run(self) -> None:
        try:
            while self._go_on():
                pass
            self._ended_well = True
        except BaseException as error:  # for `failed` to tell
            self._reason = repr(error)

    def _go_on(self) -> bool:
        try:
            return self._turn()
        except BaseException as error:
            self._survive(error)
            return True

    def _survive(self, error: BaseException) -> None:
        with suppress(BaseException):
            self._trouble(error)
        with suppress(BaseException):
            time.sleep(_BREATH_S)


def log_if_possible(
    log: Callable[..., None], message: str, *values: object, cause: BaseException | None = None
) -> None:
    """A line in the log, with the traceback of `cause`; where it cannot be written, the caller's work goes on."""
    with suppress(BaseException):
        log(message, *values, exc_info=cause, stacklevel=2)
