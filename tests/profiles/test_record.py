"""JSON of devices that speak by themselves: exact values, times, records, events; hostile messages."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.batch import Profile as Series
from meterweave.metering.batch import Quality, Source
from meterweave.metering.events import event_codes
from meterweave.metering.quantities import obis_code
from meterweave.profiles import Device, Heard, Profile, parse
from meterweave.profiles.record import ROWS_MAX

ENERGY, VOLTAGE, POWER = obis_code("1-0:1.8.0"), obis_code("1-0:32.7.0"), obis_code("1-0:1.7.0")
NOW_S = 1_767_225_600
NOW = NOW_S * 1_000_000
HEAD = "name: x\nutility: electricity\nprotocol: json\n"
READINGS = """\
readings:
  - {quantity: 1-0:1.8.0, path: e, unit: kWh}
  - {quantity: voltage_l1, path: u, unit: V, missing: -1}
"""
METER = parse(f"{HEAD}messages: {{topic: 'm/{{address}}'}}\n{READINGS}")


def heard(profile: Profile, document: Any, topic: str | None = "m/a1") -> Heard:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    return profile.understand(topic, payload, received=NOW)


def values(found: Heard) -> dict[int, tuple[int | None, int]]:
    return {one.quantity: (one.value, one.quality) for one in found.readings}


@pytest.mark.parametrize(
    ("written", "stored", "quality"),
    [
        (b"4821.37", 48_213_700, 0),
        (b'"4821.37"', 48_213_700, 0),
        (b"4821", 48_210_000, 0),
        (b"4.82137e3", 48_213_700, 0),
        (b"-0.0001", -1, 0),
        (b"0.00005", 1, Quality.ROUNDED),
        (b"-0.00005", -1, Quality.ROUNDED),
        (b"0.00004999", 0, Quality.ROUNDED),
        (b"0.1", 1000, 0),
        (b"922337203685477.5807", 2**63 - 1, 0),
        (b"922337203685477.5808", None, Quality.OUT_OF_RANGE),
        (b"1e99", None, Quality.OUT_OF_RANGE),
        (str(10**400).encode(), None, Quality.OUT_OF_RANGE),
        (b"null", None, Quality.NO_VALUE),
    ],
)
def test_a_value_is_exact_or_rounded_once_or_none(written: bytes, stored: int | None, quality: int) -> None:
    found = heard(METER, b'{"e": ' + written + b"}")
    assert found.problem is None
    assert values(found) == {ENERGY: (stored, quality)}


@pytest.mark.parametrize("written", [b"true", b'"x"', b"[1]", b'{"v":1}', b"1e100", b'""', b'"\\ud800"'])
def test_what_is_no_number_is_told_and_the_rest_is_kept(written: bytes) -> None:
    found = heard(METER, b'{"e": ' + written + b', "u": 230.5}')
    assert values(found) == {VOLTAGE: (23_050, 0)}
    assert found.problem is not None
    assert found.problem.en.startswith("e: ")
    found.problem.en.encode()  # it can be printed


def test_the_sign_for_no_value() -> None:
    assert values(heard(METER, {"u": -1})) == {VOLTAGE: (None, Quality.NO_VALUE)}
    assert values(heard(METER, {"u": "-1.00"})) == {VOLTAGE: (None, Quality.NO_VALUE)}


def test_what_a_message_does_not_have_gives_nothing() -> None:
    assert heard(METER, {"other": 1}) == Heard("a1")
    assert heard(METER, [1, 2]) == Heard("a1")


def test_a_message_without_a_time_holds_when_it_comes() -> None:
    (one,) = heard(METER, {"e": 1}).readings
    assert (one.ts, one.series, one.source, one.key) == (NOW, Series.SPOT, Source.PUSHED, None)


@given(st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=6))
def test_any_decimal_is_the_nearest_stored_integer(number: object) -> None:
    ((stored, quality),) = values(heard(METER, b'{"e": ' + f"{number:f}".encode() + b"}")).values()
    exact = Fraction(str(number)) * 10**4
    assert stored is not None
    assert abs(stored - exact) <= Fraction(1, 2)
    assert (quality == Quality.ROUNDED) == (stored != exact)


# Which device ---------------------------------------------------------------------------------------------------------

BOTH = parse(f"{HEAD}messages: {{topic: 'm/{{address}}', address: dev.id}}\n{READINGS}")


def test_the_device_is_told_by_the_topic_or_the_message() -> None:
    assert heard(BOTH, {"dev": {"id": "A-1"}, "e": 1}, None).address == "a-1"
    assert heard(BOTH, {"dev": {"id": 861234567890123}, "e": 1}, None).address == "861234567890123"
    assert heard(BOTH, {"e": 1}, "m/A-1").address == "a-1"
    assert heard(BOTH, {"dev": {"id": "A-1"}, "e": 1}, "m/a-1").problem is None


@pytest.mark.parametrize(
    ("topic", "device", "said"),
    [
        ("m/a1", "a2", "another device"),
        (None, None, "which device"),
        (None, "no name", "which device"),
        (None, True, "which device"),
        (None, 1.5, "which device"),
        (None, ["a"], "which device"),
        ("m/no name", "a1", "is no name"),
        ("n/a1", "a1", "topic is none"),
    ],
)
def test_a_message_of_nobody_gives_nothing(topic: str | None, device: object, said: str) -> None:
    found = heard(BOTH, {"dev": {"id": device}, "e": 1}, topic)
    assert found.readings == ()
    assert found.problem is not None
    assert said in found.problem.en


# Times and records ----------------------------------------------------------------------------------------------------

TIMED = parse(f"{HEAD}messages: {{topic: 'm/{{address}}', series: daily, time: {{path: t, format: unix}}}}\n{READINGS}")
ROWS = parse(
    f"{HEAD}messages: {{topic: 'm/{{address}}', rows: d.rows, series: curve, time: {{path: '[0]', format: unix}}}}\n"
    "readings:\n"
    "  - {quantity: 1-0:1.8.0, path: '[1]', unit: kWh}\n"
    "  - {quantity: voltage_l1, path: $.u, unit: V}\n"
    "events:\n"
    "  - {path: $.status, bits: [{bit: 0, event: battery_low}, {bit: 3, event: cover_opened, when: 0}]}\n"
    "  - {path: '[2]', equals: over, event: overload}\n"
)


def test_the_time_of_a_message_is_its_own() -> None:
    (one,) = heard(TIMED, {"t": NOW_S - 60, "e": 1}).readings
    assert (one.ts, one.series, one.quality) == (NOW - 60_000_000, Series.DAILY, 0)


@pytest.mark.parametrize("told", [{}, {"t": 0}, {"t": "soon"}, {"t": NOW_S + 10**6}, {"t": 10**400}])
def test_a_time_that_cannot_be_is_marked(told: dict[str, object]) -> None:
    (one,) = heard(TIMED, {"e": 1} | told).readings
    assert (one.ts, one.quality) == (NOW, Quality.TIME_INVALID)


def test_records_have_their_own_times_and_what_stands_outside_the_newest() -> None:
    rows = [[NOW_S - 600, 2, "over"], [NOW_S - 1200, 1, "ok"], ["?", 3]]
    found = heard(ROWS, {"d": {"rows": rows}, "u": 230, "status": 9})
    assert found.problem is None
    assert [(one.ts - NOW, one.quantity, one.value, one.quality) for one in found.readings] == [
        (-600_000_000, ENERGY, 20_000, 0),
        (-1_200_000_000, ENERGY, 10_000, 0),
        (0, ENERGY, 30_000, Quality.TIME_INVALID),
        (-600_000_000, VOLTAGE, 23_000, 0),
    ]
    codes = event_codes()
    assert [(look.at - NOW, look.conditions) for look in found.looks] == [
        (-1_200_000_000, {codes["overload"]: False}),
        (-600_000_000, {codes["overload"]: True}),
        (-600_000_000, {codes["battery_low"]: True, codes["cover_opened"]: False}),
    ]


def test_of_records_without_a_possible_time_the_last_is_taken_and_the_others_are_told() -> None:
    rows = [[5, 1, "over"], [NOW_S, 2, "ok"], [6, 3, "over"], ["?", 4, "ok"]]
    found = heard(ROWS, {"d": {"rows": rows}})
    assert [(one.ts, one.value, one.quality) for one in found.readings] == [
        (NOW, 20_000, 0),
        (NOW, 40_000, Quality.TIME_INVALID),
    ]
    assert [list(look.conditions.values()) for look in found.looks] == [[False], [False]]
    assert found.problem is not None
    assert found.problem.en.startswith("2 records without a possible time left out")


def test_a_message_without_records_may_tell_the_rest() -> None:
    assert values(heard(ROWS, {"u": 230})) == {VOLTAGE: (23_000, 0)}
    assert heard(ROWS, {"u": 230, "d": {"rows": []}}).readings[0].ts == NOW


@pytest.mark.parametrize("rows", [{}, 5, "x", [[]] * (ROWS_MAX + 1)])
def test_what_is_no_array_of_records_is_told(rows: object) -> None:
    found = heard(ROWS, {"d": {"rows": rows}, "u": 230})
    assert found.readings == ()
    assert found.problem is not None
    assert "no array of at most 2000 records" in found.problem.en


@pytest.mark.parametrize("word", [-1, 1 << 64, 1.5, "x", [], {}, "9" * 100])
def test_a_word_of_bits_that_is_none_is_told(word: object) -> None:
    found = heard(ROWS, {"status": word})
    assert found.looks == ()
    assert found.problem is not None


@pytest.mark.parametrize("word", [9, "9", "0x9", "09H", (1 << 63) + 9])
def test_a_word_of_bits_may_be_a_number_or_text(word: object) -> None:
    assert heard(ROWS, {"status": word}).looks[0].conditions[event_codes()["battery_low"]] is True


FLAGS = parse(
    f"{HEAD}messages: {{topic: 'm/{{address}}'}}\n{READINGS}events:\n"
    "  - {path: alarm, equals: leak, event: leak}\n"
    "  - {path: alarm, equals: cover, event: cover_opened}\n"
    "  - {path: on, equals: false, event: relay_opened}\n"
    "  - {path: code, equals: 3, event: overload}\n"
)


def test_one_value_may_tell_of_several_events() -> None:
    codes = event_codes()
    (look,) = heard(FLAGS, {"alarm": "cover", "on": False, "code": 3}).looks
    assert {code for code, lasts in look.conditions.items() if lasts} == {
        codes["cover_opened"], codes["relay_opened"], codes["overload"]
    }  # fmt: skip
    (look,) = heard(FLAGS, {"alarm": "ok", "on": "no", "code": 30}).looks
    assert not any(look.conditions.values())
    assert len(look.conditions) == 4


def test_numbers_are_compared_as_numbers() -> None:
    assert heard(FLAGS, b'{"code": 3.00}').looks[0].conditions == {event_codes()["overload"]: True}


@pytest.mark.parametrize(("value", "said"), [(None, None), ({}, "an object"), ([1], "an array")])
def test_what_tells_nothing_ends_no_alarm(value: object, said: str | None) -> None:
    found = heard(FLAGS, {"alarm": value})
    assert found.looks == ()
    assert (found.problem and found.problem.en) == (said and f"alarm: {said} is no single value")
    found = heard(ROWS, {"status": None})
    assert (found.looks, found.problem) == ((), None)


def test_a_simulated_device_tells_each_event_alone() -> None:
    for name in ("leak", "cover_opened", "relay_opened", "overload"):
        device = Device(FLAGS, "a1")
        device.lasting = {event_codes()[name]}
        (look,) = FLAGS.understand(*device.message(NOW_S), received=NOW).looks
        assert [code for code, lasts in look.conditions.items() if lasts] == [event_codes()[name]]


def test_a_simulated_device_shows_what_is_set() -> None:
    device = Device(METER, "a1", {ENERGY: 48_213_700, VOLTAGE: None})
    found = METER.understand(*device.message(NOW_S), received=NOW)
    assert values(found) == {ENERGY: (48_213_700, 0), VOLTAGE: (None, Quality.NO_VALUE)}


# Whatever comes -------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["e", "u", "d", "t", "rows", "status", "dev", "id", "alarm"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("profile", [METER, BOTH, TIMED, ROWS, FLAGS], ids=["meter", "both", "timed", "rows", "flags"])
@given(payload=JSON.map(lambda document: json.dumps(document).encode()) | st.binary(max_size=60))
def test_whatever_comes_nothing_is_raised(profile: Profile, payload: bytes) -> None:
    for topic in ("m/a1", "x", None):
        found = profile.understand(topic, payload, received=NOW)
        assert all(one.value is None or abs(one.value) < 1 << 63 for one in found.readings)
        assert all(0 < one.ts <= NOW + 86_400_000_000 for one in found.readings)
        assert found.address or not found.readings
