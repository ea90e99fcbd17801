import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.errors import ConfigError
from meterweave.protocols.capture import Chunk, read_capture, read_hex

FRAME = bytes.fromhex("68AAAAAAAAAAAA6811043333343333AE16")


def read(text: str) -> list[Chunk]:
    return read_capture(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        FRAME.hex(),
        FRAME.hex(" ").upper(),
        FRAME.hex("-"),
        FRAME.hex(":"),
        ", ".join(f"0x{octet:02X}" for octet in FRAME),
        "".join(f"\\x{octet:02x}" for octet in FRAME),
        f"uint8_t frame[] = {{{', '.join(f'0x{octet:02x}' for octet in FRAME)}}};",
        f"[{FRAME.hex()}]",
        f"  data={FRAME.hex(' ')} len=17 ok",
    ],
)
def test_spellings_of_one_line(text: str) -> None:
    assert [chunk.octets for chunk in read(text)] == [FRAME]


@pytest.mark.parametrize(
    ("line", "time", "direction"),
    [
        ("2023-07-05 15:24:17.123 [INFO] RX <- ", "2023-07-05 15:24:17.123", "in"),
        ("2023/7/5 1:02:03 send>> ", "2023/7/5 1:02:03", "out"),
        ("2023-07-05T15:24:17Z → ", "2023-07-05T15:24:17Z", "out"),
        ("[10:40:01] TX 17 bytes: ", "10:40:01", "out"),
        ("10:40:01,250 接收: ", "10:40:01,250", "in"),
        ("发送报文 ", "", "out"),
        ("[10:40:01:250] 上行 ", "10:40:01:250", "in"),
        ("meter 7 said ", "", ""),
    ],
)
def test_log_lines_keep_time_and_direction(line: str, time: str, direction: str) -> None:
    assert read(line + FRAME.hex(" ")) == [Chunk(FRAME, 1, time, direction)]


def test_sentences_hold_no_octets_but_an_acknowledgement_does() -> None:
    assert read("be quick\nadd 12 to it\ndone\n\nsend 20 octets") == []
    assert read("<- E5") == [Chunk(b"\xe5", 1, "", "in")]
    assert read("E5") == [Chunk(b"\xe5", 1, "", "")]


XXD = """\
00000000: 68aa aaaa aaaa aa68 1104 3333 3433 33ae  h......h..33433.
00000010: 16                                       .
"""
HEXDUMP = """\
00000000  68 aa aa aa aa aa aa 68  11 04 33 33 34 33 33 ae  |h......h..33433.|
00000010  16                                                |.|
00000011
"""
WIRESHARK = """\
0000   68 aa aa aa aa aa aa 68 11 04 33 33 34 33 33 ae   h......h..33433.
0010   16                                                .
"""


@pytest.mark.parametrize("dump", [XXD, HEXDUMP, WIRESHARK])
def test_hex_dumps_are_one_chunk(dump: str) -> None:
    assert read(dump) == [Chunk(FRAME, 1)]
    assert read(f"{dump}then\n{dump}") == [Chunk(FRAME, 1), Chunk(FRAME, dump.count("\n") + 2)]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings(encoding: str) -> None:
    assert read_capture(f"发送: {FRAME.hex()}".encode(encoding)) == [Chunk(FRAME, 1, "", "out")]


def test_binary_is_taken_as_it_is() -> None:
    assert read_capture(FRAME) == [Chunk(FRAME)]
    assert read_capture(b"\xff\xfe\x00") == [Chunk(b"\xff\xfe\x00")]
    assert read_capture(b"") == []


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_input_is_read(data: bytes) -> None:
    assert all(chunk.octets for chunk in read_capture(data))


@given(st.binary(max_size=50), st.sampled_from(["", " ", ",", ":", "-", "\n"]))
def test_hex_strings(octets: bytes, separator: str) -> None:
    assert read_hex(separator.join(f"{octet:02x}" for octet in octets)) == octets


@pytest.mark.parametrize(("text", "message"), [("68 1", "half an octet"), ("68 zz", "'z' is no hexadecimal digit")])
def test_wrong_hex_strings(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_hex(text)
