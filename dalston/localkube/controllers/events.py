"""Events: what `kubectl describe` and `kubectl events` show. Repeats are counted, surplus ones deleted.

Recording never waits and never fails its caller: events go through a bounded queue to one writer, and
are dropped (counted, logged) when it cannot keep up.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import logging
import time
from dataclasses import dataclass
from typing import Any

from dalston.kube import AlreadyExists, ApiError, ApiUnavailable, KubeClient, NotFound
from dalston.kube.kinds import EVENTS
from dalston.localkube.controllers.settings import ControllerSettings
from dalston.localkube.controllers.times import stamp

JSON = dict[str, Any]
logger = logging.getLogger(__name__)

_QUEUE = 1000
_SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Occurrence:
    about: tuple[str, ...]
    """apiVersion, kind, namespace, name, uid, fieldPath."""
    warning: bool
    reason: str
    message: str
    at: float

    @property
    def name(self) -> str:
        """The same for repeats, so that a restart goes on counting."""
        identity = "\0".join((*self.about, self.reason, self.message)).encode()
        return f"{self.about[3][:200]}.{hashlib.sha256(identity).hexdigest()[:16]}"


class EventRecorder:
    """Writes Events as one component; run `run()` as a task."""

    def __init__(self, client: KubeClient, *, component: str) -> None:
        self._client = client
        self._component = component
        self._queue: asyncio.Queue[_Occurrence] = asyncio.Queue(_QUEUE)
        self.dropped = 0

    def normal(self, obj: JSON, reason: str, message: str, *, field: str = "") -> None:
        """Record something expected about an object."""
        self._record(obj, False, reason, message, field)

    def warning(self, obj: JSON, reason: str, message: str, *, field: str = "") -> None:
        """Record something that a person may have to look at."""
        self._record(obj, True, reason, message, field)

    def _record(self, obj: JSON, warning: bool, reason: str, message: str, field: str) -> None:
        meta = obj["metadata"]
        about = (
            str(obj.get("apiVersion", "v1")),
            str(obj["kind"]),
            str(meta.get("namespace") or "default"),
            str(meta["name"]),
            str(meta.get("uid", "")),
            field,
        )
        try:
            self._queue.put_nowait(_Occurrence(about, warning, reason, message[:1024], time.time()))
        except asyncio.QueueFull:
            self.dropped += 1
            logger.warning("dropped event %s of %s (%d so far)", reason, meta["name"], self.dropped)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            occurrence = await self._queue.get()
            try:
                await self._write(occurrence)
            except (ApiError, ApiUnavailable) as error:
                logger.info("event %s not written: %s", occurrence.reason, error)

    async def flush(self) -> None:
        """Write what is queued, when `run` does not any more."""
        while not self._queue.empty():
            try:
                await self._write(self._queue.get_nowait())
            except (ApiError, ApiUnavailable) as error:
                logger.info("events not written: %s", error)
                return

    async def _write(self, occurrence: _Occurrence) -> None:
        namespace, at = occurrence.about[2], stamp(occurrence.at)
        try:
            await self._client.create(EVENTS, self._event(occurrence, at), namespace=namespace)
        except AlreadyExists:
            known = await self._client.get(EVENTS, occurrence.name, namespace=namespace)
            patch = {"count": int(known.get("count") or 1) + 1, "lastTimestamp": at}
            await self._client.patch(EVENTS, occurrence.name, patch, namespace=namespace)

    def _event(self, occurrence: _Occurrence, at: str) -> JSON:
        api_version, kind, namespace, name, uid, field = occurrence.about
        about = {
            "apiVersion": api_version,
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "uid": uid,
        }
        return {
            "metadata": {"name": occurrence.name, "namespace": namespace},
            "involvedObject": {**about, "fieldPath": field} if field else about,
            "type": "Warning" if occurrence.warning else "Normal",
            "reason": occurrence.reason,
            "message": occurrence.message,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }


async def bound_events(client: KubeClient, settings: ControllerSettings) -> None:
    """Delete the oldest Events beyond `max_events`, once a minute, until cancelled."""
    while True:
        try:
            await _sweep(client, settings.max_events)
        except (ApiError, ApiUnavailable) as error:
            logger.warning("cannot delete old events: %s", error)
        await asyncio.sleep(_SWEEP_SECONDS)


async def _sweep(client: KubeClient, limit: int) -> None:
    events, _ = await client.list(EVENTS)
    for event in heapq.nsmallest(len(events) - limit, events, key=_last_seen):
        meta = event["metadata"]
        try:
            await client.delete(EVENTS, meta["name"], namespace=meta["namespace"])
        except NotFound:
            continue


def _last_seen(event: JSON) -> str:
    seen = event.get("lastTimestamp") or event.get("eventTime")
    return str(seen or event["metadata"]["creationTimestamp"])
