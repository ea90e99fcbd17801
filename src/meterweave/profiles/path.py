"""Where a value stands in a JSON message: ``data.energy[0].value``, ``"Zähler 1".U``, ``$.status``."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

STEPS_MAX = 12
ROOT = "$"
_STEP = re.compile(
    r'(?P<dot>\.?)(?:(?P<bare>\w[\w-]{0,63})|"(?P<quoted>[^"\x00-\x1f]{1,64})")|\[(?P<index>[0-9]{1,3})\]'
)


class Absent:
    """What a path finds where there is nothing."""


ABSENT = Absent()


class Path(NamedTuple):
    """Keys and indexes from the outside inward."""

    steps: tuple[str | int, ...]
    outer: bool = False
    """Whether it begins at the whole message also where the message is a row of records."""

    @property
    def text(self) -> str:
        """As a profile writes it."""
        words = "".join(_word(step) for step in self.steps)
        return f"{ROOT}{words}" if self.outer else words.removeprefix(".") or ROOT

    def find(self, node: Any) -> Any:
        """What stands there in a document; `ABSENT` where nothing does."""
        for step in self.steps:
            if isinstance(step, str):
                if type(node) is not dict or (node := node.get(step, ABSENT)) is ABSENT:
                    return ABSENT
            elif type(node) is list and step < len(node):
                node = node[step]
            else:
                return ABSENT
        return node

    def put(self, value: Any, into: Any) -> Any:
        """`into`, a document made of this alone (None at first), with `value` at the path."""
        return _put(self.steps, value, into)


def _word(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(r"\w[\w-]*", step) else f'."{step}"'


def _put(steps: tuple[str | int, ...], value: Any, into: Any) -> Any:
    if not steps:
        return value
    first, rest = steps[0], steps[1:]
    if isinstance(first, str):
        into = {} if into is None else into
        into[first] = _put(rest, value, into.get(first))
        return into
    into = [] if into is None else into
    into += [None] * (first + 1 - len(into))
    into[first] = _put(rest, value, into[first])
    return into


def read_path(text: str) -> Path:
    """The path that a text says.

    Raises
    ------
    ValueError
        If it says none, or one of more than `STEPS_MAX` steps.
    """
    outer = text.startswith(ROOT)
    steps: list[str | int] = []
    at = len(ROOT) if outer else 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or len(steps) == STEPS_MAX:
            raise ValueError(f"{text!r} is no path")
        if match["index"] is None and bool(match["dot"]) != (outer or bool(steps)):
            raise ValueError(f"{text!r} is no path: keys are parted by one dot each")
        steps.append(int(match["index"]) if match["index"] is not None else match["bare"] or match["quoted"])
        at = match.end()
    if not text:
        raise ValueError("an empty text is no path")
    return Path(tuple(steps), outer)


def contradict(one: Path, other: Path) -> bool:
    """Whether no document can have both: one leads into the other, or they differ on what is an object or array."""
    for mine, its in zip(one.steps, other.steps, strict=False):
        if mine != its:
            return type(mine) is not type(its)
    return True
