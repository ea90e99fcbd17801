from dataclasses import replace

import pytest

from meterweave.errors import ConfigError
from meterweave.protocols.registry import FAMILIES, builtin, named, registry

NAMES = ["dlt698", "gdw1376-1", "gdw1376-2", "dlt645", "cjt188", "mbus", "modbus"]


def test_every_protocol_is_there_once() -> None:
    assert list(registry()) == NAMES
    words = [word for codec in builtin() for word in (codec.name, *codec.aliases)] + list(FAMILIES)
    assert len(words) == len(set(words))
    assert all(word == word.lower() for word in words)


def test_an_extra_protocol_joins_but_takes_no_name() -> None:
    extra = replace(builtin()[0], name="mine")
    assert registry([extra])["mine"] is extra
    with pytest.raises(ConfigError, match="two protocols are called 'dlt698'"):
        registry([builtin()[0]])


@pytest.mark.parametrize(
    ("word", "names"),
    [
        ("dlt645", ["dlt645"]),
        ("DLT645-2007", ["dlt645"]),
        (" 698.45 ", ["dlt698"]),
        ("gdw1376", ["gdw1376-1", "gdw1376-2"]),
        ("1376.2", ["gdw1376-2"]),
        ("modbus-rtu", ["modbus"]),
    ],
)
def test_words_people_use(word: str, names: list[str]) -> None:
    assert [codec.name for codec in named(word)] == names


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'zigbee'.*dlt645.*mbus"):
        named("zigbee")


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("dlt645", 0x000000000161, "000000000161"),
        ("dlt698", 0x202407030001, "202407030001"),
        ("gdw1376-1", 0x0171_0822_0001, "0171-2082 p1"),
        ("gdw1376-2", 0x000000000161, "000000000161"),
        ("cjt188", 0x11110018439066, "11110018439066"),
        ("mbus", 0x1593_0A07_7011_2345, "ELS 70112345"),
        ("mbus", 5, "5"),
        ("modbus", 17, "17"),
    ],
)
def test_wire_keys_as_people_write_them(name: str, key: int, text: str) -> None:
    assert registry()[name].meter_text(key) == text
