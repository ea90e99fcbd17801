from __future__ import annotations

import pytest

from meterweave.profiles.topic import Topic, fault


@pytest.mark.parametrize(
    ("template", "topic", "device"),
    [
        ("site/+/{address}/up", "site/3/A-1/up", "a-1"),
        ("site/+/{address}/up", "site//a/up", "a"),
        ("site/+/{address}/up", "site/3/a/down", None),
        ("site/+/{address}/up", "site/3/a/up/x", None),
        ("site/+/{address}/up", "site/3/a/b/up", None),
        ("site/{address}/#", "site/a", "a"),
        ("site/{address}/#", "site/a/b/c", "a"),
        ("site/{address}/#", "site", None),
        ("site/{address}/#", "other/a", None),
        ("{address}", "a", "a"),
        ("{address}", "a\n", ""),
        ("m.x/{address}", "max/a", None),
        ("up", "up", ""),
        ("#", "any/thing", ""),
        ("site/{address}/up", "site/has space/up", ""),
        ("site/{address}/up", "site/" + "a" * 65 + "/up", ""),
        ("site/{address}/up", "site/.a/up", ""),
        ("site/{address}/up", "site/水/up", ""),
    ],
)
def test_a_topic_tells_its_device(template: str, topic: str, device: str | None) -> None:
    assert fault(template) is None
    assert Topic(template).device(topic) == device


def test_a_template_is_subscribed_to_and_filled_in() -> None:
    topic = Topic("site/+/{address}/#")
    assert topic.filter == "site/+/+/#"
    assert topic.device(topic.of("a1")) == "a1"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("", "1 to 200"),
        ("a" * 201, "1 to 200"),
        ("$SYS/{address}", "begins with"),
        ("$share/g/a/{address}", "begins with"),
        ("/a", "begins with"),
        ("a/", "ends with"),
        ("a/#/b", "is the last"),
        ("a/b#", "is the last"),
        ("a/b+/c", "one whole level"),
        ("{address}/{address}", "once"),
        ("a/x{address}", "whole level"),
        ("a/{adress}", "whole level"),
        ("a/{", "whole level"),
    ],
)
def test_what_is_no_template_is_told(template: str, said: str) -> None:
    words = fault(template)
    assert words is not None
    assert said in words.en
    assert words.zh


@pytest.mark.parametrize(
    ("one", "other", "covers"),
    [
        ("a/{address}/+", "a/{address}/up", True),
        ("a/{address}/up", "a/{address}/+", False),
        ("a/#", "a/{address}/up", True),
        ("a/{address}/#", "a/{address}", True),
        ("#", "{address}", True),
        ("{address}", "#", False),
        ("a/+", "a/#", False),
        ("a/+/#", "a/#", False),
        ("a/#", "a/#", True),
        ("{address}/up", "state/{address}", False),
        ("a/{address}/up", "a/{address}/state", False),
    ],
)
def test_one_template_may_cover_another(one: str, other: str, covers: bool) -> None:
    assert Topic(one).covers(Topic(other)) is covers
