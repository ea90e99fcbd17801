from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from meterweave.headend.dlt698 import Dlt698Driver
from meterweave.headend.driver import Heartbeat, Login, Logout, Other, Part, Push
from meterweave.headend.gdw1376 import Gdw1376Driver
from meterweave.protocols import dlt698
from meterweave.protocols.dlt698 import Link, Message
from meterweave.protocols.dlt698.access import (
    ReportNotificationTransData,
    ReportResponseRecordList,
    ReportResponseTransData,
)
from meterweave.protocols.dlt698.get import GetRequestNormal
from tests.headend import frames

ZONE = ZoneInfo("Asia/Shanghai")


def driver() -> Dlt698Driver:
    found = Dlt698Driver(100_000)
    found.online = True
    return found


@given(st.binary(min_size=1, max_size=16), st.integers(0, 255), st.integers(0, 0xFF), st.integers(0, 1))
def test_the_quick_response_is_the_one_the_protocol_builds(sa: bytes, piid: int, ca: int, logical: int) -> None:
    link = Link(0x83, len(sa) - 1 | logical << 4, sa, ca)
    report = frames.day_record([1], 1, 1, piid)
    said = driver().hear(dlt698.encode(Message(link, report)))
    key = int.from_bytes(sa[::-1], "big")
    if key >= 1 << 63:
        assert isinstance(said, Other)
        return
    assert isinstance(said, Push)
    assert said.address_key == key
    answer = Message(Link(0x03, link.af, sa, ca), ReportResponseRecordList(piid & 0xBF, (frames.FROZEN,)))
    assert said.acknowledgement == dlt698.encode(answer)


def test_what_698_terminals_say() -> None:
    here = driver()
    login, beat = frames.link_request(100, heartbeat_s=77), frames.link_request(100, frames.HEARTBEAT)
    end = frames.link_request(100, frames.LOGOUT)
    assert [here.hear(one) for one in (login, beat, end)] == [
        Login(0x100, 77, login),
        Heartbeat(0x100, beat),
        Logout(0x100, end),
    ]
    request = dlt698.encode(Message(frames.link(100, 0x43), GetRequestNormal(1, 0x4000_0200)))
    assert isinstance(here.hear(request), Other)
    passed_on = Message(frames.link(100), ReportNotificationTransData(3, 0xF201_0201, b"\x68"))
    said = here.hear(dlt698.encode(passed_on))
    assert isinstance(said, Push)
    assert dlt698.decode(said.acknowledgement).apdu == ReportResponseTransData(3)


def test_scrambled_reports_are_answered_scrambled() -> None:
    said = driver().hear(dlt698.encode(Message(frames.link(100, 0x8B), frames.day_record([1], 1, 1))))
    assert isinstance(said, Push)
    answer = dlt698.decode(said.acknowledgement)
    assert answer.link is not None
    assert answer.link.scrambled
    assert len(Dlt698Driver.readings([said.octets], received=0, zone=ZONE)) == 1


def test_fragments_become_one_push_with_the_readings_of_the_whole() -> None:
    record = frames.day_record(range(1, 101), 1, 5)
    whole = Dlt698Driver.readings([frames.report(100, range(1, 101), 1, 5)], received=9, zone=ZONE)
    *parts, last = frames.fragments(100, record, 100)
    here = driver()
    for part in parts:
        assert isinstance(here.hear(part), Part)
    push = here.hear(last)
    assert isinstance(push, Push)
    others = [frames.report(100, [3], 2, 5), push.octets, frames.report(100, [4], 2, 5)]
    found = Dlt698Driver.readings(others, received=9, zone=ZONE)
    assert len(found) == 102
    assert found.frame.tolist() == [0, *[1] * 100, 2]
    assert found.meter[1:-1].tolist() == whole.meter.tolist()
    assert found.value[1:-1].tolist() == whole.value.tolist()
    assert found.ts[1:-1].tolist() == whole.ts.tolist()


def test_fragments_are_bounded() -> None:
    here = Dlt698Driver(150)
    here.online = True
    said = [here.hear(part) for part in frames.fragments(100, frames.day_record(range(20), 1, 5), 100)]
    assert isinstance(said[0], Part)
    assert isinstance(said[1], Other)


def test_what_1376_terminals_say() -> None:
    here = Gdw1376Driver(1)
    key = 0x33010007
    login, beat = frames.gdw_login(0x3301, 7), frames.gdw_heartbeat(0x3301, 7)
    end = frames.gdw_logout(0x3301, 7)
    assert [here.hear(one) for one in (login, beat, end)] == [
        Login(key, 0, login),
        Heartbeat(key, beat),
        Logout(key, end),
    ]
    said = here.hear(frames.gdw_report(0x3301, 7, 5, "2026-11-20", "1.0000"))
    assert isinstance(said, Push)
    assert said.acknowledgement
    said = here.hear(frames.gdw_report(0x3301, 7, 5, "2026-11-20", "1.0000", con=False))
    assert isinstance(said, Push)
    assert said.acknowledgement == b""
    own_confirmation = here.confirm(Login(key, 0, login), received_us=0, now_us=0, zone=ZONE)
    assert isinstance(here.hear(own_confirmation), Other)
