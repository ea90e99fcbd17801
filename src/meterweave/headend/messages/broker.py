"""An MQTT broker: where it is, as whom we come, and the client that acknowledges by hand."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiomqtt
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, MQTTMessage
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from meterweave.errors import ConfigError

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""The schemes of a broker's URL, and their usual ports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """One broker; every field says unit, default and why."""

    url: str
    """``mqtt://host`` or, encrypted, ``mqtts://host``, with ``:port`` where it is not the usual one."""

    username: str | None = None

    password: str | None = field(default=None, repr=False)

    ca: Path | None = None
    """PEM of the authorities that may have signed the broker's certificate; those of the system without it."""

    client_id: str = "meterweave"
    """The name under which the broker keeps our session. Two centres at one broker need two names."""

    version: str = "5"
    """Of MQTT; ``3.1.1`` for brokers that know no other."""

    session_s: int = 7 * 86_400
    """How long the broker keeps what comes while the centre is away. [s] A week, like a long outage; MQTT 5 only."""

    in_flight_max: int = 1000
    """Most messages that the broker delivers unacknowledged: what one fsync may cover. MQTT 5 only."""

    message_octets_max: int = 128 << 10
    """Longest packet that the broker may deliver. [octets] Twice the longest payload understood; MQTT 5 only."""

    keep_alive_s: int = 60
    """How often the broker is asked whether it is there, where nothing else is said. [s]"""

    again_s: float = 1.0
    """How long after a failure the broker is called again, doubled with each up to `again_s_max`. [s]"""

    again_s_max: float = 60.0

    def __post_init__(self) -> None:
        self.place()

    def place(self) -> tuple[str, int, bool]:
        """Host, port, and whether it is encrypted.

        Raises
        ------
        ConfigError
            If `url` is none of a broker. A password in it is refused: addresses are shown, and passwords are not.
        """
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as error:
            raise ConfigError(f"the MQTT broker's url is none: {error}") from error
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ConfigError("the MQTT broker's url must be mqtt://host[:port] or mqtts://host[:port]")
        if parts.username is not None or parts.password is not None:
            raise ConfigError("the MQTT broker's url holds a user; give username and password as settings of their own")
        return parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts"

    @property
    def name(self) -> str:
        """How it is shown."""
        host, port, _ = self.place()
        return f"{host}:{port}"


class Client(aiomqtt.Client):
    """aiomqtt's client, except that its owner takes and acknowledges each message.

    aiomqtt has no switch for that and keeps the DUP flag to itself; paho beneath it has both, in its public interface.
    This class is the one place that reaches through.
    """

    _client: PahoClient

    def __init__(self, broker: Broker, take: Callable[[MQTTMessage], None]) -> None:
        host, port, encrypted = broker.place()
        version_5 = broker.version == "5"
        super().__init__(
            host,
            port,
            username=broker.username,
            password=broker.password,
            identifier=broker.client_id,
            protocol=aiomqtt.ProtocolVersion.V5 if version_5 else aiomqtt.ProtocolVersion.V311,
            clean_start=False if version_5 else MQTT_CLEAN_START_FIRST_ONLY,  # what paho wants where there is none
            clean_session=None if version_5 else False,
            keepalive=broker.keep_alive_s,
            properties=_properties(broker) if version_5 else None,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # acknowledgements are a few octets each
            tls_context=_tls(broker) if encrypted else None,
        )
        self._client.manual_ack_set(True)
        self._client.on_message = lambda client, data, message: take(message)

    def acknowledge(self, mids: Sequence[int]) -> None:
        """Tell the broker that these messages of QoS 1 are kept; nothing where the connection is gone."""
        for mid in mids:
            self._client.ack(mid, 1)

    async def lost(self) -> None:
        """Wait for the end of the connection; raises `aiomqtt.MqttError` then."""
        async for _ in self.messages:
            pass  # none comes this way


def _properties(broker: Broker) -> Properties:
    found = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    found.SessionExpiryInterval = broker.session_s
    found.ReceiveMaximum = broker.in_flight_max
    found.MaximumPacketSize = broker.message_octets_max
    return found


def _tls(broker: Broker) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=broker.ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the authorities in {broker.ca} cannot be read: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
