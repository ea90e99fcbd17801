import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from meterweave.cli import columns
from meterweave.cli.columns import Cell


def written(
    rows: list[list[str]],
    *,
    width: int = 80,
    right: tuple[int, ...] = (),
    whole: tuple[int, ...] = (),
    widest: int = 0,
) -> list[str]:
    out = Console(file=io.StringIO(), width=width)
    columns.write(out, [[Cell(text) for text in row] for row in rows], right=right, whole=whole, widest=widest)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert written([["a", "电压", "1"], ["bbb", "c", "22"], ["", "", ""]], right=(2,)) == [
        "a    电压   1",
        "bbb  c     22",
        "",
    ]


@pytest.mark.parametrize("width", range(31, 60))
def test_nothing_is_lost_and_nothing_too_wide_on_a_narrow_terminal(width: int) -> None:
    texts = ["  68 61 01 00 00 00 00 68 91", "forward active energy, total", "正向有功电能，总以及其他", "x"]
    lines = written([texts], width=width)
    assert all(cell_len(line) <= width for line in lines)
    for text in texts:
        assert all(text.count(character) <= "".join(lines).count(character) for character in text if character != " ")


def test_names_are_not_cut_while_other_columns_can_be() -> None:
    row = ["prepaid-modbus-single-phase", "what people call it in words"]
    assert written([row], width=45, whole=(0,)) == [
        "prepaid-modbus-single-phase  what people call",
        "                             it in words",
    ]
    assert all(cell_len(line) <= 30 for line in written([row], width=30, whole=(0,)))


def test_folded_lines_keep_their_indent() -> None:
    assert written([["  68 61 01 00 00"]], widest=8) == ["  68 61", "  01 00", "  00"]
    assert written([["0123456789", "x"]], widest=4) == ["0123  x", "4567", "89"]


def test_colours_only_where_they_are_seen() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, color_system="standard", no_color=False)
    columns.write(out, [[Cell("a", "bold red"), Cell("b")]])
    assert isinstance(out.file, io.StringIO)
    assert out.file.getvalue() == "\x1b[1;31ma\x1b[0m  b\n"
    assert written([["a"]]) == ["a"]


def test_what_a_meter_sends_does_not_steer_the_terminal() -> None:
    assert written([["\x1b[2J\n"]]) == ["\\x1b[2J\\x0a"]


def test_nothing_to_write() -> None:
    assert written([]) == []
