"""Creates the streams, the bucket and the consumers, or brings them to their configuration."""

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from dalston.bus import subjects
from dalston.bus.settings import BusSettings

_MAX_WAITING = 8192
"""Pull requests that may wait at one consumer: above any number of workers of one engine; it cannot
be changed later."""

_GIB = 1024**3


def stream_configs(settings: BusSettings) -> list[StreamConfig]:
    """Give the configuration of every stream."""
    return [
        StreamConfig(
            name=subjects.TASKS,
            subjects=[subjects.ALL_TASKS],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.NEW,
            max_msgs=settings.max_tasks,
            duplicate_window=settings.duplicate_window,
            num_replicas=settings.replicas,
        ),
        StreamConfig(
            name=subjects.EVENTS,
            subjects=[subjects.ALL_EVENTS, subjects.MAX_DELIVERIES],
            retention=RetentionPolicy.LIMITS,
            max_age=settings.event_age,
            max_bytes=_GIB,
            duplicate_window=settings.duplicate_window,
            num_replicas=settings.replicas,
        ),
        StreamConfig(
            name=subjects.DEAD,
            subjects=[subjects.ALL_DEAD],
            retention=RetentionPolicy.LIMITS,
            max_age=settings.dead_letter_age,
            max_bytes=_GIB,
            num_replicas=settings.replicas,
        ),
    ]


async def ensure_streams(js: JetStreamContext, settings: BusSettings) -> None:
    """Create what is missing and update what differs; harmless when repeated."""
    for config in stream_configs(settings):
        try:
            await js.add_stream(config)
        except BadRequestError:
            await js.update_stream(config)
    await js.create_key_value(
        KeyValueConfig(
            bucket=subjects.CLAIMS, ttl=settings.claim_age, replicas=settings.replicas, history=1
        )
    )
    await js.add_consumer(
        subjects.EVENTS,
        ConsumerConfig(
            durable_name=subjects.OPERATOR_CONSUMER,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=settings.ack_wait * 2,
            max_ack_pending=100_000,
        ),
    )


def consumer_config(engine: str, lane: str, settings: BusSettings) -> ConsumerConfig:
    """Give the configuration of the durable consumer of an engine and lane."""
    return ConsumerConfig(
        durable_name=subjects.consumer(engine, lane),
        filter_subject=subjects.lane_filter(engine, lane),
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=settings.ack_wait,
        max_deliver=settings.max_deliver,
        max_ack_pending=100_000,
        max_waiting=_MAX_WAITING,
    )


async def ensure_consumer(
    js: JetStreamContext, *, engine: str, lane: str, settings: BusSettings
) -> None:
    """Create the durable consumer of an engine and lane; harmless when repeated."""
    await js.add_consumer(subjects.TASKS, consumer_config(engine, lane, settings))


async def list_consumers(js: JetStreamContext) -> set[tuple[str, str]]:
    """Give engine and lane of every durable consumer of tasks."""
    found: set[tuple[str, str]] = set()
    offset = 0
    while page := await js.consumers_info(subjects.TASKS, offset=offset):
        offset += len(page)
        for info in page:
            engine, _, lane = info.name.rpartition("_")
            found.add((engine, lane))
    return found


async def delete_consumer(js: JetStreamContext, *, engine: str, lane: str) -> None:
    """Remove the durable consumer of an engine and lane, if it is there; its tasks stay."""
    try:
        await js.delete_consumer(subjects.TASKS, subjects.consumer(engine, lane))
    except NotFoundError:
        return
