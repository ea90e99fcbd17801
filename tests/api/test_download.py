"""A download that is left in the middle lets go of everything, also while a piece is being made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from meterweave.api.download import Pieces

WAIT_S = 60.0


def test_a_piece_under_way_is_waited_for() -> None:
    making, go, closed = threading.Event(), threading.Event(), threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            making.set()
            assert go.wait(WAIT_S)
            yield b"one"
        finally:
            closed.set()

    found = Pieces(pieces())
    one = threading.Thread(target=found.next)
    one.start()
    assert making.wait(WAIT_S)
    other = threading.Thread(target=found.close)
    other.start()
    assert not closed.is_set()
    go.set()
    one.join()
    other.join()
    assert closed.is_set()
    assert found.next() is None
    found.close()
