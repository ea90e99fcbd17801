"""The profiles a centre or a gateway has: those that ship, and YAML files in a folder of its own, which go before them.

A file is looked at when its profile is asked for, and read again where it changed. The same text gives the same
`Profile` object, so that whoever compares plans sees what changed and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from meterweave.errors import ConfigError
from meterweave.profiles import tree
from meterweave.profiles.check import parse
from meterweave.profiles.library import SUFFIX, shipped, texts
from meterweave.profiles.mistake import nearest
from meterweave.profiles.profile import Profile
from meterweave.text import Text

FOLDER = "profiles"
"""Of a data folder, where its own profiles lie."""
NAME_MAX = 64


class _Read(NamedTuple):
    """A file as it was read last."""

    stamp: tuple[int, int]  # when it was changed [ns], and its size [octets]
    text: str
    profile: Profile | ConfigError


class Shelf:
    """Finds profiles by their names, which are the names of their files without ``.yaml``.

    Parameters
    ----------
    folder : Path or None
        Of own profiles; it need not be there.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._read: dict[Path, _Read] = {}

    def find(self, name: str) -> Profile:
        """The profile of this name; an own one before a shipped one.

        Raises
        ------
        MissingProfile
            If there is none.
        ConfigError
            If the file is none: then the text says file, line and column of all that is wrong.
        """
        own = self._own(name)
        if own is None:
            if name not in texts():
                raise MissingProfile(name, self.names())
            return shipped(name)
        if isinstance(own.profile, ConfigError):
            raise own.profile.with_traceback(None)
        return own.profile

    def text(self, name: str) -> str:
        """The text of the profile of this name; raises as `find`, except that it may say what is no profile."""
        own = self._own(name)
        if own is not None:
            return own.text
        if name not in texts():
            raise MissingProfile(name, self.names())
        return texts()[name]

    def names(self) -> list[str]:
        """All there are."""
        return sorted({*texts(), *self.stamps()})

    def stamps(self) -> Mapping[str, tuple[int, int]]:
        """What tells whether an own profile changed: when it was [ns] and its size [octets], by name."""
        if self._folder is None or not self._folder.is_dir():
            return {}
        found = {}
        for path in self._folder.glob(f"*{SUFFIX}"):
            name = path.name.removesuffix(SUFFIX)
            stamp = _stamp(path) if _is_name(name) else None
            if stamp is not None:
                found[name] = stamp
        return found

    def _own(self, name: str) -> _Read | None:
        if self._folder is None or not _is_name(name):
            return None
        path = self._folder / f"{name}{SUFFIX}"
        stamp = _stamp(path)
        if stamp is None:
            self._read.pop(path, None)
            return None
        found = self._read.get(path)
        if found is None or found.stamp != stamp:
            # Kept here too: another thread may see the file gone, and forget it.
            found = self._read[path] = _looked_at(path, stamp, found)
        return found


def _is_name(name: str) -> bool:
    """Whether a profile may be called so: then its file stays in the folder, and the archives have room for it."""
    return 0 < len(name) <= NAME_MAX and not any(one in name for one in "/\\\0") and not name.startswith(".")


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):  # ValueError: what no file can be called
        return None
    return found.st_mtime_ns, found.st_size


def _looked_at(path: Path, stamp: tuple[int, int], before: _Read | None) -> _Read:
    try:
        text = tree.read_file(path)
    except OSError as error:
        return _Read((0, -1), "", ConfigError(f"{path}: {error.strerror or error}"))
    except ConfigError as error:
        return _Read(stamp, "", error)
    if before is not None and before.text == text and isinstance(before.profile, Profile):
        return before._replace(stamp=stamp)
    try:
        return _Read(stamp, text, parse(text, str(path)))
    except ConfigError as error:
        return _Read(stamp, text, error)


class MissingProfile(ConfigError):  # noqa: N818 - what is the matter, as people name it
    """No profile is called so."""

    def __init__(self, name: str, known: list[str]) -> None:
        hint = nearest(name, known)
        en, zh = hint if hint.en else _LISTED
        self.text = Text(
            f"no profile is called {name[:NAME_MAX]!r}; {en}", f"没有名为{name[:NAME_MAX]!r}的设备配置；{zh}"
        )
        super().__init__(self.text.en)


_LISTED = Text("meterweave profile list shows those that ship", "meterweave profile list可列出自带的配置")
