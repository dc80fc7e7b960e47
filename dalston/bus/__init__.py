"""JetStream: tasks out, events back, claims, and dead letters; see `dalston.bus.subjects`."""

from dalston.bus.claims import Claim, Claims
from dalston.bus.connection import Bus
from dalston.bus.errors import BusUnavailable, QueueFull
from dalston.bus.events import EventDelivery, EventFeed
from dalston.bus.settings import BusSettings
from dalston.bus.tasks import Backlog, TaskDelivery, TaskQueue

__all__ = [
    "Backlog",
    "Bus",
    "BusSettings",
    "BusUnavailable",
    "Claim",
    "Claims",
    "EventDelivery",
    "EventFeed",
    "QueueFull",
    "TaskDelivery",
    "TaskQueue",
]
