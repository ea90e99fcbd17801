"""A profile's text as a tree of words with their places.

YAML is read as the parser's events, so nothing in a file is ever made into an object: a tag cannot name one, and an
alias cannot multiply. Everything is text here; what a word means is for the language to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from meterweave.profiles.mistake import NO_HINT, Mistake, Mistakes, Place, ProfileError
from meterweave.text import Text

SIZE_MAX = 64 * 1024
"""A profile of 40 lines has 2 KB. [octets]"""
NODES_MAX = 4000
DEPTH_MAX = 8


@dataclass(frozen=True, slots=True)
class Scalar:
    """One word or text."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and what they stand for, in order."""

    place: Place
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Sequence | Mapping


def read_file(path: Path) -> str:
    """The text of a profile's file.

    Raises
    ------
    ProfileError
        If it is larger than `SIZE_MAX` or no UTF-8 text.
    OSError
        If it cannot be read.
    """
    with path.open("rb") as file:
        octets = file.read(SIZE_MAX + 1)
    if len(octets) > SIZE_MAX:
        raise _refusal(str(path), Text(f"the file has more than {SIZE_MAX} octets", f"文件超过{SIZE_MAX}字节"))
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise _refusal(str(path), Text("the file is no UTF-8 text", "文件不是UTF-8文本"), Place(line, 1)) from None


def parse(text: str, file: str) -> Node:
    """The tree of a text; `file` is what mistakes call it.

    Raises
    ------
    ProfileError
        If the text is no YAML, or has what a profile may not have: tags, anchors, aliases, several documents, more
        than `NODES_MAX` nodes or `DEPTH_MAX` levels.
    """
    if len(text) > SIZE_MAX:
        raise _refusal(file, Text(f"the profile has more than {SIZE_MAX} characters", f"配置超过{SIZE_MAX}个字符"))
    builder = _Builder(file, iter(yaml.parse(text, Loader=yaml.SafeLoader)))
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        problem = " ".join(part for part in (error.context, error.problem) if part)
        hint = _BRACKET if error.problem and "got '['" in error.problem else NO_HINT
        raise _refusal(file, Text(f"this is no YAML: {problem}", f"不是合法的YAML：{problem}"), place, hint) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape that names no character
        reason = str(error).splitlines()[0]
        raise _refusal(file, Text(f"this is no YAML: {reason}", f"不是合法的YAML：{reason}")) from None


_BRACKET = Text(
    'within braces a text that has a bracket stands in quotes: {path: "data.energy[0].value"}',
    '花括号内含方括号的文本须加引号：{path: "data.energy[0].value"}',
)


def _refusal(file: str, text: Text, place: Place | None = None, hint: Text = NO_HINT) -> ProfileError:
    return ProfileError(file, [Mistake(place or Place(1, 1), text, hint)])


class _Builder:
    """Takes the parser's events."""

    def __init__(self, file: str, events: Iterator[yaml.Event]) -> None:
        self._file = file
        self._events = events
        self._count = 0

    def document(self) -> Node:
        event = self._next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise _refusal(self._file, Text("the file is empty", "文件为空"))
        node = self._node(event, 1)
        after = [self._next(), self._next()]
        if not isinstance(after[1], yaml.StreamEndEvent):
            text = Text(
                "a second document begins here; a file holds one profile", "此处为第二个文档；一个文件只含一个配置"
            )
            raise _refusal(self._file, text, _place(after[1]))
        return node

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        place = _place(event)
        self._count += 1
        if self._count > NODES_MAX or depth > DEPTH_MAX:
            text = Text(
                f"a profile has at most {NODES_MAX} words and {DEPTH_MAX} levels",
                f"配置最多{NODES_MAX}个词、{DEPTH_MAX}层",
            )
            raise _refusal(self._file, text, place)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            text = Text("anchors (&) and aliases (*) are not allowed in a profile", "配置中不允许锚点（&）和别名（*）")
            raise _refusal(self._file, text, place)
        if getattr(event, "tag", None):
            text = Text("tags (!) are not allowed in a profile", "配置中不允许标签（!）")
            raise _refusal(self._file, text, place)
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(place, event.value)
        if isinstance(event, yaml.SequenceStartEvent):
            return Sequence(place, tuple(self._items(depth)))
        return Mapping(place, tuple(self._entries(depth)))

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _entries(self, depth: int) -> Iterator[tuple[Scalar, Node]]:
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise _refusal(self._file, Text("a key has to be a word", "键必须是一个词"), key.place)
            yield key, self._node(self._next(), depth + 1)


def _place(event: yaml.Event) -> Place:
    mark = event.start_mark
    assert mark is not None  # the parser marks every event
    return Place(mark.line + 1, mark.column + 1)


def unique_entries(node: Mapping, mistakes: Mistakes) -> dict[str, tuple[Scalar, Node]]:
    """The entries by key; a key that comes twice is a mistake."""
    found: dict[str, tuple[Scalar, Node]] = {}
    for key, value in node.entries:
        if key.text in found:
            line = found[key.text][0].place.line
            mistakes.add(
                key.place,
                f"{key.text} stands here a second time (first in line {line})",
                f"{key.text}重复（第{line}行已有）",
            )
            continue
        found[key.text] = key, value
    return found
