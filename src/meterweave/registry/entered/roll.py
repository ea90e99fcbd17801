"""The meters that people mean when they enter readings: by asset number or address, many at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from meterweave.metering.quantities import Quantity
from meterweave.registry.address import PROTOCOLS, read_address
from meterweave.registry.entered.amount import turn_of
from meterweave.registry.errors import AddressError
from meterweave.registry.importing.column import CellError
from meterweave.registry.models import Installation, Meter
from meterweave.registry.vocabulary import Utility
from meterweave.text import Text

ASKED_AT_ONCE = 500
"""Values in one question to the database."""

_ID_MAX_DIGITS = 18

Item = TypeVar("Item")


@dataclass(frozen=True)
class MeterFacts:
    """What has to be known of a meter to judge a reading of it."""

    id: int
    utility: Utility
    protocol: str
    address: str
    asset_number: str | None
    register_digits: int | None
    register_decimals: int | None

    @cached_property
    def name(self) -> str:
        """What people call it."""
        return f"{self.protocol} {self.address}"

    def turn(self, quantity: Quantity) -> int | None:
        """The stored number at which its register begins again at nought; None: that is not known."""
        return turn_of(quantity, self.register_digits, self.register_decimals)


_FACTS = tuple(getattr(Meter, name) for name in MeterFacts.__dataclass_fields__)


class Roll:
    """All meters that some words may mean.

    Parameters
    ----------
    words : iterable of str
        Asset numbers, addresses of any protocol, or ``#`` or ``id:`` and an id.
    """

    def __init__(self, session: Session, words: Iterable[str]) -> None:
        wanted = {word.strip() for word in words}
        self._forms: dict[str, frozenset[tuple[str, str]]] = {word: _kept_forms(word) for word in wanted}
        addresses = {address for forms in self._forms.values() for _, address in forms}
        ids = {found for word in wanted if (found := _id_of(word)) is not None}
        self.by_id: dict[int, MeterFacts] = {}
        for some in chunks(wanted | addresses):
            self._take(session, or_(Meter.asset_number.in_(some), Meter.address.in_(some)))
        for few in chunks(ids):
            self._take(session, Meter.id.in_(few))
        self._by_name: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._by_asset: defaultdict[str, set[int]] = defaultdict(set)
        for one in self.by_id.values():
            self._by_name[one.protocol, one.address].add(one.id)
            if one.asset_number:
                self._by_asset[one.asset_number].add(one.id)

    def the_one(self, word: str, protocol: str | None = None) -> MeterFacts:
        """The meter that `word` means, of this protocol where one is given.

        Raises
        ------
        CellError
            If there is none, or several.
        """
        word = word.strip()
        named = _id_of(word)
        if named is not None:
            meant: Set[int] = {named} & self.by_id.keys()
        else:
            addressed = {form: self._by_name.get(form, set()) for form in self._forms[word]}
            of_protocol = [found for form, found in addressed.items() if form[0] == protocol and found]
            # An address of the protocol named goes before asset numbers that look like it.
            meant = of_protocol[0] if of_protocol else self._by_asset.get(word, set()).union(*addressed.values())
        found = [self.by_id[one] for one in sorted(meant) if protocol in (None, self.by_id[one].protocol)]
        if not found:
            raise CellError(
                "import.unknown_reference", Text(f"no meter is called {word!r}", f"没有名为“{word}”的表")
            )  # fmt: skip
        if len(found) > 1:
            names = ", ".join(f"{one.name} (id:{one.id})" for one in found[:5])
            raise CellError(
                "import.ambiguous_reference",
                Text(
                    f"{word!r} may mean {len(found)} meters: {names}; give the protocol, or id: and the number",
                    f"“{word}”对应{len(found)}块表：{names}；请填写通信规约，或用id:加编号",
                ),
            )
        return found[0]

    def _take(self, session: Session, wanted: Any) -> None:
        for row in session.execute(select(*_FACTS).where(wanted)):
            self.by_id[row.id] = MeterFacts(*row)


def facts_of(session: Session, meters: Iterable[int]) -> dict[int, MeterFacts]:
    """The meters with these ids; those not stored are left out."""
    found = {}
    for some in chunks(meters):
        for row in session.execute(select(*_FACTS).where(Meter.id.in_(some))):
            found[row.id] = MeterFacts(*row)
    return found


def first_installed(session: Session, meters: Iterable[int]) -> datetime | None:
    """When the first of these meters was put on a usage point; None: none ever was."""
    found = [
        session.scalars(select(func.min(Installation.installed_at)).where(Installation.meter_id.in_(some))).one()
        for some in chunks(meters)
    ]
    return min((one for one in found if one is not None), default=None)


class Presence:
    """When meters were on usage points."""

    def __init__(self, session: Session, meters: Iterable[int]) -> None:
        self._spans: defaultdict[int, list[tuple[datetime, datetime | None]]] = defaultdict(list)
        columns = (Installation.meter_id, Installation.installed_at, Installation.removed_at)
        for some in chunks(meters):
            for meter, since, until in session.execute(select(*columns).where(Installation.meter_id.in_(some))):
                self._spans[meter].append((since, until))

    def holds(self, meter: int, ts: datetime) -> bool:
        """Whether the meter was installed at that instant; the instants at which it came and went count."""
        return any(since <= ts and (until is None or ts <= until) for since, until in self._spans.get(meter, ()))

    def ever(self, meter: int) -> bool:
        """Whether the archives know that it was ever installed."""
        return meter in self._spans


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """`items` in lists that one statement can take."""
    rest = iter(items)
    while some := list(islice(rest, ASKED_AT_ONCE)):
        yield some


def _id_of(word: str) -> int | None:
    for mark in ("id:", "#"):
        digits = word.removeprefix(mark)
        if word.startswith(mark) and digits.isascii() and digits.isdecimal() and len(digits) <= _ID_MAX_DIGITS:
            return int(digits)
    return None


def _kept_forms(word: str) -> frozenset[tuple[str, str]]:
    found = set()
    for protocol in PROTOCOLS:
        try:
            found.add((protocol, read_address(protocol, word).text))
        except AddressError:
            continue
    return frozenset(found)
