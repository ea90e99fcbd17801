"""Cells of more than one value or of a length they say themselves: answers by unit, events, text, forwarded frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meterweave.errors import EncodeError
from meterweave.protocols.explain import Field
from meterweave.protocols.gdw1376.part1.designator import da_of, dt_of, items_of, points_of
from meterweave.protocols.gdw1376.part1.events import event_name
from meterweave.protocols.gdw1376.part1.formats import Characters, Entry, Format, Taker
from meterweave.protocols.gdw1376.part1.forwarding import inner_fields, inner_json
from meterweave.protocols.gdw1376.part1.moments import Moment
from meterweave.text import Text

ERRORS: Mapping[int, Text] = {
    0: Text("done", "正确"),
    1: Text("other error", "其他错误"),
    2: Text("address unknown", "表地址不存在"),
}
"""ERR of a confirmation by unit (AFN 00H F3)."""


def designation(octets: bytes) -> dict[str, Any]:
    """DA DT as people read them: ``{"pn": […], "fn": […]}``."""
    da, dt = int.from_bytes(octets[:2], "little"), int.from_bytes(octets[2:4], "little")
    return {"pn": list(points_of(da)), "fn": list(items_of(dt))}


def pack_designation(where: Mapping[str, Any], name: str) -> bytes:
    """DA DT of ``{"pn": […], "fn": […]}``; ``da`` and ``dt``, given raw, win. Raises EncodeError."""
    try:
        da = bytes.fromhex(where["da"]) if "da" in where else da_of(where["pn"]).to_bytes(2, "little")
        dt = bytes.fromhex(where["dt"]) if "dt" in where else dt_of(where["fn"]).to_bytes(2, "little")
    except (ValueError, TypeError, KeyError) as error:
        raise EncodeError(f"{name} does not say which pn and fn: {error!r}") from error
    if len(da) != 2 or len(dt) != 2:
        raise EncodeError(f"{name} has da {da.hex()} and dt {dt.hex()}, wanted two octets each")
    return da + dt


def raw_designation(octets: bytes) -> dict[str, Any]:
    """``da`` and ``dt`` raw, where ``pn`` and ``fn`` name nothing and so would not bring them back."""
    try:
        pack_designation(designation(octets), "")
    except EncodeError:
        return {"da": octets[:2].hex(), "dt": octets[2:4].hex()}
    return {}


def _called(octets: bytes) -> str:
    where = designation(octets)
    return " ".join((*(f"p{point}" for point in where["pn"]), *(f"F{fn}" for fn in where["fn"])))


@dataclass(frozen=True, slots=True)
class Designation(Format):
    """DA and DT as a value: which item of which point a task reports (AFN 04H F65 and F66)."""

    size: int = 4

    def entry(self, name: str, unit: str, octets: bytes) -> Entry:
        return {"name": name, "value": octets.hex(), "unit": unit} | designation(octets)

    def meaning(self, octets: bytes) -> Text | None:
        return Text(*2 * (_called(octets),))


@dataclass(frozen=True, slots=True)
class Confirmation(Format):
    """AFN 00H F3: the AFN that is answered, then DA, DT and ERR of each of its units, to the end of the data."""

    def measure(self, octets: bytes, at: int) -> int:
        return 1 + max(0, len(octets) - at - 1) // 5 * 5

    def entry(self, name: str, unit: str, octets: bytes) -> Entry:
        units = []
        for at in range(1, len(octets), 5):
            where, error = octets[at : at + 4], octets[at + 4]
            units.append(designation(where) | raw_designation(where) | {"error_code": error})
        return {"name": name, "value": f"0x{octets[0]:02X}", "unit": unit, "units": units}

    def build_value(self, name: str, entry: Mapping[str, Any]) -> bytes:
        try:
            octets = bytes((int(entry["value"], 16),))
            for unit in entry["units"]:
                octets += pack_designation(unit, f"{name}.units") + bytes((unit["error_code"],))
        except (ValueError, TypeError, KeyError) as error:
            raise EncodeError(f"{name} does not say afn, units and error_code of each: {error!r}") from error
        return octets

    def text(self, octets: bytes) -> str | None:
        return f"0x{octets[0]:02X}"

    def parts(self, octets: bytes) -> tuple[Field, ...]:
        fields = [Field(Text("answered AFN", "被确认报文的AFN"), octets[:1], f"{octets[0]:02X}H")]
        for at in range(1, len(octets), 5):
            where, error = octets[at : at + 4], octets[at + 4]
            fields.append(Field(Text("unit", "数据单元标识"), where, _called(where)))
            words = ERRORS.get(error) or Text(f"error {error}", f"错误{error}")
            fields.append(Field(Text("error ERR", "错误码ERR"), bytes((error,)), str(error), meaning=words))
        return tuple(fields)


_EVENT_TIME = Moment(size=5, order="mhDMY", template="20{Y}-{M}-{D}T{h}:{m}")


def _records(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(octets):
        end = at + 2 + octets[at + 1]
        yield octets[at], octets[at + 2 : end]
        at = end


@dataclass(frozen=True, slots=True)
class Events(Format):
    """AFN 0EH: as many records ERC, Le and Le octets as the two counters Pm and Pn right before them say."""

    def measure(self, octets: bytes, at: int) -> int:
        end = at
        for _ in range(octets[at - 1] - octets[at - 2] & 0xFF):
            after = end + 2 + octets[end + 1] if end + 2 <= len(octets) else len(octets) + 1
            if after > len(octets):
                break
            end = after
        return end - at

    def entries(self, name: str, unit: str, octets: bytes) -> list[Entry]:
        records = enumerate(_records(octets))
        return [self._record(f"{name}[{index}]", unit, erc, record) for index, (erc, record) in records]

    def text(self, octets: bytes) -> str | None:
        return " ".join(f"ERC{erc}" for erc, _ in _records(octets))

    def parts(self, octets: bytes) -> tuple[Field, ...]:
        return tuple(self._field(erc, record) for erc, record in _records(octets))

    @staticmethod
    def _field(erc: int, record: bytes) -> Field:
        time = _EVENT_TIME.text(record[:5]) if len(record) >= 5 else None
        told = 0 if time is None else 5
        parts = [
            Field(Text("event code ERC", "事件代码ERC"), bytes((erc,)), str(erc), meaning=event_name(erc)),
            Field(Text("length Le", "长度Le"), bytes((len(record),)), str(len(record))),
            Field(Text("time", "发生时间"), record[:told], time or ""),
            Field(Text("content", "事件内容"), record[told:], record[told:].hex(" ").upper()),
        ]
        octets = bytes((erc, len(record))) + record
        kept = tuple(part for part in parts if part.octets)
        return Field(Text("event", "事件记录"), octets, f"ERC{erc}", meaning=event_name(erc), parts=kept)

    @staticmethod
    def _record(name: str, unit: str, erc: int, record: bytes) -> Entry:
        entry: Entry = {"name": name, "value": f"ERC{erc}", "unit": unit, "length": len(record)}
        time = _EVENT_TIME.text(record[:5]) if len(record) >= 5 else None
        if time is not None:
            entry["time"] = time
            record = record[5:]
        return entry | {"data": record.hex(), "event": event_name(erc).en}

    def build(self, name: str, take: Taker) -> bytes:
        octets, index = b"", 0
        while take.has(here := f"{name}[{index}]"):
            octets += self._pack(here, take(here))
            index += 1
        return octets

    @staticmethod
    def _pack(name: str, entry: Mapping[str, Any]) -> bytes:
        try:
            erc = int(str(entry["value"]).removeprefix("ERC"))
            record = (_EVENT_TIME.pack(entry["time"]) if "time" in entry else b"") + bytes.fromhex(entry["data"])
            return bytes((erc, len(record))) + record
        except (ValueError, TypeError, KeyError) as error:
            raise EncodeError(f"{name} is no event record of code, time and data: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Counted(Characters):
    """Octets behind their own number, `width` octets of it; as text, or in hexadecimal without an encoding."""

    width: int = 1

    def measure(self, octets: bytes, at: int) -> int:
        head = octets[at : at + self.width]
        return self.width + int.from_bytes(head, "little")

    def text(self, octets: bytes) -> str | None:
        content = octets[self.width :]
        try:
            return content.decode(self.encoding) if self.encoding else content.hex()
        except UnicodeDecodeError:
            return None

    def parts(self, octets: bytes) -> tuple[Field, ...]:
        length, content = octets[: self.width], octets[self.width :]
        fields = self.content(content) if content else ()
        return (Field(Text("length", "长度"), length, str(len(content))), *fields)

    def content(self, octets: bytes) -> tuple[Field, ...]:
        """What stands behind the length."""
        return (Field(Text("content", "内容"), octets, octets.hex(" ").upper()),)

    def pack(self, text: str) -> bytes:
        content = text.encode(self.encoding) if self.encoding else bytes.fromhex(text)
        return len(content).to_bytes(self.width, "little") + content


@dataclass(frozen=True, slots=True)
class Forwarded(Counted):
    """AFN 10H F1: a meter's frame, with what its own protocol makes of it under ``inner``."""

    encoding: str = ""
    width: int = 2

    def entry(self, name: str, unit: str, octets: bytes) -> Entry:
        content = octets[self.width :]
        inner = inner_json(content)
        return {"name": name, "value": content.hex(), "unit": unit} | ({"inner": inner} if inner else {})

    def content(self, octets: bytes) -> tuple[Field, ...]:
        return inner_fields(octets)
