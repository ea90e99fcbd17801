"""Devices that speak for themselves and hold no session: over MQTT, through a broker, or in UDP datagrams.

broker ─► subscriber ─► delivery ─┐
                                  ├─► source (a profile's words) ─► reception (who is it?) ─► Intake ─► journal
UDP ─► datagrams (rate, repeats) ─┘
"""

from meterweave.headend.messages.broker import Broker
from meterweave.headend.messages.condition import Conditions
from meterweave.headend.messages.datagrams import DatagramPort, DatagramSettings, Dlt698Port, MessagePort
from meterweave.headend.messages.house import House
from meterweave.headend.messages.memory import Memory
from meterweave.headend.messages.source import MessageSource
from meterweave.headend.messages.subscriber import Subscriber

__all__ = [
    "Broker",
    "Conditions",
    "DatagramPort",
    "DatagramSettings",
    "Dlt698Port",
    "House",
    "Memory",
    "MessagePort",
    "MessageSource",
    "Subscriber",
]
