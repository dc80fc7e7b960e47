"""A worker's queue: one task at a time, the first lane that has one.

Each lane has its own durable consumer. Only while nothing waits does a pull request lie at every lane;
once one is served the others are withdrawn, so a busy worker is sent nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from pydantic import ValidationError

from dalston.bus import subjects
from dalston.bus.errors import BusUnavailable, answered
from dalston.bus.settings import BusSettings
from dalston.bus.streams import ensure_consumer
from dalston.pipeline.tasks import TaskRequest

logger = logging.getLogger(__name__)

_LINGER = 5.0
"""Seconds that a pull request lies at the server; laid anew as long as the worker is idle."""

_GRACE = 1.0
"""Seconds for the server to say that a pull request has ended."""

_SERVED_NOTHING = ("404", "408")
"""Statuses after which a pull request is laid anew; after others, when it would have ended."""

_NOW = b'{"batch":1,"no_wait":true}'
_LATER = f'{{"batch":1,"expires":{int(_LINGER * 1e9)}}}'.encode()


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

    async def ack(self, *, confirmed: bool = True) -> None:
        """Remove the task from the queue.

        Waits until the server has done so, unless the task may as well be delivered once more.
        """
        if not confirmed:
            await answered(self.message.ack())
            return
        await answered(self.message.ack_sync(timeout=5))

    async def hand_back(self, *, delay: float | None = None) -> None:
        """Give the task to another worker, at once or after `delay` seconds."""
        await answered(self.message.nak(delay=delay))

    async def in_progress(self) -> None:
        """Say that work goes on: the silence starts anew."""
        await answered(self.message.in_progress())


class TaskQueue:
    """Pulls tasks of one engine; use as an async context manager, one `next()` at a time.

    `next()` may be cancelled: a task on its way then is handed back.
    """

    def __init__(
        self, client: Client, *, engine: str, lanes: list[str], settings: BusSettings
    ) -> None:
        self._client = client
        self._engine = engine
        self._lanes = lanes
        self._settings = settings
        self._probe: _Inbox | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        for lane in self._lanes:
            await self._ensure(lane)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._drop_probe()
        await asyncio.gather(*self._closing)

    async def next(self, *, timeout: float) -> TaskDelivery | None:
        """Wait for a task; None after `timeout` seconds without one. Raises BusUnavailable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            message = await self._ask_each() or await self._wait(deadline - loop.time())
            if message is None:
                return None
            try:
                return TaskDelivery(message, TaskRequest.model_validate_json(message.data))
            except ValidationError:
                logger.exception("a task that cannot be read", extra={"subject": message.subject})
                # A worker of another version may read it; if none can, it becomes a dead letter.
                await answered(message.nak(delay=self._settings.ack_wait))

    async def _ask_each(self) -> Msg | None:
        """Ask each lane for a task that waits already, in order."""
        for lane in self._lanes:
            try:
                message = await self._ask(lane)
            except TimeoutError:
                await self._ensure(lane)  # nobody answers for a consumer that is not there
                continue
            if _status(message) is None:
                return message
        return None

    async def _ask(self, lane: str) -> Msg:
        if self._probe is None:
            self._probe = _Inbox(self._client)
            await self._probe.open()
        arrival = self._probe.expect()
        try:
            await self._probe.pull(self._next_subject(lane), _NOW)
            async with asyncio.timeout(self._settings.request_timeout):
                await asyncio.wait([arrival])
            return self._probe.take()
        except BaseException:
            self._drop_probe()  # the answer may still come: it is not that of the next question
            raise

    async def _wait(self, timeout: float) -> Msg | None:
        """Lay a pull request at each lane until one is served."""
        if timeout <= 0:
            return None
        inboxes = {lane: _Inbox(self._client) for lane in self._lanes}
        try:
            for inbox in inboxes.values():
                await inbox.open()
            return await self._first(inboxes, timeout)
        finally:
            for inbox in inboxes.values():
                self._drop(inbox)

    async def _first(self, inboxes: dict[str, "_Inbox"], timeout: float) -> Msg | None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        arrivals = {lane: inbox.expect() for lane, inbox in inboxes.items()}
        lapse_at = dict.fromkeys(inboxes, loop.time())
        for lane, inbox in inboxes.items():
            await self._lay(lane, inbox, lapse_at)
        while (now := loop.time()) < deadline:
            await asyncio.wait(
                arrivals.values(),
                timeout=min(deadline, *lapse_at.values()) - now,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for lane in [lane for lane, arrival in arrivals.items() if arrival.done()]:
                message = inboxes[lane].take()
                if _status(message) is None:
                    return message
                arrivals[lane] = inboxes[lane].expect()
                if _status(message) in _SERVED_NOTHING:
                    await self._lay(lane, inboxes[lane], lapse_at)
            for lane in [lane for lane, due in lapse_at.items() if due <= loop.time()]:
                await self._ensure(lane)  # no answer: the server or the consumer is a new one
                await self._lay(lane, inboxes[lane], lapse_at)
        return None

    async def _lay(self, lane: str, inbox: "_Inbox", lapse_at: dict[str, float]) -> None:
        lapse_at[lane] = asyncio.get_running_loop().time() + _LINGER + _GRACE
        await inbox.pull(self._next_subject(lane), _LATER)

    async def _ensure(self, lane: str) -> None:
        js = self._client.jetstream(timeout=self._settings.request_timeout)
        try:
            await answered(
                ensure_consumer(js, engine=self._engine, lane=lane, settings=self._settings)
            )
        except nats.js.errors.NotFoundError as error:
            raise BusUnavailable("the task stream does not exist yet") from error

    def _next_subject(self, lane: str) -> str:
        consumer = subjects.consumer(self._engine, lane)
        return f"$JS.API.CONSUMER.MSG.NEXT.{subjects.TASKS}.{consumer}"

    def _drop_probe(self) -> None:
        if self._probe is not None:
            self._drop(self._probe)
            self._probe = None

    def _drop(self, inbox: "_Inbox") -> None:
        task = asyncio.get_running_loop().create_task(inbox.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class _Inbox:
    """Where the answers to pull requests come; a task that nobody takes is handed back."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._subject = client.new_inbox()
        self._subscription: Subscription | None = None
        self._expected: asyncio.Future[Msg] | None = None

    async def open(self) -> None:
        self._subscription = await answered(self._client.subscribe(self._subject, cb=self._receive))

    async def pull(self, subject: str, ask: bytes) -> None:
        await answered(self._client.publish(subject, ask, reply=self._subject))

    def expect(self) -> asyncio.Future[Msg]:
        """Give a future for the next answer; it is never to be cancelled."""
        self._expected = asyncio.get_running_loop().create_future()
        return self._expected

    def take(self) -> Msg:
        """Give the answer that came: it is the caller's now."""
        expected, self._expected = self._expected, None
        assert expected is not None
        return expected.result()

    async def close(self) -> None:
        """Withdraw the pull requests: the server drops those that nobody listens for."""
        expected, self._expected = self._expected, None
        if expected is not None and expected.done() and _status(expected.result()) is None:
            await _quietly(expected.result().nak())
        if self._subscription is not None and not self._client.is_closed:
            if self._client.is_connected:
                await _quietly(asyncio.wait_for(self._subscription.drain(), _GRACE))
            else:
                await _quietly(self._subscription.unsubscribe())

    async def _receive(self, message: Msg) -> None:
        if self._expected is not None and not self._expected.done():
            self._expected.set_result(message)
        elif _status(message) is None:
            await _quietly(message.nak())


async def _quietly(call: Awaitable[None]) -> None:
    """Do what may be left undone when the connection fails: the task is delivered again in time."""
    try:
        await call
    except (TimeoutError, nats.errors.Error) as error:
        logger.debug("not done while closing: %r", error)


def _status(message: Msg) -> str | None:
    """Give the status of a message that is no task, such as 404 for "nothing waits"."""
    if message.headers is None or message.reply:
        return None
    return message.headers.get("Status")
