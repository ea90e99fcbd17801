"""The protocols that profiles can speak, in one list."""

from __future__ import annotations

from functools import cache

from meterweave.profiles.language import CJT188, DLT645, DLT645_1997, DLT698, JSON, MBUS, MODBUS
from meterweave.profiles.speech.base import (
    Access,
    Cell,
    Context,
    Heard,
    Order,
    Part,
    Purpose,
    Request,
    Sent,
    Settings,
    Speech,
)

__all__ = [
    "Access",
    "Cell",
    "Context",
    "Heard",
    "Order",
    "Part",
    "Purpose",
    "Request",
    "Sent",
    "Settings",
    "Speech",
    "speech",
]


@cache
def speech(protocol: str) -> Speech:
    """The speech of a protocol of `language.PROTOCOLS`."""
    # Imported here and not above: a profile needs one protocol's tables, not all of them.
    if protocol == MODBUS:
        from meterweave.profiles.speech.modbus import ModbusSpeech  # noqa: PLC0415

        return ModbusSpeech()
    if protocol in (DLT645, DLT645_1997):
        from meterweave.profiles.speech.dlt645 import Dlt645Speech  # noqa: PLC0415

        return Dlt645Speech("dlt645-1997" if protocol == DLT645_1997 else "dlt645-2007")
    if protocol == DLT698:
        from meterweave.profiles.speech.dlt698 import Dlt698Speech  # noqa: PLC0415

        return Dlt698Speech()
    if protocol == CJT188:
        from meterweave.profiles.speech.cjt188 import Cjt188Speech  # noqa: PLC0415

        return Cjt188Speech()
    if protocol == JSON:
        from meterweave.profiles.speech.json import JsonSpeech  # noqa: PLC0415

        return JsonSpeech()
    from meterweave.profiles.speech.mbus import MbusSpeech  # noqa: PLC0415

    assert protocol == MBUS  # the language has no other
    return MbusSpeech()
