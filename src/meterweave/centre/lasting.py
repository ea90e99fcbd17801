"""What lasted when meters were looked at last, by the lake: so that a restart tells of nothing a second time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice

from meterweave.lake import Lake
from meterweave.metering.events import ENDED, UNLISTED

_UNLISTED = min(UNLISTED.values())  # from here on codes have no ends
_ASKED_AT_ONCE = 2000  # meters in one question
_TIMEOUT_S = 5.0  # of a question over all days; new lines wait for it, and so does the end of the centre

Stopped = Callable[[], bool]
"""Whether nobody waits for the answer any more."""


def lasting_of(lake: Lake, meters: Collection[int], stopped: Stopped = lambda: False) -> Mapping[int, frozenset[int]]:
    """The codes of the events of each meter (id) that began and have not ended; blocks.

    Parameters
    ----------
    stopped : callable
        Asked between questions; once it says so there is no other one, and the answer is worth nothing.

    Raises
    ------
    LakeError
        If the lake cannot be read just now.
    """
    found: dict[int, set[int]] = defaultdict(set)
    for some in _chunks(sorted(meters)):
        if stopped():
            break
        # A kind and its end are ten numbers apart from the next kind, `ENDED` from each other.
        answer = lake.query(
            f"SELECT meter, event - CASE WHEN event % 10 >= {ENDED} THEN {ENDED} ELSE 0 END AS kind, "
            f"arg_max(event % 10 < {ENDED} AND ended IS NULL, (ts, received)) AS lasts FROM events "
            f"WHERE event < {_UNLISTED} AND meter IN ({', '.join(map(str, some))}) GROUP BY ALL",
            rows_max=1_000_000,
            timeout_s=_TIMEOUT_S,
        )
        for row in answer.to_pylist():
            if row["lasts"]:
                found[row["meter"]].add(row["kind"])
    return {meter: frozenset(found[meter]) for meter in meters}


def _chunks(meters: Sequence[int]) -> Iterator[list[int]]:
    rest = iter(meters)
    while some := list(islice(rest, _ASKED_AT_ONCE)):
        yield some
