"""SECURITY: an APDU, in the clear or enciphered, and what proves that it is genuine (clause 7.4.8).

The cryptography itself is the key server's and the ESAM's; here the envelope is taken off and put on. These APDUs have
no trailer of their own; the APDU inside keeps its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from meterweave.errors import DecodeError
from meterweave.protocols.dlt698.apdu import Apdu
from meterweave.protocols.dlt698.cursor import Reader
from meterweave.protocols.dlt698.given import member
from meterweave.protocols.dlt698.inner import inside
from meterweave.protocols.dlt698.records import Dar
from meterweave.protocols.dlt698.values import OCTETS, SID, Sid
from meterweave.protocols.dlt698.wire import Choice, Maybe, Octets, explain_length, group
from meterweave.protocols.explain import Field
from meterweave.text import Text


class Plaintext(Octets):
    """An APDU as an octet-string; JSON shows what it says too, as ``inner``, or why it says nothing."""

    flat = True

    def to_json(self, value: bytes) -> Any:
        from meterweave.protocols.dlt698.services import apdu_json, decode_apdu  # noqa: PLC0415  # it knows this module

        found = {"plaintext": super().to_json(value)}
        with inside() as looked_into:
            if looked_into:
                try:
                    found["inner"] = apdu_json(decode_apdu(value))
                except DecodeError as error:
                    found["inner"] = error.to_json()
        return found

    def from_json(self, found: Any) -> bytes:
        from meterweave.protocols.dlt698.services import apdu_from_json, encode_apdu  # noqa: PLC0415

        if "plaintext" in found or "inner" not in found:
            return super().from_json(member(found, "plaintext"))
        return encode_apdu(apdu_from_json(found["inner"]))

    def explain(self, reader: Reader, name: Text, fields: list[Field]) -> None:
        from meterweave.protocols.dlt698.services import explain_apdu  # noqa: PLC0415

        with group(reader, name, fields) as parts:
            octets = reader.take(explain_length(reader, parts))
            with inside() as looked_into:
                whole = Field(Text("octets", "数据内容"), octets, octets.hex(" ").upper())
                parts.extend(explain_apdu(octets) if looked_into else [whole])


@dataclass(frozen=True, slots=True)
class SidAndMac:
    """An identifier and the authentication code."""

    sid: Annotated[Sid, SID]
    mac: Annotated[bytes, OCTETS]


@dataclass(frozen=True, slots=True)
class RandomNumber:
    """A random number, from which the answer's code is to be made."""

    rn: Annotated[bytes, OCTETS]


@dataclass(frozen=True, slots=True)
class RandomNumberAndMac:
    """A random number and the authentication code."""

    rn: Annotated[bytes, OCTETS]
    mac: Annotated[bytes, OCTETS]


@dataclass(frozen=True, slots=True)
class SidOnly:
    """An identifier."""

    sid: Annotated[Sid, SID]


@dataclass(frozen=True, slots=True)
class Mac:
    """The authentication code."""

    mac: Annotated[bytes, OCTETS]


RequestVerification = SidAndMac | RandomNumber | RandomNumberAndMac | SidOnly

REQUEST_VERIFICATION = Choice(
    "choice",
    {
        0: (Text("SID_MAC", "数据验证码SID_MAC"), SidAndMac),
        1: (Text("RN", "随机数RN"), RandomNumber),
        2: (Text("RN_MAC", "随机数+数据MAC"), RandomNumberAndMac),
        3: (Text("SID", "安全标识SID"), SidOnly),
    },
)
RESPONSE_VERIFICATION = Maybe(Choice("choice", {0: (Text("MAC", "数据MAC"), Mac)}))


@dataclass(frozen=True, slots=True)
class SecurityRequestPlain(Apdu):
    """A request in the clear, with a check."""

    TAG: ClassVar[int] = 0x10
    CHOICE: ClassVar[int] = 0
    TITLE: ClassVar[Text] = Text("SECURITY-Request", "安全请求")

    plaintext: Annotated[bytes, Plaintext()]
    verification: Annotated[RequestVerification, REQUEST_VERIFICATION]


@dataclass(frozen=True, slots=True)
class SecurityRequestCipher(Apdu):
    """An enciphered request."""

    TAG: ClassVar[int] = 0x10
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("SECURITY-Request", "安全请求")

    ciphertext: Annotated[bytes, OCTETS]
    verification: Annotated[RequestVerification, REQUEST_VERIFICATION]


@dataclass(frozen=True, slots=True)
class SecurityResponsePlain(Apdu):
    """A response in the clear, mostly with a code that proves it."""

    TAG: ClassVar[int] = 0x90
    CHOICE: ClassVar[int] = 0
    TITLE: ClassVar[Text] = Text("SECURITY-Response", "安全响应")

    plaintext: Annotated[bytes, Plaintext()]
    verification: Annotated[Mac | None, RESPONSE_VERIFICATION]


@dataclass(frozen=True, slots=True)
class SecurityResponseCipher(Apdu):
    """An enciphered response."""

    TAG: ClassVar[int] = 0x90
    CHOICE: ClassVar[int] = 1
    TITLE: ClassVar[Text] = Text("SECURITY-Response", "安全响应")

    ciphertext: Annotated[bytes, OCTETS]
    verification: Annotated[Mac | None, RESPONSE_VERIFICATION]


@dataclass(frozen=True, slots=True)
class SecurityResponseFailed(Apdu):
    """Why there is no response."""

    TAG: ClassVar[int] = 0x90
    CHOICE: ClassVar[int] = 2
    TITLE: ClassVar[Text] = Text("SECURITY-Response", "安全响应")

    dar: Dar
    verification: Annotated[Mac | None, RESPONSE_VERIFICATION]


def inner_apdu(apdu: Apdu) -> Apdu | None:
    """The APDU inside a SECURITY APDU in the clear; None in others.

    Raises
    ------
    DecodeError
        If the octets inside are no APDU.
    """
    from meterweave.protocols.dlt698.services import decode_apdu  # noqa: PLC0415

    if isinstance(apdu, SecurityRequestPlain | SecurityResponsePlain):
        return decode_apdu(apdu.plaintext)
    return None
