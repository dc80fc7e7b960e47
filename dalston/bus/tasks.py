"""A worker's queue: one task at a time, the first lane that has one.

Each lane has its own durable consumer. While nothing waits, one pull request lies at every lane; a
task that arrives through a second lane when the first has served is handed back at once.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from dalston.bus import subjects
from dalston.bus.errors import BusUnavailable
from dalston.bus.settings import BusSettings
from dalston.bus.streams import ensure_consumer
from dalston.pipeline.tasks import TaskRequest

logger = logging.getLogger(__name__)

_NOTHING = ("404", "408")
_LINGER = 5.0
"""Seconds that a pull request lies at the server; renewed as long as the worker is idle."""


@dataclass(frozen=True)
class Backlog:
    """Tasks of a lane: waiting, and held by workers."""

    queued: int
    running: int


@dataclass(frozen=True)
class TaskDelivery:
    """A task that this worker holds until it acknowledges, hands back, or stays silent too long."""

    message: Msg
    request: TaskRequest

    @property
    def deliveries(self) -> int:
        """How often the task was delivered, this time included."""
        return self.message.metadata.num_delivered or 1

    async def ack(self) -> None:
        """Remove the task from the queue, and wait until the server has done so."""
        try:
            await self.message.ack_sync(timeout=5)
        except nats.errors.TimeoutError as error:
            raise BusUnavailable("the acknowledgement was not confirmed") from error

    async def hand_back(self, *, delay: float | None = None) -> None:
        """Give the task to another worker, at once or after `delay` seconds."""
        await self.message.nak(delay=delay)

    async def in_progress(self) -> None:
        """Say that work goes on: the silence starts anew."""
        await self.message.in_progress()


class TaskQueue:
    """Pulls tasks of one engine; use as an async context manager, one `next()` at a time."""

    def __init__(
        self, client: Client, *, engine: str, lanes: list[str], settings: BusSettings
    ) -> None:
        self._client = client
        self._engine = engine
        self._lanes = lanes
        self._settings = settings
        self._inboxes = {lane: client.new_inbox() for lane in lanes}
        self._subscriptions: list[Subscription] = []
        self._pulled: dict[str, float] = {}
        self._arrived: asyncio.Queue[Msg] = asyncio.Queue()
        self._wanted = False

    async def __aenter__(self) -> Self:
        for lane in self._lanes:
            await self._ensure(lane)
            self._subscriptions.append(
                await self._client.subscribe(self._inboxes[lane], cb=self._receiver(lane))
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._client.is_closed:
            for subscription in self._subscriptions:
                await subscription.unsubscribe()

    async def next(self, *, timeout: float) -> TaskDelivery | None:
        """Wait for a task; None after `timeout` seconds without one. Raises BusUnavailable."""
        self._wanted = True
        try:
            message = await self._probe() or await self._wait(timeout)
        finally:
            self._wanted = False
            await self._hand_back_arrived()
        if message is None:
            return None
        return TaskDelivery(message, TaskRequest.model_validate_json(message.data))

    async def _probe(self) -> Msg | None:
        """Ask each lane for a task that waits already, in order."""
        ask = json.dumps({"batch": 1, "no_wait": True}).encode()
        for lane in self._lanes:
            if not self._arrived.empty():
                return self._arrived.get_nowait()
            message = await self._request(lane, ask)
            if message is not None:
                return message
        return None

    async def _request(self, lane: str, ask: bytes) -> Msg | None:
        # A delivered task carries its own subject, so the shared reply inbox cannot route it.
        try:
            message = await self._client.request(
                self._next_subject(lane),
                ask,
                timeout=self._settings.request_timeout,
                old_style=True,
            )
        except nats.errors.NoRespondersError:
            await self._ensure(lane)
            return None
        except nats.errors.TimeoutError as error:
            raise BusUnavailable(f"no answer for a task of {self._engine}") from error
        return None if _status(message) else message

    async def _wait(self, timeout: float) -> Msg | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            await self._pull()
            try:
                return await asyncio.wait_for(self._arrived.get(), min(left, _LINGER))
            except TimeoutError:
                continue
        return None

    async def _pull(self) -> None:
        """Lay a pull request at each lane that has none."""
        now = asyncio.get_running_loop().time()
        ask = json.dumps({"batch": 1, "expires": int(_LINGER * 1e9)}).encode()
        for lane in self._lanes:
            if self._pulled.get(lane, 0.0) <= now:
                self._pulled[lane] = now + _LINGER
                await self._client.publish(self._next_subject(lane), ask, reply=self._inboxes[lane])

    def _receiver(self, lane: str) -> Callable[[Msg], Awaitable[None]]:
        async def received(message: Msg) -> None:
            self._pulled.pop(lane, None)
            status = _status(message)
            if status:
                if status not in _NOTHING:
                    logger.debug("pull request of lane %s ended with status %s", lane, status)
            elif self._wanted and self._arrived.empty():
                self._arrived.put_nowait(message)
            else:
                await message.nak()

        return received

    async def _hand_back_arrived(self) -> None:
        while not self._arrived.empty():
            await self._arrived.get_nowait().nak()

    async def _ensure(self, lane: str) -> None:
        await _answered(
            lambda: ensure_consumer(
                self._client.jetstream(timeout=self._settings.request_timeout),
                engine=self._engine,
                lane=lane,
                settings=self._settings,
            )
        )

    def _next_subject(self, lane: str) -> str:
        consumer = subjects.consumer(self._engine, lane)
        return f"$JS.API.CONSUMER.MSG.NEXT.{subjects.TASKS}.{consumer}"


async def _answered(call: Callable[[], Awaitable[None]]) -> None:
    try:
        await call()
    except (nats.errors.TimeoutError, nats.errors.NoRespondersError) as error:
        raise BusUnavailable("JetStream did not answer") from error
    except nats.js.errors.ServiceUnavailableError as error:
        raise BusUnavailable("JetStream is not ready") from error


def _status(message: Msg) -> str | None:
    """Give the status of a message that is no task, such as 404 for "nothing waits"."""
    if message.headers is None or message.reply:
        return None
    return message.headers.get("Status")
