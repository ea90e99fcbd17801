"""Records and answers from names and values: what a simulated slave says, and what a master writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache

from meterweave.errors import EncodeError
from meterweave.protocols.mbus.frame import DATA_MAX
from meterweave.protocols.mbus.head import EXTENSIONS_MAX, FUNCTIONS, MORE, VARIABLE, encode_text
from meterweave.protocols.mbus.header import HEADER_SIZE, Header
from meterweave.protocols.mbus.items import PRIMARY, TEXT_UNIT, Format, items
from meterweave.protocols.mbus.message import VARIABLE_DATA, Long, VariableData
from meterweave.protocols.mbus.record import LAST, MORE_FOLLOW, Record, Records, encode_records, make_record
from meterweave.protocols.mbus.value import Value, value_text
from meterweave.protocols.mbus.words import RSP_UD

_EXTENSION_CODES = {"FB": b"\xfb", "FD": b"\xfd"}
_TEXT_MAX = 0xBF  # characters behind one LVAR

_CODINGS: dict[Format, tuple[int, ...]] = {
    Format.NUMBER: (0x04, 0x07),
    Format.BITS: (0x01, 0x02, 0x04, 0x07),
    Format.TEXT: (0x0C, 0x0E, VARIABLE),
    Format.DATE: (0x02, 0x04, 0x06),
    Format.DATETIME: (0x04, 0x06, 0x03, 0x02),
}
"""The low four bits of the DIF to try, in order; numbers get no short integers, so that layouts stay as they are."""
_MISSING_NUMBER = 0x0C  # BCD has a sign for a missing value, integers have none


def build_record(
    quantity: str,
    value: str | int | Decimal | Value,
    *,
    unit: str | None = None,
    function: str = "instantaneous",
    storage: int = 0,
    tariff: int = 0,
    subunit: int = 0,
    vife: bytes = b"",
    dif: int | None = None,
) -> Record:
    """A record of `quantity`, by the name it has in JSON.

    The VIF is the one of the unit whose decimals are those of `value`, or the nearest that holds it; a number becomes
    a 32-bit integer, where it fits one.

    Parameters
    ----------
    unit : str or None
        As in JSON; None takes the first unit that the tables have for `quantity`. For ``text_unit`` any text.
    vife : bytes
        Put behind the VIF; their extension bits are set as needed.
    dif : int or None
        The low four bits of the DIF; None chooses.

    Raises
    ------
    EncodeError
        If there is no such quantity, or nothing that carries it holds `value`.
    """
    if function not in FUNCTIONS:
        raise EncodeError(f"function is {function!r}, wanted one of {', '.join(FUNCTIONS)}")
    block = _data_information(FUNCTIONS.index(function), storage, tariff, subunit)
    text = value_text(value)
    refused = EncodeError(f"quantity {quantity!r} with unit {unit!r} has no VIF")
    for form, information in _value_informations(quantity, unit, text, vife):
        for code, lvar in _codings(form, text, dif):
            try:
                return make_record(bytes([block[0] | code]) + block[1:] + information + lvar, text)
            except EncodeError as error:
                refused = error
    raise refused


def build_answer(
    header: Header,
    records: Sequence[Record],
    *,
    address: int = 0,
    manufacturer_data: bytes | None = None,
    control: int = RSP_UD,
) -> list[Long]:
    """The telegrams with which a slave answers REQ_UD2; all but the last say that more follow.

    Raises
    ------
    EncodeError
        If one record alone, or the manufacturer data alone, is longer than a telegram.
    """
    tail = b"" if manufacturer_data is None else bytes([LAST]) + manufacturer_data
    pages: list[list[Record]] = [[]]
    room = DATA_MAX - HEADER_SIZE
    used = 0
    for record in records:
        size = len(encode_records(Records((record,))))
        if used + size > room - 1:  # the octet kept free is for DIF 1FH
            pages.append([])
            used = 0
        pages[-1].append(record)
        used += size
    if used + len(tail) > room:
        pages.append([])
    bodies = [
        VariableData(header, Records(tuple(page), 0, bytes([MORE_FOLLOW]) if page is not pages[-1] else tail))
        for page in pages
    ]
    for body in bodies:
        if len(encode_records(body.records)) > room:
            raise EncodeError(f"a record or manufacturer data is longer than the {room} octets of a telegram")
    return [Long(control, address, VARIABLE_DATA, body) for body in bodies]


def _data_information(function: int, storage: int, tariff: int, subunit: int) -> bytes:
    """DIF, its coding left 0, and as many DIFE as the numbers need."""
    if min(storage, tariff, subunit) < 0:
        raise EncodeError("storage, tariff and subunit are not negative")
    octets = [function << 4 | (storage & 1) << 6]
    storage >>= 1
    while storage or tariff or subunit:
        octets[-1] |= MORE
        octets.append((subunit & 1) << 6 | (tariff & 3) << 4 | storage & 0x0F)
        storage, tariff, subunit = storage >> 4, tariff >> 2, subunit >> 1
    if len(octets) - 1 > EXTENSIONS_MAX:
        raise EncodeError(f"storage, tariff or subunit needs {len(octets) - 1} DIFE, wanted at most {EXTENSIONS_MAX}")
    return bytes(octets)


def _value_informations(
    quantity: str, unit: str | None, text: str | None, vife: bytes
) -> Iterator[tuple[Format, bytes]]:
    """VIF and VIFE of all ways to send `quantity`, the best first."""
    if quantity == "text_unit":
        yield Format.NUMBER, _extended(bytes([TEXT_UNIT]), vife, _unit_text(unit or ""))
        return
    wanted = -_decimals(text)
    found = [row for row in _by_name().get(quantity, ()) if unit in (None, row[1])]
    same_unit = [row for row in found if row[1] == found[0][1]]
    for _, _, form, code in sorted(same_unit, key=lambda row: (row[0] > wanted, abs(row[0] - wanted))):
        yield form, _extended(code, vife)


def _unit_text(unit: str) -> bytes:
    try:
        octets = encode_text(unit)
        return bytes([len(octets)]) + octets
    except ValueError as error:
        raise EncodeError(f"unit {unit!r} is not up to 255 characters of ISO 8859-1") from error


def _extended(code: bytes, vife: bytes, words: bytes = b"") -> bytes:
    """`code`, the text of its unit and the VIFE, with extension bits where another VIFE follows."""
    chain = bytes([code[-1]]) + vife
    marked = bytes(octet | MORE for octet in chain[:-1]) + bytes([chain[-1] & ~MORE])
    return code[:-1] + marked[:1] + words + marked[1:]


@cache
def _by_name() -> dict[str, list[tuple[int, str, Format, bytes]]]:
    """Exponent, unit, format and VIF of all items, by name, in the order of the tables."""
    found: dict[str, list[tuple[int, str, Format, bytes]]] = {}
    for (table, code), item in items().items():
        octets = bytes([code]) if table == PRIMARY else _EXTENSION_CODES[table] + bytes([code])
        found.setdefault(item.name, []).append((item.exponent, item.unit, item.format, octets))
    return found


def _codings(form: Format, text: str | None, dif: int | None) -> Iterator[tuple[int, bytes]]:
    """The low four bits of the DIF to try, with the LVAR they need."""
    if dif is not None:
        codes: Sequence[int] = (dif,)
    elif text is None and form in (Format.NUMBER, Format.BITS):
        codes = (_MISSING_NUMBER,)
    elif form is Format.NUMBER and not _is_number(text or ""):
        codes = (VARIABLE,)
    else:
        codes = _CODINGS[form]
    for code in codes:
        if code != VARIABLE:
            yield code & 0x0F, b""
        elif len(text or "") <= _TEXT_MAX:
            yield code, bytes([len(text or "")])


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _decimals(text: str | None) -> int:
    return len((text or "").partition(".")[2])
