"""The command line as a user runs it: real processes, real pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ASK = "68610100000000681104333334331416"
ANSWER = "6861010000000068910833333433593333338a16"
BROKEN = "6861010000000068910833333433593333338b16"
WATER = "68102613060700337881161f9004006800002c000000002c0000000000000000007316"


def run(*words: str, given: str | bytes = b"", lang: str = "C.UTF-8") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "meterweave.cli", *words],
        input=given.encode() if isinstance(given, str) else given,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "LC_ALL": lang, "PYTHONUTF8": "1"},
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_frame_is_explained_field_by_field() -> None:
    done = run("decode", *[ANSWER[at : at + 2] for at in range(0, len(ANSWER), 2)])
    assert done.returncode == 0
    assert "DL/T 645" in done.stdout
    assert "0.26 kWh" in done.stdout
    assert "000000000161" in done.stdout


def test_in_chinese_when_asked_or_where_the_system_speaks_it() -> None:
    asked = run("decode", "--lang", "zh", ANSWER)
    system = run("decode", ANSWER, lang="zh_CN.UTF-8")
    assert "正向有功" in asked.stdout
    assert asked.stdout == system.stdout


def test_a_bad_frame_shows_its_fault_and_fails() -> None:
    done = run("decode", BROKEN)
    assert done.returncode == 1
    assert "✗" in done.stdout
    assert "8A" in done.stdout


def test_json_of_one_frame_one_bad_frame_and_a_stream() -> None:
    assert lines(run("decode", "--json", ANSWER).stdout)[0]["values"][0]["value"] == "0.26"
    assert lines(run("decode", "--json", BROKEN).stdout)[0]["error"] == "bad_checksum"
    [found] = lines(run("decode", "--json", f"0102{ASK}{ANSWER}").stdout)
    assert [part.get("frame") or part.get("garbage") for part in found["stream"]] == ["0102", ASK, ANSWER]


def test_a_log_file_gives_frames_with_time_and_direction(tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_text(f"10:00:01 TX -> {ASK}\n10:00:02 RX <- {ANSWER[:20]}\n10:00:02 RX <- {ANSWER[20:]}\n")
    [found] = lines(run("decode", "--json", str(log)).stdout)
    assert [(part["frame"], part["time"], part["direction"]) for part in found["stream"]] == [
        (ASK, "10:00:01", "out"),
        (ANSWER, "10:00:02", "in"),
    ]
    assert run("decode", str(log)).stdout.count("DL/T 645") == 2


def test_binary_from_a_pipe() -> None:
    assert "0.26 kWh" in run("decode", given=bytes.fromhex(ANSWER)).stdout
    assert "0.26 kWh" in run("decode", "-", given=bytes.fromhex(ANSWER)).stdout


def test_each_line_gives_exactly_one_json_line() -> None:
    given = f"{ANSWER}\n{BROKEN}\n\nnonsense\n{ASK}{ANSWER}\n68 1\n{WATER}\n"
    done = run("decode", "--json", "--each-line", "--protocol", "dlt645", given=given)
    found = lines(done.stdout)
    assert done.returncode == 0
    assert len(found) == 7
    assert found[0]["di"] == "00010000"
    assert [one.get("error") for one in found[1:4]] == ["bad_checksum", "truncated", "not_hex"]
    assert len(found[4]["stream"]) == 2
    assert found[5]["error"] == "not_hex"
    assert "error" in found[6] or "stream" in found[6]


def test_each_line_accepts_an_apdu_without_link_layer() -> None:
    [found] = lines(run("decode", "--json", "--each-line", "-p", "dlt698", given="0501014001020000\n").stdout)
    assert found["kind"] == "apdu"
    assert found["link"] is None


def test_readings_in_words_and_as_json() -> None:
    assert "0.26 kWh" in " ".join(run("decode", "--readings", ANSWER).stdout.split())
    [found] = lines(run("decode", "--readings", "--json", ANSWER).stdout)
    assert (found["meter"], found["obis"], found["value"], found["unit"]) == (
        "000000000161",
        "1-0:1.8.0",
        "0.2600",
        "kWh",
    )


def test_encode_undoes_decode() -> None:
    decoded = run("decode", "--json", ANSWER).stdout
    assert run("encode", given=decoded).stdout.strip().lower() == ANSWER
    assert run("encode", decoded.strip()).stdout.strip().lower() == ANSWER
    many = json.dumps([json.loads(decoded)] * 2)
    assert run("encode", given=many).stdout.lower().split() == [ANSWER, ANSWER]


def test_encode_from_names_and_to_binary() -> None:
    message = '{"protocol": "dlt645-2007", "address": "000000000161", "control": "0x11", "di": "00010000"}'
    assert run("encode", message).stdout.strip().lower() == ASK
    done = subprocess.run(
        [sys.executable, "-m", "meterweave.cli", "encode", "--binary", message], capture_output=True, check=True
    )
    assert done.stdout == bytes.fromhex(ASK)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["decode", "no-such-file.log"], "neither a file nor octets"),
        (["decode", "--protocol", "zigbee", ANSWER], "no protocol is called 'zigbee'"),
        (["decode", "--lang", "fr", ANSWER], "'en' or 'zh'"),
        (["decode", "--each-line", ANSWER], "--each-line goes with --json"),
        (["decode", "--json", "--each-line", "--readings", ANSWER], "not with --readings"),
        (["decode", "--json", "--each-line", "no-such-file"], "No such file"),
        (["decode"], "no hexadecimal octets"),
        (["encode", "{"], "not JSON"),
        (["encode", "[7]"], "wanted a JSON object"),
        (["encode", "{}"], "no 'protocol'"),
        (["encode", "no-such-file"], "No such file"),
    ],
)
def test_wrong_use_is_one_clear_line(words: list[str], text: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        [f"[2023-05-06 12:00:01.123]# RECV HEX> {ANSWER}"],
        [f"上行：{ANSWER}"],
        ["Rx:", *(ANSWER[at : at + 2] for at in range(0, len(ANSWER), 2))],
    ],
)
def test_a_log_line_pasted_on_the_command_line(words: list[str]) -> None:
    done = run("decode", *words)
    assert "0.26 kWh" in done.stdout
    assert "←" in done.stdout.splitlines()[0]


@pytest.mark.parametrize("word", ["capture_20230506121212.log", "logs/2023-05-06 12:00.log", "Rx:"])
def test_a_file_that_is_missing_is_not_taken_for_octets(word: str) -> None:
    done = run("decode", word)
    assert done.returncode == 2
    assert "neither a file nor octets" in done.stderr


@pytest.mark.parametrize(
    ("name", "text"), [("/dev/null", "no hexadecimal octets"), ("/dev/zero", "more than 64 MiB"), ("/", "directory")]
)
def test_files_of_other_kinds(name: str, text: str) -> None:
    done = run("decode", name)
    assert done.returncode == 2
    assert text in done.stderr


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", 'echo "$1" > "$2"', "sh", ANSWER, str(pipe)]):
        assert "0.26 kWh" in run("decode", str(pipe)).stdout


def test_each_line_whatever_the_line() -> None:
    given = [b"\xef\xbb\xbf" + ANSWER.encode(), b"\xe9\xff", b"68\x0061", b"68" * 600_000, ANSWER.encode() + b"\r"]
    found = lines(run("decode", "--json", "--each-line", given=b"\n".join(given)).stdout)
    assert [one["error"] or one["di"] for one in found] == [
        "00010000",
        "not_hex",
        "not_hex",
        "not_hex",
        "00010000",
    ]
    assert "longer than" in found[3]["message"]


def test_readings_tell_the_time_of_the_log_where_the_meter_tells_none() -> None:
    log = f"2023-05-06 12:00:01 RX {ANSWER}\n"
    [found] = lines(run("decode", "--readings", "--json", given=log).stdout)
    assert (found["time"], found["logged"], found["line"]) == (None, "2023-05-06 12:00:01", 1)
    assert "2023-05-06 12:00:01" in run("decode", "--readings", given=log).stdout


def test_counts_are_said_in_good_english_and_chinese() -> None:
    assert "1 reading, 1 meter\n" in run("decode", "--readings", ANSWER).stdout
    assert "1条读数，1块表\n" in run("decode", "--readings", "--lang", "zh", ANSWER).stdout
    assert run("decode", "--readings", ASK).stdout == "no readings\n"
    assert "2 frames, 1 octet of garbage\n" in run("decode", f"55{ASK}{ANSWER}").stdout
    assert "帧起始符之前的字节" in run("decode", "--lang", "zh", f"55{ASK}{ANSWER}").stdout


def test_much_garbage_is_not_printed_in_full() -> None:
    assert "and 488 more" in run("decode", "00" * 1000).stdout


def test_the_answer_of_json_is_in_the_json() -> None:
    for words in (["--json"], ["--json", "--readings"], ["--json", "--each-line", "-"]):
        assert run("decode", *words, *([] if words[-1] == "-" else [BROKEN]), given=BROKEN).returncode == 0


def test_a_full_disk_is_said_in_one_line() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "meterweave.cli", "decode", "--json", ANSWER],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, b"meterweave: No space left on device\n")


def test_a_terminal_without_the_signs_gets_the_rest() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "meterweave.cli", "decode", BROKEN],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
    )
    assert b"0.26 kWh" in done.stdout
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("", "no JSON object"),
        ('{"n": ' + "9" * 5000 + "}", "not JSON"),
        ("[" * 100_000, "not JSON"),
        (b"\xe9", "standard input: not UTF-8"),
        ('{"stream": []}\n{"protocol": "dlt645"}', "line 2: address"),
        ('{"error": "bad_checksum"}', "the error 'bad_checksum', not a frame"),
    ],
)
def test_what_encode_cannot_read_is_said_in_one_line(given: str | bytes, text: str) -> None:
    done = run("encode", given=given)
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_encode_reads_what_windows_shells_write() -> None:
    assert run("encode", given='{"stream": [{"frame": "6816"}]}'.encode("utf-16")).stdout.strip() == "6816"


def test_a_reader_that_leaves_early_does_no_harm() -> None:
    command = f"{sys.executable} -m meterweave.cli decode --json --each-line -p dlt645 - | head -n 1"
    done = subprocess.run(command, shell=True, input=f"{ANSWER}\n".encode() * 5000, capture_output=True, check=False)
    assert json.loads(done.stdout)["di"] == "00010000"
    assert done.stderr == b""


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("meterweave ")
    assert "decode" in run("--help").stdout


def test_the_example_ends_in_readings_of_all_utilities() -> None:
    done = run("decode", "--example", "--readings")
    assert done.returncode == 0
    for words in ("active energy import", "cold water volume", "heat energy", "remaining money", "voltage, phase A"):
        assert words in done.stdout
    assert "剩余金额" in run("decode", "--example", "--readings", "--lang", "zh").stdout
