"""Every bound and pace of journal and lake, in one frozen place."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from meterweave.errors import ConfigError
from meterweave.metering.clock import SHANGHAI

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeSettings:
    """Settings of a lake; every field says unit, default and why.

    Raises
    ------
    ConfigError
        If a bound or a pace is not positive, or `frames_days` is negative.
    """

    zone: ZoneInfo = SHANGHAI
    """Whose midnight parts the days. Fixed when the lake is made: a lake opened with another zone is refused."""

    journal_octets_max: int = 4096 * _MIB
    """Most the journal holds of rows that the lake does not have yet. [octets] At seven octets a row, 4 GiB hold an
    outage of the lake of 100 minutes at 100,000 readings a second."""

    queue_rows_max: int = 2_000_000
    """Most rows waiting in memory for a group commit; a caller whose rows do not fit gets `JournalFull`. [rows] A
    reading is 42 octets, so this is 80 MiB, and two seconds of a million readings a second."""

    queue_octets_max: int = 256 * _MIB
    """Most octets of events and frames waiting in memory. [octets] Two seconds of half a million packets a second."""

    queue_callers_max: int = 200_000
    """Most callers waiting; one more gets `JournalFull`. Two KiB each, and more than one process has sessions."""

    group_rows_max: int = 200_000
    """Most rows in one group commit. [rows] Bounds the time one transaction takes."""

    group_octets_max: int = 32 * _MIB
    """Most octets of events and frames in one group commit, or those of one caller. [octets] As above."""

    group_interval_s: float = 0.02
    """Longest time between the starts of two group commits. [s] An idle journal commits at once; the busier it is the
    longer it gathers, so that a thousand small packets share one fsync and one blob."""

    commit_interval_s: float = 2.0
    """How often the journal's rows go into the lake. [s]"""

    commit_rows_max: int = 2_000_000
    """Most rows in one commit to the lake, and the number at which it is made before its time. [rows] 84 MiB."""

    commit_octets_max: int = 256 * _MIB
    """Most octets, unpacked, in one commit to the lake, or those of one group. [octets] Bounds what frames take."""

    retry_max_s: float = 30.0
    """Longest pause between attempts while the lake cannot be written. [s]"""

    query_memory_octets: int = 1024 * _MIB
    """Most memory all questions together may take. [octets] A question that needs more is refused."""

    query_tail_rows_max: int = 20_000_000
    """Most rows of the journal that a question looks through. [rows] 1 GiB in memory. More are there only when the lake
    has not taken readings for a while; questions are then refused until it does."""

    query_tail_octets_max: int = 1024 * _MIB
    """Most octets of one kind, unpacked, that a question takes out of the journal. [octets] As above, for long
    frames."""

    query_threads: int = 2
    """Threads that answer questions."""

    query_timeout_s: float = 60.0
    """Longest time a question may take unless asked otherwise. [s]"""

    query_rows_max: int = 10_000_000
    """Most rows of an answer unless asked otherwise. [rows]"""

    remembered_octets_max: int = 64 * _MIB
    """Most memory for answers about single meters, which are given again while nothing changed. [octets] Some thousand
    days of a meter."""

    settle_after_s: float = 2 * 3600.0
    """How long after its midnight a day is rewritten for good. [s] Most of what comes late has come by then."""

    late_wait_s: float = 3600.0
    """How long rows that came later than that wait, so that one more rewrite takes in many of them. [s]"""

    band_rows: int = 131_072
    """Rows of a row group: a band of meters with all that they measured. [rows] Chosen by measurement, see
    ``docs/reference/lake-schema.md``."""

    rewrite_rows_max: int = 4_000_000
    """Most rows sorted in memory at once, and the largest file maintenance writes. [rows] About 0.8 GiB at the peak."""

    rewrite_octets_max: int = 256 * _MIB
    """Most octets of events or frames, unpacked, that are merged into one file. [octets] About 1 GiB at the peak."""

    merge_files_min: int = 8
    """How many files of like size of one day are merged into one."""

    retention_days: int | None = None
    """Age at which readings are forgotten. [days] None keeps them for good."""

    superseded_retention_days: int | None = None
    """Age at which rows that lost to a better row are forgotten. [days] None keeps them for good."""

    frames_days: int = 7
    """Age at which raw frames are forgotten. [days] Time enough to find out what a terminal really said. 0: none are
    kept in the first place."""

    vacuum_after_h: int = 24
    """How long files that no longer belong to the lake stay for questions under way and for readers outside. [h]"""

    maintenance_interval_s: float = 60.0
    """How often maintenance looks for work. [s]"""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, int | float) and value <= 0 and (name, value) != ("frames_days", 0):
                raise ConfigError(f"{name} must be positive, not {value}")
