"""``meterweave demo``: real frames in, readings in words out, with nothing else installed or running."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated

import typer
from rich.text import Text as Styled

from meterweave.cli import render, source
from meterweave.protocols.capture import read_capture
from meterweave.protocols.registry import builtin
from meterweave.protocols.session import read_session
from meterweave.text import Text

_ONE_FRAME = Text(
    "One of them field by field: a concentrator hands on what a meter behind it answered.",
    "逐字段解析其中一帧：集中器转发下挂电表的应答。",
)
_ALL_READINGS = Text("All readings in the conversation:", "整个会话中的全部读数：")
_NEXT = Text("Next: decode your own capture with", "下一步：解析您自己的报文：")


def demo(
    lang: Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="Language of the words.")] = None,
) -> None:
    """Decode a recorded conversation of real meters and print the readings in words."""
    spoken = source.language(lang)
    recording = files("meterweave.examples").joinpath("conversation.log")
    entries = read_session(read_capture(recording.read_bytes()), builtin())
    first = next(iter(render.reading_rows(entries, spoken)))
    out = render.console()
    out.print(Styled(str(recording), "dim"))
    out.print(Styled(_ONE_FRAME.in_language(spoken), "bold"))
    render.frame(out, first["frame"], entries[first["frame"] - 1], spoken)
    out.print()
    out.print(Styled(_ALL_READINGS.in_language(spoken), "bold"))
    render.readings(entries, spoken, as_json=False, missing=False)
    out.print(Styled(f"\n{_NEXT.in_language(spoken)}  meterweave decode FILE", "dim"))
