"""Collection: plans, what is missing, reading it again, and how well it goes.

plans (archives) ─► moments ─► counting (lake) ─► book of gaps ─► calls through the gate ─► readings ─► lake
"""

from meterweave.headend.collection.book import Progress, Tally
from meterweave.headend.collection.collector import Caller, Collector
from meterweave.headend.collection.gate import CallGate, GateFull, Lane
from meterweave.headend.collection.plan import Plan, read_plans
from meterweave.headend.collection.settings import CollectionSettings

__all__ = [
    "CallGate",
    "Caller",
    "CollectionSettings",
    "Collector",
    "GateFull",
    "Lane",
    "Plan",
    "Progress",
    "Tally",
    "read_plans",
]
