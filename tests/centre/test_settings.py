"""Settings: file, environment, defaults, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from meterweave.centre import CentreSettings, LineSettings, Listener, load
from meterweave.centre.direct import PASSWORD, USERNAME, MqttBroker, UdpPort
from meterweave.errors import ConfigError

REFERENCE = (Path(__file__).parents[2] / "docs/reference/settings.md").read_text(encoding="utf-8")


def written(folder: Path, text: str) -> Path:
    path = folder / "centre.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_need_no_file() -> None:
    settings = load()
    assert [(one.protocol, one.host) for one in settings.listeners] == [
        ("dlt698", "127.0.0.1"),
        ("gdw1376-1", "127.0.0.1"),
    ]
    assert not settings.enrol
    assert settings.registry is None


def test_the_file_of_the_reference_is_good(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    settings = load(written(tmp_path, text))
    assert settings.listeners[0].allow == ("10.20.0.0/16", "2001:db8:20::/48")
    assert settings.listeners[1].tls_key == Path("centre.key")
    assert settings.head_end.answer_s == 30.0
    assert settings.collection.calls_max == 400
    assert settings.lake.retention_days == 3650
    assert (settings.lines.dtu_port, settings.lines.allow) == (9645, ("10.30.0.0/16",))
    assert settings.zone == ZoneInfo("Asia/Shanghai")


def test_the_environment_goes_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "enrol = false\n[head_end]\nanswer_s = 30\nsweep_s = 2\n")
    monkeypatch.setenv("METERWEAVE_HEAD_END__ANSWER_S", "40")
    monkeypatch.setenv("METERWEAVE_ENROL", "true")
    monkeypatch.setenv("METERWEAVE_REGISTRY", "postgresql://db/there")
    settings = load(path)
    assert (settings.head_end.answer_s, settings.head_end.sweep_s, settings.enrol) == (40.0, 2.0, True)
    assert settings.registry == "postgresql://db/there"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("enroll = true", "enroll"),
        ("[head_end]\nanswers_s = 3", "answers_s"),
        ("[head_end]\nanswer_s = -3", "answer_s"),
        ("[head_end]\nanswer_s = 'soon'", "head_end.*answer_s"),
        ("[[listeners]]\nprotocol = 'dlt698'", "port"),
        ("[[listeners]]\nprotocol = 'dlt645'\nport = 1", "protocol"),
        ("[[listeners]]\nprotocol = 'dlt698'\nport = 70000", "port"),
        ("[[listeners]]\nprotocol = 'dlt698'\nport = 1\ntls_key = 'a'", "belong together"),
        ("[[listeners]]\nprotocol = 'dlt698'\nport = 1\ntls_clients = 'a'", "tls_certificate"),
        ("[[mqtt]]\nurl = 'http://broker'\nprofiles = ['json-meter']", "mqtt://host"),
        ("[[mqtt]]\nurl = 'mqtt://me:secret@broker'\nprofiles = ['json-meter']", "username and password"),
        ("[[mqtt]]\nurl = 'mqtt://broker'\nprofiles = []", "profiles"),
        ("[[mqtt]]\nurl = 'mqtt://broker'\nprofiles = ['json-meter']\nversion = '4'", "version"),
        (
            "[[mqtt]]\nurl = 'mqtt://Broker'\nprofiles = ['a']\n[[mqtt]]\nurl = 'mqtt://broker:1883'\nprofiles = ['b']",
            "client_id meterweave at broker:1883 .* one table",
        ),
        ("[[udp]]\nport = 1", "protocol or profiles"),
        ("[[udp]]\nport = 1\nprotocol = 'dlt698'\nprofiles = ['json-meter']", "not both"),
        ("[[udp]]\nport = 1\nprotocol = 'modbus'", "protocol"),
        ("zone = 'Middle/Earth'", "zone"),
        ("[control]\nrelay_password = '123456'", "relay_password"),
        ("[lake]\nzone = 'Europe/Berlin'", "zone"),
        ("zone = ", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(written(tmp_path, text))


def test_the_authority_comes_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERWEAVE_RELAY_PASSWORD", "123456")
    found = load(written(tmp_path, "[control]\neffect_within_s = 60\n")).of_commands
    assert (found.effect_within_s, found.relay_password) == (60.0, bytes.fromhex("123456"))


def test_a_broker_s_password_may_come_from_the_environment_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "[[mqtt]]\nurl = 'mqtts://broker'\nprofiles = ['json-meter']\n"
    monkeypatch.setenv(USERNAME, "centre")
    monkeypatch.setenv(PASSWORD, "hunter2")
    (told,) = load(written(tmp_path, text)).mqtt
    assert (told.broker().username, told.broker().password) == ("centre", "hunter2")
    assert told.broker().place() == ("broker", 8883, True)
    (own,) = load(written(tmp_path, f"{text}username = 'me'\npassword = 'secret'\n")).mqtt
    assert (own.broker().username, own.broker().password) == ("me", "secret")
    assert "secret" not in f"{own!r}{own.broker()!r}"


def test_two_tables_of_one_broker_are_good_under_two_names(tmp_path: Path) -> None:
    table = "[[mqtt]]\nurl = 'mqtt://broker'\nprofiles = ['json-meter']\n"
    assert len(load(written(tmp_path, f"{table}{table}client_id = 'two'\n")).mqtt) == 2


def test_the_days_of_the_lake_are_those_of_the_centre(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "zone = 'Europe/Berlin'\n[lake]\nframes_days = 2\n"))
    assert (settings.of_lake.zone, settings.of_lake.frames_days) == (ZoneInfo("Europe/Berlin"), 2)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "name",
    [
        *CentreSettings.model_fields,
        *Listener.model_fields,
        *LineSettings.model_fields,
        *MqttBroker.model_fields,
        *UdpPort.model_fields,
    ],
)
def test_every_setting_is_told(name: str) -> None:
    assert f"`{name}`" in REFERENCE
