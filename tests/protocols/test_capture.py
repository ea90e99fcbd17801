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
        f"[{FRAME.hex('|').replace('|', '][')}]",
        " ".join(f"{octet:02X}H" for octet in FRAME),
        f"000123-{FRAME.hex(' ')}",
        f"8080 {FRAME.hex(' ')}",
        f"12345678,{FRAME.hex()}",
        f"id 550e8400-e29b-41d4-a716-446655440000 data {FRAME.hex(' ')}",
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
        ("[12:00:01.123]收←◆", "12:00:01.123", "in"),
        ("[2023-05-06 12:00:01.123]# RECV HEX> ", "2023-05-06 12:00:01.123", "in"),
        ("20230506 120001 发：", "20230506 120001", "out"),
        ("20230506120001 ", "20230506120001", ""),
        ("2023-05-06_12:00:01 ", "2023-05-06_12:00:01", ""),
        ("2023年05月06日 12时00分01秒 回复：", "2023年05月06日 12时00分01秒", "in"),
        ("05-06 12:00:01.123 S: ", "05-06 12:00:01.123", "out"),
        ("2023-05-06 ", "2023-05-06", ""),
        ("12:00 R: ", "12:00", "in"),
        ("1683345601 ", "1683345601", ""),
        ("recv response: ", "", "in"),
        ("received request ", "", "in"),
        ("> ", "", "out"),
        ("< ", "", "in"),
        ("meter 7 said ", "", ""),
    ],
)
def test_log_lines_keep_time_and_direction(line: str, time: str, direction: str) -> None:
    assert read(line + FRAME.hex(" ")) == [Chunk(FRAME, 1, time, direction)]


def test_sentences_hold_no_octets_but_an_acknowledgement_does() -> None:
    assert read("be quick\nadd 12 to it\ndone\n\nsend 20 octets") == []
    assert read("<- E5") == [Chunk(b"\xe5", 1, "", "in")]
    assert read("E5") == [Chunk(b"\xe5", 1, "", "")]
    assert read("0x8a, 0x16 /* the end */") == [Chunk(b"\x8a\x16")]
    assert read("meter 000000000161 does not answer") == []


def test_two_frames_in_one_line_are_both_found() -> None:
    text = f"12:00:01 req {FRAME.hex()} resp {FRAME.hex()}{FRAME.hex()}"
    assert read(text) == [Chunk(FRAME, 1, "12:00:01", "out"), Chunk(FRAME * 2, 1, "12:00:01", "in")]


def test_a_line_of_nothing_but_octets_takes_time_and_direction_from_the_line_above() -> None:
    half, rest = FRAME[:9], FRAME[9:]
    told = f"[12:00:01.123]# SEND HEX>\n{half.hex(' ')}\n{rest.hex(' ')}\n"
    assert read(f"{told}\n{FRAME.hex()}\nRx: {half.hex()}\n{rest.hex()}\n") == [
        Chunk(half, 2, "12:00:01.123", "out"),
        Chunk(rest, 3, "12:00:01.123", "out"),
        Chunk(FRAME, 5, "", ""),
        Chunk(half, 6, "", "in"),
        Chunk(rest, 7, "", "in"),
    ]


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


OD_OCTAL = """\
0000000 68 aa aa aa aa aa aa 68 11 04 33 33 34 33 33 ae
0000020 16
0000021
"""
OD_HEX = """\
000000 68 aa aa aa aa aa aa 68 11 04 33 33 34 33 33 ae  >h......h..33433.<
000010 16                                               >.<
000011
"""
WORDS = """\
0000000 aa68 aaaa aaaa 68aa 0411 3333 3334 ae33
0000010 0016
0000011
"""
TCPDUMP = """\
\t0x0000:  68aa aaaa aaaa aa68 1104 3333 3433 33ae  h......h..33433.
\t0x0010:  16                                       .
"""


@pytest.mark.parametrize("dump", [XXD, HEXDUMP, WIRESHARK, OD_OCTAL, OD_HEX, WORDS, TCPDUMP])
def test_hex_dumps_are_one_chunk(dump: str) -> None:
    assert read(dump) == [Chunk(FRAME, 1)]
    assert read(f"{dump}then\n{dump}") == [Chunk(FRAME, 1), Chunk(FRAME, dump.count("\n") + 2)]


def test_text_beside_a_dump_that_looks_like_octets_is_text() -> None:
    assert read("00000000: 3334 3536 3738 3930 3132 3334 3536 3738  34567890 12345678") == [Chunk(b"3456789012345678")]


def test_repeated_rows_of_a_dump_are_filled_in() -> None:
    row = "68 aa aa aa aa aa aa 68 11 04 33 33 34 33 33 ae"
    octets = bytes.fromhex(row)
    assert read(f"0000000 {row}\n*\n0000060 16\n0000061\n") == [Chunk(octets * 3 + b"\x16")]
    assert read(f"00000000  {row}\n*\n00000040\n") == [Chunk(octets * 4)]
    [chunk, *_] = read(f"00000000  {row}\n*\nfffffff0  {row}\n")
    assert chunk == Chunk(octets)


def test_both_sides_of_a_connection_that_wireshark_follows() -> None:
    text = (
        "00000000  68 aa aa aa   h...\n    00000000  11 04 33 33   ..33\n    00000004  34 33         43\n"
        "00000004  aa aa aa 68   ...h\n"
    )
    assert [chunk.octets.hex() for chunk in read(text)] == ["68aaaaaa", "110433333433", "aaaaaa68"]


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
