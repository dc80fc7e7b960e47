"""The operator's feed: task events, and JetStream's advisories on tasks that nobody finishes."""

import json
from dataclasses import dataclass

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from pydantic import ValidationError

from dalston.pipeline.tasks import TaskEvent


@dataclass(frozen=True)
class EventDelivery:
    """One message of the feed: an event, or the stream sequence of an undeliverable task.

    Both are None for a message that cannot be read; it is to be acknowledged and logged.
    """

    message: Msg
    event: TaskEvent | None = None
    undeliverable: int | None = None

    async def ack(self) -> None:
        """Say that its effect is stored: it is not delivered again."""
        await self.message.ack()


class EventFeed:
    """Pulls events in batches, in order."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def next(self, *, limit: int = 256, timeout: float = 5.0) -> list[EventDelivery]:
        """Wait for events; gives none when nothing came for `timeout` seconds."""
        try:
            messages = await self._subscription.fetch(batch=limit, timeout=timeout)
        except nats.errors.TimeoutError:
            return []
        return [_read(message) for message in messages]


def _read(message: Msg) -> EventDelivery:
    if message.subject.startswith("$JS."):
        return EventDelivery(message, undeliverable=int(json.loads(message.data)["stream_seq"]))
    try:
        return EventDelivery(message, event=TaskEvent.model_validate_json(message.data))
    except ValidationError:
        return EventDelivery(message)
