"""Mistakes in how devices that speak by themselves are described, each told where it stands."""

from __future__ import annotations

import pytest

from meterweave.profiles import check, parse

HEAD = "name: x\nutility: electricity\nprotocol: json\n"
GOOD = "  - {quantity: voltage_l1, path: u, unit: V}\n"
TOPIC = "messages: {topic: 'm/{address}'}\n"


def mistakes(text: str) -> list[tuple[int, int, str]]:
    profile, found = check(text)
    assert (profile is None) == any(one.grave for one in found)
    assert all(one.text.zh and one.text.zh != one.text.en for one in found)
    return [(*one.place, f"{one.text.en}; {one.hint.en}") for one in found]


def test_the_smallest_profile_is_good() -> None:
    assert parse(f"{HEAD}{TOPIC}readings:\n{GOOD}").messages is not None


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("{}", "{}", "which device a message is from; add a level {address}"),
        ("{topic: a/b}", "{topic", "which device"),
        ("{topic: 'm/{adress}'}", "'m/", "is no topic; {address} is a whole level"),
        ("{topic: 'm/#/{address}'}", "'m/", "# stands for all further levels"),
        ("{topic: 'm/a+/{address}'}", "'m/", "+ stands for one whole level"),
        ("{topic: '{address}/{address}'}", "'{", "once"),
        ("{topic: $SYS/a, address: i}", "$SYS", "begins with"),
        ("{topic: 'm/{address}', payload: hex}", "hex", "payload cannot be hex with this protocol"),
        ("{topic: 'm/{address}', payload: xml}", "xml", "payload cannot be 'xml'"),
        ("{topic: 'm/{address}', series: hourly}", "hourly", "series cannot be 'hourly'"),
        ("{topic: 'm/{address}', rows: r}", "r}", "records want a time of their own"),
        ("{topic: 'm/{address}', rows: r, time: {path: $.t, format: unix}}", "r, t", "records want a time"),
        ("{topic: 'm/{address}', time: {path: t, format: epoch}}", "epoch", "'epoch' is no time"),
        ("{topic: 'm/{address}', time: {path: t}}", "{path", "format is missing"),
        ("{topic: 'm/{address}', time: {path: $.t, format: iso}}", "$.t", "$ goes with rows"),
        ("{topic: 'm/{address}', time: {path: t., format: iso}}", "t.,", "is no path"),
        ("{address: u.id}", "u.id", "u.id overlaps u in line"),
        ("{address: '[0]'}", "'[0]'", "overlaps u"),
        ("{topic: 'm/{address}', time: {path: u, format: iso}}", "u, f", "u overlaps u"),
        ("{topic: 'm/{address}', rows: '$', address: a, time: {path: t, format: iso}}", "a, t", "overlaps $"),
        ("{topic: 'm/{address}', state: {topic: s}}", "s}}", "whose state it is"),
        ("{topic: 'm/{address}', state: {topic: 'm/{address}'}}", "'m/{address}'}", "have this topic already"),
        (
            "{topic: 'm/{address}/up', state: {topic: 'm/{address}/+'}}",
            "'m/{address}/+",
            "already; no message would be",
        ),
        ("{topic: 'm/{address}', time: {path: t, format: 'YYYY-MM-DDThh:mm:ssZ'}}", "'YYYY", "no time; write unix"),
        ("{topic: 'm/{address}', time: {path: t, format: 'hh:mm:ss.SSS DD.MM.YY'}}", "'hh", "iso (which also reads Z"),
        ("{topic: 'm/{address}', state: {topic: 's/{address}', online: offline}}", "{topic: 's", "are the same word"),
        ("{topic: 'm/{address}', state: {}}", "{}}", "topic is missing"),
        ("{topic: 'm/{address}', qos: 1}", "qos", "no key 'qos'"),
        ("[]", "[]", "list of keys"),
    ],
)
def test_a_mistake_in_messages_is_told_where_it_stands(text: str, at: str, said: str) -> None:
    found = mistakes(f"{HEAD}readings:\n{GOOD}messages: {text}\n")
    assert len(found) == 1, found
    line, column, sentence = found[0]
    assert said in sentence
    assert (line, column) == (6, len("messages: ") + 1 + text.index(at))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{quantity: voltage_l1, path: a..b, unit: V}", "'a..b' is no path; write \"data.energy"),
        ("{quantity: voltage_l1, path: u}", "unit is missing: JSON does not tell it"),
        ("{quantity: voltage_l1, unit: V}", "path is missing"),
        ("{quantity: voltage_l1, path: u, unit: kWh}", "does not measure"),
        ("{quantity: voltage_l1, path: u, unit: V, scale: 1e30}", "larger than can be stored"),
        ("{quantity: voltage_l1, path: u, unit: V, scale: 1e-30}", "every value is zero"),
        ("{quantity: 1-0:1.8.0, path: u, unit: kWh, scale: -1}", "negative scale"),
        ("{quantity: voltage_l1, register: 1, path: u, unit: V}", "protocol json has no key 'register'"),
        (f"{GOOD[4:-1]}\n  - {{quantity: voltage_l2, path: u, unit: V}}", "overlaps voltage_l1 (u) in line 5"),
        (f"{GOOD[4:-1]}\n  - {{quantity: voltage_l2, path: u.x, unit: V}}", "overlaps voltage_l1 (u) in line 5"),
        (f"{GOOD[4:-1]}\n  - {{quantity: voltage_l2, path: '[1]', unit: V}}", "overlaps"),
    ],
)
def test_a_mistake_in_readings_is_told(text: str, said: str) -> None:
    found = mistakes(f"{HEAD}readings:\n  - {text}\n{TOPIC}")
    assert len(found) == 1, found
    assert said in found[0][2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{path: a, equals: x}", "either bits, or equals and event"),
        ("{path: a, event: leak}", "either bits, or equals and event"),
        ("{path: a}", "either bits, or equals and event"),
        ("{path: a, equals: x, event: leak, bits: [{bit: 0, event: overload}]}", "either bits"),
        ("{path: a, equals: x, event: leek}", "no event 'leek'; did you mean leak"),
        ("{path: a, equals: x, event: meter_cleared}", "happens at one moment"),
        ("{path: a, bits: [{bit: 64, event: leak}]}", "not in a word of 64 bits"),
        ("{path: u, equals: x, event: leak}", "u overlaps u"),
        ("{path: a, equals: x, event: leak}, {path: a, equals: y, event: leak}", "told already"),
        ("{path: a, equals: x, event: leak}, {path: a, bits: [{bit: 0, event: overload}]}", "a overlaps a"),
    ],
)
def test_a_mistake_in_events_is_told(text: str, said: str) -> None:
    found = mistakes(f"{HEAD}readings:\n{GOOD}{TOPIC}events: [{text}]\n")
    assert len(found) == 1, found
    assert said in found[0][2]


@pytest.mark.parametrize("text", ["serial: {baud: 9600}", "polling: {period_s: 60}", "control: {kind: relay}"])
def test_a_device_that_is_not_asked_has_no_line_and_takes_no_orders(text: str) -> None:
    ((line, _, sentence),) = mistakes(f"{HEAD}readings:\n{GOOD}{TOPIC}{text}\n")
    assert line == 7
    assert "protocol json has no key" in sentence
    assert "the device speaks by itself" in sentence or "nothing can be sent" in sentence


def test_json_without_messages_is_a_mistake() -> None:
    ((line, column, sentence),) = mistakes(f"{HEAD}readings:\n{GOOD}")
    assert (line, column) == (1, 1)
    assert "messages is missing" in sentence


def test_modbus_cannot_speak_by_itself_and_is_told_why() -> None:
    text = (
        "name: x\nutility: electricity\nprotocol: modbus\nmessages: {topic: a}\n"
        "readings: [{quantity: voltage_l1, register: 0, type: u16, unit: V}]\n"
    )
    ((line, column, sentence),) = mistakes(text)
    assert (line, column) == (4, 1)
    assert "means nothing without its question" in sentence


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("payload: json", "payload cannot be json"),
        ("address: a", "has no key 'address'"),
        ("rows: a", "has no key 'rows'"),
        ("time: {path: t, format: unix}", "has no key 'time'"),
    ],
)
def test_frames_have_none_of_what_documents_have(text: str, said: str) -> None:
    found = mistakes(
        "name: x\nutility: electricity\nprotocol: dlt645\nreadings: [{quantity: voltage_l1, item: '02010100'}]\n"
        f"messages: {{topic: a, {text}}}\n"
    )
    assert len(found) == 1
    assert said in found[0][2]


def test_what_frames_are_not_searched_for_is_a_remark() -> None:
    text = (
        "name: x\nutility: electricity\nprotocol: dlt645\nmessages: {topic: a}\nreadings:\n"
        "  - {quantity: voltage_l1, item: '02010100'}\n"
        "  - {quantity: active_power, item: '04990001', format: XX.XXXX, unit: kW}\n"
        "events: [{item: '04000501', bits: [{bit: 2, event: battery_low}]}]\n"
    )
    found = mistakes(text)
    assert [one[:2] for one in found] == [(7, 5), (8, 10)]
    assert all("known only when the device is asked" in one[2] for one in found)
    assert parse(text).messages is not None


@pytest.mark.parametrize(
    "text",
    [
        "messages: &a {topic: *a}",
        "messages: !!python/object:os.system {}",
        "messages: {topic: 'm/{address}', time: " + "{time: " * 20 + "{}" + "}" * 20 + "}",
        "messages: [" + "{topic: a}," * 5000 + "]",
    ],
)
def test_a_bomb_is_refused(text: str) -> None:
    profile, found = check(f"{HEAD}readings:\n{GOOD}{text}\n")
    assert profile is None
    assert len(found) == 1
