"""Every error Meterweave raises, in one tree.

    MeterweaveError
    ├── ConfigError      ours to fix: a setting, a profile or an argument is wrong
    ├── DecodeError      the peer's fault: octets that are not what the protocol says
    ├── EncodeError      the caller's fault: a message that cannot be put into octets
    ├── LakeError        `meterweave.lake.errors`: readings that could not be kept or asked for
    └── RegistryError    `meterweave.registry.errors`: archives that could not be read, changed or imported

A `DecodeError` carries a `kind` from `KINDS`, the same word in every protocol, so that logs, counters and the decoder's
JSON speak alike, and a `detail` with the value seen and the value wanted.
"""

from __future__ import annotations

from collections.abc import Mapping

from meterweave.text import Text


class MeterweaveError(Exception):
    """The root: catch this to catch everything Meterweave raises on purpose."""


class ConfigError(MeterweaveError):
    """A setting, a profile or an argument is wrong."""


class EncodeError(MeterweaveError):
    """A message that cannot be put into octets: the text says which field, the value seen and the range wanted."""


class DecodeError(MeterweaveError):
    """Octets that are not what the protocol says.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    message : str
        One English sentence with the value seen and the value wanted. Empty: the kind's own sentence.
    at : int or None
        Offset of the first octet at fault, where that is known. [octets]
    **detail
        JSON-ready facts, for instance ``expected_checksum="0x8A", found_checksum="0x8B"``.
    """

    def __init__(self, kind: str, message: str = "", /, *, at: int | None = None, **detail: object) -> None:
        super().__init__(message or KINDS[kind].en)
        self.kind = kind
        self.at = at
        self.detail: Mapping[str, object] = detail

    def to_json(self) -> dict[str, object]:
        """The error as the decoder prints it: ``{"error": kind, "message": …, "offset": …, **detail}``."""
        found: dict[str, object] = {"error": self.kind, "message": str(self)}
        if self.at is not None:
            found["offset"] = self.at
        return found | dict(self.detail)


KINDS: Mapping[str, Text] = {
    "bad_start": Text("the start octets are not where the frame wants them", "帧起始符不在应有位置"),
    "bad_length": Text("the length field is impossible", "长度域不合法"),
    "bad_end": Text("the end octet is wrong", "结束符错误"),
    "bad_checksum": Text("the checksum does not match the octets", "校验和与数据不符"),
    "bad_hcs": Text("the header check does not match the header", "帧头校验错误"),
    "bad_fcs": Text("the frame check does not match the frame", "帧校验错误"),
    "truncated": Text("the frame ends too early", "帧不完整"),
    "bad_data": Text("the data field does not fit the function", "数据域与功能码不符"),
    "apdu_truncated": Text("the APDU ends too early", "APDU不完整"),
    "apdu_trailing": Text("octets follow the end of the APDU", "APDU之后有多余字节"),
    "unknown_apdu": Text("no APDU has this tag", "未知的APDU标签"),
    "bad_choice": Text("the service has no such choice", "服务没有该选项"),
    "bad_data_tag": Text("no data type has this tag", "未知的数据类型标签"),
    "bad_axdr_length": Text("a length is written in a forbidden form", "长度编码不合法"),
    "too_deep": Text("the data are nested too deep", "数据嵌套过深"),
    "premature_end_of_record": Text("the data records end inside a record", "数据记录不完整"),
    "too_many_dife": Text("more than 10 DIFE in one record", "一个记录中DIFE超过10个"),
    "too_many_vife": Text("more than 10 VIFE in one record", "一个记录中VIFE超过10个"),
    "header_too_short": Text("the data header is shorter than the CI field demands", "数据头长度不足"),
    "not_hex": Text("this is no text of hexadecimal octets", "不是十六进制字节文本"),
    "not_recognised": Text("no protocol recognises these octets", "没有协议能识别这些字节"),
}
