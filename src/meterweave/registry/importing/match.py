"""Which meters may hang on which terminals: what a device speaks must be what is spoken there."""

from __future__ import annotations

from typing import NamedTuple

from meterweave.registry.address import BUS, DLT645_1997, DLT698, JSON, MANUAL, MODBUS, MQTT, N5, UDP
from meterweave.text import Text

ON_LINES = (DLT698, "dlt645", DLT645_1997, "cjt188", "mbus", MODBUS)
"""What is spoken on lines."""


class Mismatch(NamedTuple):
    """Why a meter cannot hang there: a code of `finding.CODES`, the reason, and the column to mend."""

    code: str
    text: Text
    column: str


def mismatch(terminal: str, meter: str, *, local: bool, model: str | None) -> Mismatch | None:
    """What stands against a meter on a terminal, by their protocols; None: nothing.

    Parameters
    ----------
    terminal, meter : str
        Protocols.
    local : bool
        Whether the meter's address names it on its bus only.
    model : str or None
        The meter's, which names the profile by which a device on a line is read.
    """
    if meter == MANUAL:
        return _conflict(
            Text("people read this meter: it hangs on no terminal", "人工抄读的表不能挂在终端下"), "terminal"
        )
    if terminal == N5:
        return _conflict(
            Text(
                "a gateway reads meters on lines: name the line, whose collector is the gateway",
                "采集网关只抄读总线上的表：请填写线路名称，并在线路上填写所属采集器",
            ),
            "terminal",
        )
    if meter == JSON and terminal not in (MQTT, UDP):
        return _off_place(terminal, meter)
    return _on_line(meter, local=local, model=model) if terminal == BUS else None


def _on_line(meter: str, *, local: bool, model: str | None) -> Mismatch | None:
    if meter not in ON_LINES:
        return _off_place(BUS, meter)
    if meter == MODBUS and not local:
        return Mismatch(
            "import.malformed",
            Text("on a line Modbus names devices by unit, u1 to u247", "总线上的Modbus设备应填写单元号u1至u247"),
            "address",
        )
    if not model:
        return Mismatch(
            "import.missing",
            Text(
                "a meter on a line needs a model: the name of the device profile by which it is read",
                "总线上的表必须填写型号，即抄读所用的设备模板名称",
            ),
            "model",
        )
    return None


def _off_place(terminal: str, meter: str) -> Mismatch:
    return _conflict(
        Text(f"a meter of {meter} cannot hang on a terminal of {terminal}", f"{meter}表不能挂在{terminal}终端下"),
        "protocol",
    )


def _conflict(text: Text, column: str) -> Mismatch:
    return Mismatch("import.conflict", text, column)
