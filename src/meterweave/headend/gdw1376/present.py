"""Present values: of measuring points as the terminal has them (AFN 0CH), else from the meters themselves (AFN 10H)."""

from __future__ import annotations

from collections.abc import Iterator

from meterweave.headend import forwarded
from meterweave.headend.gdw1376.dialogue import Dialogue, Talk
from meterweave.headend.gdw1376.gathering import NO_ITEM, Gathering, Question, own_quantities
from meterweave.headend.gdw1376.ledger import Ledger
from meterweave.headend.gdw1376.passing import SILENT, Passed, pass_on
from meterweave.headend.operations import Conversation, Done, Keep, ReadNow
from meterweave.metering.batch import Profile
from meterweave.protocols.gdw1376.part1 import Unit, decode_batch
from meterweave.protocols.gdw1376.part1.catalogue import PRESENT
from meterweave.protocols.gdw1376.part1.designator import da_of, dt_of
from meterweave.protocols.gdw1376.part1.sources import answer_size, items_for
from meterweave.registry.address import GDW_POINT_MAX
from meterweave.registry.meter_entries import MeterEntry


def read_now(dialogue: Dialogue, wanted: ReadNow) -> Conversation:
    """Ask the terminal for all meters together, then pass on what it does not have to each meter."""
    ledger = Ledger(wanted.meters)
    given = yield from Gathering(dialogue, PRESENT, ledger).ask(_questions(wanted))
    by_point: dict[int, set[int]] = {}
    for one in given:
        by_point.setdefault(one.point, set()).update(one.quantities)
    lacking = set()
    for meter in wanted.meters:
        had = by_point.get(meter.point_number or 0, set())
        left = [code for code in own_quantities(meter, wanted.quantities) if code not in had]
        if left and not ledger.silent and not (yield from _ask_itself(dialogue, meter, left, ledger)):
            lacking.add(meter.id)
    return ledger.outcome(lacking=lacking)


def _questions(wanted: ReadNow) -> Iterator[Question]:
    for meter in wanted.meters:
        point = meter.point_number
        if point is None or point > GDW_POINT_MAX:
            continue
        for fn in items_for(PRESENT, Profile.SPOT, own_quantities(meter, wanted.quantities)):
            yield Question(meter, Unit(da_of([point]), dt_of([fn])), answer_size(PRESENT, fn))


def _ask_itself(dialogue: Dialogue, meter: MeterEntry, quantities: list[int], ledger: Ledger) -> Talk[bool]:
    """Whether the meter gave all that its protocol has words for."""
    requests = forwarded.read_requests(meter, quantities)
    if not requests:
        ledger.refuse([meter], NO_ITEM)
        return False
    complete = True
    for request in requests:
        passed = yield from pass_on(dialogue, meter, request)
        if passed is None:
            ledger.missed([meter])
            return False
        ledger.heard()
        if not passed.octets:
            ledger.refuse([meter], passed.denial or SILENT)
            return False
        complete = (yield from _judge(dialogue, meter, request, passed, ledger)) and complete
    return complete


def _judge(dialogue: Dialogue, meter: MeterEntry, request: bytes, passed: Passed, ledger: Ledger) -> Talk[bool]:
    said = forwarded.outcome(request, passed.octets)
    if not isinstance(said, Done):
        ledger.refuse([meter], said.reason)
        return False
    assert passed.answer is not None
    if not len(decode_batch([passed.answer.octets], zone=dialogue.zone)):
        ledger.refuse([meter], NO_ITEM)
        return False
    yield Keep(passed.answer.octets)
    ledger.serve([meter])
    return True
