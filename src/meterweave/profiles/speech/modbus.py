"""Modbus: values in registers, gathered into few reads; orders as writes. Requests and answers go through pymodbus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from meterweave.errors import ConfigError, DecodeError, EncodeError
from meterweave.profiles.section import Section, integer
from meterweave.profiles.speech.base import (
    BROKEN,
    NOT_THIS_DEVICE,
    Access,
    Cell,
    Context,
    Heard,
    Holder,
    Order,
    Part,
    Purpose,
    Request,
    Settings,
    Speech,
    refusal,
)
from meterweave.profiles.speech.part import fitting_part, one_of_value_constant
from meterweave.profiles.speech.register import (
    SIMULATED_POWER,
    RegisterCell,
    end_register,
    first_register,
    gathered,
    register_word,
)
from meterweave.profiles.speech.rtu_stream import AnswerDecoder, QuestionDecoder
from meterweave.protocols import modbus
from meterweave.protocols.modbus.pdu import EXCEPTION_WORDS, build, fields
from meterweave.protocols.modbus.rtu import UNIT_MAX, Frame
from meterweave.protocols.modbus.rtu import decode as decode_rtu
from meterweave.protocols.modbus.words import Float, Number
from meterweave.protocols.stream import FrameDecoder
from meterweave.text import Text

REGISTER_MAX = 0xFFFF
READS: Mapping[str, int] = {"holding": 3, "input": 4}
WRITE_COIL, WRITE_ONE, WRITE_MANY = 5, 6, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE = 1, 2, 3


class Target(NamedTuple):
    """Where an order writes."""

    function: int
    register: int


class ModbusSpeech(Speech):
    """Modbus RTU frames; a TCP link puts them into its own envelope."""

    codec = modbus.CODEC

    def answers(self, request: Request) -> FrameDecoder:
        return AnswerDecoder(decode_rtu(request.octets))

    def questions(self) -> FrameDecoder:
        return QuestionDecoder()

    def address(self, text: str, settings: Settings) -> str:
        unit = integer(text)
        if unit is None or not 1 <= unit <= UNIT_MAX:
            raise ConfigError(f"address {text!r} is no Modbus unit, 1 to {UNIT_MAX}")
        return str(unit)

    def key(self, address: str) -> int:
        return int(address)

    # Checking ---------------------------------------------------------------------------------------------------------

    def cell(self, section: Section, context: Context) -> Cell | None:
        if "register" not in section or "type" not in section:
            return None
        word = register_word(section.get("type"), section.get("order", "ABCD"))
        if word.size == 1 and "order" in section.places:
            context.mistakes.add(section.at("order"), "half a register has no order", "半个寄存器没有字节序")
            return None
        if context.word and not (hasattr(word, "signed") and not word.signed):
            context.mistakes.add(
                section.at("type"),
                "a word of bits is u16, u32, u64, high8 or low8",
                "状态字类型应为u16、u32、u64、high8或low8",
            )
            return None
        unit = "" if context.word else section.get("unit", "")
        if not context.word and "unit" not in section.places:
            context.mistakes.add(
                section.place,
                "unit is missing: registers do not tell theirs",
                "缺少unit：寄存器本身不带单位",
                Text("add unit: kWh or whatever the manual says", "按手册填写，如unit: kWh"),
            )
        register = self._register(section, "register", context)
        scale_register = self._register(section, "scale_register", context) if "scale_register" in section else None
        if register is None or (scale_register is None and "scale_register" in section):
            return None
        function, factor = READS[section.get("table", "holding")], section.get("scale", Fraction(1))
        cell = RegisterCell(factor, unit, function, register, word, section.get("missing"), scale_register)
        if register + cell.count - 1 > REGISTER_MAX:
            context.mistakes.add(
                section.at("register"),
                f"the value ends behind register {REGISTER_MAX}",
                f"数值超出寄存器{REGISTER_MAX}",
            )
            return None
        span, most = end_register(cell) - first_register(cell), context.settings.registers_max
        if span > most:
            context.mistakes.add(
                section.place,
                f"the value needs {span} registers in one request, which has at most {most}",
                f"该值需一次读取{span}个寄存器，而每次最多{most}个",
                Text(
                    "make polling: registers_max larger, or scale_register nearer",
                    "增大registers_max，或改用更近的scale_register",
                ),
            )
            return None
        if cell.missing is not None and cell.missing >> 8 * word.size:
            context.mistakes.add(
                section.at("missing"), f"missing does not fit {word.size} octets", f"missing超出{word.size}字节"
            )
            return None
        return cell

    def _register(self, section: Section, name: str, context: Context) -> int | None:
        register: int = section.get(name) + context.settings.base
        if 0 <= register <= REGISTER_MAX:
            return register
        base = context.settings.base
        more = f" ({section.get(name)} with base {base})" if base else ""
        context.mistakes.add(
            section.at(name),
            f"{name} {register}{more} is not 0 to {REGISTER_MAX}",
            f"{name} {register}{more}不在0至{REGISTER_MAX}之间",
        )
        return None

    def overlaps(self, cells: Sequence[Cell]) -> list[tuple[int, int]]:
        claimed = {one: index for index, cell in enumerate(cells) for one in cell.claims}
        found = super().overlaps(cells)
        for index, cell in enumerate(cells):
            if isinstance(cell, RegisterCell) and cell.scale_register is not None:
                other = claimed.get((cell.function, 2 * cell.scale_register))
                found += [] if other is None else [(min(index, other), max(index, other))]
        return found

    def order(self, name: str, section: Section, context: Context) -> Order | None:
        if "register" not in section:
            return None
        register = self._register(section, "register", context)
        function = section.get("function", WRITE_MANY)
        if function not in (WRITE_COIL, WRITE_ONE, WRITE_MANY):
            context.mistakes.add(
                section.at("function"),
                f"function {function} does not write",
                f"功能码{function}不是写功能",
                Text("wanted 16, 6 or 5", "应为16、6或5"),
            )
            return None
        values, parts = section.get("values", []), section.get("parts", [])
        if bool(values) == bool(parts):
            context.mistakes.add(
                section.place, f"{name} wants either values or parts", f"{name}应有values或parts其中之一"
            )
            return None
        word = register_word("u16", "ABCD")
        made = [Part(RegisterCell(Fraction(1), "", WRITE_MANY, 0, word), constant=value or 0) for value in values]
        made += [part for one in parts if (part := self._part(one, context)) is not None]
        if function != WRITE_MANY and sum(part.cell.count for part in made if isinstance(part.cell, RegisterCell)) != 1:
            context.mistakes.add(section.place, f"function {function} writes one value", f"功能码{function}只写一个值")
            return None
        if register is None or len(made) != len(values) + len(parts):
            return None
        return Order(name, section.get("proven", False), Target(function, register), parts=tuple(made))

    def _part(self, section: Section, context: Context) -> Part | None:
        if "type" not in section or not one_of_value_constant(section, context):
            return None
        word = register_word(section.get("type"), section.get("order", "ABCD"))
        if isinstance(word, Float) or word.size % 2:
            context.mistakes.add(
                section.at("type"),
                "an order is written in whole registers of integers",
                "写命令只支持整数类型的完整寄存器",
            )
            return None
        cell = RegisterCell(section.get("scale", Fraction(1)), "", WRITE_MANY, 0, word)
        return fitting_part(section, cell, context)

    # Asking -----------------------------------------------------------------------------------------------------------

    def requests(self, address: str, cells: Sequence[Cell], settings: Settings) -> list[Request]:
        found = []
        for function, first, count, members in gathered(cells, settings):
            frame = modbus.read_request(int(address), first, count, function=function)
            found.append(Request(modbus.encode(frame), address, tuple(members)))
        return found

    def hear(self, request: Request, reply: bytes, settings: Settings) -> Heard:
        try:
            asked, said = decode_rtu(request.octets), decode_rtu(reply)
        except DecodeError:
            return Heard(problem=BROKEN)
        if said.unit != asked.unit or said.function & 0x7F != asked.function:
            return NOT_THIS_DEVICE
        if said.kind == "exception":
            words = EXCEPTION_WORDS.get(said.data[0], Text(f"exception {said.data[0]}", f"异常码{said.data[0]}"))
            return refusal(f"the device refuses: {words.en}", f"设备拒绝：{words.zh}")
        if request.purpose is Purpose.ORDER:
            whole = asked.data[:4] if asked.function == WRITE_MANY else asked.data
            return Heard() if said.data == whole else NOT_THIS_DEVICE
        if not _fits(said, asked):
            return NOT_THIS_DEVICE
        first = int.from_bytes(asked.data[:2], "big")
        words16 = said.data[1:]
        registers = {first + at: int.from_bytes(words16[2 * at : 2 * at + 2], "big") for at in range(len(words16) // 2)}
        return Heard({cell: cell.read(registers) for cell in request.cells if isinstance(cell, RegisterCell)})

    def send(
        self, order: Order, address: str, numbers: Sequence[int], access: Access, until: datetime, settings: Settings
    ) -> Request:
        function, register = order.target
        octets = b"".join(
            part.cell.write(number)
            for part, number in zip(order.parts, numbers, strict=True)
            if isinstance(part.cell, RegisterCell)
        )
        registers = [int.from_bytes(octets[at : at + 2], "big") for at in range(0, len(octets), 2)]
        if function == WRITE_COIL:
            frame = build(int(address), "request", function, {"address": register, "bits": [bool(registers[0])]})
        else:
            frame = build(int(address), "request", function, {"address": register, "registers": registers})
        return Request(modbus.encode(frame), address, (), Purpose.ORDER, order.name)

    # Answering --------------------------------------------------------------------------------------------------------

    def serve(self, device: Holder, frame: bytes) -> bytes:
        try:
            asked = decode_rtu(frame)
        except DecodeError:
            return b""
        if str(asked.unit) != device.address or asked.function & 0x80:
            return b""
        try:
            said = self._reply(device, asked)
        except (EncodeError, KeyError):
            said = _exception(asked, ILLEGAL_VALUE)
        return modbus.encode(said)

    def _reply(self, device: Holder, asked: Frame) -> Frame:
        said = fields(asked)
        if asked.function in READS.values() and "count" in said:
            memory = _memory(device, asked.function)
            wanted = range(said["address"], said["address"] + said["count"])
            if not 0 < said["count"] <= device.settings.registers_max or not all(one in memory for one in wanted):
                return _exception(asked, ILLEGAL_ADDRESS)
            return modbus.read_reply(asked, [memory[one] for one in wanted])
        for order in device.orders:
            numbers = _obeyed(order, asked)
            if numbers is not None:
                device.obey(order.name, numbers)
                echo = asked.data[:4]
                return Frame(asked.unit, asked.function, echo)
        writes = asked.function in (WRITE_COIL, WRITE_ONE, WRITE_MANY)
        return _exception(asked, ILLEGAL_ADDRESS if writes else ILLEGAL_FUNCTION)


def _exception(asked: Frame, code: int) -> Frame:
    return build(asked.unit, "exception", asked.function, {"exception_code": code})


def _fits(said: Frame, asked: Frame) -> bool:
    return len(said.data) == 1 + 2 * int.from_bytes(asked.data[2:4], "big") and said.data[0] == len(said.data) - 1


def _memory(device: Holder, function: int) -> dict[int, int]:
    """The registers of a simulated device: its values, and zeros in the gaps that may be read along."""
    octets: dict[int, int] = {}
    gaps: dict[int, int] = {}
    for _, first, count, members in gathered([one for one in device.cells if _of(one, function)], device.settings):
        gaps.update(dict.fromkeys(range(first, first + count), 0))
        for cell in members:
            assert isinstance(cell, RegisterCell)
            own = cell.write(device.number(cell))[cell.word.first :][: cell.word.size]
            octets.update(zip(cell.octets, own, strict=True))
            if cell.scale_register is not None:
                power = SIMULATED_POWER.to_bytes(2, "big", signed=True)
                octets.update({2 * cell.scale_register: power[0], 2 * cell.scale_register + 1: power[1]})
    return {one: octets.get(2 * one, 0) << 8 | octets.get(2 * one + 1, 0) for one in gaps}


def _of(cell: Cell, function: int) -> bool:
    return isinstance(cell, RegisterCell) and cell.function == function


def _obeyed(order: Order, asked: Frame) -> list[int] | None:
    """The numbers of the order's parts where `asked` gives it; None where it is something else."""
    function, register = order.target
    said = fields(asked)
    if asked.function != function or said.get("address") != register:
        return None
    registers = [int(said["bits"][0])] if function == WRITE_COIL else list(said["registers"])
    octets = b"".join(one.to_bytes(2, "big") for one in registers)
    numbers, at = [], 0
    for part in order.parts:
        word = part.cell.word if isinstance(part.cell, RegisterCell) else register_word("u16", "ABCD")
        assert isinstance(word, Number)
        number = word.number(octets[at : at + word.size]) if at + word.size <= len(octets) else None
        if number is None or (not part.value and number != part.constant):
            return None
        numbers.append(int(number))
        at += word.size
    return numbers if at == len(octets) else None
