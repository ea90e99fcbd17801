"""The tables of the archives: who, what and where (CIM words where CIM has one).

organisations ─< transformer_districts ─< terminals ─< meters ─< installations >─ usage_points
                             (gateway) terminals ─< terminals (lines)     └─< entered_readings

Times are UTC. Ratios are kept as written on the name plate, primary and secondary apart, so that nothing is rounded.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    String,
    false,
    text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from meterweave.registry.address import NAME_MAX
from meterweave.registry.base import Base, Id, UtcDateTime, words
from meterweave.registry.vocabulary import (
    Channel,
    Enrolment,
    Phase,
    Purpose,
    TerminalKind,
    TerminalState,
    Utility,
    Wiring,
)

HEARTBEAT_S = 900
"""The heartbeat of a terminal whose archives say nothing else. [s] What concentrators are delivered with."""


class Organisation(Base):
    """A unit of the utility; a tree."""

    __tablename__ = "organisations"
    __table_args__ = (CheckConstraint("parent_id <> id", name="not_its_own_parent"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"), index=True)


class TransformerDistrict(Base):
    """What one distribution transformer feeds (台区)."""

    __tablename__ = "transformer_districts"
    __table_args__ = (
        CheckConstraint("rating_va > 0", name="rating_positive"),
        CheckConstraint("ct_primary_a > 0 AND ct_secondary_a > 0", name="ct_positive"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisations.id"), index=True)
    rating_va: Mapped[int | None] = mapped_column(Id)  # of the transformer; null: not known
    ct_primary_a: Mapped[int] = mapped_column(Integer, default=1)
    ct_secondary_a: Mapped[int] = mapped_column(Integer, default=1)


class Terminal(Base):
    """What meters hang on, named by protocol and address for good.

    A device that holds a session with the centre; a line with meters on it (``bus``), which the centre or a gateway
    masters; a gateway (``n5``); a device that speaks for itself over MQTT or UDP.
    """

    __tablename__ = "terminals"
    __table_args__ = (
        Unique("protocol", "address_key"),
        CheckConstraint("heartbeat_s BETWEEN 10 AND 86400", name="heartbeat_possible"),
        CheckConstraint("collector_id <> id", name="not_its_own_collector"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    protocol: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(NAME_MAX), index=True)  # in its kept form, see `address`
    address_key: Mapped[int] = mapped_column(Id)
    kind: Mapped[TerminalKind] = mapped_column(words(TerminalKind, "kind"), default=TerminalKind.CONCENTRATOR)
    state: Mapped[TerminalState] = mapped_column(words(TerminalState, "state"), default=TerminalState.PLANNED)
    enrolled_by: Mapped[Enrolment] = mapped_column(words(Enrolment, "enrolled_by"), default=Enrolment.ENTERED)
    name: Mapped[str] = mapped_column(String(200), default="")
    heartbeat_s: Mapped[int] = mapped_column(Integer, default=HEARTBEAT_S)
    district_id: Mapped[int | None] = mapped_column(ForeignKey("transformer_districts.id"), index=True)
    channel: Mapped[Channel] = mapped_column(
        words(Channel, "channel"), default=Channel.CELLULAR, server_default=Channel.CELLULAR.value
    )
    cell_group: Mapped[str | None] = mapped_column(String(64))  # those that share one cell of the network
    first_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    commission_tries: Mapped[int] = mapped_column(Integer, default=0, server_default="0")  # begun, and maybe ended
    commissioned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when it had time, meters and tasks
    port: Mapped[str | None] = mapped_column(String(200))  # of a line: how it is reached, see `port`
    # Whoever looks after what a line or a meter left has to know it (`changes`), read before or not: active history.
    collector_id: Mapped[int | None] = mapped_column(
        ForeignKey("terminals.id"), index=True, active_history=True
    )  # of a line; null: us
    key_digest: Mapped[str | None] = mapped_column(String(64))  # of a gateway's key: SHA-256 in hexadecimal digits


class Meter(Base):
    """A meter (CIM Meter, an EndDevice).

    `address_key` is the key of its own address. `wire_key` is the key under which its terminal's stored data name it:
    the same, or the key of its measuring point behind a Q/GDW 1376.1 terminal; null without a terminal. Both are
    filled in when the row is stored.
    """

    __tablename__ = "meters"
    __table_args__ = (
        Unique("id", "utility"),  # what installations refer to, so that theirs is the meter's own utility
        Unique("terminal_id", "point_number"),
        Unique("terminal_id", "wire_key"),
        Index(
            "uq_meters_address_of_the_world",
            "protocol",
            "address",
            unique=True,
            sqlite_where=text("NOT local_address"),
            postgresql_where=text("NOT local_address"),
        ),
        CheckConstraint("NOT local_address OR terminal_id IS NOT NULL", name="local_has_terminal"),
        CheckConstraint("point_number BETWEEN 1 AND 65535", name="point_possible"),
        CheckConstraint("ct_primary > 0 AND ct_secondary > 0", name="ct_positive"),
        CheckConstraint("pt_primary > 0 AND pt_secondary > 0", name="pt_positive"),
        CheckConstraint("tariff_count BETWEEN 1 AND 63", name="tariffs_possible"),
        CheckConstraint("baud > 0", name="baud_positive"),
        CheckConstraint("register_digits BETWEEN 1 AND 18", name="digits_possible"),
        CheckConstraint("register_decimals BETWEEN 0 AND register_digits", name="decimals_possible"),
        CheckConstraint("(register_digits IS NULL) = (register_decimals IS NULL)", name="register_whole"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    utility: Mapped[Utility] = mapped_column(words(Utility, "utility"))
    protocol: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(NAME_MAX), index=True)  # in its kept form, see `address`
    address_key: Mapped[int] = mapped_column(Id)
    local_address: Mapped[bool] = mapped_column(Boolean, default=False)  # unique on the terminal's bus only
    asset_number: Mapped[str | None] = mapped_column(String(64), index=True)
    model: Mapped[str] = mapped_column(String(64), default="")  # names the device profile, where one is needed
    terminal_id: Mapped[int | None] = mapped_column(ForeignKey("terminals.id"), active_history=True)
    port: Mapped[str | None] = mapped_column(String(32))  # 1 to 31 in 1376.1, an OAD in 698.45
    point_number: Mapped[int | None] = mapped_column(Integer)  # pn of 1376.1, configuration number of 698.45
    wire_key: Mapped[int | None] = mapped_column(Id)
    collector: Mapped[str | None] = mapped_column(String(32))  # address of the collector between terminal and meter
    baud: Mapped[int | None] = mapped_column(Integer)
    tariff_count: Mapped[int | None] = mapped_column(Integer)
    ct_primary: Mapped[int] = mapped_column(Integer, default=1)
    ct_secondary: Mapped[int] = mapped_column(Integer, default=1)
    pt_primary: Mapped[int] = mapped_column(Integer, default=1)
    pt_secondary: Mapped[int] = mapped_column(Integer, default=1)
    wiring: Mapped[Wiring | None] = mapped_column(words(Wiring, "wiring"))
    phase: Mapped[Phase | None] = mapped_column(words(Phase, "phase"))
    register_digits: Mapped[int | None] = mapped_column(Integer)  # all of the register; null: not known
    register_decimals: Mapped[int | None] = mapped_column(Integer)  # of these: after the point


class UsagePoint(Base):
    """Where a customer is supplied (CIM UsagePoint); one meter for each utility at a time."""

    __tablename__ = "usage_points"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    district_id: Mapped[int | None] = mapped_column(ForeignKey("transformer_districts.id"), index=True)


class Installation(Base):
    """A meter on a usage point over ``[installed_at, removed_at)``; null: it is still there.

    The rules of `installation.RULES` are held by the database on both engines, see `history_guard`.
    """

    __tablename__ = "installations"
    __table_args__ = (
        ForeignKeyConstraint(["meter_id", "utility"], ["meters.id", "meters.utility"]),
        CheckConstraint("removed_at > installed_at", name="removed_after_installed"),
        Index("ix_installations_meter_id_installed_at", "meter_id", "installed_at"),
        Index("ix_installations_usage_point_id_utility_installed_at", "usage_point_id", "utility", "installed_at"),
        Index(
            "uq_installations_one_active_a_meter",
            "meter_id",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
        Index(
            "uq_installations_one_active_a_point",
            "usage_point_id",
            "utility",
            unique=True,
            sqlite_where=text("removed_at IS NULL"),
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    meter_id: Mapped[int] = mapped_column(Id)
    usage_point_id: Mapped[int] = mapped_column(ForeignKey("usage_points.id"))
    utility: Mapped[Utility] = mapped_column(words(Utility, "utility"))
    installed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EnteredReading(Base):
    """What a person read off a meter: who, when, and what shows it.

    A correction is one more row with the next revision; the highest counts, and none is changed or deleted.
    """

    __tablename__ = "entered_readings"
    __table_args__ = (
        Unique("meter_id", "quantity", "ts", "revision"),
        CheckConstraint("revision >= 0", name="revision_possible"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    meter_id: Mapped[int] = mapped_column(ForeignKey("meters.id"))
    quantity: Mapped[int] = mapped_column(Integer)  # packed OBIS code
    ts: Mapped[datetime] = mapped_column(UtcDateTime)  # when it was read off
    revision: Mapped[int] = mapped_column(
        Integer, default=0, server_default="0"
    )  # how often it had been corrected before
    value: Mapped[int] = mapped_column(BigInteger)  # in the quantity's stored steps
    estimated: Mapped[bool] = mapped_column(Boolean)
    purpose: Mapped[Purpose] = mapped_column(words(Purpose, "purpose"))
    reader: Mapped[str] = mapped_column(String(64))  # who read it off
    photo: Mapped[str | None] = mapped_column(String(500))  # where a picture of it is
    note: Mapped[str] = mapped_column(String(500))
    withdrawn: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # it counts for nothing
    entered_by: Mapped[str] = mapped_column(String(64))  # who brought it in
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime)
