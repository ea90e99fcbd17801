"""A centre's data: the lake in its folder, and its archives there or in a database of their own.

Storage is loaded by who opens it, which takes a second that other commands can do without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from meterweave.cli import moment
from meterweave.errors import ConfigError

if TYPE_CHECKING:
    from meterweave.lake import Lake
    from meterweave.registry import Registry

REGISTRY, LAKE = "registry.sqlite", "lake"
"""What stands in the folder."""

_OTHER_TABLES = re.compile(r"no such (table|column)|(relation|column) .* does not exist")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where a centre keeps everything.

    Attributes
    ----------
    path : Path
        The folder.
    registry_url : str or None
        Where the archives are; None: in the file `REGISTRY` in the folder.
    """

    path: Path
    registry_url: str | None = None

    @property
    def lake_path(self) -> Path:
        """The lake's own folder."""
        return self.path / LAKE

    @property
    def has_archives(self) -> bool:
        """Whether archives were ever begun; of a database elsewhere nothing can be said without asking it."""
        return self.registry_url is not None or (self.path / REGISTRY).is_file()

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """The archives, for writing: made and brought up to date where need be.

        Raises
        ------
        ConfigError
            If the database cannot be opened, or fails while the archives are open.
        RegistryError
            As `Registry.open`.
        """
        from meterweave.registry import Registry  # noqa: PLC0415

        if self.registry_url is None:
            self.path.mkdir(parents=True, exist_ok=True)
        with self._told():
            found = Registry.open(self.registry_url or self.path / REGISTRY)
            try:
                yield found
            finally:
                found.close()

    @contextmanager
    def archives(self) -> Iterator[Registry]:
        """The archives, for reading: nothing is made or changed, and nobody who writes is waited for.

        Raises
        ------
        ConfigError
            If there are none, or the database cannot be read.
        """
        from meterweave.registry import Registry, open_engine  # noqa: PLC0415

        if not self.has_archives:
            raise ConfigError(f"{self.path} holds no archives: there is no file {REGISTRY} in it")
        with self._told():
            found = Registry(open_engine(self.registry_url or self.path / REGISTRY))
            try:
                yield found
            finally:
                found.close()

    @contextmanager
    def lake(self) -> Iterator[Lake]:
        """The lake, for questions only, beside whatever process writes; an empty one where there is none yet.

        Its days have to be those of `moment.zone`.
        """
        from meterweave.lake import Lake, LakeSettings  # noqa: PLC0415

        with Lake.open(self.lake_path, LakeSettings(zone=moment.zone()), write=False) as lake:
            yield lake

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in one line where the database that fails is, and why it does."""
        from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

        try:
            yield
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            hint = "; meterweave serve brings tables of an earlier version up to date"
            told = f"{reason}{hint}" if _OTHER_TABLES.search(reason) else reason
            raise ConfigError(f"the archives in {self._place()} cannot be used: {told}") from error

    def _place(self) -> str:
        """Where the archives are, without the password."""
        from sqlalchemy import make_url  # noqa: PLC0415
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        if self.registry_url is None:
            return str(self.path / REGISTRY)
        try:
            return make_url(self.registry_url).render_as_string(hide_password=True)
        except ArgumentError:
            return "the database"
