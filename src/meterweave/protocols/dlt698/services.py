"""All services in one table, and what is done with any of them: decode, encode, JSON, explanation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meterweave.errors import KINDS, DecodeError, EncodeError
from meterweave.protocols.dlt698 import access, association, get, proxy, security
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.cursor import Reader, Writer
from meterweave.protocols.dlt698.given import integer, mapping, naming, sequence
from meterweave.protocols.dlt698.names import SERVICE_NAMES, field_name
from meterweave.protocols.dlt698.wire import Members
from meterweave.protocols.explain import Field
from meterweave.text import Text

SERVICES: tuple[type[Apdu], ...] = (
    association.LinkRequest,
    association.LinkResponse,
    association.ConnectRequest,
    association.ConnectResponse,
    association.ReleaseRequest,
    association.ReleaseResponse,
    association.ReleaseNotification,
    association.ClientErrorResponse,
    association.ErrorResponse,
    get.GetRequestNormal,
    get.GetRequestNormalList,
    get.GetRequestRecord,
    get.GetRequestRecordList,
    get.GetRequestNext,
    get.GetRequestMD5,
    get.GetResponseNormal,
    get.GetResponseNormalList,
    get.GetResponseRecord,
    get.GetResponseRecordList,
    get.GetResponseNext,
    get.GetResponseMD5,
    access.SetRequestNormal,
    access.SetRequestNormalList,
    access.SetThenGetRequestNormalList,
    access.SetResponseNormal,
    access.SetResponseNormalList,
    access.SetThenGetResponseNormalList,
    access.ActionRequest,
    access.ActionRequestList,
    access.ActionThenGetRequestNormalList,
    access.ActionResponseNormal,
    access.ActionResponseNormalList,
    access.ActionThenGetResponseNormalList,
    access.ReportNotificationList,
    access.ReportNotificationRecordList,
    access.ReportNotificationTransData,
    access.ReportResponseList,
    access.ReportResponseRecordList,
    access.ReportResponseTransData,
    proxy.ProxyGetRequestList,
    proxy.ProxyGetRequestRecord,
    proxy.ProxySetRequestList,
    proxy.ProxySetThenGetRequestList,
    proxy.ProxyActionRequestList,
    proxy.ProxyActionThenGetRequestList,
    proxy.ProxyTransCommandRequest,
    proxy.ProxyGetResponseList,
    proxy.ProxyGetResponseRecord,
    proxy.ProxySetResponseList,
    proxy.ProxySetThenGetResponseList,
    proxy.ProxyActionResponseList,
    proxy.ProxyActionThenGetResponseList,
    proxy.ProxyTransCommandResponse,
    security.SecurityRequestPlain,
    security.SecurityRequestCipher,
    security.SecurityResponsePlain,
    security.SecurityResponseCipher,
    security.SecurityResponseFailed,
)

_ALONE = {kind.TAG: Members(kind) for kind in SERVICES if kind.CHOICE is None}
_CHOICES = {(kind.TAG, kind.CHOICE): Members(kind) for kind in SERVICES if kind.CHOICE is not None}
_BY_TYPE = {members.kind: members for members in (*_ALONE.values(), *_CHOICES.values())}
TAGS = frozenset(kind.TAG for kind in SERVICES)


def decode_apdu(octets: bytes, base: int = 0) -> Apdu:
    """One whole APDU.

    Parameters
    ----------
    octets : bytes
        The APDU, nothing after it.
    base : int
        Where it begins in its frame, for the offsets in errors. [octets]

    Raises
    ------
    DecodeError
        ``apdu_truncated``, ``apdu_trailing``, ``unknown_apdu``, ``bad_choice``, ``bad_data_tag``,
        ``bad_axdr_length`` or ``too_deep``.
    """
    reader = Reader(octets, base)
    apdu: Apdu = _members(reader).read(reader)
    _check_end(reader)
    if reader.wide:
        object.__setattr__(apdu, "wide_lengths", tuple(reader.wide))  # nobody has seen the object yet
    return apdu


def _members(reader: Reader) -> Members[Any]:
    """The fields of the service that the next octet or two name."""
    tag = reader.octet()
    alone = _ALONE.get(tag)
    if alone:
        return alone
    if tag not in TAGS:
        raise reader.fault("unknown_apdu", f"no APDU has tag {tag:02X}H", 0)
    choice = reader.octet()
    members = _CHOICES.get((tag, choice))
    if members is None:
        raise reader.fault("bad_choice", f"the service {tag:02X}H has no choice {choice}", 1)
    return members


def _check_end(reader: Reader) -> None:
    if reader.at != reader.end:
        raise reader.fault("apdu_trailing", f"{reader.end - reader.at} octets follow the end of the APDU", reader.at)


def encode_apdu(apdu: Apdu) -> bytes:
    """`decode_apdu` undone.

    Raises
    ------
    EncodeError
        If a field cannot be put into octets; the text names it.
    """
    members = _BY_TYPE.get(type(apdu))
    if members is None:
        raise EncodeError(f"{apdu!r} is no service")
    writer = Writer(apdu.wide_lengths)
    writer.octets.append(apdu.TAG)
    if apdu.CHOICE is not None:
        writer.octets.append(apdu.CHOICE)
    try:
        members.write(writer, apdu)
    except (AttributeError, TypeError, ValueError) as error:
        raise EncodeError(f"{apdu.TITLE.en}: a value is of a kind that does not belong there: {error}") from error
    if writer.wide:
        raise EncodeError(f"wide_lengths: no length stands at offset {min(writer.wide)}")
    return bytes(writer.octets)


def apdu_json(apdu: Apdu) -> dict[str, Any]:
    """An APDU as a JSON-ready object."""
    found: dict[str, Any] = {"tag": apdu.TAG, "service": apdu.TITLE.en}
    if apdu.CHOICE is not None:
        found["choice"] = apdu.CHOICE
    found |= _BY_TYPE[type(apdu)].to_json(apdu)
    if apdu.wide_lengths:
        found["wide_lengths"] = [list(one) for one in apdu.wide_lengths]
    return found


def apdu_from_json(found: Any) -> Apdu:
    """`apdu_json` undone; the service is known by ``tag`` and ``choice``, or by its name alone where that is enough."""
    table = mapping(found)
    kind = _service(table)
    with naming(kind.TITLE.en):
        values = _BY_TYPE[kind].arguments(table)
        with naming("wide_lengths"):
            wide = tuple(_wide(one) for one in sequence(table.get("wide_lengths", ())))
    return kind(**values, wide_lengths=wide)


def _service(table: Mapping[str, Any]) -> type[Apdu]:
    kinds = [
        kind
        for kind in SERVICES
        if table.get("tag", kind.TAG) == kind.TAG
        and table.get("service", kind.TITLE.en) == kind.TITLE.en
        and table.get("choice", kind.CHOICE) == kind.CHOICE
    ]
    if len(kinds) != 1:
        named = ", ".join(f"{key} {table[key]!r}" for key in ("tag", "choice", "service") if key in table)
        raise EncodeError(f"{'no service' if not kinds else 'more than one service'} has {named or 'no name'}")
    return kinds[0]


def _wide(found: Any) -> tuple[int, int]:
    offset, width = sequence(found) if len(sequence(found)) == 2 else (None, None)
    return integer(offset, 0, 0xFFFFFF), integer(width, 2, 5)


def explain_apdu(octets: bytes) -> list[Field]:
    """An APDU field by field; raises nothing: where it goes wrong, the rest is one field with the fault marked."""
    reader = Reader(octets)
    fields: list[Field] = []
    try:
        _explain_members(reader, fields)
        _check_end(reader)
    except DecodeError as error:
        rest = octets[reader.at :]
        fault = Text(str(error), KINDS[error.kind].zh)
        fields.append(Field(Text("not understood", "无法解析"), rest, rest.hex(" ").upper(), fault=fault))
    return fields


def _explain_members(reader: Reader, fields: list[Field]) -> None:
    tag = reader.octets[:1]
    if tag and tag[0] in TAGS:
        fields.append(Field(Text("APDU tag", "APDU标签"), tag, f"{tag[0]:02X}H", meaning=SERVICE_NAMES[tag[0]]))
    members = _members(reader)
    choice = reader.octets[1 : reader.at]
    if choice:
        kind: Any = members.kind
        fields.append(Field(field_name("choice"), choice, str(kind.CHOICE), meaning=kind.TITLE))
    members.explain_members(reader, fields)
