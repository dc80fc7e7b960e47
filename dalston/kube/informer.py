"""List and watch: a callback for every change of the objects of one kind, without gaps.

The informer lists, then watches from there; when the watch breaks it goes on from the last
resource version, and when that is too old it lists again and reports what changed meanwhile. Only
what `project` keeps of an object is held in memory.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from dalston.kube.client import JSON, KubeClient
from dalston.kube.errors import ApiError, ApiUnavailable, Gone
from dalston.kube.kinds import Kind

logger = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_BACKOFF = 0.1
_LAST_BACKOFF = 5.0


class WatchEventType(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True)
class WatchEvent(Generic[T]):
    """One change; `object` is the projection, the last known one for DELETED."""

    type: WatchEventType
    namespace: str
    name: str
    object: T


class Informer(Generic[T]):
    """A live cache of one kind; run `run()` as a task, await `synced` before reading `cache`.

    `on_event` is called on the event loop for every change, first for all that exists; it must not
    block and must not raise.
    """

    def __init__(
        self,
        client: KubeClient,
        kind: Kind,
        *,
        project: Callable[[JSON], T],
        on_event: Callable[[WatchEvent[T]], None] | None = None,
        namespace: str | None = None,
        labels: str | None = None,
        fields: str | None = None,
    ) -> None:
        self.cache: dict[tuple[str, str], T] = {}
        self.synced = asyncio.Event()
        self.last_activity = 0.0
        """Loop time of the last event, bookmark or list; for probes."""
        self._client = client
        self._kind = kind
        self._project = project
        self._on_event = on_event
        self._namespace = namespace
        self._labels = labels
        self._fields = fields

    def get(self, namespace: str, name: str) -> T | None:
        """Give the cached projection of an object, or None."""
        return self.cache.get((namespace, name))

    async def run(self) -> None:
        """List and watch until cancelled."""
        version: str | None = None
        backoff = _FIRST_BACKOFF
        loop = asyncio.get_running_loop()
        while True:
            try:
                if version is None:
                    version = await self._list()
                since = loop.time()
                async for newest in self._watch(version):
                    version, backoff = newest, _FIRST_BACKOFF
                # A proxy in between may end watches as soon as they begin.
                await asyncio.sleep(max(since + _FIRST_BACKOFF - loop.time(), 0.0))
            except Gone:
                version = None
            except (ApiError, ApiUnavailable) as error:
                logger.warning("%s: %s; trying again in %.1f s", self._kind.plural, error, backoff)
                await asyncio.sleep(backoff)
                backoff = min(backoff * 2, _LAST_BACKOFF)

    async def _list(self) -> str:
        seen: set[tuple[str, str]] = set()
        token: str | None = None
        while True:
            page = await self._client.page(
                self._kind,
                namespace=self._namespace,
                labels=self._labels,
                fields=self._fields,
                after=token,
            )
            for item in page["items"]:
                seen.add(_key(item))
                self._store(item)
            token = page["metadata"].get("continue")
            if not token:
                break
        for key in self.cache.keys() - seen:
            self._drop(key)
        self._active()
        self.synced.set()
        return str(page["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> AsyncIterator[str]:
        """Apply events; yields the resource version after each."""
        stream = self._client.watch(
            self._kind,
            namespace=self._namespace,
            labels=self._labels,
            fields=self._fields,
            since=version,
        )
        async for type, item in stream:
            self._active()
            if type == "DELETED":
                self._drop(_key(item), item)
            elif type != "BOOKMARK":
                self._store(item)
            yield str(item["metadata"]["resourceVersion"])

    def _store(self, item: JSON) -> None:
        key = _key(item)
        known = key in self.cache
        projection = self._project(item)
        if known and self.cache[key] == projection:
            return
        self.cache[key] = projection
        self._emit(WatchEventType.MODIFIED if known else WatchEventType.ADDED, key, projection)

    def _drop(self, key: tuple[str, str], item: JSON | None = None) -> None:
        known = self.cache.pop(key, None)
        if known is None and item is None:
            return
        last = known if known is not None else self._project(item or {})
        self._emit(WatchEventType.DELETED, key, last)

    def _emit(self, type: WatchEventType, key: tuple[str, str], projection: T) -> None:
        if self._on_event is not None:
            self._on_event(WatchEvent(type, key[0], key[1], projection))

    def _active(self) -> None:
        self.last_activity = asyncio.get_running_loop().time()


def _key(item: JSON) -> tuple[str, str]:
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
