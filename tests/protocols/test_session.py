from meterweave.protocols.capture import read_capture
from meterweave.protocols.registry import builtin
from meterweave.protocols.session import Entry, read_session

ASK = "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"
ANSWER = "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
WATER = "68 10 26 13 06 07 00 33 78 81 16 1F 90 04 00 68 00 00 2C 00 00 00 00 2C 00 00 00 00 00 00 00 00 00 73 16"


def read(*lines: str) -> list[Entry]:
    return read_session(read_capture("\n".join(lines).encode()), builtin())


def said(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [
        (entry.codec.name if entry.codec else "?", entry.octets.hex(" ").upper(), entry.chunk.direction)
        for entry in entries
    ]


def test_frames_cut_over_lines_are_put_together_for_each_direction() -> None:
    entries = read(f"-> {ASK[:20]}", f"<- {ANSWER[:29]}", f"-> {ASK[21:]}", f"<- {ANSWER[30:]}")
    assert said(entries) == [("dlt645", ASK, "out"), ("dlt645", ANSWER, "in")]
    assert [entry.chunk.line for entry in entries] == [3, 4]


def test_a_log_may_mix_protocols() -> None:
    assert said(read(f"-> {ASK}", f"<- {WATER}", f"<- {ANSWER}")) == [
        ("dlt645", ASK, "out"),
        ("cjt188", WATER, "in"),
        ("dlt645", ANSWER, "in"),
    ]


def test_wake_up_octets_belong_to_the_frame_behind_them() -> None:
    [entry] = read(f"-> FE FE FE FE {ASK}")
    assert entry.octets.hex(" ").upper() == f"FE FE FE FE {ASK}"
    assert not entry.garbage


def test_garbage_keeps_its_place_and_reason() -> None:
    entries = read(f"00 01 02 03 04 {ASK} 55 55", "AA")
    assert [(bool(entry.garbage), len(entry.octets)) for entry in entries] == [
        (True, 5),
        (False, 16),
        (True, 2),
        (True, 1),
    ]
    assert entries[0].garbage == "before a start octet"


def test_what_never_ends_is_given_at_the_end() -> None:
    [frame, rest] = read(f"<- {ANSWER}", f"<- {ANSWER[:29]}")
    assert not frame.garbage
    assert (rest.garbage, rest.octets.hex(" ").upper()) == ("cut short", ANSWER[:29])


def test_nothing_recognised() -> None:
    [entry] = read("00 01 02 03 04 05 06")
    assert entry.codec is None
