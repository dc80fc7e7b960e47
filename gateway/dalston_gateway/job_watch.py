"""One watch of all jobs, for every request that follows one."""

import asyncio
import heapq
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dalston.kube import Informer, KubeClient, WatchEvent, WatchEventType
from dalston.kube.kinds import TRANSCRIPTION_JOBS
from dalston.resources.meta import OWNER_KEY_LABEL
from dalston.resources.transcription_status import FINISHED_PHASES


@dataclass(frozen=True, slots=True)
class JobView:
    """What is kept of every job."""

    version: str
    created: str
    phase: str | None
    owner: str | None

    @property
    def finished(self) -> bool:
        """Whether the job has ended."""
        return self.phase in FINISHED_PHASES


class Follower:
    """Wakes whenever a job has changed; created by `JobWatch.follow()`."""

    def __init__(self) -> None:
        self.deleted = False
        self._changed = asyncio.Event()

    def tell(self, *, deleted: bool) -> None:
        """Note a change."""
        self.deleted = deleted
        self._changed.set()

    async def changed(self, *, timeout: float) -> bool:
        """Wait for the next change; False when there was none within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    async def settle(self, seconds: float) -> None:
        """Let further changes come together; the next `changed()` still tells of those."""
        await asyncio.sleep(seconds)


class JobWatch:
    """The live view of all jobs of a namespace; `run()` is its task."""

    def __init__(self, kube: KubeClient, namespace: str) -> None:
        self._namespace = namespace
        self._followers: dict[str, set[Follower]] = {}
        self.informer: Informer[JobView] = Informer(
            kube,
            TRANSCRIPTION_JOBS,
            project=_view,
            on_event=self._changed,
            namespace=namespace,
        )

    async def run(self) -> None:
        """Watch until cancelled."""
        await self.informer.run()

    def view(self, name: str) -> JobView | None:
        """Give what is known of a job; None for one that the watch has not told of."""
        return self.informer.get(self._namespace, name)

    @contextmanager
    def follow(self, name: str) -> Iterator[Follower]:
        """Follow a job, one that does not exist yet too."""
        follower = Follower()
        self._followers.setdefault(name, set()).add(follower)
        try:
            yield follower
        finally:
            followers = self._followers[name]
            followers.discard(follower)
            if not followers:
                del self._followers[name]

    def wake_all(self) -> None:
        """Wake every follower, though no job has changed."""
        for followers in self._followers.values():
            for follower in followers:
                follower.tell(deleted=follower.deleted)

    def newest(
        self, *, limit: int, before: tuple[str, str] | None, wanted: Callable[[JobView], bool]
    ) -> list[tuple[str, str]]:
        """Give (creation time, name) of the newest jobs that are wanted, those before a point only."""
        found = (
            (view.created, name)
            for (_, name), view in self.informer.cache.items()
            if wanted(view) and (before is None or (view.created, name) < before)
        )
        return heapq.nlargest(limit, found)

    def _changed(self, event: WatchEvent[JobView]) -> None:
        for follower in self._followers.get(event.name, ()):
            follower.tell(deleted=event.type == WatchEventType.DELETED)


def _view(item: dict[str, Any]) -> JobView:
    metadata = item["metadata"]
    phase = (item.get("status") or {}).get("phase")
    owner = (metadata.get("labels") or {}).get(OWNER_KEY_LABEL)
    return JobView(
        version=str(metadata["resourceVersion"]),
        created=str(metadata["creationTimestamp"]),
        phase=sys.intern(phase) if phase else None,
        owner=sys.intern(owner) if owner else None,
    )
