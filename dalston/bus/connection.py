"""One connection to NATS, and what the parts do through it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext

from dalston.bus import subjects
from dalston.bus.claims import Claims
from dalston.bus.errors import answered
from dalston.bus.events import EventFeed
from dalston.bus.settings import BusSettings
from dalston.bus.streams import (
    delete_consumer,
    ensure_consumer,
    ensure_streams,
    list_consumers,
)
from dalston.bus.tasks import Backlog, TaskQueue
from dalston.pipeline.tasks import Progress, TaskEvent, TaskId, TaskRequest

logger = logging.getLogger(__name__)


class Bus:
    """A connection that reconnects by itself, for ever; use as an async context manager.

    Every method raises BusUnavailable when the server does not answer in time.
    """

    def __init__(self, client: Client, settings: BusSettings) -> None:
        self.client = client
        self.settings = settings
        self.js: JetStreamContext = client.jetstream(timeout=settings.request_timeout)
        self.claims = Claims(self.js, settings)

    @classmethod
    async def connect(cls, settings: BusSettings | None = None, *, name: str) -> Self:
        """Connect, waiting for the server as long as it takes; `name` shows in its monitoring."""
        settings = settings or BusSettings()
        client = await nats.connect(
            servers=settings.url.split(","),
            name=name,
            user_credentials=str(settings.credentials) if settings.credentials else None,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,
            connect_timeout=2,
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=_log_error,
        )
        return cls(client, settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether the connection is up at this moment."""
        return bool(self.client.is_connected)

    async def close(self) -> None:
        """Send what is buffered, then close."""
        if not self.client.is_closed:
            await self.client.drain() if self.client.is_connected else await self.client.close()

    async def ensure_streams(self) -> None:
        """Create or update the streams and the claims bucket."""
        await answered(ensure_streams(self.js, self.settings))

    async def ensure_consumer(self, engine: str, lane: str) -> None:
        """Create the durable consumer of an engine and lane."""
        await answered(ensure_consumer(self.js, engine=engine, lane=lane, settings=self.settings))

    async def delete_consumer(self, engine: str, lane: str) -> None:
        """Remove the durable consumer of an engine and lane; its tasks stay."""
        await answered(delete_consumer(self.js, engine=engine, lane=lane))

    async def consumers(self) -> set[tuple[str, str]]:
        """Give engine and lane of every durable consumer of tasks."""
        return await answered(list_consumers(self.js))

    async def publish_task(self, request: TaskRequest, *, lane: str, again: str = "") -> None:
        """Queue a task; published twice within the duplicate window it counts once.

        `again` tells a task that was lost from its first publication. Raises QueueFull when the
        stream takes no more.
        """
        subject = subjects.task(engine=request.engine, lane=lane, task=request.id)
        await answered(
            self.js.publish(
                subject,
                request.model_dump_json(exclude_none=True).encode(),
                headers={"Nats-Msg-Id": f"{request.id}{again}"},
            )
        )

    async def is_queued(self, task: TaskId, *, engine: str, lane: str) -> bool:
        """Tell whether the task stream still holds that part's message, delivered or not."""
        subject = subjects.task(engine=engine, lane=lane, task=task)
        try:
            await answered(self.js.get_last_msg(subjects.TASKS, subject))
        except nats.js.errors.NotFoundError:
            return False
        return True

    def tasks(self, engine: str, lanes: list[str]) -> TaskQueue:
        """Give the queue that a worker of that engine pulls from, first lane first."""
        return TaskQueue(self.client, engine=engine, lanes=lanes, settings=self.settings)

    async def backlog(self, engine: str, lane: str) -> Backlog:
        """Count what waits and what runs in a lane; zeros when it has no consumer yet."""
        try:
            info = await answered(
                self.js.consumer_info(subjects.TASKS, subjects.consumer(engine, lane))
            )
        except nats.js.errors.NotFoundError:
            return Backlog(queued=0, running=0)
        return Backlog(queued=info.num_pending or 0, running=info.num_ack_pending or 0)

    async def publish_event(self, event: TaskEvent) -> None:
        """Tell the operator, and wait until the server has stored it."""
        subject = subjects.event(job=event.job, stage=event.stage, type=event.type)
        await answered(self.js.publish(subject, event.model_dump_json(exclude_none=True).encode()))

    async def tell_event(self, event: TaskEvent) -> None:
        """Tell the operator without waiting: for events whose loss does no harm."""
        subject = subjects.event(job=event.job, stage=event.stage, type=event.type)
        await answered(
            self.client.publish(subject, event.model_dump_json(exclude_none=True).encode())
        )

    def events(self) -> EventFeed:
        """Give the operator's feed of events."""
        return EventFeed(self.client)

    async def bury(self, stream_sequence: int) -> TaskRequest | None:
        """Move an undeliverable task to the dead letters; None when it is gone already."""
        try:
            message = await answered(self.js.get_msg(subjects.TASKS, stream_sequence))
        except nats.js.errors.NotFoundError:
            return None
        await answered(
            self.js.publish(
                subjects.dead_letter(message.subject or ""),
                message.data or b"",
                headers={
                    "Nats-Msg-Id": f"dead-{stream_sequence}",
                    "Dalston-Buried-At": datetime.now(UTC).isoformat(),
                },
            )
        )
        await answered(self.js.delete_msg(subjects.TASKS, stream_sequence))
        return TaskRequest.model_validate_json(message.data or b"")

    async def forget_job(self, job: str) -> None:
        """Remove all that the bus holds for a job but its dead letters: tasks and claims."""
        await self._purge(subjects.TASKS, subjects.tasks_of_job(job))
        await self._purge(f"KV_{subjects.CLAIMS}", subjects.claims_of_job(job))

    async def forget_dead_letters(self, job: str) -> None:
        """Remove the dead letters of a job."""
        await self._purge(subjects.DEAD, subjects.dead_of_job(job))

    async def cancel(self, job: str) -> None:
        """Tell workers to stop the job's tasks at once; removing its claims is what makes sure."""
        await answered(self.client.publish(subjects.cancel(job), b""))

    async def on_cancel(self, callback: Callable[[str], None]) -> Subscription:
        """Call back with the job's uid whenever a job is cancelled."""

        async def received(message: Msg) -> None:
            callback(message.subject.rsplit(".", 1)[-1])

        return await self.client.subscribe(subjects.ALL_CANCELS, cb=received)

    async def tell_progress(self, progress: Progress) -> None:
        """Tell whoever listens how far a task is."""
        await answered(
            self.client.publish(
                subjects.progress(progress.job), progress.model_dump_json().encode()
            )
        )

    async def on_progress(self, job: str, callback: Callable[[Progress], None]) -> Subscription:
        """Call back with the progress of a job's tasks; unsubscribe when done."""

        async def received(message: Msg) -> None:
            callback(Progress.model_validate_json(message.data))

        return await self.client.subscribe(subjects.progress(job), cb=received)

    async def claimed_jobs(self) -> set[str]:
        """Give the uids of all jobs that claims are held for."""
        return await self.claims.jobs()

    async def ping(self) -> None:
        """Make a round trip to JetStream."""
        await answered(self.js.account_info())

    async def _purge(self, stream: str, subject: str) -> None:
        await answered(self.js.purge_stream(stream, subject=subject))


async def _log_error(error: Exception) -> None:
    """Connection errors are retried for ever; what matters surfaces where a call fails."""
    logger.warning("NATS: %r", error)
