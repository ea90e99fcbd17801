"""What the registry refuses, in words for both kinds of reader.

RegistryError
├── AddressError       a text that is no address of the protocol
├── HistoryError       an installation or removal that the install history cannot hold; `code` says which rule
├── PlacementError     a meter put where it cannot be heard: no point number, an impossible port
├── UnknownRecord      a terminal, meter or usage point that is not stored
├── ReadingError       a reading that a person enters and that cannot be; `code` says why
├── CommandError       a command that cannot be given, or not be taken back any more
├── RegistryBusy       another writer held the registry for longer than the wait that was set
└── SchemaError        the database's tables are newer than this program, or not ours
"""

from __future__ import annotations

from meterweave.errors import MeterweaveError
from meterweave.text import Text


class RegistryError(MeterweaveError):
    """The root of all errors of the registry; `text` is the message in both languages, ``str()`` the English one."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


class AddressError(RegistryError):
    """A text that is no address of its protocol: the message gives the value seen and the form wanted."""


class HistoryError(RegistryError):
    """An install history that cannot be: `code` is the rule's name, one of `meterweave.registry.installation.RULES`."""

    def __init__(self, code: str, text: Text) -> None:
        super().__init__(text)
        self.code = code


class PlacementError(RegistryError):
    """A meter put where it cannot be heard."""


class ReadingError(RegistryError):
    """A reading entered that cannot be: `code` is one of `meterweave.registry.importing.finding.CODES`."""

    def __init__(self, code: str, text: Text) -> None:
        super().__init__(text)
        self.code = code


class UnknownRecord(RegistryError):  # noqa: N818 - a state of the archives, named as operators name it
    """Something named is not stored."""


class CommandError(RegistryError):
    """A command that cannot be given as it is, or that cannot be taken back any more."""


class RegistryBusy(RegistryError):  # noqa: N818 - it passes; the same call may be made again
    """Another writer held the registry for longer than `wait_s`; nothing was changed."""


class SchemaError(RegistryError):
    """The tables are not those this program knows."""
