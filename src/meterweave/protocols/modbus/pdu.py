"""The fields of requests and answers, read and written by pymodbus (Modbus Application Protocol V1.1b3, 6)."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU

from meterweave.errors import EncodeError
from meterweave.protocols.modbus.rtu import EXCEPTION, Frame, Kind
from meterweave.text import Text

_FIELDS: Mapping[tuple[str, int], tuple[str, ...]] = {
    **{("request", function): ("address", "count") for function in (1, 2, 3, 4)},
    **{("response", function): ("bits",) for function in (1, 2)},
    **{("response", function): ("registers",) for function in (3, 4)},
    ("request", 5): ("address", "bits"),
    ("request", 6): ("address", "registers"),
    ("request", 15): ("address", "count", "bits"),
    ("response", 15): ("address", "count"),
    ("request", 16): ("address", "count", "registers"),
    ("response", 16): ("address", "count"),
}
"""The fields of the functions that read and write; other functions keep their octets."""

FUNCTION_WORDS: Mapping[int, Text] = {
    0x01: Text("read coils", "读线圈"),
    0x02: Text("read discrete inputs", "读离散输入"),
    0x03: Text("read holding registers", "读保持寄存器"),
    0x04: Text("read input registers", "读输入寄存器"),
    0x05: Text("write one coil", "写单个线圈"),
    0x06: Text("write one register", "写单个寄存器"),
    0x0F: Text("write coils", "写多个线圈"),
    0x10: Text("write registers", "写多个寄存器"),
}

EXCEPTION_WORDS: Mapping[int, Text] = {
    1: Text("illegal function", "非法功能"),
    2: Text("illegal data address", "非法数据地址"),
    3: Text("illegal data value", "非法数据值"),
    4: Text("device failure", "从站设备故障"),
    5: Text("acknowledge, still working", "确认，处理中"),
    6: Text("device busy", "从站设备忙"),
    8: Text("memory parity error", "存储奇偶性差错"),
    10: Text("gateway path unavailable", "网关路径不可用"),
    11: Text("gateway target does not answer", "网关目标设备无响应"),
}


@cache
def _decoders() -> Mapping[str, DecodePDU]:
    return {"request": DecodePDU(is_server=True), "response": DecodePDU(is_server=False)}


def parse(frame: Frame) -> ModbusPDU | None:
    """The frame as pymodbus sees it; None where it has no fields, or ones that cannot be."""
    kind = frame.kind
    if (kind, frame.function) not in _FIELDS:
        return None
    pdu = _pdu_class(kind, frame.function)()
    try:
        pdu.decode(frame.data)
    except (ModbusException, ValueError, IndexError, struct.error):
        return None
    return pdu


def _pdu_class(kind: str, function: int) -> type[ModbusPDU]:
    found = _decoders()[kind].lookupPduClass(bytes((0, function)))
    assert found is not None  # `_FIELDS` has functions of pymodbus only
    return found


def fields(frame: Frame) -> dict[str, Any]:
    """The fields of `frame`: ``address``, ``count``, ``registers`` (integers), ``bits``, ``exception_code``."""
    kind = frame.kind
    if kind == "exception":
        return {"exception_code": frame.data[0]}
    pdu = parse(frame)
    return {} if pdu is None else {name: getattr(pdu, name) for name in _FIELDS[kind, frame.function]}


def build(unit: int, kind: Kind, function: int, values: Mapping[str, Any]) -> Frame:
    """The frame with these `fields`; `count` follows from registers or bits where there are any.

    Raises
    ------
    EncodeError
        If a field is missing or out of range, or the function has none.
    """
    if kind == "exception":
        refusal = ExceptionResponse(function, _wanted(values, "exception_code"))
        return Frame(unit, function | EXCEPTION, _octets(refusal, function))
    names = _FIELDS.get((kind, function))
    if names is None:
        raise EncodeError(f"a {kind} of function {function} has no fields; give its data")
    given = {name: _wanted(values, name) for name in names if name != "count" or len(names) == 2}
    pdu = _pdu_class(kind, function)(**given)
    return Frame(unit, function, _octets(pdu, function))


def _wanted(values: Mapping[str, Any], name: str) -> Any:
    if name not in values:
        raise EncodeError(f"{name} is missing")
    return values[name]


def _octets(pdu: ModbusPDU, function: int) -> bytes:
    try:
        return pdu.encode()
    except (ModbusException, ValueError, IndexError, struct.error) as error:
        raise EncodeError(f"function {function} cannot be written: {error}") from None


def read_request(unit: int, address: int, count: int, *, function: int = 3) -> Frame:
    """Ask for `count` registers from `address` (function 03 or 04).

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    return build(unit, "request", function, {"address": address, "count": count})


def write_request(unit: int, address: int, registers: Sequence[int]) -> Frame:
    """Set registers from `address` (function 10H).

    Raises
    ------
    EncodeError
        If a field is out of range.
    """
    return build(unit, "request", 16, {"address": address, "registers": list(registers)})


def read_reply(request: Frame, registers: Sequence[int]) -> Frame:
    """The good answer to a read of registers."""
    return build(request.unit, "response", request.function, {"registers": list(registers)})
