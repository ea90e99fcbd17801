"""The settings of a whole centre: a TOML file, then the environment over it, into one frozen object.

``METERWEAVE_HEAD_END__ANSWER_S=30`` sets ``answer_s`` in the table ``[head_end]``. What is misspelt is refused: a bound
that somebody believes to be set must be.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from meterweave.centre.api_settings import ApiSettings
from meterweave.centre.direct import MqttBroker, UdpPort
from meterweave.centre.gateway_settings import GatewaysSettings
from meterweave.errors import ConfigError
from meterweave.headend import HeadEndSettings
from meterweave.headend.collection import CollectionSettings
from meterweave.headend.dispatch import ControlSettings
from meterweave.lake import LakeSettings
from meterweave.metering.clock import SHANGHAI


class Listener(BaseModel):
    """A port for terminals of one protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    protocol: Literal["dlt698", "gdw1376-1"]
    host: str = "127.0.0.1"
    """The address to listen on; this machine alone, until told otherwise. ``0.0.0.0`` is all of IPv4."""
    port: int = Field(ge=0, le=65535)
    allow: tuple[str, ...] = ()
    """Networks from which terminals may call; none named: any."""
    tls_certificate: Path | None = None
    """PEM, with its chain. With it terminals have to speak TLS."""
    tls_key: Path | None = None
    tls_clients: Path | None = None
    """PEM of the authorities that sign terminals' certificates; with it a terminal needs one."""

    @model_validator(mode="after")
    def _complete(self) -> Listener:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together")
        if self.tls_clients is not None and self.tls_certificate is None:
            raise ValueError("tls_clients needs tls_certificate and tls_key")
        return self


class LineSettings(BaseModel):
    """How the lines are reached that the centre masters itself; which there are, the archives say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtu_host: str = "127.0.0.1"
    """The address to which DTUs dial; this machine alone, until told otherwise."""
    dtu_port: int | None = Field(default=None, ge=0, le=65535)
    """The port for it; without one no DTU can dial."""
    allow: tuple[str, ...] = ()
    """Networks from which DTUs may dial; none named: any. A DTU proves nothing: name them, or use a VPN."""


def _known_keys(kind: type, *without: str) -> BeforeValidator:
    """Refuse keys that `kind`, a dataclass, does not have, or are `without`; pydantic would pass over them."""
    names = {field.name for field in fields(kind)} - set(without)

    def check(value: Any) -> Any:
        if isinstance(value, dict) and (unknown := sorted(value.keys() - names)):
            raise ValueError(f"unknown: {', '.join(map(str, unknown))}")
        return value

    return BeforeValidator(check)


DEFAULT_LISTENERS = (Listener(protocol="dlt698", port=9698), Listener(protocol="gdw1376-1", port=9376))
"""Where the centre listens unless told otherwise: on this machine alone."""


class CentreSettings(BaseSettings):
    """Settings of a centre; made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix="METERWEAVE_", env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True
    )

    listeners: tuple[Listener, ...] = DEFAULT_LISTENERS
    registry: str | None = None
    """URL of the archives' database; without it SQLite in the data folder."""
    enrol: bool = False
    """Take unknown terminals and meters into the archives."""
    commission: bool = False
    """Give terminals that call for the first time their meters, their tasks and the time."""
    zone: ZoneInfo = SHANGHAI
    """In which the clocks of devices run, and whose midnight parts the days."""
    head_end: Annotated[HeadEndSettings, _known_keys(HeadEndSettings)] = HeadEndSettings()
    collection: Annotated[CollectionSettings, _known_keys(CollectionSettings)] = CollectionSettings()
    control: Annotated[
        ControlSettings, _known_keys(ControlSettings, "relay_level", "relay_password", "relay_operator")
    ] = ControlSettings()
    """How commands are carried out; not what makes meters obey, which only the environment tells."""
    mqtt: tuple[MqttBroker, ...] = ()
    """Brokers to which devices report."""
    udp: tuple[UdpPort, ...] = ()
    """Ports for datagrams."""
    lines: LineSettings = LineSettings()
    gateways: Annotated[GatewaysSettings, _known_keys(GatewaysSettings)] = GatewaysSettings()
    """Where gateways at the sites call."""
    api: Annotated[ApiSettings, _known_keys(ApiSettings)] = ApiSettings()
    """Where programs and browsers call."""
    lake: Annotated[LakeSettings, _known_keys(LakeSettings, "zone")] = LakeSettings()

    @model_validator(mode="after")
    def _brokers_differ(self) -> CentreSettings:
        sessions = Counter((one.broker().name, one.client_id) for one in self.mqtt)
        for (broker, client_id), count in sessions.items():
            if count > 1:
                raise ValueError(
                    f"{count} tables [[mqtt]] with client_id {client_id} at {broker} would take each other's messages; "
                    "name all profiles in one table, or give each table a client_id of its own"
                )
        return self

    @property
    def of_commands(self) -> ControlSettings:
        """The settings of commands, with the authority that the environment gives.

        Raises
        ------
        ConfigError
            If it gives one that is none.
        """
        given = ControlSettings.of_environment()
        return replace(
            self.control,
            relay_level=given.relay_level,
            relay_password=given.relay_password,
            relay_operator=given.relay_operator,
        )

    @property
    def of_lake(self) -> LakeSettings:
        """The settings of the lake, whose days are those of the centre."""
        return replace(self.lake, zone=self.zone)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The file comes as arguments, and the environment goes before it.
        return env_settings, init_settings


def load(path: Path | None = None) -> CentreSettings:
    """The settings in the TOML file `path`, the environment over them, defaults below.

    Raises
    ------
    ConfigError
        If the file cannot be read, or anything in it or in the environment is not as it has to be.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
        return CentreSettings(**told)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the settings in {path} cannot be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise ConfigError(f"the settings{f' in {path}' if path else ''} are not right: {wrong}") from error
