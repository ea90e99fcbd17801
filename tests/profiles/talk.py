"""Asking a simulated device everything, as a collector does."""

from __future__ import annotations

from meterweave.profiles import Answer, Device, Heard, Profile, Purpose, Request

HEAD = """\
name: test
utility: electricity
protocol: modbus
readings:
"""


def frame_of(profile: Profile, request: Request, octets: bytes) -> bytes:
    """The one frame in what a device sent after `request`."""
    decoder = profile.decoder(request)
    frames = [event for event in (*decoder.feed(octets), *decoder.flush()) if isinstance(event, bytes)]
    assert len(frames) == 1, octets.hex()
    return frames[0]


def answers(profile: Profile, device: Device, address: str, now_s: int = 0) -> list[Answer]:
    """What a device answers to everything the profile asks; nothing may go wrong."""
    found = []
    for request in profile.requests(address):
        asked = request
        while asked is not None:
            answer = profile.answer(asked, frame_of(profile, asked, device.feed(asked.octets, now_s)))
            assert answer.problem is None, answer.problem
            found += [answer] if asked.purpose is Purpose.READ else []
            asked = answer.more
    return found


BEGIN_S = 1_767_225_600
"""The day on which devices speak by themselves: 2026-01-01 00:00 UTC."""


def said(profile: Profile, device: Device, now_s: int = 0) -> Heard:
    """What a device says by itself; nothing may go wrong."""
    message = device.message(BEGIN_S + now_s)
    heard = profile.understand(*message, received=(BEGIN_S + now_s) * 1_000_000)
    assert heard.problem is None, heard.problem
    assert heard.address == device.address
    return heard


def values(profile: Profile, device: Device, address: str, now_s: int = 0) -> dict[int, tuple[int | None, int]]:
    """Stored value and quality of every quantity: read, or, of a device that is not asked, as it tells them last."""
    if profile.protocol == "json":
        return {one.quantity: (one.value, one.quality) for one in said(profile, device, now_s).readings}
    rows = [row for answer in answers(profile, device, address, now_s) for row in answer.rows]
    return {row.point.quantity.code: (row.value, int(row.quality)) for row in rows}
