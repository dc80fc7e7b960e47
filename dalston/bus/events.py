"""The operator's feed: task events, and JetStream's advisories on tasks that nobody finishes.

Pull requests for many messages lie at the server all the time, so an event comes without a round
trip; they are laid anew when they are half used up, when they expire, or when the server is new.
"""

import asyncio
import json
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from dalston.bus import subjects
from dalston.bus.errors import answered
from dalston.pipeline.tasks import TaskEvent

_BATCH = 512
_EXPIRES = 5.0
"""Seconds that a pull request lies at the server: also how long a restarted server is waited for."""


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
        await answered(self.message.ack())


class EventFeed:
    """Events in order, as they come; use as an async context manager."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._asked_for = 0
        self._expire_at = float("-inf")
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await answered(self._client.subscribe(self._inbox, cb=self._received))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()

    async def next(self, *, limit: int = 256) -> list[EventDelivery]:
        """Wait for events and give all that are there, up to `limit`; none after a quiet while.

        Raises BusUnavailable while there is no connection and no room to buffer requests.
        """
        loop = asyncio.get_running_loop()
        if self._asked_for < _BATCH // 2 or loop.time() >= self._expire_at:
            await self._pull(loop.time())
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes with a message.
            async with asyncio.timeout(max(self._expire_at - loop.time(), 0.01)):
                first = await self._arrived.get()
        except TimeoutError:
            return []
        messages = [first]
        while len(messages) < limit and not self._arrived.empty():
            messages.append(self._arrived.get_nowait())
        return [_read(message) for message in messages]

    async def _pull(self, now: float) -> None:
        self._asked_for = _BATCH
        self._expire_at = now + _EXPIRES
        ask = {"batch": _BATCH, "expires": int(_EXPIRES * 1e9)}
        await answered(
            self._client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{subjects.EVENTS}.{subjects.OPERATOR_CONSUMER}",
                json.dumps(ask).encode(),
                reply=self._inbox,
            )
        )

    async def _received(self, message: Msg) -> None:
        if message.reply:
            self._asked_for -= 1
            self._arrived.put_nowait(message)


def _read(message: Msg) -> EventDelivery:
    if message.subject.startswith("$JS."):
        return EventDelivery(message, undeliverable=int(json.loads(message.data)["stream_seq"]))
    try:
        return EventDelivery(message, event=TaskEvent.model_validate_json(message.data))
    except ValidationError:
        return EventDelivery(message)
