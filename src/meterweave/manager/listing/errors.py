"""What a list refuses: something asked of it that it cannot give."""

from __future__ import annotations

from meterweave.manager.errors import ManagerError
from meterweave.text import Text

CODES: dict[str, Text] = {
    "listing.unknown_table": Text("no table is called so", "没有该列表"),
    "listing.unknown_column": Text("the table has no such column", "列表没有该列"),
    "listing.unknown_operator": Text("the column cannot be filtered so", "该列不支持此筛选方式"),
    "listing.bad_value": Text("the value does not fit the column", "取值与该列不符"),
    "listing.not_sortable": Text("the table cannot be sorted by this column", "列表不能按该列排序"),
    "listing.bad_cursor": Text("the mark of a page is none of this list", "分页标记与该列表不符"),
    "listing.too_many": Text("more is asked for than one question may hold", "请求超出限制"),
}
"""Every code there is, with what it means."""


class ListingError(ManagerError):
    """A question that a list cannot answer: `code` is one of `CODES`, `column` the one at fault, if it is one."""

    def __init__(self, code: str, text: Text, column: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.column = column
