"""The one list of protocols, built when asked for; importing a module registers nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType

from meterweave.errors import ConfigError
from meterweave.protocols.codec import Codec


@cache
def builtin() -> tuple[Codec, ...]:
    """The protocols that ship with Meterweave; where two fit equally well, the earlier is meant."""
    # Imported here and not above: the tables of seven protocols are loaded only by who asks for all of them.
    from meterweave.protocols import cjt188, dlt645, dlt698, mbus, modbus  # noqa: PLC0415
    from meterweave.protocols.gdw1376 import part1, part2  # noqa: PLC0415

    return (dlt698.CODEC, part1.CODEC, part2.CODEC, dlt645.CODEC, cjt188.CODEC, mbus.CODEC, modbus.CODEC)


def registry(extra: Iterable[Codec] = ()) -> Mapping[str, Codec]:
    """Every protocol by its name.

    Raises
    ------
    ConfigError
        If two are called the same.
    """
    table: dict[str, Codec] = {}
    for codec in (*builtin(), *extra):
        if codec.name in table:
            raise ConfigError(f"two protocols are called {codec.name!r}")
        table[codec.name] = codec
    return MappingProxyType(table)


FAMILIES: Mapping[str, tuple[str, ...]] = {"gdw1376": ("gdw1376-1", "gdw1376-2")}
"""Words that stand for several protocols, which the octets then tell apart."""


def named(word: str) -> tuple[Codec, ...]:
    """The protocols that `word` may mean: a name, an alias or a family; upper or lower case.

    Raises
    ------
    ConfigError
        If it means none; the message lists the names.
    """
    wanted = word.strip().lower()
    names = FAMILIES.get(wanted, (wanted,))
    found = tuple(codec for codec in builtin() if codec.name in names or wanted in codec.aliases)
    if not found:
        known = ", ".join([*registry(), *FAMILIES])
        raise ConfigError(f"no protocol is called {word!r}; there are: {known}")
    return found
