"""Tables that page, sort and filter on the server, and that are written to files as they are filtered."""

from meterweave.manager.listing.column import Column, Kind, Operator
from meterweave.manager.listing.errors import CODES, ListingError
from meterweave.manager.listing.paging import PAGE_ROWS_MAX, Page, Row, page
from meterweave.manager.listing.question import Filter, Question, read_question
from meterweave.manager.listing.table import ServerTable
from meterweave.manager.listing.tables import TABLES, table_named
from meterweave.manager.listing.total import Total

__all__ = [
    "CODES",
    "PAGE_ROWS_MAX",
    "TABLES",
    "Column",
    "Filter",
    "Kind",
    "ListingError",
    "Operator",
    "Page",
    "Question",
    "Row",
    "ServerTable",
    "Total",
    "page",
    "read_question",
    "table_named",
]
