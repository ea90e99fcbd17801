"""Readings that people enter: off mechanical meters, and as a meter is put in or taken out.

file or form ─► entries ─► judged against what there is ─► rows that are never changed ─► (`mdm.desk`) the lake
"""

from meterweave.registry.entered.acts import Act, Done, Stand, exchange, put_in, take_out
from meterweave.registry.entered.amount import USUAL, amount_text, read_amount, read_quantity, turn_of, usual
from meterweave.registry.entered.book import Book, Key, Neighbours, Point, Remark, Verdict
from meterweave.registry.entered.entry import Entry, Kept
from meterweave.registry.entered.exchanges import NOBODY_READ, exchanges_kind, import_exchanges
from meterweave.registry.entered.file import of_utility, readings_kind
from meterweave.registry.entered.importing import Terms, import_readings
from meterweave.registry.entered.listing import Listed, Round, entered, last_entered, recent, sheet_rows, write_sheet
from meterweave.registry.entered.report import EntryReport
from meterweave.registry.entered.withdrawal import Withdrawn, withdraw

__all__ = [
    "NOBODY_READ",
    "USUAL",
    "Act",
    "Book",
    "Done",
    "Entry",
    "EntryReport",
    "Kept",
    "Key",
    "Listed",
    "Neighbours",
    "Point",
    "Remark",
    "Round",
    "Stand",
    "Terms",
    "Verdict",
    "Withdrawn",
    "amount_text",
    "entered",
    "exchange",
    "exchanges_kind",
    "import_exchanges",
    "import_readings",
    "last_entered",
    "of_utility",
    "put_in",
    "read_amount",
    "read_quantity",
    "readings_kind",
    "recent",
    "sheet_rows",
    "take_out",
    "turn_of",
    "usual",
    "withdraw",
    "write_sheet",
]
