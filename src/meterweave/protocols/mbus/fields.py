"""JSON objects from outside, their fields taken out with type and range checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from meterweave.errors import EncodeError

Made = TypeVar("Made")

REQUIRED: Any = object()
"""The default of a field that must be there."""


class Fields:
    """One JSON object, its fields taken out with their type checked; errors name the field by its path."""

    def __init__(self, fields: object, path: str = "") -> None:
        if not isinstance(fields, Mapping):
            raise EncodeError(f"{path or 'message'} is {fields!r}, wanted an object")
        self._fields: Mapping[str, Any] = fields
        self._path = path

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return name in self._fields

    def path(self, name: str) -> str:
        """The field's place, for people."""
        return f"{self._path}.{name}" if self._path else name

    def raw(self, name: str, default: Any = REQUIRED) -> Any:
        """Whatever stands there."""
        found = self._fields.get(name, default)
        if found is REQUIRED:
            raise EncodeError(f"{self.path(name)} is missing")
        return found

    def number(self, name: str, limit: int, default: Any = REQUIRED) -> int:
        """A number from 0 to `limit`, as such or as ``0x`` and hexadecimal digits."""
        found = self.raw(name, default)
        number = found
        if isinstance(found, str):
            try:
                number = int(found, 16)
            except ValueError:
                number = None
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= limit:
            raise EncodeError(f"{self.path(name)} is {found!r}, wanted 0 to {limit}")
        return number

    def text(self, name: str, default: Any = REQUIRED) -> str:
        """A text."""
        found = self.raw(name, default)
        if not isinstance(found, str):
            raise EncodeError(f"{self.path(name)} is {found!r}, wanted a text")
        return found

    def octets(self, name: str, default: Any = REQUIRED) -> bytes:
        """Octets, written in hexadecimal."""
        text = self.text(name, default)
        try:
            return bytes.fromhex(text)
        except ValueError as error:
            raise EncodeError(f"{self.path(name)} is {text!r}, wanted octets in hexadecimal") from error

    def inner(self, name: str) -> Fields:
        """The object that stands there."""
        return Fields(self.raw(name), self.path(name))

    def list(self, name: str) -> list[Any]:
        """The list that stands there; an absent one is empty."""
        found = self.raw(name, [])
        if not isinstance(found, list | tuple):
            raise EncodeError(f"{self.path(name)} is {found!r}, wanted a list")
        return list(found)

    def placed(self, name: str, make: Callable[..., Made], *arguments: Any) -> Made:
        """What `make` makes of the field; its `EncodeError` told with the field's place."""
        try:
            return make(*arguments)
        except EncodeError as error:
            raise EncodeError(f"{self.path(name)}: {error}") from error

    def choice(self, name: str, choices: tuple[str, ...]) -> int:
        """The index of the text that stands there among `choices`."""
        found = self.raw(name, choices[0])
        if found not in choices:
            raise EncodeError(f"{self.path(name)} is {found!r}, wanted one of {', '.join(choices)}")
        return choices.index(found)
