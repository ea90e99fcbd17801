"""Device profiles: a meter model is a text file, not a program.

    >>> from meterweave import profiles
    >>> meter = profiles.shipped("dlt645-single-phase")
    >>> meter.requests("12345678")[0].octets[-3:].hex()
    '335e16'

`load` and `check` read the language (`language`), `Profile` asks and understands, `Device` is a simulated device that
behaves so, `changes` makes events of states. A profile holds data only: nothing in it can run.
"""

from meterweave.profiles.check import check, load, parse
from meterweave.profiles.device import Device
from meterweave.profiles.library import find, shipped, texts
from meterweave.profiles.message import Heard, Look, Message, Messages, Value
from meterweave.profiles.mistake import Mistake, ProfileError
from meterweave.profiles.profile import Answer, Condition, Point, Profile, Row, State
from meterweave.profiles.speech import Access, Purpose, Request, Settings
from meterweave.profiles.watch import changes

__all__ = [
    "Access",
    "Answer",
    "Condition",
    "Device",
    "Heard",
    "Look",
    "Message",
    "Messages",
    "Mistake",
    "Point",
    "Profile",
    "ProfileError",
    "Purpose",
    "Request",
    "Row",
    "Settings",
    "State",
    "Value",
    "changes",
    "check",
    "find",
    "load",
    "parse",
    "shipped",
    "texts",
]
